"""The command line: parse, run, exit code. No decisions; one module a command.

Commands are imported when they are asked for, and what they need when they run: ``--help`` must
cost nothing.
"""

from __future__ import annotations

import gc
import importlib
import logging
import sys
from typing import NoReturn

import click

from tlscheck import __version__
from tlscheck.cli.words import LANGUAGE, _, option
from tlscheck.errors import TlscheckError
from tlscheck.text import told

COMMANDS = {
    "scan": "scan",
    "judge": "judge",
    "diff": "diff",
    "watch": "watch",
    "history": "history",
    "verify": "verify",
    "bundle": "bundle",
    "init": "init",
    "config": "config",
    "demo": "demo",
    "rules": "rules",
    "explain": "rules",
    "profile": "profile",
    "checklist": "checklist",
}
"""Each command and the module that has it."""


class _Commands(click.Group):
    """Commands by name, each from its own module, in the order of `COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"tlscheck.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command


@click.command(
    cls=_Commands,
    help=_(
        "Looks at TLS endpoints from outside and answers official checklists with evidence."
        " What could not be looked at is unknown, never a pass."
    ),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="tlscheck %(version)s")
@click.option("--lang", type=click.Choice(("ja", "en")), expose_value=False, help=_("Language."))
@click.option("-v", "--verbose", is_flag=True, help=_("Say more on standard error."))
def tlscheck(verbose: bool) -> None:
    """All commands."""
    logging.basicConfig(format="%(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("tlscheck").setLevel(logging.DEBUG if verbose else logging.ERROR)


def main() -> None:
    """Run the command line. Exit code 2 and one line for the user's mistakes."""
    gc.disable()  # while modules are loaded nothing is garbage; who runs long enables it
    for stream in (sys.stdout, sys.stderr):
        # A console that cannot show a character gets a stand-in, not a crash.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        tlscheck.main(prog_name="tlscheck", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.ClickException as error:
        _mistaken(told(" ".join(error.format_message().split()), LANGUAGE))
    except TlscheckError as error:
        _mistaken(error.said(LANGUAGE), error.code)
    except click.Abort:
        sys.exit(130)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)


def _mistaken(words: str, code: int = 2) -> NoReturn:
    """End with the user's mistake. To Nagios 2 would be CRITICAL, so it is told UNKNOWN."""
    if option(sys.argv[1:], "--format", "-f") == "nagios":
        from tlscheck.render import nagios

        click.echo(nagios.said(nagios.State.UNKNOWN, words))
        sys.exit(nagios.State.UNKNOWN)
    click.echo(f"tlscheck: {words}", err=True)
    sys.exit(code)


__all__ = ["LANGUAGE", "main", "tlscheck"]
