"""What the configuration asks for, as the pipeline is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.identities import Identity
from tlscheck import config
from tlscheck.errors import ConfigError
from tlscheck.watch.order import order
from tlscheck.watch.plan import plan


def ports(folder: Path, text: str) -> tuple[int, ...]:
    """The TCP ports that alone are to be asked."""
    file = folder / "tlscheck.toml"
    file.write_text(f'targets = ["a.jp"]\n[exposure]\nports = "{text}"\n')
    asked = order(config.load(file), file).exposure
    assert asked is not None
    return asked.manner.only


def test_the_ports_that_are_asked(tmp_path: Path) -> None:
    assert ports(tmp_path, "") == ()
    assert ports(tmp_path, "443, 22,8000-8002") == (22, 443, 8000, 8001, 8002)
    assert ports(tmp_path, "all") == tuple(range(1, 65536))


def test_the_authorities_that_are_trusted_too(tmp_path: Path, identity: Identity) -> None:
    file, pem = tmp_path / "tlscheck.toml", identity.ca
    file.write_text(f'targets = ["a.jp"]\nca_file = "{pem}"\n')
    made = plan(config.load(file), file, tmp_path / "history.db", "en").order
    assert made.ca_file == made.domains.ca_file == pem.read_bytes()
    file.write_text('targets = ["a.jp"]\nca_file = "/nowhere"\n')
    with pytest.raises(ConfigError) as caught:
        plan(config.load(file), file, tmp_path / "history.db", "en")
    assert caught.value.said("en").startswith(f"{file}, key ca_file: /nowhere ")


@pytest.mark.parametrize("text", ["x", "9-3", "0", "70000", "1-"])
def test_ports_that_are_none(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ports(tmp_path, text)
    assert caught.value.said("en").startswith(f"{tmp_path}/tlscheck.toml: exposure.ports {text}: ")
