"""Real handshakes with real servers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL

from tests.conftest import Start
from tests.identities import Authority, Identity
from tests.make_chain import ders
from tlscheck.errors import ConfigError
from tlscheck.model import Place, Reason
from tlscheck.net import Net, NetError, Stream
from tlscheck.observations.certificate import Presented
from tlscheck.probes import live

REQUIRE = ("-Verify", "1", "-verify_return_error", "-CAfile")


def run(main: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(main)


async def shake(place: Place, **options: Any) -> live.Live:
    async with live.handshake(Net(), place, **options) as talk:
        return talk


async def get(place: Place, **options: Any) -> tuple[live.Live, bytes]:
    async with live.handshake(Net(), place, **options) as talk:
        await talk.send(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        body = b""
        while data := await talk.receive():
            body += data
        return talk, body


def ours(identity: Identity) -> live.Identity:
    return live.identity(identity.ec.cert.read_bytes(), identity.ec.key.read_bytes())


@pytest.mark.parametrize(
    ("option", "version", "suite"),
    [
        ("-tls1_3", "TLS 1.3", "TLS_AES_256_GCM_SHA384"),
        ("-tls1_2", "TLS 1.2", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
        ("-tls1", "TLS 1.0", "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
    ],
)
def test_what_was_agreed(
    s_server: Start, identity: Identity, option: str, version: str, suite: str
) -> None:
    server = s_server(option, "-cipher", "ALL:@SECLEVEL=0")
    talk, body = run(get(server.place()))
    assert (talk.version, talk.suite, talk.group) == (version, suite, "x25519")
    assert talk.presented.chain == ders(identity.ec)
    assert talk.presented == Presented(ders(identity.ec), True, staple_asked=True)
    assert b"HTTP/1.0 200" in body
    assert not talk.requested


def test_a_post_quantum_group(pyopenssl_server: Start) -> None:
    talk = run(shake(pyopenssl_server(groups="X25519MLKEM768").place()))
    assert talk.group == "X25519MLKEM768"


def test_a_finite_field_group(s_server: Start) -> None:
    talk = run(shake(s_server("-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256").place()))
    assert talk.suite == "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"
    assert talk.group == ""


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_the_certificate_of_each_key_type(
    s_server: Start, identity: Identity, version: str
) -> None:
    server = s_server(version)
    for kind, certificate in (("RSA", identity.rsa), ("ECDSA", identity.ec)):
        talk = run(shake(server.place(), signature_key=kind))
        assert talk.presented.chain == ders(certificate)


def test_the_maximum(s_server: Start) -> None:
    assert run(shake(s_server().place(), maximum="TLS 1.2")).version == "TLS 1.2"


def test_alpn(nginx: Start) -> None:
    assert run(shake(nginx().place())).alpn == "http/1.1"


def test_another_certificate_without_sni(s_server: Start, identity: Identity) -> None:
    second = identity.authority.issue("other.example")
    server = s_server(
        "-servername", "other.example", "-cert2", str(second.cert), "-key2", str(second.key),
        certificates=[identity.rsa],
    )  # fmt: skip
    with_name = run(shake(server.place(host="other.example"))).presented
    without = run(shake(server.place(host="other.example"), sni=False)).presented
    by_address = run(shake(server.place(host=""))).presented
    assert (with_name.chain, with_name.with_sni) == (ders(second), True)
    assert (without.chain, without.with_sni) == (ders(identity.rsa), False)
    assert (by_address.chain, by_address.with_sni) == (ders(identity.rsa), False)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_stapled_response_comes_as_it_is(s_server: Start, tmp_path: Path, version: str) -> None:
    staple = tmp_path / "staple"
    staple.write_bytes(bytes.fromhex("30030a0106"))  # OCSP: unauthorized
    server = s_server(version, "-status_file", str(staple))
    assert run(shake(server.place())).presented.stapled == staple.read_bytes()


class TestClientCertificates:
    @pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
    def test_asked_for(self, s_server: Start, identity: Identity, version: str) -> None:
        server = s_server(version, "-verify", "1", "-CAfile", str(identity.ca))
        talk, body = run(get(server.place()))
        assert talk.requested
        assert talk.authorities == (identity.authority.root.subject.rfc4514_string(),)
        assert b"200" in body

    @pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
    def test_required(self, s_server: Start, identity: Identity, version: str) -> None:
        server = s_server(version, *REQUIRE, str(identity.ca))
        with pytest.raises(live.Refused) as refused:
            run(get(server.place()))
        assert refused.value.reason is Reason.CLIENT_CERTIFICATE
        assert refused.value.requested
        assert refused.value.alert == (116 if version == "-tls1_3" else 40)

    @pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
    def test_given(self, s_server: Start, identity: Identity, version: str) -> None:
        server = s_server(version, *REQUIRE, str(identity.ca))
        _, body = run(get(server.place(), client_identity=ours(identity)))
        assert b"200" in body

    def test_given_and_not_liked(self, s_server: Start, identity: Identity, tmp_path: Path) -> None:
        other = Authority(tmp_path / "other", "Another Root")
        server = s_server(*REQUIRE, str(other.ca))
        with pytest.raises(live.Refused) as refused:
            run(get(server.place(), client_identity=ours(identity)))
        assert refused.value.reason is Reason.HANDSHAKE
        assert refused.value.alert == 48


def test_an_identity_that_does_not_fit(identity: Identity) -> None:
    with pytest.raises(ConfigError, match="does not belong"):
        live.identity(identity.ec.cert.read_bytes(), identity.rsa.key.read_bytes())
    with pytest.raises(ConfigError, match="cannot be read"):
        live.identity(b"nonsense", identity.rsa.key.read_bytes())


def test_a_preamble(pyopenssl_server: Start) -> None:
    def hear(peer: Any) -> None:
        assert peer.recv(100) == b"STARTTLS\r\n"
        peer.sendall(b"go\r\n")

    async def say(stream: Stream) -> None:
        await stream.write(b"STARTTLS\r\n")
        assert await stream.read() == b"go\r\n"

    server = pyopenssl_server(preamble=hear, versions=(SSL.TLS1_2_VERSION, SSL.TLS1_2_VERSION))
    assert run(shake(server.place(), preamble=say)).version == "TLS 1.2"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", Reason.CLOSED),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Reason.NOT_TLS),
        (bytes.fromhex("15030300020228"), Reason.HANDSHAKE),
        (bytes.fromhex("15030300020274"), Reason.CLIENT_CERTIFICATE),
        (bytes.fromhex("15030300020100"), Reason.CLOSED),
    ],
    ids=["close", "http", "alert", "certificate_required", "close_notify"],
)
def test_no_handshake(scripted: Start, answer: bytes, reason: Reason) -> None:
    def handler(peer: Any) -> None:
        peer.recv(65536)
        peer.sendall(answer)

    with pytest.raises(NetError) as error:
        run(shake(scripted(handler).place()))
    assert error.value.reason is reason


def test_a_silent_server_costs_the_deadline_and_no_more(scripted: Start) -> None:
    def handler(peer: Any) -> None:
        while peer.recv(65536):
            pass

    with pytest.raises(NetError) as error:
        run(shake(scripted(handler).place(), timeout=0.3))
    assert error.value.reason is Reason.TIMEOUT


def test_a_flood_is_cut_off(pyopenssl_server: Start) -> None:
    server = pyopenssl_server(answer=b"x" * 200_000)
    with pytest.raises(NetError) as error:
        run(get(server.place(), limit=100_000))
    assert error.value.reason is Reason.TOO_LARGE


def test_every_connection_is_counted(s_server: Start) -> None:
    net, place = Net(), s_server().place()

    async def main() -> None:
        for _ in range(2):
            async with live.handshake(net, place):
                pass

    run(main())
    assert net.spent(place) == 2
