"""Whose word a certificate rests on."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from tlscheck.model import Evidence, Note, Open, Problem, State
from tlscheck.observations.certificate import (
    CertificateObservation,
    Chain,
    Trust,
)
from tlscheck.rules.certificate.doubts import (
    clock,
    clock_is_off,
    lacks,
    open_end,
    path_unknown,
    unseen,
)
from tlscheck.rules.core import Problems, rule


@dataclass(frozen=True, slots=True)
class Trusted:
    """The stores (``mozilla``, ``apple``, ``microsoft``, ``google``, ``java``) that must know the
    root."""

    stores: frozenset[str]


@rule("RFC 5280, section 6")
def trusted(seen: CertificateObservation, want: Trusted) -> Problems:
    """The certificate is trusted by every client that counts.

    A client that finds no valid path from the certificate to a root that it knows shows a warning,
    and users who learn to click warnings away are lost. Get the certificate from a public CA, and
    install it together with the intermediate certificates that the CA delivers: nginx wants both
    in one file, the server's own first (``ssl_certificate fullchain.pem``), and so does Apache
    since 2.4.8 (``SSLCertificateFile``). Where a private CA is meant to be used, name its root
    with ``--ca-file``.
    """
    yield from unseen(seen)
    for chain in seen.asked():
        match chain.path.state:
            case _ if clock_is_off(seen) and (
                chain.path.of_time or chain.path.state is State.ACCEPTED
            ):
                yield clock(seen)
            case State.REFUSED:
                yield Problem(
                    "no_path",
                    "the {key} certificate has no valid path to a root: {objection}",
                    key=chain.leaf.key,
                    objection=chain.path.detail,
                )
            case State.UNKNOWN:
                yield path_unknown(chain)
            case State.ACCEPTED:
                yield from _stores(seen, chain, want)
        yield from _strict(chain)


def _stores(seen: CertificateObservation, chain: Chain, want: Trusted) -> Iterator[Evidence]:
    if chain.ca_file and chain.ca_file.state is State.ACCEPTED:
        yield Note(
            "own_ca",
            "the {key} certificate leads to a root that was given with --ca-file",
            key=chain.leaf.key,
        )
        return
    for store in sorted(want.stores):
        known = {"store": store, "date": seen.trust_dates.get(store, "")}
        match chain.trust.get(store, Trust()).state:
            case State.ACCEPTED:
                yield Note("in_store", "{store} (as of {date}) knows the root", **known)
            case State.REFUSED:
                yield Problem(
                    "not_in_store",
                    "the {key} certificate leads to no root of {store} (as of {date})",
                    key=chain.leaf.key,
                    **known,
                )
            case State.UNKNOWN:
                yield Open(
                    "store_unknown",
                    "whether {store} knows the root of the {key} certificate is not known",
                    store=store,
                    key=chain.leaf.key,
                )


def _strict(chain: Chain) -> Iterator[Evidence]:
    if chain.strict.state is State.REFUSED:
        yield Note(
            "strict",
            "a verifier that takes the Web PKI's rules to the letter objects: {objection}",
            objection=chain.strict.detail,
        )
    elif chain.strict.state is State.UNKNOWN:
        yield Note(
            "strict_unknown", "the strict check was not made: {why}", why=chain.strict.detail
        )


@rule("RFC 5280, section 6")
def publicly_issued(seen: CertificateObservation) -> Problems:
    """The certificate comes from a public CA.

    Patients use devices that nobody administers: they know the roots that came with the system,
    and should never be told to install another. Replace a certificate of a private CA by one from
    a public CA; the name then has to be a public one.
    """
    yield from unseen(seen)
    for chain in seen.asked():
        # Microsoft's list has many roots that are not for servers: by itself it proves nothing.
        known = {name: word.state for name, word in chain.trust.items()}
        microsoft = known.pop("microsoft", State.REFUSED)
        if State.ACCEPTED in known.values():
            continue
        if not known or State.UNKNOWN in (*known.values(), microsoft):
            yield path_unknown(chain)
        elif microsoft is State.ACCEPTED:
            yield Open(
                "microsoft_only",
                "only Microsoft knows the root, and not all of its roots are for servers",
            )
        else:
            yield Problem(
                "not_public",
                "the {key} certificate leads to no public root; its issuer is {issuer}",
                key=chain.leaf.key,
                issuer=chain.following[-1].issuer,
            )


@dataclass(frozen=True, slots=True)
class Distrusted:
    """Organisations whose CAs are no longer trusted by those who run the stores."""

    organisations: frozenset[str]
    open: frozenset[str] = frozenset()
    """Those whom only some have given up."""


@rule("CA/Browser Forum Baseline Requirements")
def distrusted_issuer(seen: CertificateObservation, want: Distrusted) -> Problems:
    """No CA in the path is one that browsers have given up.

    Browsers take back their trust in a CA step by step, often only for certificates issued after a
    certain day, so the certificate may still work today. Order the next one from another CA.
    """
    yield from unseen(seen)
    distrusted = {_normal(name) for name in want.organisations}
    doubted = {_normal(name) for name in want.open}
    for chain in seen.asked():
        there = (*chain.certificates, *chain.way)
        names = {name for c in there for name in (c.organisation, c.issuer_organisation) if name}
        for name in sorted(names):
            if _normal(name) in distrusted:
                yield Problem(
                    "distrusted", "the CA {organisation} is in the path", organisation=name
                )
            elif _normal(name) in doubted:
                yield Open(
                    "doubted",
                    "the CA {organisation} is in the path; only some browsers have given it up",
                    cause="open_question",
                    organisation=name,
                )
        if open_end(chain) or any(lacks(c, "names") for c in there):
            yield path_unknown(chain)


def _normal(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
