"""Whose a name is: the public suffix list, as it came with the package that carries it."""

from __future__ import annotations

import ipaddress
from functools import cache

from publicsuffixlist import PublicSuffixList


def registrable(host: str) -> str:
    """The domain that *host* is registered under: one label below a public suffix (the ICANN part
    of the list). Empty for an address, a single label and a public suffix itself.
    """
    return _below(host, only_icann=True)


def site(host: str) -> str:
    """The part of *host* that is one holder's: one label below a suffix of the whole list, so that
    the customers of a hosting service are told apart. Empty as for `registrable`.
    """
    return _below(host, only_icann=False)


def _below(host: str, *, only_icann: bool) -> str:
    if ":" in host or "." not in host or _is_address(host):
        return ""
    # Other scripts' suffixes, in which nothing else ends, take half of the time to be read.
    known = _suffixes(only_icann=only_icann, idna="xn--" in host.lower())
    return str(known.privatesuffix(host) or "")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@cache
def _suffixes(*, only_icann: bool, idna: bool) -> PublicSuffixList:
    return PublicSuffixList(only_icann=only_icann, accept_encoded_idn=idna)
