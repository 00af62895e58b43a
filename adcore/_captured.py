"""What functions find outside of their arguments, made arguments: tracked tensors and duals.

captured(tree) looks for tensors and duals in containers, in the closures, defaults and globals of
Python functions, in partial(), in methods and in the attributes of objects, and gives them as a
list of leaves with a recipe: recipe(values) is the tree again, with values in their places.
Functions are built anew from the same code, with cells of their own for what is replaced; what has
no tensor below it is used as it is, so that a function may still write to it.

The recipe holds no tensor that is being recorded: a tape may keep it.
"""

import builtins
import functools
import types

import numpy as np

from ._core import Dual, Tensor
from .errors import NotDifferentiableError

MOST = 100_000  # objects that are looked at; a tensor behind more of them is not found
# Objects of these packages are not looked into, unless their type says so; nor their globals.
_CLOSED = ("adcore", "numpy", "scipy")
_PLAIN = (int, float, complex, bool, str, bytes, type(None), type, types.ModuleType, range)
_PLAIN += (types.BuiltinFunctionType, property, staticmethod, classmethod)
_NUMBERS = frozenset((int, float, bool, str, type(None), np.float64, np.ndarray))


def captured(tree):
    """(leaves, recipe): what is tracked in a tree of functions and other objects.

    recipe(values), with one value per leaf, is the tree with values in place of the leaves.
    """
    if type(tree) is tuple and all(map(_is_free, tree)):
        return [], _Constant(tree)  # the commonest case, told soon
    return _Search().found(tree)


def _is_free(x):
    """Whether there is surely no tensor behind a number, or a function of modules and numbers."""
    kind = type(x)
    if kind is types.FunctionType:
        if x.__closure__ or x.__defaults__ or x.__kwdefaults__:
            return False
        names = x.__globals__
        return all(isinstance(names.get(n), _PLAIN) for n in _names_in(x.__code__))
    return kind in _NUMBERS or (kind is tuple and _NUMBERS.issuperset(map(type, x)))


class _Search:
    def __init__(self):
        self.leaves = []
        self.objects = {}  # id -> (object, kind, parts); it keeps the objects, and so their ids
        self.above = {}  # id -> ids of the objects that it is a part of
        self.reached = set()  # ids of what has something tracked below it

    def found(self, tree):
        self._look(tree)
        if not self.leaves:
            return [], _Constant(tree)
        waiting = [id(v) for v in self.leaves]
        while waiting:
            at = waiting.pop()
            if at not in self.reached:
                self.reached.add(at)
                waiting.extend(self.above.get(at, ()))
        places = {id(v): i for i, v in enumerate(self.leaves)}
        return self.leaves, _Recipe(*self._described(id(tree), places))

    def _look(self, tree):
        waiting = [tree]
        while waiting and len(self.objects) < MOST:
            x = waiting.pop()
            if id(x) in self.objects or isinstance(x, _PLAIN):
                continue
            kind, parts = _parts(x)
            self.objects[id(x)] = (x, kind, parts)
            if kind == "leaf":
                self.leaves.append(x)
            for _, part in parts:
                self.above.setdefault(id(part), []).append(id(x))
                waiting.append(part)

    def _described(self, top, places):
        """(steps, top): how to make each object that is reached, without what is replaced in it."""
        steps = {}
        for at in self.reached:
            x, kind, parts = self.objects[at]
            if kind == "leaf":
                steps[at] = ("leaf", places[at], None)
                continue
            replaced = [(where, id(p)) for where, p in parts if id(p) in self.reached]
            steps[at] = (kind, _SKELETONS[kind](x, [w for w, _ in replaced]), replaced)
        return steps, top


class _Constant:
    def __init__(self, tree):
        self.tree = tree

    def __call__(self, values):
        del values
        return self.tree


class _Recipe:
    def __init__(self, steps, top):
        self.steps, self.top = steps, top

    def __call__(self, values):
        made = {}
        return self._make(self.top, values, made)

    def _make(self, at, values, made):
        if at in made:
            return made[at]
        kind, skeleton, replaced = self.steps[at]
        if kind == "leaf":
            made[at] = values[skeleton]
            return made[at]

        def part(i):
            return self._make(i, values, made)

        return _BUILDERS[kind](skeleton, replaced, part, lambda new: made.setdefault(at, new))


# ---- what objects are made of: (kind, [(where, part)]) ----


def _parts(x):
    kind = type(x)
    if kind is Tensor:
        return ("leaf", []) if x.requires_grad else ("closed", [])
    if kind is Dual:
        return "leaf", []
    if kind is types.FunctionType:
        return "function", _of_function(x)
    if kind is functools.partial:
        return "partial", [("func", x.func), ("args", x.args), ("keywords", x.keywords)]
    if kind is types.MethodType:
        return "method", [("function", x.__func__), ("self", x.__self__)]
    if kind is dict:
        return ("closed", []) if _NUMBERS.issuperset(map(type, x.values())) else _of_dict(x)
    if isinstance(x, (list, tuple)):
        plain = _NUMBERS.issuperset(map(type, x))
        return ("closed", []) if plain else ("sequence", list(enumerate(x)))
    if hasattr(kind, "captured_attributes") or not _is_closed(kind.__module__):
        attributes = _attributes(x)
        if attributes:
            return "object", list(attributes.items())
    return "closed", []


def _of_dict(x):
    return "dict", list(x.items())


def _attributes(x):
    """What an object holds, in its dict and in slots."""
    found = {}
    for kind in type(x).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(x, name):
                found[name] = getattr(x, name)
    attributes = getattr(x, "__dict__", None)
    return {**found, **attributes} if type(attributes) is dict else found


def _is_closed(module):
    return (module or "").partition(".")[0] in _CLOSED or module == "builtins"


def _of_function(f):
    parts = []
    for i, cell in enumerate(f.__closure__ or ()):
        try:
            parts.append((("cell", i), cell.cell_contents))
        except ValueError:  # not assigned yet
            continue
    parts += [(("default", i), v) for i, v in enumerate(f.__defaults__ or ())]
    parts += [(("keyword", name), v) for name, v in (f.__kwdefaults__ or {}).items()]
    if _is_closed(f.__module__):
        return parts
    names = f.__globals__
    parts += [(("global", n), names[n]) for n in _names_in(f.__code__) if n in names]
    return parts


@functools.lru_cache(1024)
def _names_in(code):
    """Names that a function and those written inside of it may look up among globals."""
    found = [n for n in code.co_names if not hasattr(builtins, n)]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found += _names_in(constant)
    return tuple(dict.fromkeys(found))


# ---- skeletons: what is kept of an object, given which of its parts are replaced ----


def _function_skeleton(f, replaced):
    replaced = set(replaced)
    cells = [None if ("cell", i) in replaced else c for i, c in enumerate(f.__closure__ or ())]
    defaults = f.__defaults__ and [
        None if ("default", i) in replaced else v for i, v in enumerate(f.__defaults__)
    ]
    keywords = f.__kwdefaults__ and {
        k: None if ("keyword", k) in replaced else v for k, v in f.__kwdefaults__.items()
    }
    # __wrapped__ is for those who look at it; it would hold the function that this replaces.
    attributes = {k: v for k, v in f.__dict__.items() if k != "__wrapped__"}
    return f.__code__, f.__globals__, f.__name__, attributes, defaults, cells, keywords


def _dict_skeleton(x, replaced):
    return {k: None if k in set(replaced) else v for k, v in x.items()}


def _sequence_skeleton(x, replaced):
    replaced = set(replaced)
    return type(x), [None if i in replaced else v for i, v in enumerate(x)]


def _object_skeleton(x, replaced):
    return type(x), _dict_skeleton(_attributes(x), replaced)


def _partial_skeleton(x, replaced):
    return {n: None if n in replaced else getattr(x, n) for n in ("func", "args", "keywords")}


def _method_skeleton(x, replaced):
    parts = {"function": x.__func__, "self": x.__self__}
    return {n: None if n in replaced else v for n, v in parts.items()}


_SKELETONS = {
    "function": _function_skeleton,
    "dict": _dict_skeleton,
    "sequence": _sequence_skeleton,
    "object": _object_skeleton,
    "partial": _partial_skeleton,
    "method": _method_skeleton,
}


# ---- builders: keep(new) before parts are made, so that a part may refer back to the whole ----


def _build_function(skeleton, replaced, part, keep):
    code, names, name, attributes, defaults, cells, keywords = skeleton
    cells = [types.CellType() if c is None else c for c in cells]
    if any(where[0] == "global" for where, _ in replaced):
        names = dict(names)
    f = types.FunctionType(code, names, name, None, tuple(cells))
    f.__dict__.update(attributes)
    f.__kwdefaults__ = keywords and dict(keywords)
    f = keep(f)
    defaults = defaults and list(defaults)
    for (what, where), i in replaced:
        value = part(i)
        if what == "cell":
            cells[where].cell_contents = value
        elif what == "default":
            defaults[where] = value
        elif what == "keyword":
            f.__kwdefaults__[where] = value
        else:
            names[where] = value
    f.__defaults__ = defaults and tuple(defaults)
    return f


def _build_dict(skeleton, replaced, part, keep):
    new = keep(dict(skeleton))
    for k, i in replaced:
        new[k] = part(i)
    return new


def _build_sequence(skeleton, replaced, part, keep):
    kind, items = skeleton
    items = list(items)
    if kind is list:
        items = keep(items)
    for k, i in replaced:
        items[k] = part(i)
    if kind is list:
        return items
    return keep(kind(*items) if hasattr(kind, "_fields") else kind(items))


def _build_object(skeleton, replaced, part, keep):
    kind, attributes = skeleton
    try:
        new = keep(object.__new__(kind))
    except TypeError:
        raise NotDifferentiableError(
            f"a {kind.__module__}.{kind.__qualname__} uses a tracked tensor, and cannot be made "
            "anew with numbers in its place; pass the tensor through args"
        ) from None
    for k, v in attributes.items():
        object.__setattr__(new, k, v)
    for k, i in replaced:
        object.__setattr__(new, k, part(i))
    return new


def _build_partial(skeleton, replaced, part, keep):
    parts = {**skeleton, **{k: part(i) for k, i in replaced}}
    return keep(functools.partial(parts["func"], *parts["args"], **parts["keywords"]))


def _build_method(skeleton, replaced, part, keep):
    parts = {**skeleton, **{k: part(i) for k, i in replaced}}
    return keep(types.MethodType(parts["function"], parts["self"]))


_BUILDERS = {
    "function": _build_function,
    "dict": _build_dict,
    "sequence": _build_sequence,
    "object": _build_object,
    "partial": _build_partial,
    "method": _build_method,
}
