"""What a list of exchanges proves about one endpoint, and what it leaves open.

The rules of evidence are here, and nowhere else:

* An answer proves that what it names is accepted. Nothing that was not offered is ever reported.
* A refusal counts only between two good canaries: the last sign of health before it and the first
  after it must be good. A sign of health is any answer; a known-good hello that is not answered, or
  a connection that does not come about, is a bad one.
* An alert that refuses counts once. A close, a reset or another alert (a soft refusal) counts only
  when the same question met it `SOFT_NEEDED` times, each time among `CALM` good signs of health
  in a row: a network that loses connections at random ends known-good ones too. And the question
  must have had at least twice as much room before it as the canary that was served after it:
  whatever limits rates would have stopped the canary first. Silence is no refusal. But questions
  for SSL 2.0, which many servers end without a word, are refused by all of this, silence too, as
  by an alert, as long as nothing else met any trouble, and one of them had no company.
* Each name that is called refused was refused `NEEDED` times, and accepted once wins. Where
  connections contradicted each other (unequal nodes behind one address), each is asked
  `NEEDED_UNEQUAL` times, and what no node took by then is unknown: all the refusals may be one
  node's.
* A refusal of suites counts only when a hello that offered all of them and more was answered, and
  where their version is accepted, one of that version that was no shorter: a filter that dislikes
  one of them, or long hellos of that version, would have stopped that too.
* The dimensions lean on each other, so a refusal counts for a dimension only when all others were
  offered in full.

Pure: the same exchanges give the same knowledge, at the time of the look and years later.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from itertools import combinations

from tlscheck.model import State
from tlscheck.observations.exchange import (
    PROTOCOL_VERSION,
    Exchange,
    Outcome,
)
from tlscheck.observations.refusals import NEEDED, Refusals, hybrids
from tlscheck.wire.primes import FFDHE_PRIMES
from tlscheck.wire.registry import (
    GROUP_BY_NAME,
    GROUPS,
    SCHEME_BY_NAME,
    SCHEMES,
    SUITE_BY_NAME,
    SUITES,
    Version,
)

NEEDED_UNEQUAL = 8
"""How often each name is asked where nodes are unequal."""
SUITE, GROUP, SCHEME = "suites", "groups", "schemes"
DIMENSIONS = (SUITE, GROUP, SCHEME)
COMMON_GROUPS = frozenset(("x25519", "secp256r1", "secp384r1", "secp521r1", "x448"))
"""A hello that offers at least these (and what was accepted) offers groups in full."""
COMMON_SCHEMES = frozenset(
    (
        "rsa_pkcs1_sha256",
        "rsa_pkcs1_sha384",
        "rsa_pkcs1_sha512",
        "ecdsa_secp256r1_sha256",
        "ecdsa_secp384r1_sha384",
        "rsa_pss_rsae_sha256",
    )
)


@lru_cache(maxsize=32)
def candidates(version: Version, dimension: str) -> tuple[str, ...]:
    """Every name that can be offered in *dimension* of *version*, in registry order."""
    if version is Version.SSL_2_0:
        return ()
    if dimension == SUITE:
        return tuple(s.name for s in SUITES if s.lowest.rank <= version.rank <= s.highest.rank)
    if dimension == GROUP:
        if version is Version.TLS_1_3:
            return tuple(g.name for g in GROUPS if g.tls13)
        # SSL 3.0 has no extensions; RFC 7919 is asked in TLS 1.2 alone.
        kinds = {Version.SSL_3_0: (), Version.TLS_1_2: ("ec", "ff")}.get(version, ("ec",))
        return tuple(g.name for g in GROUPS if g.tls12 and g.kind in kinds)
    if version is Version.TLS_1_3:
        return tuple(s.name for s in SCHEMES if s.tls13)
    if version is Version.TLS_1_2:
        return tuple(s.name for s in SCHEMES)
    return ()


class Knowledge(Refusals):
    """What *exchanges* (one endpoint's, in the order of their start) prove."""

    @property
    def unvouched(self) -> bool:
        """Whether something was refused and no sign of health came after it yet."""
        last = max((s.at for s, good in self._signs if good), default=None)
        return any(
            (last is None or e.until > last) and not self._said_before(e)
            for e in self.own
            if e.outcome is Outcome.REFUSED or self._soft(e)
        )

    def _said_before(self, e: Exchange) -> bool:
        """Whether *e* refuses a version that is known as refused, as the same question did."""
        return self.speaks_of_version(e) and any(
            x.key == e.key and self.trusted(x) for x in self.own
        )

    # -- contradictions ---------------------------------------------------------------------------

    @cached_property
    def contradictions(self) -> tuple[str, ...]:
        """How connections contradicted each other, as short English names of what differed."""
        found = set()
        if any(self._flaps(e) and e.key in self._good_keys for e in self.own) or self._fickle:
            found.add("answer")
        leaves: dict[tuple[str, bool], set[bytes]] = defaultdict(set)
        versions: dict[tuple[object, ...], set[Version | None]] = defaultdict(set)
        for e in self.answered:
            versions[e.key].add(e.version)
            if e.flight.certificates:
                leaves[e.key_kind, e.named].add(e.flight.certificates[0])
        if any(len(some) > 1 for some in leaves.values()):
            found.add("certificate")
        if any(len(some) > 1 for some in versions.values()):
            found.add("version")
        if any(
            self._refusal_counts(v, d)[name]
            for v in Version
            for d in (SUITE, GROUP)
            for name in self._accepted_counts(v, d)
            if not (d == SUITE and _finite(name))
        ):
            found.add("answer")
        return tuple(sorted(found))

    @cached_property
    def _fickle(self) -> bool:
        """Whether one and the same list of suites and of groups got different choices, though the
        scheme that each was signed with stood in both.
        """
        same: dict[tuple[object, ...], list[Exchange]] = defaultdict(list)
        for e in self.answered:
            if not e.is_ssl2:
                asked = e.most, e.suites, e.group_codes, e.hello.shares, e.named, e.fallback
                same[asked].append(e)
        return any(
            (one.suite, one.group) != (other.suite, other.group)
            and (
                set(one.schemes) == set(other.schemes)
                or (one.scheme in other.schemes and other.scheme in one.schemes)
            )
            for some in same.values()
            for one, other in combinations(some, 2)
        )

    @property
    def needed(self) -> int:
        """How often a refusal must be met before the question is put no more."""
        return NEEDED_UNEQUAL if self.contradictions else NEEDED

    def needs(self, version: Version, dimension: str) -> int:
        """How often a name must be refused: once where no rule rests on it (schemes of TLS 1.3)."""
        once = version is Version.TLS_1_3 and dimension == SCHEME and not self.contradictions
        return 1 if once else self.needed

    # -- versions ---------------------------------------------------------------------------------

    @lru_cache(maxsize=64)  # noqa: B019
    def version(self, version: Version) -> State:
        """What became of *version*."""
        if any(e.version is version for e in self.answered):
            return State.ACCEPTED
        if self.contradictions:
            return State.UNKNOWN
        if version is Version.SSL_2_0:
            refused = sum(self.weight(e) for e in self.exchanges if e.is_ssl2)
            return State.REFUSED if refused >= self.needed else State.UNKNOWN
        if self.version_refusals(version) >= self.needed:
            return State.REFUSED
        return State.UNKNOWN

    def version_refusals(self, version: Version, *, claimed: bool = False) -> int:
        """How often *version* was refused as a whole; *claimed* as in `weight`."""
        passed_over = sum(1 for e in self.answered if self._passes_over(e, version))
        if version in (Version.TLS_1_3, Version.TLS_1_2):
            return passed_over + self._whole(version, claimed)
        whole = self._whole(version, claimed)
        if not self._named(version, claimed):
            return passed_over + whole
        # A hello up to `most` that is refused whole should say that there is nothing from `most`
        # down, unless a version between is accepted. But GnuTLS without TLS 1.1 refuses that, and
        # takes TLS 1.0: so *version* itself must be refused for its number too.
        for most in (v for v in _OLD if v.rank > version.rank):
            if any(e.version is most for e in self.answered):
                break
            whole = max(whole, self._whole(most, claimed))
        return passed_over + whole

    def _named(self, version: Version, claimed: bool) -> bool:
        """Whether a short hello up to *version* was refused for its number."""
        return any(
            _spared(e, version) and _by_number(e) and self.weight(e, claimed=claimed)
            for e in self.own
        )

    def refused_otherwise(self, version: Version) -> bool:
        """Whether a short hello up to *version* was refused, and not for its number."""
        return any(
            _spared(e, version) and not _by_number(e) and self.trust(e) is not False
            for e in self.own
        )

    def _whole(self, version: Version, claimed: bool) -> int:
        """How often *version* was refused whole: all suites, and by itself what a filter spares.

        Of TLS 1.3, that is a hello without hybrid groups. Below, it is a short, ordinary one: some
        filters stop long hellos of old versions, and a server that chooses a finite-field suite
        may lack the parameters.
        """
        counts = self._refusal_counts(version, SUITE, claimed)
        least = min((counts[name] for name in candidates(version, SUITE)), default=0)
        if any(self.left_whole(version, finite=f, claimed=claimed) for f in (False, True)):
            return 0
        spared = sum(self.weight(e, claimed=claimed) for e in self.own if _spared(e, version))
        if not spared:
            return 0
        return least if version is Version.TLS_1_3 else least + spared

    @lru_cache(maxsize=64)  # noqa: B019
    def left_whole(
        self, version: Version, *, finite: bool = False, claimed: bool = True
    ) -> tuple[str, ...]:
        """Suites that no refusal of *version* as a whole speaks of yet; *claimed* as in `weight`.

        *finite*: those with a finite field that were not refused along with finite-field groups.
        Some servers that heed RFC 7919 take them only from who offers such groups, some only from
        who offers none, so both must be refused.
        """
        if finite and version is not Version.TLS_1_2:
            return ()
        counts = self._refusal_counts(version, SUITE, claimed)
        told = self._refusal_counts(version, SUITE, claimed, finite)
        return tuple(
            name
            for name in candidates(version, SUITE)
            if (_finite(name) and not told[name]) or (not finite and not counts[name])
        )

    def _passes_over(self, e: Exchange, version: Version) -> bool:
        """Whether the answer *e* chose a version below *version* although that was offered."""
        if e.version is None or e.is_ssl2 or e.version.rank >= version.rank:
            return False
        if e.most is None:
            return version is Version.TLS_1_3 or version is Version.TLS_1_2
        return e.most.rank >= version.rank and len(e.suites) >= 20

    def speaks_of_version(self, e: Exchange) -> bool:
        """Whether *e* is among what refuses a version, TLS 1.2 or older."""
        if e.outcome is not Outcome.REFUSED or e.most not in (*_OLD, Version.TLS_1_2):
            return False
        whole = _spared(e, e.most) or set(e.suites) >= set(candidates(e.most, SUITE))
        return whole and self.version(e.most) is State.REFUSED

    def depth(self, version: Version) -> int:
        """As many suites as the server has looked at for sure in a hello up to *version*."""
        own = (e for e in self.answered if e.most is version and e.suite in e.suites)
        return max((e.suites.index(e.suite) + 1 for e in own), default=0)

    # -- dimensions -------------------------------------------------------------------------------

    def accepted(self, version: Version, dimension: str) -> tuple[str, ...]:
        """Names seen in answers, in the order of their discovery."""
        return tuple(self._accepted_counts(version, dimension))

    @lru_cache(maxsize=64)  # noqa: B019
    def _accepted_counts(self, version: Version, dimension: str) -> Counter[str]:
        found: Counter[str] = Counter()
        for e in self.answered:
            if e.version is version:
                for name in self._names(e, dimension):
                    found[name] += 1
        return found

    def _names(self, e: Exchange, dimension: str) -> tuple[str, ...]:
        if dimension == SUITE:
            return (e.suite,) if e.suite else ()
        if dimension == GROUP:
            group = e.group or self._finite_group(e)
            return (group,) if group else ()
        if e.version is Version.TLS_1_3:
            # Only a lone scheme that got a ServerHello is proven; in clear nothing names it.
            return e.schemes if len(e.schemes) == 1 and e.flight.hello else ()
        return (e.scheme,) if e.scheme else ()

    def refused(self, version: Version, dimension: str) -> tuple[str, ...]:
        """Names that are refused: offered, never accepted, and refused often enough."""
        settled = set(self.accepted(version, dimension)) | set(self.pending(version, dimension))
        return tuple(name for name in candidates(version, dimension) if name not in settled)

    def pending(self, version: Version, dimension: str) -> tuple[str, ...]:
        """Names that are neither accepted nor refused, in registry order."""
        counts = self._refusal_counts(version, dimension)
        settled = set(self._accepted_counts(version, dimension)) | self._moot(version, dimension)
        if self.contradictions:
            # However often one node refuses, another may accept.
            counts = Counter()
        classic = version.rank <= Version.TLS_1_2.rank
        if dimension != SUITE and classic and self.pending(version, SUITE):
            # A suite that is still open may be the one that would use them.
            counts = Counter()
        if dimension == SCHEME and not classic and not self._accepted_counts(version, SCHEME):
            # With some scheme it was accepted: what refused them all had another reason.
            counts = Counter()
        needs = self.needs(version, dimension)
        return tuple(
            name
            for name in candidates(version, dimension)
            if counts[name] < needs and name not in settled
        )

    def claims(
        self, version: Version, dimension: str, *, finite: bool | None = None
    ) -> Counter[str]:
        """How often each name was refused, with those for which signs of health are missing yet.

        *finite*: in hellos with finite-field groups, or in those without.
        """
        return self._refusal_counts(version, dimension, True, finite)

    def _moot(self, version: Version, dimension: str) -> frozenset[str]:
        """Names that nothing could negotiate: no suite that is accepted would use them."""
        if dimension == SUITE or version.rank > Version.TLS_1_2.rank:
            return frozenset()
        accepted = [SUITE_BY_NAME[name] for name in self.accepted(version, SUITE)]
        settled = bool(accepted) and not self.pending(version, SUITE)
        moot: set[str] = set()
        if dimension == SCHEME:
            if settled and not any(s.signed for s in accepted):
                moot.update(candidates(version, SCHEME))
            return frozenset(moot)
        if settled and not any(s.elliptic for s in accepted):
            moot.update(_kind(version, "ec"))
        if settled and not any(s.finite for s in accepted):
            moot.update(_kind(version, "ff"))
        if self.finite_asked and not self.finite_negotiated and self.own_prime:
            # It is used for whoever asks for what the server does not know; it is not negotiated.
            moot.add(ffdhe_name(self.own_prime))
        return frozenset(moot)

    @lru_cache(maxsize=64)  # noqa: B019
    def _refusal_counts(
        self,
        version: Version,
        dimension: str,
        claimed: bool = False,
        finite: bool | None = None,
    ) -> Counter[str]:
        """How often each name was refused; *finite*: with finite-field groups, or without."""
        counts: Counter[str] = Counter()
        for e in self.own:
            names = self._refusal_of(e, version, dimension)
            if names and finite in (None, finite_groups(e)):
                counts.update(dict.fromkeys(names, self.weight(e, claimed=claimed)))
        if dimension == SUITE and finite is None:
            # A server that heeds RFC 7919 may take DHE only with such groups, or only without.
            kinds = (False, True) if version is Version.TLS_1_2 else (False,)
            told = [self._refusal_counts(version, dimension, claimed, kind) for kind in kinds]
            for name in counts:
                if _finite(name) and not all(some[name] for some in told):
                    counts[name] = min(counts[name], 1)
        return counts

    def _refusal_of(self, e: Exchange, version: Version, dimension: str) -> tuple[str, ...]:
        """The names of *dimension* that the refusal *e* can speak of: all else offered in full."""
        if e.most is not version or e.fallback or e.is_ssl2 or finite_control(e):
            return ()
        if e.outcome is Outcome.ANSWERED:
            return self._passed_over_groups(e, version) if dimension == GROUP else ()
        names: tuple[str, ...] = getattr(e, dimension)
        match dimension:
            case "suites":
                counts = self.full_groups(e, version) and self.full_schemes(e, version)
                counts = counts and not (self.breaks_off(version) and _breaks_off(e))
                counts = counts and (version is not Version.TLS_1_3 or self._versed(e))
            case "groups":
                names = self._refused_groups(e, version)
                counts = self.full_schemes(e, version)
                counts = counts and (version is not Version.TLS_1_3 or self._versed(e))
            case _ if version is Version.TLS_1_3:
                shares = set(e.hello.shares)
                accepted = {x.group_code for x in self.answered if x.version is version and x.group}
                suites = set(self._accepted_counts(version, SUITE))
                counts = bool(shares and suites) and shares <= accepted and suites <= set(e.suites)
            case _:
                names = self._refused_schemes(e, version)
                counts = self.full_groups(e, version) and self._groups_known_good(e)
        return names if counts else ()

    def breaks_off(self, version: Version) -> bool:
        """Whether suites with a finite field must be asked for apart from others.

        Some servers break off when they have chosen DHE and find no parameters for it, whatever
        else is offered (GnuTLS with internal_error).
        """
        return any(e.most is version and _breaks_off(e) for e in self.own) and any(
            e.version is version for e in self.answered
        )

    def _versed(self, e: Exchange) -> bool:
        """Whether a TLS 1.3 refusal is no mere dislike of an empty key_share."""
        return bool(e.hello.shares) or any(
            x.version is Version.TLS_1_3 and not x.hello.shares for x in self.answered
        )

    def full_groups(self, e: Exchange, version: Version) -> bool:
        """Whether the groups that *e* offers limit nothing else."""
        elliptic = version is Version.TLS_1_3 or any(SUITE_BY_NAME[s].elliptic for s in e.suites)
        if not elliptic or version is Version.SSL_3_0:
            return True
        return set(e.groups) >= COMMON_GROUPS | set(self._accepted_counts(version, GROUP))

    def full_schemes(self, e: Exchange, version: Version) -> bool:
        """Whether the signature schemes that *e* offers limit nothing else."""
        if version.rank < Version.TLS_1_2.rank:
            return True
        if version is Version.TLS_1_3:
            common = COMMON_SCHEMES & set(candidates(version, SCHEME))
            return set(e.schemes) >= common | set(self._accepted_counts(version, SCHEME))
        return set(e.schemes) >= COMMON_SCHEMES | set(self._accepted_counts(version, SCHEME))

    def _refused_schemes(self, e: Exchange, version: Version) -> tuple[str, ...]:
        """The schemes that the refusal *e* can be about: below TLS 1.3, of one kind of certificate.

        Of several certificates, servers choose one by the suites, and then look for a scheme
        (OpenSSL). So all suites of that kind must be offered, and none of another.
        """
        accepted = [SUITE_BY_NAME[name] for name in self._accepted_counts(version, SUITE)]
        signed = [suite for suite in accepted if suite.signed]
        kinds = {suite.authentication for suite in signed if suite.name in e.suites}
        own = {suite.name for suite in signed if suite.authentication in kinds}
        if len(kinds) != 1 or not own <= set(e.suites):
            return ()
        others = {suite.authentication for suite in signed} - kinds
        return tuple(name for name in e.schemes if authentication_of(name) not in others)

    def about_groups(self, e: Exchange, version: Version) -> bool:
        """Whether *e* limits elliptic suites by nothing but its groups."""
        accepted = [name for name in self.accepted(version, SUITE) if SUITE_BY_NAME[name].elliptic]
        return set(e.suites) >= set(accepted) and self.full_schemes(e, version)

    def _groups_known_good(self, e: Exchange) -> bool:
        """Whether just these groups were good for DHE before, where it alone uses some key.

        Some servers take DHE only with groups of RFC 7919 in the hello, some only without.
        """
        alone = finite_alone(e.suites)
        return not alone or any(
            x.suite in alone and set(x.group_codes) == set(e.group_codes) for x in self.answered
        )

    def _refused_groups(self, e: Exchange, version: Version) -> tuple[str, ...]:
        """The groups that the refusal *e* can be about.

        In TLS 1.2 and before, DHE and RSA suites ignore the groups (but for RFC 7919), and an
        ECDSA certificate is unusable for a client that does not list its curve.
        """
        accepted = self._accepted_counts(version, SUITE)
        if version is Version.TLS_1_3:
            return e.groups if accepted and set(e.suites) >= set(accepted) else ()
        kind = ""
        offered = [SUITE_BY_NAME[name] for name in e.suites]
        useful = [s for s in offered if accepted[s.name]]
        if useful and all(s.finite for s in offered) and self.finite_negotiated:
            kind = "ff"
        elif all(s.elliptic for s in offered) and useful:
            free = any(s.authentication != "ECDSA" for s in useful)
            curves = {kind for kind in self._keys if kind in GROUP_BY_NAME}
            kind = "ec" if free or ("" not in self._keys and curves <= set(e.groups)) else ""
        return tuple(name for name in e.groups if GROUP_BY_NAME[name].kind == kind)

    @cached_property
    def _keys(self) -> frozenset[str]:
        """The kinds of key that vouched for ECDSA suites, empty for one that is not known or was
        not seen.
        """
        suites = ((e, SUITE_BY_NAME.get(e.suite)) for e in self.answered)
        found = {e.key_kind for e, suite in suites if suite and suite.authentication == "ECDSA"}
        return frozenset(found or {""})

    def _passed_over_groups(self, e: Exchange, version: Version) -> tuple[str, ...]:
        """With an ECDSA certificate only: the groups that the server did not choose.

        Such a server answers with the certificate's own curve, which must stand in the hello, last,
        when it takes none of those before it.
        """
        suites = [SUITE_BY_NAME[name] for name in e.suites]
        if version is Version.TLS_1_2 and suites and all(s.finite for s in suites):
            return self._passed_over_finite(e)
        if version is Version.TLS_1_3 or len(e.groups) < 2 or e.group != e.groups[-1]:
            return ()
        if e.group != e.key_kind:
            return ()
        if not all(s.elliptic and s.authentication == "ECDSA" for s in suites):
            return ()
        refused = self._refusal_counts(version, SUITE)
        free = (SUITE_BY_NAME[name] for name in candidates(version, SUITE) if not refused[name])
        if any(s.elliptic and s.authentication != "ECDSA" for s in free):
            return ()
        # Some servers do not mind the curve: without it, they take what they passed over.
        names = set(e.groups[:-1])
        without = any(
            x.outcome is Outcome.REFUSED
            and x.most is version
            and e.group not in x.groups
            and names <= set(x.groups)
            and self.about_groups(x, version)
            and self.trusted(x)
            for x in self.own
        )
        return e.groups[:-1] if without else ()

    # -- finite-field groups in TLS 1.2 (RFC 7919) ------------------------------------------------

    @cached_property
    def own_prime(self) -> bytes:
        """The prime that the server uses for who asks for no finite-field group that it knows."""
        free = (p for e, p in self._primes if finite_control(e) or not finite_groups(e))
        return next(free, b"")

    @cached_property
    def _finite_strict(self) -> bool:
        """Whether DHE is refused to who offers only finite-field groups that the server does not
        know, as RFC 7919, section 4, demands."""
        return any(
            e.outcome is Outcome.REFUSED and self.trusted(e) for e in self.own if finite_control(e)
        ) and not any(finite_control(e) for e in self.answered)

    @cached_property
    def finite_negotiated(self) -> bool:
        """Whether the server heeds finite-field groups below TLS 1.3 (RFC 7919).

        It refuses DHE where it knows none, or takes a group instead of its own prime.
        """
        own = int.from_bytes(self.own_prime)
        return self._finite_strict or any(
            own and own != int.from_bytes(prime) and ffdhe_name(prime) in e.groups
            for e, prime in self._primes
        )

    @cached_property
    def _primes(self) -> tuple[tuple[Exchange, bytes], ...]:
        """The answers in TLS 1.2 that carried a prime, with it."""
        found = []
        for e in self.answered:
            exchange = e.flight.key_exchange
            if exchange and exchange.prime and e.version is Version.TLS_1_2:
                found.append((e, exchange.prime))
        return tuple(found)

    @property
    def finite_free(self) -> bool:
        """Whether DHE was chosen, or refused, for a hello without any finite-field group."""
        return any(
            any(_finite(name) for name in e.suites) and not finite_groups(e)
            for e in self.own
            if e.outcome in (Outcome.ANSWERED, Outcome.REFUSED) and e.most is Version.TLS_1_2
        )

    @property
    def finite_asked(self) -> bool:
        """Whether the control for finite-field groups was put and is settled."""
        return any(
            finite_control(e) and (e.outcome is Outcome.ANSWERED or self.trusted(e))
            for e in self.own
        )

    def _finite_group(self, e: Exchange) -> str:
        """The finite-field group that was negotiated in *e*, empty for none."""
        exchange = e.flight.key_exchange
        if not exchange or not exchange.prime or e.version is not Version.TLS_1_2:
            return ""
        name = ffdhe_name(exchange.prime)
        return name if name in e.groups and self.finite_negotiated else ""

    def _passed_over_finite(self, e: Exchange) -> tuple[str, ...]:
        """The groups offered to a server that then used its own prime."""
        exchange = e.flight.key_exchange
        if not exchange or not exchange.prime or not self.own_prime:
            return ()
        own = int.from_bytes(exchange.prime) == int.from_bytes(self.own_prime)
        if not own or ffdhe_name(exchange.prime) in e.groups:
            return ()
        return tuple(name for name in e.groups if GROUP_BY_NAME[name].kind == "ff")


def _spared(e: Exchange, version: Version) -> bool:
    """Whether *e* is a hello up to *version* that filters of long and odd ones let through."""
    if e.most is not version or e.outcome is Outcome.ANSWERED or e.is_ssl2:
        return False
    if version is Version.TLS_1_3:
        return not hybrids(e)
    return len(e.suites) <= _SHORT and not any(_finite(name) for name in e.suites)


def _breaks_off(e: Exchange) -> bool:
    """Whether *e* offered suites with a finite field and others, and ended in another alert."""
    return e.outcome is Outcome.ALERT and len({_finite(name) for name in e.suites}) > 1


def _by_number(e: Exchange) -> bool:
    """Whether *e* was refused for its version."""
    return e.flight.fatal == PROTOCOL_VERSION


FINITE_CONTROL = 0x01F0
"""An unassigned code point among the finite-field groups (256 to 511)."""


def finite_groups(e: Exchange) -> bool:
    """Whether *e* offers any finite-field group (code points 256 to 511), known or not."""
    return any(256 <= code <= 511 for code in e.group_codes)


_FINITE = frozenset(suite.name for suite in SUITES if suite.finite)


def _finite(name: str) -> bool:
    return name in _FINITE


def finite_control(e: Exchange) -> bool:
    """Whether *e* offers nothing but the control group of RFC 7919."""
    return e.group_codes == (FINITE_CONTROL,)


_OWN_SUITES = {"rsa": "RSA", "pss_rsae": "RSA", "pss_pss": "RSA", "dsa": "DSS"}


def authentication_of(scheme: str) -> str:
    """The authentication of the suites that are signed with *scheme* in TLS 1.2.

    RSA and DSA keys have suites of their own; all other keys come with those of ECDSA, as those of
    EdDSA do (RFC 8422, section 5.1.3).
    """
    return _OWN_SUITES.get(SCHEME_BY_NAME[scheme].kind, "ECDSA")


def finite_alone(suites: Iterable[str]) -> frozenset[str]:
    """The signed suites with a finite field that have no elliptic ones for the same keys beside."""
    signed = [s for n in suites if (s := SUITE_BY_NAME[n]).signed]
    elliptic = {s.authentication for s in signed if s.elliptic}
    return frozenset(s.name for s in signed if s.finite and s.authentication not in elliptic)


def ffdhe_name(prime: bytes) -> str:
    """The name of the RFC 7919 group with this prime, else empty."""
    number = int.from_bytes(prime)
    return next((name for name, p in FFDHE_PRIMES.items() if p == number), "")


def _kind(version: Version, kind: str) -> tuple[str, ...]:
    return tuple(name for name in candidates(version, GROUP) if GROUP_BY_NAME[name].kind == kind)


_OLD: Sequence[Version] = (Version.SSL_3_0, Version.TLS_1_0, Version.TLS_1_1)
_SHORT = 30
"""As many suites as ordinary clients offer at the most."""
