"""Preprocessed data is whole or absent, made again exactly when its inputs change, and checked when it is opened."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from code.benchmarks.bert import data, features, preprocess, squad, vocabulary
from code.benchmarks.bert.data import Sources
from code.common import paths
from code.common.errors import MissingError, UsageError

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "nor", "##man", "##s", "who", "?", "."]
REPAIR = "make preprocess_data BENCHMARKS=bert"


def squad_content(questions: int = 40, words: int = 700) -> str:
    qas = [{"id": f"q{n}", "question": "Who?", "answers": [{"text": "Normans", "answer_start": 4}]} for n in range(questions)]
    paragraph = {"context": "The Normans" + " the" * words + ".", "qas": qas}
    return json.dumps({"version": "1.1", "data": [{"title": "t", "paragraphs": [paragraph]}]})


@pytest.fixture
def inputs(tmp_path: Path) -> Sources:
    dev, vocab = tmp_path / "dev.json", tmp_path / "vocab.txt"
    dev.write_text(squad_content(), encoding="utf-8")
    vocab.write_text("".join(f"{piece}\n" for piece in PIECES), encoding="utf-8")
    return Sources(dev, vocab, tmp_path / "model.onnx")


@pytest.fixture
def done(inputs: Sources, tmp_path: Path) -> Path:
    out = tmp_path / "bert" / "custom"
    preprocess.preprocess(inputs.squad_json, inputs.vocab, out)
    return out


def current(out: Path, inputs: Sources) -> bool:
    return preprocess.is_current(out, inputs.squad_json, inputs.vocab)


def test_what_is_written_is_what_is_opened(inputs: Sources, done: Path) -> None:
    built = features.build(squad.read(inputs.squad_json), vocabulary.read(inputs.vocab))
    opened = preprocess.load(done, thorough=True)
    assert len(opened) == len(built.lengths) == 40 * 4
    for name in preprocess.ARRAYS:
        assert np.array_equal(getattr(opened, name), getattr(built, name))
    assert isinstance(opened.input_ids, np.memmap)
    assert opened.input_ids.dtype == np.int32
    assert opened.question_ids() == [f"q{n}" for n in range(40)]
    assert opened.pieces() == PIECES
    assert (opened.manifest.count, opened.manifest.questions) == (160, 40)
    assert opened.manifest.settings == {"max_seq_length": 384, "doc_stride": 128, "max_query_length": 64}
    assert sorted(p.name for p in done.parent.iterdir()) == ["custom"]


def test_the_settings_of_a_warm_check_are_the_real_ones() -> None:
    assert dataclasses.asdict(features.Settings()) == preprocess.MLPERF_SETTINGS


def test_steps_are_told(inputs: Sources, tmp_path: Path) -> None:
    told: list[str] = []
    preprocess.preprocess(inputs.squad_json, inputs.vocab, tmp_path / "out", progress=told.append, workers=1)
    assert [step.split()[0] for step in told] == ["reading", "tokenising", "writing"]


def test_a_second_time_does_nothing(inputs: Sources, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert data.preprocess_data("reference", inputs=inputs, out=out) is True
    before = (out / "manifest.json").stat().st_mtime_ns
    assert data.preprocess_data("reference", inputs=inputs, out=out) is False
    assert (out / "manifest.json").stat().st_mtime_ns == before


def test_a_warm_check_reads_no_input_and_no_array(inputs: Sources, done: Path) -> None:
    # Same size, same time of change, other content: only reading it could tell.
    status = inputs.squad_json.stat()
    inputs.squad_json.write_bytes(b"x" * status.st_size)
    os.utime(inputs.squad_json, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert current(done, inputs)


def test_a_warm_check_imports_neither_numpy_nor_a_tokeniser(inputs: Sources, done: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom code.benchmarks.bert.preprocess import is_current\n"
        "assert is_current(*map(Path, sys.argv[1:]))\nassert not {'numpy', 'tokenizers'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-c", script, str(done), str(inputs.squad_json), str(inputs.vocab)]
    subprocess.run(command, cwd=paths.project_root(), check=True)


def test_a_touched_input_is_still_the_same(inputs: Sources, done: Path) -> None:
    os.utime(inputs.squad_json, ns=(1, 1))
    assert current(done, inputs)
    assert preprocess.load(done).manifest.inputs["squad"].mtime_ns == 1


def test_a_changed_input_is_noticed(inputs: Sources, done: Path) -> None:
    inputs.squad_json.write_text(squad_content().replace("Who?", "Why?"), encoding="utf-8")
    assert not current(done, inputs)
    assert data.preprocess_data("reference", inputs=inputs, out=done)
    assert current(done, inputs)


def test_another_vocabulary_or_other_settings_are_noticed(inputs: Sources, done: Path) -> None:
    assert not preprocess.is_current(done, inputs.squad_json, inputs.vocab, features.Settings(doc_stride=64))
    inputs.vocab.write_text("".join(f"{piece}\n" for piece in [*PIECES, "why"]), encoding="utf-8")
    assert not current(done, inputs)


def test_a_missing_input_is_named(inputs: Sources, done: Path) -> None:
    inputs.vocab.unlink()
    with pytest.raises(MissingError, match=r"vocab\.txt"):
        current(done, inputs)
    with pytest.raises(MissingError, match=r"vocab\.txt"):
        preprocess.preprocess(inputs.squad_json, inputs.vocab, done)


def test_a_copied_folder_is_accepted(inputs: Sources, done: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(done, copied, copy_function=shutil.copyfile)
    assert current(copied, inputs)
    preprocess.load(copied, thorough=True)


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def spoil_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"garbage!")


def spoil_shape(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content.replace(b"(160,", b"(161,", 1))


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("harm", [cut_off, spoil_header, spoil_shape, remove])
@pytest.mark.parametrize("name", ["input_ids.npy", "lengths.npy", "spans.npy"])
def test_a_broken_array_is_named_with_its_repair(inputs: Sources, done: Path, name: str, harm: object) -> None:
    assert callable(harm)
    harm(done / name)
    with pytest.raises(MissingError) as caught:
        preprocess.load(done)
    assert str(done / name) in caught.value.what
    assert REPAIR in caught.value.next_step
    # … and the repair works: what is broken does not count as current.
    assert data.preprocess_data("reference", inputs=inputs, out=done)
    preprocess.load(done, thorough=True)


def test_changed_numbers_are_found_when_asked(inputs: Sources, done: Path) -> None:
    path = done / "input_ids.npy"
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"\1\2\3\4")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(MissingError, match=r"input_ids\.npy"):
        preprocess.load(done, thorough=True)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 1}', '{"schema": 99}'])
def test_a_broken_manifest_is_named(inputs: Sources, done: Path, content: str) -> None:
    (done / "manifest.json").write_text(content, encoding="utf-8")
    assert not current(done, inputs)
    with pytest.raises(MissingError, match=r"manifest\.json") as caught:
        preprocess.load(done)
    assert REPAIR in caught.value.next_step


def test_no_folder_at_all(inputs: Sources, tmp_path: Path) -> None:
    assert not current(tmp_path / "none", inputs)
    with pytest.raises(MissingError, match="none"):
        preprocess.load(tmp_path / "none")


def test_bad_data_leaves_what_was_there(inputs: Sources, done: Path) -> None:
    inputs.squad_json.write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError):
        preprocess.preprocess(inputs.squad_json, inputs.vocab, done)
    assert len(preprocess.load(done, thorough=True)) == 160
    assert [p.name for p in done.parent.iterdir()] == ["custom"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[list[str]]:
    """The start of a command that runs with a file system of 300 KiB at <tmp_path>/disk."""
    (tmp_path / "disk").mkdir()
    start = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=300k none {tmp_path}/disk"
    if shutil.which("unshare") is None or subprocess.run([*start, mount], capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here: this needs unshare(1) and user namespaces")
    yield [*start, f'{mount} && "$@"; status=$?; ls -A {tmp_path}/disk; exit $status', "sh"]


def test_a_full_disk_leaves_nothing_visible(inputs: Sources, tmp_path: Path, small_disk: list[str]) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom code.benchmarks.bert.preprocess import preprocess\n"
        "from code.common.errors import HarnessError\n"
        "try:\n    preprocess(*map(Path, sys.argv[1:]))\n"
        "except HarnessError as error:\n    print(error, file=sys.stderr)\n    sys.exit(error.exit_status)\n"
    )
    out = tmp_path / "disk" / "custom"
    command = [*small_disk, sys.executable, "-c", script, str(inputs.squad_json), str(inputs.vocab), str(out)]
    ended = subprocess.run(command, cwd=paths.project_root(), capture_output=True, text=True, check=False)
    assert ended.returncode == 4, ended.stderr
    assert "no space left" in ended.stderr
    assert "MLPERF_SCRATCH_PATH" in ended.stderr
    assert ended.stdout == ""  # what `ls` shows of the disk


def test_variants_have_their_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    reference, tiny = data.sources("reference"), data.sources("tiny")
    assert reference.squad_json == tmp_path / "build/data/squad/dev-v1.1.json"
    assert reference.model == tmp_path / "build/models/bert/bert_large_v1_1.onnx"
    assert reference.vocab == tmp_path / "build/models/bert/vocab.txt"
    assert tiny.squad_json.is_relative_to(tmp_path / "build/data")
    assert tiny.vocab.is_relative_to(paths.project_root() / "code/benchmarks/bert/tiny")
    with pytest.raises(UsageError, match="'tiny'"):
        data.sources("tny")
