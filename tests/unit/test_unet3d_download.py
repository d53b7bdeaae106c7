"""KiTS19's cases come from two servers, go on after a stop, and tell what to do by hand. The servers are real ones, on this machine."""

from __future__ import annotations

import gzip
import struct
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from code.benchmarks.unet3d import data, facts, published
from code.common import files as common_files
from code.common import paths
from code.common.download import Patience
from code.common.errors import MissingError, RunError
from code.rules.benchmark_facts import PublishedFile

QUICK = Patience(offline=2.0, silence=2.0, attempts=2, pause=0.01, longest_pause=0.02)
CASES = ("case_00003", "case_00185", "case_00400")


def nifti(content: bytes) -> bytes:
    """A compressed NIfTI image whose voxels are these bytes."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 1, len(content), 1, 1, 1, 1, 1, 1)
    struct.pack_into("<h", header, 72, 8)
    struct.pack_into("<f", header, 108, 352.0)
    header[344:348] = b"n+1\0"
    return gzip.compress(bytes(header) + content)


class Quiet(SimpleHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    root = tmp_path / "server"
    for name in ("case_00003", "case_00185"):
        (root / "data" / name).mkdir(parents=True)
        (root / "data" / name / "segmentation.nii.gz").write_bytes(nifti(b"labels of " + name.encode()))
        (root / f"master_{name[5:]}.nii.gz").write_bytes(nifti(b"image of " + name.encode() * 1000))
    Quiet.asked = []
    listening = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listening.server_port}", root
    listening.shutdown()


@pytest.fixture
def kits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    monkeypatch.setattr(published, "LABEL_SHA256", {})
    return tmp_path / "build" / facts.DATA_PATH


def fetch(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "IMAGING_URLS", (url + "/images/{case}.nii.gz", url + "/master_{number:05d}.nii.gz"))
    monkeypatch.setattr(published, "SEGMENTATION_URLS", (url + "/data/{case}/segmentation.nii.gz",))
    data.fetch_cases(CASES, patience=QUICK)


def test_images_and_labels_and_mlperf_s_copy(server: tuple[str, Path], kits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url, root = server
    fetch(url, monkeypatch)
    for name in CASES:
        original = facts.COPIES.get(name, name)
        assert (kits / name / facts.IMAGING).read_bytes() == (root / f"master_{original[5:]}.nii.gz").read_bytes()
        assert original.encode() in gzip.decompress((kits / name / facts.SEGMENTATION).read_bytes())
    assert len(Quiet.asked) == 6  # the newest place has no images here


def test_only_what_is_lacking_is_fetched_again(server: tuple[str, Path], kits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url, _ = server
    fetch(url, monkeypatch)
    (kits / "case_00003" / facts.IMAGING).unlink()
    Quiet.asked = []
    fetch(url, monkeypatch)
    assert Quiet.asked == ["/images/case_00003.nii.gz", "/master_00003.nii.gz"]


def test_one_that_is_gone_is_named_and_the_others_come(
    server: tuple[str, Path], kits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, root = server
    (root / "master_00003.nii.gz").unlink()
    with pytest.raises(MissingError) as raised:
        fetch(url, monkeypatch)
    assert "case_00003 image" in raised.value.what
    assert "git clone https://github.com/neheller/kits19" in raised.value.next_step
    assert "case_00185 there as case_00400" in raised.value.next_step
    assert (kits / "case_00185" / facts.IMAGING).is_file()


def test_labels_are_compared_with_their_pinned_digests(
    server: tuple[str, Path], kits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, root = server
    monkeypatch.setattr(published, "LABEL_SHA256", {"case_00003": "0" * 64})
    with pytest.raises(MissingError) as raised:
        fetch(url, monkeypatch)
    found = common_files.sha256(root / "data/case_00003/segmentation.nii.gz")
    assert f"its SHA-256 is {found}, not {'0' * 64}" in raised.value.why
    assert not (kits / "case_00003" / facts.SEGMENTATION).exists()


def test_without_network_it_tells_what_to_do_by_hand(kits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingError) as raised:
        fetch("http://127.0.0.1:9", monkeypatch)
    assert "starter_code.get_imaging" in raised.value.next_step
    assert str(kits) in raised.value.next_step
    assert "MLPERF_MIRROR" in raised.value.next_step


@pytest.mark.usefixtures("kits")
def test_a_disk_that_is_too_small_is_noticed_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PublishedFile, "about", 10**18)
    with pytest.raises(RunError, match="not enough space for KiTS19"):
        fetch("http://127.0.0.1:9", monkeypatch)


def test_the_published_places_are_the_newest_first() -> None:
    labels, image = published.case_files("case_00003")
    assert image.urls == (
        "https://huggingface.co/datasets/neheller/KiTS-Challenge-Imaging/resolve/main/images/case_00003.nii.gz",
        "https://kits19.sfo2.digitaloceanspaces.com/master_00003.nii.gz",
    )
    assert labels.url.endswith("/neheller/kits19/456b293435b25303bbc7995f094f83a0afdff0eb/data/case_00003/segmentation.nii.gz")
    assert labels.sha256 == "fcbb1e23746beab53c7fbd97915a855ce1f15be7c76b42affa0b30ccca63f98c"
    assert facts.MODEL.url.startswith("https://zenodo.org/record/5597155/")
    assert facts.MODEL.md5 == "82f0618fde78f9839e7c712274019b4a"
    assert len(facts.EVALUATION_CASES) == 43 == facts.DATASET_SAMPLES
    assert facts.EVALUATION_CASES[-1] == "case_00400"
    assert len(set(facts.CALIBRATION_CASES)) == 20
    assert not set(facts.CALIBRATION_CASES) & set(facts.EVALUATION_CASES)
    assert {*facts.EVALUATION_CASES, *facts.CALIBRATION_CASES} - set(facts.COPIES) == set(published.LABEL_SHA256)


def test_the_tiny_model_s_absence_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("code.benchmarks.unet3d.tiny.MODEL", tmp_path / "model.onnx")
    with pytest.raises(MissingError, match="git checkout"):
        data.download_model("tiny")


def test_variants_lie_below_the_build_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    assert data.sources("reference").cases == paths.build_dir() / "data/KiTS19/kits19/data"
    assert data.sources("reference").model == paths.build_dir() / "models/3d-unet-kits19/3dUNetKiTS19.onnx"
    assert data.sources("tiny").cases.parent == tmp_path / "data"


def test_a_copy_that_nobody_made_is_read_from_its_original(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("case_00003", "case_00185"):
        (tmp_path / name).mkdir()
    assert data.case_in(tmp_path, "case_00400").imaging == tmp_path / "case_00185" / facts.IMAGING
    data.tell_of_copies([data.case_in(tmp_path, name) for name in CASES])
    assert capsys.readouterr().out == "3d-unet: case_00400 is MLPerf's copy of case_00185, from which it is read\n"
    (tmp_path / "case_00400").mkdir()
    assert data.case_in(tmp_path, "case_00400").segmentation == tmp_path / "case_00400" / facts.SEGMENTATION
    assert data.case_in(tmp_path, "case_00003").imaging == tmp_path / "case_00003" / facts.IMAGING
