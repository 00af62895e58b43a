"""What functions find outside of their arguments: taken out, and other values put in its place.

A derivative through a solver needs its function as one of all that it depends on, and the function
in plain numbers for the solver itself.  Arguments are given; tensors and duals that a function
closes over, has as defaults, as attributes of its object, or as globals, have to be found.  So
opened() walks through these, and what it returns makes the same functions with other values there.
What the walk does not reach (objects of foreign classes) is noticed when a function of plain
numbers gives a tracked result.
"""

import functools
import types

import numpy as np

from ._trees import flatten, is_tracked, unflatten

# What holds nothing, told by its type.
_PLAIN = {float, int, bool, str, bytes, complex, type(None), np.float64, np.ndarray}
_LIBRARIES = {"adcore", "numpy", "scipy", "builtins", "functools", "math"}


def opened(functions):
    """(leaves, rebuild): tracked values outside of the arguments of some functions.

    `rebuild(leaves)` gives the functions, a list, with other values in the places of these.  A
    function that reaches none of them is returned as it is.
    """
    walk = _Walk(functions)
    if not walk.leaves:
        return [], lambda _: list(functions)
    return walk.leaves, functools.partial(walk.rebuilt, functions)


def _top(module):
    return (module or "").partition(".")[0]


class _Walk:
    """The objects that some functions reach, and which of them reach tracked values."""

    def __init__(self, functions):
        self.parts = {}  # id -> (object, what it holds that may matter)
        self.leaves = []  # tracked values, each once
        self.packages = {_top(getattr(f, "__module__", "")) for f in functions} - _LIBRARIES
        pending = list(functions)
        while pending:
            x = pending.pop()
            if id(x) in self.parts:
                continue
            held = []
            if is_tracked(x):
                self.leaves.append(x)
            else:
                held = [v for v in self.held(x) if type(v) not in _PLAIN]
            self.parts[id(x)] = (x, held)
            pending.extend(held)
        self.reaching = {id(x) for x in self.leaves}
        grown = bool(self.leaves)
        while grown:
            new = {
                key
                for key, (_, held) in self.parts.items()
                if key not in self.reaching and any(id(h) in self.reaching for h in held)
            }
            self.reaching |= new
            grown = bool(new)

    def held(self, x):
        """What `x` holds, a list."""
        if isinstance(x, types.FunctionType):
            return [v for _, v in (*_cells(x), *self.globals(x))] + _defaults(x)
        if isinstance(x, types.MethodType):
            return [x.__func__, x.__self__]
        if isinstance(x, functools.partial):
            return [x.func, *x.args, *x.keywords.values()]
        if _is_container(x):
            return flatten(x)[0]
        return list(vars(x).values()) if self.is_own(x) else []

    def is_own(self, x):
        """Whether an object is of a class of the package that the functions are from."""
        return (
            not isinstance(x, (type, types.ModuleType))
            and isinstance(getattr(x, "__dict__", None), dict)
            and _top(type(x).__module__) in self.packages
        )

    def globals(self, f):
        """The globals that a function names: (name, value)."""
        if _top(f.__globals__.get("__name__")) in _LIBRARIES:
            return []
        return [
            (n, f.__globals__[n])
            for n in _names(f.__code__)
            if n in f.__globals__ and not isinstance(f.__globals__[n], (type, types.ModuleType))
        ]

    # -- the same with other values --

    def rebuilt(self, functions, values):
        """The functions, with `values` in place of the leaves."""
        made = {id(x): v for x, v in zip(self.leaves, values, strict=True)}
        return [self.remade(f, made) for f in functions]

    def remade(self, x, made):
        """What stands for `x`; `made` is what stands for others, by id."""
        if id(x) not in self.reaching:
            return x
        if id(x) in made:
            return made[id(x)]
        if isinstance(x, types.FunctionType):
            return self.remade_function(x, made)
        if isinstance(x, types.MethodType):
            f, owner = self.remade(x.__func__, made), self.remade(x.__self__, made)
            made[id(x)] = types.MethodType(f, owner)
        elif _is_container(x):
            leaves, structure = flatten(x)
            made[id(x)] = unflatten(structure, [self.remade(v, made) for v in leaves])
        elif isinstance(x, functools.partial):
            keywords = {k: self.remade(v, made) for k, v in x.keywords.items()}
            made[id(x)] = functools.partial(
                self.remade(x.func, made), *[self.remade(a, made) for a in x.args], **keywords
            )
        else:
            other = made[id(x)] = object.__new__(type(x))
            other.__dict__.update({k: self.remade(v, made) for k, v in vars(x).items()})
        return made[id(x)]

    def remade_function(self, f, made):
        """A function of the same code; cells that hold nothing tracked are shared with `f`."""
        cells = tuple(
            types.CellType() if _content(c) is not None and id(_content(c)) in self.reaching else c
            for c in f.__closure__ or ()
        )
        around = f.__globals__
        changed = [(n, v) for n, v in self.globals(f) if id(v) in self.reaching]
        if changed:
            around = dict(around)
        other = types.FunctionType(f.__code__, around, f.__name__, None, cells)
        made[id(f)] = other  # before what it holds, which may hold the function
        for new, old in zip(cells, f.__closure__ or (), strict=True):
            if new is not old:
                new.cell_contents = self.remade(old.cell_contents, made)
        for name, v in changed:
            around[name] = self.remade(v, made)
        if f.__defaults__:
            other.__defaults__ = tuple(self.remade(v, made) for v in f.__defaults__)
        if f.__kwdefaults__:
            other.__kwdefaults__ = {k: self.remade(v, made) for k, v in f.__kwdefaults__.items()}
        other.__dict__.update(f.__dict__)
        return other


def _is_container(x):
    return isinstance(x, (list, tuple, dict)) or (
        hasattr(type(x), "__dataclass_fields__") and not isinstance(x, type)
    )


def _content(cell):
    """What a cell holds; None if it is empty, or holds None."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _cells(f):
    named = zip(f.__code__.co_freevars, f.__closure__ or (), strict=True)
    return [(n, _content(c)) for n, c in named if _content(c) is not None]


def _defaults(f):
    return [*(f.__defaults__ or ()), *(f.__kwdefaults__ or {}).values()]


def _names(code):
    """The names of globals and attributes in some code, and in that of functions inside it."""
    names = dict.fromkeys(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names.update(dict.fromkeys(_names(constant)))
    return list(names)
