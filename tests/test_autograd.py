"""The torch face: autograd.grad and backward, hooks, Function, functional, and the switches."""

import numpy as np
import pytest

import adcore as torch
from adcore.errors import NotDifferentiableError, ShapeError, TapeError


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


def test_transforms_record_for_themselves_inside_no_grad():
    y = leaf(5.0)
    with torch.no_grad():
        assert torch.grad(lambda x: x * x * y)(3.0) == 30.0
        assert torch.hessian(lambda x: x * x * y)(3.0) == 10.0
        assert torch.jvp(lambda x: x * x, (3.0,), (1.0,)) == (9.0, 6.0)
        assert torch.linearize(lambda x: x * x, 3.0)[1](1.0) == 6.0
        assert torch.grad(lambda x: x * x)(y) == 10.0
        with pytest.raises(ZeroDivisionError):
            torch.grad(lambda x: x / 0 if x > 0 else 1 / 0)(-1.0)
        assert not torch.is_grad_enabled()


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


# ---- Function ----


class Cubed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(x)
        ctx.scale = scale
        return scale * x**3

    @staticmethod
    def backward(ctx, grad):
        assert ctx.needs_input_grad == (True, False)
        (x,) = ctx.saved_tensors
        return 3.0 * ctx.scale * x**2 * grad, None


class Exp(torch.autograd.Function):
    """Of NumPy inside; saves its output, as a rule for exp would."""

    @staticmethod
    def forward(ctx, x):
        y = torch.tensor(np.exp(x.detach().numpy()))
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        return y * grad


class Polar(torch.autograd.Function):
    """Two outputs; setup_context instead of ctx in forward; saves what it computed on the way."""

    @staticmethod
    def forward(x, y):
        r2 = x * x + y * y
        return np.sqrt(r2), np.arctan2(y, x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, y = inputs
        ctx.save_for_backward(x, y, x * x + y * y, output[0])

    @staticmethod
    def backward(ctx, g_r, g_phi):
        x, y, r2, r = ctx.saved_tensors
        return g_r * x / r - g_phi * y / r2, g_r * y / r + g_phi * x / r2


FUNCTIONS = [
    (lambda x: Cubed.apply(x, 2.0), lambda x: 2.0 * x**3),
    (Exp.apply, np.exp),
    (lambda x: np.sum(Polar.apply(x, x * x)[1]), lambda x: np.sum(np.arctan2(x * x, x))),
    (
        lambda x: (lambda r, phi: r * phi)(*Polar.apply(x, x + 1.0)),
        lambda x: np.sqrt(x * x + (x + 1.0) ** 2) * np.arctan2(x + 1.0, x),
    ),
]


@pytest.mark.parametrize(("apply", "expected"), FUNCTIONS)
def test_a_function_in_every_mode_and_order(apply, expected):
    at, v = np.array([0.7, 1.3]), np.array([1.0, -2.0])

    def use(f):
        return lambda x: np.sum(np.sin(f(x)) * x)

    for transform in (
        lambda g: torch.grad(g)(at),
        lambda g: torch.jvp(g, (at,), (v,))[1],
        lambda g: torch.hessian(g)(at),
        lambda g: torch.jacfwd(torch.jacrev(g))(at),
        lambda g: torch.jacfwd(torch.jacfwd(g))(at),
        lambda g: torch.grad(lambda x: torch.jvp(g, (x,), (v,))[1])(at),
        lambda g: torch.jacobian(torch.hessian(g))(at),
        lambda g: torch.jvp(torch.grad(g), (at,), (v,))[1],
    ):
        np.testing.assert_allclose(transform(use(apply)), transform(use(expected)), rtol=1e-12)


def test_a_function_on_tensors():
    x = leaf([1.0, 2.0])
    y = Cubed.apply(x, 2.0)
    assert y.requires_grad
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    np.testing.assert_array_equal(g.detach().numpy(), [6.0, 24.0])
    g.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [12.0, 24.0])
    assert not Cubed.apply(torch.tensor([1.0]), 2.0).requires_grad
    with torch.no_grad():
        assert not Cubed.apply(x, 2.0).requires_grad


def test_create_graph_inside_no_grad():
    x = leaf([1.0, 2.0])
    y = Exp.apply(Cubed.apply(x, 2.0)).sum()
    with torch.no_grad():
        (g,) = torch.autograd.grad(y, x, create_graph=True)
        assert not torch.is_grad_enabled()
    assert g.requires_grad


def test_unused_outputs_get_zeros_or_none():
    class Two(torch.autograd.Function):
        materialize = True

        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(Two.materialize)
            return x * 1.0, x * 2.0

        @staticmethod
        def backward(ctx, a, b):
            del ctx
            assert (b is None) == (not Two.materialize)
            return a * 3.0

    for Two.materialize in (True, False):
        x = leaf(1.0)
        Two.apply(x)[0].backward()
        assert x.grad.item() == 3.0


def test_outputs_marked_as_not_differentiable():
    class Ranked(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            order = torch.tensor(np.argsort(x.numpy()))
            ctx.mark_non_differentiable(order)
            return x * 2.0, order

        @staticmethod
        def backward(ctx, g, _):
            del ctx
            return g * 2.0

    y, order = Ranked.apply(leaf([3.0, 1.0]))
    assert y.requires_grad
    assert not order.requires_grad
    np.testing.assert_array_equal(order.numpy(), [1.0, 0.0])


def test_a_function_outside_of_adcore_at_the_second_order():
    class Outside(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return torch.tensor(np.sin(x.numpy()))

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return torch.tensor(g.numpy() * np.cos(x.numpy()))

    class Once(Outside):
        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, g):
            return Outside.backward(ctx, g)

    class Lossy(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = torch.tensor(np.sin(x.detach().numpy()))
            ctx.save_for_backward(torch.tensor(np.cos(x.detach().numpy())))
            return y

        @staticmethod
        def backward(ctx, g):
            return ctx.saved_tensors[0] * g

    at = np.array([0.5, 1.0])
    for function, complaint in (
        (
            Outside,
            r"Outside.backward, or what forward saves for it, cannot be diff.*: numpy\(\) of",
        ),
        (Once, r"numpy\(\) of a tracked tensor"),
        (Lossy, r"Lossy.forward saved a tensor of shape \(2,\) that is neither an input nor an"),
    ):
        x = leaf(at)
        y = function.apply(x).sum()
        y.backward()
        np.testing.assert_array_equal(x.grad.numpy(), np.cos(at))
        _, tangent = torch.jvp(lambda x, f=function: np.sum(f.apply(x)), (at,), (at,))
        np.testing.assert_allclose(tangent, np.sum(np.cos(at) * at), rtol=1e-15)
        with pytest.raises(NotDifferentiableError, match=complaint):
            torch.autograd.grad(y, x, create_graph=True)
        torch.autograd.grad(y, x)


def test_once_differentiable_names_the_backward():
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, g):
            return 2.0 * g * ctx.saved_tensors[0]

    x = leaf(3.0)
    assert torch.autograd.grad(Once.apply(x), x)[0].item() == 6.0
    with pytest.raises(
        NotDifferentiableError, match=r"Once.backward is marked once_differentiable"
    ):
        torch.autograd.grad(Once.apply(x), x, create_graph=True)


def test_misuse_of_functions():
    class NoBackward(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            del ctx
            return x * 2.0

    class TooFew(NoBackward):
        @staticmethod
        def backward(ctx, g):
            del ctx, g
            return ()

    class NoTensor(NoBackward):
        @staticmethod
        def forward(ctx, x):
            del ctx
            return x.item()

    x = leaf(1.0)
    with pytest.raises(NotDifferentiableError, match=r"write a static method NoBackward.backward"):
        NoBackward.apply(x).backward()
    with pytest.raises(
        ShapeError, match=r"TooFew.backward returned 0 gradients where forward has 1"
    ):
        TooFew.apply(x).backward()
    with pytest.raises(TypeError, match=r"NoTensor.forward must return tensors, got a float"):
        NoTensor.apply(x)


# ---- functional ----


def test_functional_of_one_tensor():
    functional = torch.autograd.functional
    x, v = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 3.0])

    def f(x):
        return x**3 * x[0]

    j = np.array([[4.0, 0.0], [8.0, 12.0]])
    np.testing.assert_array_equal(functional.jacobian(f, x).numpy(), j)
    y, g = functional.vjp(f, x, v)
    np.testing.assert_array_equal(y.numpy(), [1.0, 8.0])
    np.testing.assert_array_equal(g.numpy(), v.numpy() @ j)
    y, d = functional.jvp(f, x, v)
    np.testing.assert_array_equal(y.numpy(), [1.0, 8.0])
    np.testing.assert_array_equal(d.numpy(), j @ v.numpy())

    def g(x):
        return f(x).sum()

    h = np.array([[12.0, 12.0], [12.0, 12.0]])
    np.testing.assert_array_equal(functional.hessian(g, x).numpy(), h)
    for product in (functional.hvp, functional.vhp):
        y, hv = product(g, x, v)
        assert y.item() == 9.0
        np.testing.assert_array_equal(hv.numpy(), h @ v.numpy())


def test_functional_of_several_tensors():
    functional = torch.autograd.functional
    x, y = torch.tensor([1.0, 2.0]), torch.tensor(3.0)
    j = functional.jacobian(lambda x, y: (x * y, x.sum()), (x, y))
    assert [[b.shape for b in row] for row in j] == [[(2, 2), (2,)], [(2,), ()]]
    np.testing.assert_array_equal(j[0][0].numpy(), 3.0 * np.eye(2))
    assert j[1][1].item() == 0.0
    h = functional.hessian(lambda x, y: (x * x).sum() * y, (x, y))
    np.testing.assert_array_equal(h[0][1].numpy(), [2.0, 4.0])
    assert h[1][1].item() == 0.0
    _, (gx, gy) = functional.vjp(lambda x, y: (x * y).sum(), (x, y))
    np.testing.assert_array_equal(gx.numpy(), [3.0, 3.0])
    assert gy.item() == 3.0
    _, (hx, hy) = functional.hvp(lambda x, y: (x * x).sum() * y, (x, y), (x, y))
    np.testing.assert_array_equal(hx.numpy(), 6.0 * x.numpy() + 2.0 * 3.0 * x.numpy())
    assert hy.item() == 2.0 * 5.0
    (a, b), (da, db) = functional.jvp(lambda x, y: (x * y, x.sum()), (x, y), (x, y))
    np.testing.assert_array_equal(da.numpy(), 2.0 * a.numpy())
    assert (b.item(), db.item()) == (3.0, 3.0)


def test_functional_with_create_graph_depends_on_its_inputs():
    functional = torch.autograd.functional
    for make in (
        lambda x: functional.jacobian(lambda x: x**3, x, create_graph=True).sum(),
        lambda x: functional.hessian(lambda x: (x**4).sum() / 4.0, x, create_graph=True).sum(),
        lambda x: functional.vjp(lambda x: x**3, x, torch.tensor([1.0, 1.0]), create_graph=True)[
            1
        ].sum(),
        lambda x: functional.jvp(lambda x: x**3, x, torch.tensor([1.0, 1.0]), create_graph=True)[
            1
        ].sum(),
    ):
        x = leaf([1.0, 2.0])
        make(x).backward()
        np.testing.assert_array_equal(x.grad.numpy(), [6.0, 12.0])
    _, hv = functional.hvp(lambda x: (x**4).sum(), leaf([1.0, 2.0]), torch.tensor([1.0, 1.0]))
    assert not hv.requires_grad


def test_functional_errors():
    functional = torch.autograd.functional
    x = torch.tensor([1.0, 2.0])
    with pytest.raises(ShapeError, match=r"must return a tensor of one element, got shape \(2,\)"):
        functional.hessian(lambda x: x * x, x)
    with pytest.raises(
        ShapeError, match="v may only be left out for a single output of one element"
    ):
        functional.vjp(lambda x: x * x, x)
    with pytest.raises(ShapeError, match=r"v has shapes \[\(3,\)\], the inputs have \[\(2,\)\]"):
        functional.jvp(lambda x: x * x, x, np.ones(3))
    with pytest.raises(TypeError, match="a tuple of tensors, got a float in place 1"):
        functional.jacobian(lambda x, y: x * y, (x, 1.0))


# ---- gradcheck ----


def test_gradcheck_and_gradgradcheck_accept_what_is_right():
    x, y = leaf([[0.5, 1.5], [2.0, -1.0]]), leaf([1.0, 2.0])

    def f(x, y, n):
        return torch.exp(x @ y / n), (x * x).sum() * y[0]

    assert torch.autograd.gradcheck(f, (x, y, 3.0), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(f, (x, y, 3.0), check_fwd_over_rev=True)
    assert torch.autograd.gradcheck(Polar.apply, (y, leaf([3.0, -1.0])), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(Polar.apply, (y, leaf([3.0, -1.0])))


def test_gradcheck_finds_what_is_wrong():
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return 2.001 * g * ctx.saved_tensors[0].detach()

    x = leaf([1.0, 5.0])
    complaint = r"derivative of output 0 by input 0, in backward mode, differs"
    with pytest.raises(torch.autograd.GradcheckError, match=complaint):
        torch.autograd.gradcheck(Wrong.apply, x, rtol=1e-4)
    assert not torch.autograd.gradcheck(Wrong.apply, x, rtol=1e-4, raise_exception=False)
    assert torch.autograd.gradcheck(Wrong.apply, x, rtol=1e-2)
    with pytest.raises(torch.autograd.GradcheckError, match="output 0 by input 0"):
        torch.autograd.gradgradcheck(Wrong.apply, x)
    with pytest.raises(ValueError, match="none of the 1 inputs has it"):
        torch.autograd.gradcheck(Wrong.apply, torch.tensor([1.0]))
    with pytest.raises(TypeError, match="unexpected keyword argument 'epsilon'"):
        torch.autograd.gradcheck(Wrong.apply, x, epsilon=1e-3)


def test_numbers_in_the_place_of_tensors_are_named():
    x = leaf([1.0, 2.0])
    with pytest.raises(TypeError, match="outputs must be tensors, got a float in place 0"):
        torch.autograd.grad(3.0, x)
    with pytest.raises(TypeError, match="inputs must be tensors, got a float in place 0"):
        torch.autograd.grad(x.sum(), 3.0)
    with pytest.raises(TypeError, match="inputs must be tensors, got a NoneType in place 0"):
        torch.autograd.grad(x.sum(), None)
