"""Progress on the last line of a terminal: a bar, or a line of text."""

import sys
import time


class Line:
    """A line on standard error that says how far something is.

    Parameters
    ----------
    shown : bool or None
        None: only on a terminal, and not before PATIENCE seconds have passed.
    text : str
        What stands in front of it.

    Used as a context manager, it takes itself away at the end.
    """

    PATIENCE = 2.0  # seconds
    INTERVAL = 0.1  # seconds between two drawings

    def __init__(self, shown, text):
        self.text = text
        self.shown = sys.stderr is not None and (sys.stderr.isatty() if shown is None else shown)
        self.start = time.monotonic()
        self.due = self.start + (self.PATIENCE if shown is None else 0.0)
        self.drawn = False

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.drawn:
            self._write("\r\033[K")

    def show(self, *state):
        """Draw the line, if it is time to."""
        now = time.monotonic()
        if not self.shown or now < self.due:
            return
        self.due, self.drawn = now + self.INTERVAL, True
        self._write(f"\r\033[K{self.text} {self._said(now - self.start, *state)}")

    def _said(self, seconds, state):
        """What stands behind the text."""
        return f"{state}, {seconds:.0f} s"

    def _write(self, text):
        print(text, end="", file=sys.stderr, flush=True)


class Bar(Line):
    """A bar that grows to a total."""

    WIDTH = 40

    def __init__(self, total, shown, text):
        super().__init__(shown, text)
        self.total = total

    def _said(self, seconds, done):
        part = done / self.total if self.total else 1.0
        filled = int(self.WIDTH * part)
        left = f", {seconds * (1.0 - part) / part:.0f} s left" if done else ""
        bar = "#" * filled + "." * (self.WIDTH - filled)
        return f"[{bar}] {done}/{self.total}{left}"
