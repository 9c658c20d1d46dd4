"""A file of claims, whichever of its forms it has: a sheet with prose, or TOML."""

from __future__ import annotations

from tlscheck.errors import ClaimsError
from tlscheck.verify import claims


def read(file: str, data: bytes) -> claims.Claims:
    """The claims in the *file* that holds *data*. ClaimsError."""
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise ClaimsError(
            "{file}: an old or encrypted workbook; save it as .xlsx without a password", file=file
        )
    if data.startswith(b"PK") or file.casefold().endswith(".xlsx"):
        from tlscheck.verify import sheet  # what few need costs the others no time to load

        return sheet.read(file, data)
    return claims.parse(file, data)
