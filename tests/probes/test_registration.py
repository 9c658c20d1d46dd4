"""Registries as they are, and as they should not be: servers of the tests' own on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.observations.test_registration import COM, GENERAL
from tlscheck.config import Network
from tlscheck.model import Missed, Reason, State
from tlscheck.net import Net
from tlscheck.observations.registration import Record
from tlscheck.probes import registration
from tlscheck.probes.registration import Registry

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
NAME = "sakura-clinic.jp"


def ask(*names: str, whois: Talk | None = None, rdap: Talk | None = None, **options: Any) -> Any:
    """What the registry says of each name, asked one after the other."""

    async def run() -> list[Record | Missed]:
        servers, listening = {}, []
        for protocol, talk in (("whois", whois), ("rdap", rdap)):
            if talk is not None:
                server = await asyncio.start_server(closing(talk), "127.0.0.1", 0)
                servers[protocol] = server.sockets[0].getsockname()[1]
                listening.append(server)
        network = Network(
            whois={"jp": f"127.0.0.1:{servers['whois']}"} if whois else {},
            rdap={"*": f"http://127.0.0.1:{servers['rdap']}/x"} if rdap else {},
        )
        registry = Registry(Net(), network, **options)
        try:
            return [await registry.record(name) for name in names]
        finally:
            for server in listening:
                server.close()
            await asyncio.sleep(0.01)  # what is still being said breaks off

    found = asyncio.run(run())
    return found[0] if len(found) == 1 else found


def closing(talk: Talk) -> Talk:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    return answer


def saying(data: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == f"{NAME}\r\n".encode()
        writer.write(data)

    return talk


def http(*answers: tuple[int, dict[str, str], bytes]) -> Talk:
    """Each answer once, the last for good."""
    left = list(answers)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        status, fields, body = left.pop(0) if len(left) > 1 else left[0]
        fields = {"Content-Length": str(len(body)), "Connection": "close", **fields}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"HTTP/1.1 {status} -\r\n{head}\r\n".encode() + body)

    return talk


def reason(found: Any) -> Reason:
    assert isinstance(found, Missed)
    assert found.kind == "registration"
    return found.reason


def test_whois_is_asked_for_jp() -> None:
    found = ask(NAME, whois=saying(GENERAL.replace("\n", "\r\n").encode()))
    assert found.registered is State.ACCEPTED
    assert found.holder[0] == "さくら診療所"


def test_a_server_that_drips_gets_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "SECONDS", 0.5)

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in GENERAL.encode():
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.05)

    assert reason(ask(NAME, whois=drip)) is Reason.TIMEOUT


def test_ten_megabytes_are_too_many() -> None:
    assert reason(ask(NAME, whois=saying(b"x" * 10_000_000))) is Reason.TOO_LARGE
    body = http((200, {}, b" " * 10_000_000))
    assert reason(ask("sakura.com", rdap=body)) is Reason.TOO_LARGE


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe", GENERAL.partition("[状態]")[0].encode(), b"Too many requests\r\n"]
)
def test_what_cannot_be_read_is_missed(data: bytes) -> None:
    assert reason(ask(NAME, whois=saying(data))) is Reason.MALFORMED


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> Record | Missed:
        return await Registry(Net(), Network(whois={"*": "127.0.0.1:1"})).record(NAME)

    assert reason(asyncio.run(run())) is Reason.CONNECTION_REFUSED


def test_rdap_is_asked_below_the_base() -> None:
    asked = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split()[1])
        body = json.dumps(COM).encode()
        writer.write(b"HTTP/1.1 200 -\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    found = ask("sakura.com", rdap=talk)
    assert found.registered is State.ACCEPTED
    assert asked == [b"/x/domain/sakura.com"]


def test_404_is_no_registration() -> None:
    assert ask("sakura.com", rdap=http((404, {}, b"{}"))).registered is State.REFUSED


@pytest.mark.parametrize("status", [400, 403, 500, 503])
def test_other_statuses_are_missed(status: int) -> None:
    assert reason(ask("sakura.com", rdap=http((status, {}, b"{}")))) is Reason.MALFORMED


def test_a_limit_is_waited_for_once_and_never_a_verdict() -> None:
    good = (200, {}, json.dumps(COM).encode())
    found = ask("sakura.com", rdap=http((429, {"Retry-After": "1"}, b""), good))
    assert found.registered is State.ACCEPTED
    for fields in ({}, {"Retry-After": "3600"}, {"Retry-After": "x"}, {"Retry-After": "0"}):
        assert reason(ask("sakura.com", rdap=http((429, fields, b"")))) is Reason.LIMITED


def test_redirects_end() -> None:
    loop = http((302, {"Location": "/x/domain/sakura.com"}, b""))
    assert reason(ask("sakura.com", rdap=loop)) is Reason.MALFORMED
    good = (200, {}, json.dumps(COM).encode())
    onward = http((302, {"Location": "/elsewhere"}, b""), good)
    assert ask("sakura.com", rdap=onward).registered is State.ACCEPTED


def test_a_public_registry_leads_to_no_private_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the list of servers names may be private only where the configuration says so."""
    monkeypatch.setattr(
        registration, "_bundled", lambda: {"com": "https://localhost/", "net": "http://localhost/"}
    )

    async def run(name: str) -> Record | Missed:
        return await Registry(Net()).record(name)

    assert reason(asyncio.run(run("sakura.com"))) is Reason.FILTERED
    assert reason(asyncio.run(run("sakura.net"))) is Reason.FILTERED


def test_a_referral_leads_to_no_private_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "_bundled", dict)
    monkeypatch.setattr(registration, "_servers", lambda: {"whois": {}, "rdap": {}})

    async def converse(self: Registry, desk: Any, question: str) -> bytes:
        if desk.where == "whois.iana.org":
            assert question == "zz"
            return b"refer:        localhost\r\n"
        return await original(self, desk, question)

    original = Registry._converse
    monkeypatch.setattr(Registry, "_converse", converse)

    async def run() -> Record | Missed:
        return await Registry(Net()).record("sakura.zz")

    assert reason(asyncio.run(run())) is Reason.FILTERED


def test_answers_are_kept_for_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        await reader.readline()
        writer.write(GENERAL.encode())

    async def run(**options: Any) -> None:
        registry = Registry(Net(), network, cache=tmp_path / "kept", **options)
        first = await registry.record(NAME)
        assert isinstance(first, Record)
        assert await registry.record(NAME) == first

    async def main() -> None:
        nonlocal network
        server = await asyncio.start_server(closing(talk), "127.0.0.1", 0)
        network = Network(whois={"jp": f"127.0.0.1:{server.sockets[0].getsockname()[1]}"})
        await run()
        await run()
        assert count == 1
        await run(refresh=True)
        assert count == 2
        for file in (tmp_path / "kept").iterdir():
            assert file.stat().st_mode & 0o077 == 0
            file.write_bytes(b"{broken")
        await run()
        assert count == 3
        server.close()

    network = Network()
    asyncio.run(main())


def test_the_bundled_list_knows_the_tlds_of_japanese_operators() -> None:
    known = registration._bundled()
    assert "jp" not in known
    assert {"com", "net", "tokyo", "clinic", "health"} <= set(known)
    assert registration.published().startswith("2026-")
