"""Real VPN servers in a network namespace: ocserv, OpenVPN with and without a key, SoftEther.

``python -m tests.vpn_world FOLDER`` starts them and then looks at the ports of each line that it
reads (JSON), and says as one JSON line what it saw. It must stand in network and mount namespaces
of its own, of which it proves the one and hides the system's folders in the other.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from tests import identities
from tests.identities import Identity
from tests.world import prove_own_namespace
from tlscheck.model import Missed, Place
from tlscheck.net import Net
from tlscheck.observations.vpn import Declared, VpnObservation
from tlscheck.probes import vpn

OCSERV, PLAIN, SECRET = 7443, 2194, 2195
SOFTETHER = (443, 992, 1194, 5555)
TUN = Path("/dev/net/tun")
SOFTETHER_HOME = Path("/usr/libexec/softether/vpnserver")
LOOPBACK = "127.0.0.1"


def ocserv(identity: Identity) -> list[str]:
    home = Path("/run/ocserv")  # it works as nobody, who may not enter the test's own folders
    home.mkdir()
    (home / "passwd").write_text("nobody:*:*\n")
    (home / "conf").write_text(
        f'auth = "plain[passwd={home}/passwd]"\ntcp-port = {OCSERV}\nudp-port = {OCSERV}\n'
        f"listen-host = {LOOPBACK}\nrun-as-user = nobody\nrun-as-group = nogroup\n"
        f"socket-file = {home}/socket\nserver-cert = {identity.rsa.cert}\n"
        f"server-key = {identity.rsa.key}\nisolate-workers = false\nmax-clients = 16\n"
        f"device = vpns\nipv4-network = 192.168.77.0/24\nuse-occtl = false\npid-file = {home}/pid\n"
    )
    return ["ocserv", "-f", "-c", str(home / "conf")]


def openvpn(folder: Path, identity: Identity) -> list[list[str]]:
    """Over UDP and TCP, open to all and with tls-crypt."""
    key = folder / "tls-crypt.key"
    subprocess.run(["openvpn", "--genkey", "secret", str(key)], check=True, capture_output=True)
    return [
        [
            "openvpn", "--dev", "tun", "--topology", "subnet",
            "--server", f"10.9.{number}.0", "255.255.255.0", "--local", LOOPBACK,
            "--ca", str(identity.ca), "--cert", str(identity.rsa.cert),
            "--key", str(identity.rsa.key), "--dh", "none",
            "--port", str(port), "--proto", protocol, *more,
        ]
        for number, (port, protocol, more) in enumerate(
            (port, protocol, more)
            for port, more in ((PLAIN, []), (SECRET, ["--tls-crypt", str(key)]))
            for protocol in ("udp", "tcp-server")
        )
    ]  # fmt: skip


def softether(folder: Path) -> list[str]:
    home = folder / "softether"
    shutil.copytree(SOFTETHER_HOME, home, symlinks=False)
    return [str(home / "vpnserver"), "execsvc"]


def hide_the_system() -> None:
    """Put empty folders where servers keep their state; only in our own mount namespace."""
    for place in ("/run", "/var/lib", "/var/log"):
        subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
        (Path(place) / "softether").mkdir()


def wait(port: int, until: float) -> bool:
    while time.monotonic() < until:
        try:
            socket.create_connection((LOOPBACK, port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return True
    return False


def look(tcp: list[int], udp: list[int]) -> dict[str, Any]:
    place = Place("localhost", 443, "https", LOOPBACK, "localhost")
    seen = asyncio.run(vpn.probe(Net(), place, tcp, udp=udp, declared=Declared()))
    kind: Any = Missed if isinstance(seen, Missed) else VpnObservation
    found: dict[str, Any] = TypeAdapter(kind).dump_python(seen, mode="json")
    return found


def main(folder: Path) -> None:
    prove_own_namespace()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    hide_the_system()
    identity = identities.identity(folder / "identity")
    commands = [ocserv(identity), softether(folder)]
    ports = [OCSERV, *SOFTETHER]
    if TUN.exists():
        commands += openvpn(folder, identity)
        ports += [PLAIN, SECRET]
    log = (folder / "servers.log").open("ab")
    environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"}
    running = [
        subprocess.Popen(c, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        for c in commands
    ]
    until = time.monotonic() + 40
    ready = {port: wait(port, until) for port in ports}
    print(json.dumps({"ready": ready, "tun": TUN.exists()}), flush=True)
    try:
        for line in sys.stdin:
            print(json.dumps(look(**json.loads(line))), flush=True)
    finally:
        for process in running:
            process.kill()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
