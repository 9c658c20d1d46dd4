"""What is printed for systemd and cron is what they take."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import program
from tests.watch.conftest import PROGRAM, Clinic


def shown(clinic: Clinic, *options: str) -> str:
    done = subprocess.run(
        [PROGRAM, "watch", "-c", str(clinic.config), "--install-help", *options],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def units(text: str) -> dict[str, str]:
    """The files in *text*, by name."""
    parts = re.split(r"^# /etc/systemd/system/(\S+).*\n", text, flags=re.MULTILINE)[1:]
    return {
        name: content.partition("\n# ")[0]
        for name, content in zip(parts[::2], parts[1::2], strict=True)
    }


@pytest.mark.parametrize("name", ["tlscheck.toml", "with space & 100%.toml"])
def test_systemd_takes_it(clinic: Clinic, tmp_path: Path, name: str) -> None:
    verify = program("systemd-analyze")
    clinic.write(
        more='[watch]\nat = "23:59"\n[ping]\nurl = {credential = "ping"}\n'
        '[metrics]\npath = "/var/lib/node/tlscheck.prom"'
    )
    clinic.config.rename(tmp_path / name)
    clinic = type("Named", (Clinic,), {"config": tmp_path / name})(*vars(clinic).values())
    found = units(shown(clinic))
    assert set(found) == {
        "tlscheck.service",
        "tlscheck.timer",
        "tlscheck-deliver.service",
        "tlscheck-deliver.timer",
    }
    folder = tmp_path / "units"
    folder.mkdir()
    for file, content in found.items():
        (folder / file).write_text(content)
    done = subprocess.run(
        [verify, "verify", "--man=no", *(str(folder / file) for file in found)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    about_us = [line for line in done.stderr.splitlines() if "tlscheck" in line]
    assert (done.returncode, about_us) == (0, [])
    assert "LoadCredential=ping:/etc/tlscheck/ping" in found["tlscheck.service"]
    assert "OnCalendar=*-*-* 23:59:00" in found["tlscheck.timer"]


def printed(tmp_path: Path, folder: Path) -> str:
    config = tmp_path / "tlscheck.toml"
    config.write_text(f'targets = ["a.example.jp"]\nhistory.path = "{folder}/history.db"\n')
    done = subprocess.run(
        [PROGRAM, "watch", "-c", str(config), "--install-help"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_folder_of_the_history_is_made(tmp_path: Path) -> None:
    """Under ``ProtectSystem=strict`` the first run can make none."""
    text = printed(tmp_path, Path("/var/lib/tlscheck-none/deep er"))
    for unit in ("tlscheck.service", "tlscheck-deliver.service"):
        lines = units(text)[unit].splitlines()
        assert 'StateDirectory="tlscheck-none/deep er"' in lines
        assert "StateDirectoryMode=0700" in lines
        assert not any("ReadWritePaths=" in line and "/var/lib" in line for line in lines)
    # cron makes no folder in /var/lib, unless it is root's.
    assert "install -d -m 0700" in text.partition("enable --now")[2]

    missing = tmp_path / "state"
    text = printed(tmp_path, missing)
    assert f"ReadWritePaths={missing}" in units(text)["tlscheck.service"].splitlines()
    command = re.search(r"install -d .*", text.partition("tlscheck.service")[0])
    assert command
    subprocess.run(["/bin/sh", "-c", command[0]], check=True)
    assert missing.stat().st_mode & 0o777 == 0o700
    text = printed(tmp_path, missing)
    assert "install -d" not in text
    assert f"ReadWritePaths={missing}" in units(text)["tlscheck.service"].splitlines()


def test_systemd_changes_no_folder_of_others(tmp_path: Path) -> None:
    """With StateDirectory it would change the mode of /var/lib/dpkg."""
    for folder in (Path("/var/lib/dpkg"), Path("/var/lib")):
        lines = units(printed(tmp_path, folder))["tlscheck.service"].splitlines()
        assert f"ReadWritePaths={folder}" in lines
        assert not any("StateDirectory" in line for line in lines)


@pytest.mark.parametrize("name", ["tlscheck.toml", "a $HOME `b` \"c\" 'd' 100%.toml"])
def test_the_line_for_crontab_runs(clinic: Clinic, tmp_path: Path, name: str) -> None:
    clinic.write(more='[watch]\nat = "04:05"')
    clinic.config.rename(tmp_path / name)
    clinic = type("Named", (Clinic,), {"config": tmp_path / name})(*vars(clinic).values())
    night, waiting = [
        line for line in shown(clinic).splitlines() if re.match(r"^[\d,]+ [\d*]+ \* \* \*  ", line)
    ]
    assert night.startswith("5 4 * * *  /")
    command = waiting.split(None, 5)[5].replace("\\%", "%")
    done = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, check=False, env={}
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_before_there_is_a_configuration(tmp_path: Path) -> None:
    done = subprocess.run(
        [PROGRAM, "watch", "--install-help"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0
    assert f"-c {tmp_path}/tlscheck.toml" in done.stdout
    assert sys.executable.rpartition("/")[0] in done.stdout
