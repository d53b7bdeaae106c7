"""A Slurm of two nodes on this host, from Debian's packages: slurmctld and two slurmd, without munge."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "srun", "sinfo", "scontrol", "squeue", "scancel")
INSTALL = "apt-get install slurmctld slurmd slurm-client, and run the tests as root"
CONF = """
ClusterName=two
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
KillWait=60
MinJobAge=600
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmdPidFile={folder}/%n.pid
SlurmctldPidFile={folder}/controller.pid
SlurmctldLogFile={folder}/controller.log
SlurmdLogFile={folder}/%n.log
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={n1} CPUs={cpus} State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={n2} CPUs={cpus} State=UNKNOWN
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Why there can be no cluster here; '' where there can."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"no {', '.join(absent)}"
    return "" if os.geteuid() == 0 else "slurmd starts its steps as root"


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """A cluster that runs; yields the variables with which Slurm's programs find it."""
    for name in ("state", "spool-n1", "spool-n2"):
        (folder / name).mkdir(parents=True)
    controller, n1, n2 = free_ports(3)
    conf = folder / "slurm.conf"
    host = socket.gethostname().partition(".")[0]
    cpus = os.cpu_count()
    conf.write_text(CONF.format(host=host, controller=controller, n1=n1, n2=n2, folder=folder, cpus=cpus))
    variables = {"SLURM_CONF": str(conf)}
    environment = {**os.environ, **variables}
    commands = [["slurmctld", "-D", "-i"], ["slurmd", "-D", "-N", "n1"], ["slurmd", "-D", "-N", "n2"]]
    daemons = [
        subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for command in commands
    ]
    try:
        end = time.monotonic() + 60
        while said("sinfo", "-h", "-N", "-o", "%N %T", variables=variables).split() != ["n1", "idle", "n2", "idle"]:
            assert time.monotonic() < end, (folder / "controller.log").read_text()[-2000:]
            time.sleep(0.3)
        yield variables
    finally:
        said("scancel", "--me", variables=variables)
        below = [child for daemon in daemons for child in _children(daemon.pid)]
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in daemons:
            daemon.wait(60)
        for child in below:
            if child.is_running():
                child.kill()


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def said(*command: str, variables: dict[str, str]) -> str:
    """What a program of Slurm's prints."""
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


def ended(job: str, variables: dict[str, str], seconds: float) -> str:
    """Wait until a job, with all elements of an array, is over; what Slurm says of it."""
    end = time.monotonic() + seconds
    while said("squeue", "-h", "-j", job, "-t", "PENDING,RUNNING,COMPLETING,CONFIGURING,REQUEUED", variables=variables):
        assert time.monotonic() < end, said("squeue", "-l", variables=variables)
        time.sleep(0.5)
    return said("scontrol", "-o", "show", "job", job, variables=variables)
