"""Real VPN servers, seen from a namespace of their own: `tests.vpn_world`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from tests.servers import program
from tests.vpn_world import OCSERV, PLAIN, SECRET, SOFTETHER, SOFTETHER_HOME
from tlscheck import profile
from tlscheck.model import Problem, State
from tlscheck.observations.vpn import Port, Proof, VpnObservation

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow
SETTINGS = profile.load("baseline").settings


class World:
    """The servers, and what a look at them gives."""

    def __init__(self, process: subprocess.Popen[str], tun: bool) -> None:
        self.process, self.tun = process, tun

    def look(self, *tcp: int, udp: tuple[int, ...] = ()) -> VpnObservation:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"tcp": tcp, "udp": udp}) + "\n")
        self.process.stdin.flush()
        seen: dict[str, Any] = json.loads(self.process.stdout.readline())
        return TypeAdapter(VpnObservation).validate_python(seen)

    def ports(self, *tcp: int, udp: tuple[int, ...] = ()) -> tuple[Port, ...]:
        return self.look(*tcp, udp=udp).ports


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    for name in ("ocserv", "openvpn", "ip", "mount"):
        program(name)
    if not SOFTETHER_HOME.is_dir():
        pytest.skip("NOT TESTED: softether-vpnserver is not installed (make test says how)")
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: only root may hide the system's folders from SoftEther")
    folder = tmp_path_factory.mktemp("vpn")
    command = [program("unshare"), "-n", "-m", "-p", "-f", "--kill-child", "--mount-proc"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("NOT TESTED: the kernel refuses a mount namespace (in a chroot, for one)")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"] + ":/usr/sbin"}
    with subprocess.Popen(
        [*command, sys.executable, "-m", "tests.vpn_world", str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT,
    ) as process:  # fmt: skip
        assert process.stdout
        said = json.loads(process.stdout.readline())
        assert all(said["ready"].values()), (said, (folder / "servers.log").read_text())
        yield World(process, said["tun"])
        assert process.stdin
        process.stdin.close()


def problems(rule: str, seen: VpnObservation) -> set[str]:
    setting = SETTINGS[f"vpn.{rule}"]
    evidence = setting.rule(seen, *([setting.want] if setting.want else []))
    return {e.code for e in evidence if isinstance(e, Problem)}


def test_ocserv(world: World) -> None:
    seen = world.look(OCSERV)
    (port,) = seen.ports
    assert "ocserv.hello" in {hit.marker for hit in port.hits}
    assert {hit.product for hit in port.hits} == {"ocserv", "cisco"}
    # Two pages and the question for a client certificate, of which no hit is void.
    assert port.sent == ("certificate", "control", "root", "cisco_init")
    assert (port.void, port.unanswered) == ((), ())
    assert "seen-ocserv" in problems("ssl-vpn", seen)


@pytest.mark.parametrize("number", SOFTETHER)
def test_softether(world: World, number: int) -> None:
    seen = world.look(number)
    (port,) = seen.ports
    proofs = {hit.marker: hit.proves for hit in port.hits}
    assert proofs == {
        "softether.certificate": Proof.PRODUCT,
        "softether.field": Proof.PRODUCT,
        "softether.error": Proof.PRODUCT,
        "softether.hello": Proof.FUNCTION,
    }
    assert (port.softether, port.openvpn) == (State.ACCEPTED, State.ACCEPTED)
    # Debian's build says nothing to SSTP, which is no refusal.
    assert port.sstp is State.UNKNOWN
    assert problems("ssl-vpn", seen) == {"seen-softether"}
    assert problems("tunnels", seen) == {"openvpn"}


def test_softether_over_udp(world: World) -> None:
    ports = world.ports(SOFTETHER[0], udp=SOFTETHER)
    assert {port.openvpn for port in ports if port.transport == "udp"} == {State.ACCEPTED}


def test_openvpn(world: World) -> None:
    if not world.tun:
        pytest.skip("NOT TESTED: there is no /dev/net/tun; the responders in the process stand in")
    seen = world.look(PLAIN, udp=(PLAIN,))
    assert [port.openvpn for port in seen.ports] == [State.ACCEPTED, State.ACCEPTED]
    assert problems("tunnels", seen) == {"openvpn"}


def test_openvpn_with_tls_crypt_is_silent_and_not_known(world: World) -> None:
    if not world.tun:
        pytest.skip("NOT TESTED: there is no /dev/net/tun")
    seen = world.look(SECRET, udp=(SECRET,))
    tcp, udp = seen.ports
    assert (tcp.opened, tcp.openvpn) == (State.ACCEPTED, State.UNKNOWN)
    assert (udp.opened, udp.openvpn) == (State.UNKNOWN, State.UNKNOWN)
    assert problems("tunnels", seen) == set()
    setting = SETTINGS["vpn.tunnels"]
    assert "not-seen" in {e.code for e in setting.rule(seen)}
