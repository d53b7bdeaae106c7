"""Checks of 3D-UNet's preprocessed cases for `make verify_data`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from code.benchmarks import files
from code.benchmarks.unet3d import facts, manifest, published, reference_checksums
from code.benchmarks.verify import Check, check_arrays, checked, command

REPAIR = command("preprocess_data", facts.NAME)
SETS = (("", facts.EVALUATION_CASES), ("-calibration", facts.CALIBRATION_CASES))
"""Ending of the folder's name → the cases in it."""


def arrays(folder: Path) -> Iterator[Check]:
    """The cases of both sets against their records, then against the reference's checksums.

    Args:
        folder: of the evaluation cases.
    """
    for (ending, cases), listed in zip(SETS, published.CHECKSUMS, strict=True):
        out = folder.with_name(folder.name + ending)
        if ending and not out.is_dir():
            continue  # made by `make calibrate` alone
        what = f"3d-unet: preprocessed {'calibration ' if ending else ''}cases"
        whole = checked(what, out / manifest.FILE_NAME, REPAIR, lambda out=out, cases=cases: _recorded(out, cases))  # type: ignore[misc]
        yield whole
        if whole.state == "ok" and files.place(listed).is_file():
            yield _compared(what, out, files.place(listed))


def _recorded(folder: Path, cases: tuple[str, ...]) -> str:
    made = manifest.read(folder)
    for name in cases:
        record = made.cases.get(name)
        if record is None:
            raise manifest.missing(folder / f"{name}.npy", "the case is not in the manifest")
        for other in check_arrays(folder, {file: stamp.sha256 for file, stamp in record.files.items()}):
            raise manifest.missing(folder / other, "it has changed since it was made")
    return f"{len(cases)} cases, digests as recorded"


def _compared(what: str, folder: Path, listed: Path) -> Check:
    try:
        same, other = reference_checksums.compare(folder, reference_checksums.published(listed))
    except ValueError as error:
        return Check(what, "wrong", f"{listed}: {error}", f"remove {listed} and fetch it again")
    what = f"{what}, by the reference's checksums"
    if same and other:
        text = f"{len(other)} differ ({', '.join(other[:4])}), {len(same)} are the same"
        return Check(what, "wrong", text, f"check these cases' images, then {REPAIR}")
    if other:
        return Check(what, "note", f"none of {len(other)} is in the list: it was made with another rounding or pickle format")
    return Check(what, "ok", f"{len(same)} are the same")
