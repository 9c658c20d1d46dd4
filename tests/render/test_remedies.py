"""Remedies name rules that there are, keep to what profiles want, and servers take their lines."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import trustme

from tests.servers import program
from tlscheck import data, profile
from tlscheck.render.remedies import Lines, remedies
from tlscheck.rules import RULES

LINES = [
    pytest.param(lines, id=f"{rule}-{number}")
    for rule, remedy in remedies().items()
    for number, lines in enumerate(remedy.lines)
]
SHIPPED = [profile.load(name) for name in data.profiles()]


def test_each_is_of_a_rule() -> None:
    assert set(remedies()) <= set(RULES)
    usual = {
        rule for rule in RULES if rule.partition(".")[0] in ("tls", "certificate", "http")
    } - set(remedies())
    assert usual == {
        "tls.encrypt-then-mac", "tls.equal-nodes", "http.origin-leg",
        # Their manuals say it, and no line of a server does.
        "http.external-services", "http.management-pages", "http.script-integrity",
        "http.web-firewall",
    }  # fmt: skip


@pytest.mark.parametrize("own", SHIPPED, ids=[p.id for p in SHIPPED])
def test_nothing_is_advised_that_the_profile_refuses(own: profile.Profile) -> None:
    wants = {rule: setting.want for rule, setting in own.settings.items()}
    versions = getattr(wants.get("tls.versions"), "allow", None)
    suites = getattr(wants.get("tls.suites"), "allow", None)
    groups = wants["tls.groups"].allow  # type: ignore[union-attr]
    for rule, remedy in remedies().items():
        text = "\n".join(line for _, line in remedy.under(own).each())
        on = {f"TLS {v}" for v in re.findall(r"TLSv(1\.\d)(?=[ ;\n]|$)", text)}
        if versions is not None:
            assert on <= versions, rule
        if suites is not None:
            assert named(text) <= suites, rule
        curves = set(re.findall(r"prime256v1|secp384r1|P-256|P-384|X25519", text))
        assert {_CURVES.get(curve, curve) for curve in curves} <= groups, rule


_CURVES = {"prime256v1": "secp256r1", "P-256": "secp256r1", "P-384": "secp384r1"}


def named(text: str) -> set[str]:
    """The IANA names of the suites in *text*."""
    found = set(re.findall(r"TLS_[A-Z0-9_]+", text))
    for key, cipher, digest in re.findall(r"ECDHE-(ECDSA|RSA)-AES(\d+)-GCM-(SHA\d+)", text):
        found.add(f"TLS_ECDHE_{key}_WITH_AES_{cipher}_GCM_{digest}")
    return found


def test_versions_are_advised_as_the_profile_wants_them() -> None:
    def nginx(name: str) -> str:
        return remedies()["tls.versions"].under(profile.load(name)).nginx

    assert nginx("vendor-138") == "ssl_protocols TLSv1.2 TLSv1.3;"
    assert nginx("mhlw-5.2") == "ssl_protocols TLSv1.3;"


# ---- the servers themselves ------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the lines name."""
    folder = tmp_path_factory.mktemp("site")
    authority = trustme.CA()
    leaf = authority.issue_cert("clinic.example.jp")
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    (folder / "fullchain.pem").write_bytes(chain)
    (folder / "privkey.pem").write_bytes(leaf.private_key_pem.bytes())
    (folder / "site.pem").write_bytes(leaf.private_key_and_cert_chain_pem.bytes())
    for name in ("chain.pem", "client-ca.pem"):
        (folder / name).write_bytes(authority.cert_pem.bytes())
    return folder


def checked(folder: Path, text: str, site: Path, *command: str) -> None:
    """The server of *command* takes the configuration *text*."""
    file = folder / "server.conf"
    file.write_text(text.replace("/etc/ssl/site", str(site)))
    run = subprocess.run(
        [*command, str(file)], capture_output=True, text=True, check=False, timeout=60, cwd=folder
    )
    assert run.returncode == 0, run.stdout + run.stderr + text


@pytest.mark.slow
@pytest.mark.parametrize("lines", LINES)
def test_nginx_takes_them(lines: Lines, site: Path, tmp_path: Path) -> None:
    nginx = program("nginx")
    if not (text := lines.nginx.strip()):
        return
    own = "" if "ssl_certificate " in text else _KEYS["nginx"]
    block = text if text.startswith("server {") else f"server {{ listen 8443 ssl; {own}\n{text}\n}}"
    checked(
        tmp_path,
        f"pid {tmp_path}/pid; error_log stderr;\nevents {{}}\nhttp {{ access_log off;\n{block}\n}}",
        site, nginx, "-t", "-q", "-c",
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("lines", LINES)
def test_apache_takes_them(lines: Lines, site: Path, tmp_path: Path) -> None:
    apache = program("apache2")
    if not (text := lines.apache.strip()):
        return
    modules = "".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
        for name in ("mpm_event", "authz_core", "alias", "headers", "socache_shmcb", "ssl")
    )
    own = "" if "SSLCertificateFile" in text else _KEYS["apache"]
    inside = f"<VirtualHost *:8443>\nSSLEngine on\n{own}\n{text}\n</VirtualHost>"
    stapling = f"SSLStaplingCache shmcb:{tmp_path}/stapling\n" if "Stapling" in text else ""
    frame = f"ServerRoot {tmp_path}\nPidFile pid\nErrorLog /dev/stderr\nServerName localhost\n"
    checked(
        tmp_path,
        modules + frame + stapling + (text if text.startswith("<") else inside),
        site, apache, "-t", "-f",
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("lines", LINES)
def test_haproxy_takes_them(lines: Lines, site: Path, tmp_path: Path) -> None:
    haproxy = program("haproxy")
    if not (text := lines.haproxy.strip()):
        return
    frame = "defaults\n    mode http\n    timeout connect 5s\n    timeout client 5s\n"
    tls = _KEYS["haproxy"] if "bind :443" not in text else ""
    checked(tmp_path, frame + "    timeout server 5s\n" + tls + text + "\n", site,
            haproxy, "-c", "-q", "-f")  # fmt: skip


_KEYS = {
    "nginx": "ssl_certificate /etc/ssl/site/fullchain.pem;"
    " ssl_certificate_key /etc/ssl/site/privkey.pem;",
    "apache": "SSLCertificateFile /etc/ssl/site/fullchain.pem\n"
    "SSLCertificateKeyFile /etc/ssl/site/privkey.pem",
    "haproxy": "frontend other\n    bind :8443 ssl crt /etc/ssl/site/site.pem\n",
}
