"""`code.machine.cpu` under the name that config files of public rounds import."""

from code.machine.cpu import *  # noqa: F403
