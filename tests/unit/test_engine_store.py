"""The engine store: an engine is built once, listed with what it was made of, and removed; a build that goes on is left alone."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from code.actions import Context, clean_engines, list_engines
from code.backends import store
from code.backends.locks import held, locked
from code.common.errors import MissingError, UsageError
from code.common.paths import engine_dir
from code.plan.request import parse


class Copier:
    """A backend whose engine is a copy of the model; it counts its builds."""

    name, label, device = "copier", "Copier", "CPU"

    def __init__(self) -> None:
        self.built = 0

    def version(self) -> str:
        return "1.0"

    def build_settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {"precision": values["precision"]}

    def device_identity(self) -> str:
        return "a processor"

    def build(self, model: Path, values: Mapping[str, Any], folder: Path) -> Mapping[str, Any] | None:
        self.built += 1
        (folder / "engine.bin").write_bytes(model.read_bytes())
        return {"layers": 2}


VALUES = {"precision": "fp32"}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file to make engines of."""
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    return path


def address(backend: Copier, model: Path, benchmark: str = "bert", **values: str) -> store.EngineAddress:
    return store.address(backend, benchmark, model, {**VALUES, **values})  # type: ignore[arg-type]


def build(backend: Copier, model: Path, benchmark: str = "bert", **values: str) -> store.EngineAddress:
    where = address(backend, model, benchmark, **values)
    store.build(where, backend, model, {**VALUES, **values})  # type: ignore[arg-type]
    return where


def context(*words: str) -> Context:
    return Context(parse(list(words), {}))


def test_an_engine_is_built_and_found(model: Path) -> None:
    backend = Copier()
    where = address(backend, model)
    assert not where.exists
    with pytest.raises(MissingError, match="is not built"):
        where.require()
    assert store.build(where, backend, model, VALUES) > 0 and backend.built == 1  # type: ignore[arg-type]
    assert where.exists and where.require() == where.folder and where.folder.parent == engine_dir()
    assert where.folder.name.startswith("bert-model-copier-fp32-")
    sidecar = json.loads((where.folder / store.SIDECAR).read_text())
    assert sidecar["details"] == {"layers": 2} and set(sidecar["files"]) == {"engine.bin"} and sidecar["build_seconds"] >= 0
    assert {name: sidecar[name] for name in ("backend", "benchmark", "runtime_version", "device", "settings")} == {
        "backend": "copier",
        "benchmark": "bert",
        "runtime_version": "1.0",
        "device": "a processor",
        "settings": {"precision": "fp32"},
    }
    assert sidecar["model"]["file"] == "model.onnx" and len(sidecar["model"]["sha256"]) == 64


def test_other_inputs_are_another_engine(model: Path, tmp_path: Path) -> None:
    backend = Copier()
    names = {address(backend, model).folder.name, address(backend, model, precision="fp16").folder.name}
    names.add(address(backend, model, "gptj").folder.name)
    model.write_bytes(b"other weights")
    names.add(address(backend, model).folder.name)
    assert len(names) == 4
    assert address(backend, model).folder == address(backend, model).folder


@pytest.mark.parametrize("harm", ["changed", "gone", "no sidecar", "another model"])
def test_a_damaged_engine_is_not_used(model: Path, harm: str) -> None:
    where = build(Copier(), model)
    if harm == "changed":
        (where.folder / "engine.bin").write_bytes(b"weighty")
    elif harm == "gone":
        (where.folder / "engine.bin").unlink()
    elif harm == "no sidecar":
        (where.folder / store.SIDECAR).write_text("{")
    else:
        content = json.loads((where.folder / store.SIDECAR).read_text())
        (where.folder / store.SIDECAR).write_text(json.dumps({**content, "runtime_version": "0.9"}))
    assert where.damage()
    with pytest.raises(MissingError, match="is damaged"):
        where.require()
    assert store.damage(where.folder) == ("" if harm == "another model" else where.damage())


def test_an_engine_without_its_record_says_why_it_cannot_be_used(model: Path) -> None:
    where = build(Copier(), model)
    (where.folder / store.SIDECAR).unlink()
    assert where.damage() == f"{store.SIDECAR} cannot be read: No such file or directory" == store.damage(where.folder)
    with pytest.raises(MissingError, match="is not built"):
        where.require()
    (where.folder / store.SIDECAR).write_text("[]")
    assert where.damage().startswith(f"{store.SIDECAR}: ")


def test_two_builds_at_once_are_one(model: Path) -> None:
    backend = Copier()
    where = address(backend, model)
    with locked(engine_dir() / ".locks" / where.folder.name):
        waiting = threading.Thread(target=store.build, args=(where, backend, model, VALUES))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive() and backend.built == 0, "it waits for the lock"
        where.folder.mkdir(parents=True)
        (where.folder / store.SIDECAR).write_text("{}")
    waiting.join(30)
    assert backend.built == 0, "the other process has built it"
    assert store.build(where, backend, model, VALUES) > 0 and backend.built == 1  # type: ignore[arg-type]


def test_a_lock_is_held_until_its_block_ends(tmp_path: Path) -> None:
    file = tmp_path / "locks" / "a"
    assert not held(file) and not file.exists()
    with locked(file):
        assert held(file)
    assert not held(file)


def test_list(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list_engines.run(context("--action=list_engines")) == 0
    assert "no engines built" in capsys.readouterr().out
    where = build(Copier(), model)
    assert list_engines.run(context("--action=list_engines")) == 0
    said = capsys.readouterr().out
    assert "copier 1.0" in said and "fp32" in said
    (one,) = store.built()
    size = sum(path.stat().st_size for path in where.folder.iterdir())
    assert (one.folder, one.size, one.sidecar["benchmark"]) == (where.folder, size, "bert")


def test_clean_removes_what_was_asked_for(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bert, gptj = build(Copier(), model), build(Copier(), model, "gptj")
    (engine_dir() / ".timing.cache").write_text("kept")
    with pytest.raises(UsageError, match="openvin"):
        clean_engines.run(context("--action=clean_engines", "--backend=openvin"))
    assert clean_engines.run(context("--action=clean_engines", "--backend=openvino")) == 0
    assert bert.exists and gptj.exists and "0 engines removed" in capsys.readouterr().out
    assert clean_engines.run(context("--action=clean_engines", "--benchmarks=gptj")) == 0
    assert bert.exists and not gptj.exists and "1 engines removed" in capsys.readouterr().out
    assert clean_engines.run(context("--action=clean_engines")) == 0
    assert not bert.folder.exists() and store.built() == [] and (engine_dir() / ".timing.cache").is_file()


def leftover(where: store.EngineAddress, ending: str, hours: float) -> Path:
    """The folder that a build works in, last written to some time ago."""
    folder = where.folder.with_name(f".{where.folder.name}.a1b2c3d4{ending}")
    folder.mkdir(parents=True)
    then = time.time() - 3600 * hours
    os.utime(folder, (then, then))
    return folder


def test_only_leftovers_of_dead_builds_are_swept(model: Path) -> None:
    backend = Copier()
    dead, live = address(backend, model), address(backend, model, precision="fp16")
    old, older = leftover(dead, ".tmp", 1.1), leftover(dead, ".tmp.old", 30)
    fresh, going_on = leftover(dead, ".x.tmp", 0.9), leftover(live, ".tmp", 30)
    with locked(engine_dir() / ".locks" / live.folder.name):
        assert store.leftovers() == sorted([old, older])
        assert clean_engines.run(context("--action=clean_engines", "--benchmarks=bert")) == 0
        assert old.is_dir(), "only a request for everything sweeps"
        assert clean_engines.run(context("--action=clean_engines")) == 0
    assert not old.exists() and not older.exists() and fresh.is_dir() and going_on.is_dir()
    assert store.leftovers() == [going_on], "its build has ended"


def test_a_models_notes_do_not_count(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(b"1")
    before = store.model_digest(folder)
    for name in ("README.md", "notes.txt", "train.log", ".hidden"):
        (folder / name).write_text("x")
    assert store.model_digest(folder) == before
    (folder / "config.json").write_text("{}")
    with_config = store.model_digest(folder)
    (folder / "config.json").rename(folder / "other.json")
    assert len({before, with_config, store.model_digest(folder)}) == 3


def test_a_build_tells_its_seconds_and_none_where_another_process_made_it(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Copier()
    where = address(backend, model)
    seconds = store.build(where, backend, model, VALUES)  # type: ignore[arg-type]
    assert seconds > 0 and json.loads((where.folder / store.SIDECAR).read_text())["build_seconds"] == round(seconds, 3)
    answers = iter([None, (1, 2)])
    monkeypatch.setattr(store, "_written", lambda _: next(answers))
    assert store.build(where, backend, model, VALUES) == 0.0 and backend.built == 1  # type: ignore[arg-type]
