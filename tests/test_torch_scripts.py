"""Scripts written for torch run with `import adcore as torch`, and give what torch gives."""

import json

import numpy as np
import pytest

import adcore as torch
import torch_scripts
from adcore.errors import ADError, ShapeError

REFERENCE = json.loads(torch_scripts.REFERENCE.read_text())


def numbers(nested):
    """All numbers of nested lists, in order, with the lengths of the lists between them."""
    if isinstance(nested, list):
        yield len(nested)
        for part in nested:
            yield from numbers(part)
    else:
        yield nested


@pytest.mark.parametrize("script", torch_scripts.SCRIPTS, ids=lambda f: f.__name__)
def test_a_script_gives_what_torch_gives(script):
    found = list(numbers(torch_scripts.plain(script(torch))))
    expected = list(numbers(REFERENCE[script.__name__]))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_every_reference_has_a_script():
    assert sorted(REFERENCE) == sorted(f.__name__ for f in torch_scripts.SCRIPTS)


def test_changes_of_data_reach_the_tensor():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    x.data[0] = 5.0
    x.data.sub_(torch.ones(2)).mul_(2.0)
    assert x.tolist() == [8.0, 2.0]
    assert x.is_leaf
    assert x.requires_grad
    (x * x).sum().backward()
    assert x.grad.tolist() == [16.0, 4.0]
    x.grad.data.zero_()
    assert x.grad.tolist() == [0.0, 0.0]
    number = torch.tensor(1.0, requires_grad=True)
    number.data.fill_(3.0)
    number.data += number
    assert number.item() == 6.0
    y = x * 1.0
    y.data.zero_()
    y.data[1] = x[0]
    assert y.tolist() == [0.0, 8.0]
    assert not y.requires_grad


def test_in_place_methods_are_differentiated():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1.0
    y.mul_(x).add_(x, alpha=3.0)
    y.sum().backward()
    assert x.grad.tolist() == [5.0, 7.0]
    with pytest.raises(ADError, match="a recorded number cannot be changed in place; bind"):
        (x[0] * 2.0).add_(1.0)
    with pytest.raises(ADError, match="changing a leaf in place would lose its gradient"):
        x.zero_()


@pytest.mark.parametrize(
    ("write", "error", "text"),
    [
        (lambda x: x.transpose(0, 1), ShapeError, r"write x.T, x.swapaxes\(0, 1\), or"),
        (lambda x: x.repeat(2, 2), ShapeError, r"write x.tile\(2, 2\) to repeat the whole"),
        (lambda x: x.sort(), TypeError, r"write adcore.sort\(x\) for the values, or x.sort\(dim="),
        (lambda x: x.split([1, 2]), ShapeError, r"sizes \[1, 2\] do not add up to the length 2"),
        (lambda x: x[torch.tensor([0, 1])], IndexError, r"tensor\(data, dtype=adcore.int64\)"),
        (lambda x: x.to("cuda"), TypeError, r"float64 on the CPU, got to\('cuda'\)"),
        (lambda x: x.to(np.dtype(np.float32)), TypeError, "tensors are float64"),
        (lambda _: torch.tensor(1.0, device="cuda"), ValueError, "pass 'cpu', got 'cuda'"),
        (lambda _: torch.ones(2, dtype=np.float32), TypeError, "pass float64, got float32"),
        (lambda _: torch.ones(2, dtype=np.int64, requires_grad=True), TypeError, "constants"),
        (lambda _: torch.set_default_dtype(np.float32), TypeError, "float64, got"),
        (lambda _: torch.float32, AttributeError, "'float32': adcore computes in float64"),
        (lambda _: torch.nn, AttributeError, "write the model as a function"),
        (lambda _: torch.optim, AttributeError, r"write the step, x -= rate \* x.grad"),
        (lambda _: torch.no_such_name, AttributeError, "no attribute 'no_such_name'$"),
        (lambda x: x.sum(dim=2), ShapeError, "axis 2 does not exist in a tensor of 2 dimensions"),
        (lambda x: x.sum(dimm=0), TypeError, "unexpected keyword argument 'dimm'"),
        (lambda x: torch.t(torch.stack([x, x])), ShapeError, "use swapaxes or permute"),
    ],
)
def test_what_means_two_things_or_is_not_here_says_what_to_write(write, error, text):
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    with pytest.raises(error, match=text):
        write(x)
    (x * x).sum().backward()
    assert x.grad.tolist() == [[2.0, 4.0], [6.0, 8.0]]


def test_numpy_keeps_its_meaning_where_the_names_coincide():
    x = torch.tensor([[1.0, 2.0], [4.0, 8.0]])
    a = x.numpy()
    assert x.std().item() == a.std()
    np.testing.assert_allclose(x.std(0).numpy(), a.std(0), rtol=1e-15)
    np.testing.assert_array_equal(x.repeat(2).numpy(), a.repeat(2))
    np.testing.assert_array_equal(x.max(1).numpy(), a.max(1))
    np.testing.assert_array_equal(torch.split(x, 2)[1].numpy(), np.split(a, 2)[1])
    assert x.size == 4
    assert isinstance(x.size, int)
    assert (x.size / 2, np.zeros(x.size).shape) == (2.0, (4,))


def test_random_numbers_begin_anew_with_the_seed():
    draws = []
    for _ in range(2):
        torch.manual_seed(3)
        draws.append(
            [torch.randn(3).tolist(), torch.rand(2, 2).tolist(), torch.randperm(5).tolist()]
        )
        draws[-1].append(torch.zeros(2).normal_().tolist())
    assert draws[0] == draws[1]
    assert set(torch.randint(2, 5, (100,)).tolist()) == {2, 3, 4}
    torch.manual_seed(4)
    assert torch.randn(3).tolist() != draws[0][0]
    u = torch.empty(1000).uniform_(2.0, 3.0)
    assert 2.0 <= u.min().item() < u.max().item() <= 3.0
