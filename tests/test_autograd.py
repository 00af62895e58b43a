"""The torch face: autograd.grad and backward, hooks, Function, functional, and the switches."""

import numpy as np
import pytest

import adcore as torch
from adcore.errors import ShapeError, TapeError


def leaf(*data):
    return torch.tensor(data[0] if len(data) == 1 else data, requires_grad=True)


# ---- autograd.grad ----


def test_grad_of_several_outputs_and_inputs():
    x, y = leaf([1.0, 2.0]), leaf(3.0)
    a, b = (x * y).sum(), x[0] * x[1]
    gx, gy = torch.autograd.grad([a, b], [x, y])
    np.testing.assert_array_equal(gx.numpy(), [3.0 + 2.0, 3.0 + 1.0])
    assert gy.item() == 3.0
    assert not gx.requires_grad
    assert x.grad is None


def test_grad_with_respect_to_intermediates_and_views():
    x = leaf([1.0, 2.0])
    y = x * x
    z = (y[0] * y[1] + x[0]).sum()
    gy, gx0, gy1 = torch.autograd.grad(z, [y, x[0], y[1]])
    np.testing.assert_array_equal(gy.numpy(), [4.0, 1.0])
    assert gx0.item() == 1.0 + 2.0 * 4.0
    assert gy1.item() == 1.0


def test_grad_outputs_weigh_each_output():
    x = leaf([1.0, 2.0, 3.0])
    y, z = x * x, x.sum()
    (g,) = torch.autograd.grad([y, z], x, [torch.tensor([1.0, 0.0, 2.0]), None])
    np.testing.assert_array_equal(g.numpy(), [3.0, 1.0, 13.0])
    (g,) = torch.autograd.grad(y, x, np.array([1.0, 0.0, 2.0]))
    np.testing.assert_array_equal(g.numpy(), [2.0, 0.0, 12.0])


def test_batched_grad_outputs_give_the_jacobian():
    x = leaf([1.0, 2.0, 3.0])
    y = x[:2] * x[1:]
    expected = [[2.0, 1.0, 0.0], [0.0, 3.0, 2.0]]
    for create_graph in (False, True):
        (j,) = torch.autograd.grad(
            y, x, torch.tensor(np.eye(2)), is_grads_batched=True, create_graph=create_graph
        )
        np.testing.assert_array_equal(j.detach().numpy(), expected)
        assert j.requires_grad == create_graph


def test_create_graph_to_the_fourth_derivative():
    x = leaf(2.0)
    y = x**5
    for expected in (80.0, 160.0, 240.0, 240.0, 120.0):
        (y,) = torch.autograd.grad(y, x, create_graph=True)
        assert y.item() == expected


def test_a_penalty_on_the_gradient():
    w = leaf([0.5, -1.0])
    (g,) = torch.autograd.grad((w**3).sum(), w, create_graph=True)
    (g * g).sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), 36 * np.array([0.5, -1.0]) ** 3, rtol=1e-15)


def test_an_unused_input_is_named_or_none_or_zeros():
    x, y = leaf([1.0, 2.0]), leaf([[1.0, 2.0, 3.0]])
    z = x.sum()
    with pytest.raises(TapeError, match=r"no output depends on input 1, of shape \(1, 3\); use it"):
        torch.autograd.grad(z, [x, y])
    gx, gy = torch.autograd.grad(z, [x, y], allow_unused=True)
    assert gy is None
    np.testing.assert_array_equal(gx.numpy(), [1.0, 1.0])
    gx, gy = torch.autograd.grad(z, [x, y], materialize_grads=True)
    np.testing.assert_array_equal(gy.numpy(), np.zeros((1, 3)))


def test_a_zero_derivative_is_no_unused_input():
    x = leaf(0.0)
    (g,) = torch.autograd.grad(x * x, x)
    assert g.item() == 0.0
    y = leaf(3.0)
    gx, gy = torch.autograd.grad(x * y, [x, y], create_graph=True)
    assert (gx.item(), gy.item()) == (3.0, 0.0)


# ---- backward ----


def test_backward_accumulates_until_grad_is_none():
    x = leaf([1.0, 2.0])
    (x * x).sum().backward()
    (x * x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [4.0, 8.0])
    x.grad = None
    (x * x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2.0, 4.0])


def test_backward_twice_over_one_recording():
    x = leaf(3.0)
    y = x * x
    y.backward()
    y.backward(retain_graph=True)
    assert x.grad.item() == 12.0


def test_backward_of_an_array_takes_a_direction():
    x = leaf([1.0, 2.0])
    (x * x).backward(gradient=torch.tensor([1.0, 10.0]))
    np.testing.assert_array_equal(x.grad.numpy(), [2.0, 40.0])
    x.grad = None
    (x * x).backward(np.array([1.0, 10.0]))
    np.testing.assert_array_equal(x.grad.numpy(), [2.0, 40.0])


def test_only_leaves_that_matter_get_a_gradient():
    x, y, z = leaf(1.0), leaf(2.0), leaf(0.0)
    (x * z).backward()
    assert x.grad.item() == 0.0
    assert y.grad is None
    assert z.grad.item() == 1.0


def test_backward_into_given_inputs_only():
    x, y = leaf(1.0), leaf(2.0)
    torch.autograd.backward(x * y, inputs=[y])
    assert x.grad is None
    assert y.grad.item() == 1.0


def test_backward_of_a_leaf():
    x = leaf(1.0)
    x.backward()
    assert x.grad.item() == 1.0


def test_retain_grad_of_an_intermediate():
    x = leaf([1.0, 2.0])
    y = x * 3.0
    y.retain_grad()
    z = y * 2.0
    z.sum().backward()
    np.testing.assert_array_equal(y.grad.numpy(), [2.0, 2.0])
    np.testing.assert_array_equal(x.grad.numpy(), [6.0, 6.0])
    assert z.grad is None


def test_backward_with_create_graph_leaves_a_tracked_gradient():
    x = leaf(3.0)
    (x**3).backward(create_graph=True)
    (second,) = torch.autograd.grad(x.grad, x)
    assert second.item() == 18.0


def test_a_training_loop_with_detach_and_requires_grad():
    x = leaf([3.0, -4.0])
    for _ in range(200):
        ((x - 1.0) ** 2).sum().backward()
        x = (x - 0.1 * x.grad).detach().requires_grad_()
    np.testing.assert_allclose(x.detach().numpy(), [1.0, 1.0], rtol=1e-12)


# ---- hooks ----


def test_hooks_run_from_the_newest_tensor_down_and_may_replace():
    x = leaf([1.0, 2.0])
    calls = []
    x.register_hook(lambda g: calls.append(("x", g.tolist())))
    y = x * 3.0
    y.register_hook(lambda g: calls.append(("y", g.tolist())) or g * 10.0)
    y.register_hook(lambda g: calls.append(("y again", g.tolist())))
    z = (y * y).sum()
    z.register_hook(lambda g: calls.append(("z", g.item())) or g * 2.0)
    z.backward()
    expected = [
        ("z", 1.0),
        ("y", [12.0, 24.0]),
        ("y again", [120.0, 240.0]),
        ("x", [360.0, 720.0]),
    ]
    assert calls == expected
    np.testing.assert_array_equal(x.grad.numpy(), [360.0, 720.0])
    calls.clear()
    (g,) = torch.autograd.grad(z, x, create_graph=True)
    assert calls == expected
    np.testing.assert_array_equal(g.detach().numpy(), [360.0, 720.0])


def test_hooks_see_every_use_and_stay_when_the_tensor_is_dropped():
    x = leaf(2.0)
    y = x * x
    before = y * 3.0
    y.register_hook(lambda g: g + 0.5)
    z = before + y * 4.0
    del y, before
    z.backward()
    assert x.grad.item() == 7.5 * 4.0


def test_a_hook_can_stop_infinities():
    x = leaf([0.0, 4.0])
    y = np.sqrt(x)
    y.register_hook(lambda g: g * torch.tensor([0.0, 1.0]))
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [0.0, 0.25])


def test_hooks_are_recorded_with_create_graph():
    x = leaf(3.0)
    y = x * 1.0
    y.register_hook(lambda g: g * 3.0 * x)
    (g,) = torch.autograd.grad(y * y, x, create_graph=True)
    assert g.item() == 6.0 * 3.0 * 3.0
    # g = 2 y * 3 * x: by x alone 18; by y 18, which the hook multiplies by 3 * 3
    assert torch.autograd.grad(g, x)[0].item() == 18.0 + 18.0 * 9.0


def test_hooks_on_parts_and_views():
    x = leaf([1.0, 2.0])
    part = x[0]
    part.register_hook(lambda g: g * 10.0)
    (part * part + x[0] * 5.0 + x[1]).backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2.0 * 10.0 + 5.0, 1.0])
    late = x[1]
    z = late * 2.0
    with pytest.raises(TapeError, match="before the part is used"):
        late.register_hook(lambda g: g)
    assert z.item() == 4.0


def test_hooks_on_what_does_not_matter_are_not_called():
    x, y = leaf(1.0), leaf(2.0)
    calls = []
    x.register_hook(lambda g: calls.append(g.item()))
    y.register_hook(lambda g: calls.append(g.item()))
    (x * 0.0).backward()
    assert calls == [0.0]


def test_removed_hooks_and_hooks_of_a_jacobian():
    x = leaf([1.0, 2.0])
    calls = []
    handle = x.register_hook(lambda g: calls.append(g.tolist()))
    torch.autograd.grad(x * x, x, torch.tensor(np.eye(2)), is_grads_batched=True)
    assert calls == [[2.0, 0.0], [0.0, 4.0]]
    handle.remove()
    handle.remove()
    (x * x).sum().backward()
    assert len(calls) == 2


def test_hooks_inside_a_transform():
    def f(x):
        y = x * x
        y.register_hook(lambda g: g * 2.0)
        return y * x

    # d/dx is 2 (2 x) x + x**2, and the same hook acts on its derivative
    assert torch.grad(f)(3.0) == 5.0 * 9.0
    assert torch.hessian(lambda x: f(x[0]))(np.array([3.0])).shape == (1, 1)


def test_a_hook_that_fails_or_returns_a_wrong_shape():
    x = leaf([1.0, 2.0])
    y = x * 2.0
    handle = y.register_hook(lambda g: g[0])
    with pytest.raises(
        ShapeError, match=r"a hook returned a gradient of shape \(\) for a tensor of"
    ):
        y.sum().backward()
    handle.remove()

    def fail(_):
        raise ZeroDivisionError

    handle = y.register_hook(fail)
    for create_graph in (False, True):
        with pytest.raises(ZeroDivisionError):
            y.sum().backward(create_graph=create_graph)
    handle.remove()
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2.0, 2.0])


def test_a_hook_may_differentiate():
    x = leaf(3.0)
    y = x * x
    y.register_hook(lambda g: g * torch.autograd.grad(x * x * x, x)[0])
    (y * 2.0).backward()
    assert x.grad.item() == 2.0 * 27.0 * 6.0


# ---- values changed in place ----


def test_a_training_loop_in_place():
    w, b = leaf([3.0, -4.0]), leaf(0.5)
    for _ in range(200):
        loss = ((w - 1.0) ** 2).sum() + (b + 2.0) ** 2
        loss.backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
            b -= 0.1 * b.grad
        w.grad = None
        b.grad = None
    assert w.requires_grad
    assert w.is_leaf
    np.testing.assert_allclose(w.detach().numpy(), [1.0, 1.0], rtol=1e-12)
    assert abs(b.item() + 2.0) < 1e-12


def test_what_was_computed_keeps_to_the_old_values():
    x = leaf([1.0, 2.0])
    y = (x * x).sum()
    with torch.no_grad():
        x *= 10.0
    np.testing.assert_array_equal(x.detach().numpy(), [10.0, 20.0])
    assert y.item() == 5.0
    with pytest.raises(TapeError, match="no output depends on input 0"):
        torch.autograd.grad(y, x)
    (x * x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [20.0, 40.0])


def test_data_may_be_assigned_to():
    x = leaf([1.0, 2.0])
    x.data -= 0.5 * torch.tensor([1.0, 1.0])
    x.data = x.data * 2.0
    assert x.is_leaf
    assert x.requires_grad
    np.testing.assert_array_equal(x.detach().numpy(), [1.0, 3.0])


def test_a_leaf_is_not_changed_while_recording():
    x = leaf([1.0, 2.0])
    with pytest.raises(TapeError, match="changing a leaf in place would lose its gradient"):
        x += 1.0
    np.testing.assert_array_equal(x.detach().numpy(), [1.0, 2.0])


def test_arrays_change_in_place_and_numbers_do_not():
    x = leaf([1.0, 2.0])
    y = z = x * 1.0
    y += x
    y *= 2.0
    assert y is z
    (z * z).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), 32.0 * np.array([1.0, 2.0]))
    total = first = x[0]
    total += x[1]
    assert (first.item(), total.item()) == (1.0, 3.0)
    velocities = [torch.tensor([1.0]), torch.tensor(1.0)]
    for v in velocities:
        v *= 0.5
        v += 1.0
    assert [v.item() for v in velocities] == [1.5, 1.5]
    with pytest.raises(ShapeError, match=r"of shape \(2,\) cannot become one of shape \(3, 2\)"):
        y += np.ones((3, 2))


def test_a_function_may_change_its_arguments():
    def f(x):
        x *= 2.0
        x[0] = x[1] * x[1]
        return x[0] * x[1] + x[2]

    at = np.array([1.0, 2.0, 3.0])
    expected = np.zeros((3, 3))
    expected[1, 1] = 6 * 8 * 2.0
    for hessian in (
        torch.hessian(f),
        torch.jacrev(torch.jacrev(f)),
        torch.jacfwd(torch.jacrev(f)),
        torch.jacrev(torch.grad(f)),
    ):
        np.testing.assert_array_equal(hessian(at.copy()), expected)


# ---- switches ----


def test_no_grad_and_enable_grad():
    x = leaf(2.0)
    with torch.no_grad():
        assert not torch.is_grad_enabled()
        assert not (x * x).requires_grad
        with torch.enable_grad():
            assert (x * x).requires_grad
        assert not (x * x).requires_grad
    assert (x * x).requires_grad


@pytest.mark.parametrize(
    ("decorator", "recorded"),
    [
        (lambda f: torch.no_grad(f), False),
        (lambda f: torch.no_grad()(f), False),
        (lambda f: torch.set_grad_enabled(False)(f), False),
        (lambda f: torch.enable_grad()(f), True),
    ],
)
def test_switches_decorate_functions(decorator, recorded):
    @decorator
    def square(x):
        """A docstring."""
        return x * x

    assert torch.is_grad_enabled()
    assert square(leaf(2.0)).requires_grad == recorded
    assert square.__doc__ == "A docstring."
    assert torch.is_grad_enabled()


def test_switches_are_left_on_errors():
    with pytest.raises(ZeroDivisionError), torch.no_grad():
        raise ZeroDivisionError
    assert torch.is_grad_enabled()

    @torch.no_grad()
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.is_grad_enabled()


def test_set_grad_enabled_as_a_function():
    before = torch.set_grad_enabled(False)
    assert not torch.is_grad_enabled()
    before.__exit__()
    assert torch.is_grad_enabled()
    with torch.set_grad_enabled(False):
        assert not (leaf(1.0) * 2.0).requires_grad
    assert torch.is_grad_enabled()


# ---- errors ----


def test_errors_say_what_to_write():
    x = leaf([1.0, 2.0])
    with pytest.raises(ShapeError, match=r"gradient of a tensor of shape \(2,\) \(output 0\)"):
        torch.autograd.grad(x * x, x)
    with pytest.raises(ShapeError, match=r"grad_outputs has shape \(3,\) for output 0, which has"):
        torch.autograd.grad(x * x, x, torch.tensor([1.0, 1.0, 1.0]))
    with pytest.raises(ShapeError, match="grad_outputs has 2 entries where 1 are expected"):
        torch.autograd.grad(x.sum(), x, [None, None])
    with pytest.raises(TapeError, match=r"inputs: the tensor of shape \(\) in place 1 is a const"):
        torch.autograd.grad(x.sum(), [x, torch.tensor(1.0)])
    with pytest.raises(TapeError, match=r"outputs: the tensor of shape \(\) in place 0 is a const"):
        torch.autograd.grad(torch.tensor(1.0), x)
    with pytest.raises(TypeError, match="outputs must be tensors, got a float in place 0"):
        torch.autograd.grad([1.0], x)
    with pytest.raises(ValueError, match="materialize_grads=True gives zeros"):
        torch.autograd.grad(x.sum(), x, allow_unused=False, materialize_grads=True)
