"""``make bench``: what a look costs and what it finds, beside the peers. See README.md."""

from __future__ import annotations

import sys
from pathlib import Path

# Started as a file, Python looks for modules beside it; they are to be had from the root.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from bench.main import main  # noqa: E402 - not before the path is set

if __name__ == "__main__":
    main()
