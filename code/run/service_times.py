"""Service times of a job's devices: from the model that a request asks for, and as the table of a simulated engine."""

from __future__ import annotations

from typing import Any

from code.common.errors import UsageError
from code.plan.request import Value
from code.run import service_model, simulation
from code.run.job import Job
from code.run.service_model import ServiceModel
from code.run.spec import most_samples
from code.systems import prediction
from code.systems.estimate import known_name
from code.systems.prediction import Prediction
from code.systems.system_list import KnownSystem

PUBLIC, CONFIG = "public", "config"
"""Words for models that are made on demand; any other names a kept one, or the log folder of a run."""


def simulated(job: Job) -> Job:
    """The job with the simulated backend, whatever its config names."""
    changed = {"backend": Value("simulated", "simulate"), "harness_lang": Value("cpp", "simulate")}
    return Job(job.workload.with_values(changed), job.notices)


def model_of(job: Job, word: str) -> ServiceModel | None:
    """The model that `word` asks for; None for the times of --simulated_table or of the config's expected rate.

    UsageError for an unknown one, or one of another benchmark.
    """
    if word == CONFIG or simulation.READS.of(job.workload)["simulated_table"]:
        return None
    if word != PUBLIC:
        model = service_model.named(word)
        if model.benchmark != job.workload.full_name:
            raise UsageError(
                f"the service-time model {word} is not of {job.workload.full_name}",
                f"it is of {model.benchmark}",
                "name another one (make list_models), or --benchmarks of its benchmark",
            )
        return model
    found = public(job, "Offline")
    if found is None:
        return None
    facts, name = job.definition.facts, job.workload.full_name
    batch = most_samples(job.workload, job.placement)
    named = f"{job.workload.system_name}-{name}"
    return service_model.of_prediction(named, found, job.placement.system_devices, batch, facts, name)


def public(job: Job, scenario: str) -> Prediction | None:
    """What public results predict for the job's system; None where they cannot tell."""
    system = KnownSystem.get(job.workload.system_name)
    if system is None or not system.accelerators:
        return None
    accelerator = system.accelerator or next(map(known_name, system.value.accelerator_conf.layout), "")
    return prediction.predict(job.workload.full_name, scenario, accelerator, system.accelerators)


def table(job: Job, model: ServiceModel | None, factor: float = 1.0) -> dict[str, Any]:
    """The options of the simulated engine, with the model's times multiplied by `factor`."""
    if model is None:
        return simulation.read_or_derived(job.workload, job.placement, job.lengths)
    return model.table(most_samples(job.workload, job.placement), job.lengths, factor)
