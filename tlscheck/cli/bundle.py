"""``tlscheck bundle``: evidence checked again."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from tlscheck.cli import options
from tlscheck.cli.files import check, create, read, write
from tlscheck.cli.saved import passphrase, scan_in
from tlscheck.cli.words import LANGUAGE, _
from tlscheck.errors import ConfigError, ScanFileError
from tlscheck.text import _N, voice

if TYPE_CHECKING:
    from cryptography import x509

    from tlscheck.bundle.verify import Trusted


@click.group(help=_("Bundles: what a scan saw, with the bytes that it rests on."))
@options.language
def bundle() -> None:
    """Bundles."""


@bundle.command(
    "keygen",
    help=_(
        "Make a key to sign bundles with: KEY, for nobody's eyes but yours, and KEY.pub, for"
        " everybody's. With a passphrase in TLSCHECK_KEY_PASSPHRASE, KEY is encrypted."
    ),
    short_help=_("Make a key to sign bundles with."),
)
@click.option("-o", "--output", metavar="KEY", required=True, help=_("The file of the key."))
@options.language
def keygen(output: str) -> None:
    """Two files, and the fingerprint."""
    from tlscheck.bundle import seal

    beside = f"{output}.pub"
    check(output)
    check(beside)
    private, public = seal.generated(passphrase())
    create(private, output)
    write(public, beside)
    click.echo(f"{output}, {beside}")
    click.echo(f"sha256: {seal.fingerprint(seal.public(public, beside))}")


@bundle.command(
    "verify",
    help=_(
        "Check FILE: manifest, signature and time stamp; read its bytes again, judge again, and say"
        " whether the findings follow. Exit code 1 where something does not hold."
    ),
    short_help=_("Check a bundle, and whether its findings follow from its bytes."),
)
@click.argument("file")
@click.option("--key", metavar="PUB", help=_("The public key of who must have signed it, PEM."))
@click.option(
    "--tsa-ca", metavar="F", help=_("The CAs of the time-stamping authority to trust, PEM.")
)
@options.language
def verify(file: str, key: str | None, tsa_ca: str | None) -> None:
    """A line for each thing that was checked."""
    from tlscheck.bundle import archive
    from tlscheck.bundle.verify import Mark
    from tlscheck.bundle.verify import verify as verified

    data = read(file, archive.MOST_BYTES)
    if not archive.looks_like_one(data):
        raise ScanFileError("{file}: no bundle; give a file that --save FILE.zip wrote", file=file)
    lines = verified(data, _trusted(key, tsa_ca))
    say, marks = voice(LANGUAGE), {Mark.HOLDS: "✓", Mark.BROKEN: "✗", Mark.NOTE: "·"}
    for line in lines:
        click.echo(f"{marks[line.mark]} {say(line.words.template, **line.words.values)}")
    if any(line.mark is Mark.BROKEN for line in lines):
        click.echo(_("The bundle does not hold."))
        sys.exit(1)
    click.echo(_("The bundle holds."))


def _trusted(key: str | None, tsa_ca: str | None) -> Trusted:
    from tlscheck.bundle import seal
    from tlscheck.bundle.verify import Trusted

    return Trusted(
        seal.public(read(key, 65536), key) if key else None,
        _certificates(tsa_ca) if tsa_ca else (),
    )


def _certificates(path: str) -> Sequence[x509.Certificate]:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(read(path))
    except ValueError:
        raise ConfigError(
            "{option} {file}: no certificate in PEM form; give one", option="--tsa-ca", file=path
        ) from None


@bundle.command(
    "challenge",
    help=_(
        "Look at the TLS endpoints of FILE again, at the same addresses, and say what agrees. Exit"
        " code 1 where something contradicts, 3 where something could not be looked at again."
    ),
    short_help=_("Look at a bundle's endpoints again, and say what agrees."),
)
@click.argument("file")
@click.option("--client-cert", metavar="F", help=_("Client certificate, PEM."))
@click.option("--client-key", metavar="F", help=_("The client certificate's key, PEM."))
@click.option("--ca-file", metavar="F", help=_("Also trust the CAs in F, PEM."))
@options.language
def challenge(
    file: str, client_cert: str | None, client_key: str | None, ca_file: str | None
) -> None:
    """Look, judge by the bundle's own texts, compare."""
    from tlscheck import judge as judging
    from tlscheck import pipeline
    from tlscheck.bundle.challenge import Mark, compare
    from tlscheck.cli.scan import live_line, manner

    scan, of = scan_in(file)
    kept = of.texts if of else None
    order = pipeline.again(scan, **manner(client_cert, client_key, ca_file))
    if not order.targets or not order.subjects:
        raise ScanFileError("{file}: no TLS endpoint was looked at; give another file", file=file)
    say = voice(LANGUAGE)
    for place in (place for several in order.places.values() for place in several):
        # Whoever made the bundle named these, not whoever challenges it.
        words = _N("looking again at {host}, port {port}, {address}")
        click.echo(say(words, host=place.host, port=place.port, address=place.address), err=True)
    gc.enable()
    with live_line() as tell:
        seen = asyncio.run(pipeline.look(order, tell))
    lines = compare(judging.judge(scan, kept=kept), judging.judge(seen, kept=kept))
    marks = {Mark.AGREES: "✓", Mark.DIFFERS: "✗", Mark.OPEN: "?"}
    for line in lines:
        words = say(line.words.template, **line.words.values)
        click.echo(f"{marks[line.mark]} {say('{target}', target=line.target)}: {words}")
    found = {line.mark for line in lines}
    if Mark.DIFFERS in found:
        click.echo(_("Something contradicts the bundle."))
        sys.exit(1)
    if Mark.OPEN in found or Mark.AGREES not in found:
        click.echo(_("Not all could be looked at again."))
        sys.exit(3)
    click.echo(_("All that was looked at again agrees."))
