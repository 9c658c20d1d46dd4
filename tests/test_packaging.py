"""What is installed has everything, and the locks agree with each other."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DATA = ("profiles", "reports", "locale")


def build(kind: str, source: Path, out: Path) -> Path:
    """Build a wheel or an sdist of *source* by its build backend, offline."""
    code = f"import hatchling.build as b; print(b.build_{kind}({str(out)!r}))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return out / run.stdout.split()[-1]


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the wheel that the checkout gives."""
    return contents(build("wheel", ROOT, tmp_path_factory.mktemp("wheel")))


def test_the_wheel_has_what_the_pdf_needs(wheel: dict[str, bytes]) -> None:
    fonts = {
        name.rpartition("/")[2] for name in wheel if name.startswith("tlscheck/reports/fonts/")
    }
    assert {"characters.txt", "LICENSE.OFL.txt"} < fonts
    assert [name for name in fonts if name.endswith(".otf")]
    assert "tlscheck/reports/report.typ" in wheel
    [metadata] = [wheel[name].decode() for name in wheel if name.endswith("/METADATA")]
    assert "Requires-Dist: typst" in metadata
    assert "Provides-Extra: pdf" in metadata


@pytest.mark.parametrize("folder", DATA)
def test_the_wheel_has_the_data(wheel: dict[str, bytes], folder: str) -> None:
    here = {
        f"tlscheck/{path.relative_to(ROOT).as_posix()}": path.read_bytes()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert here
    assert {name: wheel.get(name) for name in here} == here


def test_the_wheel_has_every_module_and_the_licence(wheel: dict[str, bytes]) -> None:
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tlscheck").rglob("*.py")}
    assert "tlscheck/wire/registry.py" in modules
    assert modules <= set(wheel)
    licences = [name for name in wheel if name.endswith("licenses/LICENSE")]
    assert [wheel[name] for name in licences] == [(ROOT / "LICENSE").read_bytes()]
    assert not [name for name in wheel if name.startswith(("tests/", "bench/", "tools/"))]


def test_the_sdist_gives_the_same_wheel(wheel: dict[str, bytes], tmp_path: Path) -> None:
    sdist = build("sdist", ROOT, tmp_path)
    subprocess.run(["tar", "-xf", sdist, "-C", tmp_path], check=True)
    [unpacked] = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert contents(build("wheel", unpacked, tmp_path)) == wheel


def pins(lock: str) -> dict[str, str]:
    """The pinned packages of a lock: name to version, marker and hashes."""
    joined = (ROOT / lock).read_text().replace("\\\n", "")
    rows = (line.partition("==") for line in joined.splitlines() if line)
    return {name: rest for name, _, rest in rows}


def test_the_locks_agree_and_name_no_host() -> None:
    everything, run = pins("requirements.lock"), pins("constraints/run.lock")
    assert {name: everything.get(name) for name in run} == run
    assert {"sslyze", "cryptography"} <= set(run)
    assert not {"pytest", "mypy"} & set(run)
    assert all("--hash=sha256:" in rest for rest in everything.values())
    assert "://" not in "".join(everything.values())


def test_what_is_installed_is_what_is_locked() -> None:
    """All but sslyze, whose pin on cryptography the lock overrides knowingly."""
    run = subprocess.run(
        [sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False
    )
    complaints = [
        line for line in run.stdout.splitlines() if " requires " in line or " has " in line
    ]
    assert [line.split()[0] for line in complaints] in ([], ["sslyze"])
    assert all("cryptography" in line for line in complaints)
