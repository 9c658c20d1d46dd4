"""The user's mistakes, each one line that names the place, the key and the remedy."""

from __future__ import annotations

from tlscheck.text import voice


class TlscheckError(Exception):
    """The base of everything that ends the program with exit code 2 and one line on stderr.

    As evidence, it is a template in English and the values for it.
    """

    code = 2
    """The exit code."""

    def __init__(self, template: str, /, **values: object) -> None:
        super().__init__(template)
        self.template = template
        self.values = values

    def __str__(self) -> str:
        return self.said("en")

    def said(self, lang: str) -> str:
        """The line in the language *lang*."""
        return " ".join(voice(lang)(self.template, **self.values).split())


class TargetError(TlscheckError):
    """A target that cannot be understood."""


class ProfileError(TlscheckError):
    """A profile that is not there or does not fit the rules."""


class ChecklistError(TlscheckError):
    """A checklist that is not there or names what does not exist."""


class ConfigError(TlscheckError):
    """A configuration file that cannot be read or holds unknown keys."""


class ScanFileError(TlscheckError):
    """A scan file that cannot be read."""


class ClaimsError(TlscheckError):
    """A claims file or sheet that cannot be read."""


class OutputError(TlscheckError):
    """An output file that cannot be written."""


class HistoryError(TlscheckError):
    """A history that cannot be read or written."""


class SheetError(TlscheckError):
    """An evaluator's workbook that cannot be filled without damage."""


class BusyError(TlscheckError):
    """Another run is at work (EX_TEMPFAIL)."""

    code = 75
