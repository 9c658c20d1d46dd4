"""The whole demonstration in one bundle: every subject, and servers with faults."""

from __future__ import annotations

import asyncio

import pytest

from tests import make
from tlscheck import judge as judging
from tlscheck import pipeline
from tlscheck.bundle.contents import bundled, pack, read
from tlscheck.bundle.verify import Mark, Trusted, verify
from tlscheck.demo import clinic
from tlscheck.report import encode


@pytest.mark.slow
def test_what_the_demonstration_shows_follows_from_its_bytes() -> None:
    order = pipeline.Order((), "ipa-high-3.1.1", ("vendor-138",), keep_raw=1 << 28)
    with clinic.opened(order, "en") as whole:
        seen = asyncio.run(pipeline.look(whole))
    report, files = bundled(judging.judge(seen))
    data = pack(files, seen.at)
    lines = {make.said(line.words): line.mark for line in verify(data, Trusted())}
    assert Mark.BROKEN not in lines.values(), lines
    kept = ("tls", "certificate", "registration")
    count = sum(subject in look.seen for look in seen.looks for subject in kept)
    assert count >= 15
    assert lines[f"{count} observations follow from the bytes kept with them"] is Mark.HOLDS
    assert all(finding.refs for finding in report.findings)
    assert encode(read(data).judged()) == files["scan.json"]
