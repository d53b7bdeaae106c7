"""Locations and downloads of the data, tokenizer and models of Llama 3.1 8B, in its two forms.

The reference variant's data set is downloaded from MLCommons' storage or made from a local file. Its model is behind a gate: nobody but
its user can fetch it, so that a missing one is an error with the steps. The tiny variant's model is part of the repository, and its data
set is generated.
"""

from __future__ import annotations

from pathlib import Path

from code.benchmarks.llama3_1_8b import checkpoint, facts, tiny, tokenizer
from code.benchmarks.text import punkt_model
from code.benchmarks.text.data import VARIANTS
from code.benchmarks.text.parts import Sources
from code.common import download, paths
from code.common.errors import MissingError, unknown
from code.rules.benchmark_facts import BenchmarkFacts, PublishedFile


def data_file(of: BenchmarkFacts) -> PublishedFile:
    """The reference's data set of one of the two benchmarks."""
    return of.files[0]


def sources(of: BenchmarkFacts, variant: str) -> Sources:
    """Paths of a variant's files, which need not exist. Raises UsageError for an unknown variant."""
    if variant == "reference":
        model = paths.build_dir() / facts.MODEL.path
        return Sources(paths.build_dir() / data_file(of).path, model, model)
    if variant == "tiny":
        # The name carries the generator's digest, so that a changed generator never reuses older data.
        name = f"cnn_eval-{of.samples}-{tiny.generator_digest()}.json"
        return Sources(paths.data_dir() / "cnndm-tiny-llama3" / name, tiny.MODEL, tiny.MODEL)
    raise unknown("model variant", variant, VARIANTS)


def download_data(of: BenchmarkFacts, variant: str) -> None:
    """Download the data set and NLTK's sentence model, or generate the tiny one.

    Raises:
        MissingError: it is not available; the error gives the manual steps.
        RunError: the disk is full or not writable.
    """
    wanted = sources(of, variant).data
    if variant == "tiny":
        if not wanted.is_file():
            tiny.generate_eval(wanted, of.samples)
        return
    if not wanted.is_file():
        _fetch(of, wanted)
    punkt_model.fetch(of.name)


def _fetch(of: BenchmarkFacts, wanted: Path) -> None:
    """The reference's data set from MLCommons' storage: the file that its metadata lists."""
    file = data_file(of)
    by_hand = (
        "on a machine with network access, run MLCommons' R2 downloader, `bash <(curl -s "
        f"https://raw.githubusercontent.com/mlcommons/r2-downloader/refs/heads/main/mlc-r2-downloader.sh) {file.url}`, and copy "
        f"{wanted.name} to {wanted}; or make it from CNN/DailyMail with `make download_data BENCHMARKS={of.name} "
        "RUN_ARGS=--cnndm_source=FILE`"
    )
    listed = download.read_metadata(file.url, wanted.parent, label=file.label, manual_steps=by_hand)
    found = [one for one in listed if Path(one.path).name == wanted.name]
    if not found:
        raise MissingError(f"MLCommons' list has no {wanted.name}", f"{file.url} names {len(listed)} other files", by_hand)
    limit = 3 * file.about
    download.fetch((found[0].url,), wanted, md5=found[0].md5, label=file.label, manual_steps=by_hand, limit=limit)


def download_model(of: BenchmarkFacts, variant: str) -> None:
    """Check that the model is complete; for the reference, MissingError with the steps to get it where it is not there."""
    wanted = sources(of, variant).model
    if variant == "reference" and not wanted.is_dir():
        raise MissingError(
            f"{facts.MODEL.label} is not there: {wanted}",
            f"it is licensed under the {facts.MODEL.licence}, so it is never downloaded for you",
            f"accept its licence at {facts.MODEL.url}, then, with your own token, run `hf download {facts.HUB_MODEL} --revision "
            f"{facts.HUB_REVISION} --local-dir {wanted}`; members of MLCommons download it as its reference's README says",
        )
    checkpoint.open_checkpoint(wanted)
    tokenizer.read(wanted)
