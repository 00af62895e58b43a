"""Random functions of arrays and numbers that do all that the tape knows, and branch while at it.

A function is text, drawn one statement at a time from a seed; each line is tried with plain NumPy
at a point first, which tells the shapes of what it binds.  What the text does at other points is
for NumPy to say, an error included.
"""

import random

import numpy as np

import adcore
from adcore.scipy import special

# Numbers at which something happens: kinks, signs of zero, overflow, underflow.
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, np.inf, -np.inf, np.nan, 1e300, -1e300, 1e-300, 5e-324]
LEVELS = ["-1.0", "-0.5", "0.0", "0.5", "1.0"]
MOST_ELEMENTS = 40


def item(v):
    """A number taken out."""
    return v.item() if hasattr(v, "item") else v


def detach(v):
    """A value that is a constant to derivatives."""
    return v.detach() if hasattr(v, "detach") else v


class Table:
    """A constant array and a number that functions close over."""

    def __init__(self, rng):
        self.row = rng.normal(size=3)
        self.square = rng.normal(size=(3, 3))
        self.rate = 0.75


def scope_of(seed):
    """The names that a program's text uses."""
    functions = {k: adcore.ops.functions[k] for k in ("sin", "tanh", "exp", "log", "sqrt")}
    table = Table(np.random.default_rng(seed))
    modules = {"np": np, "special": special}
    return {**modules, "item": item, "detach": detach, "table": table, **functions}


class Writer:
    """A function in the course of being written."""

    def __init__(self, seed, smooth=False):
        self.rng = random.Random(seed)
        self.smooth = smooth
        self.lines = []
        self.scope = scope_of(seed)
        n = self.rng.choice([1, 2, 3, 3, 4, 7])
        rng = np.random.default_rng(seed)
        shape = self.rng.choice([(2, 3), (3, 3), (3, 1), (1, 4), (2, 2, 2)])
        self.point = [rng.normal(size=n), rng.normal(size=shape), rng.normal(), rng.normal()]
        self.values = dict(
            zip(
                "xMab",
                [np.array(p) if np.ndim(p) else np.float64(p) for p in self.point],
                strict=True,
            )
        )
        self.made = []
        self.count = 0

    # -- choices --

    def pick(self, *options):
        return self.rng.choice(options)

    def named(self, fits):
        names = [k for k, v in self.values.items() if fits(v)]
        recent = names[-4:] if self.rng.random() < 0.6 else names
        return self.rng.choice(recent)

    def number(self):
        r = self.rng.random()
        if r < 0.15:
            return self.pick(*LEVELS, "2", "3", "table.rate")
        if r < 0.35:
            return self.element()
        return self.named(lambda v: np.ndim(v) == 0)

    def element(self):
        name = self.named(lambda v: np.ndim(v) > 0 and np.size(v) > 0)
        index = [str(self.rng.randrange(-n, n)) for n in np.shape(self.values[name])]
        return f"{name}[{', '.join(index)}]"

    def array(self):
        return self.named(lambda v: np.ndim(v) > 0 and np.size(v) > 0)

    def any(self):
        return self.number() if self.rng.random() < 0.4 else self.array()

    def shape(self, name):
        return np.shape(self.values[name])

    # -- expressions --

    def scalar(self):
        u, v, w = self.number(), self.number(), self.number()
        A, B = self.array(), self.array()
        level = self.pick(*LEVELS)
        return self.pick(
            f"{u} + {v} * {w}",
            f"{u} * {v} - {w}",
            f"{u} / (1.0 + {v} * {v})",
            f"{u} / {v}",
            f"tanh({u}) * {v}",
            f"sin({u} + {v})",
            f"exp(-{u} * {u})",
            f"log(1.0 + {u} * {u})",
            f"sqrt(abs({u}))",
            f"abs({u}) - {v}",
            f"{u} ** {self.pick('2', '3', '-1', '0', '1', '2.0', '0.5', '-2', '1.5')}",
            f"(1.0 + {u} * {u}) ** {v}",
            f"min({u}, {v}) + {w}",
            f"max({u}, {v}, {w})",
            f"({u} if {self.condition()} else {v})",
            f"detach({u}) * {v}",
            f"item({u}) * {v} + {u}",
            f"np.sum({A})",
            f"np.sum({A} * {u})",
            f"np.mean({A} * {A}) - {v}",
            f"np.max({A})",
            f"np.min({A}) * {u}",
            f"np.prod({A})",
            f"np.var({A})",
            f"np.std({A})",
            f"np.linalg.norm({A}) * {u}",
            f"np.sum({A}[{A} > {level}]) + {u}",
            f"np.sum(np.where({A} > {level}, {A} * {u}, {v}))",
            f"np.sum(np.where({A} > 0, sqrt({A}), -{A}))",
            f"np.sum(np.maximum({A}, {u}))",
            f"np.sum(np.clip({A}, -0.5, {self.pick('0.5', '1.0')})) * {u}",
            f"({A} > {u}).sum() * {v}",
            f"np.sum({A} == {u}) + {v}",
            f"np.sum(np.sort({A}, axis=None)[:1]) * {u}",
            f"np.ravel({A})[np.argmax({A})] * {u}",
            f"np.hypot({u}, {v})",
            f"np.arctan2({u}, {v})",
            f"np.copysign({u}, {v})",
            f"np.floor({u}) * {v}",
            f"np.fmod({u}, 1.5) + {v} % 2.0",
            f"np.sign({u}) * {v} * {v}",
            f"np.logaddexp({u}, {v})",
            f"np.heaviside({u}, 0.5) * {v}",
            f"sum([t * {u} for t in np.ravel({B})])",
            f"np.dot(np.ravel({A}), np.ravel({A})) * {u}",
            f"sum(np.ravel({A})[i] * i for i in range({np.size(self.values[A])}))",
        )

    def vector(self):
        A, B = self.array(), self.any()
        n = np.shape(self.values[A])[0]
        u = self.number()
        level = self.pick(*LEVELS)
        axis = self.rng.randrange(-np.ndim(self.values[A]), np.ndim(self.values[A]))
        index = [self.rng.randrange(-n, n) for _ in range(self.rng.randint(1, 4))]
        key = self.pick(
            "1:",
            ":-1",
            "::-1",
            "::2",
            "...",
            "None",
            "..., -1",
            "0",
            "..., ::-1",
            ":0",
            "-1:0:-1",
            "[-1]",
            str(index),
            f"np.array({index})",
            "..., None",
            "[[0], [-1]]",
        )
        return self.pick(
            f"{A} + {B}",
            f"{A} * {B}",
            f"{A} - {B} * {u}",
            f"{A} / (1.0 + {A} * {A})",
            f"{B} / (0.5 + {A} ** 2)",
            f"{u} / {A}",
            f"tanh({A}) + {u}",
            f"sin({A} * {u})",
            f"np.abs({A})",
            f"np.maximum({A}, {B})",
            f"np.minimum({A}, {B})",
            f"np.fmax({A}, {B})",
            f"np.clip({A}, {level}, 1.0)",
            f"-{A}",
            f"{A} ** {self.pick('2', '3', '-1', '0', '0.5', '1')}",
            f"(1.0 + {A} * {A}) ** {B}",
            f"np.where({A} > {level}, {A} * {B}, {u})",
            f"np.where({A} >= {B}, {A}, {B})",
            f"np.where({A} > 0.0, np.log({A}), {A})",
            f"np.where(np.isfinite({A}), {A}, 0.0)",
            f"{A}[{key}]",
            f"{A}[{key}]",
            f"{A}[{key}]",
            f"np.cumsum({A})",
            f"np.cumsum({A}, axis={axis})",
            f"np.cumprod({A}, axis={axis})",
            f"np.sum({A}, axis={axis})",
            f"np.sum({A}, axis={axis}, keepdims=True)",
            f"np.mean({A}, axis={axis})",
            f"np.max({A}, axis={axis})",
            f"np.min({A}, axis={axis}, keepdims=True)",
            f"np.prod({A}, axis={axis})",
            f"np.concatenate([{A}, {A} * {u}], axis={axis})",
            f"np.stack([{A}, {A} - {u}], axis={axis})",
            f"np.concatenate([np.ravel({A}), np.ravel({B})])",
            f"np.stack([{u} * 1.0, {self.number()} * 1.0])",
            f"{A} @ {self.array()}",
            f"{A} @ {A}.T",
            f"np.dot({A}, {self.array()})",
            f"np.einsum('...i,...i->...', {A}, {A})",
            f"np.outer({A}, {self.array()})",
            f"np.einsum('i...,i...->...', {A}, {A})",
            f"np.tensordot({A}, {self.array()}, 1)",
            f"{A}.T",
            f"np.reshape({A}, -1)",
            f"np.roll({A}, 1)",
            f"np.repeat({A}, 2)",
            f"np.diff({A})",
            f"np.tile({A}, 2)",
            f"np.flip({A})",
            f"np.sort({A})",
            f"np.broadcast_to({A}, (2, *np.shape({A})))",
            f"np.zeros_like({A}) + {u}",
            f"{A} + table.row",
            f"table.square @ {A}",
            f"{A} @ table.square",
            f"{A} * table.rate",
            f"np.triu({A})",
            f"np.diag({A})",
            f"np.diagonal({A})",
            f"np.take({A}, {index})",
            f"np.take({A}, {index}, axis=0)",
            f"detach({A}) * {B}",
            f"np.hypot({A}, {B})",
            f"np.floor({A}) + {A}",
            f"np.sign({A}) * {B}",
            f"np.logaddexp({A}, {B})",
            f"np.expand_dims({A}, 0)",
            f"np.atleast_2d({A})",
            f"np.swapaxes({A}, 0, -1)",
            f"np.moveaxis({A}, 0, -1)",
            f"np.squeeze({A})",
            f"({A} > {u}) * {A}",
            f"({A} > {level}) + 0.0",
            f"1.0 - ({A} < {B})",
            f"np.pad({A}, 1)",
            f"np.trace({A}) * {A}",
            f"np.arctan2({A}, {B})",
            f"np.copysign({A}, {B})",
            f"np.fmod({A}, 1.5)",
            f"{A} % 1.5",
            f"{A} // 0.5 * {A}",
            f"np.square({A})",
            f"np.reciprocal({A})",
            f"np.cbrt({A})",
            f"np.ptp({A}, axis={axis}) + {u}",
            f"np.split({A}, [1])[{self.pick('0', '-1')}]",
            f"np.select([{A} > 1, {A} > 0], [{A}, {A} * {A}], {u})",
            f"np.delete({A}, 0, axis=0)",
            f"np.append({A}, {u})",
        )

    def ordered(self):
        """Where things stand depends on their values."""
        A, B, u = self.array(), self.array(), self.number()
        n = np.shape(self.values[A])[0]
        axis = self.rng.randrange(-np.ndim(self.values[A]), np.ndim(self.values[A]))
        return self.pick(
            f"np.ravel({A})[np.argsort(np.ravel({A}))] * {u}",
            f"{A}[np.argsort({A}, axis=0)]",
            f"np.take_along_axis({A}, np.argsort({A}, axis={axis}), {axis})",
            f"np.take_along_axis({A}, np.argsort(-{A} * {A}, axis={axis}), axis={axis})",
            f"np.take_along_axis({A}, np.expand_dims(np.argmax({A}, axis={axis}), {axis}), {axis})",
            f"np.sort({A}, axis={axis}) * {u}",
            f"np.sort({A}, axis=None)[::-1]",
            f"{A}[np.argmax(np.ravel({B})) % {n}] + {u}",
            f"np.ravel({A})[np.argmin({A}):]",
            f"np.ravel({A})[[np.argmin({A}), np.argmax({A})]]",
            f"{A}[({A} > {u}).sum() % {n}]",
            f"np.ravel({A})[np.argsort(np.argsort(np.ravel({A}), kind='stable'))]",
            f"np.median({A}, axis={axis}) + {u}",
            f"np.partition(np.ravel({A}), 0)[:1]",
            f"np.ravel({A})[np.searchsorted(np.sort(np.ravel({A})), {u}) % {n}] * {u}",
            f"np.percentile({A}, 30.0, axis={axis})",
            f"np.interp({A}, [-1.0, 0.0, 2.0], [0.5, 1.0, -1.0])",
            f"np.cumsum(np.sort(np.ravel({A})))[np.argsort(np.ravel({A}), kind='stable')]",
        )

    def solved(self):
        """Linear algebra of matrices that are far from singular, and not symmetric by accident."""
        square = [
            k
            for k, v in self.values.items()
            if np.ndim(v) == 2 and v.shape[0] == v.shape[1] and v.shape[0] < 5
        ]
        M = self.pick(*square) if square and self.rng.random() < 0.5 else "table.square"
        n = np.shape(self.values.get(M, np.zeros((3, 3))))[0]
        u = self.number()
        near = f"({M} / 8.0 + {self.pick('2.0', '3.0')} * np.eye({n}) + sin({u}) / 8.0)"
        positive = f"({M} @ {M}.T / 8.0 + (1.5 + abs({u})) * np.eye({n}))"
        right = f"np.resize({self.array()}, {self.pick(f'({n},)', f'({n}, 2)')})"
        right = self.pick(right, f"{M}", f"{M}[0]", f"np.ones({n}) * {u}")
        return self.pick(
            f"np.linalg.solve({near}, {right})",
            f"np.linalg.solve({near}.T, {right})",
            f"np.linalg.inv({near})",
            f"np.linalg.cholesky({positive})",
            f"np.linalg.slogdet({near})[1] * {u}",
            f"np.linalg.slogdet({near}).logabsdet",
            f"np.linalg.det({near})",
            f"np.linalg.solve({positive}, {right})",
            f"np.linalg.eigvalsh({positive}).sum()",
            f"np.linalg.matrix_power({near}, 3)",
        )

    def special(self):
        A, u = self.any(), self.number()
        positive, unit = f"(0.5 + {A} * {A})", f"(0.5 + 0.4 * np.tanh({A}))"
        return self.pick(
            f"special.erf({A})",
            f"special.expit({A}) * {u}",
            f"special.gammaln({positive})",
            f"special.digamma({positive})",
            f"special.gamma({positive} / 4.0)",
            f"special.beta({positive}, 1.0 + {u} * {u})",
            f"special.betaln({positive}, 1.5)",
            f"special.j0({A}) - {u}",
            f"special.jv(1.5, {positive})",
            f"special.i0e({A})",
            f"special.k1({positive})",
            f"special.xlogy({A}, {positive})",
            f"special.xlogy({A} * {A}, {A} * {A})",
            f"special.logsumexp({A})",
            f"special.logsumexp({A} * {u}, axis=-1)",
            f"special.softmax({A})",
            f"special.log_softmax({A} * 2.0)",
            f"special.ndtr({A})",
            f"special.log_ndtr({A})",
            f"special.ndtri({unit})",
            f"special.gammainc(1.5, {positive})",
            f"special.betainc(1.5, 2.5, {unit})",
            f"special.entr({A} * {A})",
            f"special.rel_entr({positive}, {unit})",
            f"special.logit({unit})",
            f"special.erfcx({A})",
            f"special.zeta(1.5 + {positive})",
            f"special.polygamma(1, {positive})",
            f"special.exp1({positive})",
            f"special.huber(1.0, {A})",
        )

    def imaginary(self):
        """Real numbers by way of complex ones."""
        A, B, u = self.array(), self.any(), self.number()
        z = self.pick(
            f"({A} + 1j * {B})", f"({A} * (1.0 - 2.0j) + {u})", f"({A} * np.exp(1j * {u}))"
        )
        w = self.pick(f"({B} - 0.5j)", f"np.conj({z})", f"(1j * {u} + 1.0)")
        return self.pick(
            f"np.abs({z})",
            f"({z} * {w}).real",
            f"({z} * {w}).imag",
            f"({z} / (2.5 + {w} * np.conj({w}))).real",
            f"np.angle({z} + 3.0)",
            f"np.exp(-1j * {A}).imag * {B}",
            f"np.sum({z} * np.conj({z})).real",
            f"np.real(np.sqrt({z}))",
            f"({z} ** 2).imag",
            f"np.cumsum({z}).real",
            f"np.abs(np.fft.fft({A}))",
            f"np.fft.ifft(np.fft.fft({A}) * {u}).real",
            f"np.where({A} > 0, {z}, {w}).imag",
            f"np.log({z} * {z}).real",
            f"np.imag(np.sin({z}))",
            f"{z}[::-1].imag + {u}",
        )

    def condition(self):
        u, v = self.number(), self.number()
        A = self.array()
        order = self.pick("<", "<=", ">", ">=", "==", "!=")
        level = self.pick(*LEVELS)
        return self.pick(
            f"({u} {order} {v})",
            f"({u} {order} {level})",
            f"({level} < {u} <= {v})",
            f"({u} < {v} and {v} < {level})",
            f"(not {u} >= {v})",
            f"bool(({A} > {level}).any())",
            f"bool(np.all({A} <= {level}))",
            f"(({A} > {u}).sum() > 1)",
            f"(item({u}) {order} {level})",
            f"(np.max({A}) {order} {level})",
            f"bool(np.isfinite({u}))",
        )

    # -- statements --

    def attempt(self, lines, names):
        """Append lines if they work and what they bind is of a handy size."""
        text = "\n".join(lines)
        trial = {**self.scope, **{k: np.copy(v)[()] for k, v in self.values.items()}}
        try:
            with np.errstate(all="ignore"):
                exec(text, trial)
        except Exception:  # shapes that do not fit together
            return False
        for name in names:
            v = trial[name]
            if not isinstance(v, (np.ndarray, np.floating, float)) or np.size(v) > MOST_ELEMENTS:
                return False
            if np.ndim(v) > 4 or np.asarray(v).dtype != np.float64 or np.size(v) == 0:
                return False
            if not np.all(np.abs(v) < 50):
                return False
        for name in names:
            v = trial[name]
            self.values[name] = np.float64(v) if np.ndim(v) == 0 else v
            if name not in self.made:
                self.made.append(name)
        self.lines += lines
        return True

    def new(self):
        self.count += 1
        return f"v{self.count}"

    def statement(self):
        kind = self.rng.randint(0, 19)
        name = self.new()
        expression = self.scalar if self.rng.random() < 0.4 else self.vector
        if self.rng.random() < 0.3:
            expression = self.pick(self.ordered, self.solved, self.special, self.imaginary)
        if kind < 9:
            self.attempt([f"{name} = {expression()}"], [name])
        elif kind < 12:
            self.branch(name)
        elif kind == 12:
            body = f"    {name} = {name} * 0.5 + {self.scalar()}"
            count = self.pick("range(3)", "range(int((x > 0).sum()))", "x", "[a, b]", "np.ravel(M)")
            self.attempt(
                [
                    f"{name} = {self.number()} * 1.0",
                    f"for t in {count}:",
                    body,
                    f"    {name} = {name} + t * 0.25",
                ],
                [name],
            )
        elif kind == 13:
            start = self.number()
            self.attempt(
                [
                    f"{name} = {start} * 1.0",
                    "k = 0",
                    f"while {name} < {self.pick(*LEVELS)} and k < 4:",
                    f"    {name} = {name} + abs({self.number()}) + 0.1",
                    "    k += 1",
                ],
                [name],
            )
        elif kind < 17:
            self.assignment(name)
        elif kind == 17:
            inner = self.pick(
                f"t * {self.number()} + {self.number()}",
                f"sin(t) * {self.number()}",
                f"t if t > {self.number()} else t * t",
                f"t / (1 + t * t) - {self.array()}.sum()",
            )
            self.attempt(
                [
                    f"g{name} = lambda t: {inner}",
                    f"{name} = g{name}(g{name}({self.number()})) + g{name}({self.number()})",
                ],
                [name],
            )
        elif kind == 18:
            self.attempt(
                [
                    f"{name} = {expression()}",
                    f"{name} = {name} + {name} * {self.number()}",
                    f"{name} = {name} - {self.number()}",
                ],
                [name],
            )
        else:
            A = self.array()
            self.attempt(
                [f"{name} = np.copy({A})", f"{name} += {self.any()}", f"{name} *= {self.any()}"],
                [name],
            )

    def branch(self, name):
        make = self.scalar if self.rng.random() < 0.5 else self.vector
        first, second = make(), make()
        for text in (first, second):
            if not self.attempt([], []) or not self._shape_of(text):
                return
        if self._shape_of(first) != self._shape_of(second):
            A = self.array()
            first, second = f"{A} * {self.number()}", f"{A} + {A} * {A}"
        lines = [f"if {self.condition()}:", f"    {name} = {first}"]
        if self.rng.random() < 0.3:
            lines += [f"elif {self.condition()}:", f"    {name} = {second}"]
        lines += ["else:", f"    {name} = {second}"]
        self.attempt(lines, [name])

    def _shape_of(self, text):
        trial = {**self.scope, **self.values}
        try:
            with np.errstate(all="ignore"):
                return ("ok", *np.shape(eval(text, trial)))
        except Exception:
            return None

    def assignment(self, name):
        A = self.array()
        B = self.any()
        n = self.shape(A)[0]
        u = self.number()
        i, j = self.rng.randrange(-n, n), self.rng.randrange(-n, n)
        start = self.pick("np.copy({})", "np.zeros_like({})", "{} * 1.0", "np.ones_like({})")
        lines = [f"{name} = {start.format(A)}"]
        for _ in range(self.rng.randint(1, 3)):
            change = self.pick(
                f"[{i}] = {u}",
                f"[{i}] = {name}[{j}] * {u}",
                f"[...] = {B}",
                f"[{i}] += {u}",
                f"[{A} > {self.pick(*LEVELS)}] = {u}",
                f"[{name} > 0.1] *= {u}",
                f"[1:] = {name}[:-1] * {u}",
                f"[::2] = {u}",
                f"[[0, -1]] = {A}[[-1, 0]]",
                f"[::-1] = {name} * {A}",
                f"[..., 0] = {u}",
                f"[{i}] = {A}[{j}]",
                f"[..., ::-1] -= {name}",
                f"[[{i}, {j}]] += {u}",
                f"[np.argmax(np.ravel({A})) % {n}] = {u}",
            )
            lines += [name + change]
        if self.rng.random() < 0.3:
            lines += [f"for i in range(1, {n}):", f"    {name}[i] = {name}[i - 1] * {u} + {A}[i]"]
        self.attempt(lines, [name])

    def write(self):
        target = self.rng.randint(3, 12)
        for _ in range(target * 3):
            if len(self.made) >= target:
                break
            self.statement()
        used = self.made[-4:] or ["x"]
        terms = [
            k
            if np.ndim(self.values[k]) == 0
            else f"np.sum({k} * np.cos(np.arange({np.size(self.values[k])}.0)"
            f".reshape({self.shape(k)})))"
            for k in used
        ]
        self.terms = terms
        return terms


def flat(tree):
    """The leaves of nested containers, in order."""
    if isinstance(tree, dict):
        return [leaf for key in tree for leaf in flat(tree[key])]
    if isinstance(tree, (list, tuple)):
        return [leaf for part in tree for leaf in flat(part)]
    return [tree]


class Drawn:
    """A drawn function: `scalar` returns one number, `parts` a container of several results."""

    def __init__(self, seed):
        writer = Writer(seed)
        terms = writer.write()
        self.seed, self.point = seed, writer.point
        body = ["def scalar(x, M, a, b):", *writer.lines, "return " + " + ".join(terms)]
        last = ", ".join(writer.made[-3:] or ["x"])
        other = [
            "def parts(x, M, a, b):",
            *writer.lines,
            f"return {{'sum': {terms[-1]}, 'all': [{last}], 'tail': ({terms[0]}, 7, 'text')}}",
        ]
        self.text = "\n    ".join("\n".join(body).split("\n"))
        scope = scope_of(seed)
        exec(compile(self.text, f"<wild {seed}>", "exec"), scope)
        self.scalar = scope["scalar"]
        exec(compile("\n    ".join("\n".join(other).split("\n")), f"<wild {seed}>", "exec"), scope)
        self.parts = scope["parts"]

    def points(self, n):
        """Points near and far, at kinks, with infinities and nan, some of them twice."""
        rng = np.random.default_rng(self.seed + 1)
        found = [self.point]
        while len(found) < n:
            kind = rng.integers(0, 8)
            if kind == 0:
                found.append(found[rng.integers(0, len(found))])
                continue
            point = []
            for p in self.point:
                p = np.asarray(p)
                if kind < 3:
                    q = p + rng.normal(0, 0.4, p.shape)
                elif kind < 5:
                    q = np.round(rng.normal(0, 1.2, p.shape) * 2) / 2
                elif kind == 5:
                    q = rng.permutation(p.ravel()).reshape(p.shape) * rng.choice([-1.0, 1.0])
                elif kind == 6:
                    q = np.where(rng.random(p.shape) < 0.3, rng.choice(SPECIAL, p.shape), p)
                else:
                    q = np.full(p.shape, rng.choice([0.0, -0.0, 1.0]))
                point.append(np.array(q) if p.ndim else float(q))
            found.append(point)
        return found
