"""MLPerf vocabulary as enums: benchmarks, scenarios, harness types, targets, precisions.

Config files written for other harnesses import these names, so they are a public interface. A value may carry aliases; matching
ignores case, and for text that people type also '-', '_', '.' and spaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, unique
from typing import Any, TypeVar

from code.common.amounts import ByteSuffix as ByteSuffix
from code.common.amounts import Memory as Memory

E = TypeVar("E", bound="AliasedNameEnum")


class AliasedName:
    """A name with other spellings.

    Args:
        name: the canonical spelling.
        aliases: other spellings that mean the same.
        patterns: regular expressions; text that fully matches one means the same.
    """

    def __init__(self, name: str, aliases: Iterable[str] = (), patterns: Iterable[str | re.Pattern[str]] = ()) -> None:
        self.name = name
        self.aliases = tuple(aliases)
        self.patterns = tuple(re.compile(p, re.IGNORECASE) if isinstance(p, str) else p for p in patterns)

    def matches(self, text: object) -> bool:
        """Whether `text` (a string or another AliasedName) means this name."""
        if isinstance(text, AliasedName):
            text = text.name
        if not isinstance(text, str):
            return False
        folded = text.lower()
        if folded == self.name.lower() or folded in (a.lower() for a in self.aliases):
            return True
        return any(p.fullmatch(text) for p in self.patterns)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, AliasedName):
            return self.name == other.name and self.aliases == other.aliases
        return self.matches(other)

    def __hash__(self) -> int:
        return hash(self.name)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"AliasedName({self.name!r})" if not self.aliases else f"AliasedName({self.name!r}, {self.aliases!r})"


def _typed(text: str) -> str:
    """Normalise a spelling for comparison: case and separators are ignored."""
    return re.sub(r"[-_.\s]", "", text).lower()


class AliasedNameEnum(Enum):
    """An enum whose values are AliasedName."""

    @property
    def valstr(self) -> _ValueString:
        """The canonical spelling; `x.valstr` and `x.valstr()` both return it."""
        return _ValueString(str(self.value))

    def matches(self, text: object) -> bool:
        """Whether `text` means this member."""
        return isinstance(self.value, AliasedName) and self.value.matches(text)

    @classmethod
    def get_match(cls: type[E], text: object) -> E | None:
        """The member that `text` means, or None."""
        if isinstance(text, cls):
            return text
        for member in cls:
            if member.matches(text):
                return member
        if isinstance(text, str):
            for member in cls:
                spellings = (member.name, member.value.name, *member.value.aliases)
                if _typed(text) in (_typed(s) for s in spellings):
                    return member
        return None

    @classmethod
    def spellings(cls) -> list[str]:
        """The canonical spellings, in order."""
        return [str(member.value) for member in cls]

    def __lt__(self, other: Any) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return str(self.value) < str(other.value)

    def __str__(self) -> str:
        return str(self.value)


class _ValueString(str):
    """A string that can also be called, because older files write `valstr()`."""

    def __call__(self) -> str:
        return str(self)


@unique
class Benchmark(AliasedNameEnum):
    """The MLPerf Inference benchmarks that config files name; only those of code/rules/benchmarks.py are implemented."""

    BERT = AliasedName("bert", ("bert-99", "bert-99.9", "bert-large"))
    GPTJ = AliasedName("gptj", ("gptj6b", "gpt-j", "gptj-99", "gptj-99.9", "gptj-6b"))
    UNET3D = AliasedName("3d-unet", ("3dunet", "unet", "3d-unet-kits", "3d-unet-kits19", "3d-unet-99", "3d-unet-99.9", "unet3d"))
    ResNet50 = AliasedName("resnet50", ("resnet",))
    Retinanet = AliasedName("retinanet", ("ssd-resnext", "ssd-retinanet"))
    RNNT = AliasedName("rnnt", ("rnn-t",))
    DLRM = AliasedName("dlrm", ("dlrm-99", "dlrm-99.9"))
    DLRMv2 = AliasedName("dlrm-v2", ("dlrm-v2-99", "dlrm-v2-99.9"))
    LLAMA2 = AliasedName("llama2-70b", ("llama2", "llama-v2-70b", "llama2-70b-99", "llama2-70b-99.9", "llama2-70b-interactive"))
    LLAMA3_1 = AliasedName("llama3.1-405b", ("llama3_1-405b", "llama3.1-405b-interactive"))
    LLAMA3_1_8B = AliasedName("llama3.1-8b", ("llama3_1-8b", "llama3.1-8b-interactive"))
    LLAMA3_1_8B_EDGE = AliasedName("llama3.1-8b-edge", ("llama3_1-8b-edge",))
    Mixtral8x7B = AliasedName("mixtral-8x7b", ("moe", "mixtral-8x7b-99"))
    SDXL = AliasedName("stable-diffusion-xl", ("sdxl", "stable-diffusion"))
    DeepSeekR1 = AliasedName("deepseek-r1", ("deepseek-r1-interactive",))
    GPT_OSS = AliasedName("gpt-oss-120b")
    Qwen3VL = AliasedName("qwen3-vl-235b-a22b", ("qwen3-vl", "q3vl"))
    WAN22 = AliasedName("wan22-a14b", ("wan-2.2-t2v-a14b",))
    Whisper = AliasedName("whisper")
    RGAT = AliasedName("rgat")

    @property
    def folder(self) -> str:
        """The folder of its configs: its name, which as a package's can have no dots."""
        return str(self).replace(".", "_")


@unique
class Scenario(AliasedNameEnum):
    """The scenarios of configs and results: LoadGen's four, and Interactive, which it runs as Server."""

    Offline = AliasedName("Offline")
    Server = AliasedName("Server")
    SingleStream = AliasedName("SingleStream", ("single-stream", "single_stream"))
    MultiStream = AliasedName("MultiStream", ("multi-stream", "multi_stream"))
    Interactive = AliasedName("Interactive")

    @property
    def loadgen(self) -> str:
        """The scenario that LoadGen runs."""
        return str(Scenario.Server if self is Scenario.Interactive else self)


@unique
class HarnessType(AliasedNameEnum):
    """The harnesses that config files name. This build runs Custom."""

    LWIS = AliasedName("lwis")
    Custom = AliasedName("custom")
    Triton = AliasedName("triton")
    TritonUnified = AliasedName("triton_unified", ("triton-unified",))
    HeteroMIG = AliasedName("hetero")
    LON_Node = AliasedName("lon_node")
    SUT_Node = AliasedName("sut_node")


@unique
class AccuracyTarget(Enum):
    """Share of the reference accuracy that a result must reach."""

    k_99 = 0.99
    k_99_9 = 0.999

    def __str__(self) -> str:
        return self.name


@unique
class PowerSetting(AliasedNameEnum):
    """MaxP: tuned for performance. MaxQ: tuned for performance per watt."""

    MaxP = AliasedName("MaxP")
    MaxQ = AliasedName("MaxQ")


@unique
class ModelOpt(AliasedNameEnum):
    """How a model was changed for the open division, as configs of round v4.1 name it. Each but NoOpt is a variant of a config."""

    NoOpt = AliasedName("NoOpt")
    Sparse = AliasedName("Sparse")
    HeadPruned = AliasedName("HeadPruned")
    DepthPruned = AliasedName("DepthPruned")
    DepthPrunedMedusa = AliasedName("DepthPrunedMedusa")
    DeepCache = AliasedName("DeepCache")
    DeepCachePruned = AliasedName("DeepCachePruned")
    LCM = AliasedName("LCM")

    @property
    def suffix(self) -> str:
        """The variant that a config registered with it is: '' for NoOpt."""
        return "" if self is ModelOpt.NoOpt else self.name


@unique
class Precision(AliasedNameEnum):
    """Numeric formats of a network's weights, activations and inputs."""

    FP32 = AliasedName("fp32", ("float32", "f32", "float"))
    BF16 = AliasedName("bf16", ("bfloat16",))
    FP16 = AliasedName("fp16", ("float16", "f16", "half"))
    FP8 = AliasedName("fp8", ("float8", "fp8_e4m3", "e4m3"))
    FP4 = AliasedName("fp4", ("nvfp4", "mxfp4", "float4"))
    INT8 = AliasedName("int8", ("int8_sq",))
    INT4 = AliasedName("int4", ("int4_awq", "w4a16_awq", "w4a8_awq", "int4_wo"))
    TF32 = AliasedName("tf32")
    FP64 = AliasedName("fp64", ("float64", "double"))
    INT32 = AliasedName("int32")
    INT64 = AliasedName("int64")
    UINT8 = AliasedName("uint8")


@unique
class TestMode(AliasedNameEnum):
    """LoadGen's test modes; SubmissionRun is the accuracy run and the performance run, one after the other."""

    __test__ = False  # not a pytest class

    PerformanceOnly = AliasedName("PerformanceOnly", ("performance", "perf"))
    AccuracyOnly = AliasedName("AccuracyOnly", ("accuracy", "acc"))
    SubmissionRun = AliasedName("SubmissionRun", ("submission",))


@unique
class ModelVariant(AliasedNameEnum):
    """The MLPerf reference model, or the project's own small one."""

    Reference = AliasedName("reference")
    Tiny = AliasedName("tiny")


@unique
class Action(AliasedNameEnum):
    """Values of `--action`; older config files import the member names."""

    GenerateConfFiles = AliasedName("generate_conf_files")
    GenerateEngines = AliasedName("generate_engines")
    RunHarness = AliasedName("run_harness")
    RunAuditHarness = AliasedName("run_audit_harness")
    RunCPUAuditHarness = AliasedName("run_cpu_audit_harness")
    RunAuditVerification = AliasedName("run_audit_verification")
    RunCPUAuditVerification = AliasedName("run_cpu_audit_verification")
    Calibrate = AliasedName("calibrate")
    Run = AliasedName("run")
    Explain = AliasedName("explain")
    Info = AliasedName("info")
    DownloadData = AliasedName("download_data")
    DownloadModel = AliasedName("download_model")
    PreprocessData = AliasedName("preprocess_data")


@unique
class AuditTest(AliasedNameEnum):
    """MLPerf's compliance tests."""

    TEST01 = AliasedName("TEST01")
    TEST04 = AliasedName("TEST04")
    TEST05 = AliasedName("TEST05")
    TEST06 = AliasedName("TEST06")
    TEST07 = AliasedName("TEST07")
    TEST08 = AliasedName("TEST08")
    TEST09 = AliasedName("TEST09")


@unique
class CPUArchitecture(AliasedNameEnum):
    """Processor architectures as `uname -m` prints them."""

    x86_64 = AliasedName("x86_64", ("amd64",))
    aarch64 = AliasedName("aarch64", ("arm64",))
    UNKNOWN = AliasedName("unknown")


@unique
class AcceleratorType(AliasedNameEnum):
    """Kinds of accelerators."""

    Discrete = AliasedName("Discrete", ("discrete",))
    Integrated = AliasedName("Integrated", ("integrated",))
    MIG = AliasedName("MIG", ("mig",))


@dataclass(frozen=True)
class WorkloadSetting:
    """Selects one of a system's configs: harness, accuracy target and power setting.

    Source: the `--config_ver` names of MLPerf vendor harnesses.
    """

    harness_type: HarnessType = HarnessType.Custom
    accuracy_target: AccuracyTarget = AccuracyTarget.k_99
    power_setting: PowerSetting = PowerSetting.MaxP

    def shortname(self) -> str:
        """The form used in result names: 'custom_k_99_MaxP'."""
        return f"{self.harness_type.valstr}_{self.accuracy_target.name}_{self.power_setting.valstr}"

    @property
    def short(self) -> str:
        """The form that configs of round v6.0 key by: 'cp990'."""
        return f"{str(self.harness_type.valstr)[0]}{str(self.power_setting.valstr)[-1].lower()}{round(self.accuracy_target.value * 1000)}"

    def config_ver(self) -> str:
        """The `--config_ver` name of this setting."""
        words = []
        if self.harness_type not in (HarnessType.Custom, HarnessType.LWIS):
            words.append(str(self.harness_type.valstr))
        if self.accuracy_target is AccuracyTarget.k_99_9:
            words.append("high_accuracy")
        if self.power_setting is PowerSetting.MaxQ:
            words.append("maxq")
        return "_".join(words) or "default"


ALL_SETTINGS = tuple(
    WorkloadSetting(h, a, p)
    for h in HarnessType
    if h not in (HarnessType.LON_Node, HarnessType.SUT_Node)
    for a in AccuracyTarget
    for p in PowerSetting
)
"""Every setting that a config class can be registered for, except the nodes of the network division."""
