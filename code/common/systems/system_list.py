"""`code.systems.system_list` under the name that config files of public rounds import.

`DETECTED_SYSTEM` and `MATCHED_SYSTEM`, which older files import too, are detected when they are first asked for.
"""

from typing import Any

from code.systems.system_list import *  # noqa: F403


def __getattr__(name: str) -> Any:
    if name not in ("DETECTED_SYSTEM", "MATCHED_SYSTEM"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from code.machine.detect import detect
    from code.systems.matching import match

    found = detect()
    return found.config if name == "DETECTED_SYSTEM" else match(found).system
