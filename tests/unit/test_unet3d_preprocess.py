"""Cases come out as the reference's steps give them, one bad case costs itself alone, and what is done stays done."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from code.benchmarks.unet3d import data, facts, manifest, nifti, preprocess, resample, volume
from code.benchmarks.unet3d.manifest import Case
from code.benchmarks.unet3d.tiny import cases as tiny_cases
from code.benchmarks.unet3d.tiny.phantom import Phantom, phantom
from code.common.errors import HarnessError, MissingError, RunError, UsageError
from code.harness.python.windows import Windows

WINDOWS = Windows((32, 32, 32), 0.5, 0.125)
SPACING = (2.5, 0.8, 0.8)


def small(seed: int, shape: tuple[int, int, int] = (20, 60, 70)) -> Phantom:
    rng = np.random.default_rng(seed)
    label = (rng.random(shape) < 0.1).astype(np.uint8) + (rng.random(shape) < 0.05)
    return Phantom(rng.integers(-1000, 400, shape).astype(np.int16), label.astype(np.uint8), SPACING)


def write(folder: Path, names: tuple[str, ...] = ("case_00000", "case_00003", "case_00005")) -> list[Case]:
    for number, name in enumerate(names):
        tiny_cases.write(small(number), folder / name)
    return [data.case_in(folder, name) for name in names]


def reference(
    image: NDArray[np.float32], label: NDArray[np.uint8], spacing: tuple[float, ...], roi: int
) -> list[NDArray[np.generic]]:
    """The steps of the reference's preprocess.py, written down plainly for a cubic window that half overlaps."""
    factors = np.array(spacing) / np.array([1.6, 1.2, 1.2])
    image = ndimage.zoom(image, factors, order=1, mode="constant", cval=image.min(), grid_mode=False)
    label = ndimage.zoom(label, factors, order=0, mode="constant", cval=label.min(), grid_mode=False)
    image = (np.clip(image, -79.0, 304.0) - 101.0) / 76.9
    step, out = roi // 2, []
    array: NDArray[Any]
    for array, fill in ((image, -2.2), (label, 0)):
        short = [max(0, roi - n) for n in array.shape]
        array = np.pad(array, [(n // 2, n - n // 2) for n in short], mode="edge")
        excess = [n % step if n % step < step // 2 else 0 for n in array.shape]
        array = array[tuple(slice(e // 2, n - (e - e // 2)) for e, n in zip(excess, array.shape, strict=True))]
        lack = [-n % step for n in array.shape]
        out.append(np.pad(array, [(n // 2, n - n // 2) for n in lack], mode="constant", constant_values=fill))
    return out


@pytest.mark.parametrize("seed", range(8))
def test_resampling_is_scipy_s_to_the_last_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(1, 40, 3))
    f = rng.uniform(0.3, 3, 3)
    factors = (float(f[0]), float(f[1]), float(f[2]))
    image = rng.normal(0, 300, shape).astype(np.float32)
    label = rng.integers(0, 3, shape).astype(np.uint8)
    wanted = ndimage.zoom(image, factors, order=1, mode="constant", cval=image.min(), grid_mode=False)
    assert np.array_equal(resample.linear(image, factors, float(image.min())), wanted)
    wanted = ndimage.zoom(label, factors, order=0, mode="constant", cval=0, grid_mode=False)
    assert np.array_equal(resample.nearest(label, factors, 0), wanted)


def test_a_part_is_cut_from_the_whole() -> None:
    rng = np.random.default_rng(8)
    image, label = rng.normal(0, 300, (30, 200, 90)).astype(np.float32), rng.integers(0, 3, (30, 200, 90)).astype(np.uint8)
    factors, part = (2.1, 0.9, 1.3), (slice(3, 60), slice(0, 171), slice(10, 110))
    assert np.array_equal(resample.linear(image, factors, -1.0, part), resample.linear(image, factors, -1.0)[part])
    assert np.array_equal(resample.nearest(label, factors, 0, part), resample.nearest(label, factors, 0)[part])
    assert resample.linear(image, factors, -1.0, (slice(5, 5), *part[1:])).shape == (0, 171, 100)


def test_bands_of_a_wide_volume_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(9).normal(0, 300, (9, 70, 40)).astype(np.float32)
    whole = resample.linear(image, (1.9, 0.8, 1.1), 0.0)
    monkeypatch.setattr(resample, "CACHED_BYTES", 1)  # a row at a time
    assert np.array_equal(resample.linear(image, (1.9, 0.8, 1.1), 0.0), whole)


@pytest.mark.parametrize("roi", [32, 64])
@pytest.mark.parametrize("shape", [(20, 60, 70), (61, 75, 90), (9, 20, 21), (80, 130, 96)])
def test_a_case_is_the_reference_s(shape: tuple[int, int, int], roi: int) -> None:
    made = small(4, shape)
    windows = Windows((roi, roi, roi), 0.5, 0.125)
    image, label, geometry = volume.prepare(made.image.astype(np.float32), made.label, made.spacing, windows)
    of_image, of_label = reference(made.image.astype(np.float32), made.label, made.spacing, roi)
    assert np.array_equal(image, of_image)
    assert np.array_equal(label, of_label)
    assert windows.tile(image.shape)
    assert geometry.padded == image.shape
    assert geometry.shape == shape


def test_a_real_ct_of_odd_shape_is_the_reference_s(shared: Path) -> None:
    folder = shared / "data" / "ct_kidney"
    image = nifti.read_image(folder / "example_ct_sm.nii.gz")
    labels = nifti.read_labels(folder / "example_seg.nii.gz", image.voxels.shape, {2: 1, 3: 1})
    assert labels.voxels.max() == 1
    got, label, geometry = volume.prepare(image.voxels, labels.voxels, image.spacing, Windows((64, 64, 64), 0.5, 0.125))
    of_image, of_label = reference(image.voxels, labels.voxels, image.spacing, 64)
    assert np.array_equal(got, of_image)
    assert np.array_equal(label, of_label)
    assert (label == 1).sum() > 1000
    assert geometry.shape == (122, 101, 30)


def test_a_real_phantom_from_file_to_arrays(tmp_path: Path) -> None:
    made = phantom("test", skew=6.0)
    tiny_cases.write(made, tmp_path / "raw" / "case_00000")
    windows = Windows((64, 64, 64), 0.5, 0.125)
    preprocess.preprocess([data.case_in(tmp_path / "raw", "case_00000")], tmp_path / "out", windows, workers=1)
    image, label = np.load(tmp_path / "out" / "case_00000.npy"), np.load(tmp_path / "out" / "case_00000_label.npy")
    of_image, of_label = reference(made.image.astype(np.float32), made.label, made.spacing, 64)
    assert (image.dtype, label.dtype) == (np.float32, np.uint8)
    assert np.array_equal(image, of_image)
    assert np.array_equal(label, of_label)
    record = json.loads((tmp_path / "out" / "case_00000.json").read_text())
    assert record["voxels"] == np.bincount(label.ravel(), minlength=3).tolist()
    assert record["windows"] == windows.count(image.shape)
    affine = np.array(record["geometry"]["reshaped_affine"])
    assert np.allclose(affine[[2, 1, 0], [0, 1, 2]], [-1.6, -1.2, -1.2])


def test_scaled_voxels_are_read_as_the_reference_reads_them(tmp_path: Path) -> None:
    stored = nibabel.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
    stored.header.set_slope_inter(0.1, -1024)
    nibabel.save(stored, tmp_path / "scaled.nii.gz")
    wanted = nibabel.load(tmp_path / "scaled.nii.gz").get_fdata().astype(np.float32)
    assert np.array_equal(nifti.read_image(tmp_path / "scaled.nii.gz").voxels, wanted)


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    cases, out = write(tmp_path / "raw"), tmp_path / "out"
    made = preprocess.preprocess(cases, out, WINDOWS, workers=1)
    assert list(made.cases) == [c.name for c in cases]
    assert preprocess.is_current(cases, out, WINDOWS)
    (out / manifest.FILE_NAME).unlink()  # as after a kill
    (out / "case_00003.npy").write_bytes(b"cut off")
    before = {p.name: p.stat().st_mtime_ns for p in out.glob("*.npy")}
    assert not preprocess.is_current(cases, out, WINDOWS)
    preprocess.preprocess(cases, out, WINDOWS, workers=1)
    changed = {p.name for p in out.glob("*.npy") if p.stat().st_mtime_ns != before[p.name]}
    assert changed == {"case_00003.npy", "case_00003_label.npy"}
    assert preprocess.is_current(cases, out, WINDOWS)


def test_a_changed_input_or_window_is_noticed(tmp_path: Path) -> None:
    cases, out = write(tmp_path / "raw"), tmp_path / "out"
    preprocess.preprocess(cases, out, WINDOWS, workers=1)
    assert not preprocess.is_current(cases, out, Windows((64, 64, 64), 0.5, 0.125))
    assert not preprocess.is_current(cases[:2], out, WINDOWS)
    assert not preprocess.is_current(cases, out, WINDOWS, {1: 1})
    tiny_cases.write(small(9), tmp_path / "raw" / "case_00003")
    assert not preprocess.is_current(cases, out, WINDOWS)


def test_processes_give_the_same_as_one(tmp_path: Path) -> None:
    cases = write(tmp_path / "raw")
    one = preprocess.preprocess(cases, tmp_path / "one", WINDOWS, workers=1)
    two = preprocess.preprocess(cases, tmp_path / "two", WINDOWS, workers=2)
    digests = [[s.sha256 for r in made.cases.values() for s in r.files.values()] for made in (one, two)]
    assert digests[0] == digests[1]


class Killed(preprocess._Job):
    """A job whose process dies, unless it is the one that asked."""

    def __call__(self) -> manifest.CaseRecord:
        if multiprocessing.parent_process() is not None:
            os._exit(9)
        return super().__call__()


def test_a_killed_process_costs_its_cases_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cases, out = write(tmp_path / "raw", tuple(f"case_{n:05}" for n in range(8))), tmp_path / "out"
    monkeypatch.setattr(preprocess, "_Job", Killed)
    with pytest.raises(RunError) as raised:
        preprocess.preprocess(cases, out, WINDOWS, workers=2)
    assert " of 8 cases could not be preprocessed" in raised.value.what
    assert "its worker process was killed" in capsys.readouterr().err
    assert len(list(out.glob("case_?????.npy"))) >= 6
    monkeypatch.undo()
    preprocess.preprocess(cases, out, WINDOWS, workers=2)
    assert preprocess.is_current(cases, out, WINDOWS)


def spoil_missing(case: Path) -> None:
    (case / facts.SEGMENTATION).unlink()


def spoil_shape(case: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.zeros((20, 60, 71), np.uint8), np.eye(4)), case / facts.SEGMENTATION)


def spoil_nan(case: Path) -> None:
    voxels = np.zeros((20, 60, 70), np.float32)
    voxels[3, 4, 5] = np.nan
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), case / facts.IMAGING)


def spoil_dimensions(case: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.zeros((20, 60, 70, 2), np.int16), np.eye(4)), case / facts.IMAGING)


def spoil_cut_off(case: Path) -> None:
    whole = (case / facts.IMAGING).read_bytes()
    (case / facts.IMAGING).write_bytes(whole[: len(whole) // 2])


def spoil_spacing(case: Path) -> None:
    raw = bytearray(gzip.decompress((case / facts.IMAGING).read_bytes()))
    raw[80:84] = np.float32(0).tobytes()  # pixdim[1]
    (case / facts.IMAGING).write_bytes(gzip.compress(bytes(raw)))


def spoil_labels(case: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.full((20, 60, 70), 7, np.uint8), np.eye(4)), case / facts.SEGMENTATION)


def spoil_format(case: Path) -> None:
    (case / facts.IMAGING).write_bytes(gzip.compress(b"no NIfTI at all" * 100))


SPOILS: list[tuple[Callable[[Path], None], str]] = [
    (spoil_missing, "there is no"),
    (spoil_shape, "[20, 60, 71] voxels, the image [20, 60, 70]"),
    (spoil_nan, "1 voxels that are not numbers"),
    (spoil_dimensions, "4 dimensions: [20, 60, 70, 2]"),
    (spoil_cut_off, "cannot be read as NIfTI"),
    (spoil_spacing, "spacing of 0 × 0.8 × 0.8 mm"),
    (spoil_labels, "has the labels 7"),
    (spoil_format, "cannot be read as NIfTI"),
]


@pytest.mark.parametrize(("spoil", "words"), SPOILS)
def test_a_bad_case_is_named_and_the_others_go_on(
    spoil: Callable[[Path], None], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases, out = write(tmp_path / "raw"), tmp_path / "out"
    spoil(cases[1].imaging.parent)
    with pytest.raises(RunError) as raised:
        preprocess.preprocess(cases, out, WINDOWS, workers=1)
    assert raised.value.exit_status == 4
    assert "1 of 3 cases could not be preprocessed: case_00003" in raised.value.what
    said = capsys.readouterr().err
    assert f"case_00003: error: {cases[1].imaging.parent}" in said.replace("there is no ", "")
    assert words in said
    assert {p.stem for p in out.glob("case_?????.npy")} == {"case_00000", "case_00005"}
    assert not (out / manifest.FILE_NAME).exists()
    with pytest.raises(MissingError):
        manifest.read(out)
    tiny_cases.write(small(1), cases[1].imaging.parent)
    preprocess.preprocess(cases, out, WINDOWS, workers=1)
    assert preprocess.is_current(cases, out, WINDOWS)


def test_cases_of_a_folder_an_image_or_nothing(tmp_path: Path) -> None:
    write(tmp_path / "raw", ("b", "a"))
    assert [c.name for c in data.cases_of(tmp_path / "raw", "")] == ["a", "b"]
    image = tmp_path / "raw" / "a" / facts.IMAGING
    (case,) = data.cases_of(image, "labels.nii.gz")
    assert case == Case("imaging", image, Path("labels.nii.gz"))
    for path, segmentation in ((tmp_path, ""), (tmp_path / "none", ""), (image, "")):
        with pytest.raises(HarnessError) as raised:
            data.cases_of(path, segmentation)
        assert raised.value.exit_status == 3
        assert raised.value.next_step


def test_a_bad_header_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "x.nii").write_bytes(b"\0" * 400)
    with pytest.raises(UsageError):
        nifti.read_image(tmp_path / "x.nii")
    with pytest.raises(MissingError):
        nifti.read_image(tmp_path / "none.nii")
