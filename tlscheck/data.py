"""The data directories (``profiles``, ``reports``, ``locale``), installed or in a checkout."""

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path


def data_dir(name: str) -> Traversable:
    """The packaged directory *name*, or its top-level twin in a source checkout."""
    packaged = resources.files("tlscheck") / name
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / name


def profiles() -> tuple[str, ...]:
    """The shipped profiles, by name."""
    return _tables(data_dir("profiles"))


def checklists() -> tuple[str, ...]:
    """The checklists there are, by id."""
    return _tables(data_dir("profiles") / "checklists")


def _tables(folder: Traversable) -> tuple[str, ...]:
    found = (Path(file.name) for file in folder.iterdir())
    return tuple(sorted(path.stem for path in found if path.suffix == ".toml"))
