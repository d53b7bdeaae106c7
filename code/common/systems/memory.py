"""`code.machine.memory` under the name that config files of public rounds import."""

from code.machine.memory import *  # noqa: F403
