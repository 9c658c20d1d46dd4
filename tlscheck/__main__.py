"""``python -m tlscheck`` and the console script."""

from tlscheck.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
