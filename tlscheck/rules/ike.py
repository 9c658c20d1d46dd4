"""Whether an IPsec gateway agrees to nothing weak, as far as anybody on the internet can ask it.

No official guide of IPsec parameters exists in Japan: what is wanted here is our own reading of the
CRYPTREC list, and every rule that rests on it says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from tlscheck.model import Evidence, Note, Open, Problem, Reason, State
from tlscheck.observations.ike import Dimension, IkeObservation, IkeVersion
from tlscheck.rules.core import NotApplicable, Problems, rule
from tlscheck.wire.ike import Phase1


@rule("RFC 9395")
def versions(seen: IkeObservation) -> Problems:
    """IKEv1 is not accepted.

    IKEv1 is deprecated and its documents are historic; nobody looks after it any more. Set up every
    connection anew with IKEv2 and switch IKEv1 off, on routers that know IKEv1 alone by replacing
    them. That it stays silent proves nothing: gateways of IKEv1 are silent to strangers.
    """
    if not seen.answered:
        yield _unseen(seen)
        return
    state = seen.versions.get(IkeVersion.V1, State.UNKNOWN)
    if state is State.ACCEPTED:
        yield Problem("accepted", "{version} is accepted", version=IkeVersion.V1)
        return
    if state is State.REFUSED:
        yield Note("refused", "the gateway says that it does not know IKEv1")
        if seen.versions.get(IkeVersion.V2) is not State.ACCEPTED:
            yield _nothing_granted()
    elif seen.engine(IkeVersion.V1):
        yield Open(
            "engine",
            "the gateway answers in IKEv1 and took nothing of what was offered: whether a"
            " connection for IKEv1 is set up must be declared",
            cause=Reason.TO_DECLARE,
        )
    else:
        yield Open(
            "silent",
            "IKEv1 was asked for and not answered, which proves nothing: whether it is in use must"
            " be declared",
            cause=Reason.TO_DECLARE,
        )


@dataclass(frozen=True)
class Forbidden:
    """Names that must not be accepted."""

    forbid: frozenset[str]
    """Of IKEv2, by IANA's names."""


@dataclass(frozen=True)
class Ciphers:
    """Ciphers that must not be accepted."""

    forbid: frozenset[str]
    """Of IKEv2, by IANA's names."""
    forbid_ikev1: frozenset[str]
    """Of IKEv1, by IANA's names, without the length of their keys."""


@dataclass(frozen=True)
class Hashes:
    """What must not be accepted to protect integrity or to derive keys."""

    integrity: frozenset[str]
    """Of IKEv2, by IANA's names."""
    prf: frozenset[str]
    """The same."""
    forbid_ikev1: frozenset[str]


@dataclass(frozen=True)
class Strong:
    """Groups of which one at least must be accepted."""

    any: frozenset[str]


@rule("RFC 8247, section 2.4", "RFC 9395")
def groups(seen: IkeObservation, want: Forbidden) -> Problems:
    """No weak Diffie-Hellman group is accepted.

    Groups 1, 2, 5 and 22 are short enough to be broken, or nearly so; 23 and 24 may have a trap
    door. Leave them out of the proposals; offer groups 19, 20, 31 or 16 instead.
    """
    yield from _judged(seen, [(Dimension.GROUPS, want.forbid)])
    yield from _of_ikev1(seen, [p.group for p in seen.phase1], want.forbid)


@rule("RFC 8247, section 2.4")
def strong_group(seen: IkeObservation, want: Strong) -> Problems:
    """A strong Diffie-Hellman group is accepted.

    Peers with sound settings can agree with the gateway only if it has a strong group itself. Put
    group 19, 20, 31 or 16 (ECP, Curve25519, MODP from 2048 bits up) first in the proposals.
    """
    if not seen.answered:
        yield _unseen(seen)
        return
    yield _ours()
    states = {name: seen.groups.get(name, State.UNKNOWN) for name in sorted(want.any)}
    accepted = [name for name, state in states.items() if state is State.ACCEPTED]
    accepted += [p.group for p in seen.phase1 if p.group in want.any]
    if accepted:
        yield Note("strong", "accepted: {names}", names=tuple(dict.fromkeys(accepted)))
    elif State.UNKNOWN in states.values():
        yield Open("unsettled", "no strong group was seen to be accepted, and not all were settled")
    else:
        yield Problem("none", "no strong group is accepted")


@rule("RFC 8247, section 2.1", "RFC 9395")
def encryption(seen: IkeObservation, want: Ciphers) -> Problems:
    """No weak cipher is accepted.

    DES can be broken in hours, and ciphers with blocks of 64 bits such as 3DES leak after some
    gigabytes. Leave them out of the proposals; offer AES-GCM or AES-CBC with 128 or 256 bits.
    """
    yield from _judged(seen, [(Dimension.ENCRYPTION, want.forbid)])
    ciphers = [_bare(p.encryption) for p in seen.phase1]
    yield from _of_ikev1(seen, ciphers, want.forbid_ikev1)


@rule("RFC 8247, sections 2.2 and 2.3", "RFC 9395")
def integrity(seen: IkeObservation, want: Hashes) -> Problems:
    """Neither MD5 nor SHA-1 protects integrity or derives keys.

    Both hashes are broken; as HMAC they still hold, and no guideline counts on that for long. Leave
    them out of the proposals; offer SHA-256 or longer, or an AEAD cipher with such a PRF.
    """
    wanted = [(Dimension.INTEGRITY, want.integrity), (Dimension.PRF, want.prf)]
    yield from _judged(seen, wanted)
    yield from _of_ikev1(seen, [p.hash for p in seen.phase1], want.forbid_ikev1)


@rule("RFC 2409, section 5.4", "RFC 9395")
def aggressive_mode(seen: IkeObservation) -> Problems:
    """Aggressive mode with a pre-shared key is not accepted.

    In aggressive mode anybody who knows a name is sent a hash of the pre-shared key, and can guess
    the key offline at leisure. Switch it off, or use certificates; replace a key that was in use.
    """
    if not seen.answered:
        yield _unseen(seen)
        return
    if seen.versions.get(IkeVersion.V1, State.UNKNOWN) is State.REFUSED:
        if seen.versions.get(IkeVersion.V2) is not State.ACCEPTED:
            yield _nothing_granted()
            return
        raise NotApplicable("no-ikev1", "the gateway says that it does not know IKEv1")
    if seen.aggressive is State.ACCEPTED:
        yield Problem("accepted", "aggressive mode with a pre-shared key is answered")
    elif not seen.aggressive_asked:
        yield Open(
            "not-asked",
            "aggressive mode was not asked for (--aggressive asks): whether it is on must be"
            " declared",
            cause=Reason.TO_DECLARE,
        )
    elif seen.aggressive is State.UNKNOWN:
        yield Open(
            "unsettled",
            "aggressive mode was asked for, and the answer does not settle whether it is on",
        )
    else:
        yield Note("refused", "the gateway says that it has no aggressive mode")


# ---- what rules share ------------------------------------------------------------------------


def _unseen(seen: IkeObservation) -> Open:
    if seen.ports and all(port.closed for port in seen.ports):
        return Open(
            "closed",
            "{address} says that the ports of IKE are closed to us, and maybe not to others:"
            " whether there is a gateway must be declared",
            cause=Reason.TO_DECLARE,
            address=seen.address,
        )
    return Open(
        "unseen",
        "no IKE was seen at {address}, which proves nothing: whether there is a gateway must be"
        " declared",
        address=seen.address,
    )


def _nothing_granted() -> Open:
    return Open(
        "nothing-granted",
        "the gateway granted us no version of IKE; what it grants to others must be declared",
        cause=Reason.TO_DECLARE,
    )


def _ours() -> Note:
    return Note(
        "ours",
        "no official guide of IPsec parameters exists in Japan: this is judged by our own reading"
        " of the CRYPTREC list",
    )


Wanted = Sequence[tuple[Dimension, Collection[str]]]


def _judged(seen: IkeObservation, wanted: Wanted) -> Iterator[Evidence]:
    """What is accepted of what must not be, and what is not settled."""
    if not seen.answered:
        yield _unseen(seen)
        return
    yield _ours()
    left: list[str] = []
    for dimension, forbidden in wanted:
        states = seen.states(dimension)
        # A name may be in no registry of ours: what was chosen from it is forbidden all the same.
        for name in dict.fromkeys((*states, *sorted(forbidden))):
            if name not in forbidden:
                continue
            state = states.get(name, State.UNKNOWN)
            if state is State.ACCEPTED:
                yield Problem(
                    "accepted", "{version} accepts {name}", version=IkeVersion.V2, name=name
                )
            elif state is State.UNKNOWN:
                left.append(name)
    if left and seen.versions.get(IkeVersion.V2) is not State.REFUSED:
        if seen.throttled:
            yield Open(
                "throttled",
                "the gateway stopped answering while it was asked, or asks for cookies without"
                " end; not settled: {names}",
                names=tuple(left),
            )
        else:
            yield Open(
                "unsettled",
                "{version}: not settled whether it accepts {names}",
                version=IkeVersion.V2,
                names=tuple(left),
            )


def _of_ikev1(
    seen: IkeObservation, chosen: Sequence[str], forbidden: Collection[str]
) -> Iterator[Evidence]:
    """What IKEv1 chose of what must not be; of all else that it may accept nothing is known."""
    if not seen.answered:
        return
    for name in dict.fromkeys(chosen):
        if name in forbidden:
            yield Problem("accepted", "{version} accepts {name}", version=IkeVersion.V1, name=name)
    state = seen.versions.get(IkeVersion.V1, State.UNKNOWN)
    if state is State.ACCEPTED:
        yield Open(
            "ikev1",
            "IKEv1 is accepted, and of it only what was chosen is known: {transforms}",
            transforms=tuple(map(_words, seen.phase1)) or ("-",),
        )
    elif seen.versions.get(IkeVersion.V2) is not State.ACCEPTED:
        yield _nothing_granted()
    elif state is State.UNKNOWN:
        yield Note("ikev1-unknown", "of IKEv1 nothing is known here")


def _words(transform: Phase1) -> str:
    return f"{transform.encryption} {transform.hash} {transform.group}"


def _bare(cipher: str) -> str:
    """The cipher's name without the length of its key."""
    bare, _, bits = cipher.rpartition("-")
    return bare if bits.isdecimal() else cipher
