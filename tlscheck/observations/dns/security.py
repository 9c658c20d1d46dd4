"""DNSSEC: whether records follow from the root's key (RFC 4035), each link checked here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dns.dnssec
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from dns.rdtypes.ANY.DS import DS
from dns.rdtypes.ANY.RRSIG import RRSIG

from tlscheck.observations.dns.standing import Security, Standing

ANCHORS = (
    "20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
    "38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
)
"""The root's keys of 2017 and 2024, as IANA publishes them (RFC 7958; root-anchors.xml)."""
MOST_KEYS = 16
"""How many keys of a zone are tried: a zone with more is not followed (CVE-2023-50387)."""
MOST_SIGNATURES = 8


@dataclass(frozen=True, slots=True)
class Trust:
    """A zone's standing and, where it is secure, its keys."""

    security: Security
    keys: dns.rrset.RRset | None = None
    rsa_bits: tuple[int, ...] = ()


def anchor(texts: Iterable[str]) -> tuple[DS, ...]:
    """DS records of the root from their text. DNSException."""
    return tuple(
        dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.DS, text)  # type: ignore[misc]
        for text in texts
    )


def root(answer: dns.message.Message | None, anchors: Sequence[DS], at: datetime) -> Trust:
    """The trust in the root's keys of *answer*."""
    if not anchors:
        return Trust(Security(problem="no_anchor"))
    return _trusted(dns.name.root, answer, anchors, at)


def below(
    parent: Trust,
    name: dns.name.Name,
    ds_answer: dns.message.Message | None,
    key_answer: dns.message.Message | None,
    at: datetime,
) -> Trust:
    """The trust in the keys of the zone *name*, from its parent's word on its DS records.

    *ds_answer* is the parent's referral or its answer about DS; *key_answer* the zone's own about
    DNSKEY.
    """
    keys = _set(key_answer, name, dns.rdatatype.DNSKEY)
    algorithms = _algorithms(keys)
    records = _set(ds_answer, name, dns.rdatatype.DS)
    above = parent.security
    if above.standing is not Standing.SECURE or parent.keys is None:
        problem = "parent_bogus" if above.standing is Standing.BOGUS else above.problem
        return Trust(Security(above.standing, problem, bool(keys), _ds(records), algorithms))
    if ds_answer is None:
        return Trust(Security(problem="no_answer", signed=bool(keys), algorithms=algorithms))
    if records is None:
        return _without_ds(parent.keys, name, ds_answer, keys, at)
    trouble = problem_of(ds_answer, records, parent.keys, at)
    if trouble:
        return Trust(Security(Standing.BOGUS, trouble, bool(keys), _ds(records), algorithms))
    return _trusted(name, key_answer, tuple(records), at)


def _trusted(
    name: dns.name.Name,
    answer: dns.message.Message | None,
    records: Sequence[DS],
    at: datetime,
) -> Trust:
    """The trust in the zone's keys, given the DS *records* that are trusted."""
    keys = _set(answer, name, dns.rdatatype.DNSKEY)
    ds, algorithms = _ds(records), _algorithms(keys)
    records = _counting(records)
    if not records:  # as if there were none (RFC 4035, section 5.2)
        return Trust(Security(Standing.INSECURE, "unsupported", bool(keys), ds, algorithms))
    if answer is None:
        return Trust(Security(problem="no_answer", ds=ds))
    if keys is None:
        return Trust(Security(Standing.BOGUS, "no_keys", False, ds))
    if len(keys) > MOST_KEYS:
        return Trust(Security(Standing.UNKNOWN, "too_many_keys", True, ds, algorithms))
    anchored = [key for key in keys if any(_matches(name, key, record) for record in records)]
    if not anchored:
        return Trust(Security(Standing.BOGUS, "ds_mismatch", True, ds, algorithms))
    entry = dns.rrset.from_rdata_list(name, keys.ttl, anchored)
    trouble = problem_of(answer, keys, entry, at)
    if trouble:
        return Trust(Security(Standing.BOGUS, trouble, True, ds, algorithms))
    return Trust(Security(Standing.SECURE, "", True, ds, algorithms, end_of(answer, keys)), keys)


def _without_ds(
    parent_keys: dns.rrset.RRset,
    name: dns.name.Name,
    answer: dns.message.Message,
    keys: dns.rrset.RRset | None,
    at: datetime,
) -> Trust:
    """A zone without DS records: insecure, if the parent's signed denial says so."""
    algorithms = _algorithms(keys)
    for rrset in answer.authority:
        if rrset.rdtype not in (dns.rdatatype.NSEC, dns.rdatatype.NSEC3):
            continue
        if not problem_of(answer, rrset, parent_keys, at) and _denies(rrset, name):
            return Trust(Security(Standing.INSECURE, "", bool(keys), (), algorithms))
    return Trust(Security(Standing.BOGUS, "no_denial", bool(keys), (), algorithms))


def _denies(rrset: dns.rrset.RRset, name: dns.name.Name) -> bool:
    """Whether the NSEC or NSEC3 record speaks of *name*, and of no DS record there."""
    for record in rrset:
        if _is_at(rrset, record, name):
            return not _has(record.windows, dns.rdatatype.DS)
        opt_out = rrset.rdtype == dns.rdatatype.NSEC3 and record.flags & 1
        if opt_out and _spans(rrset, record, name):
            return True
    return False


def _hashed(name: dns.name.Name, record: Any) -> str:
    """The hash of *name* by an NSEC3 record's parameters; empty where they are not known."""
    try:
        return dns.dnssec.nsec3_hash(name, record.salt, record.iterations, record.algorithm)
    except ValueError:
        return ""


def _is_at(rrset: dns.rrset.RRset, record: Any, name: dns.name.Name) -> bool:
    """Whether the NSEC or NSEC3 *record* stands at *name*."""
    if rrset.rdtype == dns.rdatatype.NSEC:
        return bool(rrset.name == name)
    return rrset.name.labels[0].decode("ascii", "replace").upper() == _hashed(name, record)


def _spans(rrset: dns.rrset.RRset, record: Any, name: dns.name.Name) -> bool:
    """Whether *name* would stand between the *record* and the next."""
    if rrset.rdtype == dns.rdatatype.NSEC:
        return _between(rrset.name, name, record.next)
    owner = rrset.name.labels[0].decode("ascii", "replace").upper()
    following = record.next_name().labels[0].decode("ascii", "replace").upper()
    hashed = _hashed(name, record)
    return bool(hashed) and _between(owner, hashed, following)


def _between(first: Any, it: Any, last: Any) -> bool:
    """Whether *it* is between *first* and *last*, on a circle."""
    return bool(first < it < last if first < last else it > first or it < last)


def _has(windows: Sequence[tuple[int, bytes]], rdtype: int) -> bool:
    for window, bitmap in windows:
        if window == rdtype // 256:
            byte, bit = divmod(rdtype % 256, 8)
            return byte < len(bitmap) and bool(bitmap[byte] & (0x80 >> bit))
    return False


def denies(
    answer: dns.message.Message, name: dns.name.Name, keys: dns.rrset.RRset, at: datetime
) -> bool:
    """Whether a negative *answer* proves, by records that a zone's *keys* vouch for, that there is
    no *name*, one label below the zone.
    """
    proofs = [s for s in answer.authority if s.rdtype in (dns.rdatatype.NSEC, dns.rdatatype.NSEC3)]
    spoken = any(_is_at(s, r, name) or _spans(s, r, name) for s in proofs for r in s)
    return spoken and not any(problem_of(answer, s, keys, at) for s in proofs)


def contradicts(
    answer: dns.message.Message, name: dns.name.Name, keys: dns.rrset.RRset, at: datetime
) -> bool:
    """Whether *answer* says that there is no *name*, and its own signed proof that there is."""
    return answer.rcode() == dns.rcode.NXDOMAIN and any(
        _is_at(rrset, record, name) and not problem_of(answer, rrset, keys, at)
        for rrset in answer.authority
        if rrset.rdtype in (dns.rdatatype.NSEC, dns.rdatatype.NSEC3)
        for record in rrset
    )


def synthesised(answer: dns.message.Message, rrset: dns.rrset.RRset) -> bool:
    """Whether *rrset* is the alias that a DNAME record in *answer* makes, which nobody signs
    (RFC 6672, section 5.3.1).
    """
    return rrset.rdtype == dns.rdatatype.CNAME and any(
        other.rdtype == dns.rdatatype.DNAME
        and rrset.name.is_subdomain(other.name)
        and rrset[0].target == rrset.name.relativize(other.name).derelativize(other[0].target)
        for other in answer.answer
    )


def rsa_bits(answer: dns.message.Message | None, name: dns.name.Name) -> tuple[int, ...]:
    """The lengths of a zone's RSA keys."""
    lengths = set()
    for key in _set(answer, name, dns.rdatatype.DNSKEY) or ():
        if key.algorithm in _RSA and len(key.key) > 3:
            size, at = (key.key[0], 1) if key.key[0] else (int.from_bytes(key.key[1:3]), 3)
            lengths.add(int.from_bytes(key.key[at + size :]).bit_length())
    return tuple(sorted(lengths))


_RSA = (1, 5, 7, 8, 10)


def problem_of(
    answer: dns.message.Message, rrset: dns.rrset.RRset, keys: dns.rrset.RRset, at: datetime
) -> str:
    """What is wrong with the signatures of *rrset* in *answer*, by a zone's *keys*; empty where
    one of them is good.
    """
    signatures = [s for s in _signatures(answer, rrset) if s.signer == keys.name]
    problem = "no_signature"
    for signature in signatures[:MOST_SIGNATURES]:
        problem = "bad_signature"
        try:
            dns.dnssec.validate_rrsig(
                rrset,
                signature,
                {keys.name: keys.to_rdataset()},
                now=at.timestamp(),
                policy=dns.dnssec.allow_all_policy,
            )
        except (dns.exception.DNSException, ValueError, TypeError):
            if signature.expiration < at.timestamp():
                problem = "expired"
            elif signature.inception > at.timestamp():
                problem = "not_yet_valid"
        else:
            return ""
    return problem


def end_of(answer: dns.message.Message, rrset: dns.rrset.RRset) -> datetime | None:
    """When the last of the signatures of *rrset* ends."""
    ends = [s.expiration for s in _signatures(answer, rrset)]
    return datetime.fromtimestamp(max(ends), UTC) if ends else None


def signers(answer: dns.message.Message, rrset: dns.rrset.RRset) -> set[dns.name.Name]:
    """The zones that say they signed *rrset*."""
    return {signature.signer for signature in _signatures(answer, rrset)}


def _signatures(answer: dns.message.Message, rrset: dns.rrset.RRset) -> list[RRSIG]:
    found: list[RRSIG] = []
    for section in (answer.answer, answer.authority):
        for other in section:
            if (
                other.rdtype == dns.rdatatype.RRSIG
                and other.name == rrset.name
                and other.covers == rrset.rdtype
            ):
                found.extend(other)
    return found


def _set(
    answer: dns.message.Message | None, name: dns.name.Name, rdtype: int
) -> dns.rrset.RRset | None:
    for section in (answer.answer, answer.authority) if answer is not None else ():
        for rrset in section:
            if rrset.name == name and rrset.rdtype == rdtype:
                return rrset
    return None


def _algorithms(keys: dns.rrset.RRset | None) -> tuple[int, ...]:
    return tuple(sorted({int(key.algorithm) for key in keys or ()}))


def _ds(records: Iterable[DS] | None) -> tuple[str, ...]:
    return tuple(sorted(f"{r.key_tag} {r.algorithm} {r.digest_type}" for r in records or ()))


_ALGORITHMS = frozenset({5, 7, 8, 10, 13, 14, 15, 16})
_SHA1, _DIGESTS = 1, frozenset({1, 2, 4})
"""What can be checked here, and by resolvers (RFC 9904)."""


def _counting(records: Sequence[DS]) -> list[DS]:
    """The DS records that count: SHA-1 does not beside a better digest (RFC 4509, section 3)."""
    known = [r for r in records if r.algorithm in _ALGORITHMS and r.digest_type in _DIGESTS]
    better = [r for r in known if r.digest_type != _SHA1]
    return better or known


def _matches(name: dns.name.Name, key: DNSKEY, record: DS) -> bool:
    if key.algorithm != record.algorithm or dns.dnssec.key_id(key) != record.key_tag:
        return False
    try:
        made = dns.dnssec.make_ds(
            name, key, record.digest_type, policy=dns.dnssec.allow_all_policy, validating=True
        )
    except (dns.exception.DNSException, ValueError):
        return False
    return bool(made.digest == record.digest)
