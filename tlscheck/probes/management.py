"""The look for pages of management at one https endpoint: a short list of well-known paths.

One question at a time by GET, a random path first, nobody logs in, and no redirect is followed.
The asking ends with the first sign that it is not wanted.
"""

from __future__ import annotations

import asyncio
from functools import cache

from tlscheck.data import data_dir
from tlscheck.model import Place, Reason
from tlscheck.net import Net
from tlscheck.observations.http import Management, ManagementPage
from tlscheck.observations.vpn import Markers, parse
from tlscheck.observations.vpn.markers import CONTROL, ROOT
from tlscheck.probes.live import Identity
from tlscheck.probes.vpn.web import Print, Web

SECONDS = 60.0
"""For one endpoint; paths that are not reached by then are not known."""
_MOVED, _LOGIN, _REFUSED, _ERRORS = 300, 401, 403, 500
_ORDINARY = (ROOT, "login", "fortigate", "wazuh")
"""Paths at which anybody may have a page of his own."""


@cache
def pages() -> Markers:
    """The paths and marks that are shipped."""
    file = data_dir("profiles") / "pages" / "management.toml"
    return parse(file.read_text(encoding="utf-8"))


async def look(net: Net, place: Place, client_identity: Identity | None = None) -> Management:
    """Which of the well-known pages answer at *place*."""
    web = Web(net, place, pages(), client_identity)
    end = asyncio.get_running_loop().time() + SECONDS
    doubted: set[str] = set()
    second = root = None
    try:
        for id in pages().probes:  # the random path is the first of them
            if asyncio.get_running_loop().time() > end:
                await web.stop(Reason.BUDGET)
            await web.ask(id)
            if web.statuses.get(CONTROL, _ERRORS) >= _ERRORS:
                silence = next((u.reason for u in web.unanswered), Reason.LIMITED)
                await web.stop(Reason(silence))
            elif web.statuses.get(id) == _REFUSED and _is_another(web, await web.again()):
                doubted = {id}  # it was us that was refused
                await web.stop(Reason.BANNED)
        if web.stopped is None:
            second, root = await web.again(), await web.again(ROOT)
            if _is_another(web, second):
                doubted = {*web.statuses}  # nobody knows since when
                await web.stop(Reason.BANNED)
    finally:
        await web.close()
    return _found(web, doubted, second, root)


def _is_another(web: Web, now: Print | None) -> bool:
    """Whether a random path is answered otherwise than in the beginning, as it is to the banned."""
    return now is None or now.status != web.statuses[CONTROL]


def _found(web: Web, doubted: set[str], second: Print | None, root: Print | None) -> Management:
    paths = {id: probe.path for id, probe in pages().probes.items() if id != CONTROL}
    surest: dict[tuple[str, str], ManagementPage] = {}
    for hit in sorted(web.hits, key=lambda hit: hit.confidence.rank):
        page = ManagementPage(paths[hit.probe], hit.name, web.statuses[hit.probe], hit.confidence)
        surest.setdefault((hit.probe, hit.product), page)
    found = {id for id, _ in surest}
    answered = {id for id, status in web.statuses.items() if status < _ERRORS} - doubted
    logins = {id for id in answered - found if web.statuses[id] == _LOGIN}
    rest = answered - found - logins
    screened = {id for id in answered - found - {CONTROL, ROOT} if _is_screened(web, id, root)}
    odd = {id for id in rest - screened - {*_ORDINARY} if _is_odd(web, id, second)}
    return Management(
        asked=len(found | answered - {CONTROL}),
        found=tuple(page for id in paths for (probe, _), page in surest.items() if probe == id),
        locked=tuple(paths[id] for id in paths if id in logins and CONTROL not in logins),
        screened=tuple(paths[id] for id in paths if id in screened),
        unrecognised=tuple(paths[id] for id in paths if id in odd),
        everywhere=tuple(dict.fromkeys(map(_product, web.void))),
        unanswered=tuple(paths[id] for id in paths if id not in found | answered),
        stopped=web.stopped,
    )


def _is_screened(web: Web, id: str, root: Print | None) -> bool:
    """Whether something answers in the place of whatever may be there: a login for all, a redirect
    of all, or a refusal of all, where the first page is refused too.
    """
    status = web.statuses[id]
    if status != web.statuses[CONTROL]:
        return False
    if status == _REFUSED:
        return root is None or root.status >= _MOVED
    return _MOVED <= status < 400 or status == _LOGIN


def _is_odd(web: Web, id: str, second: Print | None) -> bool:
    """Whether there is something that a random path does not have."""
    it, control = web.prints[id], web.prints[CONTROL]
    if it.status >= 400 or it.status != control.status:
        return it.status < 400
    is_static = second is not None and second.digest == control.digest
    return it.kind != control.kind or (is_static and it.digest != control.digest)


def _product(marker: str) -> str:
    """The name of the product that has that mark."""
    return next(p.name for p in pages().products for m in p.markers if m.id == marker)
