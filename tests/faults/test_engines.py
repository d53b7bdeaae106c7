"""A damaged engine or graph is built again with a line, and is never loaded."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from code.backends import digests, store
from code.backends.base import Backend
from code.backends.store import EngineAddress
from code.common.errors import MissingError
from code.common.notices import Notices
from code.run.engines import Engines


class Copying(Backend):
    """A backend whose engine is a copy of the model, and a second file in a folder."""

    name = label = runtime_key = "copying"
    device = "CPU"
    makes_precision = True
    built = 0

    def version(self) -> str:
        return "1"

    def build_settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {"precision": values["precision"]}

    def device_identity(self) -> str:
        return "none"

    def build(self, model: Path, values: Mapping[str, Any], folder: Path) -> None:
        self.built += 1
        shutil.copyfile(model, folder / "engine.blob")
        (folder / "parts").mkdir()
        (folder / "parts" / "0.bin").write_bytes(b"part")


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engines:
    """A built engine."""
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    model = tmp_path / "model.onnx"
    model.write_bytes(bytes(range(256)) * 64)
    values = {"precision": "fp32"}
    backend = Copying()
    found = Engines(backend, model, (values,), (store.address(backend, "bert", model, values),))
    found.build(Notices())
    return found


def flip(folder: Path) -> None:
    data = bytearray((folder / "engine.blob").read_bytes())
    data[5000] ^= 1
    (folder / "engine.blob").write_bytes(bytes(data))


def flip_unseen(folder: Path) -> None:
    """One byte, with the time of modification put back."""
    before = (folder / "engine.blob").stat()
    flip(folder)
    os.utime(folder / "engine.blob", ns=(before.st_atime_ns, before.st_mtime_ns))


def sidecar(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        content = json.loads((folder / store.SIDECAR).read_text())
        change(content)
        (folder / store.SIDECAR).write_text(json.dumps(content))

    return write


HARM: dict[str, tuple[Callable[[Path], object], str]] = {
    "a flipped byte": (flip, "engine.blob does not fit its digest"),
    "a flipped byte of the same age": (flip_unseen, "engine.blob does not fit its digest"),
    "a cut file": (lambda f: os.truncate(f / "engine.blob", 100), "engine.blob has 100 bytes, not 16384"),
    "a file that is gone": (lambda f: (f / "engine.blob").unlink(), "engine.blob cannot be read"),
    "a file of a folder that is gone": (lambda f: (f / "parts" / "0.bin").unlink(), "parts/0.bin cannot be read"),
    "a cut sidecar": (lambda f: os.truncate(f / store.SIDECAR, 40), "not valid JSON"),
    "an empty sidecar": (lambda f: os.truncate(f / store.SIDECAR, 0), "not valid JSON"),
    "a sidecar that is a list": (lambda f: (f / store.SIDECAR).write_text("[]"), "not a JSON object"),
    "a deep sidecar": (lambda f: (f / store.SIDECAR).write_text("[" * 100_000), "nested too deeply"),
    "a sidecar without digests": (sidecar(lambda c: c.pop("files")), "no digests"),
    "a sidecar of an older version": (sidecar(lambda c: c.update(files={"engine.blob": 16384})), "no digest of engine.blob"),
    "a sidecar of another model": (sidecar(lambda c: c["model"].update(sha256="0")), "records another model"),
    "a sidecar of another precision": (sidecar(lambda c: c["settings"].update(precision="int8")), "records another settings"),
    "a sidecar with a wrong digest": (
        sidecar(lambda c: c["files"]["engine.blob"].update(sha256="0" * 64)),
        "engine.blob does not fit its digest",
    ),
}


@pytest.mark.parametrize("name", HARM)
def test_a_damaged_engine_is_built_again_with_a_line(name: str, engines: Engines, capsys: pytest.CaptureFixture[str]) -> None:
    harm, words = HARM[name]
    folder = engines.require()[0]
    harm(folder)
    assert words in engines.first.damage()
    with pytest.raises(MissingError, match="is damaged"):
        engines.require()
    capsys.readouterr()
    engines.build(Notices())
    printed = capsys.readouterr()
    assert words in printed.err and "building it again" in printed.err and printed.out.count("built in") == 1
    assert engines.require() == [folder] and not engines.first.damage()


def test_repair_builds_only_what_is_damaged(engines: Engines, capsys: pytest.CaptureFixture[str]) -> None:
    backend = engines.backend
    assert isinstance(backend, Copying)
    engines.repair()
    assert backend.built == 1
    flip(engines.first.folder)
    engines.repair()
    assert backend.built == 2 and "building it again" in capsys.readouterr().err
    shutil.rmtree(engines.first.folder)
    engines.repair()
    assert backend.built == 2, "what was never built is not repaired"
    with pytest.raises(MissingError, match="is not built"):
        engines.require()


def test_an_intact_engine_is_not_read_again(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    engines.require()
    monkeypatch.setattr(digests, "sha256", lambda path: pytest.fail(f"{path} was read"))
    for _ in range(2):
        assert engines.require()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"stamp": 5}', '{"stamp": null, "sha256": null}', "[" * 100_000], ids=lambda c: c[:8]
)
def test_a_damaged_memory_of_digests_is_made_anew(content: str, engines: Engines) -> None:
    engines.require()
    memories = list((engines.first.folder.parent / ".digests").iterdir())
    for memory in memories:
        memory.write_text(content)
    assert not engines.first.damage()
    assert sum("sha256" in memory.read_text() and "stamp" in memory.read_text() for memory in memories) >= 2, "of its two files"


def test_another_build_meanwhile_is_taken(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes find the same damage; the second takes what the first has built."""
    where = engines.first
    flip(where.folder)
    real = store.locked

    def locked(path: Path) -> Any:
        monkeypatch.setattr(store, "locked", real)
        store.build(where, engines.backend, engines.graph, engines.of_kind[0])
        return real(path)

    monkeypatch.setattr(store, "locked", locked)
    assert store.build(EngineAddress(where.folder, where.identity), engines.backend, engines.graph, engines.of_kind[0]) == 0.0
