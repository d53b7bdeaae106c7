"""MLPerf Inference's rules for 3D-UNet: names, counts, targets and published files.

Sources: the MLPerf Inference rules and mlperf.conf (v5.0 to v6.1), and the reference's vision/medical_imaging/3d-unet-kits19/README.md.
"""

from __future__ import annotations

from code.rules.benchmark_facts import GB, Audits, BenchmarkFacts, PublishedFile, RoundRules, Space, Target
from code.rules.rounds import BOTH, DATACENTER, EDGE, OFFLINE, SINGLE

NAME = "3d-unet"  # LoadGen's model name, too
FULL_NAMES = {"k_99": "3d-unet-99", "k_99_9": "3d-unet-99.9"}
SCENARIOS = (OFFLINE, SINGLE)
COMPLIANCE_TESTS = ("TEST01",)

# KiTS19: 42 cases and case_00400, a copy of case_00185.
DATASET_SAMPLES = 43
PERFORMANCE_SAMPLE_COUNT = DATASET_SAMPLES

METRIC = "DICE"  # the mean of kidney and tumour
REFERENCE_DICE = 0.8617
REFERENCE_KIDNEY, REFERENCE_TUMOR = 0.9347, 0.7887
TARGET_DICE = {"k_99": 0.853083, "k_99_9": 0.8608383}

CLASSES = ("background", "kidney", "tumor")
TARGET_SPACING_MM = (1.6, 1.2, 1.2)
CLIP = (-79.0, 304.0)
MEAN, STDDEV = 101.0, 76.9
PADDING_VALUE = -2.2
ROI = (128, 128, 128)
OVERLAP = 0.5
GAUSSIAN_SIGMA = 0.125  # of the ROI

INPUT_NAME, OUTPUT_NAME = "input", "output"  # float32 [B, 1, D, H, W] and [B, 3, D, H, W] of the window's size

# The reference's meta/inference_cases.json and calibration_cases.json.
# fmt: off
_EVALUATION = (
    0, 3, 5, 6, 12, 24, 34, 41, 44, 49, 52, 56, 61, 65, 66, 70, 76, 78, 80, 84, 86, 87, 92, 111, 112, 125, 128, 138,
    157, 160, 161, 162, 169, 171, 176, 185, 187, 189, 198, 203, 206, 207, 400,
)
_CALIBRATION = (
    50, 117, 172, 149, 91, 147, 144, 100, 90, 196, 183, 130, 136, 47, 73, 141, 53, 148, 81, 150,
)
# fmt: on
COPIES = {"case_00400": "case_00185"}
"""Cases of MLPerf's own: copy → original."""


def case_name(number: int) -> str:
    """As KiTS19 names its folders."""
    return f"case_{number:05d}"


EVALUATION_CASES = tuple(case_name(number) for number in _EVALUATION)
"""LoadGen's samples, in the order of their indices."""
CALIBRATION_CASES = tuple(case_name(number) for number in _CALIBRATION)

DATA_PATH = "data/KiTS19/kits19/data"  # case_XXXXX/{imaging,segmentation}.nii.gz
IMAGING, SEGMENTATION = "imaging.nii.gz", "segmentation.nii.gz"


MODEL = PublishedFile(
    "models/3d-unet-kits19/3dUNetKiTS19.onnx",
    "https://zenodo.org/record/5597155/files/3dunet_kits19_128x128x128_dynbatch.onnx?download=1",
    "3D U-Net for KiTS19, fp32",
    md5="82f0618fde78f9839e7c712274019b4a",
    kind="model",
    megabytes=124,
    licence="see its record at Zenodo",
)

_REQUIRED = {DATACENTER: (OFFLINE,), EDGE: (SINGLE, OFFLINE), BOTH: (SINGLE, OFFLINE)}

# Windows per case. KiTS19's own counts need its 43 volumes; these are the tiny set's, whose cases are smaller but as varied.
# fmt: off
_WINDOWS = (
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 6, 6, 6, 6, 6, 6, 6, 8, 8, 8, 8, 8, 8, 8, 8, 8, 9, 9, 9, 9, 9, 9,
    12, 12, 12, 12, 12, 12, 12, 12, 12, 16, 16, 16, 16, 16, 16, 16, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18,
)
# fmt: on

FACTS = BenchmarkFacts(
    name=NAME,
    family="volume",
    scenarios=SCENARIOS,
    samples=DATASET_SAMPLES,
    targets={name: Target(FULL_NAMES[name], {METRIC: least}) for name, least in TARGET_DICE.items()},
    rounds={
        "v4.1": RoundRules(_REQUIRED, ("TEST01", "TEST05")),
        **{name: RoundRules(_REQUIRED, COMPLIANCE_TESTS) for name in ("v5.0", "v5.1", "v6.0", "v6.1")},
    },
    audits=Audits(tests=("TEST01", "TEST04"), element="int8", sampling={"TEST01": 64}),
    space={
        "reference": Space(data=30 * GB, model=GB // 5, preprocessed=12 * GB, engines=GB),
        "tiny": Space(data=GB // 2, model=GB // 50, preprocessed=GB, engines=GB // 20),
    },
    files=(PublishedFile(DATA_PATH, label="KiTS19"), MODEL),
    whole_passes=True,
    lone_sample=1.2,
    length_spread=_WINDOWS,
)
