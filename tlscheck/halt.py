"""The early end of a run: first nothing more begins, then nothing goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from math import inf
from typing import Any, TypeVar

_T = TypeVar("_T")


class Halt:
    """What parts of a run ask before they begin. Whoever holds it ends the run."""

    def __init__(self) -> None:
        self.closing = False
        """Whether nothing more begins."""
        self.until = inf
        """When, on the loop's clock, what follows the look is to be over too."""
        self.signals = 0
        """How often somebody asked for the end."""
        self._going: set[asyncio.Task[Any]] = set()

    def close(self) -> None:
        """Let what is in flight come to its end, and begin nothing more."""
        self.closing = True

    def end(self) -> None:
        """Let go of what is in flight, too."""
        self.closing = True
        for task in self._going:
            task.cancel()

    async def within(self, work: Coroutine[Any, Any, _T]) -> _T | None:
        """What *work* gives; ``None`` where the run ended before it began or came to its end."""
        if self.closing:
            work.close()
            return None
        task = asyncio.ensure_future(work)
        self._going.add(task)
        try:
            await asyncio.wait({task})
        finally:
            self._going.discard(task)
            if not task.done():  # it is we who were cancelled
                task.cancel()
        return None if task.cancelled() else task.result()
