"""How an endpoint's certificates are looked up.

What the hello engine saw in clear is used; at most one handshake is added, for what only TLS 1.3
shows. What a server sends is verified in a child process alone.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

from tlscheck.model import Missed, Place, Reason, State
from tlscheck.net import Net, NetError, now
from tlscheck.observations import revocation as said
from tlscheck.observations.certificate import (
    Certificate,
    CertificateObservation,
    Chain,
    Presented,
    Revocation,
    Standing,
    Staple,
    Trust,
    certificate,
    merged,
    parse,
)
from tlscheck.probes import live, paths
from tlscheck.probes import revocation as ca
from tlscheck.probes.paths import Asked, Paths

MOST_CHAINS = 16
"""How many different chains of one endpoint are looked at."""
MOST_HOPS = 3
"""How many missing certificates are looked for."""
SECONDS = 20.0
"""How long the CAs may take for one certificate."""

_IN_SUITES = {"Ed25519": "ECDSA", "Ed448": "ECDSA", "DSA": "DSS"}
"""What the names of cipher suites call a key, where that is another word."""
_NO_ISSUER = frozenset({2, 20, 21})
"""OpenSSL's objections that the next certificate is not there."""


async def probe(
    net: Net,
    place: Place,
    *,
    seen: Sequence[Presented] = (),
    key_types: Collection[str] = (),
    revocation: bool = True,
    ca_file: bytes | None = None,
    clock_skew: float | None = None,
    client_identity: live.Identity | None = None,
    preamble: live.Preamble | None = None,
    at: datetime | None = None,
    heard: Callable[[Sequence[Presented]], None] = lambda shown: None,
) -> CertificateObservation | Missed:
    """What *place* shows of its certificates.

    *seen* are the chains that others saw (hellos with and without SNI, the HTTP probe's live
    handshake); *key_types* what the server's keys are known to be, see `key_types`. Where one of
    these, or any chain at all, was not seen yet, one handshake is made. With *revocation* the CAs
    are asked. *heard* is called with every chain that the observation is made of.
    """
    at = at or now()
    named = place.sni is not None
    wanted = _unseen(seen, key_types, named)
    if wanted or not _of(seen, named):
        try:
            async with live.handshake(
                net,
                place,
                client_identity=client_identity,
                preamble=preamble,
                signature_key=_signature_key(wanted) if _of(seen, named) else None,
            ) as talk:
                seen = [*seen, talk.presented]
        except NetError as error:
            if not _of(seen, named):
                return Missed("certificate", error.reason, error.detail)
    every = sorted((s for s in merged(seen) if s.chain), key=lambda s: s.with_sni != named)
    shown, left_out = every[:MOST_CHAINS], every[MOST_CHAINS:]
    if not _of(shown, named):
        return Missed("certificate", Reason.HANDSHAKE, "no certificate was sent")
    heard(shown)
    host = place.sni or place.host
    checks = _Checks(net, host, place.address, at, ca_file=ca_file, ask=revocation)
    return CertificateObservation(
        at=at,
        asked_name=host,
        chains=await checks.of(shown),
        unseen=tuple(sorted({*_unseen(shown, key_types, named), *_kinds(left_out, named)})),
        trust_dates=paths.store_dates(),
        clock_skew=clock_skew,
    )


def _of(seen: Iterable[Presented], named: bool) -> list[Presented]:
    """The chains sent to who asks as we do."""
    return [s for s in seen if s.chain and s.with_sni == named]


def _unseen(seen: Iterable[Presented], key_types: Collection[str], named: bool) -> tuple[str, ...]:
    return tuple(sorted(set(key_types) - _kinds(seen, named)))


def _kinds(seen: Iterable[Presented], named: bool) -> set[str]:
    """The key types of the certificates, as cipher suites name them."""
    keys = {certificate(s.chain[0]).key for s in _of(seen, named)}
    return {_IN_SUITES.get(key, key) for key in keys}


def _signature_key(wanted: Sequence[str]) -> live.KeyType | None:
    match wanted:
        case ["RSA", *_]:
            return "RSA"
        case ["ECDSA", *_]:
            return "ECDSA"
    return None


class _Checks:
    """The checks of one endpoint's chains."""

    def __init__(
        self,
        net: Net,
        host: str,
        near: str,
        at: datetime,
        *,
        ca_file: bytes | None,
        ask: bool,
    ) -> None:
        self._net = net
        self._host = host
        self._near = near
        self._at = at
        self._ca_file = ca_file
        self._ask = ask
        """Whether the CAs may be asked."""

    async def of(self, shown: Sequence[Presented]) -> tuple[Chain, ...]:
        """The chains with the paths that they have and what the CAs say of them."""
        found = await self._paths([Asked(sent.chain) for sent in shown])
        chains = [self._with_paths(*pair) for pair in zip(shown, found, strict=True)]
        if self._ask:
            chains = [await self._completed(*pair) for pair in zip(shown, chains, strict=True)]
        chains = [self._with_staple(*pair) for pair in zip(shown, chains, strict=True)]
        words = await self._revocations(chains)
        return tuple(
            replace(c, revocation=tuple(words[one.sha256] for one in c.way[:-1])) for c in chains
        )

    async def _paths(self, asked: Sequence[Asked]) -> tuple[Paths, ...]:
        return await paths.check(asked, self._host, self._at, self._ca_file)

    def _with_paths(self, sent: Presented, found: Paths) -> Chain:
        chain = parse(sent)
        missing = State.UNKNOWN if found.path.state is State.UNKNOWN else State.REFUSED
        trust = found.trust
        if _ends_early(chain, found.path):
            # A public CA always names where its certificate is to be had: where none is named,
            # this leads to no store. Else it is not known yet.
            missing = State.UNKNOWN
            if chain.following[-1].issuers:
                trust = {name: _not_known(word) for name, word in trust.items()}
        return replace(
            chain,
            missing_intermediate=missing,
            path=found.path,
            strict=found.strict,
            trust=trust,
            ca_file=found.ca_file,
            way=tuple(certificate(der) for der in found.way),
        )

    async def _completed(self, sent: Presented, chain: Chain) -> Chain:
        """The chain, and where it ends early what its issuers' own certificates add."""
        last = chain.following[-1]
        extra: list[bytes] = []
        sources: list[str] = []
        path = chain.path
        while _ends_early(chain, path) and not last.self_issued and len(extra) < MOST_HOPS:
            try:
                der, url = await ca.issuer(self._net, last, self._near)
            except NetError:
                return chain
            last = certificate(der)
            extra.append(der)
            sources.append(url)
            (found,) = await self._paths([Asked(sent.chain, extra)])
            path = found.path
        if not extra or path.state is State.UNKNOWN or path.code in _NO_ISSUER:
            return chain
        missing = any(not certificate(der).self_issued for der in extra)
        return replace(
            self._with_paths(sent, found),
            path=chain.path,
            strict=chain.strict,
            missing_intermediate=State.ACCEPTED if missing else State.REFUSED,
            completed_from=tuple(sources),
        )

    def _with_staple(self, sent: Presented, chain: Chain) -> Chain:
        if not sent.stapled:
            return chain
        issuer = _der(chain.way[1]) if len(chain.way) > 1 else None
        return replace(chain, staple=said.staple(sent.stapled, sent.chain[0], issuer, self._at))

    async def _revocations(self, chains: Iterable[Chain]) -> Mapping[str, Revocation]:
        """What is known of each certificate that has an issuer, by its sha256."""
        asked: dict[str, tuple[Certificate, Certificate, Staple | None]] = {}
        for chain in chains:
            for one, issuer in pairwise(chain.way):
                staple = chain.staple if one.sha256 == chain.leaf.sha256 else None
                if one.sha256 not in asked or staple:
                    asked[one.sha256] = one, issuer, staple
        words = await asyncio.gather(*(self._revocation(*three) for three in asked.values()))
        return dict(zip(asked, words, strict=True))

    async def _revocation(
        self, one: Certificate, issuer: Certificate, staple: Staple | None
    ) -> Revocation:
        if staple:
            word = said.answered(_der(one), staple, self._at, "stapled")
            if word.standing is not Standing.UNKNOWN:
                return word
        if not self._ask:
            return Revocation(one.sha256, detail=Reason.NOT_ASKED)
        try:
            async with asyncio.timeout(SECONDS):
                return await ca.ask(self._net, one, _der(issuer), self._near, self._at)
        except TimeoutError:
            return Revocation(one.sha256, detail=Reason.TIMEOUT)


def _ends_early(chain: Chain, path: Trust) -> bool:
    return path.code in _NO_ISSUER and not chain.following[-1].self_issued


def _not_known(word: Trust) -> Trust:
    if word.code in _NO_ISSUER:
        return Trust(State.UNKNOWN, word.detail, word.code)
    return word


def _der(cert: Certificate) -> bytes:
    return base64.b64decode(cert.der)
