"""What was seen of a target's TLS, certificates and QUIC, for people: facts, no verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tlscheck.model import Look, State
from tlscheck.observations.certificate import Certificate, CertificateObservation, Chain, Trust
from tlscheck.observations.tls import Chooser, Names, Order, TlsObservation
from tlscheck.profile import Profile
from tlscheck.render.quic import quic
from tlscheck.render.view import with_detail
from tlscheck.text import (
    _N,
    CHOOSERS,
    DEMANDS,
    STANDINGS,
    STATES,
    moment,
    objection,
    translate,
    visible,
    voice,
    word,
)
from tlscheck.wire.registry import SUITE_BY_NAME, Version

MARKS = {
    "allowed": _N("allowed by the profile"),
    "open": _N("the profile leaves it open"),
    "not_allowed": _N("not allowed by the profile"),
    "none": _N("the profile says nothing of it"),
}


@dataclass(frozen=True, slots=True)
class Named:
    """The name of a suite or group, with what the run's own profile says of it."""

    name: str
    mark: str
    mark_word: str
    traits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VersionView:
    """One protocol version."""

    name: str
    state: str
    state_word: str
    order: str
    """Whose order the suites stand in, in words; empty where there is nothing to order."""
    suites: tuple[Named, ...]
    groups: tuple[Named, ...]
    schemes: tuple[str, ...]
    unsettled: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CertificateView:
    """One certificate."""

    title: str
    """The common name, else the first name or the subject."""
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ChainView:
    """A chain as it was sent."""

    title: str
    certificates: tuple[CertificateView, ...]
    lines: tuple[tuple[str, str], ...]
    """What checking it gave, each with its name."""


@dataclass(frozen=True, slots=True)
class FactsView:
    """All facts of one target."""

    versions: tuple[VersionView, ...]
    lines: tuple[tuple[str, str], ...]
    """Further traits of the TLS, each with its name."""
    chains: tuple[ChainView, ...]
    quic: tuple[tuple[str, str], ...] = ()
    """The same of QUIC."""


def facts(look: Look, profile: Profile, lang: str) -> FactsView:
    """What was seen of one target; *profile* marks what it allows."""
    tls, certificate = look.seen.get("tls"), look.seen.get("certificate")
    return FactsView(
        versions=tuple(_versions(tls, profile, lang)) if isinstance(tls, TlsObservation) else (),
        lines=tuple(_traits(tls, lang)) if isinstance(tls, TlsObservation) else (),
        chains=tuple(_chain(chain, lang) for chain in certificate.chains)
        if isinstance(certificate, CertificateObservation)
        else (),
        quic=quic(look, lang),
    )


# ---- TLS -------------------------------------------------------------------------------------


def _versions(seen: TlsObservation, profile: Profile, lang: str) -> Iterable[VersionView]:
    for version in reversed(Version):
        state = seen.versions.get(version, State.UNKNOWN)
        suites = seen.suites.get(version, ())
        left = seen.unknown.get(version, Names())
        yield VersionView(
            name=version,
            state=state,
            state_word=word(STATES, state, lang),
            order=_order(seen.order.get(version, Order()), suites, lang),
            suites=tuple(_named(profile, "tls.suites", n, lang, _suite(n, lang)) for n in suites),
            groups=tuple(
                _named(profile, "tls.groups", n, lang) for n in seen.groups.get(version, ())
            ),
            schemes=tuple(map(visible, seen.schemes.get(version, ()))),
            unsettled=tuple(map(visible, (*left.suites, *left.groups, *left.schemes))),
        )


def _order(order: Order, suites: tuple[str, ...], lang: str) -> str:
    if not suites or (order.suites is Chooser.UNKNOWN and len(suites) < 2):
        return ""
    words = word(CHOOSERS, order.suites, lang)
    if order.chacha_first is State.ACCEPTED:
        first = translate(_N("a client that puts ChaCha20 first gets it"), lang)
        words = f"{words}、{first}" if lang == "ja" else f"{words}; {first}"
    return words


def _named(
    profile: Profile, rule: str, name: str, lang: str, traits: tuple[str, ...] = ()
) -> Named:
    setting = profile.settings.get(rule)
    mark = "none"
    if setting:
        is_open = name in getattr(setting.want, "open", ())
        allowed = name in getattr(setting.want, "allow", ())
        mark = "allowed" if allowed else "open" if is_open else "not_allowed"
    return Named(visible(name), mark, word(MARKS, mark, lang), traits)


def _suite(name: str, lang: str) -> tuple[str, ...]:
    suite = SUITE_BY_NAME.get(name)
    if suite is None:
        return ()
    _ = voice(lang)
    told = (
        _("{bits} bits", bits=suite.bits),
        _("forward secret") if suite.forward_secret else _("not forward secret"),
        "" if suite.aead else _("no AEAD"),
        _("anonymous") if suite.anonymous else "",
        _("export") if suite.export else "",
    )
    return tuple(trait for trait in told if trait)


def _traits(seen: TlsObservation, lang: str) -> Iterable[tuple[str, str]]:
    _ = voice(lang)
    for name, state in (
        (_("TLS compression"), seen.compression),
        (_("Secure renegotiation (RFC 5746)"), seen.secure_renegotiation),
        (_("Extended master secret"), seen.extended_master_secret),
        (_("Encrypt-then-MAC"), seen.encrypt_then_mac),
        (_("TLS_FALLBACK_SCSV"), seen.fallback_scsv),
        (_("Session tickets"), seen.session_tickets),
    ):
        yield name, translate(_SUPPORT[state], lang)
    demand = word(DEMANDS, seen.client_certificate.demand, lang)
    yield _("Client certificate"), demand
    if seen.alpn:
        yield "ALPN", ", ".join(map(visible, seen.alpn))
    for dh in seen.dh:
        name = visible(dh.name) or _("a prime of its own")
        yield _("Diffie-Hellman prime"), _("{name}, {bits} bits", name=name, bits=dh.bits)


# ---- certificates ----------------------------------------------------------------------------


def _chain(chain: Chain, lang: str) -> ChainView:
    _ = voice(lang)
    key = chain.leaf.key if chain.certificates else "-"
    title = _("Chain with {key} certificate", key=key)
    if not chain.with_sni:
        title = _("Chain with {key} certificate, sent when no name is asked for", key=key)
    return ChainView(
        title=title,
        certificates=tuple(_certificate(c, lang) for c in chain.certificates),
        lines=tuple(_checked(chain, lang)),
    )


def _checked(chain: Chain, lang: str) -> Iterable[tuple[str, str]]:
    _ = voice(lang)
    yield _("Path to a root"), _trust(chain.path, lang)
    if chain.root:
        yield _("Root"), visible(chain.root.common_name or chain.root.subject)
    for store, trust in chain.trust.items():
        yield _("Store {store}", store=store), _trust(trust, lang, _STORE_WORDS)
    if chain.ca_file:
        yield _("Own CA file"), _trust(chain.ca_file, lang, _STORE_WORDS)
    yield _("Order of the certificates"), _("in order") if chain.in_order else _("not in order")
    if chain.needless:
        yield _("Sent without need"), "; ".join(map(visible, chain.needless))
    yield _("Stapled OCSP response"), translate(_STAPLED[chain.stapling], lang)
    for one in chain.revocation:
        told = next((c.common_name for c in chain.certificates if c.sha256 == one.certificate), "")
        about = visible(told or one.certificate[:16])
        source = f" ({visible(one.source)})" if one.source else ""
        yield _("Revocation of {name}", name=about), word(STANDINGS, one.standing, lang) + source


_PATH_WORDS = {
    State.ACCEPTED: _N("valid"),
    State.REFUSED: _N("not valid"),
    State.UNKNOWN: _N("not known"),
}
_SUPPORT = {
    State.ACCEPTED: _N("supported"),
    State.REFUSED: _N("not supported"),
    State.UNKNOWN: _N("not known"),
}
_STAPLED = {
    State.ACCEPTED: _N("sent"),
    State.REFUSED: _N("not sent"),
    State.UNKNOWN: _N("not known"),
}
_STORE_WORDS = {
    State.ACCEPTED: _N("knows the root"),
    State.REFUSED: _N("does not know the root"),
    State.UNKNOWN: _N("not known"),
}


def _trust(trust: Trust, lang: str, words: Mapping[State, str] = _PATH_WORDS) -> str:
    detail = objection(trust.detail, lang)
    said = translate(words[trust.state], lang)
    return with_detail(said, "" if trust.state is State.ACCEPTED else detail, lang)


def _certificate(certificate: Certificate, lang: str) -> CertificateView:
    _ = voice(lang)
    names = (*certificate.names, *certificate.addresses)
    bits = _("{bits} bits", bits=certificate.key_bits)
    lines = (
        (_("Subject"), certificate.subject),
        (_("Issuer"), certificate.issuer),
        (_("Names"), ", ".join(names)),
        (_("Valid from"), moment(certificate.not_before, lang) if certificate.not_before else ""),
        (_("Valid until"), moment(certificate.not_after, lang) if certificate.not_after else ""),
        (_("Key"), " ".join(filter(None, (certificate.key, certificate.curve, bits)))),
        (_("Signature hash"), certificate.signature_hash),
        (_("Validation"), certificate.policy),
        (_("Serial number"), certificate.serial),
        ("SHA-256", certificate.sha256),
        (_("Cannot be read"), ", ".join(certificate.unread)),
    )
    title = certificate.common_name or next(iter(names), "") or certificate.subject
    return CertificateView(
        title=visible(title or certificate.sha256[:16]),
        lines=tuple((name, visible(value)) for name, value in lines if value),
    )
