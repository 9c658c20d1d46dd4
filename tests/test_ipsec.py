"""A real strongSwan is seen as it is set up, and left as it was: `tests.ipsec`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import ipsec
from tests.servers import program
from tlscheck.observations.ike import TIERS
from tlscheck.probes.ike import MOST_PACKETS

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@dataclass
class Place:
    """The namespace with strongSwan in it."""

    process: subprocess.Popen[str]

    def told(self, **order: Any) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps(order), file=self.process.stdin, flush=True)
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return told

    def gateway(self, connections: str, left: int = 0, **order: Any) -> dict[str, Any]:
        """What was seen of a gateway, which remembers nothing of it and never minded."""
        told = self.told(connections=connections, **order)
        begun = order.get("begun", 0)
        assert told["half_open"] == [begun, begun + left]
        assert "limit of" not in told["log"], told["log"]
        seen: dict[str, Any] = told["seen"]
        assert seen["packets"] <= MOST_PACKETS
        assert seen["throttled"] is False
        return seen


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    for name in ("charon-systemd", "swanctl", "ip", "unshare", "nsenter"):
        program(name)
    folder = tmp_path_factory.mktemp("ipsec")
    own = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin",
        "LANG": "C.UTF-8",
    }
    with subprocess.Popen(
        [program(own[0]), *own[1:], sys.executable, "-m", "tests.ipsec", str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT,
    ) as process:  # fmt: skip
        assert process.stdout
        assert json.loads(process.stdout.readline()) == {"ready": True}
        yield Place(process)
        assert process.stdin
        process.stdin.close()


def connection(name: str, version: int, *proposals: str, more: str = "") -> str:
    listed = f"proposals = {', '.join(proposals)}" if proposals else ""
    return (
        f"{name} {{\n version = {version}\n {listed}\n {more}\n local {{ auth = psk }}\n"
        " remote { auth = psk }\n}\n"
    )


def having(seen: dict[str, Any], state: str) -> dict[str, set[str]]:
    dimensions = ("groups", "encryption", "integrity", "prf")
    return {d: {n for n, s in seen[d].items() if s == state} for d in dimensions}


STRONG = ("aes256gcm16-prfsha384-ecp384", "aes256-sha256-modp2048")


def test_a_strong_gateway(place: Place) -> None:
    seen = place.gateway(connection("v2", 2, *STRONG))
    assert having(seen, "accepted") == {
        "groups": {"384-bit random ECP group", "2048-bit MODP Group"},
        "encryption": {"ENCR_AES_GCM_16-256", "ENCR_AES_CBC-256"},
        "integrity": {"AUTH_HMAC_SHA2_256_128"},
        "prf": {"PRF_HMAC_SHA2_384", "PRF_HMAC_SHA2_256"},
    }
    assert set().union(*having(seen, "unknown").values()) == set()
    assert seen["versions"] == {"IKEv1": "unknown", "IKEv2": "accepted"}
    assert seen["preferred_group"] == "384-bit random ECP group"
    assert seen["nat_traversal"] == "accepted"
    assert seen["phase1"] == []
    assert [o["mode"] for o in seen["openings"]].count("aggressive mode") == 0


def test_a_weak_gateway(place: Place) -> None:
    weak = (
        "3des-md5-modp1024",
        "des-sha1-modp768",
        "aes128-sha1-modp1536-modp1024s160-modp2048s224-modp2048s256",
    )
    seen = place.gateway(connection("v2", 2, *weak))
    assert having(seen, "accepted") == {
        "groups": {
            "768-bit MODP Group",
            "1024-bit MODP Group",
            "1536-bit MODP Group",
            "1024-bit MODP Group with 160-bit Prime Order Subgroup",
            "2048-bit MODP Group with 224-bit Prime Order Subgroup",
            "2048-bit MODP Group with 256-bit Prime Order Subgroup",
        },
        "encryption": {"ENCR_DES", "ENCR_3DES", "ENCR_AES_CBC-128"},
        "integrity": {"AUTH_HMAC_MD5_96", "AUTH_HMAC_SHA1_96"},
        "prf": {"PRF_HMAC_MD5", "PRF_HMAC_SHA1"},
    }
    rare = {name for tiers in TIERS.values() for names in tiers[2] for name in names}
    assert set().union(*having(seen, "unknown").values()) <= rare


def row45(scanned: dict[str, Any]) -> str:
    found = {(a["checklist"], a["item"], a["target"]): a["answer"] for a in scanned["answers"]}
    return str(found["vendor-138", "45", None])


@pytest.mark.parametrize(
    ("proposals", "answer", "code"),
    [(STRONG, "document_needed", 0), (("aes128-sha1-modp1024",), "not_met", 1)],
)
def test_a_gateway_as_a_target(
    place: Place, proposals: tuple[str, ...], answer: str, code: int
) -> None:
    words = [f"ike://{ipsec.HERE}", "--only", "ike"]
    scanned = place.told(connections=connection("v2", 2, *proposals), scan=words)["scanned"]
    assert [t["id"] for t in scanned["targets"]] == [ipsec.HERE]
    assert (row45(scanned), scanned["exit"]) == (answer, code), scanned["said"]


def test_a_gateway_of_ikev1_alone(place: Place) -> None:
    seen = place.gateway(
        connection("v1", 1, "3des-sha1-modp1024", "aes256-sha256-modp2048"), aggressive=True
    )
    assert seen["versions"] == {"IKEv1": "accepted", "IKEv2": "unknown"}
    assert [(p["encryption"], p["hash"], p["group"]) for p in seen["phase1"]] == [
        ("3DES-CBC", "SHA", "1024-bit MODP Group"),
        ("AES-CBC-256", "SHA2-256", "2048-bit MODP Group"),
    ]
    assert {v["name"] for v in seen["vendors"]} >= {"XAUTH", "RFC 3947 NAT-T", "IKE fragmentation"}
    assert having(seen, "accepted") == having(seen, "refused")
    assert (seen["aggressive_asked"], seen["aggressive"]) == (True, "unknown")


def test_a_gateway_as_strongswan_comes(place: Place) -> None:
    seen = place.gateway(connection("any", 0), settings="send_vendor_id = yes")
    assert seen["versions"] == {"IKEv1": "accepted", "IKEv2": "accepted"}
    assert "strongSwan" in {v["name"] for v in seen["vendors"]}
    weak = {"AUTH_HMAC_SHA1_96", "PRF_HMAC_SHA1", "ENCR_3DES"}
    accepted = set().union(*having(seen, "accepted").values())
    assert weak & accepted == weak - set().union(*having(seen, "refused").values())
    assert {"AUTH_HMAC_SHA2_256_128", "ENCR_AES_GCM_16-256", "Curve25519"} <= accepted
    assert {"768-bit MODP Group", "1024-bit MODP Group"} <= having(seen, "refused")["groups"]


def test_a_gateway_under_load_gets_its_cookie(place: Place) -> None:
    seen = place.gateway(
        connection("v2", 2, *STRONG),
        settings="cookie_threshold = 1",
        begun=1,
        **{"from": "127.0.0.2"},
    )
    assert seen["cookies"] is True
    assert having(seen, "accepted")["groups"] == {"384-bit random ECP group", "2048-bit MODP Group"}


def test_not_one_association_is_left_to_the_limit(place: Place) -> None:
    """Four are begun from our own address; with a fifth, strongSwan would fall silent."""
    seen = place.gateway(connection("v2", 2, *STRONG), settings="cookie_threshold_ip = 0", begun=4)
    assert set().union(*having(seen, "unknown").values()) == set()


def test_aggressive_mode_that_is_on(place: Place) -> None:
    """It sends its hash to anybody; a farewell it takes only after half a minute."""
    seen = place.gateway(
        connection("v1", 1, "aes128-sha1-modp1024", more="aggressive = yes"),
        settings="i_dont_care_about_security_and_use_aggressive_mode_psk = yes",
        aggressive=True,
        left=1,
    )
    assert (seen["aggressive_asked"], seen["aggressive"]) == (True, "accepted")


def test_nothing_there(place: Place) -> None:
    seen = place.told(address=ipsec.HERE)["seen"]
    assert {ending for p in seen["ports"] for e in p["endings"].values() for ending in e} == {
        "closed"
    }
    assert {sender for p in seen["ports"] for sender in p["senders"]} == {ipsec.HERE}
    assert set(seen["versions"].values()) == {"unknown"}


def test_no_way_there(place: Place) -> None:
    assert place.told(address=ipsec.BEYOND)["seen"]["missed"][0] == "unreachable"


@pytest.mark.parametrize("route", ["unreachable", "prohibit"])
def test_a_router_that_refuses_is_named(place: Place, route: str) -> None:
    seen = place.told(beyond=route)["seen"]
    for port in seen["ports"]:
        assert port["endings"] == {"IKE_SA_INIT": ["rejected"]}
    assert {sender for p in seen["ports"] for sender in p["senders"]} == {ipsec.ROUTER}


def test_a_router_that_drops_is_silence(place: Place) -> None:
    reason, detail = place.told(beyond="blackhole")["seen"]["missed"]
    assert reason == "timeout"
    assert "declared" in detail
