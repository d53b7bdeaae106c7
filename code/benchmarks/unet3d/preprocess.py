"""Preprocesses a folder of NIfTI cases into arrays: in parallel, within the available memory, and resuming after an interruption.

    <case>.npy        float32 [D, H, W], what the network reads
    <case>_label.npy  uint8 [D, H, W], its classes
    <case>.json       the case's record and geometry (code/benchmarks/unet3d/manifest.py)
    manifest.json     all of them, written last

A case that cannot be preprocessed does not stop the others; the error lists those that failed.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from code.benchmarks.unet3d import facts, manifest, nifti, processes, volume
from code.benchmarks.unet3d.manifest import Case, CaseRecord, Manifest
from code.common import console
from code.common.errors import HarnessError, RunError
from code.common.files import atomic_write, storage_error, write_json
from code.common.stamp import Stamp
from code.harness.python.windows import Windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEMORY_SHARE = 0.6
"""Share of free memory for all cases in progress together."""
BYTES_PER_VOXEL = 32
"""Peak memory in bytes per scanner voxel while a case is preprocessed; resampling KiTS19 reduces the number of voxels."""


def settings_of(windows: Windows, classes: Mapping[int, int] | None) -> dict[str, Any]:
    """Settings that determine the arrays, other than the files, as JSON."""
    return {
        "spacing_mm": list(facts.TARGET_SPACING_MM),
        "clip": list(facts.CLIP),
        "mean": facts.MEAN,
        "stddev": facts.STDDEV,
        "padding": facts.PADDING_VALUE,
        "roi": list(windows.roi),
        "overlap": windows.overlap,
        "classes": None if classes is None else {str(number): kind for number, kind in sorted(classes.items())},
    }


def is_current(cases: Sequence[Case], out: Path, windows: Windows, classes: Mapping[int, int] | None = None) -> bool:
    """Whether `out` is up to date."""
    return manifest.is_current(out, {case.name: case.inputs for case in cases}, settings_of(windows, classes))


def preprocess(
    cases: Sequence[Case], out: Path, windows: Windows, *, classes: Mapping[int, int] | None = None, workers: int | None = None
) -> Manifest:
    """Update the folder `out` from the cases' files.

    Args:
        classes: as for `nifti.read_labels`.
        workers: number of processes; None for one per core, limited by memory.

    Raises:
        RunError: some cases failed (each is reported), or the disk is full; finished cases are kept.
    """
    start = time.monotonic()
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / manifest.FILE_NAME).unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(error, out) from error
    jobs = [_Job(case, out, windows, classes) for case in cases]
    done: dict[str, CaseRecord] = {}
    failed: dict[str, HarnessError] = {}
    with console.Progress("preprocessing", len(cases), "cases") as bar:

        def take(job: _Job, ask: Callable[[], CaseRecord]) -> None:
            try:
                done[job.case.name] = ask()
            except HarnessError as error:
                failed[job.case.name] = error
            except BrokenProcessPool:
                failed[job.case.name] = RunError("its worker process was killed", "it may have run out of memory")
            bar.update(len(done) + len(failed))

        _work(jobs, workers, take)
    if failed:
        raise _summary(failed, len(cases))
    made = Manifest(settings_of(windows, classes), {c.name: done[c.name] for c in cases}, round(time.monotonic() - start, 3))
    made.write(out)
    return made


@dataclass(frozen=True)
class _Job:
    """Preprocess one case; runs in a worker process."""

    case: Case
    out: Path
    windows: Windows
    classes: Mapping[int, int] | None

    def __call__(self) -> CaseRecord:
        settings = settings_of(self.windows, self.classes)
        known = manifest.read_case(self.out, self.case.name)
        record = known.confirmed(self.case.inputs, self.out, settings) if known is not None else None
        if record is None:
            (self.out / f"{self.case.name}.json").unlink(missing_ok=True)
            record = self._make(settings)
        if record != known:
            write_json(self.out / f"{self.case.name}.json", asdict(record))
        return record

    def _make(self, settings: dict[str, Any]) -> CaseRecord:
        image = nifti.read_image(self.case.imaging)
        labels = nifti.read_labels(self.case.segmentation, image.voxels.shape, self.classes)
        # Stamp before the arrays are written: a file that changes later counts as changed in the next check.
        inputs = {role: Stamp.of(path) for role, path in self.case.inputs.items()}
        affine, voxels, classes = image.affine, image.voxels, labels.voxels
        spacing = image.spacing
        del image, labels
        prepared, label, geometry = volume.prepare(voxels, classes, spacing, self.windows)
        files = _write_arrays(self.out, {f"{self.case.name}.npy": prepared, f"{self.case.name}_label.npy": label})
        spaces = {"original_affine": affine.tolist(), "reshaped_affine": volume.resampled_affine(affine, geometry).tolist()}
        counts = [int(np.count_nonzero(label == kind)) for kind in range(len(facts.CLASSES))]
        laid = {name: list(value) for name, value in asdict(geometry).items()}
        return CaseRecord(inputs, files, settings, {**laid, **spaces}, self.windows.count(prepared.shape), counts)


def _work(jobs: Sequence[_Job], workers: int | None, take: Callable[[_Job, Callable[[], CaseRecord]], None]) -> None:
    """Run the jobs, the largest first so that the tail is short."""
    sizes = [nifti.voxel_count(job.case.imaging) for job in jobs]
    largest = max(sizes, default=0) * BYTES_PER_VOXEL
    parallel = int(_free_memory() * MEMORY_SHARE // largest) if largest else len(jobs)
    count = max(1, min(workers or processes.cores(), len(jobs), max(1, parallel)))
    waiting = deque(job for _, job in sorted(zip(sizes, jobs, strict=True), key=lambda pair: -pair[0]))
    if count == 1:
        for job in waiting:
            take(job, job)
        return
    with processes.pool(count - 1) as pool:
        try:
            _share(waiting, pool, 2 * (count - 1), take)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _share(
    waiting: deque[_Job], pool: ProcessPoolExecutor, ahead: int, take: Callable[[_Job, Callable[[], CaseRecord]], None]
) -> None:
    """The pool starts with the largest job; this process, which is ready long before the pool's workers, with the smallest.

    Args:
        ahead: number of jobs queued in the pool. If the pool breaks, those are lost; the others are done here.
    """
    asked: dict[Future[CaseRecord], _Job] = {}
    while waiting or asked:
        with contextlib.suppress(BrokenProcessPool):
            while waiting and len(asked) < ahead:
                asked[pool.submit(waiting[0])] = waiting[0]
                waiting.popleft()
        if waiting:
            job = waiting.pop()
            take(job, job)
        done = [f for f in asked if f.done()] if waiting else wait(asked, return_when=FIRST_COMPLETED).done
        for future in done:
            take(asked.pop(future), future.result)


def _summary(failed: Mapping[str, HarnessError], count: int) -> RunError:
    for name, error in sorted(failed.items()):
        console.fail([f"{name}: {line}" for line in error.lines()])
    names = ", ".join(sorted(failed))
    first = failed[min(failed)]
    return RunError(
        f"{len(failed)} of {count} cases could not be preprocessed: {names}",
        first.what if len(failed) == 1 else "see the errors above; the other cases are done",
        "fix or remove these cases, then run the same command again: it processes only them",
    )


def _free_memory() -> int:
    """MemAvailable in bytes: Linux's estimate of memory available without swapping."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return 8 << 30


def _write_arrays(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Stamp]:
    """Write .npy files in parts, so that a full disk keeps its errno.

    All are written before the first is closed: syncing them then costs one wait instead of one each.
    """
    digests = {}
    with contextlib.ExitStack() as stack:
        for name, array in arrays.items():
            header = io.BytesIO()
            np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
            data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
            digest = hashlib.sha256(header.getvalue())
            digest.update(data)
            digests[name] = digest.hexdigest()
            out = stack.enter_context(atomic_write(folder / name, "wb"))
            out.write(header.getvalue())
            out.write(data)
            out.flush()
    return {name: Stamp.of(folder / name, digest) for name, digest in digests.items()}
