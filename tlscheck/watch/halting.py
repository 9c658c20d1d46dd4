"""The time and the signals of a run."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator

from tlscheck.halt import Halt

_CLOSE, _END = 0.8, 0.9
"""Of the time that a run has: when no look begins any more, and when those in flight are let go.
The rest is for judging, keeping and mailing."""


@contextlib.contextmanager
def halting(seconds: float) -> Iterator[Halt]:
    """What looks ask meanwhile. SIGTERM and SIGINT let what is in flight come to its end, when they
    come again they do not.
    """
    halt, loop = Halt(), asyncio.get_running_loop()

    def stop() -> None:
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
