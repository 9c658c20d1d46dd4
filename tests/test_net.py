"""What the network of this machine is like."""

from __future__ import annotations

from pathlib import Path

import pytest

from tlscheck import net


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("nameserver 192.0.2.1\n", "192.0.2.1"),
        ("# nameserver 192.0.2.9\nnameserver\t192.0.2.1 \nnameserver ::1", "192.0.2.1, ::1"),
        ("nameserver\noptions edns0\n", ""),
        ("nameserver \xff\n", "\ufffd"),
        (None, ""),
    ],
)  # fmt: skip
def test_the_resolvers_are_those_of_the_system(
    text: str | None, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "resolv.conf"
    if text is not None:
        file.write_text(text, encoding="latin-1")
    monkeypatch.setattr(net, "_RESOLVERS", file)
    assert net.resolver() == named
