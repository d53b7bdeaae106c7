"""Watches the commands that nodes carry out, for Ray's driver, beside which it lies."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

PING_EVERY_S = 2.0
PING_S = 10.0


def follow(
    ray: Any, node: Any, asked: Sequence[Any], died: Callable[[Exception], str], say: Callable[[dict[str, Any]], None], task: str
) -> None:
    """Have a node carry out a command, and say how it ended, or that the node is lost, from a thread of its own.

    Args:
        node: its actor.
        asked: command, variables and output file.
        died: what an error of Ray's means.
        task: names the command in what is said.
    """
    reference = node.execute.remote(*asked)

    def wait() -> None:
        try:
            while not ray.wait([reference], timeout=PING_EVERY_S)[0]:
                ping = node.ping.remote()
                if not ray.wait([ping], timeout=PING_S)[0]:
                    why = f"its actor has not answered for {PING_S:.0f} s: it is stopped, or cut off"
                    say({"ended": {"task": task, "status": None, "why": why}})
                    return
                ray.get(ping, timeout=PING_S)
            say({"ended": {"task": task, "status": int(ray.get(reference, timeout=PING_S)), "why": ""}})
        except Exception as error:
            say({"ended": {"task": task, "status": None, "why": died(error)}})

    threading.Thread(target=wait, name=f"task {task}", daemon=True).start()
