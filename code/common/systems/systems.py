"""`code.machine.systems` under the name that config files of public rounds import."""

from code.machine.systems import *  # noqa: F403
