"""What MLPerf Inference fixes for 3D-UNet: names, counts, targets and where the published files are.

Sources: the MLPerf Inference rules and mlperf.conf (v5.0 to v6.1), and the reference's vision/medical_imaging/3d-unet-kits19/README.md.
"""

from __future__ import annotations

NAME = "3d-unet"  # LoadGen's model name, too
FULL_NAMES = {"k_99": "3d-unet-99", "k_99_9": "3d-unet-99.9"}
SCENARIOS = ("Offline", "SingleStream")
COMPLIANCE_TESTS = ("TEST01",)

# KiTS19: 42 cases and case_00400, a copy of case_00185.
DATASET_SAMPLES = 43
PERFORMANCE_SAMPLE_COUNT = 43

METRIC = "DICE"  # the mean of kidney and tumour
REFERENCE_DICE = 0.8617
REFERENCE_KIDNEY, REFERENCE_TUMOR = 0.9347, 0.7887
TARGET_DICE = {"k_99": 0.853083, "k_99_9": 0.8608383}

TARGET_SPACING_MM = (1.6, 1.2, 1.2)
CLIP = (-79.0, 304.0)
MEAN, STDDEV = 101.0, 76.9
PADDING_VALUE = -2.2
ROI = (128, 128, 128)
OVERLAP = 0.5
GAUSSIAN_SIGMA = 0.125  # of the ROI

MODEL_PATH = "models/3d-unet-kits19/3dUNetKiTS19.onnx"
MODEL_URL = "https://zenodo.org/record/5597155/files/3dunet_kits19_128x128x128_dynbatch.onnx?download=1"
DATA_PATH = "data/KiTS19/kits19/data"  # case_XXXXX/{imaging,segmentation}.nii.gz
DATA_SOURCE = "https://github.com/neheller/kits19"
