"""`make convert_configs`: class files to the newer layout and back give equal values; what the other side cannot say is listed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts.check_configs import check_tree
from scripts.check_configs import main as check
from scripts.config_trees import find_trees
from scripts.convert_configs import as_class_value, main
from tests.compat import class_examples, exports_examples


def written(root: Path, files: Mapping[str, str]) -> Path:
    for place, text in files.items():
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def values(root: Path) -> dict[tuple[str, ...], Any]:
    """Workload → every field that a config sets for it."""
    found = {}
    for tree in find_trees([root]).trees:
        for config in check_tree(tree, values=True)["configs"]:
            system = config["known"] or config["system"]
            if config["suffix"] and (config["benchmark"], config["scenario"], system, *config["setting"]) in found:
                continue  # EXPORTS has one config for each setting: the one without a suffix
            found[(config["benchmark"], config["scenario"], system, *config["setting"])] = {
                name: as_class_value(name, value) for name, value in config["values"].items()
            }
    return found


def run(*arguments: Path | str) -> int:
    return main([*map(str, arguments)])


def test_classes_there_and_back_have_equal_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = written(tmp_path / "configs", class_examples.FILES)
    assert run(source, tmp_path / "newer") == 0
    listed = capsys.readouterr().out
    assert run(tmp_path / "newer", tmp_path / "back") == 0
    original, newer, back = values(source), values(tmp_path / "newer"), values(tmp_path / "back")
    kept = {key: value for key, value in original.items() if key in newer}
    assert newer == back == kept
    assert {key[3] for key in set(original) - set(newer)} <= {"Custom"}, "a variant of a setting that another class has"
    assert "the variant 'TP2PP1'" in listed and "HarnessType.LWIS" in listed and "another class is for the same setting" in listed


def test_exports_there_and_back_have_equal_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = written(tmp_path / "configs", exports_examples.FILES)
    assert run(source, tmp_path / "classes") == 0
    listed = capsys.readouterr().out
    assert run(tmp_path / "classes", tmp_path / "back") == 0
    original, classes, back = values(source), values(tmp_path / "classes"), values(tmp_path / "back")
    known = {key: value for key, value in original.items() if key in classes}
    assert classes == back and known and all(classes[key] == value for key, value in known.items())
    assert ("bert", "Offline", "H100_SXM_80GBx8", "Custom", "k_99", "MaxP") in known
    assert len(classes) == len(
        [key for key in original if key[1] != "Interactive" and not key[0].startswith(("old", "llama2-70b-b"))]
    )
    assert "Interactive: classes have no such scenario" in listed and "make add_system NAME=" in listed
    assert "environment variables are not set" in listed and "ACCURACY_OVERRIDES is not used" in listed


def test_both_sides_load(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = written(tmp_path / "configs", {**class_examples.FILES, **exports_examples.FILES})
    assert check([str(source)]) == 0, capsys.readouterr().out
    assert run(source, tmp_path / "both") == 0
    assert check([str(tmp_path / "both")]) == 0


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = written(tmp_path / "configs", exports_examples.FILES)
    assert run(source, source) == 2 and "exists already" in capsys.readouterr().err
    assert run(tmp_path / "absent", tmp_path / "to") == 2
    assert not (tmp_path / "to").exists()


def test_a_file_that_does_not_load_is_listed_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = f"{exports_examples.H100}/Offline/bert.py"
    source = written(tmp_path / "configs", {**exports_examples.FILES, place: "EXPORTS = {\n"})
    assert run(source, tmp_path / "to") == 1
    assert f"failed    {source / place}:1: syntax error" in capsys.readouterr().out.replace("\n", "")
