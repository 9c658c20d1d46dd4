"""A private internet in a network namespace: root, TLDs, zones good and broken, registries.

``python -m tests.world FOLDER`` builds and serves it, then runs each command line that it reads (a
JSON list) and says as one JSON line how it ended. It must stand in a namespace of its own, which
it proves first: it puts public addresses on the loopback.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dns.dnssec
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec, rsa

ROOT, JP, NET = "198.41.0.4", "203.119.1.1", "192.5.6.30"
ONE, TWO, LAME = "45.76.10.11", "103.2.57.12", "45.76.11.13"
"""Hosting firms: BIND, NSD, and one that knows no zone of ours."""
RECURSIVE, OLDER = "45.76.14.16", "103.2.58.17"
"""One that looks names up for anybody, and one that has an older version of a zone."""
MUTE = "45.76.12.14"
"""Takes packets and never answers."""
WHOIS_PORT, RDAP_PORT, UNBOUND_PORT = 4343, 8080, 5353
BIND = (ROOT, JP, NET, ONE, LAME, RECURSIVE, OLDER)
WEB = "45.76.20.20"


@dataclass
class Made:
    """A zone to be made."""

    name: str
    at: str
    """The addresses that serve it, with spaces."""
    text: str
    signed: bool = True
    expired: bool = False
    wrong_ds: bool = False
    odd_ds: bool = False
    """Of a digest that nobody knows."""
    sha1: bool = False
    nsec3: bool = False
    open: bool = False
    aged: str = ""
    """The one name whose signature has expired."""
    ds: list[str] = field(default_factory=list)

    @property
    def file(self) -> str:
        return (self.name.strip(".") or "root") + ".zone"


def soa(serial: int = 1, minimum: int = 300) -> str:
    return f"@ 3600 IN SOA ns1 hostmaster {serial} 7200 3600 1209600 {minimum}\n"


TWO_SERVERS = f"@ NS ns1\n@ NS ns2\nns1 A {ONE}\nns2 A {TWO}\n"
CAREFUL = (
    '@ MX 0 .\n@ TXT "v=spf1 -all"\n_dmarc TXT "v=DMARC1; p=reject"\n'
    '@ CAA 0 issue "letsencrypt.org"\n'
)
WWW = f"@ A {WEB}\nwww A {WEB}\n"


def zones() -> list[Made]:
    own = soa() + TWO_SERVERS + CAREFUL + WWW
    both = f"{ONE} {TWO}"
    return [
        Made("good.jp", both, own),
        Made("unsigned.jp", both, own, signed=False),
        Made("expired.jp", both, own, expired=True),
        Made("wrongds.jp", both, own, wrong_ds=True),
        Made("sha1.jp", both, own, sha1=True),
        Made("nsec3.jp", ONE, own.replace(TWO, ONE), nsec3=True),
        Made("open.jp", both, own, open=True),
        Made("single.jp", ONE, soa() + f"@ NS ns1\nns1 A {ONE}\n" + CAREFUL + WWW),
        Made(
            "lame.jp",
            ONE,
            soa() + f"@ NS ns1\n@ NS ns2\nns1 A {ONE}\nns2 A {LAME}\n" + CAREFUL + WWW,
        ),
        Made(
            "dead.jp",
            ONE,
            soa() + f"@ NS ns1\n@ NS ns2\nns1 A {ONE}\nns2 A {MUTE}\n" + CAREFUL + WWW,
        ),
        Made(
            "away.jp",
            ONE,
            soa() + f"@ NS ns1\n@ NS ns2\nns1 A {ONE}\nns2 A 45.76.13.15\n" + CAREFUL + WWW,
        ),
        Made("alias.jp", both, own.replace(f"www A {WEB}", "www CNAME gone.azurewebsites.net.")),
        Made("lost.jp", both, own.replace(f"www A {WEB}", "www CNAME www.lapsed.co.jp.")),
        Made(
            "nsgone.jp",
            ONE,
            own.replace(f"@ NS ns2\nns1 A {ONE}\nns2 A {TWO}", f"@ NS ns1.lapsed.jp.\nns1 A {ONE}"),
        ),
        Made("mxgone.jp", both, own.replace("MX 0 .", "MX 10 mail.lapsed.jp.")),
        Made("inside.jp", both, own.replace(f"www A {WEB}", "www A 10.1.2.3")),
        Made("recursive.jp", f"{RECURSIVE} {TWO}", own.replace(ONE, RECURSIVE)),
        Made("older.jp", f"{ONE} {OLDER}", own.replace(TWO, OLDER), signed=False),
        Made("glue.jp", f"{ONE} {TWO} {OLDER}", own),
        Made("wild.jp", both, own + f"* A {WEB}\n"),
        Made("differs.jp", ONE, own.replace("@ NS ns2\n", "@ NS ns3\n") + f"ns3 A {ONE}\n"),
        Made("hosted.jp", both, own.replace("@ NS ns2\n", "@ NS ns.hosting.net.\n")),
        Made("dying.jp", both, own),
        Made("clinic.co.jp", both, own),
        Made("signed.co.uk", both, own),
        Made("plain.co.uk", both, own, signed=False),
        Made("hosting.net", both, soa() + TWO_SERVERS + CAREFUL + f"ns A {TWO}\n"),
        Made("silent.net", "", soa() + f"@ NS ns1\nns1 A {MUTE}\n", signed=False),
        Made("senders.jp", both, own.replace("spf1 ", "spf1 include:_spf.silent.net ")),
        Made(
            "anyone.jp",
            both,
            own.replace("spf1 -all", "spf1 redirect=_spf.anyone.jp") + '_spf TXT "v=spf1 +all"\n',
        ),
        Made("inside6.jp", both, own.replace(f"www A {WEB}", "www AAAA fd00::1")),
        Made("wild6.jp", both, own + "* AAAA 2400:cb00::1\n"),
        Made("dname.jp", both, own + "old DNAME good.jp.\n"),
        Made("oddds.jp", both, own, odd_ds=True),
        Made("aged.jp", both, own, aged="www.aged.jp."),
        Made("azurewebsites.net", both, soa() + TWO_SERVERS + "other A 20.1.2.3\n"),
    ]


DELEGATIONS = {
    "differs.jp": TWO_SERVERS,
    "glue.jp": TWO_SERVERS.replace(TWO, OLDER),
}
"""What the parent says where it is not what the zone says."""


def sign(made: Made, text: str) -> dns.zone.Zone:
    zone = dns.zone.from_text(text, made.name, relativize=False, check_origin=False)
    if not made.signed:
        return zone
    now = datetime.now(UTC)
    start, end = now - timedelta(days=2), now + timedelta(days=30)
    if made.expired:
        start, end = now - timedelta(days=40), now - timedelta(days=5)
    algorithm = dns.dnssec.Algorithm.ECDSAP256SHA256
    key: Any = ec.generate_private_key(ec.SECP256R1())
    if made.sha1:
        algorithm, key = dns.dnssec.Algorithm.RSASHA1, rsa.generate_private_key(65537, 2048)
    policy = dns.dnssec.allow_all_policy
    public = dns.dnssec.make_dnskey(key.public_key(), algorithm, flags=257)
    with zone.writer() as txn:
        dns.dnssec.sign_zone(
            zone,
            txn,
            keys=[(key, public)],
            inception=start,
            expiration=end,
            policy=policy,
        )
    if made.aged:
        name = dns.name.from_text(made.aged)
        ends = {"inception": start, "expiration": now - timedelta(days=1)}
        old = dns.dnssec.sign(zone.find_rrset(name, "A"), key, zone.origin, public, **ends)
        signatures = zone.find_rdataset(name, "RRSIG", "A")
        signatures.clear()
        signatures.add(old, 3600)
    ds = dns.dnssec.make_ds(zone.origin, public, "SHA256", policy=policy)
    text_of_ds = ds.to_text()
    if made.wrong_ds:
        text_of_ds = text_of_ds[:-4] + ("0000" if not text_of_ds.endswith("0000") else "1111")
    if made.odd_ds:
        tag, algorithm_number, _, digest = text_of_ds.split()
        text_of_ds = f"{tag} {algorithm_number} 77 {digest}"
    made.ds = [text_of_ds]
    return zone


def delegation(made: Made) -> str:
    """What the parent says of a child: its name servers, glue and DS records."""
    label = made.name
    text = DELEGATIONS.get(made.name, made.text)
    rows = []
    for line in text.splitlines():
        words = line.split()
        if words[:2] == ["@", "NS"]:
            rows.append(f"{label}. NS {_full(words[2], label)}")
        elif len(words) == 3 and words[1] == "A" and words[0] in ("ns", "ns1", "ns2", "ns3"):
            rows.append(f"{words[0]}.{label}. A {words[2]}")
    rows += [f"{label}. DS {ds}" for ds in made.ds]
    return "\n".join(rows) + "\n"


def _full(name: str, origin: str) -> str:
    return name if name.endswith(".") else f"{name}.{origin}."


def build(folder: Path) -> tuple[list[Made], str]:
    """Write all zones, children first; the root's DS record comes back."""
    children = zones()
    for made in children:
        write(folder, made, sign(made, "$TTL 3600\n" + made.text))
    tlds = [
        Made(
            "jp",
            JP,
            soa()
            + f"@ NS ns1\nns1 A {JP}\n"
            + "".join(delegation(c) for c in children if c.name.endswith(".jp")),
        ),
        Made(
            "net",
            NET,
            soa()
            + f"@ NS ns1\nns1 A {NET}\n"
            + "".join(delegation(c) for c in children if c.name.endswith(".net")),
        ),
    ]
    # One server holds both, as Nominet's do, and so never refers to the lower one.
    below, own = (
        Made("co.uk", NET, soa() + f"@ NS ns1\nns1 A {NET}\n"),
        Made("uk", NET, soa() + f"@ NS ns1\nns1 A {NET}\n"),
    )
    below.text += "".join(delegation(c) for c in children if c.name.endswith(".co.uk"))
    write(folder, below, sign(below, "$TTL 3600\n" + below.text))
    own.text += delegation(below)
    tlds += [own]
    for made in tlds:
        write(folder, made, sign(made, "$TTL 3600\n" + made.text))
    root = Made(
        ".",
        ROOT,
        "@ 3600 IN SOA a.root. nstld. 1 7200 3600 1209600 300\n@ NS a.root.\n"
        f"a.root. A {ROOT}\n" + "".join(delegation(t) for t in tlds),
    )
    write(folder, root, sign(root, "$TTL 3600\n" + root.text))
    return [*children, below, *tlds, root], root.ds[0]


def write(folder: Path, made: Made, zone: dns.zone.Zone) -> None:
    path = folder / made.file
    zone.to_file(str(path), relativize=False)
    if made.name == "older.jp":
        (folder / "older.second").write_text(path.read_text().replace(" 1 7200", " 0 7200"))
    if made.nsec3:
        resign(folder, made)


def resign(folder: Path, made: Made) -> None:
    """The same zone with NSEC3, ten iterations and a salt, by BIND's own tools."""
    origin = made.name
    keys = [
        subprocess.run(
            ["dnssec-keygen", "-q", "-K", str(folder), "-a", "ECDSAP256SHA256", *flags, origin],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for flags in (["-f", "KSK"], [])
    ]
    path = folder / made.file
    path.write_text(f"$ORIGIN {origin}.\n$TTL 3600\n" + made.text)
    subprocess.run(
        [
            "dnssec-signzone",
            "-q",
            "-S",
            "-K",
            str(folder),
            "-d",
            str(folder),
            "-3",
            "ABCD",
            "-H",
            "10",
            "-o",
            origin,
            "-f",
            str(path),
            str(path),
        ],
        check=True,
        capture_output=True,
    )
    ds = subprocess.run(
        ["dnssec-dsfromkey", "-2", str(folder / f"{keys[0]}.key")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    made.ds = [" ".join(ds.split()[3:])]


# ---- servers ---------------------------------------------------------------------------------


def addresses(all_zones: Iterable[Made]) -> list[str]:
    return sorted({a for made in all_zones for a in made.at.split()} | {LAME, MUTE, WEB})


def serve_names(folder: Path, all_zones: list[Made], anchor: str) -> list[subprocess.Popen[bytes]]:
    views = []
    for number, address in enumerate(BIND):
        second = {"older.jp": "older.second"} if address == OLDER else {}
        own = "".join(
            f'zone "{made.name}" {{ type primary;'
            f' file "{folder / second.get(made.name, made.file)}";'
            f" allow-transfer {{ {'any' if made.open else 'none'}; }}; }};\n"
            for made in all_zones
            if address in made.at.split()
        )
        views.append(
            f'view "v{number}" {{ match-destinations {{ {address}; }};\n{own}'
            + (
                "recursion yes; allow-recursion { any; }; };\n"
                if address == RECURSIVE
                else "recursion no; };\n"
            )
        )
    served = "; ".join(BIND)
    config = folder / "named.conf"
    config.write_text(
        f'options {{ directory "{folder}"; listen-on {{ {served}; }}; listen-on-v6 {{ none; }};\n'
        f' pid-file none; session-keyfile "{folder}/session.key"; dnssec-validation no;\n'
        " notify no; version none; };\ncontrols { };\n" + "".join(views)
    )
    nsd = folder / "nsd.conf"
    nsd.write_text(
        f'server:\n ip-address: {TWO}\n pidfile: ""\n zonesdir: "{folder}"\n username: ""\n'
        f' logfile: "{folder}/nsd.log"\n xfrdfile: ""\n zonelistfile: "{folder}/zone.list"\n'
        f' database: "{folder}/nsd.db"\n'
        f' xfrdir: "{folder}"\n server-count: 1\nremote-control:\n control-enable: no\n'
        + "".join(
            f'zone:\n name: "{made.name}"\n zonefile: "{folder / made.file}"\n'
            for made in all_zones
            if TWO in made.at.split()
        )
    )
    unbound = folder / "unbound.conf"
    (folder / "hints").write_text(f". 3600 NS a.root.\na.root. 3600 A {ROOT}\n")
    (folder / "anchor").write_text(f". IN DS {anchor}\n")
    unbound.write_text(
        f'server:\n interface: 127.0.0.1@{UNBOUND_PORT}\n do-ip6: no\n username: ""\n chroot: ""\n'
        f' pidfile: ""\n directory: "{folder}"\n root-hints: "{folder}/hints"\n'
        f' trust-anchor-file: "{folder}/anchor"\n module-config: "validator iterator"\n'
        " use-syslog: no\nremote-control:\n control-enable: no\n"
    )
    log = (folder / "servers.log").open("ab")
    path = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"}
    return [
        subprocess.Popen(["named", "-g", "-c", str(config)], stdout=log, stderr=log, env=path),
        subprocess.Popen(["nsd", "-d", "-c", str(nsd)], stdout=log, stderr=log, env=path),
        subprocess.Popen(["unbound", "-d", "-c", str(unbound)], stdout=log, stderr=log, env=path),
    ]


_JP = """\
[ JPRS database provides information on network administration. Its use is    ]
[ restricted to network administration purposes.                              ]
Domain Information: [ドメイン情報]
[Domain Name]                   {NAME}

[登録者名]                      テスト診療所
[Registrant]                    Test Clinic

[Name Server]                   ns1.{name}
[Signing Key]

[登録年月日]                    2012/07/05
[有効期限]                      2027/07/31
[状態]                          {status}
[ロック状態]                    DomainTransferLocked
[ロック状態]                    AgentChangeLocked
[最終更新]                      2026/08/01 01:05:09 (JST)

Contact Information: [公開連絡窓口]
[名前]                          山田太郎
[Email]                         taro@example.jp
"""
_CO_JP = """\
Domain Information: [ドメイン情報]
a. [ドメイン名]                 {NAME}
e. [そしきめい]                 てすと
f. [組織名]                     テスト株式会社
g. [Organization]               Test Co., Ltd.
k. [組織種別]                   株式会社
l. [Organization Type]          Corporation
m. [登録担当者]                 TT001JP
n. [技術連絡担当者]             TT001JP
p. [ネームサーバ]               ns1.{name}
s. [署名鍵]
[状態]                          Connected (2027/07/31)
[ロック状態]                    AgentChangeLocked
[登録年月日]                    2001/07/22
[接続年月日]                    2001/07/24
[最終更新]                      2026/08/01 01:02:04 (JST)
"""


def whois(all_zones: list[Made], name: str) -> str:
    if name not in {made.name for made in all_zones}:
        return "[ JPRS ]\nNo match!!\n\nWith JPRS WHOIS, you can query ...\n"
    text = _CO_JP if name.endswith(".co.jp") else _JP
    status = "To be suspended" if name == "dying.jp" else "Active"
    return text.format(NAME=name.upper(), name=name, status=status)


def rdap(all_zones: list[Made], name: str) -> tuple[int, dict[str, Any]]:
    if name not in {made.name for made in all_zones}:
        return 404, {"errorCode": 404, "title": "Not Found"}
    days = {"registration": "2015-03-01T00:00:00Z", "expiration": "2030-03-01T00:00:00Z"}
    return 200, {
        "objectClassName": "domain",
        "ldhName": name.upper(),
        "status": [f"client {what} prohibited" for what in ("transfer", "delete", "update")],
        "events": [{"eventAction": a, "eventDate": d} for a, d in days.items()],
        "nameservers": [{"objectClassName": "nameserver", "ldhName": f"NS1.{name.upper()}"}],
        "entities": [],
    }


async def registries(folder: Path, all_zones: list[Made]) -> None:
    async def answer_whois(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = (await reader.readline()).decode().strip().lower()
        with (folder / "whois.log").open("a") as log:
            log.write(f"{name}\n")
        writer.write(whois(all_zones, name).replace("\n", "\r\n").encode())
        await writer.drain()
        writer.close()

    async def answer_rdap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        status, body = rdap(all_zones, head.split()[1].decode().rpartition("/")[2].lower())
        data = json.dumps(body).encode()
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Type: application/rdap+json\r\nContent-Length: "
            f"{len(data)}\r\nConnection: close\r\n\r\n".encode()
            + data
        )
        await writer.drain()
        writer.close()

    class Mute(asyncio.DatagramProtocol):
        pass

    await asyncio.start_server(answer_whois, "127.0.0.1", WHOIS_PORT)
    await asyncio.start_server(answer_rdap, "127.0.0.1", RDAP_PORT)
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Mute, local_addr=(MUTE, 53))
    await asyncio.Event().wait()


def config(anchor: str) -> str:
    return (
        f'[network]\ntrust_anchors = ["{anchor}"]\n'
        f'whois = {{jp = "127.0.0.1:{WHOIS_PORT}"}}\n'
        f'rdap = {{net = "http://127.0.0.1:{RDAP_PORT}/"}}\n'
        # Nothing else than its own anchor would be needed, if that went with the true addresses.
        f'roots = ["{ROOT}"]\n'
    )


def prove_own_namespace() -> None:
    names = {
        line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]
    }
    if names != {"lo"}:
        raise SystemExit(f"not a network namespace of its own: it has {sorted(names)}")


def main(folder: Path) -> None:
    prove_own_namespace()
    all_zones, anchor = build(folder)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in addresses(all_zones):
        subprocess.run(["ip", "addr", "add", f"{address}/32", "dev", "lo"], check=True)
    (folder / "tlscheck.toml").write_text(config(anchor))
    threading.Thread(target=lambda: asyncio.run(registries(folder, all_zones)), daemon=True).start()
    servers = serve_names(folder, all_zones, anchor)
    time.sleep(1.0)
    names = [made.name for made in all_zones if "." in made.name.strip(".")]
    print(
        json.dumps({"ready": [s.poll() for s in servers], "zones": names}),
        flush=True,
    )
    try:
        for line in sys.stdin:
            began = time.monotonic()
            done = subprocess.run(
                json.loads(line),
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
                cwd=folder,
            )
            print(
                json.dumps(
                    {
                        "code": done.returncode,
                        "out": done.stdout,
                        "err": done.stderr,
                        "seconds": time.monotonic() - began,
                    }
                ),
                flush=True,
            )
    finally:
        for server in servers:
            server.kill()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
