"""What MLPerf Inference fixes for BERT: names, counts, targets and where the published files are.

Sources: the MLPerf Inference rules and mlperf.conf (v5.0 to v6.1), and the reference's language/bert/README.md.
"""

from __future__ import annotations

from dataclasses import dataclass

NAME = "bert"
FULL_NAMES = {"k_99": "bert-99", "k_99_9": "bert-99.9"}
ALIASES = ("bert", "bert-99", "bert-99.9")
SCENARIOS = ("Offline", "Server", "SingleStream", "MultiStream")
COMPLIANCE_TESTS = ("TEST01",)

# The SQuAD v1.1 dev set at 384 / 128 / 64.
QUESTIONS = 10_570
DATASET_SAMPLES = 10_833  # features; LoadGen's samples
PERFORMANCE_SAMPLE_COUNT = 10_833
VOCABULARY_LINES = 30_522

METRIC = "F1"
ALSO_REPORTS = ("exact_match",)
REFERENCE_F1 = 90.874  # the fp32 reference model's, in percent
TARGET_SHARES = {"k_99": 0.99, "k_99_9": 0.999}
TARGET_F1 = {"k_99": 89.96526, "k_99_9": 90.783126}
SERVER_LATENCY_MS = 130

INPUT_NAMES = ("input_ids", "input_mask", "segment_ids")  # int32 or int64 [B, S]
OUTPUT_NAMES = ("output_start_logits", "output_end_logits")  # float32 [B, S]


@dataclass(frozen=True)
class PublishedFile:
    """A file that MLPerf's reference names.

    Attributes:
        path: where it belongs, below the build folder.
        url: where it is published.
        label: what people call it.
        size: bytes, where known.
        sha256: its digest, where known; otherwise the first download's is kept.
        md5: the digest that MLCommons or Zenodo publishes, where they give no other.
        megabytes: about how large it is, to know what to expect.
    """

    path: str
    url: str
    label: str
    size: int | None = None
    sha256: str | None = None
    md5: str | None = None
    megabytes: int = 0


DEV_SET = PublishedFile(
    "data/squad/dev-v1.1.json",
    "https://github.com/rajpurkar/SQuAD-explorer/raw/master/dataset/dev-v1.1.json",
    "SQuAD v1.1 dev set",
    size=4_854_279,
    sha256="95aa6a52d5d6a735563366753ca50492a658031da74f301ac5238b03966972c9",
    megabytes=5,
)
MODEL = PublishedFile(
    "models/bert/bert_large_v1_1.onnx",
    "https://zenodo.org/record/3733910/files/model.onnx?download=1",
    "BERT-Large, fp32",
    md5="819b25b19cd8e59080c10892689750ca",
    megabytes=1340,
)
MODEL_INT8 = PublishedFile(
    "models/bert/bert_large_v1_1_fake_quant.onnx",
    "https://zenodo.org/record/3750364/files/bert_large_v1_1_fake_quant.onnx?download=1",
    "BERT-Large, fine-tuned for int8 (F1 90.067)",
    md5="45f88ffb2915362242703c85c38ec2d4",
    megabytes=1340,
)
VOCABULARY = PublishedFile(
    "models/bert/vocab.txt",
    "https://zenodo.org/record/3750364/files/vocab.txt?download=1",
    "BERT's uncased vocabulary",
    size=231_508,
    sha256="07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    megabytes=1,
)
