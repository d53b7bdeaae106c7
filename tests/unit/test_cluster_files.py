"""Examples for clusters: Kubernetes' and KubeRay's manifests, and the Slurm job as `make slurm_submit` fills it in."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from code.campaign import slurm
from code.common.errors import UsageError
from code.fields.table import lookup
from tests.e2e.in_process import called
from tests.empty import some

RAY_JOB: dict[str, Any] = {
    "type": "object",
    "required": ["entrypoint", "rayClusterSpec"],
    "additionalProperties": False,
    "properties": {
        "entrypoint": {"type": "string", "minLength": 1},
        "submissionMode": {"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]},
        "backoffLimit": {"type": "integer"},
        "shutdownAfterJobFinishes": {"type": "boolean"},
        "ttlSecondsAfterFinished": {"type": "integer"},
        "activeDeadlineSeconds": {"type": "integer", "minimum": 1},
        "rayClusterSpec": {
            "type": "object",
            "required": ["headGroupSpec"],
            "additionalProperties": False,
            "properties": {
                "rayVersion": {"type": "string"},
                "headGroupSpec": {
                    "type": "object",
                    "required": ["template"],
                    "additionalProperties": False,
                    "properties": {"rayStartParams": {"$ref": "#/$defs/params"}, "template": {"type": "object"}},
                },
                "workerGroupSpecs": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["groupName", "maxReplicas", "minReplicas", "template"],
                        "additionalProperties": False,
                        "properties": {
                            "groupName": {"type": "string"},
                            "replicas": {"type": "integer"},
                            "minReplicas": {"type": "integer"},
                            "maxReplicas": {"type": "integer"},
                            "rayStartParams": {"$ref": "#/$defs/params"},
                            "template": {"type": "object"},
                        },
                    },
                },
            },
        },
    },
    "$defs": {"params": {"type": "object", "additionalProperties": {"type": "string"}}},
}
"""What KubeRay's API reference (https://ray-project.github.io/kuberay/reference/api/) says of the keys that the example has."""


def accepted(document: dict[str, Any], folder: Path) -> None:
    """Kubernetes' own schema, strictly: a key that it does not know is an error."""
    if importlib.util.find_spec("kubernetes_validate") is None:
        pytest.skip("kubernetes-validate is not installed (it is among the development packages)")
    path = folder / "document.yaml"
    path.write_text(yaml.safe_dump(document))
    done = subprocess.run([sys.executable, "-m", "kubernetes_validate", "--strict", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def manifest(project: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((project / "docker/examples" / name).read_text())
    return content


def test_the_fleet_is_an_indexed_job_of_one_pod_a_node(project: Path, tmp_path: Path) -> None:
    document = manifest(project, "kubernetes-fleet.yaml")
    accepted(document, tmp_path)
    spec = document["spec"]
    assert spec["completionMode"] == "Indexed" and spec["completions"] == spec["parallelism"]
    pod = spec["template"]["spec"]
    (rule,) = pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert rule["topologyKey"] == "kubernetes.io/hostname"
    assert rule["labelSelector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
    (name,) = [one for one in pod["containers"][0]["env"] if one["name"] == "NODE_NAME"]
    assert name["valueFrom"]["fieldRef"]["fieldPath"] == "spec.nodeName"


def test_the_ray_job_has_the_keys_of_kuberay_and_pods_of_kubernetes(project: Path, tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    document = manifest(project, "kubernetes-rayjob.yaml")
    assert (document["apiVersion"], document["kind"]) == ("ray.io/v1", "RayJob")
    jsonschema.validate(document["spec"], RAY_JOB)
    cluster = document["spec"]["rayClusterSpec"]
    groups = cluster["workerGroupSpecs"]
    for template in (cluster["headGroupSpec"]["template"], *(group["template"] for group in groups)):
        accepted({"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "pod"}, "template": template}, tmp_path)
    wrong = {**cluster, "headGroupSpec": {**cluster["headGroupSpec"], "rayStartParam": {}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document["spec"], "rayClusterSpec": wrong}, RAY_JOB)


def test_a_submitted_script_has_the_submissions_options_once(project: Path, tmp_path: Path) -> None:
    text = slurm.script(["--nodes=2", "--output=/x/%j.log", "--job-name=n"], {"RUN_ARGS": "--a='b c' $(x)", "MLPERF_IMAGE": ""})
    path = tmp_path / "job.sbatch"
    path.write_text(text)
    subprocess.run(["bash", "-n", str(path)], check=True)
    options = [line.split("=")[0] for line in text.splitlines() if line.startswith("#SBATCH")]
    assert len(options) == len(set(options)) and {"#SBATCH --nodes", "#SBATCH --output", "#SBATCH --requeue"} <= set(options)
    assert "MLPERF_IMAGE=''" not in text
    first = text.index("export RUN_ARGS=")
    assert max(text.index(line) for line in text.splitlines() if line.startswith("#SBATCH")) < first, "Slurm stops reading there"
    command = ["bash", "-c", text[first : text.index("\n", first)] + '\nprintf %s "$RUN_ARGS"']
    assert subprocess.run(command, capture_output=True, text=True).stdout == "--a='b c' $(x)"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, ["[make][run]", "RUN_ARGS=--benchmarks=bert", "LOG_DIR=build/logs/slurm-5/n1"]),
        ({"CAMPAIGN": "c.toml"}, ["[make][campaign][FILE=c.toml][NODE=n1]"]),
        ({"CAMPAIGN": "c.toml", "SLURM_ARRAY_TASK_ID": "3"}, ["[make][campaign][FILE=c.toml]", "--campaign_run=3"]),
        (
            {"CAMPAIGN": "c.toml", "SLURM_ARRAY_TASK_ID": "2", "CAMPAIGN_RUNS": "runs"},
            ["[make][campaign][FILE=c.toml]", "--campaign_run=b\n"],
        ),
        ({"MLPERF_CONTAINER": "enroot"}, ["[--container-image=image]", ":/work", "[make][run]"]),
        ({"MLPERF_CONTAINER": "apptainer"}, ["[apptainer][run][--nv]", "[image]", "[make][run]"]),
    ],
)
def test_the_tasks_of_a_job(project: Path, tmp_path: Path, variables: dict[str, str], words: list[str]) -> None:
    """With an srun that does the task right here: what is started, and with what. tests/e2e/test_slurm.py has a real one."""
    (tmp_path / "image").touch()
    (tmp_path / "runs").write_text("a\nb\nc\n")
    (tmp_path / "bin").mkdir()
    run_here = '#!/bin/bash\nprintf "[%s]" "$@" >> started\nexport SLURMD_NODENAME=n1\nwhile [ "$1" != bash ]; do shift; done\nexec "$@"\n'
    (tmp_path / "bin" / "srun").write_text(run_here)
    (tmp_path / "bin" / "make").write_text(
        '#!/bin/bash\nprintf "[%s]" make "$@"\nprintf "\\n%s\\n" "RUN_ARGS=$RUN_ARGS" "LOG_DIR=$LOG_DIR"\n'
    )
    for name in ("srun", "make"):
        (tmp_path / "bin" / name).chmod(0o755)
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("MLPERF_", "SLURM_", "LOG_DIR"))}
    environment |= {"PATH": f"{tmp_path / 'bin'}:{environment['PATH']}", "MLPERF_IMAGE": "image", "SLURM_JOB_ID": "5"}
    environment |= {"SLURM_SUBMIT_DIR": str(tmp_path), "MLPERF_LOGS": "logs", **variables}
    script = str(project / "docker/examples/slurm.sbatch")
    done = subprocess.run(["bash", script, "--benchmarks=bert"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    written = [path.read_text() for path in tmp_path.rglob("n1*.log")]
    if variables.get("MLPERF_CONTAINER"):  # its folder of logs is that of the container
        assert "/work/logs/n1.log" in done.stderr or "[make][run]" in "".join(written)
        words = words[:-1]
    else:
        assert done.returncode == 0, done.stderr
    text = (tmp_path / "started").read_text() + "".join(written)
    assert all(word in text for word in words), text


def test_submitting_without_slurm_or_with_an_image_that_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    words = ("--action=slurm_submit", "--benchmarks=bert", "--scenarios=offline")
    done = called(*words)
    assert done.returncode == 3 and "there is no sbatch here" in done.stderr
    assert called(*words, "--dry_run").returncode == 0
    done = called(*words, "--slurm_container=enroot")
    assert done.returncode == 2 and "IMAGE=" in done.stderr
    assert called("--action=slurm_submit").returncode == 2
    with pytest.raises(UsageError):
        lookup("slurm_container").parse("docker", "--slurm_container")


def test_every_environment_that_make_makes_is_ignored_by_git(project: Path) -> None:
    names = re.findall(r"VENV(-[a-z_]+)", (project / "Makefile").read_text())
    for name in some(set(names)):
        ignored = subprocess.run(["git", "check-ignore", "-q", f".venv{name}/bin/python"], cwd=project, check=False)
        assert ignored.returncode == 0, f".venv{name} would count as a change of the checkout"
