#!/usr/bin/env python3
"""`python3 scripts/custom_systems/add_custom_system.py [NAME]`: what other harnesses call `make add_system`.

On a terminal it asks for the name. Elsewhere, as in automation, it writes without asking, under a name that is made of the hardware's.
Any Python 3 runs it: the work is done by `make add_system`, in the project's own environment.
"""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120


def main(arguments):
    """Replace this process by make. Exit status 2 for anything but one name."""
    if len(arguments) > 1 or any(word.startswith("-") for word in arguments):
        print(__doc__)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    command = ["make", "--no-print-directory", "-C", ROOT, "add_system"]
    name = arguments[0] if arguments else os.environ.get("NAME", "")
    if name:
        command.append("NAME=" + name)
    if not sys.stdin.isatty():
        command += ["YES=1"] if name else ["YES=1", "NAME=auto"]
    os.execvp(command[0], command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
