"""Whole looks at real servers on loopback, and what limits in between may never turn good."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from OpenSSL import SSL

from tests import faults, servers
from tests.conftest import Start
from tests.faults import Faults, Proxy
from tests.identities import Identity
from tests.servers import Server, free_port
from tlscheck import config, domains, pipeline
from tlscheck import judge as judging
from tlscheck.demo import names
from tlscheck.halt import Halt
from tlscheck.model import Kind, Look, Reason, Scan, Scope, Verdict
from tlscheck.net import Net
from tlscheck.observations.certificate import CertificateObservation
from tlscheck.observations.http import HttpObservation, Management
from tlscheck.observations.tls import Demand, TlsObservation
from tlscheck.pipeline import Asked, Order
from tlscheck.probes import live
from tlscheck.report import Report, decode, encode
from tlscheck.targets import parse

Upstream = Server | Proxy
FAIL, OPEN, PASS, NONE = Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS, Verdict.NOT_APPLICABLE
STRICT = "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE+AESGCM; ssl_prefer_server_ciphers on;"


def order(*targets: Upstream | str, **changes: Any) -> Order:
    texts = [t if isinstance(t, str) else f"localhost:{t.port}" for t in targets]
    asked = tuple(Asked(parse(text)) for text in texts)
    told: dict[str, Any] = {
        "targets": asked,
        "profile": "ipa-high-3.1.1",
        "checklists": (),
        "resolve": {(a.spec.host, a.spec.port): "127.0.0.1" for a in asked if "local" in a.id},
        "plain_port": None,
        "revocation": False,
        # Domains are looked at in a world of their own, see test_domains.
        "subjects": (*pipeline.ENDPOINT_SUBJECTS, "addresses"),
    }
    return Order(**(told | changes))


def look(*targets: Upstream | str, **changes: Any) -> Scan:
    return asyncio.run(pipeline.look(order(*targets, **changes)))


def judged(*targets: Upstream | str, profile: str | None = None, **changes: Any) -> Report:
    return judging.judge(look(*targets, **changes), profile)


def verdicts(report: Report, target: str = "") -> dict[str, Verdict]:
    return {f.rule: f.verdict for f in report.own() if f.target.startswith(target)}


def only(scan: Scan) -> Look:
    (one,) = scan.looks
    return one


def tls(one: Look) -> TlsObservation:
    seen = one.seen["tls"]
    assert isinstance(seen, TlsObservation)
    return seen


def reasons(one: Look) -> dict[str, Reason]:
    return {missed.kind: missed.reason for missed in one.missed}


# -- All is well --------------------------------------------------------------------------------


def test_a_good_server(nginx: Start, identity: Identity, proxy: Callable[..., Proxy]) -> None:
    hsts = 'add_header Strict-Transport-Security "max-age=63072000; includeSubDomains" always;'
    server = nginx(f"{STRICT} server_tokens off; {hsts}", certificates=[identity.ec])
    between = proxy(server)
    scan = look(between, ca_file=identity.ca.read_bytes())
    report = judging.judge(scan)
    found = verdicts(report)
    failed = {rule for rule, verdict in found.items() if verdict is FAIL}
    assert failed == {
        "tls.post-quantum",  # nginx's OpenSSL may have it; then this is one less
        "certificate.publicly-issued",
        "http.hsts-preload",
        "http.headers",
    } - ({"tls.post-quantum"} if found["tls.post-quantum"] is PASS else set())
    unknown = {rule for rule, verdict in found.items() if verdict is OPEN}
    assert unknown <= {"http.plaintext", "tls.suite-order"}
    for rule in ("versions", "suites", "forbidden-suites", "groups", "early-ccs", "heartbleed"):
        assert found[f"tls.{rule}"] is PASS
    assert found["certificate.trusted"] is PASS
    assert found["certificate.names"] is PASS
    assert only(scan).missed == ()
    assert judging.exit_code(report) == 1
    assert only(scan).connections == between.connections <= 45
    data = encode(report)
    assert encode(judging.judge(decode(data, "x"))) == data


def test_without_the_ca_it_is_not_trusted(nginx: Start, identity: Identity) -> None:
    found = verdicts(judged(nginx(STRICT)))
    assert found["certificate.trusted"] is FAIL


def test_connections_are_counted_where_they_arrive(
    nginx: Start, proxy: Callable[..., Proxy], identity: Identity
) -> None:
    """Every connection to the port, the child's and those for HTTP too."""
    between = proxy(nginx("ssl_protocols TLSv1.2 TLSv1.3; ssl_early_data on;"))
    scan = look(between, cross_check=True)
    assert only(scan).connections == between.connections


def test_one_subject_alone(nginx: Start, proxy: Callable[..., Proxy]) -> None:
    between = proxy(nginx(STRICT))
    for subject, most in (("http", 5), ("certificate", 64)):
        before = between.connections
        one = only(look(between, subjects=(subject,)))
        assert set(one.seen) == {subject}
        assert one.missed == ()
        assert one.connections == between.connections - before <= most


# -- Client certificates ------------------------------------------------------------------------


def asks(identity: Identity, how: str) -> str:
    return f"ssl_client_certificate {identity.ca}; ssl_verify_client {how};"


def demand(server: Upstream, expected: Demand, verdict: Verdict, **changes: Any) -> Look:
    scan = look(server, **changes)
    report = judging.judge(scan, "mhlw-7.0")
    assert tls(only(scan)).client_certificate.demand is expected
    assert verdicts(report)["tls.client-certificate"] is verdict
    return only(scan)


VERSIONS = ["TLSv1.2", "TLSv1.3", "TLSv1.2 TLSv1.3"]


@pytest.mark.parametrize("versions", VERSIONS)
def test_no_client_certificate_is_asked_for(nginx: Start, versions: str) -> None:
    demand(nginx(f"ssl_protocols {versions};"), Demand.NONE, FAIL)


@pytest.mark.parametrize("versions", VERSIONS)
def test_a_client_certificate_may_be_given(nginx: Start, identity: Identity, versions: str) -> None:
    block = f"ssl_protocols {versions}; {asks(identity, 'optional')}"
    demand(nginx(block), Demand.REQUESTED, FAIL)


@pytest.mark.parametrize("versions", VERSIONS)
def test_a_client_certificate_is_required_at_the_http_layer(
    nginx: Start, identity: Identity, versions: str
) -> None:
    block = f"ssl_protocols {versions}; {asks(identity, 'on')}"
    one = demand(nginx(block), Demand.REQUIRED_HTTP, PASS)
    seen = one.seen["http"]
    assert isinstance(seen, HttpObservation)
    assert seen.certificate_refused


@pytest.mark.parametrize(
    "versions", ["ssl-max-ver TLSv1.2", "ssl-min-ver TLSv1.3", "ssl-min-ver TLSv1.2"]
)
def test_a_client_certificate_is_required(
    haproxy: Start, identity: Identity, versions: str
) -> None:
    server = haproxy(f"{versions} ca-file {identity.ca} verify required")
    one = demand(server, Demand.REQUIRED, PASS)
    report = judging.judge(look(server))
    http = {v for rule, v in verdicts(report).items() if rule.startswith("http.")}
    assert PASS not in http
    assert FAIL not in http
    assert reasons(one).get("http") in (Reason.CLIENT_CERTIFICATE, Reason.NOT_APPLICABLE)


def test_with_a_client_certificate_the_page_is_seen(nginx: Start, identity: Identity) -> None:
    server = nginx(f"{STRICT} {asks(identity, 'on')}")
    own = live.identity(identity.rsa.cert.read_bytes(), identity.rsa.key.read_bytes())
    one = only(look(server, identity=own, identity_files=(identity.rsa.cert, identity.rsa.key)))
    seen = one.seen["http"]
    assert isinstance(seen, HttpObservation)
    assert seen.status == 200
    assert tls(one).client_certificate.demand is not Demand.NONE


@pytest.mark.slow
def test_one_version_that_asks_nobody_counts(
    pyopenssl_server: Start, identity: Identity, proxy: Callable[..., Proxy]
) -> None:
    """Two servers behind one port, of which the one for TLS 1.2 lets everybody in."""

    def strict(context: SSL.Context) -> None:
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)

    lax = pyopenssl_server(versions=(SSL.TLS1_2_VERSION, SSL.TLS1_2_VERSION))
    modern = pyopenssl_server(versions=(SSL.TLS1_3_VERSION, SSL.TLS1_3_VERSION), configure=strict)
    report = judged(proxy(modern, lax), profile="mhlw-7.0")
    assert verdicts(report)["tls.client-certificate"] is not PASS


# -- Several addresses --------------------------------------------------------------------------


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Every name resolves to *addresses*."""

    async def resolve(self: Net, host: str, port: int) -> tuple[str, ...]:
        return addresses

    monkeypatch.setattr(Net, "resolve", resolve)


def both(nginx: Start, one: str, other: str) -> int:
    """The port on which 127.0.0.1 and 127.0.0.2 answer, each in its way."""
    port = free_port()
    nginx(
        f"listen 127.0.0.1:{{port}} ssl; listen 127.0.0.1:{port} ssl; {one}",
        f"listen 127.0.0.1:{{port}} ssl; listen 127.0.0.2:{port} ssl; {other}",
    )
    return port


def test_addresses_that_differ(nginx: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    port = both(nginx, STRICT, "ssl_protocols TLSv1.1 TLSv1.2; ssl_ciphers ALL:@SECLEVEL=0;")
    resolving(monkeypatch, "127.0.0.1", "127.0.0.2")
    report = judged(f"localhost:{port}")
    assert [x.target.scope for x in report.scan.looks] == ["endpoint", "endpoint", "name"]
    (found,) = (f for f in report.own() if f.rule == "addresses.agreement")
    assert found.verdict is FAIL
    assert {e.code for e in found.evidence} >= {"versions-differ", "suites-differ"}
    one, other = (x.target.id for x in report.scan.looks[:2])
    assert verdicts(report, one)["tls.deprecated-versions"] is PASS
    assert verdicts(report, other)["tls.deprecated-versions"] is FAIL


def test_addresses_that_are_alike(nginx: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    port = both(nginx, STRICT, STRICT)
    resolving(monkeypatch, "127.0.0.1", "127.0.0.2")
    report = judged(f"localhost:{port}")
    (found,) = (f for f in report.own() if f.rule == "addresses.agreement")
    assert found.verdict is PASS
    # Both are tried for sessions of each other.
    assert {f.verdict for f in report.own() if f.rule == "tls.session-crossing"} <= {PASS, FAIL}


def test_an_address_that_is_dead(nginx: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "127.0.0.1", "127.0.0.3")
    report = judged(nginx(STRICT))
    (found,) = (f for f in report.own() if f.rule == "addresses.agreement")
    assert found.verdict is OPEN
    assert set(verdicts(report, report.scan.looks[1].target.id).values()) == {OPEN}


# -- Nobody there -------------------------------------------------------------------------------


def test_a_name_that_does_not_resolve() -> None:
    report = judged("no-such-name.invalid")
    one = only(report.scan)
    assert (one.target.scope, one.target.target) == (Scope.NAME, None)
    assert set(reasons(one).values()) == {Reason.UNRESOLVED}
    assert set(verdicts(report).values()) == {OPEN}
    assert judging.exit_code(report) == 3


def test_nobody_listens() -> None:
    report = judged(f"localhost:{free_port()}")
    assert set(reasons(only(report.scan)).values()) == {Reason.CONNECTION_REFUSED}
    assert set(verdicts(report).values()) == {OPEN}
    assert judging.exit_code(report) == 3


def test_a_server_that_hangs_costs_its_deadline_and_harms_nobody(
    nginx: Start, proxy: Callable[..., Proxy], identity: Identity
) -> None:
    good, hanging = nginx(STRICT), proxy(nginx(STRICT), hang=True)
    began = time.monotonic()
    report = judged(
        hanging, good, ca_file=identity.ca.read_bytes(), connect_seconds=1.0, target_seconds=15.0
    )
    assert time.monotonic() - began < 60
    bad, fine = report.scan.looks
    assert set(reasons(bad).values()) == {Reason.TIMEOUT}
    assert set(verdicts(report, bad.target.id).values()) == {OPEN}
    assert fine.missed == ()
    assert verdicts(report, fine.target.id)["tls.versions"] is PASS
    assert judging.exit_code(report) == 1


def speaks(banner: bytes) -> Callable[[socket.socket], None]:
    def handler(peer: socket.socket) -> None:
        peer.sendall(banner)
        peer.settimeout(5)
        while peer.recv(4096):
            pass

    return handler


@pytest.mark.parametrize(
    "banner", [b"SSH-2.0-OpenSSH_9.6\r\n", b"220 mail.example ESMTP\r\n", b"\x00" * 100]
)
def test_another_protocol(scripted: Start, banner: bytes) -> None:
    report = judged(scripted(speaks(banner)), connect_seconds=1.0)
    assert set(reasons(only(report.scan)).values()) == {Reason.NOT_TLS}
    assert set(verdicts(report).values()) == {OPEN}
    assert judging.exit_code(report) == 3


def test_plain_http_on_the_port(nginx: Start) -> None:
    report = judged(nginx("listen 127.0.0.1:{port}; return 200 ok;"))
    assert set(reasons(only(report.scan)).values()) == {Reason.NOT_TLS}
    assert judging.exit_code(report) == 3


def test_a_run_that_is_ended_early_asks_for_no_page_of_management(nginx: Start) -> None:
    halt = Halt()
    scan = asyncio.run(
        pipeline.look(
            order(nginx(STRICT), management=True),
            lambda target, about, connections: halt.close(),
            halt,
        )
    )
    page = only(scan).seen["http"]
    assert isinstance(page, HttpObservation)
    assert page.management == Management(stopped=Reason.BUDGET)


@pytest.mark.parametrize("management", [True, False])
def test_a_look_again_asks_what_the_first_one_asked(nginx: Start, management: bool) -> None:
    first = look(nginx(STRICT), management=management, subjects=("http",))
    assert pipeline.again(first).wants_management is management


def test_a_mistake_of_our_own_costs_one_target(
    nginx: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = nginx(STRICT)
    real = pipeline.endpoint._look

    async def breaking(net: Net, place: Any, *rest: Any) -> Any:
        if place.port != good.port:
            raise ZeroDivisionError
        return await real(net, place, *rest)

    monkeypatch.setattr(pipeline.endpoint, "_look", breaking)
    report = judged(f"localhost:{free_port()}", good)
    bad, fine = report.scan.looks
    assert set(reasons(bad).values()) == {Reason.BUG}
    assert set(reasons(bad)) == {"tls", "certificate", "http"}
    assert fine.missed == ()


# -- Keys of several targets --------------------------------------------------------------------


def shared(scan: Scan) -> list[tuple[str, ...] | None]:
    seen = [x.seen["certificate"] for x in scan.looks]
    return [s.key_shared_with for s in seen if isinstance(s, CertificateObservation)]


def two_names(nginx: Start, identity: Identity, *names: str) -> tuple[list[str], dict[Any, str]]:
    certificate = identity.authority.issue(*names, kind="p256")
    port = nginx(STRICT, certificates=[certificate]).port
    hosts = ("a.clinic.example", "b.clinic.example")
    return [f"{host}:{port}" for host in hosts], {(host, port): "127.0.0.1" for host in hosts}


SUBJECTS: dict[str, Any] = {"subjects": ("certificate",)}


def test_one_key_for_two_names(nginx: Start, identity: Identity) -> None:
    targets, resolve = two_names(nginx, identity, "other.example")
    assert shared(look(*targets, resolve=resolve, **SUBJECTS)) == [
        ("b.clinic.example",),
        ("a.clinic.example",),
    ]


@pytest.mark.parametrize("names", [("a.clinic.example", "b.clinic.example"), ("*.clinic.example",)])
def test_one_certificate_for_two_names(
    nginx: Start, identity: Identity, names: tuple[str, ...]
) -> None:
    targets, resolve = two_names(nginx, identity, *names)
    assert shared(look(*targets, resolve=resolve, **SUBJECTS)) == [(), ()]


def test_one_target_alone_was_compared_with_none(nginx: Start) -> None:
    """ "The key of the certificate is not used elsewhere": nothing else was looked at."""
    report = judged(nginx(STRICT), **SUBJECTS)
    assert verdicts(report)["certificate.key-reuse"] is not PASS


def test_what_was_not_seen_of_another_target_is_no_pass(nginx: Start) -> None:
    good = nginx(STRICT)
    elsewhere = f"other.clinic.example:{free_port()}"
    report = judged(
        good,
        elsewhere,
        resolve={(elsewhere.partition(":")[0], int(elsewhere.rpartition(":")[2])): "127.0.0.1"},
        **SUBJECTS,
    )
    (found,) = (
        f
        for f in report.findings
        if f.rule == "certificate.key-reuse" and f.target.startswith("https://localhost")
    )
    assert found.verdict is OPEN
    assert [e.values for e in found.evidence] == [{"targets": ("other.clinic.example",)}]


# -- Limits in between --------------------------------------------------------------------------

ALLOWED = {PASS: {PASS, OPEN}, FAIL: {FAIL, OPEN}, OPEN: {OPEN}, NONE: {NONE, OPEN}}
"""What a limit may make of a verdict."""
GOOD_BLOCK = f"{STRICT} server_tokens off;"
BAD_BLOCK = (
    "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers ALL:COMPLEMENTOFALL:@SECLEVEL=0;"
    " ssl_early_data on; ssl_session_timeout 30d;"
)


@dataclass(frozen=True)
class Truth:
    """A server, and the verdicts on it without any limit."""

    server: Server
    ca: bytes
    verdicts: dict[str, Verdict]


@pytest.fixture(scope="module", params=["good", "bad"])
def truth(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    identity: Identity,
) -> Iterator[Truth]:
    old = identity.authority.issue(
        "other.example", kind="p256", start=timedelta(days=-9), end=timedelta(hours=-1)
    )
    good = request.param == "good"
    certificates = [identity.ec] if good else [identity.rsa, old]
    folder = tmp_path_factory.mktemp("truth")
    ca = identity.ca.read_bytes()
    with servers.nginx(folder, certificates, GOOD_BLOCK if good else BAD_BLOCK) as server:
        yield Truth(server, ca, verdicts(judged(server, ca_file=ca)))


def limited(truth: Truth, **changes: Any) -> dict[str, tuple[Verdict, Verdict]]:
    """The verdicts that a limit made what it may not make of them: before, after."""
    seconds = changes.pop("target_seconds", 60.0)
    with faults.proxy(truth.server, faults=Faults(**changes)) as between:
        report = judged(between, ca_file=truth.ca, target_seconds=seconds)
        assert only(report.scan).connections == between.connections
    found = verdicts(report)
    assert set(found) == set(truth.verdicts)
    for finding in report.own():
        if finding.verdict is OPEN:
            assert any(e.kind is Kind.OPEN for e in finding.evidence)
    return {
        rule: (before, found[rule])
        for rule, before in truth.verdicts.items()
        if found[rule] not in ALLOWED[before]
    }


def test_the_truth_is_as_good_and_as_bad_as_meant(truth: Truth) -> None:
    count = list(truth.verdicts.values()).count
    assert count(OPEN) <= 2
    assert count(FAIL) < 8 or count(FAIL) > 12


LIMITS: dict[str, dict[str, Any]] = {
    **{f"ban-{n}": {"ban_after": n} for n in (1, 2, 3, 6, 12, 24)},
    "ban-6-fin": {"ban_after": 6, "ban": "fin"},
    "ban-2-silent": {"ban_after": 2, "ban": "drop"},
    "rate-3": {"rate": 3},
    "rate-3-silent": {"rate": 3, "over": "drop"},
    "loss": {"loss": 0.2, "lost": "rst"},
    "loss-silent": {"loss": 0.2, "lost": "drop"},
}


LIMITED = [("bad", name) for name in LIMITS]
LIMITED += [("good", name) for name in ("ban-6-fin", "rate-3", "loss-silent")]
"""What is good can turn no better: that it turns no worse is tried by a few."""


@pytest.mark.slow
@pytest.mark.parametrize(("truth", "limit"), LIMITED, indirect=["truth"])
def test_a_limit_turns_nothing_good(truth: Truth, limit: str) -> None:
    assert limited(truth, **LIMITS[limit], target_seconds=25.0) == {}


@pytest.mark.slow
@pytest.mark.parametrize("truth", ["bad"], indirect=True)
def test_a_filter_of_hellos_turns_nothing_good(truth: Truth) -> None:
    """Hellos that do not offer TLS 1.3 are reset on the way."""
    # Once a false pass. tls.ticket-lifetime judges the one lifetime that was seen: nginx says 30
    # days in TLS 1.2 and 7 in TLS 1.3, and only the latter got through.

    def old(first: bytes) -> bool:
        return first[:1] == b"\x16" and b"\x03\x04" not in first.partition(b"\x00\x2b")[2][:16]

    assert limited(truth, reject=old, target_seconds=25.0) == {}


@pytest.mark.slow
def test_the_target_s_seconds_are_kept(truth: Truth) -> None:
    with faults.proxy(truth.server, faults=Faults(rate=2)) as between:
        began = time.monotonic()
        look(between, target_seconds=10.0)
        # Once: the child, HTTP and the certificates begin when the budget is spent.
        assert time.monotonic() - began < 20


JSSE_SUITES = ["TLS_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"]


@pytest.mark.slow
def test_an_answer_in_tls_1_3_proves_nothing_of_tls_1_2(
    jsse: Start, proxy: Callable[..., Proxy], identity: Identity
) -> None:
    """A server whose TLS 1.2 lacks the extended master secret, banning after the first answer."""
    # Once a false pass. Where TLS 1.3 alone was answered and TLS 1.2 is unknown, `fold` takes it
    # for a server of TLS 1.3 alone: compression, secure-renegotiation, extended-master-secret,
    # early-ccs and heartbleed pass.
    server = jsse(
        ["TLSv1.2", "TLSv1.3"], JSSE_SUITES, properties={"jdk.tls.useExtendedMasterSecret": "false"}
    )
    assert verdicts(judged(server))["tls.extended-master-secret"] is FAIL
    report = judged(proxy(server, ban_after=1), target_seconds=25.0)
    seen = tls(only(report.scan))
    assert [v for v, state in seen.versions.items() if state == "accepted"] == ["TLS 1.3"]
    found = {r: v for r, v in verdicts(report).items() if r.startswith("tls.")}
    assert {r: v for r, v in found.items() if v is not OPEN} == {}


@pytest.mark.parametrize("mail", [True, False])
def test_mail_hosts_are_looked_at_on_request(mail: bool) -> None:
    zone = names._signed(
        "clinic.example",
        f"@ SOA ns1 hostmaster 1 7200 3600 1209600 300\n@ NS ns1\n@ NS ns2\nns1 A {names.ONE}\n"
        f"ns2 A {names.TWO}\n@ MX 10 mx\n@ MX 20 mx;id.other.example.\nmx A {names.WEB}\n",
    )
    world = names.made([])
    zones = {**world.zones, names.ONE: (zone,), names.TWO: (zone,)}
    with names.serving(replace(world, zones=zones)) as places:
        told = domains.Order(network=config.Network(roots=(names.ROOT,)), places=places)
        scan = look(
            "clinic.example",
            subjects=("tls", "dns"),
            mail=mail,
            domains=told,
            resolve={("clinic.example", 443): "127.0.0.1", ("mx.clinic.example", 25): "127.0.0.1"},
        )
    mine = [one.target.id for one in scan.looks if one.target.id.startswith("smtp://mx.")]
    assert mine == (["smtp://mx.clinic.example:25#127.0.0.1"] if mail else [])
