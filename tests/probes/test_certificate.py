"""Certificates of real servers, CAs that answer or do not, and chains made to hurt."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests import make_chain as make
from tests.conftest import Start
from tests.identities import Authority, Identity
from tlscheck.model import Missed, Place, Reason, State
from tlscheck.net import Net, NetError
from tlscheck.observations.certificate import (
    CertificateObservation,
    Chain,
    Presented,
    Standing,
    Trust,
)
from tlscheck.probes import certificate, paths, revocation, verifier

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
Answer = Callable[[x509.Certificate], bytes]
NOWHERE = Place("localhost", 9, "https", "127.0.0.1", "localhost")
"""Nobody listens there: whatever connects to it fails."""


def look(place: Place, **options: Any) -> CertificateObservation:
    seen = missed(place, **options)
    assert isinstance(seen, CertificateObservation)
    return seen


def missed(place: Place, **options: Any) -> CertificateObservation | Missed:
    return asyncio.run(certificate.probe(options.pop("net", None) or Net(), place, **options))


def look_at(*chain: bytes, stapled: bytes | None = None, **options: Any) -> Chain:
    sent = Presented(chain, staple_asked=True, stapled=stapled)
    return look(NOWHERE, seen=[sent], **options).chains[0]


class Ca:
    """A CA that answers over HTTP on loopback."""

    def __init__(self, url: str, answers: dict[str, bytes], asked: list[str]) -> None:
        self.url = url
        self.answers = answers
        """What is answered at each path; nothing there, no answer."""
        self.asked = asked


@pytest.fixture
def ca(scripted: Start) -> Ca:
    answers: dict[str, bytes] = {}
    asked: list[str] = []

    def handler(peer: Any) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += peer.recv(65536)
        path = data.split()[1].decode()
        asked.append(path)
        length = re.search(rb"content-length: (\d+)", data, re.IGNORECASE)
        while length and len(data.split(b"\r\n\r\n", 1)[1]) < int(length[1]):
            data += peer.recv(65536)
        if path in answers:
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(answers[path])}\r\n\r\n"
            peer.sendall(head.encode() + answers[path])
        else:
            peer.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    server = scripted(handler)
    return Ca(f"http://127.0.0.1:{server.port}", answers, asked)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


class TestServers:
    def test_both_certificates_of_a_server(self, s_server: Start, identity: Identity) -> None:
        net, place = Net(), s_server("-tls1_3").place()
        seen = look(
            place,
            net=net,
            seen=[Presented(make.ders(identity.ec))],
            key_types={"RSA", "ECDSA"},
            ca_file=identity.ca.read_bytes(),
        )
        assert {c.leaf.key for c in seen.chains} == {"RSA", "ECDSA"}
        assert all(c.ca_file == c.path == Trust(State.ACCEPTED) for c in seen.chains)
        assert seen.unseen == ()
        assert net.spent(place) == 1

    def test_no_connection_without_need(self, identity: Identity) -> None:
        net = Net()
        chains = [make.ders(identity.ec), make.ders(identity.rsa)]
        seen = look(
            NOWHERE, net=net, seen=[Presented(c) for c in chains], key_types={"RSA", "ECDSA"}
        )
        assert len(seen.chains) == 2
        assert not net.connections

    def test_what_cannot_be_had_is_unseen(self, identity: Identity) -> None:
        sent = Presented(make.ders(identity.ec))
        seen = look(NOWHERE, seen=[sent], key_types={"RSA", "ECDSA"})
        assert seen.unseen == ("RSA",)

    def test_what_is_left_out_is_unseen(self, identity: Identity) -> None:
        leaf, stranger = make.der(identity.ec.x509), make.der(identity.authority.root)
        many = [Presented((leaf, *[stranger] * n)) for n in range(20)]
        other = Presented((make.der(identity.rsa.x509),), with_sni=False)
        seen = look(NOWHERE, seen=[other, *many], revocation=False)
        assert len(seen.asked()) == len(seen.chains) == certificate.MOST_CHAINS
        assert seen.unseen == ("ECDSA",)

    def test_suites_call_edwards_curves_ecdsa(self, authority: Authority) -> None:
        sent = Presented(make.ders(authority.issue(kind="ed25519")))
        assert look(NOWHERE, seen=[sent], key_types={"ECDSA"}).unseen == ()

    def test_nothing_to_be_had_is_missed(self) -> None:
        assert missed(NOWHERE) == Missed("certificate", Reason.CONNECTION_REFUSED)

    def test_another_certificate_without_sni(self, s_server: Start, identity: Identity) -> None:
        other = Presented(make.ders(identity.rsa), with_sni=False)
        seen = look(s_server(certificates=[identity.ec]).place(), seen=[other])
        assert [(c.leaf.key, c.with_sni) for c in seen.chains] == [("ECDSA", True), ("RSA", False)]
        assert [c.leaf.key for c in seen.asked()] == ["ECDSA"]

    def test_an_address_is_asked_without_sni(self, s_server: Start) -> None:
        seen = look(s_server().place(host=""))
        assert seen.asked_name == "127.0.0.1"
        assert [c.with_sni for c in seen.asked()] == [False]

    @pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
    def test_a_stapled_response(
        self, s_server: Start, identity: Identity, tmp_path: Path, version: str
    ) -> None:
        staple = tmp_path / "staple"
        staple.write_bytes(make.ocsp_response(identity.authority, identity.ec.x509, at=NOW))
        server = s_server(version, "-status_file", str(staple), certificates=[identity.ec])
        chain = look(server.place(), ca_file=identity.ca.read_bytes(), revocation=False).chains[0]
        assert chain.stapling is State.ACCEPTED
        assert chain.staple and chain.staple.standing is Standing.GOOD
        assert [(w.standing, w.source) for w in chain.revocation] == [(Standing.GOOD, "stapled")]

    def test_a_stapled_response_without_a_path_vouches_for_nothing(
        self, identity: Identity
    ) -> None:
        response = make.ocsp_response(identity.authority, identity.ec.x509, at=NOW)
        chain = look_at(*make.ders(identity.ec), stapled=response)
        assert chain.staple and chain.staple.standing is Standing.UNKNOWN


class TestPaths:
    def test_a_private_ca(self, identity: Identity) -> None:
        chain = look_at(*make.ders(identity.rsa))
        assert (chain.path.state, chain.path.code) == (State.REFUSED, 20)
        assert {name: word.state for name, word in chain.trust.items()} == dict.fromkeys(
            ("mozilla", "apple", "microsoft", "google", "java"), State.REFUSED
        )
        assert (chain.ca_file, chain.way) == (None, ())

    def test_its_root_is_given(self, identity: Identity) -> None:
        chain = look_at(*make.ders(identity.rsa), ca_file=identity.ca.read_bytes())
        assert chain.path == chain.ca_file == Trust(State.ACCEPTED)
        assert chain.trust["mozilla"].state is State.REFUSED
        assert chain.root and chain.root.subject == "CN=Test Root"
        assert chain.missing_intermediate is State.REFUSED

    def test_an_intermediate_is_given(self, authority: Authority) -> None:
        middle = authority.intermediate()
        leaf = make.der(middle.issue().x509)
        assert look_at(leaf, ca_file=middle.ca.read_bytes()).path.state is State.ACCEPTED

    def test_an_expired_certificate_is_expired_under_any_root(self, authority: Authority) -> None:
        middle = authority.intermediate()
        leaf = make.der(middle.issue(start=-10 * DAY, end=-DAY).x509)
        for given in (middle, authority):
            chain = look_at(leaf, make.der(middle.root), ca_file=given.ca.read_bytes())
            assert chain.path.state is State.REFUSED
            assert chain.path.of_time
            assert chain.ca_file == Trust(State.ACCEPTED)

    def test_the_wrong_purpose(self, authority: Authority) -> None:
        responder = make.der(make.responder(authority).x509)
        chain = look_at(responder, ca_file=authority.ca.read_bytes(), at=make.AT)
        assert (chain.path.state, chain.path.code) == (State.REFUSED, 26)

    def test_self_signed(self, authority: Authority) -> None:
        chain = look_at(make.der(authority.issue(self_signed=True).x509))
        assert chain.leaf.self_issued
        assert chain.path.code == 18
        assert chain.missing_intermediate is State.REFUSED

    def test_each_store_has_its_own_say(self, authority: Authority, identity: Identity) -> None:
        files = {"mozilla": authority.ca, "apple": identity.ca}
        chain = x509.load_pem_x509_certificates(authority.intermediate().issue().cert.read_bytes())
        found = verifier.Paths(NOW, [], files).of(chain, [])
        assert found["path"]["state"] == State.ACCEPTED
        assert {name: word["state"] for name, word in found["trust"].items()} == {
            "mozilla": State.ACCEPTED,
            "apple": State.REFUSED,
        }
        assert len(found["way"]) == 3

    def test_the_stores_have_dates(self) -> None:
        dates = paths.store_dates()
        assert list(dates) == ["mozilla", "apple", "microsoft", "google", "java"]
        assert all(re.fullmatch(r"20\d\d-\d\d-\d\d", date) for date in dates.values())

    def test_strict_objections_are_kept_apart(self, identity: Identity) -> None:
        chain = look_at(
            *make.ders(identity.rsa), ca_file=identity.ca.read_bytes(), at=NOW + 400 * DAY
        )
        assert chain.strict.state is State.REFUSED


class TestHostileChains:
    @pytest.mark.parametrize("copies", [4, 9])
    def test_a_knot_of_authorities_ends_in_time(self, copies: int) -> None:
        begun = time.monotonic()
        chain = look_at(*make.knot(copies), at=make.AT)
        assert chain.path.state is State.REFUSED
        assert chain.strict.state is State.REFUSED
        assert time.monotonic() - begun < paths.DEADLINE

    def test_garbage(self) -> None:
        chain = look_at(b"garbage", b"\x30\x80" * 1000)
        assert chain.path.state is chain.missing_intermediate is State.UNKNOWN
        assert chain.leaf.unread == ("certificate",)

    def test_what_is_too_large_does_not_make_another_the_leaf(self, identity: Identity) -> None:
        chain = look_at(
            b"\x30" * 70_000, *make.ders(identity.rsa), ca_file=identity.ca.read_bytes()
        )
        assert chain.path.state is State.UNKNOWN

    def test_a_child_that_is_killed_knows_nothing(self, identity: Identity) -> None:
        asked = [paths.Asked(make.ders(identity.rsa))]
        (found,) = asyncio.run(paths.check(asked, "localhost", NOW, deadline=0.01))
        unknown = Trust(State.UNKNOWN, "child: no answer within 0.01 s")
        assert found.path == found.strict == found.trust["mozilla"] == unknown

    @pytest.mark.slow
    def test_a_child_that_a_busy_machine_starves_is_waited_for(
        self, identity: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        late = tmp_path / "python"
        late.write_text(f'#!/bin/sh\nsleep 15\nexec {sys.executable} "$@"\n')
        late.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(late))
        asked = [paths.Asked(make.ders(identity.rsa))]
        (found,) = asyncio.run(paths.check(asked, "localhost", NOW))
        assert found.path.state is State.REFUSED

    def test_a_child_that_fails_knows_nothing(self, identity: Identity) -> None:
        asked = [paths.Asked(make.ders(identity.rsa))]
        (found,) = asyncio.run(paths.check(asked, "localhost", NOW, ca_file=b"no certificate"))
        assert found.path == Trust(State.UNKNOWN, "child: it failed")


class TestMissingIntermediate:
    def test_found_where_the_certificate_says(self, authority: Authority, ca: Ca) -> None:
        middle = authority.intermediate()
        url = f"{ca.url}/middle"
        leaf = make.der(middle.issue(extensions=make.sources(issuer_url=url)).x509)
        ca.answers["/middle"] = make.der(middle.root)
        chain = look_at(leaf, ca_file=authority.ca.read_bytes())
        assert chain.path.code == 20
        assert (chain.missing_intermediate, chain.completed_from) == (State.ACCEPTED, (url,))
        assert chain.ca_file == Trust(State.ACCEPTED)
        assert chain.root and chain.root.subject == "CN=Test Root"

    @pytest.mark.parametrize("revocation", [True, False])
    def test_not_to_be_had(self, authority: Authority, ca: Ca, revocation: bool) -> None:
        middle = authority.intermediate()
        extensions = make.sources(issuer_url=f"{ca.url}/gone")
        leaf = make.der(middle.issue(extensions=extensions).x509)
        chain = look_at(leaf, revocation=revocation)
        assert chain.missing_intermediate is State.UNKNOWN
        assert chain.trust["mozilla"].state is State.UNKNOWN
        assert ca.asked == (["/gone"] if revocation else [])

    def test_only_a_private_root_is_not_missing(self, authority: Authority, ca: Ca) -> None:
        extensions = make.sources(issuer_url=f"{ca.url}/root")
        leaf = make.der(authority.issue(extensions=extensions).x509)
        ca.answers["/root"] = authority.root.public_bytes(Encoding.PEM)
        chain = look_at(leaf)
        assert chain.missing_intermediate is State.REFUSED
        assert chain.trust["mozilla"].state is State.REFUSED


class TestRevocation:
    def look(self, authority: Authority, ca: Ca, **answers: Answer) -> Chain:
        """The chain of a certificate that names OCSP and a list, with these *answers*."""
        urls = make.sources(ocsp_url=f"{ca.url}/ocsp", crl_url=f"{ca.url}/crl")
        issued = authority.issue(extensions=urls).x509
        ca.answers |= {f"/{where}": answer(issued) for where, answer in answers.items()}
        return look_at(make.der(issued), ca_file=authority.ca.read_bytes())

    @pytest.mark.parametrize("revoked", [False, True])
    def test_by_ocsp(self, authority: Authority, ca: Ca, revoked: bool) -> None:
        chain = self.look(
            authority,
            ca,
            ocsp=lambda leaf: make.ocsp_response(authority, leaf, revoked=revoked, at=NOW),
        )
        (word,) = chain.revocation
        assert (word.standing, word.source) == ("revoked" if revoked else "good", "ocsp")
        assert ca.asked == ["/ocsp"]

    @pytest.mark.parametrize("revoked", [False, True])
    def test_by_a_list_where_ocsp_does_not_answer(
        self, authority: Authority, ca: Ca, revoked: bool
    ) -> None:
        chain = self.look(
            authority,
            ca,
            crl=lambda leaf: make.crl(authority, *([leaf] if revoked else []), at=NOW),
        )
        (word,) = chain.revocation
        assert (word.standing, word.source) == ("revoked" if revoked else "good", "crl")
        assert ca.asked == ["/ocsp", "/crl"]

    def test_by_nobody(self, authority: Authority, ca: Ca) -> None:
        (word,) = self.look(authority, ca, ocsp=lambda _: b"nonsense").revocation
        assert word.standing is Standing.UNKNOWN
        assert word.detail == f"{ca.url}/crl: malformed: HTTP status 404"

    def test_a_stale_staple_is_asked_about(self, authority: Authority, ca: Ca) -> None:
        issued = authority.issue(extensions=make.sources(ocsp_url=f"{ca.url}/ocsp")).x509
        ca.answers["/ocsp"] = make.ocsp_response(authority, issued, revoked=True, at=NOW)
        old = make.ocsp_response(authority, issued, at=NOW - 30 * DAY)
        chain = look_at(make.der(issued), stapled=old, ca_file=authority.ca.read_bytes())
        assert chain.staple and chain.staple.standing is Standing.GOOD
        assert [(w.standing, w.source) for w in chain.revocation] == [(Standing.REVOKED, "ocsp")]

    def test_every_certificate_of_the_path_but_the_root(self, authority: Authority, ca: Ca) -> None:
        middle = authority.intermediate()
        chain = look_at(*make.ders(middle.issue()), ca_file=authority.ca.read_bytes())
        assert [w.standing for w in chain.revocation] == [Standing.UNKNOWN] * 2
        assert {w.detail for w in chain.revocation} == {"the certificate names no source"}

    def test_not_asked(self, authority: Authority, ca: Ca) -> None:
        issued = authority.issue(extensions=make.sources(ocsp_url=f"{ca.url}/ocsp")).x509
        chain = look_at(make.der(issued), ca_file=authority.ca.read_bytes(), revocation=False)
        assert [w.detail for w in chain.revocation] == ["not_asked"]
        assert not ca.asked


class TestFetching:
    def fetch(self, url: str, near: str = "127.0.0.1", **options: Any) -> bytes:
        return asyncio.run(
            revocation.fetch(options.pop("net", None) or Net(), url, near, **options)
        )

    def reason(self, url: str, near: str = "127.0.0.1", **options: Any) -> Reason:
        with pytest.raises(NetError) as error:
            self.fetch(url, near, **options)
        return error.value.reason

    @pytest.mark.parametrize(
        "url",
        [
            "https://127.0.0.1/", "ldap://127.0.0.1/", "file:///etc/passwd", "http://a:b@127.0.0.1/",
            "http://", "",
        ],
    )  # fmt: skip
    def test_only_plain_http(self, url: str) -> None:
        assert self.reason(url) is Reason.FILTERED

    @pytest.mark.parametrize("url", ["http://[", "http://a:b/", "http://\0/", "http://xn--a/"])
    def test_not_a_url(self, url: str) -> None:
        assert self.reason(url) in {Reason.MALFORMED, Reason.UNRESOLVED}

    @pytest.mark.parametrize(
        "where",
        [
            "127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "[::1]",
            "[::ffff:127.0.0.1]", "[fe80::1]",
        ],
    )  # fmt: skip
    def test_private_addresses_are_for_private_targets(self, where: str) -> None:
        assert self.reason(f"http://{where}/", near="8.8.8.8") is Reason.FILTERED

    def test_a_name_that_leads_to_a_private_address(self, ca: Ca) -> None:
        port = int(ca.url.rpartition(":")[2])
        net = Net(overrides={("ocsp.example", port): "127.0.0.1"})
        url = f"http://ocsp.example:{port}/a"
        assert self.reason(url, near="8.8.8.8", net=net) is Reason.FILTERED
        ca.answers["/a"] = b"body"
        assert self.fetch(url, net=net) == b"body"

    def test_no_redirects(self, scripted: Start) -> None:
        def handler(peer: Any) -> None:
            peer.recv(65536)
            peer.sendall(b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n")

        assert self.reason(f"http://127.0.0.1:{scripted(handler).port}/") is Reason.MALFORMED

    def test_too_much(self, ca: Ca) -> None:
        ca.answers["/a"] = b"x" * 2000
        assert self.reason(f"{ca.url}/a", limit=1000) is Reason.TOO_LARGE

    def test_too_slow(self, scripted: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        def handler(peer: Any) -> None:
            while peer.recv(65536):
                pass

        monkeypatch.setattr(revocation, "SECONDS", 0.2)
        assert self.reason(f"http://127.0.0.1:{scripted(handler).port}/") is Reason.TIMEOUT

    def test_nobody_there(self) -> None:
        assert self.reason("http://127.0.0.1:9/") is Reason.UNREACHABLE

    def test_no_http(self, scripted: Start) -> None:
        def handler(peer: Any) -> None:
            peer.recv(65536)
            peer.sendall(b"\x00" * 100)

        assert self.reason(f"http://127.0.0.1:{scripted(handler).port}/") is Reason.UNREACHABLE
