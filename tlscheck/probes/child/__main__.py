"""From the order to the end: confined, watched, and said in lines of JSON."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import socket
import sys
import threading
import time
from typing import Any

from tlscheck.model import Place
from tlscheck.probes.child.enumeration import enumerate_suites
from tlscheck.probes.child.jobs import look
from tlscheck.probes.child.order import Order, current, say
from tlscheck.text import _N

_MEGABYTE = 1024 * 1024


def main() -> None:
    """Read the order, do it, and say what came of it."""
    _confine(int(sys.argv[1]))
    trouble = _load()
    line = sys.stdin.readline()
    if not line:
        return  # the parent changed its mind, or is gone
    if trouble:
        say(kind="end", trouble=trouble)
        return
    order = _order(json.loads(line))
    _watch_connections(order)
    if order.ask == ("suites",):
        enumerate_suites(order)
    else:
        look(order)
    say(kind="end", trouble="")


def _confine(parent: int) -> None:
    """Die with the parent, stay small, and leave nothing behind."""
    libc = ctypes.CDLL(None, use_errno=True)
    die_with_parent, no_new_privileges = 1, 38
    if libc.prctl(die_with_parent, signal.SIGKILL, 0, 0, 0) or os.getppid() != parent:
        os._exit(1)
    libc.prctl(no_new_privileges, 1, 0, 0, 0)
    for what, limit in (
        (resource.RLIMIT_CPU, 60),
        (resource.RLIMIT_AS, 1024 * _MEGABYTE),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        ceiling = resource.getrlimit(what)[1]
        limit = limit if ceiling == resource.RLIM_INFINITY else min(limit, ceiling)
        resource.setrlimit(what, (limit, limit))


def _load() -> str:
    """Import sslyze, which takes a while; why it cannot be had, if so."""
    try:
        import sslyze  # noqa: F401
    except Exception as error:  # noqa: BLE001 - whatever keeps it from loading
        return f"{_N('sslyze cannot be loaded')}: {error!r}"
    return ""


def _order(said: dict[str, Any]) -> Order:
    said["place"] = Place(**said["place"])
    said["others"] = tuple(Place(**other) for other in said["others"])
    said["ask"] = tuple(said["ask"])
    return Order(**said)


def _watch_connections(order: Order) -> None:
    """Announce every connection before it is opened, keep the pace, and allow no other peer."""
    allowed = {(place.address, place.port) for place in (order.place, *order.others)}
    connect = socket.socket.connect
    pace = threading.Lock()
    starts = [0.0]

    def watched(self: socket.socket, address: Any) -> None:
        peer = (str(address[0]), int(address[1]))
        if peer not in allowed:
            raise PermissionError(f"{peer} was not asked for")
        with pace:
            time.sleep(max(starts[0] + order.gap - time.monotonic(), 0))
            starts[0] = time.monotonic()
        say(kind="connect", question=getattr(current, "question", ""), peer=peer)
        connect(self, address)

    socket.socket.connect = watched  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    main()
