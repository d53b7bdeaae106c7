"""Processes: they end with their parents and on signals at any moment; runs on the same devices wait."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from code.harness.python import progress
from code.harness.python.progress import ProgressPipe
from code.machine import load
from code.run import device_lock

ROOT = Path(__file__).resolve().parents[2]


def python(source: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", source],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def gone(pid: int, patience_s: float = 10.0) -> bool:
    """Whether a process ends in time; a zombie has ended."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


# ── orphans ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_a_child_ends_with_its_parent(how: signal.Signals) -> None:
    """As the harness does: the launcher gives its process ID, the child ties itself to it."""
    parent = python(
        "import os, subprocess, sys, time\n"
        "from code.run.places import THIS_MACHINE\n"
        "child = THIS_MACHINE.start([sys.executable, '-c', 'from code.common.parent import end_with_launcher as e\\n"
        "import time\\ne()\\nprint(1, flush=True)\\ntime.sleep(60)'], sys.stdout, os.open('/dev/null', os.O_WRONLY), {})\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    assert parent.stdout is not None
    lines = sorted((parent.stdout.readline().strip() for _ in range(2)), key=len)
    child = int(lines[1])
    parent.send_signal(how)
    parent.wait(10)
    assert gone(child)


@pytest.mark.parametrize("level", ["", "1"], ids=["alone", "under make"])
def test_a_command_ends_with_a_killed_make_and_outlives_other_parents(level: str) -> None:
    inner = "from code.common.parent import end_with_make as e\\nimport time\\ne()\\nprint(1, flush=True)\\ntime.sleep(60)"
    parent = python(
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', '{inner}'], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n",
        MAKELEVEL=level,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait(10)
    if level:
        assert gone(child)
    else:
        assert not gone(child, 0.5)
        os.kill(child, signal.SIGKILL)


def test_a_child_whose_parent_has_gone_already_ends_at_once() -> None:
    done = python("from code.common.parent import end_with\nend_with(1 << 22)\nprint('still here')")
    assert done.wait(10) == 130 and done.stdout is not None and "still here" not in done.stdout.read()


def test_workers_of_a_pool_end_with_a_killed_parent() -> None:
    parent = python(
        "import os, time\n"
        "if __name__ == '__main__':\n"
        "    from code.benchmarks.unet3d import processes\n"
        "    pool = processes.pool(1)\n"
        "    print(pool.submit(os.getpid).result(), flush=True)\n"
        "    time.sleep(60)\n"
    )
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait(10)
    assert gone(worker)


# ── signals ──────────────────────────────────────────────────────────────────────────────────

HOLDING = """
import os, time
from code.harness.python.progress import ProgressPipe
from code.harness.python.watch import Watch
pipe = ProgressPipe()
watch = Watch(pipe)
watch.catch_signals()
{hold}
print('held', flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    "hold",
    ["", "pipe._lock.acquire()", "import hashlib; hashlib.pbkdf2_hmac('sha256', b'', b'', 1)"],
    ids=["asleep", "while the lock of the pipe is held", "after a call into C"],
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_ends_the_harness_whatever_it_does(hold: str, number: signal.Signals) -> None:
    reading, writing = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDING.format(hold=hold)],
        cwd=ROOT,
        env={**os.environ, progress.PIPE_VARIABLE: str(writing)},
        pass_fds=(writing,),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    assert child.stdout is not None and child.stdout.readline() == "held\n"
    child.send_signal(number)
    assert child.wait(15) == 130
    assert child.stderr is not None and f"stopped by {number.name}" in child.stderr.read()
    os.close(reading)


def test_a_pipe_that_nobody_reads_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writing, b"x" * 65536)
    os.set_blocking(writing, True)
    monkeypatch.setenv(progress.PIPE_VARIABLE, str(writing))
    monkeypatch.setattr(progress, "WAIT_S", 0.05)
    pipe = ProgressPipe()
    pipe.send(phase="run")  # returns although the pipe is full
    os.close(reading)
    pipe.send(phase="run")
    os.close(writing)


def test_a_signal_during_an_import_is_an_interruption() -> None:
    """The exception of a signal may come back as another one: an extension that is being imported makes an ImportError of it."""
    child = python(
        "import os, signal, sys\n"
        "from code import main, actions\n"
        "from code.common.errors import MissingError\n"
        "class Action:\n"
        "    def perform(self, context):\n"
        "        try:\n"
        "            os.kill(os.getpid(), signal.SIGTERM)\n"
        "        except KeyboardInterrupt as error:\n"
        "            raise MissingError('the Python package openvino cannot be imported') from error\n"
        "actions.load = lambda name: Action()\n"
        "sys.argv = ['main', '--action=run']\n"
        "sys.exit(main.run())\n"
    )
    assert child.wait(20) == 130
    assert child.stdout is not None and child.stdout.read().strip() == "interrupted"


@pytest.mark.parametrize(
    ("redirection", "status"), [(">&-", 0), ("2>&-", 0), ("<&-", 0), (">/dev/full", 4), ("| true; exit ${PIPESTATUS[0]}", 130)]
)
@pytest.mark.parametrize("action", ["list_systems", "list_results"])
def test_standard_output_that_is_closed_or_full(redirection: str, status: int, action: str, tmp_path: Path) -> None:
    command = f"{sys.executable} -m code.main --action={action} --log_dir={tmp_path} {redirection}"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode in (status, 0 if status == 130 else status), done.stderr
    assert "Traceback" not in done.stderr and "internal error" not in done.stderr and "Exception ignored" not in done.stderr
    if status == 4:
        assert "standard output cannot be written" in done.stderr and "No space left" in done.stderr


# ── one run at a time ────────────────────────────────────────────────────────────────────────


@pytest.fixture
def own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(device_lock.FOLDER_VARIABLE, str(tmp_path / "locks"))
    monkeypatch.setattr(device_lock, "EVERY_S", 0.01)
    return tmp_path / "locks"


def holder(devices: list[str]) -> subprocess.Popen[str]:
    child = python(
        f"import time\nfrom code.run import device_lock\nwith device_lock.held({devices!r}, 'bert-99 Offline'):\n"
        "    print('held', flush=True)\n    time.sleep(60)\n"
    )
    assert child.stdout is not None and child.stdout.readline() == "held\n"
    return child


def test_a_second_run_waits_and_says_for_whom(own_locks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    child = holder(["node 0"])
    threading.Timer(0.3, child.kill).start()
    with device_lock.held(["node 0"], "gptj-99 Server") as sharing:
        assert sharing.waited_s > 0 and sharing.beside == []
        (file,) = own_locks.iterdir()
        assert json.loads(file.read_text())["label"] == "gptj-99 Server"
    assert file.read_text() == ""
    out = capsys.readouterr().out
    assert f"gptj-99 Server: waiting for bert-99 Offline (process {child.pid} of " in out and "node 0 is free" in out
    child.wait(10)


def test_a_second_run_beside_the_first_names_it(own_locks: Path) -> None:
    child = holder(["node 0", "node 1"])
    with device_lock.held(["node 0", "node 1"], "second", share=True) as sharing:
        assert len(sharing.beside) == 1 and f"process {child.pid}" in sharing.beside[0]
    with device_lock.held(["node 2"], "third") as sharing:
        assert not sharing.beside and not sharing.waited_s, "other devices"
    child.kill()
    child.wait(10)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "[" * 4000, '{"label": "x"}', '{"label": 1, "pid": {}, "user": [], "since": null}']
)
def test_a_damaged_lock_file_still_locks(content: str, own_locks: Path) -> None:
    child = holder(["GPU-1/2"])
    (file,) = own_locks.iterdir()
    file.write_text(content)
    with device_lock.held(["GPU-1/2"], "second", share=True) as sharing:
        assert len(sharing.beside) == 1
    child.kill()
    child.wait(10)


def test_a_lock_folder_that_cannot_be_written_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(device_lock.FOLDER_VARIABLE, str(tmp_path / "file" / "locks"))
    with device_lock.held(["node 0"], "x"):
        pass
    assert "node 0 cannot be locked" in capsys.readouterr().err


def test_a_link_in_the_lock_folder_is_not_followed(own_locks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own_locks.mkdir()
    (tmp_path / "precious").write_text("precious")
    (own_locks / "node_0.lock").symlink_to(tmp_path / "precious")
    with device_lock.held(["node 0"], "x"):
        pass
    assert (tmp_path / "precious").read_text() == "precious" and "cannot be locked" in capsys.readouterr().err


def test_the_work_of_others_is_told_from_ones_own() -> None:
    before = load.Moment(0.0, 100.0, 5.0, 10.0, 0.1)
    after = load.Moment(10.0, 118.0, 7.0, 20.0, 0.2)
    used = load.between(before, after)
    assert used.foreign == pytest.approx(0.8) and used.stolen == pytest.approx(0.2)
    assert load.between(load.Moment(0.0, None, 0.0, 0.0, None), after).foreign is None
    here = load.now(sorted(os.sched_getaffinity(0)))
    assert here.busy is not None and here.busy > 0
