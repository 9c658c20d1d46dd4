"""What the configuration asks for, as the pipeline is told."""

from __future__ import annotations

from pathlib import Path

from tlscheck import checklist, data, domains, exposure, pipeline, profile, targets, waivers
from tlscheck.config import ALL, Settings
from tlscheck.errors import TargetError


def order(settings: Settings, path: Path) -> pipeline.Order:
    """The order that *settings* from the file *path* give.

    TargetError, ProfileError, ChecklistError, ConfigError.
    """
    asked = tuple(
        pipeline.Asked(targets.parse(each.target), each.label) for each in settings.targets
    )
    if not asked:
        raise TargetError('{file}: no target; write targets = ["clinic.example.jp"]', file=path)
    profile.load(settings.profile)
    lists = settings.checklists
    names = tuple(data.checklists() if ALL in lists else lists)
    for name in names:
        checklist.load(name)
    waivers.check(settings.waiver, str(path))
    with_addresses = any(endpoint.names_ports for endpoint in settings.endpoints.values())
    return pipeline.Order(
        targets=asked,
        profile=settings.profile,
        checklists=names,
        subjects=pipeline.SUBJECTS if with_addresses else pipeline.USUAL,
        unannounced=with_addresses,
        connect_seconds=settings.budgets.connect,
        target_seconds=settings.budgets.target,
        at_once=settings.budgets.parallel,
        domains=domains.Order(
            network=settings.network,
            declared=domains.declared(settings, str(path)),
            cache=domains.kept_in(),
        ),
        exposure=exposure.ordered(settings, str(path)),
        waivers=settings.waiver,
    )
