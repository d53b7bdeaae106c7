"""`code.machine.base` under the name that config files of public rounds import."""

from code.machine.base import *  # noqa: F403
