"""Bundles as people meet them: made, signed, stamped, verified, judged and challenged."""

from __future__ import annotations

import datetime
import hashlib
import http.server
import importlib.util
import json
import os
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests import make
from tests.servers import Server, program
from tlscheck import judge as judging
from tlscheck.bundle.contents import bundled, pack, read
from tlscheck.report import encode

CHECKOUT = Path(__file__).parents[2]
Done = subprocess.CompletedProcess[str]


def tlscheck(*arguments: object, **environment: str) -> Done:
    kept = {k: v for k, v in os.environ.items() if k not in ("LC_ALL", "LC_MESSAGES", "LANGUAGE")}
    return subprocess.run(
        [sys.executable, "-m", "tlscheck", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**kept, "LANG": "C.UTF-8", "PYTHONPATH": str(CHECKOUT), **environment},
    )


def mistake(done: Done) -> str:
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    return line


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "key.pem"
    done = tlscheck("bundle", "keygen", "-o", path)
    assert (done.returncode, done.stderr) == (0, "")
    return path


@pytest.fixture(scope="module")
def saved(two: Server, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle that a scan of the strict server wrote."""
    path = tmp_path_factory.mktemp("saved") / "scan.zip"
    target = f"localhost:{two.port}"
    here = ("--resolve", f"{target}:127.0.0.1", "--only", "tls,certificate,http")
    done = tlscheck("scan", target, *here, "--save", path, "--sign", key, "-f", "json")
    assert done.returncode in (1, 3), done.stderr
    assert done.stdout.encode() == read(path.read_bytes()).files["scan.json"]
    return path


# -- The document -------------------------------------------------------------------------------


def test_sheets_and_pdfs_cite_the_file_that_was_read(saved: Path, tmp_path: Path) -> None:
    """Under waivers and other profiles too, and in whatever bytes it was kept."""
    config = tmp_path / "cfg.toml"
    waiver = 'item = "vendor-138/44"\nreason = "r"\nwho = "w"\nuntil = 2199-01-01\n'
    config.write_text(f"[[waiver]]\n{waiver}")
    inside = read(saved.read_bytes()).files["scan.json"]
    plain, compact = tmp_path / "scan.json", tmp_path / "compact.json"
    plain.write_bytes(inside)
    compact.write_text(json.dumps(json.loads(inside)))
    for path, data, how in (
        (saved, inside, ["-c", config]),
        (plain, inside, ["--profile", "mozilla-modern"]),
        (compact, compact.read_bytes(), []),
    ):
        out = tmp_path / f"{path.name}.xlsx"
        tlscheck("judge", path, *how, "--checklist", "vendor-138", "-f", "xlsx", "-o", out)
        cells = [str(c.value) for s in openpyxl.load_workbook(out) for r in s for c in r]
        cited = {d for text in cells for d in re.findall(r"SHA-256 ([0-9a-f]+)…", text)}
        assert cited == {hashlib.sha256(data).hexdigest()[:16]}


# -- Keys ---------------------------------------------------------------------------------------


def test_a_key_is_for_its_owner_s_eyes(key: Path) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    public = Path(f"{key}.pub")
    assert public.read_text().startswith("-----BEGIN PUBLIC KEY-----")
    before = key.read_bytes()
    assert "cannot be written" in mistake(tlscheck("bundle", "keygen", "-o", key))
    assert key.read_bytes() == before


def test_a_key_with_a_passphrase(tmp_path: Path) -> None:
    path, secret = tmp_path / "key", {"TLSCHECK_KEY_PASSPHRASE": "ひみつ"}
    assert tlscheck("bundle", "keygen", "-o", path, **secret).returncode == 0
    assert "ENCRYPTED" in path.read_text()
    asked = ("scan", "127.0.0.1:9", "--save", tmp_path / "x.zip", "--sign", path)
    assert "the key is encrypted" in mistake(tlscheck(*asked))
    wrong = tlscheck(*asked, TLSCHECK_KEY_PASSPHRASE="other")
    assert "is not its passphrase" in mistake(wrong)
    assert tlscheck(*asked, "--only", "tls", **secret).returncode == 3
    assert "manifest.sig" in read((tmp_path / "x.zip").read_bytes()).files


def test_a_key_that_others_may_read_is_refused(key: Path, tmp_path: Path) -> None:
    bare = tmp_path / "key"
    bare.write_bytes(key.read_bytes())
    bare.chmod(0o640)
    done = tlscheck("scan", "127.0.0.1:9", "--save", tmp_path / "x.zip", "--sign", bare)
    assert "chmod 600" in mistake(done)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--sign", "k"), "--sign is for a bundle"),
        (("--sign", "k", "--save", "scan.json"), "--sign is for a bundle"),
        (("--timestamp", "http://127.0.0.1:9", "--save", "scan.json"), "--timestamp is for a"),
        (("--sign", "/no/such", "--save", "x.zip"), "/no/such"),
        (("--sign", "/dev/null", "--save", "x.zip"), "/dev/null"),
    ],
)
def test_mistakes_of_signing(options: tuple[str, ...], said: str) -> None:
    assert said in mistake(tlscheck("scan", "127.0.0.1:9", *options))


def test_a_key_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "key"
    other = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    done = tlscheck("scan", "127.0.0.1:9", "--save", tmp_path / "x.zip", "--sign", path)
    assert "no Ed25519 key" in mistake(done)


# -- Verifying ----------------------------------------------------------------------------------


def test_a_bundle_that_holds(saved: Path, key: Path) -> None:
    done = tlscheck("bundle", "verify", saved, "--key", f"{key}.pub")
    assert (done.returncode, done.stderr) == (0, "")
    assert "✓ signed with the key given, " in done.stdout
    assert done.stdout.endswith("The bundle holds.\n")
    assert "✗" not in done.stdout


def test_the_signature_is_one_that_openssl_knows(saved: Path, tmp_path: Path) -> None:
    files = read(saved.read_bytes()).files
    for name in ("manifest.json", "manifest.sig", "manifest.pub"):
        (tmp_path / name).write_bytes(files[name])
    done = subprocess.run(
        [program("openssl"), "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "manifest.pub",
         "-in", "manifest.json", "-sigfile", "manifest.sig"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Verified Successfully" in done.stdout


def test_another_key_does_not_fit(saved: Path, tmp_path: Path) -> None:
    tlscheck("bundle", "keygen", "-o", tmp_path / "other")
    done = tlscheck("bundle", "verify", saved, "--key", tmp_path / "other.pub")
    assert done.returncode == 1
    assert ", not with the one given" in done.stdout
    assert done.stdout.endswith("The bundle does not hold.\n")
    private = tmp_path / "other"
    assert "no Ed25519 public key" in mistake(tlscheck("bundle", "verify", saved, "--key", private))
    assert "is larger than" in mistake(tlscheck("bundle", "verify", saved, "--key", saved))


def test_a_flipped_byte(saved: Path, tmp_path: Path) -> None:
    data = bytearray(saved.read_bytes())
    at = data.index(b'"tls":')
    data[at] ^= 1
    path = tmp_path / "b.zip"
    path.write_bytes(data)
    done = tlscheck("bundle", "verify", path)
    assert done.returncode == 1
    assert "✗ scan.json, at byte " in done.stdout
    assert "scan.json, at byte" in mistake(tlscheck("judge", path))
    assert "scan.json, at byte" in mistake(tlscheck("bundle", "challenge", path))


def test_what_is_no_bundle(tmp_path: Path) -> None:
    path = tmp_path / "scan.json"
    path.write_bytes(encode(judging.judge(make.scan())))
    assert "no bundle" in mistake(tlscheck("bundle", "verify", path))
    assert "/no/such" in mistake(tlscheck("bundle", "verify", "/no/such"))


# -- Judging ------------------------------------------------------------------------------------


def test_judging_a_bundle_gives_its_own_scan_again(saved: Path, tmp_path: Path) -> None:
    out = tmp_path / "again.json"
    done = tlscheck("judge", saved, "-f", "json", "-o", out, LC_ALL="ja_JP.UTF-8", TZ="Asia/Tokyo")
    assert done.returncode in (1, 3)
    assert out.read_bytes() == read(saved.read_bytes()).files["scan.json"]


def test_judging_by_another_profile_cites_the_files_too(saved: Path) -> None:
    done = tlscheck("judge", saved, "-f", "json", "--profile", "mozilla-modern")
    scan = json.loads(done.stdout)
    assert scan["profile"] == "mozilla-modern"
    assert all(finding["refs"] for finding in scan["findings"])


def test_the_spreadsheet_names_the_files(saved: Path) -> None:
    assert "targets/0/tls.jsonl" in tlscheck("judge", saved, "-f", "csv").stdout


def test_a_bundle_is_a_baseline_too(saved: Path) -> None:
    plan = ("scan", "localhost:1", "--plan", "--only", "tls", "--baseline", saved)
    assert tlscheck(*plan).returncode == 0


# -- Challenging --------------------------------------------------------------------------------


def test_the_same_server_agrees(saved: Path) -> None:
    done = tlscheck("bundle", "challenge", saved)
    assert done.returncode == 0, done.stdout
    assert done.stderr.startswith("looking again at localhost, port ")
    assert "6 versions agree" in done.stdout
    assert done.stdout.endswith("All that was looked at again agrees.\n")


def test_nobody_there_any_more(tmp_path: Path) -> None:
    """The bundle of a server that has gone: nothing contradicts it, and nothing confirms it."""
    look = make.good_look("localhost", "127.0.0.1")
    place = look.target.target
    assert place
    target = replace(look.target, target=replace(place, port=9))
    scan = make.scan(replace(look, target=target))
    path = tmp_path / "gone.zip"
    report, files = bundled(judging.judge(scan))
    path.write_bytes(pack(files, report.scan.at))
    done = tlscheck("bundle", "challenge", path)
    assert done.returncode == 3, done.stderr
    assert done.stdout.endswith("Not all could be looked at again.\n")


def test_a_bundle_without_endpoints(tmp_path: Path) -> None:
    path = tmp_path / "domain.zip"
    report, files = bundled(judging.judge(make.scan(make.domain_look())))
    path.write_bytes(pack(files, report.scan.at))
    assert "no TLS endpoint" in mistake(tlscheck("bundle", "challenge", path))


# -- Time stamps --------------------------------------------------------------------------------

needs_library = pytest.mark.skipif(
    importlib.util.find_spec("rfc3161_client") is None,
    reason="NOT TESTED: rfc3161-client is not installed",
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, Path]]:
    """A time-stamping authority: its URL, its CA, and a CA of another."""
    home = tmp_path_factory.mktemp("tsa")
    ca, signer, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    root = _issued("Test TSA CA", ca, "Test TSA CA", ca, ca=True)
    (home / "ca.pem").write_bytes(root.public_bytes(Encoding.PEM))
    stranger = _issued("Other", other, "Other", other, ca=True)
    (home / "other.pem").write_bytes(stranger.public_bytes(Encoding.PEM))
    leaf = _issued("Test TSA", signer, "Test TSA CA", ca, ca=False)
    (home / "tsa.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
    (home / "tsa.key").write_bytes(
        signer.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    (home / "serial").write_text("01\n")
    (home / "tsa.cnf").write_text(
        f"[tsa]\ndefault_tsa=own\n[own]\ndir={home}\nserial={home}/serial\ncrypto_device=builtin\n"
        f"signer_cert={home}/tsa.pem\nsigner_key={home}/tsa.key\nsigner_digest=sha256\n"
        "default_policy=1.2.3.4.1\ndigests=sha256\ness_cert_id_alg=sha256\n"
    )
    command = [program("openssl"), "ts", "-reply", "-config", str(home / "tsa.cnf")]

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = home / "query"
            query.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            answer = subprocess.run(
                [*command, "-queryfile", query], capture_output=True, check=True
            ).stdout
            if "else" in self.path:
                answer = b"else"
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", home / "ca.pem", home / "other.pem"
        server.shutdown()


Key = ec.EllipticCurvePrivateKey


def _issued(name: str, key: Key, by: str, signer: Key, *, ca: bool) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    own, issuer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, n)]) for n in (name, by))
    made = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if not ca:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        made = made.add_extension(usage, critical=True)
    return made.sign(signer, hashes.SHA256())


@needs_library
@pytest.mark.slow
def test_a_time_stamp(authority: tuple[str, Path, Path], tmp_path: Path) -> None:
    url, ca, other = authority
    path = tmp_path / "x.zip"
    asked = ("scan", "127.0.0.1:9", "--only", "tls", "--save", path, "--timestamp")
    done = tlscheck(*asked, url)
    assert (done.returncode, done.stderr) == (3, "")
    said = tlscheck("bundle", "verify", path, "--tsa-ca", ca)
    assert said.returncode == 0, said.stdout
    assert "✓ time-stamped at " in said.stdout
    said = tlscheck("bundle", "verify", path)
    assert said.returncode == 0
    assert "by whom was not checked" in said.stdout
    said = tlscheck("bundle", "verify", path, "--tsa-ca", other)
    assert said.returncode == 1
    assert "does not lead to the authority given" in said.stdout
    first = read(path.read_bytes())
    stamp = first.files["manifest.tsr"]
    done = tlscheck(*asked, url + "else")
    assert done.returncode == 3
    assert "not time-stamped" in done.stderr
    second = read(path.read_bytes())
    assert "manifest.tsr" not in second.files
    path.write_bytes(pack({**second.files, "manifest.tsr": stamp}, second.manifest.at))
    said = tlscheck("bundle", "verify", path)
    assert said.returncode == 1
    assert "it is of something else" in said.stdout
    path.write_bytes(pack({**second.files, "manifest.tsr": b"0"}, second.manifest.at))
    assert "it cannot be read" in tlscheck("bundle", "verify", path).stdout
    assert "http" in tlscheck(*asked, "http://127.0.0.1:9/").stderr


def test_judging_a_bundle_says_that_its_seal_was_not_looked_at(saved: Path, tmp_path: Path) -> None:
    bundle = read(saved.read_bytes())
    claims = tmp_path / "claims.toml"
    claims.write_text('[[claim]]\nversions = ["TLS 1.3"]\n')
    broken = tmp_path / "broken.zip"

    def said(path: Path) -> list[str]:
        lines = [tlscheck("judge", path, "-f", "csv").stderr.splitlines()]
        lines.append(tlscheck("verify", claims, path).stderr.splitlines())
        assert lines[0] == lines[1]
        (line,) = lines[0]
        assert line.startswith(f"{path}: ")
        assert "tlscheck bundle verify" in line
        return [line]

    assert "who vouches for them" in said(saved)[0]
    for changes in ({"manifest.sig": b"x" * 64}, {"manifest.sig": None}, {"manifest.tsr": b"x"}):
        files = {n: c for n, c in {**bundle.files, **changes}.items() if c is not None}
        broken.write_bytes(pack(files, bundle.manifest.at))
        assert "somebody changed it" in said(broken)[0]
