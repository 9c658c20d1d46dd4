"""``tlscheck scan``: look, judge, answer."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tlscheck import data
from tlscheck.cli import kept, options, saved
from tlscheck.cli.delivery import deliver, ordered
from tlscheck.cli.files import check, differ, read
from tlscheck.cli.words import _
from tlscheck.errors import ConfigError, TargetError

if TYPE_CHECKING:
    from tlscheck import exposure
    from tlscheck.config import Settings
    from tlscheck.model import Scan
    from tlscheck.pipeline import Order, Tell


@click.command(help=_("Look at each TARGET and answer the checklists."))
@click.argument("targets", nargs=-1, metavar="TARGET...")
@click.option("-c", "--config", metavar="FILE", help=_("Take targets and settings from FILE."))
@click.option(
    "--only",
    metavar="S,...",
    help=_(
        "Look at these subjects only: tls, certificate, http, registration, dns, ports, vpn, ike,"
        " turn, quic."
    ),
)
@click.option("-4", "family", flag_value=4, type=int, help=_("Look at IPv4 addresses only."))
@click.option("-6", "family", flag_value=6, type=int, help=_("Look at IPv6 addresses only."))
@click.option("--sni", metavar="NAME", help=_("Send NAME as the server name."))
@click.option(
    "--resolve", metavar="HOST:PORT:ADDR", multiple=True, help=_("Take ADDR for HOST and PORT.")
)
@click.option("--client-cert", metavar="F", help=_("Client certificate, PEM."))
@click.option("--client-key", metavar="F", help=_("The client certificate's key, PEM."))
@click.option("--ca-file", metavar="F", help=_("Also trust the CAs in F, PEM."))
@click.option("--plan", is_flag=True, help=_("Say what would be asked, and ask nothing."))
@click.option(
    "--cross-check", is_flag=True, help=_("Enumerate with sslyze too (some 560 connections more).")
)
@click.option(
    "--baseline", metavar="SCAN", help=_("Compare domains with SCAN, an earlier scan file.")
)
@click.option(
    "--refresh", is_flag=True, help=_("Ask registries anew, whatever they answered today.")
)
@click.option(
    "--mail", is_flag=True, help=_("Look at the TLS of the domains' mail hosts too (STARTTLS).")
)
@click.option("--keep-contacts", is_flag=True, help=_("Keep personal contacts of registrations."))
@click.option(
    "--exposure",
    is_flag=True,
    help=_(
        "Look for open ports, SSL-VPN and IPsec at the targets' addresses and for management pages"
        " too."
    ),
)
@click.option(
    "--ports", metavar="N,...", help=_("These TCP ports only, as 22,8000-8100; all: every one.")
)
@click.option("--rate", metavar="N", type=float, help=_("N ports a second; 0: as many as go."))
@click.option("--parallel", metavar="N", type=int, help=_("N ports at once."))
@click.option("--tries", metavar="N", type=int, help=_("Ask silent ports N times."))
@click.option(
    "--thorough", is_flag=True, help=_("Ask declared ports for an SSL-VPN as the others are asked.")
)
@click.option(
    "--aggressive",
    is_flag=True,
    help=_(
        "Ask IPsec gateways for IKEv1's aggressive mode, whose answer carries a hash by which the"
        " pre-shared key can be guessed."
    ),
)
@click.option(
    "--save",
    metavar="FILE",
    help=_(
        "Keep what was seen in FILE, for tlscheck judge; in FILE.zip with the bytes that it rests"
        " on, for tlscheck bundle."
    ),
)
@click.option("--sign", metavar="KEY", help=_("Sign the bundle of --save with KEY."))
@click.option(
    "--timestamp",
    metavar="URL",
    help=_("Have the bundle of --save time-stamped by the authority at URL (RFC 3161)."),
)
@click.option(
    "--history", metavar="FILE", help=_("Keep the scan in FILE too, and say what changed.")
)
@options.judging
@options.rendering
@options.filling
def scan(
    targets: tuple[str, ...],
    config: str | None,
    only: str | None,
    family: int | None,
    sni: str | None,
    resolve: tuple[str, ...],
    client_cert: str | None,
    client_key: str | None,
    ca_file: str | None,
    plan: bool,
    cross_check: bool,
    baseline: str | None,
    refresh: bool,
    mail: bool,
    keep_contacts: bool,
    exposure: bool,
    ports: str | None,
    rate: float | None,
    parallel: int | None,
    tries: int | None,
    thorough: bool,
    aggressive: bool,
    save: str | None,
    sign: str | None,
    timestamp: str | None,
    history: str | None,
    profile: str | None,
    checklists: tuple[str, ...],
    fail_on: str,
    form: str,
    output: str | None,
    fill: str | None,
) -> None:
    """Look, judge, render."""
    from tlscheck import config as configuration
    from tlscheck import domains, pipeline
    from tlscheck import targets as parsing

    settings = configuration.load(Path(config)) if config else configuration.Settings()
    ca_file = ca_file or settings.ca_file or None
    saving = saved.saving(save, sign, timestamp)
    asked = tuple(pipeline.Asked(parsing.parse(text)) for text in targets) or tuple(
        pipeline.Asked(parsing.parse(entry.target), entry.label) for entry in settings.targets
    )
    if not asked:
        raise TargetError("no target; give one or more, such as clinic.example.jp")
    name = profile or settings.profile
    lists = checklists or settings.checklists
    if configuration.ALL in lists:
        lists = data.checklists()
    declares = any(endpoint.names_ports for endpoint in settings.endpoints.values())
    with_addresses = exposure or bool(ports) or declares
    order = pipeline.Order(
        targets=asked,
        profile=name,
        checklists=tuple(lists),
        subjects=_subjects(only, with_addresses=with_addresses),
        unannounced=with_addresses or bool(only),
        family=family or 0,
        sni=_server_name(sni) if sni else None,
        resolve=dict(override(text) for text in resolve),
        **manner(client_cert, client_key, ca_file),
        cross_check=cross_check,
        connect_seconds=settings.budgets.connect,
        target_seconds=settings.budgets.target,
        at_once=settings.budgets.parallel,
        mail=mail,
        domains=domains.Order(
            network=settings.network,
            declared=domains.declared(settings, config or ""),
            before=saved.scan_in(baseline)[0] if baseline else None,
            family=family or 0,
            contacts=keep_contacts,
            refresh=refresh,
            cache=domains.kept_in(),
            ca_file=authorities(ca_file) if ca_file else None,
        ),
        exposure=exposed(
            settings,
            config or "",
            ports,
            {"rate": rate, "parallel": parallel, "tries": tries},
            {"thorough": thorough, "aggressive": aggressive},
        ),
        waivers=settings.waiver,
        keep_raw=saving.most_raw,
    )
    if settings.waiver:
        from tlscheck import waivers

        waivers.check(settings.waiver, config or "")
    if mail and "dns" not in order.subjects:
        raise ConfigError("--mail needs the DNS; add dns to --only")
    _refuse_unsound(name, lists)
    check(save)
    check(output)
    differ(config, baseline, client_cert, client_key, ca_file, fill, save, sign, output, history)
    delivery = ordered(form, output, fill)
    if plan:
        for line in asyncio.run(_plan(order)):
            click.echo(line)
        return
    kept.begin(history)
    gc.freeze()
    gc.enable()
    loading = threading.Thread(target=_load, args=(form, name), daemon=True)
    with live_line() as tell:

        def told(target: str, about: str, connections: int) -> None:
            if loading.ident is None:  # something was asked: now there is time
                loading.start()
            tell(target, about, connections)

        seen = asyncio.run(pipeline.look(order, told))
    _note_unused(seen, order)
    from tlscheck import judge as judging

    made = saving.save(judging.judge(seen))
    code = deliver(delivery, made, judging.exit_code(made, fail_on), settings.sheet)
    kept.keep(history, made)
    sys.exit(code)


def _refuse_unsound(profile: str, checklists: Iterable[str]) -> None:
    """Load what is not shipped: what is shipped is sound. ProfileError, ChecklistError."""
    if profile not in data.profiles():
        from tlscheck import profile as profiles

        profiles.load(profile)
    shipped = data.checklists()
    for each in checklists:
        if each not in shipped:
            from tlscheck import checklist as catalogs

            catalogs.load(each)


def _load(form: str, profile: str) -> None:
    """What judges and renders, while the network is waited for."""
    import_module("tlscheck.judge")
    import_module(f"tlscheck.render.{form}")
    if profile in data.profiles():
        from tlscheck import profile as profiles

        profiles.load(profile)


def _note_unused(seen: Scan, order: Order) -> None:
    """Say which declarations are of nothing that was looked at."""
    if order.exposure is None:
        return
    from tlscheck import exposure
    from tlscheck.text import visible

    for host in exposure.unused(seen.looks, order.exposure):
        words = _('[endpoints."{host}"] is not used: no target has that name or address')
        click.echo(f"tlscheck: {words.format(host=visible(host))}", err=True)


def _subjects(only: str | None, *, with_addresses: bool) -> tuple[str, ...]:
    from tlscheck import pipeline

    known = pipeline.SUBJECTS
    if only is None:
        return known if with_addresses else pipeline.USUAL
    asked = tuple(part.strip() for part in only.split(",") if part.strip())
    if not asked:
        raise ConfigError(
            "--only {only}: no subject; take some of {known}", only=repr(only), known=known
        )
    for subject in asked:
        if subject not in known:
            raise ConfigError(
                "--only {only}: no such subject; take some of {known}", only=subject, known=known
            )
    return asked


def manner(client_cert: str | None, client_key: str | None, ca_file: str | None) -> dict[str, Any]:
    """The client certificate to show and the CAs to trust, as an order has them. ConfigError."""
    from tlscheck.probes import live

    if (client_cert is None) != (client_key is None):
        raise ConfigError("--client-cert and --client-key belong together; give both")
    found: dict[str, Any] = {"ca_file": authorities(ca_file) if ca_file else None}
    if client_cert and client_key:
        found["identity"] = live.identity(read(client_cert), read(client_key))
        found["identity_files"] = (Path(client_cert), Path(client_key))
    return found


def authorities(path: str) -> bytes:
    """The certificates in *path*, PEM. ConfigError."""
    from cryptography import x509

    data = read(path)
    try:
        x509.load_pem_x509_certificates(data)
    except ValueError:
        raise ConfigError(
            "--ca-file {file}: no certificate in PEM form; give one", file=path
        ) from None
    return data


def exposed(
    settings: Settings,
    config: str,
    only: str | None,
    said: Mapping[str, float | None],
    wished: Mapping[str, bool],
) -> exposure.Order | None:
    """How addresses are looked at: as the configuration says, but for what the command line *said*;
    ``None`` where neither says anything.
    """
    own = {name: value for name, value in said.items() if value is not None}
    for name, value in own.items():
        if not (0 <= value <= _MOST and (value >= 1 or name == "rate")):
            raise ConfigError(
                "--{option} {value}: must be a number up to {most}",
                option=name,
                value=value,
                most=_MOST,
            )
    usual = settings.exposure == type(settings.exposure)()
    if usual and not (own or only or settings.endpoints or any(wished.values())):
        return None
    from tlscheck import exposure

    return exposure.ordered(settings, config, only or "", own, wished)


_MOST = 100_000


def _server_name(text: str) -> str:
    from tlscheck import targets

    try:
        return targets.server_name(text)
    except TargetError as error:
        raise TargetError("server name (--sni): {error}", error=error) from error


def override(text: str) -> tuple[tuple[str, int], str]:
    """What ``--resolve`` says. ConfigError."""
    host, _colon, rest = text.partition(":")
    port, _colon, address = rest.partition(":")
    if not host or not port.isdigit() or not address:
        raise ConfigError(
            "--resolve {text}: give HOST:PORT:ADDR, as clinic.example.jp:443:192.0.2.1", text=text
        )
    try:
        return (host.lower(), int(port)), str(ipaddress.ip_address(address.strip("[]")))
    except ValueError:
        raise ConfigError(
            "--resolve {text}: {address} is no address; give one", text=text, address=address
        ) from None


async def _plan(order: Order) -> list[str]:
    """What would be asked, from which address, at which cost."""
    from tlscheck import datagrams, domains, pipeline

    lines: list[str] = []
    for domain in domains.of(asked.spec.host for asked in order.targets):
        lines.extend(_plan_of(domain, order))
    lines.extend(await _plan_of_addresses(order))
    if not set(order.subjects) - {*pipeline.DOMAIN_SUBJECTS, *pipeline.ADDRESS_SUBJECTS}:
        return lines
    for cost in await pipeline.plan(order):
        if cost.trouble:
            lines.append(f"{cost.target}: {_('does not resolve')}")
            continue
        lines.append(
            _("{target}: from {source}, about {usual} TLS connections, {most} at the most").format(
                target=cost.target, source=cost.source, usual=cost.usual, most=cost.most
            )
        )
    lines.extend(
        _(
            "{target}: a few questions of STUN and TURN, and hellos of DTLS one after the other"
        ).format(target=asked.id)
        for asked in order.targets
        if asked.spec.service in datagrams.RELAYS and "turn" in order.subjects
    )
    if {"http", "ports"} <= set(order.subjects):
        from tlscheck.probes import management

        lines.append(
            _(
                "Of each web server {count} well-known paths, one after the other, for management"
                " pages."
            ).format(count=len(management.pages().probes))
        )
    lines.append(
        _(
            "Two at once to an address, up to eight while it answers; one at a time and ever more"
            " slowly once it shows a limit; {connect:g} s a connection, {budget:g} s a target."
        ).format(connect=order.connect_seconds, budget=order.target_seconds)
    )
    return lines


def _plan_of(domain: str, order: Order) -> Iterator[str]:
    if "dns" in order.subjects:
        yield _(
            "{domain}: about {usual} DNS questions, from the root down to its own name servers, one"
            " of them recursive and one for a zone transfer"
        ).format(domain=domain, usual=_QUESTIONS)
    if "registration" in order.subjects:
        yield _(
            "{domain}: one question to its registry, and one for each domain it leads to"
        ).format(domain=domain)


async def _plan_of_addresses(order: Order) -> list[str]:
    from tlscheck import pipeline

    of_all = [s for s in order.subjects if s in pipeline.ADDRESS_SUBJECTS]
    if not of_all and all(a.spec.service != pipeline.GATEWAY for a in order.targets):
        return []
    from tlscheck import exposure

    how = order.exposure or exposure.Order()
    found = await pipeline.addresses(order)
    costs = [(address, exposure.cost(subjects, how)) for address, subjects in found.items()]
    return [
        _(
            "{address}: {subjects}; {tcp} TCP ports and {udp} UDP ports, {rate} a second (0: as"
            " many as go) and {parallel} at once; up to {packets} packets of IKE"
        ).format(
            address=address,
            subjects=", ".join(cost.subjects),
            tcp=cost.tcp,
            udp=cost.udp,
            rate=f"{how.manner.rate:g}",
            parallel=how.manner.parallel,
            packets=cost.packets,
        )
        for address, cost in costs
        if cost.subjects
    ]


_QUESTIONS = 40
"""Measured in the tests' private root, with two name servers."""


@contextlib.contextmanager
def live_line() -> Iterator[Tell]:
    """A live line a target on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda target, about, connections: None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    lines: dict[str, str] = {}
    console = Console(stderr=True)
    with Live(console=console, refresh_per_second=8, transient=True) as live:

        def tell(target: str, about: str, connections: int) -> None:
            if about:
                lines[target] = _("{target}: {about} ({n} connections)").format(
                    target=target, about=about, n=connections
                )
            else:
                lines.pop(target, None)
            live.update(Text("\n".join(lines.values())))

        yield tell
