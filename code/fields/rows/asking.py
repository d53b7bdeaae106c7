"""Rows for the request, audits and submission."""

from __future__ import annotations

from code.fields.field import Field
from code.fields.rows.limits import SMALL, SOME
from code.fields.rows.words import request

TEST_MODES = (
    *tuple(
        (f"{word}{ending}", f"{word}Only")
        for word in ("Performance", "Accuracy")
        for ending in ("", "Mode", "_only", "-only", "_mode")
    ),
    ("perf", "PerformanceOnly"),
    ("acc", "AccuracyOnly"),
    ("Submission", "SubmissionRun"),
)
"""Other spellings of LoadGen's test modes, as other harnesses have them."""

ROWS: tuple[Field, ...] = (
    # ── the request ────────────────────────────────────────────────────────────
    request("action", "str", "Action to run; set by the make target of the same name."),
    request("benchmarks", "list", "Benchmarks to run, comma-separated, or 'all'."),
    request("scenarios", "list", "Scenarios to run, comma-separated; default: all scenarios of the benchmark."),
    request("config_ver", "list", "Config versions: default, high_accuracy, maxq, triton, … or all.", default=["default"]),
    request(
        "system",
        "str",
        "System whose configs to use instead of the detected one's: a known name or system ID in any case, or a system folder.",
        aliases=("system_name",),
    ),
    request("config_dir", "str", "Folder of config files, of either layout, to read before the project's own.", reads=True),
    request("config_suffix", "str", "Variant of a config that is registered with a suffix, such as TP2PP2."),
    request(
        "test_mode",
        "str",
        "LoadGen test mode.",
        default="PerformanceOnly",
        choices=("PerformanceOnly", "AccuracyOnly", "SubmissionRun"),
        spellings=TEST_MODES,
    ),
    request("fast", "bool", "A minimum duration of 60 s instead of 600 s.", default=False, aliases=("test_run",)),
    request(
        "repeat",
        "int",
        "run, run_harness: run each test this many times, and say how far the results spread.",
        default=1,
        limits=(1, 1000),
    ),
    request("power", "bool", "run, run_harness: measure power with an analyser, through MLCommons' power-dev.", default=False),
    request(
        "power_server",
        "str",
        "Where power-dev's server runs, beside the analyser: HOST, or HOST:PORT for another port than 4950.",
    ),
    request("ntp_server", "str", "The time server of both machines of a power measurement."),
    request(
        "test_query_count", "int", "A short run of this many queries; its result is for the open division only.", limits=SOME
    ),
    request("force_build", "bool", "Rebuild engines that already exist.", default=False),
    request("dry_run", "bool", "Resolve and print the plan, engine names and LoadGen settings; run nothing.", default=False),
    request("strict", "bool", "Exit 5 when a result is INVALID or its accuracy fails.", default=False),
    request("name", "str", "Name of the system to add or remove."),
    request("capture", "str", "Machine capture to use instead of this machine (capture_system: the file to write)."),
    request(
        "to",
        "str",
        "export_mirror: the folder to write; plan_submission: the campaign file to write (default: build/campaign.toml).",
    ),
    request("main", "str", "run_heterogeneous: the workload that is measured, BENCHMARK:SCENARIO or BENCHMARK:SCENARIO@DEVICES."),
    request("background", "list", "run_heterogeneous: the workloads that run beside it, written like --main, comma-separated."),
    request(
        "alone",
        "bool",
        "run_heterogeneous: first measure the main workload alone, to know what its neighbours cost.",
        default=True,
    ),
    request(
        "start_time_buffer",
        "int",
        "run_heterogeneous: how long the others run at least before the main test.",
        unit="ms",
        default=0,
        limits=(0, 86_400_000),
    ),
    request("mig", "str", "Slices of each GPU, such as 1g.10gb:7, or a MIG system's name; teardown_mig: all."),
    request("yes", "bool", "Do not ask for confirmation.", default=False),
    request("write", "bool", "tune: write the values into the config class.", default=False),
    request(
        "trials", "int", "tune: total number of trials, including those of an earlier search.", default=24, limits=(1, 10**6)
    ),
    request(
        "max_power",
        "float",
        "tune: most power that the GPUs' boards, or on processors their packages, may draw while they compute.",
        unit="W",
        limits=(1.0, 1e7),
    ),
    request(
        "p99_ms",
        "float",
        "tune: longest latency that 99 % of a Server run's queries may have, besides the benchmark's own bound.",
        unit="ms",
        limits=(1e-3, 1e7),
    ),
    request(
        "tune_duration",
        "float",
        "tune: duration of a Server run that decides whether a rate is VALID.",
        unit="s",
        default=10.0,
        limits=(0.1, 86400),
    ),
    request(
        "service_model",
        "str",
        "simulate, and tune for what it tries first: where service times come from: public (public results), config (the config's "
        "expected rate), the log folder of a run, "
        "or the name of a kept model.",
        default="public",
    ),
    request("sweep", "list", "simulate: fields whose values are varied, comma-separated: gpu_batch_size,server_target_qps."),
    request("real_time", "bool", "simulate: run under the real LoadGen, in real time.", default=False),
    request(
        "server_host", "str", "run_llm_server: address to listen on; another than loopback needs a key.", default="127.0.0.1"
    ),
    request("server_port", "int", "run_llm_server: port to listen on; 0 for any that is free.", default=8000, limits=(0, 65535)),
    request("json", "bool", "Print JSON to standard output, and all else to standard error.", default=False),
    request(
        "against",
        "str",
        "debug_accuracy: what to compare with: a backend, a precision, both (onnxruntime:fp32) or an ONNX file.",
        default="onnxruntime:fp32",
        reads=True,
    ),
    request("layers", "bool", "debug_accuracy: compare each layer, too; inspect_engine: list each layer.", default=False),
    request("debug_samples", "int", "debug_accuracy: how many samples to compare on.", default=4, limits=(1, 1000)),
    # ── campaigns and fleets ────────────────────────────────────────────────────────────
    request("campaign_file", "str", "campaign, fleet: the file with the runs; the variable FILE of make.", reads=True),
    request("campaign_dir", "str", "campaign, fleet: folder of the state of campaigns; default: build/campaigns."),
    request("fleet_dir", "str", "fleet: folder with a folder of logs for each node; the variable DIR of make.", reads=True),
    request("campaign_run", "str", "campaign: make only this run: its name, or its number in the plan."),
    request("node", "str", "campaign: the node whose runs to make; default: this one, named by Slurm, Kubernetes or the host."),
    request("campaign_ray", "str", "campaign: make its runs on this Ray cluster: auto, HOST:PORT or local:N; make's RAY."),
    request("campaign_nodes", "int", "campaign: nodes of the Ray cluster to use; make's NODES.", limits=(1, 100_000)),
    request("slurm_nodes", "int", "slurm_submit: nodes of the job; of an array, how many run at once.", limits=(1, 100_000)),
    request("slurm_args", "str", "slurm_submit: further options of sbatch, such as '--partition=gpu --time=02:00:00'."),
    request(
        "slurm_container",
        "str",
        "slurm_submit: what each task runs in.",
        default="none",
        choices=("none", "enroot", "apptainer"),
    ),
    request("slurm_image", "str", "slurm_submit: the container's image, a file that every node sees."),
    # ── audits and submission ────────────────────────────────────────────────────────────
    request(
        "systems",
        "list",
        "plan_submission, campaign: the systems to plan for or to make runs of, comma-separated: known names or system IDs.",
    ),
    request("price_per_hour", "float", "plan_submission: price of an hour of machine time, in any currency.", limits=(0.0, 1e9)),
    request("submitter", "str", "Your organisation's name, used as the submission's top directory."),
    request("division", "str", "Division to submit to.", choices=("closed", "open")),
    request("category", "str", "Category of the system: datacenter, edge or 'datacenter,edge'."),
    request("status", "str", "Availability of the system.", choices=("available", "preview", "rdi")),
    request("submission_file", "str", "File with these settings; default: submission.toml in the project root.", reads=True),
    request("submission_dir", "str", "Directory of the staged tree; default: build/submission.", reads=True),
    request(
        "preflight",
        "str",
        "check_submission: the harness's own checks first, alone, or not at all; the official checker decides in any case.",
        default="first",
        choices=("first", "only", "off"),
    ),
    request("from_tree", "str", "Stage from this submission tree instead of from the harness's logs.", reads=True),
    request("runs", "list", "Directories of runs to stage instead of newer ones, comma-separated.", reads=True),
    request(
        "endpoint_results",
        "list",
        "Result directories of MLCommons endpoints' client to stage, comma-separated, each '[scenario=]directory'.",
        reads=True,
    ),
    request("infer", "bool", "Infer results from other scenarios or targets where the rules allow it.", default=True),
    request("audit_test", "list", "Audit tests to run, comma-separated; default: those the round requires."),
    request("audit_attempts", "int", "Maximum attempts at an audit test whose performance part fails.", default=2, limits=SMALL),
    request("passphrase_file", "str", "File with the encryption passphrase; default: prompt on the terminal.", reads=True),
    request("a", "str", "First result to compare: a run directory, or a public result such as H100_SXM_80GBx8.", reads=True),
    request("b", "str", "Second result to compare.", reads=True),
    request("anyway", "bool", "compare: show results that are not comparable, without a percentage.", default=False),
    request("compare", "list", "report: directories of two or more runs to put side by side, comma-separated."),
    request("port", "int", "dashboard, telemetry_exporter: port of loopback to serve on.", default=8437, limits=(1, 65535)),
    request("report_dir", "str", "Directory of the report pages; default: build/report."),
)
