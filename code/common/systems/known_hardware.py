"""`code.systems.known_hardware` under the name that config files of public rounds import."""

from code.systems.known_hardware import *  # noqa: F403
