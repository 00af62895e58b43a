"""What the examples hold their results against, printed line by line."""

import argparse


class Checks:
    """Compares what was found with what is known from elsewhere; `failed` counts what differs."""

    def __init__(self):
        self.failed = 0

    def near(self, what, got, known, tolerance):
        """Whether a number is within an absolute tolerance of one that is known."""
        error = abs(got - known)
        self._say(error <= tolerance, f"{what}: {got:.10g}, known {known:.10g}, off {error:.1e}")

    def small(self, what, got, limit):
        """Whether an error, which is not below 0, keeps its limit."""
        self._say(got <= limit, f"{what}: {got:.1e}, at most {limit:.0e}")

    def between(self, what, got, low, high):
        """Whether a number lies where it must."""
        self._say(low <= got <= high, f"{what}: {got:.6g}, from {low:.6g} to {high:.6g}")

    def _say(self, good, text):
        self.failed += not good  # nan is not good
        print(f"  {'right' if good else 'WRONG'}  {text}")


def size_given(description, size, what, arguments):
    """The one option of these examples: how large the problem is."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--size", type=int, default=size, help=f"{what} (default: {size})")
    return parser.parse_args(arguments).size
