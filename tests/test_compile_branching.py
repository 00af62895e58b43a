"""Ten thousand calls of random functions full of decisions: compiled, they are plain Python.

A function is text, drawn one statement at a time from a fixed seed.  It takes an array and two
numbers, branches on them in every way that Python has, and returns numbers, counts and texts.
"""

import random

import numpy as np
import pytest

import adcore

N_PROGRAMS = 1000
N_POINTS = 10


class Writer:
    """A function in the course of being written."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.lines = []
        self.numbers = ["a", "b", "x[0]", "x[-1]"]
        self.count = 0

    def new(self):
        self.count += 1
        return f"v{self.count}"

    def pick(self, *options):
        return self.rng.choice(options)

    def number(self):
        return self.rng.choice(self.numbers[-6:]) if self.rng.random() < 0.8 else self.constant()

    def constant(self):
        return repr(self.rng.choice([-1.5, -1.0, -0.5, 0.0, 0.25, 1.0, 2.0]))

    def expression(self):
        u, v, w = self.number(), self.number(), self.number()
        return self.pick(
            f"{u} + {v}",
            f"{u} - {v} * {w}",
            f"{u} * {v}",
            f"{u} / (1.0 + {v} * {v})",
            f"tanh({u}) * {v}",
            f"sin({u} + {v})",
            f"-{u}",
            f"abs({u}) - {v}",
            f"min({u}, {v}) + {w}",
            f"max({u}, {v}, {w})",
            f"({u} if {self.condition()} else {v})",
            f"sum([t * {u} for t in x])",
            f"max(x) - min(x) * {u}",
            f"sorted([{u}, {v}, {w}])[1]",
            f"[{u}, {v}][int({self.condition()})]",
            f"detach({u}) * {v}",
            f"(x * {u}).sum()",
            f"x[{self.mask()}].sum() + {u}",
            f"np.where({self.mask()}, x * {u}, {v}).sum()",
            f"np.maximum(x, {self.constant()}).sum() * {u}",
            f"np.sort(x)[1] * {u}",
            f"x[np.argmax(x)] - {u}",
            f"{self.mask()}.sum() * {u}",
            f"next((t for t in x if t > {self.constant()}), {u})",
        )

    def condition(self):
        u, v = self.number(), self.number()
        order = self.pick("<", "<=", ">", ">=", "==", "!=")
        return self.pick(
            f"({u} {order} {v})",
            f"({u} {order} {self.constant()})",
            f"({self.constant()} < {u} <= {v})",
            f"({u} < {v} and {v} < {self.constant()})",
            f"({u} > 0 or not {v} > {u})",
            f"(not {u} >= {v})",
            f"bool({self.mask()}.any())",
            f"bool({self.mask()}.all())",
            f"({self.mask()}.sum() > 1)",
            f"(item({u}) > {self.constant()})",
            f"bool(np.any(x > {self.constant()}))",
            "(flag and a > 0)",
        )

    def mask(self):
        c, d = self.constant(), self.constant()
        return self.pick(
            f"(x > {c})",
            f"((x > {c}) & (x < {d}))",
            f"((x <= {c}) | (x == {d}))",
            f"(~(x >= {c}))",
            f"(x != {c})",
            f"(np.abs(x) < {self.number()})",
        )

    def block(self, depth, indent, in_loop=False):
        """A few statements.  Names bound in a block are forgotten after it."""
        known = list(self.numbers)
        for _ in range(self.rng.randint(1, 3)):
            self.statement(depth, indent, in_loop)
        self.numbers = known

    def say(self, indent, text):
        self.lines.append("    " * indent + text)

    def assign(self, indent):
        """An old name changes, or there is a new one."""
        old = [n for n in self.numbers if n.startswith("v")]
        text = self.expression()
        if old and self.rng.random() < 0.5:
            self.say(indent, f"{self.rng.choice(old)} {self.pick('=', '=', '+=', '-=')} {text}")
        else:
            name = self.new()
            self.say(indent, f"{name} = {text}")
            self.numbers.append(name)

    def statement(self, depth, indent, in_loop):
        kind = self.rng.randint(0, 11) if depth else 0
        if kind < 3:
            self.assign(indent)
        elif kind < 6:
            self.say(indent, f"if {self.condition()}:")
            self.block(depth - 1, indent + 1, in_loop)
            for _ in range(self.rng.randint(0, 1)):
                self.say(indent, f"elif {self.condition()}:")
                self.block(depth - 1, indent + 1, in_loop)
            if self.rng.random() < 0.7:
                self.say(indent, "else:")
                self.block(depth - 1, indent + 1, in_loop)
        elif kind == 6:
            name = self.new()
            self.say(indent, f"{name} = 0")
            self.say(indent, f"while {self.condition()} and {name} < {self.rng.randint(1, 4)}:")
            self.say(indent + 1, f"{name} += 1")
            self.block(depth - 1, indent + 1, True)
        elif kind == 7:
            name = self.new()
            over = self.pick("x", "range(3)", "x[x > 0]", "range(int((x > 0).sum()))", "[a, b]")
            self.say(indent, f"for {name} in {over}:")
            known = list(self.numbers)
            self.numbers.append(name)
            self.block(depth - 1, indent + 1, True)
            self.numbers = known
        elif kind == 8:
            self.say(indent, f"if {self.condition()}:")
            leave = self.pick("break", "continue") if in_loop and self.rng.random() < 0.7 else None
            self.say(indent + 1, leave or f"return {self.expression()}")
        elif kind == 9:
            name = self.new()
            self.say(indent, f"def g{name}(t):")
            self.say(indent + 1, f"if t > {self.number()}:")
            self.say(indent + 2, f"return t * {self.number()}")
            self.say(indent + 1, f"return {self.number()} - t")
            self.say(indent, f"{name} = g{name}({self.number()}) + g{name}({self.number()})")
            self.numbers.append(name)
        elif kind == 10:
            name = self.new()
            self.say(indent, f"def g{name}(t, depth):")
            stop = f"depth == 0 or t > {self.constant()}"
            self.say(indent + 1, f"return t if {stop} else g{name}(t * 0.5 + 0.7, depth - 1)")
            self.say(indent, f"{name} = g{name}({self.number()}, 4)")
            self.numbers.append(name)
        else:
            name = self.new()
            self.say(indent, f"{name} = np.copy(x)")
            self.say(indent, f"{name}[{self.mask()}] = {self.constant()}")
            self.say(indent, f"{name}[0] = {name}[1] * {self.number()}")
            self.say(indent, f"{name} = {name}.sum()")
            self.numbers.append(name)

    def write(self):
        for _ in range(self.rng.randint(3, 7)):
            self.statement(3, 1, False)
        u, v = self.number(), self.number()
        self.say(
            1,
            "return "
            + self.pick(
                f"{u} + {v}",
                f"{u} * {v} - a",
                f"({u}, {v})",
                f"[{u}, (x > 0).sum(), 'left' if {self.condition()} else 'right']",
                f"{{'value': {u}, 'array': x * {v}, 'flag': flag}}",
            ),
        )
        return "\n".join(["def f(x, a, b, flag):", *self.lines])


def drawn(seed):
    """The text of a function, and the function."""
    text = Writer(seed).write()
    scope = {
        "np": np,
        "sin": adcore.sin,
        "tanh": adcore.tanh,
        "item": lambda v: v.item() if hasattr(v, "item") else v,
        "detach": lambda v: v.detach() if hasattr(v, "detach") else v,
    }
    exec(compile(text, f"<program {seed}>", "exec"), scope)
    return text, scope["f"]


def arguments(rng):
    """Numbers of which some are equal to each other, and to the constants of the functions."""
    pool = [-1.5, -1.0, -0.5, 0.0, -0.0, 0.25, 1.0, 2.0]

    def number():
        return rng.choice(pool) if rng.random() < 0.3 else rng.uniform(-2, 2)

    x = np.array([number() for _ in range(4)])
    return x, number(), number(), rng.random() < 0.5


def leaves(tree):
    """What a result is made of, in order."""
    if isinstance(tree, dict):
        return [leaf for key in tree for leaf in (key, *leaves(tree[key]))]
    if isinstance(tree, (list, tuple)):
        return [leaf for part in tree for leaf in leaves(part)]
    return [tree]


def same(got, want):
    """Whether two results are the same, numbers bit by bit."""
    if type(got) is not type(want) and isinstance(want, (dict, list, tuple, str)):
        return False
    got, want = leaves(got), leaves(want)
    if len(got) != len(want):
        return False
    for a, b in zip(got, want, strict=True):
        if isinstance(b, str):
            if a != b:
                return False
            continue
        a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
        if a.shape != b.shape or a.tobytes() != b.tobytes():
            return False
    return True


@pytest.mark.parametrize("part", range(10))
def test_never_disagrees_with_plain_python(part):
    """Values bit for bit; a fifth of the gradients, of those that are numbers."""
    for seed in range(part * N_PROGRAMS // 10, (part + 1) * N_PROGRAMS // 10):
        text, f = drawn(seed)
        rng = random.Random(seed)
        compiled = adcore.compile(f, max_paths=rng.choice([2, 3, 64]), reassociate=False)
        points = [arguments(rng) for _ in range(N_POINTS)]
        for k, point in enumerate(points):
            want, got = f(*point), compiled(*point)
            assert same(got, want), (text, point, got, want)
            if k % 5 or not isinstance(want, float):
                continue
            numbers = (0, 1, 2)
            want, got = adcore.grad(f, numbers)(*point), compiled.grad(*point, argnums=numbers)
            for a, b in zip(got, want, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12, err_msg=text)


# ---- sums whose last bit decides ----


def taken_out(x):
    total = 0.0
    for v in x:
        total = total + v * v
    return total * total.item() * x[0]


def compared(x):
    """The sum from left to right is equal to one that has its order for another reason."""
    total, same = 0.0, 0.0
    for v in x:
        total = total + v
        same = adcore.maximum(same + v, -1e300)
    return total * x[0] if total == same else total - x[0]


@pytest.mark.parametrize("f", [taken_out, compared])
def test_a_sum_whose_last_bit_decides_keeps_its_order(f, rng, tmp_path):
    """In the value, in each derivative, and in what is loaded from a file."""
    points = rng.uniform(0.0, 1.0, (12, 40))
    compiled, runs = adcore.compile(lambda x: (runs.append(0), f(x))[1]), []
    for x in points:
        v = np.cos(x)
        slope, curvature = adcore.grad(f)(x), adcore.hessian(f)(x)
        for _ in range(2):
            assert compiled(x) == pytest.approx(f(x), rel=1e-14)
            np.testing.assert_allclose(compiled.grad(x), slope, rtol=1e-12)
            np.testing.assert_allclose(compiled.hessian(x), curvature, rtol=1e-11, atol=1e-13)
            np.testing.assert_allclose(compiled.hvp((x,), (v,))[1], curvature @ v, rtol=1e-11)
            known = len(runs)
        assert compiled(x) == pytest.approx(f(x), rel=1e-14)
        assert len(runs) == known, "recorded again for the same arguments"
    compiled.save(tmp_path / "f")
    loaded = adcore.load(tmp_path / "f")
    for x in points:
        assert loaded(x) == compiled(x)
        assert np.array_equal(loaded.grad(x), compiled.grad(x))
    assert len(runs) == known
