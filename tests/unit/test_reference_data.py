"""What the user is told before a download, `make verify_data`, and a mirror of one's own."""

from __future__ import annotations

import subprocess
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from code.benchmarks import announce, files, verify
from code.benchmarks.bert import facts
from code.benchmarks.unet3d import checks, published, reference_checksums
from code.benchmarks.unet3d import facts as unet3d
from code.common import download
from code.common.download import OfflineError, mirror
from code.common.errors import MissingError, UsageError
from code.common.files import sha256
from code.main import main
from code.rules.benchmark_facts import PublishedFile

BODY = b'{"data": []}' + b" " * 100_000


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    monkeypatch.setenv("MLPERF_SCRATCH_PATH", str(tmp_path / "build"))
    monkeypatch.delenv(mirror.VARIABLE, raising=False)
    return tmp_path / "build"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    root = tmp_path / "site"
    root.mkdir()
    listening = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listening.server_port}", root
    listening.shutdown()


def test_a_download_is_announced(
    build: Path, site: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url, root = site
    (root / "model.onnx").write_bytes(bytes(4 << 20))
    (root / "dev.json").write_bytes(BODY)
    wanted = [
        PublishedFile("data/dev.json", f"{url}/dev.json", "the questions", size=len(BODY), licence="CC BY-SA 4.0"),
        PublishedFile("models/a.onnx", f"{url}/model.onnx", "the model", "model", megabytes=400, licence="Apache-2.0"),
    ]
    announce.announce("toy", wanted)
    told = capsys.readouterr().out
    assert "127.0.0.1" in told
    assert "100 kB" in told and "about 400 MB" in told
    assert "CC BY-SA 4.0" in told and "Apache-2.0" in told
    assert "400 MB to fetch" in told and "are free" in told
    assert "/s, as measured from 127.0.0.1" in told
    files.fetch(wanted[0])
    announce.announce("toy", wanted[:1])
    assert "nothing to fetch, 1 files of 100 kB are there" in capsys.readouterr().out
    monkeypatch.setattr(announce, "WORTH_MEASURING", 1)
    announce.announce("toy", [PublishedFile("models/b.onnx", "http://127.0.0.1:9/b", "another", megabytes=1)])
    assert "no rate could be measured (127.0.0.1" in capsys.readouterr().out


def test_every_reference_file_has_a_source_a_size_and_a_licence() -> None:
    from code.benchmarks.benchmark import definition_of
    from code.rules.benchmarks import BENCHMARKS

    for name in BENCHMARKS:
        for file in definition_of(name).downloads("reference"):
            assert file.url.startswith("https://"), file
            assert file.about and file.licence and file.label, file
        assert definition_of(name).downloads("tiny") == ()


def test_a_file_is_right_wrong_or_missing(build: Path, site: tuple[str, Path]) -> None:
    url, root = site
    (root / "dev.json").write_bytes(BODY)
    file = PublishedFile("data/dev.json", f"{url}/dev.json", "the questions", size=len(BODY))
    assert verify.check_file("bert", file).state == "missing"
    path = files.fetch(file)
    assert verify.check_file("bert", file).text == "complete; no digest is published, as when it was fetched"
    path.write_bytes(BODY[:-1] + b"\n")
    wrong = verify.check_file("bert", file)
    assert wrong.state == "wrong" and "was" in wrong.text and "make download_data BENCHMARKS=bert" in wrong.fix


def test_verify_data_names_what_is_missing_and_what_is_wrong(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--action=verify_data", "--benchmarks=bert"]) == 3
    told = capsys.readouterr()
    assert "missing  models/bert/vocab.txt: it is not there" in told.out
    assert (
        "make download_model BENCHMARKS=bert" in told.err
        and "make preprocess_data BENCHMARKS=bert RUN_ARGS=--model_variant=reference" in told.err
    )
    place = files.place(facts.VOCABULARY)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"[PAD]\n")
    assert main(["--action=verify_data", "--benchmarks=bert"]) == 4
    assert "wrong    models/bert/vocab.txt: it has 6 bytes, expected 231,508" in capsys.readouterr().out


def test_the_real_data_set_is_right(shared: Path, build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in (facts.DEV_SET, facts.VOCABULARY):
        files.place(file).parent.mkdir(parents=True)
    with zipfile.ZipFile(shared / "data/squad/dev-v1.1.json.zip") as packed:
        (name,) = packed.namelist()
        files.place(facts.DEV_SET).write_bytes(packed.read(name))
    files.place(facts.VOCABULARY).symlink_to(shared / "data/bert_vocab/vocab.txt")
    assert main(["--action=verify_data", "--benchmarks=bert"]) == 3
    assert "bert: 3 right, 0 wrong, 3 missing" in capsys.readouterr().out


# Of pickles that NumPy 1.26.4 wrote of these arrays, in the protocols 4 and 3.
OF_NUMPY_1 = {
    ((3, 4, 5), 4): "c1d8b675c9118b98b59fe07442ac3979",
    ((3, 4, 5), 3): "566f756c1fba428b33858332eb385f93",
    ((40, 128, 128), 4): "635c2680151a5897f615592b07faf43c",
    ((40, 128, 128), 3): "4ee784c74e797a76e3a7a01bd64e345b",
}


def volumes(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    count = int(np.prod(shape))
    return (np.arange(count, dtype=np.float32) / 7).reshape(shape), (np.arange(count) % 3).astype(np.uint8).reshape(shape)


@pytest.mark.parametrize(("shape", "protocol"), OF_NUMPY_1)
def test_cases_are_digested_as_the_reference_pickles_them(shape: tuple[int, ...], protocol: int) -> None:
    assert reference_checksums.digest(*volumes(shape), protocol) == OF_NUMPY_1[shape, protocol]


def test_cases_are_compared_with_the_reference_s_list(build: Path) -> None:
    folder = build / "arrays"
    folder.mkdir(parents=True)
    image, label = volumes((3, 4, 5))
    np.save(folder / "case_00000.npy", image)
    np.save(folder / "case_00000_label.npy", label)
    known = {"case_00000": OF_NUMPY_1[(3, 4, 5), 4]}
    assert reference_checksums.compare(folder, known) == (["case_00000"], [])
    np.save(folder / "case_00000.npy", image + 1)
    assert reference_checksums.compare(folder, {**known, "case_00003": ""}) == ([], ["case_00000"])


def test_arrays_of_3d_unet_that_are_absent_are_missing(build: Path) -> None:
    (found,) = checks.arrays(build / "preprocessed_data/3d-unet/reference")
    assert found.state == "missing" and "make preprocess_data BENCHMARKS=3d-unet" in found.fix
    assert [file.path for file in published.CHECKSUMS] == [
        "data/KiTS19/checksum_inference.json",
        "data/KiTS19/checksum_calibration.json",
    ]
    assert len(unet3d.EVALUATION_CASES) == 43


def stored(build: Path) -> list[PublishedFile]:
    """Two files that are there, one with a published digest."""
    wanted = [
        PublishedFile("data/set/dev.json", "http://127.0.0.1:9/dev.json", "the questions"),
        PublishedFile("models/m/a b.bin", "http://127.0.0.1:9/a.bin", "the model"),
    ]
    for file in wanted:
        files.place(file).parent.mkdir(parents=True)
        files.place(file).write_bytes(BODY)
    return wanted


@pytest.mark.parametrize("served", [False, True], ids=["a folder", "a URL"])
def test_a_mirror_has_every_file_by_its_name(
    served: bool, build: Path, site: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, root = site
    wanted = stored(build)
    assert mirror.export([file.path for file in wanted], root) == (2, 2 * len(BODY))
    checked = subprocess.run(["sha256sum", "-c", mirror.SUMS], cwd=root, capture_output=True, text=True, check=True)
    assert checked.stdout == "data/set/dev.json: OK\nmodels/m/a b.bin: OK\n"
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "second"))
    monkeypatch.setenv(mirror.VARIABLE, url + "/" if served else str(root))
    mirror._published.cache_clear()
    for file in wanted:
        assert files.fetch(file).read_bytes() == BODY
    assert sorted(path.name for path in files.place(wanted[0]).parent.iterdir()) == ["dev.json", "dev.json.sha256"]


def test_a_mirror_s_damaged_file_is_refused(build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = stored(build)
    mirror.export([file.path for file in wanted], tmp_path / "mirror")
    (tmp_path / "mirror" / wanted[1].path).write_bytes(BODY[::-1])
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "second"))
    monkeypatch.setenv(mirror.VARIABLE, str(tmp_path / "mirror"))
    mirror._published.cache_clear()
    with pytest.raises(MissingError) as caught:
        files.fetch(wanted[1])
    assert f"its SHA-256 is {sha256(tmp_path / 'mirror' / wanted[1].path)}, not" in caught.value.why
    assert not files.place(wanted[1]).exists()


def test_what_a_mirror_lacks_is_asked_of_the_publisher(
    build: Path, site: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, root = site
    (root / "dev.json").write_bytes(BODY)
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv(mirror.VARIABLE, str(tmp_path / "mirror"))
    assert files.fetch(PublishedFile("data/dev.json", f"{url}/dev.json", "the questions")).read_bytes() == BODY
    with pytest.raises(OfflineError) as caught:
        files.fetch(PublishedFile("data/other.json", "http://127.0.0.1:9/x", "other"))
    assert f"{tmp_path / 'mirror'}/data/other.json does not exist" in caught.value.why


@pytest.mark.parametrize("address", ["/no/such/folder", "relative/folder", "ftp://mirror/x"])
def test_a_mirror_that_cannot_be_one(address: str, build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(mirror.VARIABLE, address)
    with pytest.raises(UsageError, match=r"MLPERF_MIRROR (names|is)"):
        download.fetch("http://127.0.0.1:9/x", build / "data/x", label="x", manual_steps="")


def test_exporting_says_what_is_absent(build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--action=export_mirror", "--benchmarks=bert", f"--to={tmp_path / 'mirror'}"]) == 3
    assert main(["--action=export_mirror", "--benchmarks=bert"]) == 2
    files.place(facts.VOCABULARY).parent.mkdir(parents=True)
    files.place(facts.VOCABULARY).write_bytes(b"[PAD]\n")
    assert main(["--action=export_mirror", "--benchmarks=bert", f"--to={build / 'data'}"]) == 2
    assert main(["--action=export_mirror", "--benchmarks=bert", f"--to={tmp_path / 'mirror'}"]) == 0
    told = capsys.readouterr()
    assert "1 files, 6 B, are in" in told.out
    assert "data/squad/dev-v1.1.json, models/bert/bert_large_v1_1.onnx" in told.err
    assert (tmp_path / "mirror/models/bert/vocab.txt").read_bytes() == b"[PAD]\n"
