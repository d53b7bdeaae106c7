"""Workers of a test run tell what counts, and nothing else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from xdist import remote

from tests import workers


class WorkerInteractor:
    """As xdist's, with a list instead of a channel."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def sendevent(self, name: str, **content: Any) -> None:
        self.sent.append(name if "data" not in content else f"{name} {content['data']['when']} {content['data']['outcome']}")


def told(**options: object) -> list[str]:
    one = WorkerInteractor()
    manager = SimpleNamespace(get_plugins=lambda: [object(), one])
    workers.brief(SimpleNamespace(getoption=options.get, pluginmanager=manager))  # type: ignore[arg-type]
    one.sendevent("logstart", nodeid="a", location=("a", 1, "a"))
    for when, outcome in (
        ("setup", "passed"),
        ("call", "passed"),
        ("call", "failed"),
        ("setup", "skipped"),
        ("teardown", "failed"),
    ):
        one.sendevent("testreport", data={"when": when, "outcome": outcome})
    one.sendevent("testreport", data={"when": "teardown", "outcome": "passed"})
    one.sendevent("logfinish", nodeid="a", location=("a", 1, "a"))
    one.sendevent("runtest_protocol_complete", item_index=1, duration=0.1)
    return one.sent


def test_what_every_test_that_passes_would_say_is_left_out() -> None:
    kept = ["call passed", "call failed", "setup skipped", "teardown failed"]
    assert told() == [*(f"testreport {one}" for one in kept), "runtest_protocol_complete"]


@pytest.mark.parametrize("name", ["durations", "xmlpath"])
def test_all_is_told_where_somebody_asks_for_it(name: str) -> None:
    assert len(told(**{name: 10})) == 9


def test_xdist_has_what_is_shortened() -> None:
    assert callable(getattr(remote, workers.INTERACTOR).sendevent)
