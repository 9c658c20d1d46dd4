"""How far the looks of a scan have come."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from tlscheck.model import Look, Place


class Course:
    """How far the looks have come, that at one address no kind disturbs another: first all TLS,
    then QUIC and the relays, which meet what they do not know with silence and resets, then the
    address.
    """

    def __init__(
        self, places: Sequence[Place], keep_raw: int, beside: Sequence[Place] = ()
    ) -> None:
        self.everywhere = (*places, *beside)
        self._room = keep_raw
        self.mail = asyncio.Event()
        """That the mail hosts were looked at, whose addresses nobody knew before."""
        self.tls = _Stage(places)
        self.rest = _Stage(places)
        self.seen: dict[Place, Look] = {}
        self._lanes: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def lane(self, address: str) -> asyncio.Lock:
        """For one question over UDP at a time."""
        return self._lanes[address]

    def kept(self, raw: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """*raw* while there is room for it, else nothing."""
        size = sum(map(len, raw.values()))
        if size > self._room:
            return {}
        self._room -= size
        return raw

    async def endpoints(self, address: str) -> list[Look]:
        """The looks at the endpoints of *address*, once all of them are over."""
        await self.rest.over(address)
        return [look for place, look in self.seen.items() if place.address == address]


class _Stage:
    """One kind of looks, by address."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._left = Counter(place.address for place in places)
        self._over: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def end(self, place: Place) -> None:
        """One look is over, or there was none."""
        self._left[place.address] -= 1
        if self._left[place.address] <= 0:
            self._over[place.address].set()

    async def over(self, address: str) -> None:
        """Wait until all looks at *address* are over."""
        await self._over[address].wait()
