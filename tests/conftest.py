"""What every test may rely on: reproducible random numbers; warnings are errors (pyproject)."""

import zlib

import hypothesis
import numpy as np
import pytest

hypothesis.settings.register_profile("reproducible", derandomize=True, deadline=None)
hypothesis.settings.load_profile("reproducible")


@pytest.fixture
def rng(request):
    """Random numbers whose seed is the test's own id: the same in every run."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))
