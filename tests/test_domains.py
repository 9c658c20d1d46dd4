"""Domains in a world of their own, BIND, NSD and unbound under a private root: `tests.world`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import world
from tests.inside import Inside
from tests.inside import inside as within
from tests.servers import program

pytestmark = pytest.mark.slow


class World(Inside):
    """What commands gave inside of it."""

    def __init__(self, it: Inside) -> None:
        super().__init__(it.folder, it.process)
        self.scans: dict[str, dict[str, Any]] = {}

    def scan(self, name: str, *options: str) -> dict[str, Any]:
        """The scan file of *name*."""
        key = " ".join((name, *options))
        if key not in self.scans:
            file = f"{len(self.scans)}.json"
            done = self.run(
                sys.executable, "-m", "tlscheck", "scan", "--only", "registration,dns", "-c",
                "tlscheck.toml", "--save", file, "-f", "csv", "-o", "out.csv", *options, name,
            )  # fmt: skip
            assert done["code"] in (0, 1, 3), done["err"]
            self.scans[key] = json.loads((self.folder / file).read_text()) | {"exit": done["code"]}
        return self.scans[key]

    def found(self, name: str, *options: str) -> dict[str, set[str]]:
        """The problems of *name* by rule, what is open with a question mark, advice left out."""
        scan = self.scan(name, *options)
        return {
            finding["rule"]: {
                e["code"] + "?" * (e["kind"] == "open")
                for e in finding["evidence"]
                if e["kind"] != "note"
            }
            for finding in scan["findings"]
            if finding["verdict"] in ("fail", "unknown")
            and finding["severity"] != "info"
            and scan["profile"] in finding["profiles"]
        }

    def zone(self, name: str) -> dict[str, Any]:
        targets = self.scan(name)["targets"]
        zone: dict[str, Any] = targets[0]["seen"]["dns"]["zones"][0]
        return zone


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    for name in ("named", "nsd", "unbound", "ip", "dnssec-signzone"):
        program(name)
    with within("tests.world", tmp_path_factory.mktemp("world")) as it:
        yield World(it)


CLEAN = (
    "www.old.dname.jp",
    "good.jp",
    "www.good.jp",
    "unsigned.jp",
    "hosted.jp",
    "www.clinic.co.jp",
)


@pytest.mark.parametrize("name", CLEAN)
def test_a_good_domain_is_clean(inside: World, name: str) -> None:
    assert inside.found(name) == {}
    assert inside.scan(name)["exit"] == 0


UNHEARD = {
    f"dns.{rule}": {"unheard?"}
    for rule in ("same-serial", "tcp", "edns", "recursion", "zone-transfer", "dnssec")
}
"""What stays open where one server says nothing."""
BROKEN: dict[str, dict[str, set[str]]] = {
    "lame.jp": {"dns.name-servers-answer": {"lame"}},
    "dead.jp": {"dns.name-servers-answer": {"dead"}} | UNHEARD,
    "away.jp": {"dns.name-servers-answer": {"dead"}} | UNHEARD,
    "expired.jp": {"dns.dnssec": {"expired"}, "dns.signature-lifetime": {"soon"}},
    "wrongds.jp": {"dns.dnssec": {"ds-mismatch"}},
    "sha1.jp": {"dns.signature-algorithms": {"algorithm"}},
    "nsec3.jp": {"dns.nsec3": {"iterations", "salt"}, "dns.spread": {"few", "same-address"}},
    "single.jp": {"dns.spread": {"few"}},
    "open.jp": {"dns.zone-transfer": {"open"}},
    "recursive.jp": {"dns.recursion": {"recursive"}},
    "www.alias.jp": {"dns.dangling-aliases": {"claimable"}},
    "www.lost.jp": {"dns.dangling-aliases": {"unregistered"}},
    "nsgone.jp": {
        "dns.name-servers-answer": {"no-address"},
        "dns.spread": {"few"},
        "dns.dangling-name-servers": {"unregistered"},
    },
    "mxgone.jp": {"dns.dangling-mail": {"unregistered"}},
    "www.inside.jp": {"dns.public-addresses": {"private"}},
    "glue.jp": {"dns.delegation": {"glue"}},
    "differs.jp": {
        "dns.delegation": {"only-at-parent", "only-at-child"},
        "dns.name-servers-answer": {"lame"},
        "dns.spread": {"few", "same-address"},
    },
    "www.inside6.jp": {"dns.public-addresses": {"private"}},
    "anyone.jp": {"dns.spf": {"everybody"}},
    "www.aged.jp": {"dns.dnssec": {"expired"}, "dns.signature-lifetime": {"soon"}},
    "older.jp": {"dns.same-serial": {"serial"}},
    "dying.jp": {"registration.deletion": {"deletion"}},
    "nothing.jp": {
        "registration.registered": {"unregistered"},
        "dns.delegation": {"nonexistent"},
        "dns.dangling-aliases": {"no-address"},
    },
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_is_found_and_nothing_else(inside: World, name: str) -> None:
    assert inside.found(name) == BROKEN[name]
    assert inside.scan(name)["exit"] == 1


def test_what_a_record_takes_in_and_nobody_tells_stays_open(inside: World) -> None:
    assert inside.found("senders.jp") == {
        "dns.spf": {"taken-in-unseen?"},
        "dns.dangling-mail": {"taken-in-unseen?", "unseen?"},
    }
    assert inside.scan("senders.jp")["exit"] == 3


@pytest.mark.parametrize("name", ["wild.jp", "wild6.jp"])
def test_advice_is_given_too(inside: World, name: str) -> None:
    scan = inside.scan(name)
    assert [f["rule"] for f in scan["findings"] if f["verdict"] == "fail"] == ["dns.wildcard"]
    assert scan["exit"] == 0


@pytest.mark.parametrize(("name", "standing"), [("signed", "secure"), ("plain", "insecure")])
def test_a_zone_between_that_the_servers_above_hold_too(
    inside: World, name: str, standing: str
) -> None:
    zone = inside.zone(f"{name}.co.uk")
    assert (zone["parent"], zone["security"]["standing"]) == ("co.uk", standing)
    assert not {rule for rule in inside.found(f"{name}.co.uk") if rule.startswith("dns.")}


_UNBOUND = """
import sys, dns.flags, dns.message, dns.query, dns.rcode
for name in sys.argv[1:]:
    q = dns.message.make_query(name, "SOA", want_dnssec=True)
    a = dns.query.udp(q, "127.0.0.1", port=5353, timeout=10)
    print(name, dns.rcode.to_text(a.rcode()), bool(a.flags & dns.flags.AD))
"""
SAME = {
    "NOERROR True": "secure",
    "NOERROR False": "insecure",
    "SERVFAIL False": "bogus",
}


def test_the_chain_of_trust_is_what_unbound_makes_of_it(inside: World) -> None:
    names = [
        "good.jp",
        "unsigned.jp",
        "expired.jp",
        "wrongds.jp",
        "oddds.jp",
        "dname.jp",
        "clinic.co.jp",
        "hosting.net",
    ]
    done = inside.run(sys.executable, "-c", _UNBOUND, *names)
    assert done["code"] == 0, done["err"]
    lines = (line.partition(" ") for line in done["out"].splitlines())
    theirs = {name: SAME[said] for name, _, said in lines}
    assert {name: inside.zone(name)["security"]["standing"] for name in names} == theirs
    assert set(theirs.values()) == {"secure", "insecure", "bogus"}


def test_without_the_root_s_key_nothing_is_secure(inside: World) -> None:
    text = (inside.folder / "tlscheck.toml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("trust_anchors")]
    (inside.folder / "keyless.toml").write_text("\n".join(lines))
    found = inside.found("good.jp", "-c", "keyless.toml")
    assert found["dns.dnssec"] == {"unseen?"}
    assert inside.scan("good.jp", "-c", "keyless.toml")["exit"] == 3


def test_rows_of_the_sheet(inside: World) -> None:
    def rows(name: str) -> dict[str, str]:
        answers = inside.scan(name)["answers"]
        wanted = ("116", "2-1-xiv", "56")
        return {a["item"]: a["answer"] for a in answers if a["item"] in wanted and not a["target"]}

    good = dict.fromkeys(("2-1-xiv", "56", "116"), "document_needed")
    assert rows("good.jp") == good
    assert rows("www.inside.jp") == good | {"56": "not_met"}
    assert rows("dying.jp") == good | {"116": "not_met", "2-1-xiv": "not_met"}


def test_what_was_declared_is_compared(inside: World) -> None:
    text = (inside.folder / "tlscheck.toml").read_text()
    declared = (
        '[domain."good.jp"]\nholder = ["テスト診療所"]\nname_servers = ["ns1.good.jp"]\n'
        "in_use_since = 2013-01-01\n"
    )
    (inside.folder / "declared.toml").write_text(text + declared)
    assert inside.found("good.jp", "-c", "declared.toml") == {}
    (inside.folder / "other.toml").write_text(
        text + declared.replace("テスト診療所", "別の診療所").replace("2013", "2011")
    )
    assert inside.found("good.jp", "-c", "other.toml") == {
        "registration.unchanged": {"holder"},
        "registration.age": {"later-than-use"},
    }


def test_an_earlier_scan_is_compared(inside: World) -> None:
    before = inside.scan("good.jp")
    for target in before["targets"]:
        target["seen"]["registration"]["record"]["holder"] = ["誰か"]
    (inside.folder / "before.json").write_text(
        json.dumps({k: v for k, v in before.items() if k != "exit"})
    )
    found = inside.found("good.jp", "--baseline", "before.json")
    assert found == {"registration.unchanged": {"holder-changed"}}


def test_contacts_are_dropped_unless_they_are_to_be_kept(inside: World) -> None:
    inside.scans.clear()
    assert "taro@example.jp" not in json.dumps(inside.scan("good.jp"), ensure_ascii=False)
    kept = inside.scan("good.jp", "--keep-contacts")
    assert "taro@example.jp" in json.dumps(kept, ensure_ascii=False)


def test_a_registry_is_asked_once_a_day(inside: World) -> None:
    inside.run(sys.executable, "-m", "tlscheck", "scan", "--only", "registration", "-c",
               "tlscheck.toml", "wild.jp")  # fmt: skip
    log = inside.folder / "whois.log"
    before = log.read_text().count("wild.jp\n")
    assert before
    command = [sys.executable, "-m", "tlscheck", "scan", "--only", "registration", "-c",
               "tlscheck.toml", "wild.jp"]  # fmt: skip
    inside.run(*command)
    assert log.read_text().count("wild.jp\n") == before
    inside.run(*command, "--refresh")
    assert log.read_text().count("wild.jp\n") == before + 1


def test_judging_again_gives_the_same(inside: World) -> None:
    inside.scan("mxgone.jp", "--lang", "ja")
    file = f"{len(inside.scans) - 1}.json"
    done = inside.run(sys.executable, "-m", "tlscheck", "judge", file, "-f", "json")
    assert done["out"] == (inside.folder / file).read_text()


def test_the_world_does_not_begin_outside_of_a_namespace(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="namespace"):
        world.prove_own_namespace()
