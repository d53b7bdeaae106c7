"""The rows of the sabotage table, by the module whose check finds them (code/submission/check/)."""

from __future__ import annotations

import json

from tests.unit.submission import made
from tests.unit.submission.sabotage import (
    NETWORK,
    Row,
    after_staging,
    at_submitter,
    audit,
    audit_by_scores,
    audit_key,
    audit_of_the_result_itself,
    audit_that_was_none,
    benchmark_called,
    beside,
    empty_folder,
    full_log_with_another_hash,
    gone,
    large,
    link,
    measured,
    no_calibration,
    no_single_stream,
    no_source,
    other_submitter,
    parent,
    scenario_called,
    score,
    settings_of_power,
    system,
    text,
    tiny_below_its_target,
    unlisted,
    without,
)
from tests.unit.submission.sabotage_endpoints import CLIENT
from tests.unit.submission.sabotage_logs import ACCURACY, LOGS, PERF_LOG, RUN

AUDIT = "make run_audit_harness"
STAGE = "make stage_results"

RESULT: dict[str, Row] = {
    "an accuracy log that is not truncated": Row(
        text("accuracy/mlperf_log_accuracy.json", f"[\n{'x' * 10_240}\n]\n"),
        "truncated",
        "the limit is 10,240",
        "make truncate_results",
    ),
    "an accuracy log without a hash": Row(
        lambda tree: text("accuracy/accuracy.txt", '{"exact_match": 90.0, "f1": 95.5}\n')(tree).with_name(
            "mlperf_log_accuracy.json"
        ),
        "truncated",
        "not truncated: no hash",
        "make truncate_results",
    ),
    "a hash of another log": Row(full_log_with_another_hash, "hash", "its hash differs from that of the full log", STAGE),
    "no user.conf": Row(gone("user.conf"), "files", "missing or empty", "make populate_readme"),
    "an empty README": Row(text("README.md", ""), "files", "missing or empty", "make populate_readme"),
    **{
        f"no {name}": Row(measured(**{name: ""}), "measurements", f"the field {name} is missing or empty", STAGE)
        for name in ("input_data_types", "retraining", "starting_weights_filename", "weight_data_types", "weight_transformations")
    },
    "another engine": Row(
        measured(accuracy_run_engine="b"), "engine", "the accuracy run's engine is b", "--test_mode=SubmissionRun"
    ),
    "a result for open only": Row(
        measured(division_note="shortened"), "open_only", "not allowed in the closed division: shortened", "DIVISION=open"
    ),
    "a score of another type": Row(measured(accuracy=[{"name": "F1"}]), "measurements", "accuracy", STAGE),
    "the tiny model below its own target": Row(tiny_below_its_target, "accuracy", "F1 is 95.5; the target is 96", ACCURACY),
    "another score than the recorded one": Row(
        score(95.25, 95.5), "accuracy", "F1 is 95.25, but measurements.json recorded 95.5", STAGE
    ),
}

AUDITS: dict[str, Row] = {
    "no verdict of an audit": Row(audit("verify_performance.txt"), "audit", "TEST01 is missing or incomplete", AUDIT),
    "no log of an audit": Row(audit(PERF_LOG), "audit", "TEST01 is missing or incomplete", AUDIT),
    "no responses of an audit": Row(
        audit("accuracy/mlperf_log_accuracy.json"), "audit", "TEST01 is missing or incomplete", AUDIT
    ),
    "an audit that did not pass": Row(audit("verify_performance.txt", "TEST FAIL\n"), "audit", "TEST01 did not pass", AUDIT),
    "TEST05 that did not pass": Row(
        audit("verify_performance.txt", "TEST FAIL\n", "TEST05"), "audit", "TEST05 did not pass", AUDIT, "v4.1"
    ),
    "no TEST05": Row(audit("verify_performance.txt", test="TEST05"), "audit", "TEST05 is missing", AUDIT, "v4.1"),
    "TEST05 with the round's seeds": Row(
        audit_key("effective_qsl_rng_seed", 3066443479025735752, "TEST05"),
        "seeds",
        "TEST05: qsl_rng_seed is 3066443479025735752",
        AUDIT,
        "v4.1",
    ),
    "an audit by scores without them": Row(
        audit("verify_accuracy.txt", "TEST FAIL\n"), "audit", "there is no baseline_accuracy.txt", AUDIT
    ),
    "an audit by scores that differ": Row(
        audit_by_scores(90.0, 91.0), "audit", "the scores differ too much: F1 90 and 91; 1 % is allowed", AUDIT
    ),
    "no accuracy.txt of an audit before v6.0": Row(
        audit("accuracy/accuracy.txt"), "audit", "missing", "make truncate_results", "v4.1"
    ),
    "a stray file beside an audit's log": Row(
        audit(f"{RUN}/notes.txt", "x"), "audit", "not one of the files allowed", "remove it"
    ),
    "a stray file beside responses before v6.0": Row(
        audit("accuracy/baseline_accuracy.txt", "x"), "audit", "not one of the files allowed", "remove it", "v4.1"
    ),
    "an audit that was none": Row(audit_that_was_none, "audit", "LoadGen ran without an audit.config", AUDIT),
    "the result's own log as an audit's": Row(audit_of_the_result_itself, "audit", "the log of the result itself", AUDIT),
    "an audit of nine minutes": Row(
        audit_key("effective_min_duration_ms", 540_000), "duration", "TEST01: the minimum duration", AUDIT
    ),
    "an audit with another seed": Row(audit_key("effective_qsl_rng_seed", 1), "seeds", "TEST01: qsl_rng_seed is 1", AUDIT),
}

SYSTEM: dict[str, Row] = {
    "no system description": Row(
        lambda tree: (tree.system.unlink(), tree.system)[1],
        "files",
        "the description of",
        STAGE,
        also=("stray", "structure"),
    ),
    "a system description that is no JSON": Row(
        lambda tree: (tree.system.write_text("{"), tree.system)[1], "files", "cannot be read", STAGE
    ),
    "a system description that is a list": Row(
        lambda tree: (tree.system.write_text("[]"), tree.system)[1], "files", "not a JSON object", STAGE
    ),
    "no measurements": Row(
        lambda tree: (tree.measurements().unlink(), tree.measurements())[1], "files", "how bert-99 Offline on", STAGE
    ),
    "measurements that are no JSON": Row(
        lambda tree: (tree.measurements().write_text("{"), tree.measurements())[1], "files", "cannot be read"
    ),
    "no field of a system": Row(system(hw_notes=None), "system", "the field hw_notes is missing", "submission.toml"),
    "an empty field": Row(system(cooling=""), "system", "the field cooling is empty", "submission.toml"),
    "a zero that counts as empty": Row(
        system(accelerators_per_node=0), "system", 'is empty (write "0", as a string)', "submission.toml"
    ),
    "a status that there is not": Row(
        system(status="soon"), "system", "status cannot be 'soon'; it must be one of available", "submission.toml"
    ),
    "another submitter": Row(system(submitter="Other"), "system", "submitter is 'Other', but its folder is 'Example'", STAGE),
    "another division": Row(system(division="open"), "system", "division is 'open', but its folder is 'closed'", STAGE),
    "a number of nodes in words": Row(system(number_of_nodes="two"), "system", "needs a whole number", "submission.toml"),
    "a number of accelerators in words": Row(system(accelerators_per_node="N/A"), "system", "accelerators_per_node is 'N/A'"),
    "is_network as a bool": Row(system(is_network=False), "system", "needs a string", "put it in quotes"),
    "a network in closed": Row(
        system(is_network="true", **NETWORK), "system", "closed division does not allow", 'write "false"', also=("network",)
    ),
    "no network in the network division": Row(system(is_network=None), "system", "is not true", 'write "true"', "network"),
    "is_network without its fields": Row(
        system(is_network="false"), "system", "fields are missing: network_type", "leave is_network out"
    ),
    "a nameplate that is no YAML": Row(
        at_submitter(f"systems/{made.SYSTEM}_power.yaml", "a: [1\nb: }"), "system", "not valid YAML", "fix it, or remove it"
    ),
    "the same before v6.1": Row(
        at_submitter(f"systems/{made.SYSTEM}_power.yaml", "a: [1\nb: }"), "system", "not valid YAML", base="v4.1", own=True
    ),
}

TREE: dict[str, Row] = {
    "changed after staging": after_staging(lambda path: path.write_text("x\n"), "changed after staging"),
    "deleted after staging": after_staging(lambda path: path.unlink(), "deleted after staging", also=("files",)),
    "a benchmark that is left to the official checker": Row(
        benchmark_called("retinanet"), "round", "this harness does not have retinanet", base="open-v6.0", error=False
    ),
    "a category without the benchmark": Row(
        lambda tree: (system(system_type="datacenter")(tree), tree.result().parent)[1],
        "scenarios",
        "v6.1 has no bert-99 in closed datacenter",
        "CATEGORY",
    ),
    "a scenario that is required": Row(
        no_single_stream, "scenarios", "closed edge also requires SingleStream", "make run RUN_ARGS="
    ),
    "a scenario that is not allowed": Row(
        scenario_called("Server"),
        "scenarios",
        "v6.1 has no Server for it in closed edge",
        "leave it out",
        also=("scenario",),
    ),
    "a stray scenario": Row(
        scenario_called("Single"), "stray", "not a scenario; the nearest name is SingleStream", "move it out"
    ),
    "a stray system": Row(
        parent(at_submitter("results/old/notes.txt")), "stray", "there is no systems/old.json", "describe the system"
    ),
    "a benchmark of another round": Row(
        benchmark_called("gptj-99"), "round", "v6.1 has no benchmark gptj-99", "choose another ROUND", also=()
    ),
    "a benchmark of no round in open": Row(
        benchmark_called("my-own"), "round", "no benchmark my-own", "map it in model_mapping.json", "open"
    ),
    "an empty benchmark in open": Row(
        parent(at_submitter(f"results/{made.SYSTEM}/my-own/notes.txt")), "round", "no benchmark my-own", base="open", own=True
    ),
    "a folder that nothing reads": Row(unlisted("plots"), "stray", "nothing reads it", "move it out", own=True),
    "another beside the run": Row(unlisted("performance", "run_2"), "stray", "nothing reads it", "move it out", own=True),
    "a mapping that is no JSON": Row(
        at_submitter("model_mapping.json", "{'a': 1}"), "mapping", "cannot be read", "remove the file", "open"
    ),
    "a mapping of numbers": Row(
        at_submitter("model_mapping.json", json.dumps({"a": 1})), "mapping", "not a JSON object of names", base="open"
    ),
    "a file beside the divisions": Row(beside("notes.txt"), "structure", "not a division", "move it out", own=True),
    "the same before v6.0": Row(beside("notes.txt"), "structure", "not a division", base="v4.1"),
    "a page beside the divisions": Row(beside("README.md"), "structure", "not a division", base="v4.1", own=True),
    "a folder beside the divisions": Row(parent(beside("assets/logo.svg")), "structure", "not a division", base="v4.1", own=True),
    "a file beside the submitters": Row(
        beside("closed/notes.txt"), "structure", "not a submitter's folder", "move it out", own=True
    ),
    "the same in v4.1": Row(beside("closed/notes.txt"), "structure", "not a submitter's folder", base="v4.1"),
    "another submitter's folder": Row(other_submitter, "structure", "so it was not checked", "move it out", own=True),
    "a file at the submitter": Row(at_submitter("Makefile"), "structure", "not part of a submission", "remove it", own=True),
    "no source": Row(no_source, "structure", "the source code is missing", STAGE),
    "no page on calibration": Row(no_calibration, "structure", "the page on calibration is missing", STAGE, own=True),
    "a link": Row(link, "structure", "symbolic links are not allowed", "the file itself"),
    "an empty folder": Row(empty_folder, "structure", "empty folder", "rmdir", own=True),
    "an empty folder before v6.0": Row(empty_folder, "structure", "which the official checker rejects", "rmdir", "v4.1"),
    "a name with a space": Row(at_submitter("documentation/a b.md"), "structure", "contain a space", "rename"),
    "a name with a dot in front": Row(at_submitter("documentation/.a.md"), "structure", "start with a dot", "rename"),
    "compiled Python": Row(parent(at_submitter("src/__pycache__/a.pyc")), "structure", "compiled Python", "remove it", own=True),
    "compiled Python before v6.0": Row(
        parent(at_submitter("code/__pycache__/a.pyc")), "structure", "compiled Python", base="v4.1"
    ),
    "a leftover audit.config": Row(text(f"{RUN}/audit.config"), "forbidden", "a leftover audit.config", "rm ", own=True),
    "a leftover audit.config before v6.0": Row(text(f"{RUN}/audit.config"), "forbidden", "a leftover audit.config", base="v4.1"),
    "a marker of an unfinished run": Row(text("accuracy/INCOMPLETE"), "forbidden", "the run has not finished", base="v4.1"),
    "a trace": Row(text(f"{RUN}/mlperf_log_trace.json"), "forbidden", "trace is not part", base="v4.1", own=True),
    "a stray file beside the logs": Row(text("accuracy/notes.txt"), "forbidden", "allowed in this folder", "rm ", own=True),
    "a stray file beside the logs before v6.0": Row(
        text("accuracy/notes.txt"), "forbidden", "allowed in this folder", base="v4.1"
    ),
    "a file over the limit": Row(large("a.bin"), "size", "50.0 MiB; the limit is 50 MiB", "leave it out"),
    "an accuracy log over the limit": Row(
        large("mlperf_log_accuracy.json"), "size", "the limit is 50 MiB", "make truncate_results"
    ),
}

POWER: dict[str, Row] = {
    "no ranging run": Row(
        without("performance/ranging"), "power", "this folder is missing", "submit without power", "power", also=("power",)
    ),
    "no log of the client": Row(
        gone("performance/power/client.log"), "power", "this file is missing", "submit without power", "power"
    ),
    "no samples": Row(gone(f"{RUN}/spl.txt"), "power", "this file is missing", "submit without power", "power"),
    "no samples of the ranging run": Row(
        gone("performance/ranging/spl.txt"), "power", "this file is missing", base="power", also=("power",)
    ),
    "a stray file in power": Row(text("performance/power/notes.txt"), "power", "not one of the files allowed", "rm ", "power"),
    "a session that is no JSON": Row(
        parent(text("performance/power/client.json", "{")), "power", "client.json cannot be read", "submit without power", "power"
    ),
    "another log of the server": Row(
        lambda tree: text("performance/power/server.log")(tree).with_name("server.json"),
        "power",
        "its digest differs",
        "measure it again",
        "power",
    ),
    "no analyzer table before v6.0": Row(
        lambda tree: settings_of_power(tree, "power_settings.json") / "analyzer_table.*",
        "power",
        "no such file here or above",
        base="power-v4.1",
    ),
    "empty settings before v6.0": Row(
        lambda tree: (
            settings_of_power(tree, "analyzer_table.md"),
            settings_of_power(tree, "power_settings.json", "") / "power_settings.json",
        )[1],
        "power",
        "empty",
        base="power-v4.1",
    ),
}

ROWS: dict[str, Row] = {**LOGS, **RESULT, **AUDITS, **SYSTEM, **TREE, **POWER, **CLIENT}
