"""Actions: one module per verb.

A module has `SCOPE` and `run`. SCOPE 'workload': `run(workload, context)` is called for each workload of the plan and returns a
ReportRow or None. SCOPE 'request': `run(context)` is called once and returns an exit status. Actions raise; only main prints errors.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass, field
from types import ModuleType

from code.common.errors import UsageError, unknown
from code.plan.request import Request


@dataclass
class Context:
    """What an action knows besides its workload.

    Args:
        request: the request as it was made.
        said: lines that are said once per invocation, however many workloads they concern.
    """

    request: Request
    said: set[str] = field(default_factory=set)

    def once(self, line: str) -> bool:
        """Whether `line` has not been said yet."""
        fresh = line not in self.said
        self.said.add(line)
        return fresh


def names() -> list[str]:
    """The actions there are."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load(name: str | None) -> ModuleType:
    """The action called `name`; UsageError for an unknown one."""
    if not name:
        raise UsageError("no action was named", "", "use a make target (see `make help`), or add --action=run")
    name = name.replace("-", "_")
    if name not in names():
        raise unknown("action", name, names(), "--action")
    return importlib.import_module(f"code.actions.{name}")
