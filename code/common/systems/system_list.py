"""`code.systems.system_list` under the name that config files of public rounds import."""

from code.systems.system_list import *  # noqa: F403
