"""The questions as jobs, side by side."""

from __future__ import annotations

import concurrent.futures
import functools
from collections.abc import Callable, Iterator

from tlscheck.model import State
from tlscheck.probes.child.flaws import heartbleed, renegotiation, robot
from tlscheck.probes.child.order import Order, Said, Unsettled, current, say, words
from tlscheck.probes.child.sessions import crossing, early_data, resumption

Job = tuple[tuple[str, ...], Callable[[Order], Iterator[Said]]]
"""The questions that a job answers, the one that its connections count for first, and the job."""


def look(order: Order) -> None:
    """Do the jobs, so many side by side as the order allows."""
    with concurrent.futures.ThreadPoolExecutor(order.width) as pool:
        list(pool.map(lambda job: _run(order, job), _jobs(order)))
    if "crossing" in order.ask:
        _run(order, (("crossing",), crossing))


def _jobs(order: Order) -> Iterator[Job]:
    ask = set(order.ask)
    renegotiate = "client_renegotiation" in ask
    if "resumption_tickets" in ask:
        # A renegotiation spoils nothing at the end of the resumed connection, and costs none.
        names = ("resumption_tickets", *(["client_renegotiation"] if renegotiate else []))
        yield names, functools.partial(resumption, tickets=True, renegotiate=renegotiate)
        renegotiate = False
    if "resumption_ids" in ask:
        # A refused renegotiation makes servers forget the session, which crossing still needs.
        too = renegotiate and "crossing" not in ask
        names = ("resumption_ids", *(["client_renegotiation"] if too else []))
        yield names, functools.partial(resumption, tickets=False, renegotiate=too)
        renegotiate = renegotiate and not too
    if renegotiate:
        yield ("client_renegotiation",), renegotiation
    for name, job in (("early_data", early_data), ("heartbleed", heartbleed), ("robot", robot)):
        if name in ask:
            yield (name,), job


def _run(order: Order, job: Job) -> None:
    """Do one job; whatever it leaves open is unknown, with the reason."""
    names, answers = job
    current.question = names[0]
    left = list(names)
    trouble = "no answer"
    try:
        for name, state, detail in answers(order):
            left.remove(name)
            say(kind="answer", question=name, state=state, detail=detail)
    except Unsettled as reason:
        trouble = str(reason)
    except Exception as error:  # noqa: BLE001 - sslyze may raise anything
        trouble = words(error)
    for name in left:
        say(kind="answer", question=name, state=State.UNKNOWN, detail=trouble)
