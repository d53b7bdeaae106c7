"""A benchmark and a backend are added to a copy of the project by new files and one entry each, and run through `make`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

pytestmark = pytest.mark.e2e
SAMPLES = 300

FACTS = """
    \"\"\"What is fixed for the toy benchmark.\"\"\"

    from code.rules.benchmark_facts import Audits, BenchmarkFacts, RoundRules, Space, Target
    from code.rules.rounds import EDGE, OFFLINE, SINGLE

    FACTS = BenchmarkFacts(
        name="toy",
        family="encoder",
        scenarios=(OFFLINE, SINGLE),
        samples=300,
        targets={"k_99": Target("toy-99", {"SUM": 99.0}), "k_99_9": Target("toy-99.9", {"SUM": 99.9})},
        rounds={"v6.1": RoundRules({EDGE: (SINGLE, OFFLINE)}, ("TEST01",))},
        audits=Audits(tests=("TEST01",), element="float32", sampling={"TEST01": 32}),
        space={name: Space(1_000_000, 1_000, 1_000_000, 1_000) for name in ("reference", "tiny")},
        longest_input=16,
    )
"""

BENCHMARK = """
    \"\"\"The toy benchmark: the running sum of a sequence's numbers.\"\"\"

    from pathlib import Path

    import numpy as np

    from code.benchmarks.benchmark import BenchmarkDefinition
    from code.benchmarks.toy import facts
    from code.common import paths
    from code.results.accuracy import AccuracyResult
    from code.results.accuracy_log import LOG_NAME, entries


    class Toy(BenchmarkDefinition):
        facts = facts.FACTS

        def _folder(self):
            return paths.preprocessed_dir() / "toy"

        def download_data(self, variant):
            self.prepare({})

        def download_model(self, variant):
            self.model({})

        def prepare(self, values):
            folder, random = self._folder(), np.random.default_rng(1)
            if (folder / "lengths.npy").is_file():
                return
            folder.mkdir(parents=True, exist_ok=True)
            lengths = random.integers(4, 17, self.samples).astype(np.int32)
            numbers = random.integers(1, 50, (self.samples, 16)) * (np.arange(16) < lengths[:, None])
            np.save(folder / "numbers.npy", numbers.astype(np.int32))
            np.save(folder / "lengths.npy", lengths)

        def model(self, values):
            path = paths.model_dir() / "toy" / "weight.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_file():
                np.save(path, np.float32(1.0))
            return path

        def dataset(self, values):
            return {
                "kind": "sequence",
                "folder": str(self._folder()),
                "count": self.samples,
                "usual_count": self.samples,
                "arrays": {"numbers": "numbers.npy"},
                "lengths": "lengths.npy",
                "outputs": ["sums"],
                "input_dtype": "int32",
            }

        def _score(self, log_dir):
            numbers, found = np.load(self._folder() / "numbers.npy"), {}
            for _, index, data in entries(Path(log_dir) / LOG_NAME):
                sums = np.frombuffer(data, np.float32)
                found[index] = np.array_equal(sums, np.cumsum(numbers[index])[: len(sums)])
            return 100.0 * sum(found.values()) / self.samples

        def check_accuracy(self, log_dir, values, target):
            score = self._score(log_dir)
            (Path(log_dir) / "accuracy.txt").write_text(f"SUM={score}\\n")
            return [AccuracyResult("SUM", score, 100.0 * target.value)]

        def partial_scores(self, log_dir, values):
            score = self._score(log_dir)
            return {"SUM": score}, f"SUM={score}\\n"


    BENCHMARK = Toy()
"""

BASE_CONFIG = """
    \"\"\"The toy benchmark.\"\"\"

    from configs.configuration import *


    class ToyConfiguration(BenchmarkConfiguration):
        benchmark = Benchmark.TOY
        backend = "counter"
        model_variant = "tiny"
        precision = "fp32"
        cpu_batch_size = {"toy": 8}
        cpu_inference_streams = 2
"""

SCENARIO_CONFIG = """
    \"\"\"The toy benchmark, {scenario}.\"\"\"

    from configs.configuration import *
    from configs.toy import ToyConfiguration


    class {scenario}CPUBaseConfig(ToyConfiguration):
        scenario = Scenario.{scenario}
        {field}


    @ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
    class CPU_x86_64({scenario}CPUBaseConfig):
        system = KnownSystem.CPU_x86_64


    @ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
    class CPU_aarch64({scenario}CPUBaseConfig):
        system = KnownSystem.CPU_aarch64
"""

BACKEND = """
    \"\"\"Counts with NumPy.\"\"\"

    import shutil
    import time

    import numpy as np

    from code.backends.base import Backend
    from code.fields.consumer import Consumer

    READS = Consumer("the counter", ("precision",), engine=True, backends=("counter",))


    class CounterEngine:
        inputs = ("numbers",)
        outputs = ("sums",)

        def __init__(self, weight):
            self._weight = weight

        def stream(self):
            return self

        def infer(self, inputs):
            time.sleep(0.001)  # so that the configs' expected values are near on any machine
            return {"sums": np.cumsum(inputs["numbers"] * self._weight, axis=1, dtype=np.float32)}


    class Counter(Backend):
        name = "counter"
        label = "Counter"
        runtime_key = "counter_version"
        reads = (READS,)
        device = "CPU"
        makes_precision = True

        def version(self):
            return "1.0"

        def build_settings(self, values):
            return {"precision": READS.of(values)["precision"]}

        def device_identity(self):
            return "CPU"

        def build(self, model, values, folder):
            shutil.copyfile(model, folder / "weight.npy")

        def load(self, folder, spec):
            return CounterEngine(np.load(folder / "weight.npy"))


    BACKEND = Counter()
"""

NEW_FILES = {
    "code/benchmarks/toy/__init__.py": '"""The toy benchmark."""',
    "code/benchmarks/toy/facts.py": FACTS,
    "code/benchmarks/toy/benchmark.py": BENCHMARK,
    "configs/toy/__init__.py": BASE_CONFIG,
    "configs/toy/Offline/__init__.py": SCENARIO_CONFIG.format(scenario="Offline", field="offline_expected_qps = 30000"),
    "configs/toy/SingleStream/__init__.py": SCENARIO_CONFIG.format(
        scenario="SingleStream", field="single_stream_expected_latency_ns = 500000"
    ),
    "code/backends/counter.py": BACKEND,
}
ENTRIES = {
    "code/common/constants.py": ("    ResNet50 = ", '    TOY = AliasedName("toy", ("toy-99", "toy-99.9"))\n'),
    "code/rules/benchmarks.py": ("BENCHMARKS: dict[str, str] = {\n", '    "toy": "code.benchmarks.toy",\n'),
    "code/backends/base.py": ("BACKENDS: dict[str, str] = {\n", '    "counter": "code.backends.counter",\n'),
}
"""File → the line that the entry stands beside, and the entry."""


def tracked(project: Path) -> list[str]:
    """The project's files without what is large and not needed here: the C++ harness's sources are."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=project, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split("\0") if name and not name.startswith(("tests/", "documentation/"))]


@pytest.fixture(scope="module")
def copy(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the toy benchmark and its backend."""
    if not (project / ".git").exists():
        pytest.skip("the project is no Git checkout, which says which files belong to it")
    root = tmp_path_factory.mktemp("copy")
    for name in tracked(project):
        if (project / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(project / name, root / name)
    for name, text in NEW_FILES.items():
        assert not (root / name).exists()
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(dedent(text).strip() + "\n", encoding="utf-8")
    for name, (beside, entry) in ENTRIES.items():
        text = (root / name).read_text(encoding="utf-8")
        assert text.count(beside) == 1, name
        (root / name).write_text(
            text.replace(beside, beside + entry if beside.endswith("\n") else entry + beside), encoding="utf-8"
        )
    os.utime(root / "requirements" / "runtime.lock", (0, 0))  # make must not take the environment for outdated
    return root


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command in the copy, with its own build folder and the environment of these tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLPINF_", "MAKE", "MFLAGS", "MLPERF_"))}
    moved = {"BUILD_DIR": str(root / "build"), "MLPERF_SCRATCH_PATH": str(root / "scratch"), "LOG_DIR": str(root / "logs")}
    (root / "scratch").mkdir(exist_ok=True)
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, env={**kept, **moved})


def main(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(root, sys.executable, "-m", "code.main", *arguments)


def results(root: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((root / "logs").rglob("metadata.json"))]


def test_only_the_listed_files_are_edited(project: Path, copy: Path) -> None:
    edited = {name for name in tracked(project) if (copy / name).read_bytes() != (project / name).read_bytes()}
    assert edited == set(ENTRIES)


def test_make_run_ends_valid_and_passed(copy: Path) -> None:
    words = "--benchmarks=toy --scenarios=offline,singlestream --test_mode=SubmissionRun --min_duration=500 --warmup_duration=0"
    done = run(copy, "make", "run", f"VENV={sys.prefix}", f"RUN_ARGS={words}")
    assert done.returncode == 0, done.stdout + done.stderr
    found = results(copy)
    assert sorted((one["scenario"], one["test_mode"]) for one in found) == [
        (scenario, mode) for scenario in ("Offline", "SingleStream") for mode in ("AccuracyOnly", "PerformanceOnly")
    ]
    for one in found:
        assert one["benchmark_full"] == "toy-99" and one["counter_version"] == "1.0"
        if one["test_mode"] == "PerformanceOnly":
            assert one["result_validity"] == "VALID", done.stdout
        else:
            assert one["accuracy_pass"] is True, done.stdout


def test_what_needs_only_facts_knows_it(copy: Path) -> None:
    """Disk space, files, configs, planning and estimates of a system."""
    doctor = json.loads(main(copy, "--action=doctor", "--benchmarks=toy", "--model_variant=tiny", "--json=true").stdout)
    assert "needed for toy (tiny)" in json.dumps(doctor)
    listed = main(copy, "--action=list_configs", "--benchmarks=toy")
    assert "CPU_x86_64" in listed.stdout, listed.stderr
    dry = main(copy, "--action=run", "--benchmarks=toy", "--scenarios=offline", "--dry_run=true")
    assert "toy-99 Offline" in dry.stdout, dry.stderr
    added = main(copy, "--action=add_system", "--name=here", "--benchmarks=toy", "--yes=true", "--json=true")
    assert any("toy" in path for path in json.loads(added.stdout)["written"]), added.stdout + added.stderr
    refused = main(copy, "--action=run", "--benchmarks=tyo")
    assert refused.returncode == 2 and "did you mean 'toy'" in refused.stderr
    audited = main(copy, "--action=run_audit_harness", "--benchmarks=toy", "--scenarios=offline", "--audit_test=TEST06")
    assert "TEST06 does not apply to toy" in audited.stderr
