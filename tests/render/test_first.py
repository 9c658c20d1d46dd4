"""What is to be mended first."""

from __future__ import annotations

from tests import make
from tlscheck import judge
from tlscheck.model import State
from tlscheck.render import answers, view
from tlscheck.wire.registry import Version


def test_targets_stand_together_where_the_very_same_is_wrong() -> None:
    def accepting(*versions: Version) -> dict[Version, State]:
        every = make.tls_observation().versions
        return {**every, **dict.fromkeys(versions, State.ACCEPTED)}

    wrong = {
        "a": accepting(Version.TLS_1_0),
        "b": accepting(Version.TLS_1_0),
        "c": accepting(Version.TLS_1_0, Version.TLS_1_1),
    }
    looks = [
        make.good_look(f"{name}.example.jp", tls=make.tls_observation(versions=versions))
        for name, versions in wrong.items()
    ]
    made = judge.judge(make.scan(*looks))
    rows = [
        [spot[0] for spot in spots]
        for finding, spots in answers.first(view.targets(made, "en"))
        if finding.rule == "tls.deprecated-versions"
    ]
    assert rows == [["a", "b"], ["c"]]
