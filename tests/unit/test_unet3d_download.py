"""KiTS19's cases come from two servers, go on after a stop, and tell what to do by hand. The servers are real ones, on this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from code.benchmarks.unet3d import data, facts
from code.common import paths
from code.common.download import Patience
from code.common.errors import MissingError, RunError

QUICK = Patience(offline=2.0, silence=2.0, attempts=2, pause=0.01, longest_pause=0.02)
CASES = ("case_00003", "case_00185", "case_00400")


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
        (root / "data" / name / "segmentation.nii.gz").write_bytes(b"labels of " + name.encode())
        (root / f"master_{name[5:]}.nii.gz").write_bytes(b"image of " + name.encode() * 1000)
    Quiet.asked = []
    listening = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listening.server_port}", root
    listening.shutdown()


def fetch(url: str, folder: Path) -> None:
    data.fetch_cases(
        folder,
        CASES,
        imaging_url=url + "/master_{number:05d}.nii.gz",
        segmentation_url=url + "/data/{case}/segmentation.nii.gz",
        patience=QUICK,
    )


def test_images_and_labels_and_mlperf_s_copy(server: tuple[str, Path], tmp_path: Path) -> None:
    url, root = server
    fetch(url, tmp_path / "kits")
    for name in CASES:
        original = facts.COPIES.get(name, name)
        assert (tmp_path / "kits" / name / facts.IMAGING).read_bytes() == (root / f"master_{original[5:]}.nii.gz").read_bytes()
        assert (tmp_path / "kits" / name / facts.SEGMENTATION).read_bytes().endswith(original.encode())
    assert len(Quiet.asked) == 4


def test_only_what_is_lacking_is_fetched_again(server: tuple[str, Path], tmp_path: Path) -> None:
    url, _ = server
    fetch(url, tmp_path / "kits")
    (tmp_path / "kits" / "case_00003" / facts.IMAGING).unlink()
    Quiet.asked = []
    fetch(url, tmp_path / "kits")
    assert Quiet.asked == ["/master_00003.nii.gz"]


def test_one_that_is_gone_is_named_and_the_others_come(server: tuple[str, Path], tmp_path: Path) -> None:
    url, root = server
    (root / "master_00003.nii.gz").unlink()
    with pytest.raises(MissingError) as raised:
        fetch(url, tmp_path / "kits")
    assert "case_00003 image" in raised.value.what
    assert "git clone https://github.com/neheller/kits19" in raised.value.next_step
    assert "case_00185 there as case_00400" in raised.value.next_step
    assert (tmp_path / "kits" / "case_00185" / facts.IMAGING).is_file()


def test_without_network_it_tells_what_to_do_by_hand(tmp_path: Path) -> None:
    with pytest.raises(MissingError) as raised:
        fetch("http://127.0.0.1:9", tmp_path / "kits")
    assert "starter_code.get_imaging" in raised.value.next_step
    assert str(tmp_path / "kits") in raised.value.next_step


def test_a_disk_that_is_too_small_is_noticed_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "DATA_MEGABYTES", 10**12)
    with pytest.raises(RunError, match="not enough space for KiTS19"):
        fetch("http://127.0.0.1:9", tmp_path / "kits")


def test_the_published_places_are_the_authors_and_mlperf_s() -> None:
    assert facts.IMAGING_URL.format(number=3) == "https://kits19.sfo2.digitaloceanspaces.com/master_00003.nii.gz"
    assert facts.SEGMENTATION_URL.format(case="case_00003", number=3).endswith(
        "/neheller/kits19/master/data/case_00003/segmentation.nii.gz"
    )
    assert facts.MODEL.url.startswith("https://zenodo.org/record/5597155/")
    assert len(facts.EVALUATION_CASES) == 43 == facts.DATASET_SAMPLES
    assert facts.EVALUATION_CASES[-1] == "case_00400"
    assert len(set(facts.CALIBRATION_CASES)) == 20
    assert not set(facts.CALIBRATION_CASES) & set(facts.EVALUATION_CASES)


def test_the_tiny_model_s_absence_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("code.benchmarks.unet3d.tiny.MODEL", tmp_path / "model.onnx")
    with pytest.raises(MissingError, match="git checkout"):
        data.download_model("tiny")


def test_variants_lie_below_the_build_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    assert data.sources("reference").cases == paths.build_dir() / "data/KiTS19/kits19/data"
    assert data.sources("reference").model == paths.build_dir() / "models/3d-unet-kits19/3dUNetKiTS19.onnx"
    assert data.sources("tiny").cases.parent == tmp_path / "data"
