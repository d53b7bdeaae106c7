"""The committed tiny 3D U-Net still scores its record on cases that are generated anew, the same everywhere."""

from __future__ import annotations

import hashlib
import json

import nibabel
import numpy as np
import pytest

from code.benchmarks.unet3d import facts, tiny
from code.benchmarks.unet3d.tiny import cases, record
from code.benchmarks.unet3d.tiny.phantom import KIDNEY, TUMOR, phantom
from code.common.files import sha256

RECORD = json.loads(tiny.RECORD.read_text(encoding="utf-8"))
QUICK = ("case_00076", "case_00157")
"""Two of the smallest cases."""


def test_the_record_is_of_this_model() -> None:
    assert RECORD["model_sha256"] == sha256(tiny.MODEL)
    assert tiny.MODEL.stat().st_size < 4_000_000
    assert tuple(RECORD["cases"]) == facts.EVALUATION_CASES
    assert tuple(RECORD["roi"]) == tiny.ROI


def test_the_record_leaves_room_for_both_targets() -> None:
    assert RECORD["DICE"] > 0.85
    assert RECORD["tumor"] > 0.7
    pairs = np.array(list(RECORD["cases"].values()))
    assert RECORD["DICE"] == pytest.approx(pairs.mean(), abs=1e-12)
    assert (RECORD["kidney"], RECORD["tumor"]) == pytest.approx(tuple(pairs.mean(axis=0)), abs=1e-12)


def test_cases_are_generated_as_they_were() -> None:
    """The digest of all of them takes 15 s; these two stand for the generator, and `digests` holds every one."""
    for name in QUICK:
        assert cases.voxel_digest(name) == RECORD["digests"][name]
    lines = "".join(f"{name} {RECORD['digests'][name]}\n" for name in facts.EVALUATION_CASES)
    assert RECORD["data_sha256"] == hashlib.sha256(lines.encode()).hexdigest()


def test_the_model_scores_its_record() -> None:
    """fp32 on two cases, within what another processor's convolutions may change."""
    found = record.measure(tiny.MODEL, QUICK)
    for name in QUICK:
        assert found["cases"][name] == pytest.approx(RECORD["cases"][name], abs=2e-3)


def test_a_case_has_two_kidneys_and_a_tumour_like_kits19(tmp_path: object) -> None:
    made = cases.evaluation_phantom(QUICK[0])
    volume = np.bincount(made.label.ravel(), minlength=3) * np.prod(made.spacing) / 1000  # ml
    assert volume[KIDNEY] > 15
    assert volume[TUMOR] > 0.5
    assert made.image.dtype == np.int16
    assert made.image.min() < -950
    assert made.image[made.label == KIDNEY].mean() > made.image[made.label == TUMOR].mean() + 30
    assert made.spacing[0] != made.spacing[1] == made.spacing[2]


def test_another_seed_is_another_case_and_the_copy_is_the_original() -> None:
    assert not np.array_equal(phantom("a", skew=8).image.shape, phantom("b", skew=8).image.shape)
    assert np.array_equal(cases.evaluation_phantom("case_00400").label, cases.evaluation_phantom("case_00185").label)


def test_files_are_nifti_as_kits19_s(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("case")
    made = phantom("file", skew=8)
    cases.write(made, folder)
    image, label = (nibabel.load(folder / name) for name in (facts.IMAGING, facts.SEGMENTATION))
    assert image.header["pixdim"][1:4].tolist() == list(made.spacing)
    assert nibabel.aff2axcodes(image.affine) == ("I", "P", "L")
    assert np.array_equal(np.asarray(image.dataobj), made.image)
    assert np.array_equal(np.asarray(label.dataobj), made.label)
