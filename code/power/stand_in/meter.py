"""Stands in for SPEC PTDaemon with a Yokogawa WT310: answers its commands, and makes up one sample a second.

power-dev's server starts it as it starts PTDaemon: `-l LOG -p PORT … DEVICE_TYPE DEVICE_PORT`. It needs nothing but Python, and ends with
its parent. Its commands are those that ptd_client_server/lib/server.py of power-dev sends, its answers those that compliance/check.py
expects.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

MODEL = "YokogawaWT310"
VERSION = "1.11.1-stand-in"
VOLTS, FACTOR = 230.0, 0.95
WATTS, RIPPLE_W = 100.0, 2.0
FILLING_LINES = 200
"""Printed when a measurement stops: power-dev's server copies its log of this output before its last 8 KB are written."""
STARTED = "Starting untimed measurement, maximum 500000 samples at 1000ms with 0 rampup samples"


def stamp() -> str:
    """The time of day in UTC as PTDaemon writes it, in ms."""
    now = time.time()
    return time.strftime("%m-%d-%Y %H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}"


def say(text: str) -> None:
    """Print a line as PTDaemon prints it."""
    print(f"{stamp()}: {text}", flush=True)


class Meter:
    """The analyser.

    Args:
        log: the file that gets every sample with its mark.
        watts: the power to report at a time in s.
    """

    def __init__(self, log: Path, watts: Callable[[float], float] = lambda now: WATTS + RIPPLE_W * math.sin(now / 7)) -> None:
        self.log = log
        self.watts = watts
        self.mark = ""
        self.samples: list[str] = []
        self._lock = threading.Lock()

    def take(self) -> None:
        """Take a sample, if a measurement is going on."""
        with self._lock:
            if not self.mark:
                return
            power = self.watts(time.time())
            amps = power / VOLTS / FACTOR
            sample = f"Time,{stamp()},Watts,{power:.6f},Volts,{VOLTS:.6f},Amps,{amps:.6f},PF,{FACTOR:.6f}"
            self.samples.append(sample)
            with self.log.open("a", encoding="utf-8") as out:
                out.write(f"{sample},Mark,{self.mark}\n")

    def answer(self, command: str) -> list[str]:
        """The lines that a command is answered with."""
        name, _, rest = command.partition(",")
        if command == "Stop":
            return [self._stop()]
        if name == "Go":
            return [self._go(rest.rpartition(",")[2])]
        if command == "RL":
            with self._lock:
                return [f"Last {len(self.samples)} samples", *self.samples]
        return [self._fixed(command, name, rest)]

    def _fixed(self, command: str, name: str, rest: str) -> str:
        known = {
            "Hello": "Hello, PTDaemon here!",
            "Identify": f"{MODEL},STANDIN,version={VERSION},1",
            "RR": "Ranges,1,-1.0,1,-1.0",
            "Watts": f"Watts,{WATTS},{WATTS},{WATTS},{len(self.samples)},{len(self.samples)},0,0",
            "Uncertainty": f"Uncertainty,0.1,0.1,0.1,{len(self.samples)},{len(self.samples)},0,0",
        }
        if command in known:
            return known[command]
        if name == "SR":
            return f"Range {rest[:1]} changed"
        return "Error: Invalid number of parameters" if name == "RL" else "Unknown command"

    def _go(self, mark: str) -> str:
        with self._lock:
            self.mark, self.samples = mark, []
        say(f"Go with mark {mark!r}")
        return STARTED

    def _stop(self) -> str:
        with self._lock:
            running, self.mark = self.mark, ""
        if not running:
            return "Error: no measurement to stop"
        say("Completed test")
        for number in range(FILLING_LINES):
            say(f"The stand-in of an analyser prints this so that its log is written ({number + 1} of {FILLING_LINES})")
        return "Stopping untimed measurement"


def serve(meter: Meter, port: int) -> None:
    """Answer commands on a port of loopback, one connection at a time, forever."""
    with socket.create_server(("127.0.0.1", port)) as door:
        while True:
            guest, _ = door.accept()
            with guest, contextlib.suppress(ConnectionError):
                lines = guest.makefile("r", encoding="utf-8", newline="\n")
                for line in lines:
                    guest.sendall("".join(f"{one}\r\n" for one in meter.answer(line.strip())).encode())


def _sample(meter: Meter) -> None:
    while True:
        time.sleep(1.0)
        meter.take()


def main(arguments: list[str]) -> None:
    """Run with PTDaemon's arguments."""
    with contextlib.suppress(OSError, AttributeError):  # not Linux
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() == 1:
        return
    meter = Meter(Path(arguments[arguments.index("-l") + 1]))
    say(f"Uncertainty checking for {MODEL} is activated")
    say("This is a stand-in: nothing is measured")
    threading.Thread(target=_sample, args=(meter,), daemon=True).start()
    serve(meter, int(arguments[arguments.index("-p") + 1]))


if __name__ == "__main__":
    main(sys.argv)
