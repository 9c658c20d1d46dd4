"""What is wrong with the ports of an address: one thing changed in one that is as it should be."""

from __future__ import annotations

import pytest

from tests.make import ports_observation as seen
from tlscheck import profile
from tlscheck.model import Open, Problem
from tlscheck.observations.ports import Port, PortsObservation, PortState
from tlscheck.rules import RULES
from tlscheck.rules.core import NotApplicable

OPEN, CLOSED, DROPPED, REJECTED, UNKNOWN = (
    PortState.OPEN,
    PortState.CLOSED,
    PortState.DROPPED,
    PortState.REJECTED,
    PortState.UNKNOWN,
)
SETTINGS = profile.load("baseline").settings
MINE = [id.partition(".")[2] for id in RULES if id.startswith("ports.")]


def judged(look: PortsObservation) -> dict[str, set[str]]:
    found = {}
    for id in MINE:
        setting = SETTINGS[f"ports.{id}"]
        try:
            evidence = list(setting.rule(look, *([setting.want] if setting.want else [])))
        except NotApplicable as aside:
            found[id] = {f"-{aside.evidence.code}"}
            continue
        codes = {
            e.code + "?" * isinstance(e, Open) for e in evidence if isinstance(e, Problem | Open)
        }
        if codes:
            found[id] = codes
    return found


REDIS = Port(6379, "tcp", OPEN, "redis", "data", "redis")
SSH = Port(22, "tcp", OPEN, "ssh", "remote-login", "ssh")
UDP = Port(161, "udp", OPEN, "snmp", "network", "snmp")


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (seen(), {}),
        (seen(REDIS), {"undeclared": {"undeclared"}, "exposed-services": {"exposed"}}),
        (seen(REDIS, declared={"tcp": (443, 6379)}), {"exposed-services": {"exposed"}}),
        (seen(SSH), {"undeclared": {"undeclared"}, "management": {"management"}}),
        (seen(SSH, declared={"tcp": (22, 443)}), {}),
        (seen(UDP), {"undeclared": {"undeclared"}, "management": {"management"}}),
        (seen(UDP, declared={"tcp": (161, 443)}),
         {"undeclared": {"undeclared"}, "management": {"management"}}),
        # What answers counts, not where it listens.
        (seen(Port(9999, "tcp", OPEN, "", "", "redis"), declared={"tcp": (443, 9999)}),
         {"exposed-services": {"exposed"}}),
        (seen(declared=None), {"undeclared": {"-nothing-declared"}}),
        (seen(declared=None, shut_out=True), {rule: {"shut-out?"} for rule in MINE}),
        (seen(shut_out=True), {rule: {"shut-out?"} for rule in MINE}),
        (seen(counts={"tcp": {OPEN: 1, DROPPED: 9, UNKNOWN: 1}}),
         {rule: {"unknown?"} for rule in MINE}),
        (seen(counts={}), {rule: {"unknown?"} for rule in MINE if rule != "filtered"}
         | {"filtered": {"none?", "unknown?"}}),
        # Anybody can say that he is a delivery network; what answers says more.
        (seen(shared="Cloudflare"), {rule: {"shared?"} for rule in MINE}),
        (seen(REDIS, shared="Cloudflare"), {rule: {"shared?"} for rule in MINE}
         | {"undeclared": {"undeclared", "shared?"}, "exposed-services": {"exposed", "shared?"}}),
        (seen(Port(2083, "tcp", OPEN, "cpanel", "consoles", "tls"), shared="Cloudflare"),
         {rule: {"shared?"} for rule in MINE}
         | {"undeclared": {"of-network?", "shared?"}, "management": {"of-network?", "shared?"}}),
        (seen(narrowed=True), {rule: {"narrowed?"} for rule in MINE}),
        (seen(counts={"tcp": {OPEN: 1, CLOSED: 190}}), {"filtered": {"no-filter?"}}),
        (seen(counts={"tcp": {OPEN: 1, CLOSED: 1, REJECTED: 190}}), {"filtered": {"rejected?"}}),
        (seen(counts={"tcp": {OPEN: 1, DROPPED: 185, REJECTED: 4}}, refusing_seldom=True),
         {"filtered": {"seldom?"}}),
        # Nobody knows what answers at a declared port: it may be a database.
        (seen(Port(9999, "tcp", OPEN), declared={"tcp": (443, 9999)}),
         {"exposed-services": {"unrecognised?"}}),
        (seen(Port(9999, "tcp", OPEN)), {
            "undeclared": {"undeclared"}, "exposed-services": {"unrecognised?"},
            "management": {"unrecognised?"},
        }),
        (seen(Port(6379, "tcp", OPEN, "redis", "data", "tls"), answering_for_all=True),
         {rule: {"answering-for-all?"} for rule in MINE}),
        (seen(REDIS, answering_for_all=True), {rule: {"answering-for-all?"} for rule in MINE}
         | {"undeclared": {"undeclared", "answering-for-all?"},
            "exposed-services": {"exposed", "answering-for-all?"}}),
        (seen(Port(25, "tcp", OPEN, "smtp", "mail"), answering_for_all=True),
         {rule: {"answering-for-all?"} for rule in MINE}),
    ],
)  # fmt: skip
def test_one_thing_changed(look: PortsObservation, expected: dict[str, set[str]]) -> None:
    assert judged(look) == expected


def test_what_answers_questions_of_its_own_is_open() -> None:
    look = seen(counts={"tcp": {OPEN: 1, DROPPED: 9}}).with_open(
        {(1194, "udp"): "openvpn", (443, "tcp"): "tls"}
    )
    assert [(p.number, p.service) for p in look.open("udp")] == [(1194, "openvpn")]
    assert judged(look) == {"undeclared": {"undeclared"}}
