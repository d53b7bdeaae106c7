"""Which actions read which options of the request, for help, completion, and the warning about an option that an action ignores."""

from __future__ import annotations

from collections.abc import Mapping

from code.fields.accepted import ACCEPTED
from code.fields.field import Field
from code.fields.table import FIELDS

PLANNING = (
    *("run", "generate_engines", "run_harness", "calibrate", "tune", "explain", "debug_accuracy", "inspect_engine"),
    *(
        "roofline",
        "simulate",
        "run_heterogeneous",
        "run_llm_server",
        "generate_triton_config",
        "power_dry_run",
        "nodes",
        "check_engines",
        "run_audit_harness",
        "run_audit_verification",
        "submission",
    ),
)
"""Actions that plan workloads: they read every option that has no entry below, and every config field."""
REHEARSED = tuple(name for name in PLANNING if name not in ("submission", "power_dry_run"))
CAMPAIGNS = ("campaign", "campaign_status", "campaign_stop", "fleet")
RUNS = ("run", "run_harness", "submission")
STAGES = ("stage_results", "submission")
WHO = (*STAGES, "plan_submission", "populate_readme", "check_submission", "pack_submission", "encrypt_submission")
JSON = (
    *("run", "run_harness", "explain", "info", "doctor", "list_engines", "list_systems", "list_configs", "list_results"),
    *("compare", "add_system", "remove_system", "simulate", "list_models", "plan_submission", "campaign", "campaign_status"),
    *("fleet", "mig_status", "run_heterogeneous", "nodes", "roofline"),
)
MIG = ("configure_mig", "teardown_mig", "mig_status")

READ_BY: Mapping[str, tuple[str, ...]] = {
    "json": JSON,
    "force_build": ("run", "generate_engines", "submission"),
    "repeat": ("run", "run_harness"),
    "power": ("run", "run_harness"),
    "power_server": ("run", "run_harness", "doctor"),
    "ntp_server": ("run", "run_harness", "doctor"),
    "systems": ("plan_submission", *CAMPAIGNS, "slurm_submit"),
    "campaign_file": (*CAMPAIGNS, "slurm_submit"),
    "campaign_dir": (*CAMPAIGNS, "slurm_submit"),
    "slurm_nodes": ("slurm_submit",),
    "slurm_args": ("slurm_submit",),
    "slurm_container": ("slurm_submit",),
    "slurm_image": ("slurm_submit",),
    "fleet_dir": ("fleet",),
    "campaign_run": ("campaign",),
    "campaign_ray": ("campaign",),
    "campaign_nodes": ("campaign",),
    "node": ("campaign",),
    "price_per_hour": ("plan_submission",),
    "service_model": ("simulate", "tune"),
    "max_power": ("tune",),
    "p99_ms": ("tune",),
    "sweep": ("simulate",),
    "real_time": ("simulate",),
    "write": ("tune",),
    "trials": ("tune",),
    "tune_duration": ("tune",),
    "against": ("debug_accuracy",),
    "debug_samples": ("debug_accuracy",),
    "layers": ("debug_accuracy", "inspect_engine"),
    "server_host": ("run_llm_server",),
    "server_port": ("run_llm_server",),
    "audit_test": ("run_audit_harness", "run_audit_verification", "submission"),
    "audit_attempts": ("run_audit_harness", "submission"),
    "no_audit_verify": ("run_audit_harness", "submission"),
    "preflight": ("check_submission", "submission"),
    "runs": STAGES,
    "infer": STAGES,
    "endpoint_results": ("stage_results",),
    **dict.fromkeys(("main", "background", "alone", "start_time_buffer"), ("run_heterogeneous",)),
    "mig": ("configure_mig", "teardown_mig"),
    "a": ("compare",),
    "b": ("compare",),
    "anyway": ("compare",),
    "report_dir": ("report", "fleet"),
    "compare": ("report",),
    "port": ("dashboard", "telemetry_exporter"),
    "to": ("export_mirror", "plan_submission"),
}
"""Option → the actions that read it; another action warns that it does not."""
READ_BY_AS_WELL: Mapping[str, tuple[str, ...]] = {
    "action": (),
    "benchmarks": (
        *(*PLANNING, *STAGES, "download_data", "download_model", "preprocess_data", "doctor", "list_configs", "list_results"),
        *("verify_data", "export_mirror"),
        *("report", "reproduce", "add_system", "clean_engines", "plan_submission"),
    ),
    "scenarios": (*PLANNING, "stage_results", "add_system"),
    "system": (*PLANNING, "list_configs", "stage_results"),
    "config_dir": (*PLANNING, "list_configs"),
    "config_ver": (*PLANNING, "plan_submission"),
    "test_mode": ("run", "run_harness", "run_heterogeneous", "explain"),
    "fast": (*RUNS, "run_heterogeneous", "power_dry_run", "explain", "run_audit_harness"),
    "test_query_count": (*RUNS, "run_heterogeneous", "power_dry_run", "explain", "run_audit_harness"),
    "dry_run": (*REHEARSED, "campaign", "slurm_submit", "configure_mig", "teardown_mig"),
    "strict": (*REHEARSED, "campaign"),
    "engine_dir": (*PLANNING, "list_engines", "clean_engines"),
    "name": ("add_system", "remove_system", "capture_system"),
    "yes": ("add_system", "remove_system"),
    "capture": (*PLANNING, "info", "doctor", "list_systems", "add_system", "capture_system", *MIG),
    "submitter": WHO,
    "division": WHO,
    "category": WHO,
    "status": WHO,
    "submission_file": WHO,
    "submission_dir": (*WHO, "truncate_results"),
    "passphrase_file": ("encrypt_submission",),
    "from_tree": ("stage_results", "reproduce"),
}
"""The same for options that scripts hand to every action, without a warning."""
FIELDS_READ_BY: Mapping[str, tuple[str, ...]] = {
    "model_variant": ("download_data", "download_model", "preprocess_data", "doctor", "add_system"),
    "backend": ("clean_engines",),
    "devices": MIG,
    "num_nodes": ("doctor",),
    "ray_address": ("doctor",),
    "tolerate_node_loss": ("doctor",),
    "preprocessed_data_dir": ("preprocess_data", "verify_data"),
    "log_dir": ("list_results", "report", "dashboard", "telemetry_exporter", "stage_results", "plan_submission"),
    "round": WHO,
}
"""Config field → the actions that read it although they plan nothing."""


def prints_json(action: str | None, rehearsed: bool) -> bool:
    """Whether an action prints JSON where --json is given.

    Args:
        rehearsed: with --dry_run.
    """
    return action in JSON or (rehearsed and action in REHEARSED)


def reads(action: str, field: Field) -> bool:
    """Whether an action reads an option. No action reads one that this harness ignores."""
    if field.name in ACCEPTED or field.class_only or field.placed:
        return False
    named = READ_BY.get(field.name) or READ_BY_AS_WELL.get(field.name)
    if field.request and named is not None:
        return action in named
    return action in PLANNING or action in FIELDS_READ_BY.get(field.name, ())


def options_of(action: str) -> list[Field]:
    """The options that an action reads, in the table's order; its own before those of all, and the request's before config fields."""
    found = [field for field in FIELDS if reads(action, field)]
    return sorted(found, key=lambda field: (not field.request, field.name not in READ_BY))


__all__ = ["FIELDS_READ_BY", "JSON", "PLANNING", "READ_BY", "READ_BY_AS_WELL", "options_of", "prints_json", "reads"]
