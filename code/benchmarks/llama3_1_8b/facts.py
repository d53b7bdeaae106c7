"""MLPerf Inference's rules for Llama 3.1 8B: names, counts, targets and published files.

Sources: the MLPerf Inference rules and mlperf.conf (v5.1 to v6.1), tools/submission of MLCommons Inference, and the reference's
language/llama3.1-8b/README.md.
"""

from __future__ import annotations

from dataclasses import replace

from code.rules.benchmark_facts import (
    GB,
    Audits,
    BenchmarkFacts,
    PublishedFile,
    RoundRules,
    Space,
    Target,
    TextFacts,
    TokenBounds,
)
from code.rules.rounds import BOTH, DATACENTER, EDGE, INTERACTIVE, OFFLINE, SERVER, SINGLE

NAME, EDGE_NAME = "llama3.1-8b", "llama3.1-8b-edge"
SAMPLES, EDGE_SAMPLES = 13_368, 5_000

# The reference's scores in bf16. Targets are 0.99 of them, and GEN_LEN, the characters of all summaries, is within 0.9 and 1.1 of it.
REFERENCE = {"ROUGE1": 38.7792, "ROUGE2": 15.9075, "ROUGEL": 24.4957, "ROUGELSUM": 35.793, "GEN_LEN": 8_167_644}
EDGE_REFERENCE = {"ROUGE1": 39.06, "ROUGE2": 16.1147, "ROUGEL": 24.6375, "ROUGELSUM": 36.124, "GEN_LEN": 3_051_113}
LENGTH = "GEN_LEN"
LENGTH_SHARES = (0.9, 1.1)


def target(name: str, scores: dict[str, float], share: float = 0.99) -> Target:
    """The target that follows from reference scores."""
    least, most = LENGTH_SHARES
    bounds = {metric: score * (least if metric == LENGTH else share) for metric, score in scores.items()}
    return Target(name, bounds, {LENGTH: scores[LENGTH] * most})


NUM_BEAMS = 1
MIN_NEW_TOKENS, MAX_NEW_TOKENS = 1, 128
MAX_INPUT_TOKENS = 8_000  # model_max_length of the reference's tokenizer
END_TOKEN = 128_009  # <|eot_id|>
ARCHITECTURE = "llama"

HUB_MODEL = "meta-llama/Llama-3.1-8B-Instruct"
HUB_REVISION = "be673f326cab4cd22ccfef76109faf68e41aa5f1"
MODEL = PublishedFile(
    "models/Llama-3.1-8B-Instruct",
    f"https://huggingface.co/{HUB_MODEL}",
    "Llama 3.1 8B Instruct",
    kind="model",
    megabytes=16_070,
    licence="Llama 3.1 Community License; access is granted to an account on request",
)
_STORAGE = "https://inference.mlcommons-storage.org/metadata"
DATA = PublishedFile(
    "data/cnn-daily-mail-llama3/cnn_eval.json",
    f"{_STORAGE}/llama3-1-8b-cnn-eval.uri",
    "CNN/DailyMail with Llama 3's token ids, validation split",
    megabytes=190,
    licence="Apache-2.0 (its data card)",
)
EDGE_DATA = PublishedFile(
    "data/cnn-daily-mail-llama3/sample_cnn_eval_5000.json",
    f"{_STORAGE}/llama3-1-8b-sample-cnn-eval-5000.uri",
    "CNN/DailyMail with Llama 3's token ids, 5,000 samples",
    megabytes=70,
    licence="Apache-2.0 (its data card)",
)

_BOUNDS = {
    SERVER: TokenBounds(first=2_000_000_000, each=100_000_000),
    INTERACTIVE: TokenBounds(first=500_000_000, each=30_000_000),
}
_RULES = RoundRules(
    {DATACENTER: (OFFLINE,), BOTH: (OFFLINE,)},
    ("TEST06",),
    counts_tokens=True,
    optional={DATACENTER: (INTERACTIVE, SERVER), BOTH: (INTERACTIVE, SERVER)},
    token_bounds=_BOUNDS,
)
_EDGE_RULES = RoundRules({EDGE: (SINGLE, OFFLINE), BOTH: (SINGLE, OFFLINE)}, counts_tokens=True)

# From the prompts of the validation split's first 64 articles in GPT-2's BPE; Llama 3's larger vocabulary takes about a tenth fewer tokens.
# fmt: off
_LENGTHS = (
    140, 153, 194, 198, 209, 212, 213, 221, 242, 250, 287, 287, 290, 310, 353, 367, 368, 374, 378, 397, 415, 419, 420,
    424, 426, 439, 468, 490, 513, 516, 518, 525, 529, 529, 541, 573, 594, 603, 615, 669, 675, 675, 675, 703, 714, 843,
    880, 886, 938, 942, 957, 972, 973, 974, 975, 988, 1015, 1081, 1152, 1277, 1332, 1458, 1512, 1609, 1746,
)
# fmt: on


def facts(
    name: str, scenarios: tuple[str, ...], samples: int, result: Target, rules: RoundRules, data: PublishedFile
) -> BenchmarkFacts:
    """The facts of one of the two benchmarks with this model."""
    return BenchmarkFacts(
        name=name,
        family="text",
        scenarios=scenarios,
        samples=samples,
        targets={"k_99": result},
        rounds={"v5.1": rules, "v6.0": rules, "v6.1": replace(rules, endpoint=True)},
        audits=Audits(tests=("TEST06",), element="int32", sampling={"TEST06": 100}),
        space={
            "reference": Space(data=GB // 4, model=17 * GB, preprocessed=GB // 10, engines=17 * GB),
            "tiny": Space(data=GB // 20, model=GB // 50, preprocessed=GB // 10, engines=GB // 20),
        },
        files=(data, MODEL),
        whole_passes=True,
        lone_sample=36.0,
        lone_seconds=0.5,
        length_spread=_LENGTHS,
        text=TextFacts(NUM_BEAMS, MIN_NEW_TOKENS, MAX_NEW_TOKENS, MAX_INPUT_TOKENS, END_TOKEN, ARCHITECTURE),
        import_field="cnndm_source",
        loadgen_name=name.replace(".", "_"),
    )


FACTS = facts(NAME, (OFFLINE, SERVER, INTERACTIVE), SAMPLES, target(NAME, REFERENCE), _RULES, DATA)
EDGE_FACTS = facts(EDGE_NAME, (OFFLINE, SINGLE), EDGE_SAMPLES, target(EDGE_NAME, EDGE_REFERENCE), _EDGE_RULES, EDGE_DATA)
