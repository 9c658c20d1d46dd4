"""Two hosts with a wire between them, each a network namespace: a scanner, and a server behind a
packet filter.

``python -m tests.hosts FOLDER`` stands in the scanner's, which must be a namespace of its own; it
runs each command line that it reads (a JSON list) and says as one JSON line how it ended.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

from tests.identities import identity

# Ports above 61000 are met by nobody who picks at random.
HERE, THERE = "203.0.113.1", "203.0.113.2"
FILTER = """\
table inet filter {
 chain input {
  type filter hook input priority 0; policy drop;
  iif lo accept
  ct state established accept
  tcp dport { 22, 80, 443, 6379 } accept
  udp dport 161 accept
  tcp dport 8080 reject with icmp type admin-prohibited
  tcp dport 3306 reject with tcp reset
  tcp dport 62700-62739 reject with icmp type admin-prohibited
  tcp dport 62800-62839 limit rate over 1/hour burst 10 packets drop
  tcp dport 62840-62879 limit rate over 2/second burst 10 packets drop
  tcp dport 62800-62879 reject with tcp reset
  udp dport 123 reject
 }
}
"""
NGINX = """\
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
 access_log off;
 server {{
  listen 80;
  listen 443 ssl;
  ssl_certificate {certificate};
  ssl_certificate_key {key};
 }}
}}
"""


def run(*command: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=True, text=True, capture_output=True, **options)  # type: ignore[call-overload, no-any-return]


def serve(folder: Path) -> list[subprocess.Popen[bytes]]:
    """Make the other host, and start what it serves."""
    assert Path("/proc/net/dev").read_text().count("\n") == 3, "not in a namespace of our own"
    other = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
    while Path(f"/proc/{other.pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink():
        time.sleep(0.01)
    inside = ["nsenter", "-t", str(other.pid), "-n"]
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "here", "type", "veth", "peer", "name", "there")
    run("ip", "link", "set", "there", "netns", str(other.pid))
    run("ip", "addr", "add", f"{HERE}/24", "dev", "here")
    run("ip", "link", "set", "here", "up")
    run(*inside, "ip", "addr", "add", f"{THERE}/24", "dev", "there")
    run(*inside, "ip", "link", "set", "there", "up")
    run(*inside, "ip", "link", "set", "lo", "up")
    run(*inside, "nft", "-f", "-", input=FILTER)
    shown = identity(folder, THERE)
    (folder / "nginx.conf").write_text(
        NGINX.format(folder=folder, certificate=shown.rsa.cert, key=shown.rsa.key)
    )
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host_key"))
    Path("/run/sshd").mkdir(exist_ok=True)
    commands = [
        ["nginx", "-c", str(folder / "nginx.conf")],
        ["redis-server", "--port", "6379", "--bind", "0.0.0.0", "--save", "",
         "--protected-mode", "no"],
        ["/usr/sbin/sshd", "-D", "-f", "/dev/null", "-h", str(folder / "host_key"),
         "-o", "PidFile=none"],
        ["snmpd", "-f", "-Lo", "-C", "-c", "/dev/null", f"udp:{THERE}:161"],
    ]  # fmt: skip
    log = (folder / "servers.log").open("wb")
    return [
        other,
        *(
            subprocess.Popen([*inside, *command], cwd=folder, stdout=log, stderr=log)
            for command in commands
        ),
    ]


def main(folder: Path) -> None:
    servers = serve(folder)
    time.sleep(1.5)
    try:
        say({"ready": [server.poll() for server in servers]})
        for line in sys.stdin:
            done = subprocess.run(
                json.loads(line), cwd=folder, text=True, capture_output=True, check=False
            )
            say({"code": done.returncode, "out": done.stdout, "err": done.stderr})
    finally:
        for server in reversed(servers):
            server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(5)
            server.kill()


def say(words: dict[str, object]) -> None:
    print(json.dumps(words), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
