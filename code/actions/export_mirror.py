"""export_mirror: copy the reference files that are there into a folder that MLPERF_MIRROR can name on another machine."""

from __future__ import annotations

from pathlib import Path

from code.actions import Context, OncePerRequest
from code.benchmarks import files
from code.benchmarks.announce import size
from code.benchmarks.benchmark import definition_of
from code.common import console
from code.common.download import mirror
from code.common.errors import MissingError, UsageError
from code.rules.benchmark_facts import PublishedFile


def run(context: Context) -> int:
    """Copy the files of the requested benchmarks, with their digests in SHA256SUMS."""
    to = context.request["to"]
    if not to:
        raise UsageError("export_mirror needs a folder", "", "name it: make export_mirror TO=/path/of/the/mirror")
    target = Path(to).absolute()
    there: list[PublishedFile] = []
    absent: list[PublishedFile] = []
    for benchmark in context.request.benchmarks():
        definition = definition_of(benchmark)
        for file in (*definition.downloads("reference"), *definition.beside("reference")):
            (there if files.place(file).exists() else absent).append(file)
    if not there:
        raise MissingError(
            "there are no reference files to export",
            "",
            "run `make download_data download_model RUN_ARGS=--model_variant=reference` first",
        )
    count, total = mirror.export([file.path for file in there], target)
    console.say(f"{count} files, {size(total)}, are in {target}; digests are in {mirror.SUMS}")
    wanted = [file.path for file in absent if file.label]
    if wanted:
        console.warn(
            f"{len(wanted)} files are not in it because they are not here: {', '.join(wanted[:4])}" + (" …" if wanted[4:] else "")
        )
    console.say(f"to use it: {mirror.VARIABLE}={target} make download_data download_model RUN_ARGS=--model_variant=reference")
    return 0


ACTION = OncePerRequest(run)
