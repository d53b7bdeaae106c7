"""`python3 -m scripts.check_configs FOLDER`: a folder of foreign configs checked at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.check_configs import main
from tests.compat import class_examples, exports_examples
from tests.compat.conftest import HEAD, REGISTER
from tests.compat.custom_json import CUSTOM_JSON
from tests.compat.test_faults import GOOD, START, SYSTEM, config


def write(folder: Path, place: str, text: str) -> Path:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def checked(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, dict[str, Any]]:
    status = main([*map(str, arguments), "--json"])
    content: dict[str, Any] = json.loads(capsys.readouterr().out)
    return status, content


def test_what_loads_is_counted_and_the_status_is_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "closed/Somebody/configs/bert/Offline/__init__.py", HEAD + GOOD)
    write(
        tmp_path,
        "closed/Somebody/configs/bert/Offline/custom.py",
        "from . import *\n\n\n" + config("L4x2", "system = KnownSystem.L4x2", base="L4x1"),
    )
    status, content = checked(capsys, tmp_path)
    assert status == 0
    assert [file["classes"] for file in content["trees"][0]["files"]] == [1, 1]
    assert content["summary"]["files"] == 2 and content["summary"]["classes"] == 2


def test_a_failed_file_is_named_with_its_line_and_the_status_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "configs/bert/Offline/__init__.py", HEAD + GOOD)
    broken = write(tmp_path, "configs/bert/Server/__init__.py", HEAD + "class X(\n")
    assert main([str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert f"failed   {broken}:{START}: syntax error" in out.replace("\n", "\n")
    assert "1 configs loaded; 1 files failed" in out


def test_classes_are_checked_as_selecting_them_would(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(
        tmp_path,
        "bert/Offline/__init__.py",
        HEAD
        + config("L4x1", "system = KnownSystem.L4x1", "offline_expected_gps = 1")
        + config("L4x2", "system = KnownSystem.L4x2", "workspace_size = 'big'")
        + config("Other", "system = KnownSystem.L4x2"),
    )
    status, content = checked(capsys, tmp_path)
    assert status == 1 and content["summary"]["classes"] == 3 and content["summary"]["failed_files"] == 0
    places = [(fault["where"], fault["what"]) for fault in content["trees"][0]["refused"]]
    assert places[0][0] == f"{path}:{START + 3}" and "offline_expected_gps" in places[0][1]
    assert places[1][0] == f"{path}:{START + 9}" and "workspace_size" in places[1][1]
    assert places[2][1].startswith("two configs for bert Offline")


def test_unknown_systems_are_warnings_unless_strict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "bert/Offline/__init__.py", HEAD + config("Rack", "system = KnownSystem.L40S_x4"))
    status, content = checked(capsys, tmp_path)
    (name, uses), *rest = content["trees"][0]["undefined"].items()
    assert status == 0 and not rest and name == "L40S_x4"
    assert uses["where"] == f"{path}:{START + 2}" and "KnownSystem.L40Sx4" in uses["why"]
    assert checked(capsys, tmp_path, "--strict")[0] == 1


def test_each_tree_is_loaded_by_itself_with_its_own_systems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rack = config("Rack", "system = KnownSystem.Rack_H100x4", "offline_expected_qps = 36000")
    for submitter in ("One", "Two"):
        write(tmp_path, f"closed/{submitter}/configs/bert/Offline/__init__.py", HEAD + rack)
    write(tmp_path, "closed/One/code/common/systems/custom_list.py", SYSTEM)
    status, content = checked(capsys, tmp_path, "--jobs=2")
    assert status == 0 and content["summary"]["classes"] == 2
    assert [list(report["undefined"]) for report in content["trees"]] == [[], ["Rack_H100x4"]]


def test_a_folder_of_definitions_is_a_tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "custom_systems/custom_list.py", SYSTEM)
    write(
        tmp_path,
        "custom_configs/bert/Offline/custom.py",
        "from . import *\n\n\n" + config("Rack", "system = KnownSystem.Rack_H100x4"),
    )
    status, content = checked(capsys, tmp_path)
    assert status == 0 and content["summary"]["classes"] == 1 and content["summary"]["undefined_systems"] == 0


def test_benchmarks_that_do_not_run_here_load_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        tmp_path,
        "resnet50/__init__.py",
        "from code.common.constants import Benchmark\nfrom configs.configuration import BenchmarkConfiguration\n\n\n"
        "class GPUBaseConfig(BenchmarkConfiguration):\n    benchmark = Benchmark.ResNet50\n    disable_beta1_smallk = True\n",
    )
    write(tmp_path, "resnet50/Offline/__init__.py", HEAD.replace("configs.bert", "configs.resnet50") + GOOD)
    status, content = checked(capsys, tmp_path)
    assert status == 0 and content["summary"]["classes"] == 1 and content["summary"]["files"] == 2


def test_single_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lone = write(tmp_path, "my_bert_offline.py", HEAD + GOOD)
    custom = write(tmp_path, "bert/Offline/custom.py", "from . import *\n\n\n" + config("L4x2", "system = KnownSystem.L4x2"))
    status, content = checked(capsys, lone, custom)
    assert status == 0 and content["summary"]["classes"] == 2 and content["summary"]["files"] == 2


def test_a_file_that_ends_the_process_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "A/configs/bert/Offline/__init__.py", "import os\nos._exit(7)\n")
    write(tmp_path, "B/configs/bert/Offline/__init__.py", HEAD + GOOD)
    status, content = checked(capsys, tmp_path)
    assert status == 1 and content["summary"]["classes"] == 1
    assert "its process ended with status 7" in content["trees"][0]["files"][0]["failures"][0]["reason"]


def test_what_a_file_prints_does_not_disturb_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "bert/Offline/__init__.py", "print('{')\n" + HEAD + GOOD)
    assert checked(capsys, tmp_path)[0] == 0


def test_nothing_to_check_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 3
    assert main([str(tmp_path / "absent")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_it_runs_as_a_module(tmp_path: Path, project: Path) -> None:
    write(tmp_path, "bert/Offline/__init__.py", HEAD + REGISTER + "class L4x1(Nothing):\n    pass\n")
    done = subprocess.run(
        [sys.executable, "-m", "scripts.check_configs", str(tmp_path)], cwd=project, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1 and f"__init__.py:{START + 1}: NameError" in done.stdout.replace("\n", " ")


# ── both layouts, and every file counted ──────────────────────────────────────────────────────────────────────────


def test_both_layouts_in_one_tree_and_every_file_has_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for place, text in {**class_examples.FILES, **exports_examples.FILES}.items():
        write(tmp_path, f"closed/Somebody/configs/{place}", text)
    others = ("configuration.py", "README.md", f"{exports_examples.H100}/Offline/bert.py~", "bert/Offline/custom.py.backup")
    for place in others:
        write(tmp_path, f"closed/Somebody/configs/{place}", "raise SystemExit(1)\n")
    write(tmp_path, "closed/Somebody/code/main.py", "raise SystemExit(1)\n")
    status, content = checked(capsys, tmp_path)
    total, (tree,) = content["summary"], content["trees"]
    assert status == 0 and total["failures"] == total["refused"] == 0
    assert total["layouts"] == {"classes": len(class_examples.FILES), "EXPORTS": len(exports_examples.CONFIGS)}
    seen = len(list(tmp_path.rglob("*.*")))
    assert total["files_seen"] == seen and total["outside_of_trees"] == 1
    assert len(tree["files"]) == seen - 1 and all(file["layout"] or file["notes"] for file in tree["files"])
    unread = [file["notes"][0] for file in tree["files"] if "old_bert" in file["file"] or "blaze" in file["file"]]
    assert len(unread) == 2 and all("so no run selects it" in note for note in unread)
    assert main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert f"{seen} files seen" in out and all(Path(place).name in out for place in others)


def test_there_are_thirty_examples_of_each_layout() -> None:
    assert len(class_examples.FILES) >= 30 and len(exports_examples.CONFIGS) >= 30


STUBBORN = "while True:\n    try:\n        pass\n    except BaseException:\n        pass\n"


@pytest.mark.parametrize("body", ["while True:\n    pass\n", STUBBORN])
def test_an_endless_loop_is_that_files_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str) -> None:
    stuck = write(tmp_path, "bert/Server/__init__.py", body)
    write(tmp_path, "bert/Offline/__init__.py", HEAD + GOOD)
    write(
        tmp_path,
        "bert/SingleStream/__init__.py",
        HEAD.replace("Offline", "SingleStream") + GOOD.replace("Offline", "SingleStream"),
    )
    status, content = checked(capsys, tmp_path, "--seconds=1")
    failed = {file["file"]: file["failures"] for file in content["trees"][0]["files"] if file["failures"]}
    assert status == 1 and list(failed) == [str(stuck)] and "not loaded within 1 s" in failed[str(stuck)][0]["reason"]
    assert content["summary"]["classes"] == 2


def test_config_files_see_a_cleaned_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")
    monkeypatch.setenv("SYSTEM_NAME", "L4x1")
    lines = "assert not {'AWS_SECRET_ACCESS_KEY', 'SYSTEM_NAME'} & set(os.environ)\nassert not os.listdir(os.path.expanduser('~/.ssh'))\n"
    write(tmp_path, "bert/Offline/__init__.py", HEAD + GOOD + lines.replace("assert not os.listdir", "assert not os.path.exists"))
    assert checked(capsys, tmp_path)[0] == 0


def test_static_executes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mark = tmp_path / "executed"
    write(tmp_path, "configs/bert/Offline/__init__.py", HEAD + GOOD + f"open({str(mark)!r}, 'w')\n")
    place = f"configs/{exports_examples.H100}/Offline/bert.py"
    write(tmp_path, place, exports_examples.FILES[place.removeprefix("configs/")] + f"open({str(mark)!r}, 'w')\n")
    status, content = checked(capsys, tmp_path, "--static")
    assert status == 0 and not mark.exists() and content["summary"]["classes"] == 4
    assert checked(capsys, tmp_path)[0] == 0 and mark.exists()
    wrong = write(
        tmp_path, "configs/L40Sx1/Offline/bert.py", "import code.fields.models as m\nEXPORTS = {1: {m.gpu_batch_sice: 2}}\n"
    )
    status, content = checked(capsys, tmp_path, "--static")
    (failed,) = [file for file in content["trees"][0]["files"] if file["failures"]]
    assert status == 1 and failed["file"] == str(wrong) and failed["failures"][0]["line"] == 2
    assert "gpu_batch_size" in failed["failures"][0]["hint"]


def test_the_help_says_that_files_are_executed(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "EXECUTES every config file" in capsys.readouterr().out
    security = (project / "SECURITY.md").read_text(encoding="utf-8")
    assert "make check_configs" in security and "STATIC=1" in security and "make convert_configs" in security
    target = next(line for line in (project / "Makefile").read_text().splitlines() if line.startswith("check_configs:"))
    assert "EXECUTES" in target


def test_a_list_of_systems_in_json_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "configs/bert/Offline/__init__.py", HEAD + config("Rack", "system = KnownSystem.Rack_H100x4"))
    write(tmp_path, "code/common/systems/custom_list.json", CUSTOM_JSON)
    status, content = checked(capsys, tmp_path)
    assert status == 0 and content["summary"]["undefined_systems"] == 0
    write(tmp_path, "code/common/systems/custom_list.json", "{")
    status, content = checked(capsys, tmp_path)
    assert status == 1 and "not valid JSON" in content["trees"][0]["systems_list"][0]
