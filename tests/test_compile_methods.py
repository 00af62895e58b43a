"""Compiled methods, and objects among the arguments: bound, with all that a function has, and never
stale when an attribute is another one than when the recording was made."""

import collections
import copy
import dataclasses
import functools
import gc
import inspect
import pickle
import types
import warnings
import weakref

import numpy as np
import pytest

import adcore
from adcore import errors
from test_compile import paths

X = np.array([1.0, 2.0, 3.0])


class Spring:
    """An energy with what it depends on in attributes of every kind."""

    scale = 1.0

    def __init__(self, k, rest=(0.0, 0.0, 0.0)):
        self.k, self.rest = k, np.array(rest)

    @adcore.compile
    def energy(self, x, power=2):
        """What it takes to pull it."""
        return self.scale * self.k * ((x - self.rest) ** power).sum()

    @adcore.compile
    def between(self, x, y):
        return self.k * adcore.sin(x - y).sum()

    @adcore.compile
    def forces(self, x):
        return -2.0 * self.k * (x - self.rest)

    def plain(self, x, power=2):
        return self.scale * self.k * ((x - self.rest) ** power).sum()


def close(got, want):
    np.testing.assert_allclose(got, want, rtol=1e-13)


def test_all_that_a_function_has():
    spring, v = Spring(3.0), np.array([1.0, 0.0, -1.0])
    f, plain = spring.energy, spring.plain
    for _ in range(2):
        assert f(X) == plain(X)
        assert f(X, power=3) == plain(X, 3)
        for name in ("grad", "hessian"):
            close(getattr(f, name)(X), getattr(adcore, name)(plain)(X))
            close(getattr(f, name)(X, power=3), getattr(adcore, name)(plain)(X, 3))
        value, gradient = f.value_and_grad(X)
        assert value == plain(X)
        close(gradient, 6.0 * X)
        close(f.value_grad_and_hessian(X)[2], 6.0 * np.eye(3))
        close(f.hvp((X,), (v,)), (6.0 * X, 6.0 * v))
        close(f.jvp((X,), (v,)), (plain(X), 6.0 * X @ v))
        close(f.vjp(X)[1](2.0), (12.0 * X,))
        close(spring.forces.jacobian(X), -6.0 * np.eye(3))
        rows = np.stack([X, 2.0 * X])
        close(f.map(rows), [plain(X), plain(2.0 * X)])
        close(f.map(rows, derivative="gradient"), 6.0 * rows)
        close(f.map(rows, derivative="hessian"), [6.0 * np.eye(3)] * 2)
        out = np.empty(3)
        assert f.grad(X, out=out) is out
        close(out, 6.0 * X)
    assert "energy_gradient" in f.to_c(X).source
    assert "energy" in str(f.summary())
    assert "energy" in str(f.profile(X))
    assert f.plot(args=(X,)) is not None


def test_arguments_are_counted_after_self():
    f, a, b = Spring(2.0).between, np.array([0.3, 0.4]), np.array([0.1, -0.2])
    slope = 2.0 * np.cos(a - b)
    for argnums, want in ((0, slope), (1, -slope), (-1, -slope), (-2, slope)):
        close(f.grad(a, b, argnums=argnums), want)
    for got, want in zip(f.grad(a, b, argnums=(1, 0)), (-slope, slope), strict=True):
        close(got, want)
    close(f.hvp((a, b), (a, b))[1][1], 2.0 * np.sin(a - b) * (a - b))
    close(f.map(a[:, None], b, in_axes=(0, None)), [f(a[:1], b), f(a[1:], b)])
    with pytest.raises(TypeError, match=r"asks for argument 2 of between, .* 2 positional"):
        f.grad(a, b, argnums=2)
    with pytest.raises(TypeError, match="argument -3"):
        f.grad(a, b, argnums=-3)


def test_it_is_a_method():
    spring = Spring(2.0)
    f = spring.energy
    assert f.__self__ is spring
    assert f.__func__ is Spring.energy
    assert f == spring.energy
    assert hash(f) == hash(spring.energy)
    assert f != Spring(2.0).energy
    assert f != spring.between
    assert f.__doc__ == "What it takes to pull it."
    assert f.__name__ == "energy"
    assert list(inspect.signature(f).parameters) == ["x", "power"]
    f(X)
    assert repr(f).startswith("<bound compiled energy, ")
    assert Spring.energy(spring, X) == f(X)

    class Stiff(Spring):
        @adcore.compile
        def energy(self, x, power=2):
            return 10.0 * super().energy(x, power)

    assert Stiff(2.0).energy(X) == 10.0 * f(X)
    close(Stiff(2.0).energy.grad(X), 40.0 * X)


def test_under_transforms_and_inside_of_compiled_functions():
    spring = Spring(2.0)
    close(adcore.grad(spring.energy)(X), 4.0 * X)
    close(adcore.hessian(spring.energy)(X), 4.0 * np.eye(3))
    outer = adcore.compile(lambda x: spring.energy(x) * x[0])
    for _ in range(2):
        close(outer.grad(X), adcore.grad(lambda x: spring.plain(x) * x[0])(X))


# ---- never stale ----


@dataclasses.dataclass
class Inner:
    weight: float
    names: list


class Node:
    __slots__ = ("__weakref__", "hidden", "value")

    def __init__(self, value):
        self.value = value


class Holder:
    factor = 2.0

    def __init__(self):
        self.k, self.n, self.z, self.flag, self.text = 1.5, 2, 1.0 + 2.0j, True, "a"
        self.array = np.array([1.0, 2.0, 3.0])
        self.big = np.linspace(0.0, 1.0, 3000).reshape(3, 1000)
        self.counts = np.array([1, 2])
        self.things = [1.0, {"a": np.array([2.0])}, (3.0, [4.0])]
        self.inner, self.node = Inner(0.5, ["x"]), Node(2.0)
        self.members, self.queue = {1, 2}, collections.deque([1.0])
        self.step = functools.partial(np.multiply, 2.0)
        self.tensor = adcore.tensor([1.0, 2.0])
        self.own = self  # a cycle

    def plain(self, x):
        y = self.k * x.sum() ** self.n * self.z.imag * self.factor * self.own.things[2][1][0]
        y = y * self.array.sum() * self.big.sum() * self.counts.sum() * self.step(1.0)
        y = y * self.things[0] * self.things[1]["a"].sum() * self.inner.weight * self.node.value
        y = y * sum(self.members) * sum(self.queue) * float(self.tensor.sum())
        return y if self.flag else (-y if self.text == "a" else 0.0 * y)

    f = adcore.compile(plain)


CHANGES = {
    "a float": lambda h: setattr(h, "k", 2.5),
    "the sign of zero": lambda h: setattr(h, "k", -0.0),
    "an integer": lambda h: setattr(h, "n", 3),
    "a complex number": lambda h: setattr(h, "z", 3.0j),
    "a truth": lambda h: setattr(h, "flag", False),
    "an array": lambda h: setattr(h, "array", np.ones(3)),
    "an element": lambda h: h.array.__setitem__(1, 7.0),
    "an element of many": lambda h: h.big.__setitem__((1, 517), 7.0),
    "an element of integers": lambda h: h.counts.__setitem__(1, 7),
    "in a list": lambda h: h.things.__setitem__(0, 9.0),
    "in an array in a dict in a list": lambda h: h.things[1]["a"].__setitem__(0, 9.0),
    "in a list in a tuple": lambda h: h.things[2][1].__setitem__(0, 9.0),
    "of an object": lambda h: setattr(h.inner, "weight", 9.0),
    "of a slot": lambda h: setattr(h.node, "value", 9.0),
    "another object": lambda h: setattr(h, "node", Node(3.0)),
    "in a set": lambda h: h.members.add(5),
    "in a queue": lambda h: h.queue.append(5.0),
    "in a partial": lambda h: setattr(h, "step", functools.partial(np.multiply, 5.0)),
    "a tensor": lambda h: setattr(h, "tensor", adcore.tensor([1.0, 5.0])),
    "of the class": lambda h: setattr(type(h), "factor", 5.0),
    "gone, so that the class's is seen": lambda h: h.__dict__.pop("factor"),
    "two at once": lambda h: (setattr(h, "flag", False), setattr(h, "text", "b")),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("face", ["method", "argument", "bound method", "callable"])
def test_a_changed_attribute_is_seen(name, face, monkeypatch):
    """By values and derivatives; and what is not changed is replayed."""
    runs, holder = [], Holder()

    def counted(self, x):
        runs.append(0)
        return self.plain(x)

    kind = type("Counted", (Holder,), {"f": adcore.compile(counted), "__call__": counted})
    monkeypatch.setattr(kind, "factor", 3.0)
    holder.__class__ = kind
    if name != "of the class":
        holder.factor = 4.0
    f = {
        "method": lambda: holder.f,
        "argument": lambda: kind.f,
        "bound method": lambda: adcore.compile(types.MethodType(counted, holder)),
        "callable": lambda: adcore.compile(holder),
    }[face]()
    grad = f.grad
    if face == "argument":
        f = functools.partial(kind.f, holder)
        grad = functools.partial(kind.f.grad, holder, argnums=1)
    for _ in range(3):
        assert f(X) == pytest.approx(holder.plain(X), rel=1e-14)
        close(grad(X), adcore.grad(holder.plain)(X))
    assert len(runs) == 1
    CHANGES[name](holder)
    for _ in range(3):
        assert f(X) == pytest.approx(holder.plain(X), rel=1e-14)
        assert np.signbit(f(X)) == np.signbit(holder.plain(X))
        close(grad(X), adcore.grad(holder.plain)(X))
    assert len(runs) == 2


def test_a_change_and_back_is_not_recorded_again():
    spring, runs = Spring(2.0), []
    f = adcore.compile(lambda s, x: (runs.append(0), s.k * x.sum())[1])
    for k in (2.0, 3.0, 2.0, 3.0):
        spring.k = k
        assert f(spring, X) == 6.0 * k
    assert len(runs) == 2


def test_objects_with_values_of_their_own():
    """What is equal by the class's own word, and differs in an attribute."""

    class Named:
        def __init__(self, name, k):
            self.name, self.k = name, k

        def __eq__(self, other):
            return self.name == other.name

        def __hash__(self):
            return hash(self.name)

    f = adcore.compile(lambda thing, x: thing.k * x)
    assert [f(Named("a", k), 2.0) for k in (1.0, 2.0, 1.0)] == [2.0, 4.0, 2.0]
    assert len(paths(f)) == 2


def test_tracked_attributes_are_differentiated_through():
    """Whether the function was recorded before with plain numbers there or not."""
    for recorded in (False, True):
        spring = Spring(2.0)
        if recorded:
            spring.energy(X)

        def by_attribute(k, spring=spring):
            spring.k = k
            return spring.energy(X)

        assert adcore.grad(by_attribute)(3.0) == 14.0
        assert adcore.hessian(lambda k, f=by_attribute: f(k) ** 2)(3.0) == 2 * 14.0**2
        spring.k = adcore.tensor(3.0, requires_grad=True)
        close(adcore.grad(spring.energy)(X).detach().numpy(), 6.0 * X)
        spring.k = 3.0
        assert spring.energy(X) == 42.0


def test_derivatives_asked_for_later_are_of_the_function_as_it_was():
    spring = Spring(2.0)
    value, pullback = spring.energy.vjp(X)
    x = adcore.tensor(X, requires_grad=True)
    y = spring.energy(x)
    spring.rest[:] = 1.0
    spring.k = 5.0
    assert value == 28.0
    close(pullback(1.0)[0], 4.0 * X)
    y.backward()
    close(x.grad.numpy(), 4.0 * X)
    spring.rest[:] = 0.0
    spring.k = 2.0
    _, pullback = spring.energy.vjp(X)
    spring.k = 5.0
    Spring.energy._by_key.clear()
    with pytest.raises(errors.TapeError, match="of type Spring was changed"):
        pullback(1.0)


def test_dataclasses_are_containers():
    @dataclasses.dataclass
    class Line:
        slope: float
        at: np.ndarray
        power: int

        @adcore.compile
        def f(self, x):
            return self.slope * (x - self.at).sum() ** self.power

    line = Line(2.0, np.ones(3), 2)
    for slope, power in ((2.0, 2), (3.0, 2), (3.0, 3)):
        line.slope, line.power = slope, power
        assert line.f(X) == slope * 3.0**power
        close(line.f.grad(X), slope * power * 3.0 ** (power - 1) * np.ones(3))
        close(line.f.hvp((X,), (X,))[0], slope * power * 3.0 ** (power - 1) * np.ones(3))
        close(line.f.map(np.stack([X, X])), [slope * 3.0**power] * 2)
        close(line.f.vjp(X)[1](1.0)[0], slope * power * 3.0 ** (power - 1) * np.ones(3))
    assert len(paths(Line.f)) == 2
    assert adcore.grad(Line.f)(line, X).slope == 27.0


def test_class_methods_and_static_ones():
    class Unit:
        k = 2.0

        @classmethod
        @adcore.compile
        def f(cls, x):
            return cls.k * x

        @staticmethod
        @adcore.compile
        def g(x):
            return x * x

    assert (Unit.f(3.0), Unit().f(3.0)) == (6.0, 6.0)
    assert Unit.f.grad(3.0) == 2.0
    Unit.k = 5.0
    assert Unit.f(3.0) == 15.0
    assert (Unit.g(3.0), Unit().g.grad(3.0)) == (9.0, 6.0)
    with pytest.raises(TypeError, match="write @staticmethod above"):
        adcore.compile(staticmethod(abs))


# ---- memory, copies, files ----


def test_no_object_is_kept_alive():
    spring = Spring(2.0, np.ones(3))
    there = weakref.ref(spring)
    spring.energy(X)
    spring.energy.grad(X)
    adcore.grad(spring.energy)(X)
    spring.energy.map(np.stack([X, X]))
    gc.disable()
    try:
        del spring
        assert there() is None, "kept by the function, or by a cycle"
    finally:
        gc.enable()


def test_recordings_of_objects_that_are_no_more_are_let_go_of():
    class Weight(Spring):
        @adcore.compile
        def f(self, x):
            return self.k * x

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for k in range(300):
            assert Weight(float(k)).f(2.0) == 2.0 * k
            assert len(Weight.f._by_key) <= 2
    assert len(told) == 1
    assert "other objects and their attributes make kinds" in str(told[0].message)
    assert told[0].filename == __file__


def test_an_attribute_that_changes_at_every_call_is_warned_of():
    spring = Spring(2.0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for k in range(300):
            spring.k = float(k)
            assert spring.forces(X)[0] == -2.0 * k
    assert len(told) == 1
    assert "arrays that change as arguments" in str(told[0].message)
    assert len(Spring.forces._by_key) <= 256


def test_copies_and_pickles():
    spring = Spring(2.0)
    f = spring.energy
    f(X)
    assert copy.copy(f) == f
    other = copy.deepcopy(f)
    other.__self__.k = 5.0
    assert (f(X), other(X)) == (28.0, 70.0)
    again = pickle.loads(pickle.dumps(f))
    assert again(X) == 28.0
    close(again.grad(X), 4.0 * X)
    with pytest.raises(errors.FormatError, match=r"argument 0.*Spring"):
        f.save("never written")
