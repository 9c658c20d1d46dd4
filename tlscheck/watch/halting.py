"""The time and the signals of a run."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import TypeVar

from tlscheck.halt import Halt
from tlscheck.mail.relay import Cut

_T = TypeVar("_T")

_CLOSE, _END = 0.8, 0.9
"""Of the time that a run has: when no look begins any more, and when those in flight are let go.
The rest is for judging, keeping and mailing."""


_LEAST = 10.0
"""Seconds that mail has however late it is, and after a signal."""
_TICK = 0.1


@contextlib.contextmanager
def halting(seconds: float) -> Iterator[Halt]:
    """What looks ask meanwhile. SIGTERM and SIGINT let what is in flight come to its end, when they
    come again they do not.
    """
    halt, loop = Halt(), asyncio.get_running_loop()
    halt.until = loop.time() + seconds

    def stop() -> None:
        halt.signals += 1
        halt.until = min(halt.until, loop.time() + _LEAST)
        (halt.end if halt.closing else halt.close)()

    timers = [
        loop.call_later(seconds * _CLOSE, halt.close),
        loop.call_later(seconds * _END, halt.end),
    ]
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop)
    try:
        yield halt
    finally:
        for timer in timers:
            timer.cancel()
        for number in signals:
            loop.remove_signal_handler(number)


async def beside(work: Callable[[Cut], _T], halt: Halt) -> _T:
    """What *work* gives in a thread of its own. It is cut short when the run's time is over, some
    seconds after a signal, and at once after a second one.
    """
    cut, loop = Cut(), asyncio.get_running_loop()
    signals, least = halt.signals, loop.time() + _LEAST
    going = asyncio.ensure_future(asyncio.to_thread(work, cut))
    while not going.done():
        await asyncio.wait({going}, timeout=_TICK)
        if loop.time() > max(halt.until, least) or halt.signals - signals > 1:
            cut.now()
    return going.result()
