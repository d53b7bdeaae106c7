"""What MLPerf Inference fixes for GPT-J: names, counts, targets and where the published files are.

Sources: the MLPerf Inference rules and mlperf.conf (v4.0 to v5.0, the last round that has it), and the reference's
language/gpt-j/README.md.
"""

from __future__ import annotations

NAME = "gptj"  # LoadGen's model name, too
FULL_NAMES = {"k_99": "gptj-99", "k_99_9": "gptj-99.9"}
SCENARIOS = ("Offline", "Server", "SingleStream")
COMPLIANCE_TESTS = ("TEST06",)

# CNN/DailyMail 3.0.0, validation split.
DATASET_SAMPLES = 13_368
PERFORMANCE_SAMPLE_COUNT = 13_368
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

MODEL_PATH = "models/GPTJ-6B/checkpoint-final"
MODEL_URL = "https://cloud.mlcommons.org/index.php/s/QAZ2oM94MkFtbQx/download"  # gptj6b.zip
DATA_PATH = "data/cnn-daily-mail/cnn_eval.json"
