"""The type of the fixture `act`."""

from collections.abc import Callable

Act = Callable[..., tuple[int, str]]
"""Calls an action with options; its exit status and everything that it printed."""
