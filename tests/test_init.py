"""``tlscheck init`` and ``tlscheck config``: a configuration to begin with, and a look at one."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tlscheck.config import Settings, load, parse, secrets
from tlscheck.config.lines import line_of
from tlscheck.config.show import shown
from tlscheck.config.watching import Link, Recipient, Secret
from tlscheck.errors import ConfigError

PROGRAM = str(Path(sys.executable).with_name("tlscheck"))
FLAGS = (
    *("--target", "clinic.example.jp", "--target", "smtp://mx.example.jp"),
    *("--mail-to", "a@example.jp", "--mail-to", "b@example.jp"),
    *("--mail-from", "TLS検査 <tlscheck@example.jp>", "--smtp", "smtp://127.0.0.1:2525"),
    *("--history", "kept/history.db"),
)
Done = subprocess.CompletedProcess[str]


def tlscheck(folder: Path, *arguments: str, **environment: str) -> Done:
    return subprocess.run(
        [PROGRAM, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), **environment},
    )


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_from_flags_alone(tmp_path: Path, lang: str) -> None:
    done = tlscheck(tmp_path, "init", *FLAGS, "--lang", lang, "-o", "own.toml")
    assert (done.returncode, done.stderr) == (0, "")
    settings = load(tmp_path / "own.toml")
    assert [each.target for each in settings.targets] == [
        "clinic.example.jp",
        "smtp://mx.example.jp",
    ]
    assert settings.language == lang
    assert settings.history.path == str(tmp_path / "kept" / "history.db")
    assert settings.mail is not None
    assert settings.mail.sender == "TLS検査 <tlscheck@example.jp>"
    assert settings.mail.to == (Recipient("a@example.jp"), Recipient("b@example.jp"))
    checked = tlscheck(tmp_path, "config", "check", "-c", "own.toml")
    assert (checked.returncode, checked.stderr) == (0, "")
    make = f"install -d -m 0700 {tmp_path / 'kept'}\n"
    assert done.stdout.endswith(make)
    assert checked.stdout.endswith(make)
    (tmp_path / "kept").mkdir()
    assert "install" not in tlscheck(tmp_path, "config", "check", "-c", "own.toml").stdout
    comments = [line for line in (tmp_path / "own.toml").read_text().splitlines() if "#" in line]
    assert len(comments) > 20


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_what_the_comments_offer_is_right(tmp_path: Path, lang: str) -> None:
    """Each commented line that is a key can be taken as it is."""
    flags = ("--target", "www.example.jp", "--mail-to", "a@x.jp", "--mail-from", "a@x.jp")
    tlscheck(tmp_path, "init", *flags, "--smtp", "smtp://user@localhost", "--lang", lang)
    lines = (tmp_path / "tlscheck.toml").read_text(encoding="utf-8").splitlines()
    taken = [re.sub(r"^# (?=\[|[a-z_]+ = )", "", line) for line in lines]
    settings = parse("\n".join(taken), tmp_path / "tlscheck.toml")
    assert settings.mail is not None
    assert settings.mail.password == Secret(file="/etc/tlscheck/smtp")
    assert settings.waiver
    assert settings.webhook
    assert settings.ping
    assert settings.metrics
    assert settings.endpoints["www.example.jp"].tcp == (80, 443)


def test_it_never_writes_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "tlscheck.toml").write_text("mine")
    done = tlscheck(tmp_path, "init", *FLAGS)
    assert done.returncode == 2
    assert "is there already; give --force" in done.stderr
    assert (tmp_path / "tlscheck.toml").read_text() == "mine"
    assert tlscheck(tmp_path, "init", *FLAGS, "--force").returncode == 0
    assert load(tmp_path / "tlscheck.toml").mail


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "give one or more with --target"),
        (("--target", "a b"), "white space"),
        (("--target", "x.jp", "--mail-to", "a@x.jp"), "--mail-from belong together"),
        (("--target", "x.jp", "--smtp", "smtp://h"), "--smtp is for mail"),
        (("--target", "x.jp", "--mail-to", "a b", "--mail-from", "a@x.jp"), "mail.to[0].address"),
        (
            ("--target", "x.jp", "--mail-to", "a@x.jp\nBcc: b@x.jp", "--mail-from", "a@x.jp"),
            "mail.to[0].address",
        ),
        (
            ("--target", "x.jp", "--mail-to", "a@x.jp", "--mail-from", "a@x.jp", "--smtp", "h:25"),
            "mail.smtp",
        ),
    ],
)
def test_mistakes_write_nothing(tmp_path: Path, flags: tuple[str, ...], said: str) -> None:
    done = tlscheck(tmp_path, "init", *flags)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_at_a_terminal_a_wrong_answer_is_asked_for_again(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    answers = (
        "http://[ a.example.jp", "a.example.jp", "me@", "me@example.jp", "you", "you@example.jp",
        "relay:25", "smtp://relay.example.jp", "",
    )  # fmt: skip
    with subprocess.Popen(
        [PROGRAM, "init"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TERM": "dumb"},
    ) as process:  # fmt: skip
        os.close(theirs)
        os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
        assert process.wait(30) == 0
    os.close(ours)
    settings = load(tmp_path / "tlscheck.toml")
    assert [each.target for each in settings.targets] == ["a.example.jp"]
    assert settings.mail is not None
    assert (settings.mail.sender, settings.mail.smtp) == (
        "you@example.jp",
        "smtp://relay.example.jp",
    )


def test_at_a_terminal_it_asks(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [PROGRAM, "init"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TERM": "dumb"},
    ) as process:  # fmt: skip
        os.close(theirs)
        os.write(ours, b"a.example.jp b.example.jp\nme@example.jp\n\n\n\n")
        assert process.wait(30) == 0
    os.close(ours)
    settings = load(tmp_path / "tlscheck.toml")
    assert [each.target for each in settings.targets] == ["a.example.jp", "b.example.jp"]
    assert settings.mail is not None
    assert (settings.mail.sender, settings.mail.smtp) == ("me@example.jp", "smtp://localhost:25")


# ---- config ----------------------------------------------------------------------------------


def test_what_is_shown_is_the_same_configuration_without_secrets(tmp_path: Path) -> None:
    text = """\
targets = [{target = "a.example.jp", label = "予約"}, "b.example.jp"]
language = "ja"
[domain."example.jp"]
in_use_since = 2019-04-01
[endpoints."a.example.jp"]
tcp = [443]
[network]
whois = {jp = "192.0.2.1"}
[mail]
smtp = "smtps://user@relay.example.jp"
from = "x@example.jp"
to = ["y@example.jp", {address = "z@example.jp", labels = ["予約"]}]
password = {file = "/etc/tlscheck/smtp"}
[webhook]
url = "https://hooks.example/services/T0/B0/geheim?key=geheim"
[ping]
url = {env = "PING"}
[[waiver]]
rule = "tls.versions"
who = "Sato"
reason = "soon"
until = 2027-03-31
"""
    path = tmp_path / "tlscheck.toml"
    path.write_text(text, encoding="utf-8")
    done = tlscheck(tmp_path, "config", "show")
    assert (done.returncode, done.stderr) == (0, "")
    assert "geheim" not in done.stdout
    assert 'url = "https://hooks.example/…"' in done.stdout
    hidden = text.replace("services/T0/B0/geheim?key=geheim", "…")
    assert parse(done.stdout, path) == parse(hidden, path)
    assert shown(parse(done.stdout, path)) == done.stdout
    assert tomllib.loads(shown(Settings()))["profile"] == Settings().profile


def test_check_finds_what_a_run_would(tmp_path: Path) -> None:
    path = tmp_path / "tlscheck.toml"
    base = 'targets = ["a.example.jp"]\n'
    mail = '[mail]\nsmtp = "smtp://u@localhost"\nfrom = "x@y.jp"\nto = ["x@y.jp"]\n'
    for text, said in (
        ("", "no target"),
        (base + 'profile = "no-such"', "no-such"),
        ('targets = ["gopher://x"]', "gopher"),
        (base + mail + 'password = {env = "NO_SUCH"}', "the environment has no NO_SUCH"),
        (base + mail + 'ca_file = "/no/such.pem"', "key mail.ca_file"),
        (base + mail + 'attach = ["html", "exe"]', "line 6, key mail.attach[1]"),
        (base + mail + 'to = ["x"]', "Cannot overwrite a value"),
        (base + '[ping]\nurl = "https://x"\nenv = "A"', "line 4: unknown key ping.env"),
        (base + '[ping]\nurl = {env = "A", file = "b"}', "must name one place"),
        (
            base + '[webhook]\nurl = "http://127.0.0.1.example/"\ntoken = {env = "HOME"}',
            "a token is sent over https only",
        ),
        (
            base + '[[waiver]]\nrule = "tls.version"\nwho = "a"\nreason = "b"\nuntil = 2027-01-01',
            "key waiver[0].rule: there is no rule tls.version",
        ),
    ):
        path.write_text(text)
        done = tlscheck(tmp_path, "config", "check")
        assert done.returncode == 2
        assert said in done.stderr, done.stderr
        assert done.stderr.count("\n") == 1
    path.write_text(f'{base}history.path = "history.db"\n{mail}')
    done = tlscheck(tmp_path, "config", "check")
    assert done.stdout == "tlscheck.toml: is right; targets: 1, mail to x@y.jp\n"


# ---- secrets ---------------------------------------------------------------------------------


def test_a_secret_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("geheim\n")
    for mode in (0o600, 0o400):
        path.chmod(mode)
        assert secrets.secret(Secret(file=str(path)), "k") == "geheim"
    for mode in (0o640, 0o604, 0o644, 0o660, 0o700, 0o601):
        path.chmod(mode)
        with pytest.raises(ConfigError, match="chmod 600") as caught:
            secrets.secret(Secret(file=str(path)), "k")
        assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n", b"a\nb\n", b"\xff", b"a\x00b"])
def test_a_secret_that_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError):
        secrets.secret(Secret(file=str(path)), "k")


@pytest.mark.timeout(10)
def test_a_secret_in_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    os.mkfifo(path, 0o600)
    with pytest.raises(ConfigError, match="is no file"):
        secrets.secret(Secret(file=str(path)), "k")


def test_a_secret_of_another_user(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: only root can give files away")
    path = tmp_path / "secret"
    path.write_text("geheim")
    path.chmod(0o600)
    os.chown(path, 65534, 65534)
    with pytest.raises(ConfigError, match="belongs to another user"):
        secrets.secret(Secret(file=str(path)), "k")


def test_secrets_from_the_environment_and_from_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigError, match="LoadCredential=smtp:FILE"):
        secrets.secret(Secret(credential="smtp"), "k")
    (tmp_path / "smtp").write_text("geheim")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("OWN", "https://x.example/secret")
    assert secrets.secret(Secret(credential="smtp"), "k") == "geheim"
    assert secrets.link(Link(env="OWN"), "k") == "https://x.example/secret"
    assert secrets.link(Link(url="http://x"), "k") == "http://x"
    monkeypatch.setenv("OWN", "ftp://x")
    with pytest.raises(ConfigError, match="is no URL"):
        secrets.link(Link(env="OWN"), "k")


# ---- lines -----------------------------------------------------------------------------------

TEXT = '''\
# a comment
profile = "x"
targets = [
  "a",
  {target = "b", labl = "c"},  # [mail]
]
title = """
[mail]
from = "no"
"""

[mail]
from = "a"
a.b = 1

[[waiver]]
rule = "x"

[[waiver]]
rule = "y"
[domain."a.jp"]
holder = ["x"]
'''


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("profile",), 2),
        (("targets",), 3),
        (("targets", 1, "labl"), 5),
        (("targets", 1, "missing"), 3),
        (("mail", "from"), 13),
        (("mail", "a", "b"), 14),
        (("mail",), 12),
        (("mail", "nothing"), 12),
        (("waiver", 0, "rule"), 17),
        (("waiver", 1, "rule"), 20),
        (("domain", "a.jp", "holder"), 22),
        (("nothing",), 0),
    ],
)
def test_the_line_of_a_key(place: tuple[str | int, ...], line: int) -> None:
    assert line_of(TEXT, place) == line
    assert line_of(TEXT.replace("\n", "\r\n"), place) == line
