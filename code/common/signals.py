"""SIGINT and SIGTERM of the command line, as KeyboardInterrupt."""

from __future__ import annotations

import signal
from types import FrameType


class Signals:
    """Raises KeyboardInterrupt for SIGINT and SIGTERM, and remembers it.

    An extension that is being imported or called may turn the exception into another one, such as an ImportError, so that whoever
    handles an error asks here whether a signal was the cause.
    """

    def __init__(self) -> None:
        self.received = False

    def catch(self) -> None:
        """Handle the signals from now on. Call it from the main thread."""
        signal.signal(signal.SIGINT, self._raise)
        signal.signal(signal.SIGTERM, self._raise)

    def check(self) -> None:
        """KeyboardInterrupt if a signal has come."""
        if self.received:
            raise KeyboardInterrupt

    def _raise(self, _number: int, _frame: FrameType | None) -> None:
        self.received = True
        raise KeyboardInterrupt


SIGNALS = Signals()
"""Those of this process."""
