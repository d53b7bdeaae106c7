"""Numbers of the benchmarks that no round's table has: published files, disk space, lengths, and constants of models and estimates.

Sizes are those of the publishers (Zenodo's records, GitHub, MLCommons' storage). Lengths were counted once, as each facts.py says.
"""

from __future__ import annotations

from itertools import pairwise
from statistics import fmean

import pytest

from code.benchmarks.bert import facts as bert
from code.benchmarks.gptj import facts as gptj
from code.benchmarks.llama3_1_8b import facts as llama
from code.benchmarks.text.punkt_model import PUNKT
from code.benchmarks.unet3d import facts as unet3d
from code.rules.benchmark_facts import PublishedFile
from code.rules.benchmarks import facts_of
from code.rules.rounds import CURRENT, V41, V50

FILES = {
    bert.DEV_SET: (4_854_279, 5),
    bert.VOCABULARY: (231_508, 1),
    bert.MODEL: (None, 1340),
    bert.MODEL_INT8: (None, 1340),
    gptj.ARCHIVE: (24_329_181_450, 24_330),
    gptj.MODEL: (None, 24_330),
    gptj.DATA: (None, 60),
    PUNKT: (4_319_076, 5),
    gptj.CALIBRATION: (41_000, 0),
    unet3d.MODEL: (None, 124),
    llama.MODEL: (None, 16_070),
    llama.DATA: (None, 190),
    llama.EDGE_DATA: (None, 70),
}
SPACE_GB = {
    ("bert", "reference"): (0.01, 3, 0.1, 3),
    ("bert", "tiny"): (0.01, 0.01, 0.1, 0.05),
    ("gptj", "reference"): (0.2, 48, 0.2, 25),
    ("gptj", "tiny"): (0.05, 0.02, 0.1, 0.05),
    ("3d-unet", "reference"): (30, 0.2, 12, 1),
    ("3d-unet", "tiny"): (0.5, 0.02, 1, 0.05),
    ("llama3.1-8b", "reference"): (0.25, 17, 0.1, 17),
    ("llama3.1-8b-edge", "tiny"): (0.05, 0.02, 0.1, 0.05),
}
LENGTHS = {
    "bert": (41, 164, 384, 178.5, 2.0),
    "gptj": (164, 553, 1770, 666, 15.0),
    "3d-unet": (4, 8, 18, 9.8, 0.1),
    "llama3.1-8b": (140, 529, 1746, 640.3, 0.1),
}
"""Benchmark → least, middle and greatest length, their mean, and how far the mean of the quantiles may be from it."""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_a_published_file(file: PublishedFile) -> None:
    size, megabytes = FILES[file]
    assert (file.size, file.megabytes) == (size, megabytes)
    assert size is None or not megabytes or 0 <= megabytes * 10**6 - size < 10**6, "the size that messages name, rounded up"
    assert file.licence and file.label and file.urls
    assert file.kind == ("model" if file.path.startswith("models/") else "data")
    assert not file.sha256 or len(file.sha256) == 64
    assert not file.md5 or len(file.md5) == 32


@pytest.mark.parametrize(("name", "variant"), SPACE_GB)
def test_disk_space(name: str, variant: str) -> None:
    space = facts_of(name).space[variant]
    assert [part / 10**9 for part in (space.data, space.model, space.preprocessed, space.engines)] == pytest.approx(
        list(SPACE_GB[name, variant])
    )
    assert space.total == pytest.approx(sum(SPACE_GB[name, variant]) * 10**9)


@pytest.mark.parametrize("name", LENGTHS)
def test_lengths_of_samples(name: str) -> None:
    spread = facts_of(name).length_spread
    least, middle, greatest, mean, within = LENGTHS[name]
    assert (spread[0], spread[32], spread[-1]) == (least, middle, greatest)
    assert fmean(spread) == pytest.approx(mean, abs=within)
    assert all(b <= 1.5 * a for a, b in pairwise(spread)), "no step is that of another data set"


def test_constants_of_bert() -> None:
    assert (bert.QUESTIONS, bert.DATASET_SAMPLES, bert.PERFORMANCE_SAMPLE_COUNT) == (10_570, 10_833, 10_833)
    assert bert.VOCABULARY_LINES == 30_522 and bert.SERVER_LATENCY_MS == 130 and bert.REFERENCE_F1 == 90.874
    assert bert.INPUT_NAMES == ("input_ids", "input_mask", "segment_ids")
    assert bert.OUTPUT_NAMES == ("output_start_logits", "output_end_logits")
    assert bert.FACTS.files == (bert.DEV_SET, bert.MODEL, bert.VOCABULARY) and bert.ALIASES == ("bert", "bert-99", "bert-99.9")
    facts = bert.FACTS
    assert (facts.lone_sample, facts.lone_seconds, facts.high_accuracy_precision) == (8.0, 0.001, "fp16")
    assert (facts.named_within, facts.whole_passes, facts.import_field) == (True, False, "")
    assert facts.optimal_length_field == "bert_opt_seqlen" and facts.calibration_list == "bert_calibration_features.txt"
    assert facts.source_fields == ("model_path", "data_path") and facts.text is None and facts.checker_faults == {}


def test_constants_of_gptj() -> None:
    assert (gptj.DATASET_SAMPLES, gptj.PERFORMANCE_SAMPLE_COUNT, gptj.SERVER_LATENCY_MS) == (13_368, 13_368, 20_000)
    assert gptj.METRICS == tuple(gptj.TARGETS["k_99"]) == tuple(gptj.TARGETS["k_99_9"]) and gptj.NUM_BEAMS == 4
    assert [file.path.rpartition(".")[2] for file in gptj.METADATA] == ["uri", "md5"]
    facts = gptj.FACTS
    assert (facts.lone_sample, facts.lone_seconds, facts.whole_passes, facts.named_within) == (36.0, 1.0, True, False)
    assert facts.import_field == "cnndm_source" and facts.source_fields == ("model_path", "data_path", "cnndm_source")
    assert facts.files == (gptj.DATA, gptj.MODEL) and facts.checker_faults == {CURRENT.commit: ("Offline",)}
    assert facts.longest_input is None and facts.high_accuracy_precision == ""


def test_constants_of_unet3d() -> None:
    assert (unet3d.REFERENCE_DICE, unet3d.REFERENCE_KIDNEY, unet3d.REFERENCE_TUMOR) == (0.8617, 0.9347, 0.7887)
    assert unet3d.CLASSES == ("background", "kidney", "tumor") and unet3d.GAUSSIAN_SIGMA == 0.125
    assert len(unet3d.EVALUATION_CASES) == unet3d.DATASET_SAMPLES == 43 and len(unet3d.CALIBRATION_CASES) == 20
    assert unet3d.COPIES == {"case_00400": "case_00185"} and unet3d.case_name(7) == "case_00007"
    facts = unet3d.FACTS
    assert (facts.lone_sample, facts.lone_seconds, facts.whole_passes) == (1.2, float("inf"), True)
    assert (
        facts.longest_input is None
        and facts.text is None
        and [file.label for file in facts.files] == ["KiTS19", unet3d.MODEL.label]
    )


def test_constants_of_llama() -> None:
    assert (llama.SAMPLES, llama.EDGE_SAMPLES, llama.NUM_BEAMS, llama.END_TOKEN) == (13_368, 5_000, 1, 128_009)
    assert (llama.MIN_NEW_TOKENS, llama.MAX_NEW_TOKENS, llama.MAX_INPUT_TOKENS) == (1, 128, 8_000)
    assert [round_ for round_, rules in llama.FACTS.rounds.items() if rules.endpoint] == ["v6.1"]
    for facts, file in ((llama.FACTS, llama.DATA), (llama.EDGE_FACTS, llama.EDGE_DATA)):
        assert (facts.lone_sample, facts.lone_seconds, facts.whole_passes) == (36.0, 0.5, True)
        assert facts.files == (file, llama.MODEL) and facts.audits.sampling == {"TEST06": 100}
        assert facts.loadgen_name == facts.name.replace(".", "_") and facts.import_field == "cnndm_source"
    for rules in llama.FACTS.rounds.values():
        assert {name: (one.first, one.each) for name, one in rules.token_bounds.items()} == {
            "Server": (2 * 10**9, 10**8),
            "Interactive": (5 * 10**8, 3 * 10**7),
        }


def test_which_checkers_are_modern() -> None:
    assert (CURRENT.modern, V50.modern, V41.modern) == (True, False, False)
    assert CURRENT.script.endswith("/main.py") and V50.script == V41.script and V50.stricter and not CURRENT.stricter
