"""A node of a run as a Ray actor. Its class travels by value: it imports nothing of the harness, which a worker of Ray need not have."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import queue
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

SILENCE_S = 10.0
"""A harness process that is alive reports several times a second."""
PROVING_S = 300.0
RECORDED_S = 8.0
"""Until a node's recorder has written what it recorded."""
FOLDER = "mlperf-node"
BLOCK = 8 << 20
"""Bytes of a message that measures bandwidth."""


BOOT = Path("/proc/sys/kernel/random/boot_id")
"""Names this start of a machine's kernel, which its containers share."""


def near(path: str, words: str) -> bool:
    """Whether a head that wrote `words` into a file of a private folder runs on this machine, under this account, in these file systems."""
    try:
        return words.split()[-1] == BOOT.read_text().strip() and Path(path).read_text() == words
    except (OSError, IndexError):
        return False


class Incoming:
    """A folder that arrives in parts, beside its place until it is whole. One that is there by then stays."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._beside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")  # the engine store clears such a one
        self._digests: dict[str, Any] = {}

    def add(self, name: str, part: bytes) -> None:
        """Append the next part of a file. OSError where it cannot be written."""
        path = self._beside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(part)
        self._digests.setdefault(name, hashlib.sha256()).update(part)

    def keep(self, digests: dict[str, str]) -> None:
        """Give the folder its name. OSError where a file is missing, or has another SHA-256 than `digests` says."""
        try:
            for name, digest in digests.items():
                if name not in self._digests or self._digests[name].hexdigest() != digest:
                    raise OSError(f"{self._folder / name} did not arrive as it was sent")
            if not self._folder.exists():
                self._beside.rename(self._folder)
        finally:
            self.drop()

    def drop(self) -> None:
        """Remove what is beside the folder's place."""
        shutil.rmtree(self._beside, ignore_errors=True)


def own_folder(name: str, parent: Path) -> str:
    """A folder for this process, called by its number; those of the same name whose processes were killed are removed."""
    for left in parent.glob(f"{name}-*-*"):
        pid = left.name.removeprefix(f"{name}-").split("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(left, ignore_errors=True)  # another account's stays
    return tempfile.mkdtemp(prefix=f"{name}-{os.getpid()}-", dir=parent)


class Node:
    """One node of a run, as a Ray actor: it proves the node, and owns the harness process with engines, lanes and data.

    Args:
        root: the project's folder on the node.
        python: the interpreter of the harness's environment there.
        cores: processors that its processes may use; [] for all.
    """

    def __init__(self, root: str, python: str, cores: list[int]) -> None:
        self._root, self._python, self._cores = root, python, cores
        self._child: Any = None
        self._recorder: Any = None
        self._commands: list[Any] = []
        self._incoming: dict[str, Incoming] = {}
        self._folder = ""
        self._heard = time.monotonic()
        self._lines: Any = queue.SimpleQueue()
        self._ended = ""

    def facts(self, path: str, words: str) -> dict[str, Any]:
        """Its host, address and process, and whether it is on the machine of the head, which wrote `words` there."""
        import ray

        ip = ray.util.get_node_ip_address()
        return {"host": socket.gethostname(), "ip": ip, "pid": os.getpid(), "near": near(path, words)}

    def ping(self) -> float:
        """The node's clock, seconds since 1970."""
        return time.time()

    def echo(self, head_key: str, own: tuple[str, str], ip: str, folder: str) -> str:
        """Answer messages of a socket with the clock until one is empty: a Unix socket in `folder`, else TCP. Returns where it listens."""
        import zmq
        import zmq.auth.thread

        context = zmq.Context()
        guard = zmq.auth.thread.ThreadAuthenticator(context)
        guard.start()

        class Only:
            def callback(self, _domain: str, key: bytes) -> bool:
                return key.decode() == head_key

        guard.configure_curve_callback(domain="*", credentials_provider=Only())
        server = context.socket(zmq.REP)
        server.linger = 0
        if folder:
            endpoint = f"ipc://{folder}/echo-{os.getpid()}"
            server.bind(endpoint)
        else:
            server.curve_server = True
            server.curve_publickey, server.curve_secretkey = own[0].encode(), own[1].encode()
            endpoint = f"tcp://{ip}:{server.bind_to_random_port(f'tcp://{ip}')}"

        def serve() -> None:
            block = bytes(BLOCK)
            while server.poll(int(PROVING_S * 1000)):
                asked = server.recv()
                server.send(block if asked == b"block" else repr(time.time()).encode())
                if not asked:
                    break
            server.close(linger=1000)
            guard.stop()
            context.destroy(linger=0)

        threading.Thread(target=serve, daemon=True).start()
        return endpoint

    def prove(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What the node has of what a run needs: the output of code.run.nodes.prove."""
        try:
            done = subprocess.run(
                [self._python, "-m", "code.run.nodes.prove"],
                input=json.dumps(asked),
                capture_output=True,
                text=True,
                cwd=self._root,
                timeout=PROVING_S,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return {"error": f"{self._python} in {self._root}: {error}"}
        try:
            return dict(json.loads(done.stdout.strip().splitlines()[-1]))
        except (ValueError, IndexError):
            words = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
            return {"error": f"its proof failed with exit status {done.returncode}: {words}"}

    def receive(self, folder: str, name: str, part: bytes) -> str:
        """Take the next part of a file of a folder that the head has at the same path. Returns what went wrong; ''."""
        try:
            self._incoming.setdefault(folder, Incoming(Path(folder))).add(name, part)
        except OSError as error:
            return str(error)
        return ""

    def keep(self, folder: str, digests: dict[str, str]) -> str:
        """Give a folder its name, now that all of it has arrived. Returns what went wrong; ''."""
        try:
            self._incoming.pop(folder).keep(digests)
        except OSError as error:
            return str(error)
        return ""

    def serve(self, command: list[str], run: dict[str, Any], variables: dict[str, str], patience_s: float) -> dict[str, Any]:
        """Start the harness process and wait until its lanes listen. Returns {"endpoints"} or {"error"}."""
        # In the folder of a local cluster, which goes with it.
        self._folder = own_folder(FOLDER, Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()))
        run["output_dir"] = self._folder
        path = Path(self._folder) / "run.json"
        path.write_text(json.dumps(run), encoding="utf-8")
        # The kernel ends the process with the thread that started it, so that thread stays.
        threading.Thread(target=self._drive, args=([*command, str(path)], variables), daemon=True).start()
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            try:
                line = self._lines.get(timeout=0.2)
            except queue.Empty:
                if self._ended:
                    return {"error": {"what": "its harness process ended", "why": self._ended}}
                continue
            if "endpoints" in line or "error" in line:
                return dict(line)
        return {"error": {"what": "its harness process was not ready", "why": f"{patience_s:.0f} s passed"}}

    def _drive(self, command: list[str], variables: dict[str, str]) -> None:
        if self._cores:
            os.sched_setaffinity(0, self._cores)  # of this thread, and so of what it starts
        reading, writing = os.pipe()
        own = {"HARNESS_PROGRESS_FD": str(writing), "HARNESS_PARENT_PID": str(os.getpid()), **variables}
        try:
            with (Path(self._folder) / "stdout.txt").open("wb") as output:
                self._child = subprocess.Popen(
                    command,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    pass_fds=(writing,),
                    cwd=self._root,
                    env={**os.environ, **own},
                )
        except OSError as error:
            self._ended = f"{command[0]}: {error}"
            return
        finally:
            os.close(writing)
        said = ""
        with os.fdopen(reading, "rb") as lines:
            for text in lines:
                self._heard = time.monotonic()
                with contextlib.suppress(ValueError):
                    line = json.loads(text)
                    if "endpoints" in line or "error" in line:
                        said = line.get("error", {}).get("what", said)
                        self._lines.put(line)
        status = self._child.wait()
        how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
        self._ended = f"{said} ({how})" if said else how

    def record(self, gpus: list[str]) -> None:
        """Record what the node's processors and these GPUs do, until `recorded`. `serve` comes first."""
        cores = self._cores
        with (Path(self._folder) / "recording.txt").open("wb") as output:
            self._recorder = subprocess.Popen(
                [self._python, "-m", "code.run.nodes.recording", self._folder, str(os.getpid()), *gpus],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._root,
                preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
            )

    def recorded(self) -> bytes:
        """The telemetry.npz of the node; b'' where there is none."""
        if self._recorder is None:
            return b""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            self._recorder.stdin.close()
            self._recorder.wait(RECORDED_S)
        try:
            return (Path(self._folder) / "telemetry.npz").read_bytes()
        except OSError:
            return b""

    def execute(self, command: list[str], variables: dict[str, str], output: str) -> int:
        """Carry out a command in the project's folder; its output is appended to a file. Returns its exit status, negative for a signal."""
        environment = {**os.environ, **variables}
        if environment.get("CUDA_VISIBLE_DEVICES") == "":
            del environment["CUDA_VISIBLE_DEVICES"]  # Ray's, for an actor without GPUs: the command uses the node's
        cores, mine = self._cores, os.getpid()

        def end_with_node() -> None:  # between fork and exec: only calls that are safe there
            ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG
            if cores:
                os.sched_setaffinity(0, cores)
            if os.getppid() != mine:
                os._exit(130)

        Path(output).parent.mkdir(parents=True, exist_ok=True)
        with Path(output).open("ab") as file:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=self._root,
                env=environment,
                preexec_fn=end_with_node,
            )
        self._commands.append(process)
        return process.wait()

    def watch(self) -> str:
        """Waits until its harness process ends or falls silent; returns why."""
        while not self._ended:
            silent = time.monotonic() - self._heard
            if silent > SILENCE_S:
                return f"its harness process has reported nothing for {silent:.0f} s: it is stopped, or the machine is"
            time.sleep(0.2)
        return f"its harness process ended: {self._ended}"

    def stop(self) -> None:
        """End the processes of the node and remove its folder; its commands are asked to end."""
        for one in self._commands:
            if one.poll() is None:
                one.terminate()
        for one in (self._child, self._recorder):
            if one is not None and one.poll() is None:
                one.kill()
                one.wait()
        for folder in self._incoming.values():
            folder.drop()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
