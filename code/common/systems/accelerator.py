"""`code.machine.accelerator` under the name that config files of public rounds import."""

from code.machine.accelerator import *  # noqa: F403
