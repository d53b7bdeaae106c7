"""3D-UNet: segmentation of kidneys and their tumours on KiTS19 (the protocol is in code/benchmarks/benchmark.py)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from code.benchmarks.benchmark import BenchmarkDefinition, Check, Downloads
from code.benchmarks.unet3d import data, facts, tiny
from code.common import paths
from code.common.constants import AccuracyTarget
from code.common.errors import MissingError, UsageError
from code.common.files import atomic_write, write_json
from code.fields.consumer import Consumer
from code.harness.python.windows import Windows
from code.harness.schema.datasets import LARGEST_WINDOW
from code.results.accuracy import AccuracyBound, AccuracyResult

LABEL = re.compile(r"[0-9]{1,9}")

READS = Consumer(
    "3d-unet",
    (
        "model_variant",
        "model_path",
        "data_path",
        "unet3d_segmentation_path",
        "unet3d_roi",
        "unet3d_label_map",
        "preprocessed_data_dir",
        "accuracy_reference",
        "max_batch",
    ),
    benchmarks=(facts.NAME,),
)


class UNet3D(BenchmarkDefinition):
    """3D-UNet."""

    facts = facts.FACTS
    reads = (READS,)

    def download_data(self, variant: str) -> None:
        """KiTS19's cases, fetched or generated."""
        data.download_data(variant)

    def downloads(self, variant: str) -> Downloads:
        """The cases, the reference's checksums and the model."""
        return data.downloads(variant)

    def verify(self, values: Mapping[str, Any]) -> Iterator[Check]:
        """The files, and the preprocessed cases against their records and the reference's checksums."""
        yield from super().verify(values)
        yield from data.check_arrays(self._preprocessed({**values, "data_path": None, "unet3d_label_map": None}))

    def download_model(self, variant: str) -> None:
        """The ONNX model."""
        data.download_model(variant)

    def require_values(self, values: Mapping[str, Any]) -> None:
        """The window and the label map."""
        self._windows(values)
        label_map(READS.of(values)["unet3d_label_map"])

    def prepare(self, values: Mapping[str, Any]) -> None:
        """Generate the tiny cases if they are selected, and preprocess if necessary."""
        read = READS.of(values)
        folder = data.sources(read["model_variant"]).cases
        if not read["data_path"] and not folder.is_dir():
            if read["model_variant"] != "tiny":
                raise _missing(folder, "data set", "download_data", values, "--data_path=FOLDER")
            data.download_data("tiny")
        from code.benchmarks.unet3d import preprocess

        cases, out = self._cases(values), self._preprocessed(values)
        windows, classes = self._windows(values), label_map(read["unet3d_label_map"])
        if not preprocess.is_current(cases, out, windows, classes):
            data.tell_of_copies(cases)
            preprocess.preprocess(cases, out, windows, classes=classes)

    def model(self, values: Mapping[str, Any]) -> Path:
        """The ONNX model."""
        read = READS.of(values)
        path = Path(read["model_path"] or data.sources(read["model_variant"]).model)
        if not path.is_file():
            raise _missing(path, "model", "download_model", values, "--model_path=FILE")
        return path

    def dataset(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The volumes; responses are uint8 [D, H, W] of the preprocessed case, the class of each voxel."""
        return self._volumes(self._preprocessed(values), values)

    def _volumes(self, folder: Path, values: Mapping[str, Any]) -> dict[str, Any]:
        from code.benchmarks.unet3d import manifest

        made = manifest.read(folder)
        for record in made.cases.values():
            for name, stamp in record.files.items():
                if not (folder / name).is_file() or (folder / name).stat().st_size != stamp.size:
                    raise manifest.missing(folder / name, f"no file of {stamp.size:,} bytes exists there")
        windows = self._windows(values)
        return {
            "kind": "volume",
            "folder": str(folder),
            "count": len(made.cases),
            "usual_count": facts.DATASET_SAMPLES,
            "cases": list(made.cases),
            "roi": list(windows.roi),
            "overlap": windows.overlap,
            "sigma": windows.sigma,
            "windows_per_batch": int(READS.of(values).get("max_batch") or 1),
            "input": facts.INPUT_NAME,
            "output": facts.OUTPUT_NAME,
        }

    def calibration_dataset(self, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The 20 cases that MLPerf calibrates with, none of which is scored; None for the tiny variant and for own data."""
        read = READS.of(values)
        if read["model_variant"] != "reference" or read["data_path"]:
            return None
        from code.benchmarks.unet3d import preprocess

        folder, windows = data.sources("reference").cases, self._windows(values)
        usual = self._preprocessed(values)
        out = usual.with_name(f"{usual.name}-calibration")
        cases = [data.case_in(folder, name) for name in facts.CALIBRATION_CASES]
        if not folder.is_dir():
            raise _missing(folder, "data set", "download_data", values, "--calib_data_map=FILE")
        if not preprocess.is_current(cases, out, windows):
            preprocess.preprocess(cases, out, windows)
        return self._volumes(out, values)

    def check_accuracy(self, log_dir: Path, values: Mapping[str, Any], target: AccuracyTarget) -> list[AccuracyResult]:
        """The mean DICE against its target; accuracy.txt has the official script's output."""
        from code.benchmarks.unet3d import accuracy

        scores = accuracy.check(log_dir, self._preprocessed(values))
        content = {"DICE": scores.mean, "kidney": scores.kidney, "tumor": scores.tumor, "cases": scores.cases}
        write_json(log_dir / "accuracy.json", content)
        with atomic_write(log_dir / "accuracy.txt") as out:
            out.write(scores.text())
        return [AccuracyResult(facts.METRIC, scores.mean, self._reference(values) * target.value)]

    def partial_scores(self, log_dir: Path, values: Mapping[str, Any]) -> tuple[dict[str, float], str]:
        """The mean DICE of the cases that an audit run logged."""
        from code.benchmarks.unet3d import accuracy

        scores = accuracy.check(log_dir, self._preprocessed(values), complete=False)
        return {facts.METRIC: scores.mean}, scores.text()

    def accuracy_bound(self, values: Mapping[str, Any], target: AccuracyTarget, count: int) -> AccuracyBound:
        """The mean DICE if every case left were segmented as its labels."""
        from code.benchmarks.unet3d import accuracy

        return accuracy.DiceBound(self._preprocessed(values), count, self._reference(values) * target.value)

    def _reference(self, values: Mapping[str, Any]) -> float:
        """The reference fp32 DICE; accuracy targets are a share of it."""
        read = READS.of(values)
        if read["accuracy_reference"] is not None:
            return float(read["accuracy_reference"])
        if read["model_path"] or read["data_path"]:
            raise UsageError(
                "no reference DICE is known for this model and data",
                "the targets are a share of the fp32 score, but model_path or data_path selects files other than the benchmark's",
                "add --accuracy_reference=DICE with the fp32 score, from 0 to 1",
            )
        if read["model_variant"] == "tiny":
            return float(json.loads(tiny.RECORD.read_text(encoding="utf-8"))["DICE"])
        return facts.REFERENCE_DICE

    def _cases(self, values: Mapping[str, Any]) -> list[Any]:
        read = READS.of(values)
        if read["data_path"]:
            return data.cases_of(Path(read["data_path"]), read["unet3d_segmentation_path"] or "")
        return data.evaluation_cases(data.sources(read["model_variant"]).cases)

    def _windows(self, values: Mapping[str, Any]) -> Windows:
        read = READS.of(values)
        usual = tiny.ROI if read["model_variant"] == "tiny" else facts.ROI
        return Windows(window_edges(read["unet3d_roi"], usual), facts.OVERLAP, facts.GAUSSIAN_SIGMA)

    def _preprocessed(self, values: Mapping[str, Any]) -> Path:
        """Separate folders for user inputs, so that they never replace the benchmark's."""
        read = READS.of(values)
        root = Path(read["preprocessed_data_dir"] or paths.preprocessed_dir()) / self.name
        if not (read["data_path"] or read["unet3d_roi"] or read["unet3d_label_map"]):
            return root / str(read["model_variant"])
        given = Path(read["data_path"] or data.sources(read["model_variant"]).cases)
        words = f"{given.absolute()}\n{read['unet3d_segmentation_path']}\n{read['unet3d_label_map']}\n{self._windows(values).roi}"
        return root / f"{given.name.split('.')[0]}-{hashlib.sha256(words.encode()).hexdigest()[:12]}"


def window_edges(given: Any, usual: tuple[int, int, int]) -> tuple[int, int, int]:
    """Parse the field unet3d_roi: one edge for a cube, or three. UsageError for anything else."""
    if not given:
        return usual
    words = [str(word) for word in given]
    if len(words) in (1, 3) and all(word.isascii() and word.isdigit() and len(word) < 6 for word in words):
        d, h, w = (int(word) for word in (words if len(words) == 3 else words * 3))
        if min(d, h, w) >= 2 and d * h * w <= LARGEST_WINDOW:
            return d, h, w
    raise UsageError(
        f"unet3d_roi cannot be {','.join(words)[:60]!r}",
        f"it must be a window's edges in voxels, each from 2, and at most {LARGEST_WINDOW:,} voxels together",
        "write --unet3d_roi=128 or --unet3d_roi=64,128,128",
    )


def label_map(given: Any) -> dict[int, int] | None:
    """Label numbers → classes of the field unet3d_label_map, such as 2:1,3:1; None when unset. UsageError for anything else."""
    if not given:
        return None
    pairs = [str(word).split(":") for word in given]
    if all(len(p) == 2 and LABEL.fullmatch(p[0].strip()) and p[1].strip() in ("0", "1", "2") for p in pairs):
        return {int(number): int(kind) for number, kind in pairs}
    raise UsageError(
        f"unet3d_label_map cannot be {','.join(str(word) for word in given)[:60]!r}",
        "it must be a list of label:class, where 1 is kidney and 2 is tumour",
        "write --unet3d_label_map=2:1,3:1",
    )


def _missing(path: Path, what: str, target: str, values: Mapping[str, Any], option: str) -> MissingError:
    read = READS.of(values)
    command = f"make {target} BENCHMARKS=3d-unet RUN_ARGS=--model_variant={read['model_variant']}"
    return MissingError(f"3d-unet's {what} does not exist: {path}", "", f"run `{command}`, or select another with {option}")


BENCHMARK = UNet3D()
