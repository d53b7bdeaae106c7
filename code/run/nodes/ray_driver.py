"""Ray's side of a run over several nodes: a program of its own, in the environment of `make cluster`.

It reads commands, a JSON object a line, and answers with one. It imports nothing of the harness, and the harness nothing of Ray: Ray's
signal handlers and threads stay out of the process that the user started. It ends, with everything it started, when its standard
input does, and so with its owner, however that ends.

A node is one actor. The actor's class travels by value, because workers of Ray import no module of this project.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Any

import ray_copy  # beside this file, which is run by its path
import ray_errors
import ray_local
import ray_node
import ray_tasks
from ray_node import BLOCK, PROVING_S, Node

CLUSTER, SOCKETS = "mlperf-ray", "mlperf-sockets"
"""What the folder of a local cluster is called, and that for the Unix sockets of nodes on this machine without one."""
PING_EVERY_S = 2.0
PING_S = 10.0
PLACING_S = 60.0
BLOCKS = 4
PINGS = 50


class DriverError(Exception):
    """An error with what, why and next, as the harness prints it."""

    def __init__(self, what: str, why: str = "", next_step: str = "", status: int = 4) -> None:
        super().__init__(what)
        self.content = {"what": what, "why": why, "next_step": next_step, "status": status}


class Driver:
    """The nodes of one run."""

    def __init__(self) -> None:
        import zmq

        self._zmq = zmq
        self._folder = ""
        self._cluster: Any = None
        self._group: Any = None
        self._nodes: list[Any] = []
        self._names: list[str] = []
        self._facts: list[dict[str, Any]] = []
        self._head = tuple(key.decode() for key in zmq.curve_keypair())
        self._recording = 0
        self._stopping = threading.Event()

    def open(self, address: str, nodes: int, root: str, python: str, gpus: int) -> dict[str, Any]:
        """Connect to the cluster, or start a local one, and place one actor on each of `nodes` nodes."""
        usable = sorted(os.sched_getaffinity(0))
        shares = [ray_local.share(usable, number, nodes) if address.startswith("local:") else [] for number in range(nodes)]
        if address.startswith("local:"):
            self._folder = ray_node.own_folder(CLUSTER, Path("/tmp"))  # short: it holds sockets
            self._cluster = ray_local.started(self._folder, nodes)
            address = str(self._cluster.address)
        self._connect(address, nodes)
        self._place(nodes, gpus, root, python, shares)
        import ray

        # Nodes on this machine use Unix sockets in a folder that only this account may enter: nothing to encrypt.
        self._folder = self._folder or ray_node.own_folder(SOCKETS, Path("/tmp"))
        mark = Path(self._folder) / "head"
        words = f"{secrets.token_hex(16)} {ray_node.BOOT.read_text().strip()}"
        mark.write_text(words)
        self._facts = ray.get([one.facts.remote(str(mark), words) for one in self._nodes], timeout=PLACING_S)
        hosts = [one["host"] for one in self._facts]
        self._names = [host if hosts.count(host) == 1 else f"{host}-{hosts[: i + 1].count(host)}" for i, host in enumerate(hosts)]
        return {
            "opened": [
                {"name": name, "cores": cores, **fact} for name, fact, cores in zip(self._names, self._facts, shares, strict=True)
            ],
            "ray": ray.__version__,
            "keys": " ".join(self._head),
            "folder": self._folder,
        }

    def _connect(self, address: str, nodes: int) -> None:
        import ray

        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        try:
            ray.init(
                address=address,
                namespace=f"mlperf-{os.getpid()}",
                logging_level="ERROR",
                log_to_driver=False,
                configure_logging=False,
            )
        except Exception as error:
            what, why, next_step = ray_errors.unreachable(address, error)
            raise DriverError(what, why, next_step, 3) from None
        there = [one for one in ray.nodes() if one["Alive"] and one["Resources"].get("CPU", 0) >= 1]
        if len(there) < nodes:
            found = ", ".join(sorted(one["NodeManagerHostname"] for one in there)) or "none"
            raise DriverError(
                f"the Ray cluster has {len(there)} nodes with processors, and {nodes} are asked for",
                f"it has {found}",
                f"join more (`ray start --address=…`), or ask for --num_nodes={max(1, len(there))}",
                3,
            )

    def _place(self, nodes: int, gpus: int, root: str, python: str, shares: list[list[int]]) -> None:
        """One actor on each of so many nodes, in a placement group that goes with this process."""
        import ray
        from ray.util.placement_group import placement_group
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        bundle = {"CPU": 1.0, **({"GPU": float(gpus)} if gpus else {})}
        self._group = placement_group([bundle] * nodes, strategy="STRICT_SPREAD")
        if not self._group.wait(PLACING_S):
            raise DriverError(
                f"the Ray cluster has no room on {nodes} nodes after {PLACING_S:.0f} s",
                f"each needs {json.dumps(bundle)}; see `ray status`",
                "end the other jobs, or ask for fewer nodes",
                3,
            )
        ray.cloudpickle.register_pickle_by_value(ray_node)
        actor = ray.remote(Node)
        for number, cores in enumerate(shares):
            where = PlacementGroupSchedulingStrategy(self._group, placement_group_bundle_index=number)
            options = {"num_cpus": 1, "num_gpus": gpus, "max_concurrency": 8, "scheduling_strategy": where}
            self._nodes.append(actor.options(**options).remote(root, python, cores))

    def prove(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What every node has, with its clock offset, round trip and bandwidth to here."""
        import ray

        waiting = [one.prove.remote(asked) for one in self._nodes]
        wires = [self._wire(i) for i in range(len(self._nodes))]
        found = ray.get(waiting, timeout=PROVING_S)
        return {"proofs": [{"name": n, **p, **w} for n, p, w in zip(self._names, found, wires, strict=True)]}

    def _wire(self, number: int) -> dict[str, float]:
        """Clock offset and round trip in seconds, bandwidth in bytes/s, over a socket as the run uses it."""
        import ray

        own = tuple(key.decode() for key in self._zmq.curve_keypair())
        ip = self._facts[number]["ip"]
        folder = self._sockets_of(number)
        endpoint = ray.get(self._nodes[number].echo.remote(self._head[0], own, ip, folder), timeout=PLACING_S)
        context = self._zmq.Context()
        client = context.socket(self._zmq.REQ)
        if not folder:
            client.curve_publickey, client.curve_secretkey = self._head[0].encode(), self._head[1].encode()
            client.curve_serverkey = own[0].encode()
        client.rcvtimeo = client.sndtimeo = 20_000
        client.linger = 0
        try:
            client.connect(endpoint)
            trips, offsets = [], []
            for _ in range(PINGS):
                before, clock = time.perf_counter(), time.time()
                client.send(b"ping")
                there = float(client.recv())
                trips.append(time.perf_counter() - before)
                offsets.append(there - clock - trips[-1] / 2)
            start = time.perf_counter()
            for _ in range(BLOCKS):
                client.send(b"block")
                client.recv()
            rate = BLOCKS * BLOCK / (time.perf_counter() - start)
            client.send(b"")
            client.recv()
            best = min(range(PINGS), key=lambda i: trips[i])
            return {"offset_s": offsets[best], "round_trip_s": statistics.median(trips), "bytes_per_s": rate}
        except self._zmq.ZMQError as error:
            raise DriverError(
                f"node {self._names[number]} does not answer over ZeroMQ at {endpoint}",
                str(error),
                "open the ports between head and nodes: ZeroMQ uses any free one",
            ) from None
        finally:
            context.destroy(linger=0)

    def copy(self, folders: list[str], nodes: list[int]) -> dict[str, Any]:
        """Copy folders of this machine to the same paths of nodes, through Ray's object store."""
        import ray

        there = {self._names[number]: self._nodes[number] for number in nodes}
        for folder in folders:
            if found := ray_copy.copied(ray, there, Path(folder)):
                name, problem = found
                raise DriverError(f"node {name} could not keep an engine", problem, "see that it may write there")
        return {"copied": len(folders)}

    def _sockets_of(self, number: int) -> str:
        """The folder of a node's Unix sockets; '' where it is on another machine, or another account's."""
        return self._folder if self._facts[number]["near"] else ""

    def serve(
        self, command: list[str], runs: list[dict[str, Any]], library: str, names: dict[str, str], patience_s: float
    ) -> dict[str, Any]:
        """Start the harness process of every node that has a run.json; watch them from then on. `names` are its variables'."""
        import ray

        keys = [tuple(key.decode() for key in self._zmq.curve_keypair()) for _ in runs]
        waiting = []
        for number, run in enumerate(runs):
            variables = {
                names["keys"]: " ".join(keys[number]),
                names["head_key"]: self._head[0],
                names["host"]: self._facts[number]["ip"],
                names["folder"]: self._sockets_of(number),
                names["library"]: library,
            }
            waiting.append(self._nodes[number].serve.remote(command, run, variables, patience_s))
        found = ray.get(waiting, timeout=patience_s + PLACING_S)
        for name, one in zip(self._names, found, strict=False):
            if "error" in one:
                error = one["error"]
                raise DriverError(f"node {name}: {error['what']}", error.get("why", ""), error.get("next_step", ""))
        threading.Thread(target=self._watch, args=(len(runs),), daemon=True).start()
        return {"serving": [{"endpoints": one["endpoints"], "key": key[0]} for one, key in zip(found, keys, strict=True)]}

    def record(self, gpus: list[list[str]]) -> dict[str, Any]:
        """Record telemetry on the first nodes, with the names of the GPUs that each watches."""
        import ray

        self._recording = len(gpus)
        ray.get([node.record.remote(names) for node, names in zip(self._nodes, gpus, strict=False)], timeout=PLACING_S)
        return {"recording": self._recording}

    def recorded(self, files: list[str]) -> dict[str, Any]:
        """Write what each node recorded into a file here. Returns those that are there: a lost node gives none."""
        import ray

        written = []
        waiting = [node.recorded.remote() for node in self._nodes[: self._recording]]
        ray.wait(waiting, num_returns=len(waiting) or 1, timeout=ray_node.RECORDED_S + 5)
        for file, one in zip(files, waiting, strict=False):
            with contextlib.suppress(Exception):
                if content := ray.get(one, timeout=0.1):
                    Path(file).write_bytes(content)
                    written.append(file)
        return {"written": written}

    def _watch(self, count: int) -> None:
        """Report each node that is lost, once, with the reason."""
        import ray

        watched = {self._nodes[i].watch.remote(): i for i in range(count)}
        pings: dict[int, tuple[Any, float]] = {}
        lost: set[int] = set()
        while not self._stopping.is_set() and len(lost) < count:
            ended = ray.wait(list(watched), timeout=0.5)[0]
            found = {watched.pop(one): ray_errors.outcome(ray, one) for one in ended}
            found |= {number: why for number in set(range(count)) - lost - set(found) if (why := self._ping(pings, number))}
            for number, why in found.items():
                if number not in lost and not self._stopping.is_set():
                    lost.add(number)
                    say({"lost": {"number": number, "name": self._names[number], "why": why}})
            if not watched:
                time.sleep(0.5)

    def _ping(self, pings: dict[int, tuple[Any, float]], number: int) -> str:
        """Ask a node's actor whether it is there, and look at its last answer. Returns why it counts as lost; '' where it does not."""
        import ray

        asked, when = pings.get(number, (None, 0.0))
        since = time.monotonic() - when
        if asked is not None and not ray.wait([asked], timeout=0)[0]:
            return f"its actor has not answered for {PING_S:.0f} s: it is stopped, or cut off" if since > PING_S else ""
        if asked is not None and (gone := ray_errors.failure(ray, asked)):
            return str(gone)
        if since > PING_EVERY_S:
            pings[number] = (self._nodes[number].ping.remote(), time.monotonic())
        return ""

    def begin(self, number: int, task: str, command: list[str], variables: dict[str, str], output: str) -> dict[str, Any]:
        """Have a node carry out a command; {"ended"} follows."""
        import ray

        ray_tasks.follow(ray, self._nodes[number], (command, variables, output), ray_errors.died, say, task)
        return {"begun": task}

    def close(self) -> None:
        """End the actors, the placement group and a local cluster with all its processes and files."""
        self._stopping.set()
        with contextlib.suppress(Exception):
            import ray

            if ray.is_initialized():
                with contextlib.suppress(Exception):
                    ray.wait([one.stop.remote() for one in self._nodes], num_returns=len(self._nodes), timeout=2)
                for one in self._nodes:
                    with contextlib.suppress(Exception):
                        ray.kill(one)
                if self._group is not None:
                    with contextlib.suppress(Exception):
                        ray.util.remove_placement_group(self._group)
                ray.shutdown()
        if self._cluster is not None:
            with contextlib.suppress(Exception):
                self._cluster.shutdown()
        if self._folder:
            ray_local.end_all(self._folder)
            shutil.rmtree(self._folder, ignore_errors=True)


_printing = threading.Lock()
_output = sys.stdout


def say(content: dict[str, Any]) -> None:
    """One line to the harness."""
    with _printing, contextlib.suppress(OSError, ValueError):
        _output.write(json.dumps(content) + "\n")
        _output.flush()


def main() -> int:
    """Carry out commands until the input ends."""
    global _output
    _output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # Ray prints what it likes
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    driver: Driver | None = None
    try:
        driver = Driver()
        for text in sys.stdin:
            command = json.loads(text)
            action = command.pop("do")
            try:
                say(getattr(driver, action)(**command))
            except DriverError as error:
                say({"error": error.content})
            except Exception as error:
                say(
                    {
                        "error": DriverError(
                            f"Ray: {action} failed", f"{type(error).__name__}: {ray_errors.last_line(error)}"
                        ).content
                    }
                )
    except ImportError as error:
        say({"error": DriverError("Ray or ZeroMQ cannot be imported", str(error), "run `make cluster`", 3).content})
    finally:
        if driver is not None:
            driver.close()
    return 0


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)
