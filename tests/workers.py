"""What a worker of pytest-xdist need not tell the process that it works for: four of six messages of a test that passes say nothing."""

from __future__ import annotations

from typing import Any

import pytest

INTERACTOR = "WorkerInteractor"
"""xdist's plugin in a worker, whose `sendevent` sends each message."""
ASKED = ("durations", "xmlpath")


def brief(config: pytest.Config) -> None:
    """Leave out when a test starts and ends, and that its fixtures were made and removed without a fault.

    They are told where somebody asks for durations or a report in XML, of which fixtures are a part.
    """
    if any(config.getoption(name, None) is not None for name in ASKED):
        return
    for plugin in config.pluginmanager.get_plugins():
        if type(plugin).__name__ == INTERACTOR:
            _shorten(plugin)


def _shorten(interactor: Any) -> None:
    send = interactor.sendevent

    def sendevent(name: str, **content: Any) -> None:
        if tells(name, content.get("data") or {}):
            send(name, **content)

    interactor.sendevent = sendevent


def tells(name: str, report: dict[str, Any]) -> bool:
    """Whether a message says something that the other process does not know or count."""
    if name == "testreport":
        return bool(report["when"] == "call" or report["outcome"] != "passed")
    return name not in ("logstart", "logfinish")
