"""adcore.numpy: NumPy's names, and what they are of tensors."""

import numpy as np
import pytest

import adcore
import adcore.numpy as anp


@pytest.mark.parametrize("name", [n for n in dir(np) if not n.startswith("_")])
def test_every_name_of_numpy_is_there(name):
    assert hasattr(anp, name)
    assert name in dir(anp)


def test_a_name_that_numpy_lacks_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        anp.no_such_name  # noqa: B018


def test_functions_take_lists_of_tensors():
    x = np.array([1.0, 2.0])
    got = adcore.grad(lambda x: anp.sum(anp.stack([x[0] * x[1], x[0]])))(x)
    np.testing.assert_array_equal(got, [3.0, 1.0])
    np.testing.assert_array_equal(anp.linalg.norm(x), np.linalg.norm(x))
