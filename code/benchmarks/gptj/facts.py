"""MLPerf Inference's rules for GPT-J: names, counts, targets and published files.

Sources: the MLPerf Inference rules and mlperf.conf (v4.0 to v5.0, the last round that has it), and the reference's
language/gpt-j/README.md.
"""

from __future__ import annotations

from code.rules.benchmark_facts import GB, Audits, BenchmarkFacts, PublishedFile, RoundRules, Space, Target, TextFacts
from code.rules.rounds import BOTH, CURRENT, DATACENTER, EDGE, OFFLINE, SERVER, SINGLE

NAME = "gptj"  # LoadGen's model name, too
FULL_NAMES = {"k_99": "gptj-99", "k_99_9": "gptj-99.9"}
SCENARIOS = (OFFLINE, SERVER, SINGLE)
COMPLIANCE_TESTS = ("TEST06",)

# CNN/DailyMail 3.0.0, validation split.
DATASET_SAMPLES = 13_368
PERFORMANCE_SAMPLE_COUNT = DATASET_SAMPLES
SERVER_LATENCY_MS = 20_000

# Targets are shares of the fp32 reference's scores; GEN_LEN is the sum over the set, and at least 0.9 of the reference's.
METRICS = ("ROUGE1", "ROUGE2", "ROUGEL", "GEN_LEN")
TARGETS = {
    "k_99": {"ROUGE1": 42.556635, "ROUGE2": 19.922265, "ROUGEL": 29.688219, "GEN_LEN": 3_615_190.2},
    "k_99_9": {"ROUGE1": 42.9435135, "ROUGE2": 20.1033765, "ROUGEL": 29.9581119, "GEN_LEN": 3_615_190.2},
}

NUM_BEAMS = 4  # greedy search is for the open division only
MIN_NEW_TOKENS, MAX_NEW_TOKENS = 30, 128
MAX_INPUT_TOKENS = 1919
END_TOKEN = 50_256  # of GPT-2's BPE
ARCHITECTURE = "gptj"

MODEL_PATH = "models/GPTJ-6B/checkpoint-final"
MODEL_METADATA = "https://inference.mlcommons-storage.org/metadata/gpt-j-model-checkpoint.uri"  # of MLCommons' R2 downloader
DATA_PATH = "data/cnn-daily-mail/cnn_eval.json"
# The older archive: MLCommons reports it as broken (inference#1609) and incomplete (#1674), so it comes second.
ARCHIVE = PublishedFile(
    "models/GPTJ-6B/gptj6b.zip",
    "https://cloud.mlcommons.org/index.php/s/QAZ2oM94MkFtbQx/download",
    "GPT-J 6B, fine-tuned (archive)",
    size=24_329_181_450,
    md5="e677e28aaf03da84584bb3073b7ee315",
    kind="model",
    megabytes=24_330,
    licence="Apache-2.0",
)
MODEL = PublishedFile(
    MODEL_PATH, MODEL_METADATA, "GPT-J 6B, fine-tuned", kind="model", megabytes=24_330, also=(ARCHIVE.url,), licence="Apache-2.0"
)
METADATA = tuple(
    PublishedFile(f"models/GPTJ-6B/gpt-j-model-checkpoint.{ending}", label="", kind="model") for ending in ("uri", "md5")
)
"""What is kept of MLCommons' metadata beside the checkpoint."""
HUB_NAME, HUB_VERSION = "abisee/cnn_dailymail", "3.0.0"
DATA = PublishedFile(
    DATA_PATH,
    f"https://huggingface.co/datasets/{HUB_NAME}",
    f"CNN/DailyMail {HUB_VERSION}, validation split",
    megabytes=60,
    licence="Apache-2.0 (its data card)",
)
CALIBRATION = PublishedFile(
    "data/cnn-daily-mail/calibration-list.txt",
    "https://raw.githubusercontent.com/mlcommons/inference/v4.1/calibration/CNNDailyMail/calibration-list.txt",
    "GPT-J's calibration list",
    size=41_000,
    sha256="4de1bc2bcf345ba8fc118788455dfaf2e09530fd9ed4daedf2b15661324ad9a7",
    also=("https://raw.githubusercontent.com/mlcommons/inference/master/calibration/CNNDailyMail/calibration-list.txt",),
    licence="Apache-2.0",
)

_SERVED = {DATACENTER: (SERVER, OFFLINE), EDGE: (SINGLE, OFFLINE), BOTH: (SINGLE, OFFLINE, SERVER)}
_SERVER_LATENCY_NS = SERVER_LATENCY_MS * 1_000_000

# From the prompts of the validation split's first 64 articles in GPT-2's BPE, cut as in preprocess.py: mean 666 tokens. The whole
# split's mean is about 870 and its longest prompt is cut to 1,919 tokens, so these are on the short side.
# fmt: off
_LENGTHS = (
    164, 177, 218, 222, 233, 236, 237, 245, 266, 274, 311, 311, 314, 334, 377, 391, 392, 398, 402, 421, 439, 443, 444,
    448, 450, 463, 492, 514, 537, 540, 542, 549, 553, 553, 565, 597, 618, 627, 639, 693, 699, 699, 699, 727, 738, 867,
    904, 910, 962, 966, 981, 996, 997, 998, 999, 1012, 1039, 1105, 1176, 1301, 1356, 1482, 1536, 1633, 1770,
)
# fmt: on

FACTS = BenchmarkFacts(
    name=NAME,
    family="text",
    scenarios=SCENARIOS,
    samples=DATASET_SAMPLES,
    targets={name: Target(FULL_NAMES[name], least) for name, least in TARGETS.items()},
    rounds={
        "v4.1": RoundRules(_SERVED, (), _SERVER_LATENCY_NS, counts_tokens=True),
        "v5.0": RoundRules(_SERVED, COMPLIANCE_TESTS, _SERVER_LATENCY_NS, counts_tokens=True),
    },
    audits=Audits(tests=("TEST04", "TEST06"), element="int32", sampling={"TEST06": 100}),
    space={
        # The model counts the downloaded archive and what is unpacked from it.
        "reference": Space(data=GB // 5, model=48 * GB, preprocessed=GB // 5, engines=25 * GB),
        "tiny": Space(data=GB // 20, model=GB // 50, preprocessed=GB // 10, engines=GB // 20),
    },
    files=(DATA, MODEL),
    whole_passes=True,
    lone_sample=36.0,
    lone_seconds=1.0,
    length_spread=_LENGTHS,
    text=TextFacts(NUM_BEAMS, MIN_NEW_TOKENS, MAX_NEW_TOKENS, MAX_INPUT_TOKENS, END_TOKEN, ARCHITECTURE),
    import_field="cnndm_source",
    # The checker's table of minimum Offline query sizes (OFFLINE_MIN_SPQ_SINCE_V4) dropped gptj in v5.1, but is used for every round.
    checker_faults={CURRENT.commit: (OFFLINE,)},
)
