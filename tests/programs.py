"""Random programs: text that runs on plain numbers, on adcore's and on mpmath's.

A program is text: assignments, branches on values and loops.  It is drawn one line at a time, with
what every name is worth at hand, so that each line is smooth, moderate and inside its domain at the
point drawn.  The same text runs on adcore's numbers and on mpmath's at 50 digits (NumPy arrays of
objects).
"""

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

import adcore
from adcore import _core
from oracles import oracle

ROWS = [op for op in adcore.OPS if not op.hidden and not op.family]
SMOOTH = [op for op in ROWS if op.curvature != "select"]
DIGITS = 50


def examples(n):
    """The same n programs in every run."""
    return settings(
        max_examples=n,
        derandomize=True,
        deadline=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )


# ---- programs ----


class Program:
    """Lines of Python, a point to run them at, and what the names are worth there."""

    def __init__(self, point, names):
        self.point = point
        self.parameters = tuple(names)
        self.lines = []
        self.values = dict(names)
        self.namespace = {"np": np, **adcore.ops.functions}

    def __repr__(self):
        return f"{self.source()}\nat {self.point!r}"

    def source(self):
        return "\n    ".join([f"def f({', '.join(self.parameters)}):", *self.lines])

    def try_line(self, line, fits):
        """Append a line if it works and its result is fit to be used.  It binds v0, v1, ..."""
        name = f"v{len(self.lines)}"
        scope = {**self.namespace, **self.values}
        try:
            with np.errstate(all="ignore"):
                exec(line.format(name), scope)
        except (ValueError, IndexError):  # shapes that do not fit together
            return
        if fits(scope[name]):
            self.lines.append(line.format(name).replace("\n", "\n    "))
            self.values[name] = scope[name]

    def end(self, line):
        self.lines.append(line)

    def value_of(self, text):
        """What an expression is worth at the point."""
        return eval(text, {**self.namespace, **self.values})

    def bind(self, **functions):
        """The program as a function."""
        scope = {"np": np, **functions}
        exec(self.source(), scope)
        return scope["f"]


def moderate(x):
    return bool(np.all(np.isfinite(x)) and np.max(np.abs(x), initial=0) < 20)


def within(name, value, lo, hi):
    """The text of `name` squeezed into an interval where it is not there by itself."""
    value = np.asarray(value, dtype=float)
    low, high = np.min(value, initial=np.inf), np.max(value, initial=-np.inf)
    if np.size(value) == 0 or (low > lo + 0.1 and high < hi - 0.1 and low > -3 and high < 3):
        return name
    lo, hi = max(lo, -2.0), min(hi, max(lo, -2.0) + 4)
    return f"({(lo + hi) / 2:.6g} + {(hi - lo) / 2.5:.6g} * sin({name}))"


def is_steady(op, args):
    """Are the partials moderate, and is a piecewise linear op linear all around?"""
    for point in zip(*map(np.ravel, args), strict=True):
        here = _core.partials(op.name, point)
        if not moderate(here):
            return False
        if op.curvature != "select":
            continue
        value = _core.apply(op.name, *point)
        for i, slope in enumerate(here):
            for step in (-1e-3, 1e-3):
                shifted = [x + step * (i == j) for j, x in enumerate(point)]
                if abs(_core.apply(op.name, *shifted) - value - slope * step) > 1e-9:
                    return False
    return True


def draw_op(draw, program, operand, rows=ROWS):
    """One row of the table, its arguments brought into its domain."""
    op = draw(st.sampled_from(rows))
    texts = []
    for lo, hi in op.domain:
        text = operand()
        texts.append(within(text, program.value_of(text), lo, hi))
    try:
        args = np.broadcast_arrays(*[program.value_of(t) for t in texts])
    except ValueError:
        return
    if is_steady(op, args):
        program.try_line(f"{{}} = {op.name}({', '.join(texts)})", moderate)


# ---- scalar programs ----


@st.composite
def scalar_programs(draw, max_lines=9, rows=ROWS):
    """A function of one to three numbers."""
    n = draw(st.integers(1, 3))
    point = [draw(st.integers(-1900, 1900)) / 997 for _ in range(n)]
    names = ["x", "y", "z"][:n]
    program = Program(point, dict(zip(names, point, strict=True)))

    def operand():
        if draw(st.integers(0, 5)) == 0:
            return repr(draw(st.sampled_from([-1.5, -0.5, 0.25, 2.0, 3])))
        known = [*program.values]
        return known[-1 - min(draw(st.integers(0, 4)), len(known) - 1)]

    def name():
        while not (text := operand()).isidentifier():
            pass
        return text

    for _ in range(draw(st.integers(2, max_lines))):
        kind = draw(st.integers(0, 9))
        if kind < 4:
            draw_op(draw, program, operand, rows)
        elif kind < 7:
            operator = draw(st.sampled_from(["+", "-", "*", "/"]))
            a, b = name(), operand()
            if operator == "/":
                b = within(b, program.value_of(b), 0.2, 3)
            program.try_line(f"{{}} = {a} {operator} {b}", moderate)
        elif kind == 7:
            a, p = name(), draw(st.sampled_from([2, 3, -1, 0, 1, 4, -2, 2.0]))
            if p < 0:
                a = within(a, program.value_of(a), 0.2, 3)
            program.try_line(f"{{}} = {a} ** {p}", moderate)
        elif kind == 8:
            a, b, level = name(), name(), draw(st.integers(-10, 10)) / 7
            if abs(program.value_of(a) - level) > 1e-6:
                program.try_line(
                    f"if {a} > {level}:\n    {{0}} = {a} * {b} - {level}\n"
                    f"else:\n    {{0}} = {b} - sin({a})",
                    moderate,
                )
        else:
            a, b = name(), name()
            program.try_line(
                f"{{0}} = {a}\nfor i in range({draw(st.integers(1, 4))}):\n"
                f"    {{0}} = {b} * sin({{0}}) + i",
                moderate,
            )
    used = [k for k in program.values if k not in names][-2:] or names
    program.end(f"return {' + '.join([*used, f'0.5 * {names[0]} * {names[-1]}'])}")
    return program


# ---- array programs ----


def distinct(x, gap=1e-3):
    """Are no two elements nearly the same?  Only then is a choice among them smooth."""
    return np.size(x) > 0 and np.min(np.diff(np.sort(np.ravel(x))), initial=1) > gap


class ArrayProgram(Program):
    """A program in the course of being drawn."""

    def __init__(self, draw, point, names):
        super().__init__(point, names)
        self.draw = draw

    def array(self):
        """A name, one of the last more often."""
        known = [*self.values]
        return known[-1 - min(self.draw(st.integers(0, 4)), len(known) - 1)]

    def operand(self):
        """A name or a number."""
        if self.draw(st.integers(0, 5)):
            return self.array()
        return repr(self.draw(st.sampled_from([-0.5, 2.0, 1.25])))

    def line(self, text):
        """Append a line if its result is not too large in any sense."""
        self.try_line(text, lambda x: moderate(x) and np.ndim(x) <= 3 and np.size(x) <= 30)


@st.composite
def array_programs(draw, max_lines=10):
    """A function of one or two arrays with a number as its result."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    shapes = draw(
        st.lists(
            st.sampled_from([(3,), (2, 3), (4,), (3, 2), (1, 3), (2, 1, 2)]), min_size=1, max_size=2
        )
    )
    names = ["x", "y"][: len(shapes)]
    point = [rng.uniform(-1.5, 1.5, s).round(3) for s in shapes]
    program = ArrayProgram(draw, point, dict(zip(names, point, strict=True)))
    for _ in range(draw(st.integers(3, max_lines))):
        draw(st.sampled_from(ARRAY_LINES))(program)
    used = [k for k in program.values if k not in names][-3:] or names
    weighed = [
        f"np.sum({k} * np.cos(np.arange({np.size(program.values[k])}.0)"
        f".reshape({np.shape(program.values[k])})))"
        for k in used
    ]
    program.end(f"return {' + '.join(weighed)} + np.sum(x * x)")
    return program


def op_line(w):
    texts = iter([w.array(), w.operand(), w.operand()])
    draw_op(w.draw, w, lambda: next(texts))


def operator_line(w):
    a, b = w.array(), w.operand()
    operator = w.draw(st.sampled_from(["+", "-", "*", "/"]))
    if operator == "/":
        b = within(b, w.value_of(b), 0.2, 3)
    w.line(f"{{}} = {a} {operator} {b}")


def slice_line(w):
    a = w.array()
    parts = "1:|:-1|::-1|::2|...|None, :|0|-1|..., None|:0|..., 0|-1:0:-1|None"
    key = w.draw(st.sampled_from(parts.split("|")))
    if np.ndim(w.values[a]) > 1 and w.draw(st.booleans()):
        key = (
            f"{w.draw(st.sampled_from(['1:', '::-1', '0', ':']))}, "
            f"{w.draw(st.sampled_from(['1:', '::-1', '0', 'None', '::2']))}"
        )
    if np.ndim(w.values[a]) > 0:
        w.line(f"{{}} = {a}[{key}]")


def fancy_line(w):
    a = w.array()
    value = w.values[a]
    if np.ndim(value) == 0 or 0 in np.shape(value):
        return
    n = np.shape(value)[0]
    index = [w.draw(st.integers(-n, n - 1)) for _ in range(w.draw(st.integers(1, 4)))]
    way = w.draw(st.integers(0, 2))
    if way == 0:
        w.line(f"{{}} = {a}[{index}]")
    elif way == 1 and np.ndim(value) > 1:
        m = np.shape(value)[1]
        other = [w.draw(st.integers(-m, m - 1)) for _ in index]
        w.line(f"{{}} = {a}[{index}, {other}]")
    elif np.min(np.abs(value - 0.123)) > 1e-3:
        w.line(f"{{}} = {a}[{a} > 0.123]")


def reduction_line(w):
    a = w.array()
    value = w.values[a]
    names = ["sum", "mean", "prod", "max", "min", "var", "cumsum", "cumprod"]
    name = w.draw(st.sampled_from(names))
    axis = w.draw(st.integers(-np.ndim(value), np.ndim(value) - 1)) if np.ndim(value) else None
    if (axis is not None and np.shape(value)[axis] == 0) or np.ndim(value) == 0:
        return
    if name in ("max", "min") and not distinct(value):
        return
    if name.startswith("cum") or w.draw(st.booleans()):
        keep = not name.startswith("cum") and w.draw(st.booleans())
        w.line(f"{{}} = np.{name}({a}, axis={axis}{', keepdims=True' if keep else ''})")
    elif np.size(value):
        w.line(f"{{}} = np.{name}({a})")


def shape_line(w):
    a = w.array()
    size = np.size(w.values[a])
    forms = [
        f"np.transpose({a})",
        f"np.reshape({a}, -1)",
        f"np.ravel(np.transpose({a}))",
        f"np.flip({a})",
        f"np.roll({a}, 1)",
        f"np.repeat({a}, 2)",
        f"np.tile({a}, 2)",
        f"np.expand_dims({a}, 0)",
        f"np.broadcast_to({a}, (2, *np.shape({a})))",
        f"np.reshape({a}, (2, -1))" if size % 2 == 0 and size else f"np.reshape({a}, (1, -1))",
    ]
    if np.ndim(w.values[a]) >= 1:
        forms += [
            f"{a}.T",
            f"np.diff({a})",
            f"np.concatenate([{a}, {a}[::-1]])",
            f"np.stack([{a}, {a}], 1)",
        ]
    if np.ndim(w.values[a]) == 2:
        forms += [f"np.tril({a})", f"np.triu({a}, 1)", f"np.diagonal({a})"]
    if np.ndim(w.values[a]) == 1:
        forms += [f"np.diag({a})", f"np.outer({a}, {a})"]
    if distinct(w.values[a]) and np.ndim(w.values[a]):
        forms += [f"np.sort({a})"]
    w.line(f"{{}} = {w.draw(st.sampled_from(forms))}")


def product_line(w):
    a, b = w.array(), w.array()
    left, right = w.values[a], w.values[b]
    if np.ndim(left) == 0:
        return
    forms = [
        f"{a} @ np.swapaxes({a}, -1, -2)" if np.ndim(left) > 1 else f"{a} @ {a}",
        f"np.einsum('...i,...i->...', {a}, {a})",
        f"np.kron({a}, {a})",
    ]
    if np.ndim(right):
        forms += [f"{a} @ {b}"] * 3 + [f"np.dot({a}, {b})", f"np.inner({a}, {b})"]
        forms += [f"np.tensordot({a}, {b}, 1)", f"np.outer({a}, {b})"]
    if np.ndim(left) == 2:
        forms += [f"np.trace({a})", f"np.einsum('ij,kj->ik', {a}, {a})"]
    w.line(f"{{}} = {w.draw(st.sampled_from(forms))}")


def join_line(w):
    a, b = w.array(), w.array()
    left, right = w.values[a], w.values[b]
    if (
        np.ndim(left)
        and np.ndim(left) == np.ndim(right)
        and np.shape(left)[1:] == np.shape(right)[1:]
    ):
        w.line(f"{{}} = np.concatenate([{a}, 2.0 * {b}, {a}])")
    elif np.shape(left) == np.shape(right):
        w.line(f"{{}} = np.stack([{a}, {b}], axis=-1)")
    elif np.ndim(left):
        w.line(f"{{}} = np.hstack([np.ravel({b}), np.ones(2), np.ravel({a})])")


def where_line(w):
    a, b = w.array(), w.operand()
    value = w.values[a]
    if np.size(value) and np.min(np.abs(value - 0.2)) > 1e-3:
        w.line(f"{{}} = np.where({a} > 0.2, {a} * {b}, 3.0 - {a})")


def assignment_line(w):
    a, b = w.array(), w.array()
    value = w.values[a]
    if np.ndim(value) == 0 or np.size(value) == 0:
        return
    c = f"np.sum({b})" if np.size(w.values[b]) else "0.5"
    bodies = [
        f"{{0}} = np.zeros_like({a})\nfor i in range(len({a})):\n"
        f"    {{0}}[i] = {a}[i] * {c} + 0.5 * {{0}}[i - 1]",
        f"{{0}} = np.copy({a})\nfor i in range(1, len({a})):\n    {{0}}[i] = {{0}}[i - 1] * {a}[i]",
        f"{{0}} = np.copy({a})\n{{0}}[::2] = {c}\n{{0}}[-1] = {{0}}[0] * {{0}}[0]",
        f"{{0}} = np.copy({a})\n{{0}}[[0, -1]] = {a}[[-1, 0]]\n{{0}}[...] = {{0}} * {{0}}[::-1]",
        f"{{0}} = np.ones_like({a})\n{{0}}[0] = {a}[-1]\n{{0}} = {{0}} * {a}",
        f"{{0}} = np.copy({a})\n{{0}} += {a} * {{0}}\n{{0}}[1:] *= 2.0\n{{0}}[0] -= {c}",
        f"{{0}} = np.stack([sin(t) * t + {c} for t in np.ravel({a})])",
        f"{{0}} = {c}\nfor row in {a}:\n    {{0}} = {{0}} * 0.5 + np.sum(row)",
    ]
    if np.min(np.abs(value - 0.123)) > 1e-3:
        bodies += [f"{{0}} = np.copy({a})\n{{0}}[{a} > 0.123] = {c}"]
    w.line(w.draw(st.sampled_from(bodies)))


ARRAY_LINES = [
    op_line,
    op_line,
    operator_line,
    slice_line,
    fancy_line,
    reduction_line,
    shape_line,
    product_line,
    join_line,
    where_line,
    assignment_line,
]


def flat(parts):
    """Arrays as one vector."""
    return np.concatenate([np.ravel(p) for p in parts])


# ---- what is true ----


def matrix(blocks, sizes):
    """Blocks of second derivatives, one per pair of arguments, as one matrix."""
    return np.block(
        [
            [np.reshape(b, (m, n)) for b, n in zip(row, sizes, strict=True)]
            for row, m in zip(blocks, sizes, strict=True)
        ]
    )


def exact(program, point, direction, order):
    """Derivatives 0 .. order of the program along a direction, by mpmath, as floats."""
    f = program.bind(**mp_functions())
    with mp.workdps(DIGITS):
        at = mp_point(point)
        v = mp_point(direction)

        def along(t):
            return mpf(f(*[x + t * d for x, d in zip(at, v, strict=True)]))

        return [float(c * mp.factorial(k)) for k, c in enumerate(mp.taylor(along, 0, order))]


def mp_functions():
    """Every row of the table on mpmath's numbers and on arrays of them."""
    return {op.name: elementwise(oracle(op.name), op.n_args) for op in ROWS}


def elementwise(function, n_args):
    """A function of mpmath's numbers, on arrays of them too; floats are taken exactly."""

    def on_numbers(*args):
        return function(*map(mpf, args))

    on_arrays = np.frompyfunc(on_numbers, n_args, 1)

    def apply(*args):
        return (on_arrays if any(isinstance(a, np.ndarray) for a in args) else on_numbers)(*args)

    return apply


def mp_point(point):
    return [np.vectorize(mpf, otypes=[object])(x) if np.ndim(x) else mpf(float(x)) for x in point]


def close(got, want, scale, what, digits=8):
    """Equal to so many digits, relative to the largest number that went into it, or to 1."""
    got, want = np.asarray(got, dtype=float), np.asarray(want, dtype=float)
    assert got.shape == want.shape, (what, got.shape, want.shape)
    error = np.max(np.abs(got - want), initial=0)
    assert error <= 10.0**-digits * (1 + scale), (what, got, want)
