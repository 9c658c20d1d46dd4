"""Nights of a clinic with a real Postfix, on the loopback of a namespace of its own.

``python -m tests.watch.nights FOLDER`` says as one JSON line what each night gave.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests import servers
from tests.identities import Certificate, identity
from tests.smtp import Postfix, body, postfix

PORT, RELAY = 443, 12526
CONFIG = """\
targets = [{{target = "127.0.0.1:{port}", label = "予約"}}]
language = "ja"
[history]
path = "{folder}/history.db"
[mail]
smtp = "smtp://127.0.0.1:{relay}"
from = "TLS検査 <tlscheck@example.jp>"
to = ["admin@example.jp", "second@example.jp"]
attach = ["html", "json"]
[endpoints."127.0.0.1"]
tcp = [{port}]
[exposure]
rate = 0
timeout = 1
"""


def night(folder: Path) -> dict[str, Any]:
    """One run as cron starts it."""
    program = Path(sys.executable).with_name("tlscheck")
    command = ["env", "-i", str(program), "watch", "-c", str(folder / "tlscheck.toml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


@contextlib.contextmanager
def clinic(folder: Path, certificate: Certificate) -> Iterator[None]:
    servers.free_port = lambda: PORT
    with servers.s_server(folder, [certificate], "-tls1_2", "-www"):
        yield


def mails(relay: Postfix, known: set[str], least: int) -> list[dict[str, Any]]:
    """What is new: subject, recipients, parts and text of each message, one copy of each."""
    found = {}
    for message in relay.messages(least + len(known)):
        place = f"{message['Message-ID']} {message['Delivered-To']}"
        if place not in known:
            known.add(place)
            found[message["Message-ID"]] = message
    return [
        {
            "id": id,
            "subject": message["Subject"],
            "from": message["From"],
            "to": message["To"],
            "parts": [(p.get_content_type(), p.get_filename()) for p in message.walk()],
            "text": body(message),
        }
        for id, message in found.items()
    ]


def main(folder: Path) -> None:
    assert Path("/proc/net/dev").read_text().count("\n") == 3, "not in a namespace of our own"
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    who = identity(folder / "who", "127.0.0.1", "localhost")
    other = who.authority.issue("127.0.0.1", "localhost", kind="p256")
    text = CONFIG.format(folder=folder, port=PORT, relay=RELAY)
    (folder / "tlscheck.toml").write_text(text, encoding="utf-8")
    told: dict[str, Any] = {}
    known: set[str] = set()
    with tempfile.TemporaryDirectory() as name:
        open_folder = Path(name)
        open_folder.chmod(0o755)
        with postfix(open_folder, who.rsa, RELAY) as relay:
            with clinic(folder, who.rsa):
                for step in ("first", "unchanged"):
                    told[step] = night(folder)
                    told[step]["mails"] = mails(relay, known, 2 if step == "first" else 0)
            with clinic(folder, other):
                told["certificate"] = night(folder) | {"mails": mails(relay, known, 2)}
                with servers.nginx(folder, [who.rsa], "listen 127.0.0.1:8080;"):
                    told["port"] = night(folder) | {"mails": mails(relay, known, 2)}
        with clinic(folder, who.rsa):
            told["down"] = night(folder)
            with postfix(open_folder, who.rsa, RELAY) as relay:
                known = set()
                told["up"] = night(folder) | {"mails": mails(relay, known, 2)}
                told["quiet"] = night(folder) | {"mails": mails(relay, known, 0)}
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
