"""dry_run: what a request would do, for any known system on any machine: the plan, the engine's name, LoadGen's settings."""

from __future__ import annotations

from code.actions import Context, generate_engines
from code.backends import store
from code.backends.base import backend
from code.benchmarks.benchmark import BenchmarkDefinition, definition_of
from code.common import console
from code.common.errors import HarnessError, MissingError
from code.plan.workload import Workload
from code.precision import graph_for
from code.run.settings import conf_text, user_conf
from configs.configuration import Probed

SCOPE = "workload"


def run(workload: Workload, context: Context) -> None:
    """Print it. A model or package that is not here costs the engine's key alone; a value that cannot work is an error."""
    definition = definition_of(workload.benchmark)
    values = workload.plain()
    probed = {name: v.value for name, v in workload.values.items() if isinstance(v.value, Probed)}
    console.say(f"\n{workload.label} on {workload.system_name}, results under {workload.system_id}")
    console.say(f"  config   {workload.config.cls.__name__} at {workload.config.where} ({workload.setting.shortname()})")
    console.say(f"  model    {workload.variant}, {values['precision']}, {values['backend']}, {values['harness_lang']} harness")
    console.say(f"  engine   {_engine(workload, definition)}")
    settled = {name: None if name in probed else value for name, value in values.items()}
    conf = user_conf(str(workload.scenario), settled, _count(definition, values), definition.samples, definition.whole_passes)
    console.say(
        "  LoadGen  "
        + "\n           ".join(conf_text(definition.name, str(workload.scenario), conf).splitlines()[1:] or ["its own"])
    )
    for name, value in probed.items():
        console.say(f"           {name} = {value.factor:g} × {value.what}, measured at the first run")
    generate_engines.say_ignored(workload, backend(values["backend"]), context)


def _engine(workload: Workload, definition: BenchmarkDefinition) -> str:
    values = workload.plain()
    runtime = backend(values["backend"])
    try:
        where = store.address(runtime, definition.name, graph_for(workload), values)
    except MissingError as error:
        return f"its key needs what is not here yet: {error.what}"
    return f"{where.folder.name} ({'built' if where.exists else 'not built yet'})"


def _count(definition: BenchmarkDefinition, values: dict[str, object]) -> int:
    try:
        return int(definition.dataset(values)["count"])
    except HarnessError:
        return definition.samples
