"""The program, run in this process."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tlscheck.cli import main

Done = tuple[int, str, str]
Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """``run("diff", …)``: exit code, standard output and standard error."""

    def ran(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["tlscheck", *map(str, arguments)])
        code: Any = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        finally:
            gc.enable()
        sys.stdout.flush()
        return code, *capfd.readouterr()

    return ran
