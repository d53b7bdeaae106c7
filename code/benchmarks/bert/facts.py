"""MLPerf Inference's rules for BERT: names, counts, targets and published files.

Sources: the MLPerf Inference rules and mlperf.conf (v5.0 to v6.1), and the reference's language/bert/README.md.
"""

from __future__ import annotations

from code.rules.benchmark_facts import GB, Audits, BenchmarkFacts, PublishedFile, RoundRules, Space, Target
from code.rules.rounds import BOTH, DATACENTER, EDGE, MULTI, OFFLINE, SERVER, SINGLE

NAME = "bert"
FULL_NAMES = {"k_99": "bert-99", "k_99_9": "bert-99.9"}
ALIASES = ("bert", "bert-99", "bert-99.9")
SCENARIOS = (OFFLINE, SERVER, SINGLE, MULTI)
COMPLIANCE_TESTS = ("TEST01",)

# Features: the longest sequence, the step between a paragraph's windows, and the longest question, in tokens.
MAX_SEQUENCE, DOC_STRIDE, MAX_QUESTION = 384, 128, 64

# The SQuAD v1.1 dev set at 384 / 128 / 64.
QUESTIONS = 10_570
DATASET_SAMPLES = 10_833  # features; LoadGen's samples
PERFORMANCE_SAMPLE_COUNT = DATASET_SAMPLES
VOCABULARY_LINES = 30_522

METRIC = "F1"
ALSO_REPORTS = ("exact_match",)
REFERENCE_F1 = 90.874  # the fp32 reference model's, in percent
TARGET_SHARES = {"k_99": 0.99, "k_99_9": 0.999}
TARGET_F1 = {"k_99": 89.96526, "k_99_9": 90.783126}
SERVER_LATENCY_MS = 130

INPUT_NAMES = ("input_ids", "input_mask", "segment_ids")  # int32 or int64 [B, S]
OUTPUT_NAMES = ("output_start_logits", "output_end_logits")  # float32 [B, S]


DEV_SET = PublishedFile(
    "data/squad/dev-v1.1.json",
    "https://github.com/rajpurkar/SQuAD-explorer/raw/master/dataset/dev-v1.1.json",
    "SQuAD v1.1 dev set",
    size=4_854_279,
    sha256="95aa6a52d5d6a735563366753ca50492a658031da74f301ac5238b03966972c9",
    md5="3e85deb501d4e538b6bc56f786231552",
    megabytes=5,
    licence="CC BY-SA 4.0",
)
MODEL = PublishedFile(
    "models/bert/bert_large_v1_1.onnx",
    "https://zenodo.org/record/3733910/files/model.onnx?download=1",
    "BERT-Large, fp32",
    md5="819b25b19cd8e59080c10892689750ca",
    kind="model",
    megabytes=1340,
    licence="see its record at Zenodo",
)
MODEL_INT8 = PublishedFile(
    "models/bert/bert_large_v1_1_fake_quant.onnx",
    "https://zenodo.org/record/3750364/files/bert_large_v1_1_fake_quant.onnx?download=1",
    "BERT-Large, fine-tuned for int8 (F1 90.067)",
    md5="45f88ffb2915362242703c85c38ec2d4",
    kind="model",
    megabytes=1340,
    licence="see its record at Zenodo",
)
VOCABULARY = PublishedFile(
    "models/bert/vocab.txt",
    "https://zenodo.org/record/3750364/files/vocab.txt?download=1",
    "BERT's uncased vocabulary",
    size=231_508,
    sha256="07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    md5="64800d5d8528ce344256daf115d4965e",
    kind="model",
    megabytes=1,
    also=("https://zenodo.org/record/3733868/files/vocab.txt?download=1",),
    licence="Apache-2.0",
)

_EDGE_ONLY = {EDGE: (SINGLE, OFFLINE), BOTH: (SINGLE, OFFLINE)}
_SERVED = {DATACENTER: (SERVER, OFFLINE), EDGE: (SINGLE, OFFLINE), BOTH: (SINGLE, OFFLINE, SERVER)}
_SERVED_99_9 = {DATACENTER: (SERVER, OFFLINE), BOTH: (OFFLINE, SERVER)}  # v4.1 has no bert-99.9 on the edge

# Of the 10,833 features of the SQuAD v1.1 dev set, made by preprocess.py at 384 / 128 / 64: mean 178.5 tokens.
# fmt: off
_LENGTHS = (
    41, 61, 76, 87, 94, 103, 108, 112, 116, 119, 121, 124, 126, 128, 130, 131, 133, 134, 136, 138, 140, 142, 144, 146,
    147, 149, 151, 153, 155, 157, 159, 162, 164, 167, 169, 171, 174, 176, 179, 181, 183, 186, 189, 193, 196, 199, 202,
    206, 210, 214, 218, 222, 228, 235, 242, 251, 260, 267, 277, 290, 302, 325, 363, 384, 384,
)
# fmt: on

FACTS = BenchmarkFacts(
    name=NAME,
    family="encoder",
    scenarios=SCENARIOS,
    samples=DATASET_SAMPLES,
    targets={name: Target(FULL_NAMES[name], {METRIC: least}) for name, least in TARGET_F1.items()},
    rounds={
        "v4.1": RoundRules(
            _SERVED, ("TEST01", "TEST05"), SERVER_LATENCY_MS * 1_000_000, required_at={FULL_NAMES["k_99_9"]: _SERVED_99_9}
        ),
        **{name: RoundRules(_EDGE_ONLY, COMPLIANCE_TESTS) for name in ("v5.0", "v5.1", "v6.0", "v6.1")},
    },
    audits=Audits(tests=("TEST01", "TEST04"), element="float32", sampling={"TEST01": 4096}),
    space={
        "reference": Space(data=GB // 100, model=3 * GB, preprocessed=GB // 10, engines=3 * GB),
        "tiny": Space(data=GB // 100, model=GB // 100, preprocessed=GB // 10, engines=GB // 20),
    },
    files=(DEV_SET, MODEL, VOCABULARY),
    calibration_list="bert_calibration_features.txt",
    longest_input=MAX_SEQUENCE,  # max_seq_length in the rules' model table
    optimal_length_field="bert_opt_seqlen",
    high_accuracy_precision="fp16",
    lone_sample=8.0,
    lone_seconds=0.001,
    length_spread=_LENGTHS,
    named_within=True,
)
