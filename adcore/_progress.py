"""A progress bar on the last line of a terminal."""

import sys
import time


class Bar:
    """A bar on standard error that grows to a total.

    Parameters
    ----------
    total : int
    shown : bool or None
        None: only on a terminal, and not before PATIENCE seconds have passed.
    text : str
        What stands in front of it.

    Used as a context manager, it takes itself away at the end.
    """

    PATIENCE = 2.0  # seconds
    INTERVAL = 0.1  # seconds between two drawings
    WIDTH = 40

    def __init__(self, total, shown, text):
        self.total, self.text = total, text
        self.shown = sys.stderr is not None and (sys.stderr.isatty() if shown is None else shown)
        self.start = time.monotonic()
        self.due = self.start + (self.PATIENCE if shown is None else 0.0)
        self.drawn = False

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.drawn:
            self._write("\r\033[K")

    def show(self, done):
        """Draw the bar, if it is time to."""
        now = time.monotonic()
        if not self.shown or now < self.due:
            return
        self.due, self.drawn = now + self.INTERVAL, True
        part = done / self.total if self.total else 1.0
        filled = int(self.WIDTH * part)
        left = f", {(now - self.start) * (1.0 - part) / part:.0f} s left" if done else ""
        bar = "#" * filled + "." * (self.WIDTH - filled)
        self._write(f"\r\033[K{self.text} [{bar}] {done}/{self.total}{left}")

    def _write(self, text):
        print(text, end="", file=sys.stderr, flush=True)
