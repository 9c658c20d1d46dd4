"""What is shown of addresses and relays, strangers' words among it."""

from __future__ import annotations

from dataclasses import replace

from tests.make import ike_observation, turn_observation
from tests.make_chain import AT
from tlscheck.model import Look, Scope, State, Target
from tlscheck.observations.ports import Port, PortsObservation, PortState
from tlscheck.observations.turn import Allocation, Talk, Transport
from tlscheck.render.exposure import exposed

ADDRESS = Target("192.0.2.1", Scope.ADDRESS, label="clinic.example")
PORTS = PortsObservation(
    at=AT,
    address="192.0.2.1",
    asked={"tcp": "22,80,443"},
    ports=(
        Port(22, "tcp", PortState.OPEN, service="ssh", said="SSH-2.0-\x1b[31mred\u202e"),
        Port(8080, "tcp", PortState.REJECTED),
    ),
    counts={"tcp": {PortState.OPEN: 1, PortState.REJECTED: 1, PortState.DROPPED: 1}, "udp": {}},
    declared={"tcp": (443,), "udp": ()},
)


def shown(look: Look, lang: str = "en") -> dict[str, str]:
    return dict(exposed(look, lang))


def test_ports() -> None:
    lines = shown(Look(ADDRESS, {"ports": PORTS}))
    assert lines["Address"] == "192.0.2.1"
    assert lines["Open ports"].startswith("22/tcp (ssh, SSH-2.0-")
    assert lines["Open ports"].isprintable()
    assert "\u202e" not in lines["Open ports"]
    assert lines["Ports asked (TCP)"] == (
        "22,80,443: open 1, rejected by a filter 1, silently dropped 1"
    )
    assert lines["Declared ports"] == "443/tcp"
    assert shown(Look(ADDRESS, {"ports": PORTS}), "ja")["開放ポート"].startswith("22/tcp")


def test_a_gateway() -> None:
    seen = ike_observation()
    lines = shown(Look(ADDRESS, {"ike": seen}))
    accepted = {n for n, s in seen.groups.items() if s is State.ACCEPTED}
    assert set(lines["Diffie-Hellman groups accepted (IKEv2)"].split(", ")) == accepted
    assert lines["IKEv2"] == "accepted"


def test_a_relay() -> None:
    made = Allocation("udp", State.ACCEPTED, address="10.0.0.1")
    talk = Talk(Transport.UDP, State.ACCEPTED, (made,), software="<b>x\x00")
    seen = replace(turn_observation(), talks=(talk,))
    lines = shown(Look(replace(ADDRESS, scope=Scope.ENDPOINT), {"turn": seen}))
    assert "Address" not in lines
    assert lines["STUN/TURN (UDP)"].startswith(
        "STUN is answered: accepted; relay without credentials (udp): accepted; <b>x"
    )
    assert lines["STUN/TURN (UDP)"].isprintable()


def test_nothing() -> None:
    assert exposed(Look(ADDRESS, {}), "en") == ()
