"""A strongSwan of the tests' own, in a network namespace; its files and sockets in one folder.

``python -m tests.ipsec FOLDER`` reads orders (JSON, one a line): what to set up and to ask. It says
as one JSON line what the probe saw, what the gateway counted, and its log. It must stand in a
namespace of its own, which it proves first.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from tests.world import prove_own_namespace
from tlscheck.model import Missed
from tlscheck.net import Net
from tlscheck.observations.ike import IkeObservation
from tlscheck.probes import ike
from tlscheck.wire.ike import Kind, proposals, sa_init

HERE, BEYOND, ROUTER = "127.0.0.1", "203.0.113.7", "198.51.100.2"
PLUGINS = (
    "random nonce openssl aes sha1 sha2 md5 hmac kdf gmp xcbc pem pkcs1 x509 pubkey kernel-netlink"
    " socket-default vici"
)
DAEMON = """\
charon-systemd {{
  load = {plugins}
  {settings}
  plugins {{
    vici {{ socket = unix://{folder}/vici.sock }}
  }}
  filelog {{ log {{ path = {folder}/charon.log
    default = 1
    ike = 2
    flush_line = yes }} }}
  journal {{ default = -1 }}
  syslog {{ daemon {{ default = -1 }} }}
}}
swanctl {{
  load = random pem pkcs1 x509 pubkey openssl
}}
"""


class StrongSwan:
    """A running daemon with its connections loaded."""

    def __init__(self, folder: Path, connections: str, settings: str) -> None:
        self.folder = folder
        folder.mkdir()
        config = folder / "strongswan.conf"
        config.write_text(DAEMON.format(plugins=PLUGINS, settings=settings, folder=folder))
        (folder / "swanctl.conf").write_text(
            f"connections {{\n{connections}\n}}\n"
            'secrets {\n ike-all { secret = "only of the tests" }\n}\n'
        )
        self.environment = {**os.environ, "STRONGSWAN_CONF": str(config)}
        log = (folder / "daemon.log").open("wb")
        self.process = subprocess.Popen(
            ["charon-systemd"], stdout=log, stderr=log, env=self.environment
        )
        while not (folder / "vici.sock").exists():
            if self.process.poll() is not None:
                raise SystemExit((folder / "daemon.log").read_text())
            time.sleep(0.05)
        loaded = self.swanctl("--load-all", "--file", str(folder / "swanctl.conf"))
        if "0 unloaded" not in loaded:
            raise SystemExit(loaded)

    def swanctl(self, *arguments: str) -> str:
        done = subprocess.run(
            ["swanctl", *arguments, "--uri", f"unix://{self.folder}/vici.sock"],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.stdout if done.returncode == 0 else done.stdout + done.stderr

    def half_open(self) -> int:
        found = re.search(r"IKE_SAs: \d+ total, (\d+) half-open", self.swanctl("--stats"))
        assert found
        return int(found[1])

    def stop(self) -> str:
        self.process.terminate()
        self.process.wait(20)
        return (self.folder / "charon.log").read_text()


def begin(source: str, count: int) -> None:
    """Begin *count* associations from *source* that the gateway has to remember."""
    offered = proposals(
        {
            Kind.ENCRYPTION: ["ENCR_AES_CBC-256"],
            Kind.PRF: ["PRF_HMAC_SHA2_256"],
            Kind.INTEGRITY: ["AUTH_HMAC_SHA2_256_128"],
            Kind.GROUP: ["2048-bit MODP Group"],
        }
    )
    for _ in range(count):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((source, 0))
            sock.settimeout(10)
            key = b"\x02" + secrets.token_bytes(255)
            packet = sa_init(secrets.token_bytes(8), secrets.token_bytes(32), offered, 14, key)
            sock.sendto(packet, (HERE, 500))
            sock.recv(65535)


def looked(address: str, **options: Any) -> dict[str, Any]:
    seen = asyncio.run(ike.probe(Net(), address, **options))
    if isinstance(seen, Missed):
        return {"missed": [seen.reason, seen.detail]}
    written: dict[str, Any] = TypeAdapter(IkeObservation).dump_python(seen, mode="json")
    return written


def gateway(folder: Path, order: dict[str, Any]) -> dict[str, Any]:
    daemon = StrongSwan(folder, order["connections"], order.get("settings", ""))
    try:
        begin(order.get("from", HERE), order.get("begun", 0))
        before = daemon.half_open()
        scanned = scan(folder, order["scan"]) if "scan" in order else None
        seen = {} if scanned else looked(HERE, aggressive=order.get("aggressive", False))
        after = daemon.half_open()
    finally:
        log = daemon.stop()
    return {"seen": seen, "half_open": [before, after], "log": log, "scanned": scanned}


def scan(folder: Path, words: list[str]) -> dict[str, Any]:
    """What ``tlscheck scan`` keeps, and its exit code."""
    kept = folder / "scan.json"
    done = subprocess.run(
        [sys.executable, "-m", "tlscheck", "scan", *words, "--save", kept, "--lang", "en"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if not kept.exists():
        raise SystemExit(done.stderr)
    return {**json.loads(kept.read_text()), "exit": done.returncode, "said": done.stdout}


def beyond(route: str) -> dict[str, Any]:
    """Look past a router that has no way on, and says so or not."""
    router = subprocess.Popen(["unshare", "-n", "sleep", "60"])
    inside = ["nsenter", "-t", str(router.pid), "-n"]
    own = Path("/proc/self/ns/net").readlink()
    while Path(f"/proc/{router.pid}/ns/net").readlink() == own:
        time.sleep(0.02)
    try:
        for command in (
            ["ip", "link", "add", "way", "type", "veth", "peer", "name", "back"],
            ["ip", "link", "set", "back", "netns", str(router.pid)],
            ["ip", "addr", "add", "198.51.100.1/24", "dev", "way"],
            ["ip", "link", "set", "way", "up"],
            [*inside, "ip", "addr", "add", f"{ROUTER}/24", "dev", "back"],
            [*inside, "ip", "link", "set", "back", "up"],
            [*inside, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.icmp_ratelimit=0"],
            [*inside, "ip", "route", "add", route, BEYOND],
            ["ip", "route", "add", BEYOND, "via", ROUTER],
        ):
            subprocess.run(command, check=True)
        return {"seen": looked(BEYOND)}
    finally:
        router.kill()
        router.wait()
        subprocess.run(["ip", "link", "del", "way"], check=False, capture_output=True)


def main(folder: Path) -> None:
    prove_own_namespace()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    print(json.dumps({"ready": True}), flush=True)
    for number, line in enumerate(sys.stdin):
        order = json.loads(line)
        if "connections" in order:
            told = gateway(folder / str(number), order)
        elif "beyond" in order:
            told = beyond(order["beyond"])
        else:
            told = {"seen": looked(order["address"])}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
