"""What is read of certificates, and that nothing makes the reading fail."""

from __future__ import annotations

import dataclasses
import socket
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import make_chain as make
from tests.conftest import Start
from tests.identities import Authority, Identity
from tests.servers import Server
from tlscheck.model import State
from tlscheck.observations import revocation
from tlscheck.observations.certificate import (
    MOST_BYTES,
    Presented,
    Standing,
    Staple,
    certificate,
    issued,
    key_types,
    merged,
    parse,
    presented,
    sct_logs,
)
from tlscheck.observations.exchange import End, Exchange
from tlscheck.observations.tls import TlsObservation
from tlscheck.wire.answer import FlightReader
from tlscheck.wire.hello import ClientHello, Extension, code_points, server_name
from tlscheck.wire.registry import Version

AT = make.AT


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def chain(authority: Authority) -> tuple[bytes, ...]:
    return make.ders(authority.intermediate().intermediate("Lower").issue(kind="p256"))


@pytest.fixture(scope="module")
def revoked_root(authority: Authority) -> bytes:
    return make.ocsp_response(authority, authority.root, revoked=True)


def test_everything_that_is_read(authority: Authority) -> None:
    policy = x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.2"), None)
    issue = authority.issue(
        "www.example.jp", "*.example.jp", "xn--wgv71a.jp", "192.0.2.1", "2001:db8::1",
        kind="p384",
        extensions=[
            *make.sources(
                ocsp_url="http://o.example/", issuer_url="http://i.example/",
                crl_url="http://c.example/",
            ),
            (x509.CertificatePolicies([policy]), False),
            (x509.TLSFeature([x509.TLSFeatureType.status_request]), False),
        ],
    )  # fmt: skip
    seen = certificate(make.der(issue.x509))
    assert dataclasses.replace(seen, sha256="", der="", spki_sha256="") == dataclasses.replace(
        seen,
        sha256="",
        der="",
        spki_sha256="",
        unread=(),
        subject="CN=www.example.jp",
        issuer="CN=Test Root",
        common_name="www.example.jp",
        names=("www.example.jp", "*.example.jp", "xn--wgv71a.jp"),
        addresses=("192.0.2.1", "2001:db8::1"),
        serial=f"{issue.x509.serial_number:x}",
        not_before=issue.x509.not_valid_before_utc,
        not_after=issue.x509.not_valid_after_utc,
        key="ECDSA",
        key_bits=384,
        curve="secp384r1",
        signature_hash="SHA256",
        policy="OV",
        must_staple=True,
        ca=False,
        ocsp=("http://o.example/",),
        crl=("http://c.example/",),
        issuers=("http://i.example/",),
    )


@pytest.mark.parametrize(
    ("kind", "key", "bits", "curve"),
    [
        ("rsa-2048", "RSA", 2048, ""),
        ("p521", "ECDSA", 521, "secp521r1"),
        ("ed25519", "Ed25519", 256, "Ed25519"),
        ("dsa-2048", "DSA", 2048, ""),
    ],
)
def test_keys(authority: Authority, kind: str, key: str, bits: int, curve: str) -> None:
    seen = certificate(make.der(authority.issue(kind=kind).x509))
    assert (seen.key, seen.key_bits, seen.curve) == (key, bits, curve)


class TestChains:
    def test_in_order(self, chain: tuple[bytes, ...]) -> None:
        seen = parse(Presented(chain))
        assert len(seen.following) == 3
        assert (seen.in_order, seen.needless) == (True, ())

    def test_out_of_order(self, chain: tuple[bytes, ...]) -> None:
        leaf, lower, upper = chain
        seen = parse(Presented((leaf, upper, lower)))
        assert len(seen.following) == 3
        assert (seen.in_order, seen.needless) == (False, ())

    def test_root_stranger_and_copy_are_needless(
        self, chain: tuple[bytes, ...], authority: Authority, identity: Identity
    ) -> None:
        root, stranger = make.der(authority.root), make.der(identity.rsa.x509)
        seen = parse(Presented((*chain, root, stranger, chain[1])))
        assert seen.needless == ("CN=Test Root", "CN=localhost", "CN=Lower")
        assert seen.in_order

    def test_a_gap(self, chain: tuple[bytes, ...]) -> None:
        seen = parse(Presented((chain[0], chain[2])))
        assert len(seen.following) == 1
        assert seen.needless == ("CN=Test Intermediate",)

    def test_only_so_many_are_read(self, chain: tuple[bytes, ...]) -> None:
        seen = parse(Presented(chain[:1] * 30))
        assert (seen.sent, len(seen.certificates)) == (30, 10)

    def test_what_was_judged_without_a_path(
        self, chain: tuple[bytes, ...], authority: Authority
    ) -> None:
        seen = parse(Presented((*chain, make.der(authority.root))))
        assert len(seen.judged) == 3


def test_one_of_each_chain_is_kept_with_what_came_once() -> None:
    one = Presented((b"a",), staple_asked=True)
    two = Presented((b"a",), staple_asked=True, stapled=b"s", scts=b"")
    other = Presented((b"a",), with_sni=False)
    assert merged([one, two, one, other]) == (two, other)
    assert parse(two).stapling is State.ACCEPTED
    assert parse(one).stapling is State.REFUSED
    assert parse(other).stapling is State.UNKNOWN


class TestExchanges:
    """A real TLS 1.2 flight, asked for with and without what may come along."""

    def exchange(self, server: Server, *, more: bool, name: bytes = b"localhost") -> Exchange:
        extensions = [
            (Extension.SUPPORTED_GROUPS, code_points([29, 23])),
            (Extension.SIGNATURE_ALGORITHMS, code_points([0x0403, 0x0804, 0x0401])),
        ]
        if name:
            extensions.append((Extension.SERVER_NAME, server_name(name.decode())))
        if more:
            extensions.append((Extension.STATUS_REQUEST, b"\x01\0\0\0\0"))
            extensions.append((Extension.SIGNED_CERTIFICATE_TIMESTAMP, b""))
        hello = ClientHello(0x0303, bytes(32), (0xC02B, 0xC02F), extensions=tuple(extensions))
        reader, received = FlightReader(), b""
        with socket.create_connection((server.host, server.port), 5) as peer:
            peer.sendall(hello.records())
            while not reader.complete and (data := peer.recv(65536)):
                received += data
                reader.feed(data)
        return Exchange(AT, 0.1, hello.records(), received, End.ENOUGH)

    def test_what_came_along(self, s_server: Start, identity: Identity, tmp_path: Path) -> None:
        staple = tmp_path / "staple"
        staple.write_bytes(bytes.fromhex("30030a0106"))
        server = s_server("-tls1_2", "-status_file", str(staple), certificates=[identity.ec])
        plain = self.exchange(server, more=False)
        chain = make.ders(identity.ec)
        assert presented([plain]) == (Presented(chain),)
        both = presented([plain, self.exchange(server, more=True)])
        assert both == (Presented(chain, True, True, staple.read_bytes(), scts=b""),)
        unnamed = self.exchange(server, more=False, name=b"")
        assert presented([plain, unnamed])[1] == Presented(chain, with_sni=False)

    def test_no_certificate_no_chain(self, s_server: Start) -> None:
        refused = self.exchange(s_server("-tls1_3"), more=True)
        assert presented([refused]) == ()


def test_the_key_types_that_the_server_is_known_to_have() -> None:
    seen = TlsObservation(
        at=AT,
        versions={},
        schemes={
            Version.TLS_1_3: ("ecdsa_secp256r1_sha256",),
            Version.TLS_1_2: ("rsa_pkcs1_sha256",),
        },
        certificate_types=("DSS",),
    )
    assert key_types(seen) == {"ECDSA", "DSS"}


def test_timestamps_in_the_handshake() -> None:
    sct = b"\0" + b"\x07" * 32 + b"rest"
    one = len(sct).to_bytes(2) + sct
    assert sct_logs(len(one * 2).to_bytes(2) + one * 2) == ("07" * 32,)
    assert sct_logs(b"") == ()
    assert sct_logs(b"\xff" * 100) == ("ff" * 32,)


class TestHostile:
    def test_too_large(self) -> None:
        seen = certificate(b"\x30" * (MOST_BYTES + 1))
        assert (seen.unread, seen.der) == (("certificate",), "")

    @settings(max_examples=200, deadline=None)
    @given(data=st.binary(max_size=200))
    def test_nonsense(self, data: bytes) -> None:
        assert certificate(data).unread == ("certificate",)
        assert parse(Presented((data, data))).needless

    @settings(max_examples=600, deadline=None)
    @given(st.data())
    def test_a_certificate_with_bytes_changed(
        self, identity: Identity, data: st.DataObject
    ) -> None:
        der = bytearray(make.der(data.draw(st.sampled_from(identity.both)).x509))
        for _ in range(data.draw(st.integers(1, 4))):
            der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
        seen = parse(Presented((bytes(der), make.der(identity.authority.root))))
        assert seen.leaf.sha256

    def test_a_circle_of_names_ends(self) -> None:
        one = dataclasses.replace(make.LEAF, subject="CN=a", issuer="CN=b")
        other = dataclasses.replace(make.LEAF, subject="CN=b", issuer="CN=a")
        assert len(issued([one, other, one, other])) == 4


class TestStaples:
    def staple(self, authority: Authority, response: bytes, leaf: x509.Certificate) -> Staple:
        return revocation.staple(response, make.der(leaf), make.der(authority.root), AT)

    def test_good_and_revoked(self, authority: Authority) -> None:
        leaf = authority.issue().x509
        good = self.staple(authority, make.ocsp_response(authority, leaf), leaf)
        assert (good.standing, good.next_update) == (Standing.GOOD, AT + 6 * make.DAY)
        bad = self.staple(authority, make.ocsp_response(authority, leaf, revoked=True), leaf)
        assert (bad.standing, bad.detail) == (Standing.REVOKED, "keyCompromise")

    def test_of_an_appointed_responder(self, authority: Authority) -> None:
        leaf = authority.issue().x509
        response = make.ocsp_response(authority, leaf, by=make.responder(authority))
        assert self.staple(authority, response, leaf).standing is Standing.GOOD

    def test_only_an_appointed_responder_counts(self, authority: Authority) -> None:
        leaf = authority.issue().x509
        for by in (authority.issue(), Authority(authority.folder / "other", "Other")):
            response = make.ocsp_response(authority, leaf, by=by)
            seen = self.staple(authority, response, leaf)
            assert (seen.standing, seen.detail) == (
                Standing.UNKNOWN,
                "the signature is not the issuer's or its responder's",
            )

    def test_about_another(self, authority: Authority) -> None:
        response = make.ocsp_response(authority, authority.issue().x509)
        seen = self.staple(authority, response, authority.issue().x509)
        assert (seen.standing, seen.detail) == (
            Standing.UNKNOWN,
            "the response is about another certificate",
        )

    def test_no_answer(self, authority: Authority) -> None:
        leaf = authority.issue().x509
        seen = self.staple(authority, bytes.fromhex("30030a0106"), leaf)
        assert seen.detail == "the responder says unauthorized"
        assert self.staple(authority, b"nonsense", leaf).detail == "unreadable"

    def test_an_old_good_word_counts_for_nothing(self, authority: Authority) -> None:
        leaf = authority.issue().x509
        seen = self.staple(authority, make.ocsp_response(authority, leaf), leaf)
        der = make.der(leaf)
        assert revocation.answered(der, seen, AT, "ocsp").standing is Standing.GOOD
        for days in (30, -30):
            late = revocation.answered(der, seen, AT + timedelta(days=days), "ocsp")
            assert late.standing is Standing.UNKNOWN

    def test_a_response_without_an_end_does_not_count_for_ever(self) -> None:
        seen = Staple(Standing.GOOD, AT - 9 * make.DAY)
        assert revocation.answered(b"", seen, AT, "ocsp").standing is Standing.GOOD
        late = revocation.answered(b"", seen, AT + 2 * make.DAY, "ocsp")
        assert late.standing is Standing.UNKNOWN

    def test_an_old_revocation_still_counts(self, authority: Authority) -> None:
        leaf = authority.issue().x509
        response = make.ocsp_response(authority, leaf, revoked=True)
        seen = self.staple(authority, response, leaf)
        late = revocation.answered(make.der(leaf), seen, AT + timedelta(days=30), "ocsp")
        assert late.standing is Standing.REVOKED

    @settings(max_examples=300, deadline=None)
    @given(st.data())
    def test_no_changed_byte_makes_a_revoked_one_good(
        self, authority: Authority, revoked_root: bytes, data: st.DataObject
    ) -> None:
        leaf = authority.root
        response = bytearray(revoked_root)
        response[data.draw(st.integers(0, len(response) - 1))] ^= data.draw(st.integers(1, 255))
        seen = self.staple(authority, bytes(response), leaf)
        assert seen.standing is not Standing.GOOD


class TestLists:
    URL = "http://crl.example/1"

    def word(self, authority: Authority, data: bytes, leaf: x509.Certificate) -> tuple[str, str]:
        root = make.der(authority.root)
        found = revocation.crl(data, make.der(leaf), root, self.URL, AT)
        return found.standing, found.detail

    def test_good_and_revoked(self, authority: Authority) -> None:
        leaf, other = authority.issue().x509, authority.issue().x509
        data = make.crl(authority, leaf)
        assert self.word(authority, data, leaf) == ("revoked", "since 2026-11-19")
        assert self.word(authority, data, other) == ("good", "")

    @pytest.mark.parametrize(
        ("changes", "detail"),
        [
            ({"valid": timedelta(hours=25)}, ""),
            ({"valid": timedelta(hours=2)}, "the list is out of date"),
            ({"scope": make.distribution_point(URL)}, ""),
            ({"scope": make.distribution_point(only_contains_user_certs=True)}, ""),
            (
                {"scope": make.distribution_point("http://crl.example/2")},
                "the list is of another part",
            ),
            (
                {"scope": make.distribution_point(only_contains_ca_certs=True)},
                "the list is for other certificates",
            ),
            ({"scope": make.distribution_point(indirect_crl=True)}, "the list is an indirect one"),
            (
                {"key": rsa.generate_private_key(65537, 2048)},
                "the signature is not the issuer's",
            ),
        ],
    )
    def test_only_a_list_that_speaks_for_it(
        self, authority: Authority, changes: dict[str, object], detail: str
    ) -> None:
        leaf = authority.issue().x509
        data = make.crl(authority, **changes)  # type: ignore[arg-type]
        expected = "unknown" if detail else "good"
        assert self.word(authority, data, leaf) == (expected, detail)

    def test_another_issuer(self, authority: Authority, tmp_path: Path) -> None:
        data = make.crl(Authority(tmp_path, "Other"))
        assert self.word(authority, data, authority.issue().x509)[1] == (
            "the list is of another issuer"
        )
        assert self.word(authority, b"nonsense", authority.issue().x509)[1] == "unreadable"
