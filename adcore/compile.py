"""Compiled functions: recorded once, replayed without Python, recorded again where they branch."""

import contextlib
import functools
import types

from . import _calls, _core, _snapshot
from ._compiled_call import Call, UnsettledError
from ._derivatives import Differentiable
from ._replayed import constant
from ._trees import flatten, unflatten
from .errors import FormatError, TapeError


def compile(f=None, *, reassociate=True, max_paths=64, backend=None):
    """A function that is recorded at its first call and replayed in C from then on.

    It is called like `f`, and has methods for its derivatives: ``grad``, ``value_and_grad``,
    ``hessian``, ``value_grad_and_hessian``, ``hvp``, ``jvp``, ``vjp`` and ``jacobian``, which take
    and return what the transforms of the same names do.  ``save`` writes it to a file, from which
    load() makes it again; pickle and copy take it too.

    Arrays and floats among the arguments are inputs.  Integers, booleans, strings and None are
    part of what is recorded, as shapes are: other ones are recorded anew.  So is each way that `f`
    can go: the truth of a comparison, a mask used as an index, and a value taken out by ``item()``
    or ``numpy()`` are checked at every call, and where one differs `f` is recorded again for that
    path.  ``where``, ``maximum``, ``clip`` and ``abs`` are computed anew and need no check.
    So is an object among the arguments, such as self of a method, and what it holds: all of its
    attributes, and those of objects and containers among them, are looked at in each call, which
    takes some time; where one has changed, `f` is recorded anew, as a call without compile() would
    see it.  What changes at every call should be an argument.  A compiled method has all that a
    compiled function has, with arguments counted after self; compile() of a method of an object, or
    of an object that can be called, is one too.
    What `f` finds outside of its arguments, in globals and closures, is taken as it is when `f` is
    recorded, arrays as copies: what may change later has to be an argument.

    Parameters
    ----------
    f : callable
        Of positional arguments that are numbers, arrays or nested containers of them.  It should
        have no effects besides its result.  Left out, compile() is a decorator with options.
    reassociate : bool
        Whether long sums of scalars may be added up in pairs, which is faster and more accurate
        than from left to right.  Otherwise values are those of plain Python bit by bit, as they are
        from the moment that the last bit of a sum decides which way `f` goes, as with ``item()``.
    max_paths : int
        How many paths are kept at a time; the one not used for longest goes first.
    backend : None or "c"
        With "c" programs are written as C, built by the system's compiler (``CC``, or the first of
        cc, gcc and clang) and kept in ``$XDG_CACHE_HOME/adcore``, up to 256 MB; where that cannot
        be written, each process builds its own.  map() runs rows so too.  Where there is no
        compiler, or a program is of more than 51 200 steps that do not repeat themselves, which
        would keep a compiler busy for minutes, a warning says so, and the interpreter serves.

    Returns
    -------
    Compiled

    Examples
    --------
    >>> import adcore, numpy as np
    >>> @adcore.compile
    ... def f(x):
    ...     total = 0.0
    ...     for i in range(len(x) - 1):
    ...         total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    ...     return total
    >>> f(np.array([0.5, 1.0])), f.grad(np.array([0.5, 1.0]))
    (56.5, array([-151.,  150.]))
    """
    if f is None:
        return functools.partial(
            compile, reassociate=reassociate, max_paths=max_paths, backend=backend
        )
    if not callable(f):
        raise TypeError(f"compile needs a function, got {f!r}")
    if backend not in (None, "c"):
        raise ValueError(f'backend must be None or "c", got {backend!r}')
    if isinstance(f, (staticmethod, classmethod)):
        raise TypeError(f"write @{type(f).__name__} above @adcore.compile, not below")
    function, owner, name = _taken_apart(f)
    compiled = Compiled(function, reassociate, max_paths, backend, name)
    return Bound(compiled, *owner) if owner else compiled


def _taken_apart(f):
    """(function, (self,) if it is a method or an object that is called, the name of the latter)."""
    if isinstance(f, Bound):
        return f.f, f._owner, f.name
    if isinstance(f, types.MethodType):
        return f.__func__, (f.__self__,), ""
    if _snapshot.has_state(f) and isinstance(type(f).__call__, types.FunctionType):
        return type(f).__call__, (f,), type(f).__name__
    return f, (), ""


def load(path, f=None):
    """A compiled function from the file that its ``save`` wrote.

    It replays what was recorded, and is differentiated as before, without the Python function: the
    file holds no code, and nothing in it is run or imported.  All of it is checked before anything
    is replayed.

    Parameters
    ----------
    path : str or path
    f : callable, optional
        The function, to record ways of going that are not in the file.  It must be the function
        that was saved.

    Returns
    -------
    Compiled
        Without `f`, a call with arguments of another structure or shape than any that was saved, or
        for which a comparison comes out in a way that was not, is a NotRecordedError, which names
        the line.

    Raises
    ------
    FormatError
        If the file is truncated, damaged, or not of this format; it names the field.

    Examples
    --------
    >>> import adcore, numpy as np, os, tempfile
    >>> f = adcore.compile(lambda x: (x**3).sum())
    >>> f(np.array([1.0, 2.0]))     # records what there is to save
    9.0
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     f.save(os.path.join(folder, "cubes.adcore"))
    ...     cubes = adcore.load(os.path.join(folder, "cubes.adcore"))
    >>> cubes.grad(np.array([1.0, 3.0]))
    array([ 3., 27.])
    """
    if f is not None and not callable(f):
        raise TypeError(f"load needs a function or None for f, got {f!r}")
    with open(path, "rb") as file:
        return _from_bytes(file.read(), f)


# What to_c() can write: in words, and how it is derived.
_AS_C = {
    "value": ("The value of", ()),
    "gradient": ("The gradient of", ("grad",)),
    "hvp": ("Products of a vector and the Hessian of", ("grad", "jvp")),
    "hessian": ("The Hessian of", ("hessian",)),
    "jacobian": ("The Jacobian of", ("jacobian",)),
    "jvp": ("Products of the Jacobian and a vector of", ("jvp",)),
    "vjp": ("Products of a vector and the Jacobian of", ("vjp",)),
}


class Compiled(Differentiable, _core.Called):
    """A function that is replayed in C: see compile()."""

    def __init__(self, f, reassociate, max_paths, backend=None, name=""):
        super().__init__(f, reassociate, max_paths, backend, name)
        self.entry = _core.Entry(self._call)

    def __get__(self, instance, owner=None):
        return self if instance is None else Bound(self, instance)

    # -- values --

    def _call(self, *args, **kwargs):
        """The value, as f gives it."""
        if _core.is_compiling() and self.f is not None:
            return self.f(*self._owner, *args, **kwargs)  # part of what is being recorded
        arguments = self._given(args, kwargs)
        if arguments.hidden and self.f is not None:
            return self.f(*self._owner, *args, **kwargs)  # no input that could be differentiated
        if arguments.traced:
            if self._paths(arguments).settled:
                with contextlib.suppress(UnsettledError):
                    return _calls.call(Call(self, arguments), arguments.inputs)
            return self._in_python(*args, **kwargs)
        path, arrays = self._replay(arguments)
        if path is None:
            leaves, structure = flatten(self._in_python(*args, **kwargs))
            return unflatten(structure, [constant(self.name, v) for v in leaves])
        if path.where == [(True, 0)] and path.structure.key() is None and not path.dtypes:
            self._prime(self.entry, arguments, path.program, False)
        return path.output(arrays)

    def map(
        self,
        *batches,
        derivative=None,
        in_axes=0,
        argnums=0,
        threads=None,
        progress=None,
        out=None,
    ):
        """The value or a derivative for each row of a batch.

        Each row has the bits of a call for it alone, with any number of threads.  Rows that go
        other ways through the function are told apart, and recorded where need be.

        Parameters
        ----------
        *batches : arrays, or nested containers of them
            The arguments, each array with an axis of N rows; a function of a float takes an array
            of N.  Integers in rows are numbers like others.
        derivative : None, "value", "gradient", "value_and_gradient" or "hessian"
            None is the value.
        in_axes : int, None, or a tuple with one of them for each argument
            Which axis has the rows; None for an argument that all rows share.
        argnums : int or tuple of int
            What derivatives are with respect to.
        threads : int, optional
            At most as many threads.  By default as many as there are processors if there is much
            to do.
        progress : bool, optional
            Whether to draw a bar on standard error; by default on a terminal, after 2 seconds.
        out : arrays in the structure of the result, optional
            Where to write it.

        Returns
        -------
        arrays
            In the structure that one call gives, each with the N rows along its first axis.

        Examples
        --------
        >>> import adcore, numpy as np
        >>> f = adcore.compile(lambda x: x[0] ** 2 * np.sin(x[1]))
        >>> f.map(np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]), derivative="gradient")
        array([[0., 1.],
               [0., 4.],
               [0., 9.]])
        """
        from . import _map  # when first needed

        return _map.map_rows(self, batches, derivative, in_axes, argnums, threads, progress, out)

    # -- as C --

    def to_c(self, *args, derivatives=("value", "gradient"), name=None, argnums=0):
        """The function and its derivatives as one self-contained C99 file with a header.

        Parameters
        ----------
        *args
            Arguments as the function is called with: their shapes, and the way that the function
            goes for them, are what is written.  Without any, those of the only way recorded so far.
        derivatives : sequence of str
            What to write: "value", "gradient", "hvp" (inputs: those of the function, then a vector
            for each argument), "hessian", "jacobian", "jvp", "vjp".
        name : str, optional
            Of the files and, with what is computed behind it, of the functions; the function's own
            if left out.
        argnums : int or tuple of int
            What to differentiate with respect to.

        Returns
        -------
        CSource
            With ``.source``, ``.header``, ``.functions`` and ``.write(folder)``.

        Raises
        ------
        TapeError
            If the function calls a rule written in Python, which C cannot.
        """
        from . import _c_source  # when first needed

        path, arguments = self._path_for_c(args, argnums)
        wanted = () if tuple(derivatives) == ("value",) else arguments.wanted(argnums)
        programs = {}
        for what in derivatives:
            if what not in _AS_C:
                raise ValueError(f"to_c can write {', '.join(_AS_C)}; got {what!r}")
            words, steps = _AS_C[what]
            if what in ("gradient", "hvp", "hessian"):
                path.check_scalar(what, f'derivatives=("jacobian",) for {self.name}')
            program = path.program
            if not path.varies:
                raise TapeError(f"{self.name} returned a constant, of which there is no program")
            for step in steps:
                program = program.derived(step, wanted)
            programs[what] = program, f"{words} {self.name}{'' if steps else _whole(path)}"
        chosen = _c_source.c_name(self.name if name is None else name)
        return _c_source.c_source(chosen, programs)

    def _path_for_c(self, args, argnums):
        if args:
            arguments = self._arguments(args, {}, argnums)
            if arguments is None:
                raise TypeError(f"to_c of {self.name} needs plain numbers and arrays")
            path, _ = self._replay(arguments)
            if path is None:
                raise TapeError(f"compiled {self.name} does not settle; there is no program of it")
            return path, arguments
        known = [(path, paths) for paths in list(self._by_key.values()) for path in paths.used]
        if len(known) != 1:
            raise TypeError(
                f"to_c of {self.name} needs arguments to go by: {len(known)} ways are recorded"
            )
        path, paths = known[0]
        if paths.arguments is None:
            raise TypeError(f"to_c of {self.name}, which was loaded, needs arguments to go by")
        return path, paths.arguments

    # -- files, pickles and copies --

    def save(self, path):
        """Write all that is recorded to a file, for adcore.load().

        What is kept is every kind of arguments the function was called with, and every way it
        went; derivatives are made anew from these.  Integers, truths, text, bytes and None among
        arguments and constant results are kept with lists, tuples and dicts of them; named tuples,
        dataclasses and other objects are not.

        Raises
        ------
        FormatError
            If no file can hold it, as where a rule written in Python is part of it (custom_vjp and
            the like), or an object that is not data; it names the line or the argument.  Or if
            nothing has been recorded.
        """
        from . import _files  # when first needed

        kinds = self._kinds()
        if not kinds:
            raise FormatError(f"{self.name} has not been called, so that there is nothing to save")
        data = _files.write(self._saved(kinds))
        with open(path, "wb") as file:
            file.write(data)

    def _saved(self, kinds):
        from . import _data, _files  # when first needed

        most = min(max(self.max_paths, 2), _data.MOST)
        in_order = any(paths.in_order for paths in list(self._by_key.values()))
        return _files.SavedFunction(self.name, self.reassociate and not in_order, most, kinds)

    def __reduce__(self):
        """All that is recorded, and where the function is to be found."""
        from . import _code_reference, _files  # when first needed

        reference = _code_reference.reference_to(self.f)
        try:
            data = _files.write(self._saved(self._kinds()))
        except FormatError:
            if reference is None:
                raise
            data = _files.write(self._saved([]))  # to be recorded again
        return _from_pickle, (data, reference)

    def __deepcopy__(self, memo):
        """A function with the same programs, which never change, and paths of its own."""
        other = memo[id(self)] = type(self).__new__(type(self))
        from copy import deepcopy  # when first needed

        f = deepcopy(self.f, memo)
        other.__init__(f, self.reassociate, self.max_paths, self.backend, self.name)
        return other._take(self._kinds())

    def __copy__(self):
        return self.__deepcopy__({id(self.f): self.f})

    # -- what there is to see --

    def summary(self):
        """What was recorded, and what became of it: an object whose text is a table.

        For each kind of arguments and each path: the guards with their lines; for the value and
        each derivative that was asked for, instructions and slots before and after each pass, what
        was re-rolled and what was not and why, the steps of the plan, and its memory.
        """
        from . import _summary  # when first needed: imports that a start can do without

        return _summary.summary(self)

    def profile(self, *args, derivative=None, argnums=0, repeat=None, **kwargs):
        """The time that each line of the source takes, of the value and of derivatives.

        Measured in C, without the conversion of arguments; str() of the result is a table.

        Parameters
        ----------
        *args, **kwargs
            Of a call; the path that it takes is profiled.
        derivative : str or sequence of str, optional
            Names of methods: "grad", "value_and_grad", "hessian", "value_grad_and_hessian",
            "jacobian", "jvp", "vjp", "hvp"; () for the value alone.  Left out, it is
            value_and_grad if the result is a number, and vjp if it is not.
        argnums : int or sequence of int
            Which positional arguments the derivatives are with respect to.
        repeat : int, optional
            How many rounds are measured, of which the shortest times count; left out, as many as
            go into a fifth of a second.
        """
        from . import _profile

        arguments, path = self._followed(args, kwargs, argnums if derivative != () else ())
        return _profile.profile(path, arguments, derivative, argnums, repeat)

    def plot(self, path=None, *, args=None, derivative=None, argnums=0):
        """The program as a graph, in the language of Graphviz; notebooks show it drawn.

        Nodes are instructions, with the number of their results and their line; those of a program
        of more than 300 are folded by line, or by function.  Derivatives include what of the value
        they need.

        Parameters
        ----------
        path : str or os.PathLike, optional
            Where to write it: .dot as text, .svg, .png and .pdf drawn, for which Graphviz's
            program dot must be installed.
        args : tuple, optional
            The arguments of a call whose path is meant; left out, it is the path used last.
        derivative : str, optional
            As in profile(); left out, the value.
        argnums : int or sequence of int
            Which positional arguments the derivative is with respect to.
        """
        from . import _look, _plot

        if args is None and derivative is None:
            taken = self._last_path()
            program = taken.program
        elif args is None:
            raise TypeError("the plot of a derivative needs args, the arguments of a call")
        else:
            arguments, taken = self._followed(args, {}, argnums if derivative else ())
            wanted = arguments.wanted(argnums) if derivative else ()
            program, _ = _look.derivation(taken, derivative, wanted, arguments.inputs)
        of = f"{derivative} of {self.name}" if derivative else self.name
        picture = _plot.plot(of, program)
        if path is not None:
            picture.save(path)
        return picture

    def _followed(self, args, kwargs, argnums):
        """(arguments, the path that they take), recorded if it is new."""
        arguments = self._arguments(args, kwargs, argnums)
        if arguments is None:
            raise TypeError(
                f"{self.name} can be looked at with plain numbers and arrays as its arguments, not "
                "with tensors of a transform, nor while another function is recorded"
            )
        path, _ = self._replay(arguments)
        if path is None:
            raise TapeError(
                f"{self.name} does not settle, so that Python runs it at every call: there is no "
                "program to look at; see summary()"
            )
        return arguments, path

    def _last_path(self):
        for paths in reversed(list(self._by_key.values())):
            if paths.used:
                return next(reversed(paths.used))
        raise TapeError(f"{self.name} is not recorded yet: call it, or give args")


class Bound(Compiled):
    """A compiled method of an object: all that Compiled has, with `self` before the arguments.

    `self` is not counted among them, as by argnums, nor differentiated.
    """

    def __init__(self, compiled, instance):
        self._compiled, self._owner = compiled, (instance,)
        self.__doc__ = compiled.__doc__

    def __getattr__(self, name):
        if name in ("_compiled", "_owner"):  # not there yet
            raise AttributeError(name)
        return getattr(self._compiled, name)

    def __call__(self, *args, **kwargs):
        """The value, as the method gives it."""
        return self._call(*args, **kwargs)

    def __get__(self, instance, owner=None):
        return self

    @property
    def __self__(self):
        return self._owner[0]

    @property
    def __func__(self):
        return self._compiled

    @property
    def __wrapped__(self):
        return types.MethodType(self.f, *self._owner)

    def __eq__(self, other):
        if not isinstance(other, Bound):
            return NotImplemented
        return self._compiled is other._compiled and self.__self__ is other.__self__

    def __hash__(self):
        return hash((id(self._compiled), id(self.__self__)))

    def __repr__(self):
        return f"<bound {repr(self._compiled)[1:]}"

    def __reduce__(self):
        return Bound, (self._compiled, *self._owner)

    def __copy__(self):
        return Bound(self._compiled, *self._owner)

    def __deepcopy__(self, memo):
        from copy import deepcopy  # when first needed

        return Bound(self._compiled, deepcopy(self.__self__, memo))


def _whole(path):
    """In words: the outputs of a path's program that are not real numbers."""
    found = ""
    for i, dtype in path.dtypes.items():
        what = "truths, 0 or 1" if dtype.kind == "b" else "whole numbers"
        found += f"; outputs[{path.where[i][1]}]: {what}"
    return found


def _from_bytes(data, f):
    from . import _files  # when first needed

    saved = _files.read(data)
    name = saved.name if f is None else ""
    return Compiled(f, saved.reassociate, saved.max_paths, name=name)._take(saved.kinds)


def _from_pickle(data, reference):
    """A pickled function; its Python function is None where that is not found, or has changed."""
    from . import _code_reference  # when first needed

    return _from_bytes(data, _code_reference.found_again(reference))
