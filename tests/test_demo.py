"""The demonstration: what was planted is found, nothing else is, and nothing leaves the machine."""

from __future__ import annotations

import html.parser
import ipaddress
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tlscheck import judge, pipeline, report
from tlscheck.demo import clinic
from tlscheck.demo.sites import SITES
from tlscheck.model import Finding, Look, Reason, Verdict

# Runs the program and notes whom it talks to.
_WATCHED = """
import sys

notes = open(sys.argv.pop(1), "w", buffering=1)

def note(event, arguments):
    if event in ("socket.connect", "socket.sendto"):
        notes.write(f"{arguments[1][0]}\\n")
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        notes.write(f"{arguments[0]}\\n")

sys.addaudithook(note)

from tlscheck.__main__ import main

main()
"""


pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Run:
    """One demonstration by the command line."""

    code: int
    said: str
    troubles: str
    folder: Path
    peers: frozenset[str]
    report: report.Report

    def look(self, name: str) -> Look:
        """What was seen of the site *name*."""
        return next(
            look
            for look in self.report.scan.looks
            if look.target.target and look.target.target.host == f"{name}.clinic.example"
        )

    def findings(self, name: str) -> Mapping[str, Finding]:
        """The findings on the site *name* by the run's own profile."""
        target = self.look(name).target.id
        return {f.rule: f for f in self.report.own() if f.target == target}

    def with_verdict(self, name: str, verdict: Verdict) -> set[str]:
        """The rules that have *verdict* there."""
        return {rule for rule, f in self.findings(name).items() if f.verdict is verdict}


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    home = tmp_path_factory.mktemp("demo")
    folder, peers = home / "reports" / "out", home / "peers"
    command = [sys.executable, "-c", _WATCHED, str(peers), "demo", "--out", str(folder)]
    done = subprocess.run(
        [*command, "--lang", "en"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=90,
        check=False,
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONUTF8": "1"},
    )
    assert done.returncode in (0, 1, 3), done.stderr
    seen = report.decode((folder / "scan.json").read_bytes(), "scan.json")
    return Run(
        done.returncode,
        done.stdout,
        done.stderr,
        folder,
        frozenset(peers.read_text().split()),
        judge.judge(seen),
    )


def test_what_is_as_it_should_be_fails_only_where_a_demonstration_must(run: Run) -> None:
    # The root of a demonstration is in no public store.
    assert run.with_verdict("portal", Verdict.FAIL) == {"certificate.publicly-issued"}
    assert run.with_verdict("portal", Verdict.UNKNOWN) == set()
    assert run.with_verdict("portal", Verdict.NOT_APPLICABLE) == {
        "tls.encrypt-then-mac",
        "tls.session-crossing",
        "http.origin-leg",
        "http.web-firewall",
        "http.external-services",
        "certificate.transparency",
        "certificate.stapling",
        "quic.versions",
        "quic.suites",
        "quic.same-as-tcp",
    }


PLANTED = {
    "booking": {
        "tls.versions": {"accepted", "missing"},
        "tls.deprecated-versions": {"accepted"},
        "tls.suites": {"accepted"},
    },
    "records": {
        "tls.deprecated-versions": {"accepted"},
        "tls.suites": {"accepted"},
        "tls.forward-secrecy": {"static"},
        "tls.dh-parameters": {"short", "weak"},
        "certificate.trusted": {"no_path"},
        "certificate.validity": {"expired"},
    },
    "video": {
        "certificate.trusted": {"no_path"},
        "certificate.chain": {"missing"},
        "certificate.expiry": {"soon"},
    },
    "www": {
        "http.plaintext": {"serves"},
        "http.hsts": {"absent"},
        "http.cookies": {"lacking"},
        "http.headers": {"content-security-policy", "frame-protection", "x-content-type-options"},
        "http.mixed-origins": {"plain"},
        "http.version-banner": {"server"},
    },
}
"""Each fault: the rule that fails, and the problems that it must name."""


@pytest.mark.parametrize("name", PLANTED)
def test_what_was_planted_is_found(run: Run, name: str) -> None:
    findings = run.findings(name)
    for rule, codes in PLANTED[name].items():
        assert findings[rule].verdict is Verdict.FAIL, findings[rule]
        assert codes <= {e.code for e in findings[rule].evidence}, findings[rule]


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("booking", {"certificate.trusted", "certificate.chain", "http.hsts", "http.cookies"}),
        ("records", {"certificate.chain", "certificate.names", "http.hsts", "http.cookies"}),
        ("video", {"tls.versions", "tls.suites", "certificate.validity", "http.hsts"}),
        ("www", {"tls.versions", "tls.suites", "certificate.trusted", "certificate.chain"}),
        ("staff", {"tls.versions", "tls.suites", "certificate.trusted", "certificate.chain"}),
    ],
)
def test_what_is_sound_beside_a_fault_passes(run: Run, name: str, sound: set[str]) -> None:
    assert sound <= run.with_verdict(name, Verdict.PASS)


def test_a_demand_for_client_certificates_is_seen_and_leaves_no_page(run: Run) -> None:
    staff = run.look("staff").target.id
    demand = [f for f in run.report.findings if f.rule == "tls.client-certificate"]
    assert {f.target for f in demand if f.verdict is Verdict.PASS} == {staff}
    pages = {rule for rule in run.findings("staff") if rule.startswith("http.")}
    assert pages
    assert pages <= run.with_verdict("staff", Verdict.NOT_APPLICABLE)
    # What needs a finished handshake is not known, and that is what it says.
    assert "tls.client-renegotiation" in run.with_verdict("staff", Verdict.UNKNOWN)


def test_behind_the_firewall_nothing_passes_that_was_not_seen(run: Run) -> None:
    assert Reason.BANNED in {missed.reason for missed in run.look("gateway").missed}
    seen = {
        "tls.secure-renegotiation",
        "tls.extended-master-secret",
        "tls.post-quantum",
        "tls.equal-nodes",
    }
    """What one answer shows."""
    findings = run.findings("gateway")
    unseen = {r for r in findings if r.startswith(("tls.", "http."))} - seen
    assert {"tls.versions", "tls.suites", "tls.heartbleed", "http.hsts"} <= unseen
    assert unseen <= run.with_verdict("gateway", Verdict.UNKNOWN)


def test_a_failure_is_in_the_exit_code_and_nothing_on_standard_error(run: Run) -> None:
    assert run.code == 1
    assert run.troubles == ""


def test_nothing_but_loopback_is_asked(run: Run) -> None:
    assert run.peers
    assert {peer for peer in run.peers if not ipaddress.ip_address(peer).is_loopback} == set()


def test_the_reports_are_written_and_named(run: Run) -> None:
    written = {path.name for path in run.folder.iterdir()}
    assert written == {"report.html", "scan.json", "report.txt"}
    text = (run.folder / "report.txt").read_text("utf-8")
    names = [str(run.folder / name) for name in ("report.html", "scan.json", "report.txt")]
    assert run.said == text + "\n".join([*names, ""])
    for site in SITES:
        assert site.label in text


def test_the_scan_file_judged_again_is_the_same(run: Run) -> None:
    assert report.encode(run.report) == (run.folder / "scan.json").read_bytes()


def test_the_page_names_every_endpoint(run: Run) -> None:
    page = _Text()
    page.feed((run.folder / "report.html").read_text("utf-8"))
    page.close()
    for site in SITES:
        assert site.label in page.text
        assert site.host in page.text


class _Text(html.parser.HTMLParser):
    """The text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_clinic_closes_behind_itself() -> None:
    before = set(threading.enumerate())
    order = pipeline.Order((), "baseline", ())
    with clinic.opened(order, "en") as whole:
        exposed = {"meet.clinic.example", "office.clinic.example"}
        assert {a.spec.host for a in whole.targets} == {site.host for site in SITES} | exposed
        assert all(ipaddress.ip_address(a).is_loopback for a in whole.resolve.values())
        places = [
            (address, port)
            for (host, port), address in whole.resolve.items()
            if host != "office.clinic.example"  # of UDP
        ]
        assert whole.plain_port
        places.append((places[0][0], whole.plain_port))
        for place in places:
            socket.create_connection(place, 5).close()
    for place in places:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(place, 5)
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()


def test_plain_http_leads_to_https_on_the_same_name_or_shows_the_page() -> None:
    with clinic.opened(pipeline.Order((), "baseline", ()), "en") as whole:
        answers = {}
        for (host, port), address in whole.resolve.items():
            if host not in {site.host for site in SITES}:
                continue
            with socket.create_connection((address, whole.plain_port or 0), 5) as plain:
                plain.sendall(f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
                answers[host] = plain.makefile("rb").read().decode(), port
    for site in SITES:
        answer, port = answers[site.host]
        assert answer.startswith("HTTP/1.1 301 " if site.redirects else "HTTP/1.1 200 ")
        assert site.redirects == (f"\r\nLocation: https://{site.host}:{port}/\r\n" in answer)


def test_the_domains_are_looked_up_for_real(run: Run) -> None:
    def failed(domain: str) -> set[str]:
        return {
            f.rule
            for f in run.report.own()
            if f.target == domain and f.verdict in (Verdict.FAIL, Verdict.UNKNOWN)
        }

    assert failed("clinic.example") == set()
    assert {
        "registration.deletion",
        "registration.expiry",
        "dns.dangling-name-servers",
        "dns.dangling-mail",
        "dns.public-addresses",
    } <= failed("old-clinic.example")


def test_what_is_exposed_is_found(run: Run) -> None:
    def failed(look: Look) -> dict[str, set[str]]:
        return {
            f.rule: {e.code for e in f.evidence if e.kind == "problem"}
            for f in run.report.own()
            if f.target == look.target.id and f.verdict is Verdict.FAIL
        }

    addresses = {look.target.label: look for look in run.report.scan.looks
                 if {"ports", "vpn"} <= look.seen.keys()}  # fmt: skip
    assert failed(addresses["portal.clinic.example"]) == {}
    assert failed(addresses["www.clinic.example"]) == {
        "ports.undeclared": {"undeclared"},
        "ports.exposed-services": {"exposed"},
        "vpn.ssl-vpn": {"seen-fortinet"},
    }
    assert failed(addresses["office.clinic.example"]) == {
        "ike.groups": {"accepted"}, "ike.encryption": {"accepted"}, "ike.integrity": {"accepted"},
    }  # fmt: skip
    assert failed(run.look("meet")) == {"turn.open-relay": {"open"}}


def test_the_rows_about_exposure_are_answered(run: Run) -> None:
    rows = {a.item: a.answer for a in run.report.answers
            if a.checklist == "vendor-138" and a.target is None}  # fmt: skip
    assert {rows[row] for row in ("45", "49", "50", "57")} == {"not_met"}
    # The firewall that shuts us out keeps it from being told whether a WAF or a console is there.
    assert {rows[row] for row in ("53", "55")} == {"undetermined"}
    portal = run.look("portal")
    at = {(a.item, a.target): a.answer for a in run.report.answers
          if a.checklist == "vendor-138" and a.target}  # fmt: skip
    place = portal.target.target
    assert place
    # On a busy machine a port may be asked about too late, which is told and is no answer.
    assert at["53", portal.target.id] in ("document_needed", "undetermined")
    # Of the address only the clinic's own ports are asked.
    for row, target in (("53", place.address), ("55", place.address), ("55", portal.target.id)):
        assert at[row, target] == "undetermined"


def test_the_rows_about_domains_are_answered(run: Run) -> None:
    def rows(target: str | None) -> dict[str, str]:
        wanted = ("116", "2-1-xiv", "56")
        return {a.item: a.answer for a in run.report.answers
                if a.item in wanted and a.target == target}  # fmt: skip

    assert set(rows("clinic.example").values()) == {"document_needed"}
    assert set(rows("old-clinic.example").values()) == {"not_met"}
    assert set(rows(None).values()) == {"not_met"}
    page = (run.folder / "report.html").read_text("utf-8")
    assert "ns2.clinic.example" in page
    assert "Demo Registrar" in page
