"""adcore.numpy: NumPy's names, what state each is in, and that the page about them says so."""

import inspect
import types

import numpy as np
import pytest

import adcore
import adcore.numpy as anp
import array_cases
import numpy_cases
import numpy_page
from adcore import _core
from adcore.errors import ADError, NotDifferentiableError
from adcore.numpy import _states
from adcore.numpy._table import ours
from adcore.rules import table

NAMES = _states.names()
STATES = {name: _states.state(name) for name in NAMES}


@pytest.mark.parametrize("name", [n for n in dir(np) if not n.startswith("_")])
def test_every_name_of_numpy_is_there(name):
    assert hasattr(anp, name)
    assert name in dir(anp)


def test_a_name_that_numpy_lacks_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        anp.no_such_name  # noqa: B018


def test_functions_take_lists_of_tensors():
    x = np.array([1.0, 2.0])
    got = adcore.grad(lambda x: anp.sum(anp.stack([x[0] * x[1], x[0]])))(x)
    np.testing.assert_array_equal(got, [3.0, 1.0])
    np.testing.assert_array_equal(anp.linalg.norm(x), np.linalg.norm(x))


def test_the_page_is_current():
    """Rows of names that this NumPy has; another version may have others."""
    on_page = numpy_page.rows_of(numpy_page.PAGE.read_text())
    for name, row in numpy_page.rows_of(numpy_page.page()).items():
        assert on_page.get(name, row) == row, "run python tests/numpy_page.py"
    if f"NumPy {np.__version__}" in numpy_page.PAGE.read_text():
        assert numpy_page.PAGE.read_text() == numpy_page.page(), "run python tests/numpy_page.py"


def names_in(code):
    """Names of attributes that a function's code, and functions within it, mention."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= names_in(constant)
    return found


def names_of_cases():
    found = set()
    for cases in (array_cases.CASES, numpy_cases.CASES):
        for _, f, *_ in cases.values():
            found |= names_in(f.__code__)
            for cell in f.__closure__ or ():
                if isinstance(cell.cell_contents, types.FunctionType):
                    found |= names_in(cell.cell_contents.__code__)
    return found | names_in(numpy_cases.some_nan.__code__)


@pytest.mark.parametrize(
    "name",
    [
        n
        for n in NAMES
        if STATES[n] == "differentiable" and not isinstance(getattr(np, n), types.ModuleType)
    ],
)
def test_every_differentiable_name_is_tested(name):
    """By the tables of cases; ufuncs of the op table by test_ops.py."""
    found = getattr(np, name)
    if isinstance(found, np.ufunc) and found in {op.ufunc for op in adcore.OPS} | {
        getattr(np, op.ufunc, None) for op in adcore.OPS if isinstance(op.ufunc, str)
    }:
        return
    same = {n for n in NAMES if getattr(np, n) is found} | {name}
    assert same & names_of_cases(), f"no case calls numpy.{name}: add one to tests/numpy_cases.py"


REFUSALS = {name for name in NAMES if STATES[name] == "refused"}


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of matrices
@pytest.mark.parametrize("name", sorted(REFUSALS))
@pytest.mark.parametrize("module", [np, anp], ids=["numpy", "adcore.numpy"])
def test_refused_functions_say_what_to_write(name, module):
    if module is np and name in ("asmatrix", "bmat"):  # which NumPy does not hand tensors
        with pytest.raises(NotDifferentiableError):
            np.matrix([[adcore.tensor(1.0, requires_grad=True)]])
        return
    function = getattr(module, name)
    x = adcore.tensor([1.0, 2.0], requires_grad=True)
    n = function.nin if isinstance(function, np.ufunc) else 2
    calls = [(x,) * k for k in (n, 1, 2, 3)] + [("file", x), (x, "file")]
    said = next(filter(None, (what_it_says(function, args) for args in calls)), "nothing")
    assert "of a tensor has no derivative; " in said
    assert _states.what_instead(name) in said


def what_it_says(function, args):
    """The text of a function's error about tensors; "" if the arguments were wrong."""
    try:
        function(*args)
    except NotDifferentiableError as error:
        return str(error)
    except TypeError:
        return ""
    return "it took a tensor"


PLAIN_CALLS = {
    "arange": lambda f, x: f(x),
    "eye": lambda f, x: f(x),
    "ones": lambda f, x: f(x),
    "zeros": lambda f, x: f(x),
    "tri": lambda f, x: f(x),
    "float64": lambda f, x: f(x),
    "int64": lambda f, x: f(x),
    "float32": lambda f, x: f(x),
    "complex128": lambda f, x: f(x),
    "bartlett": lambda f, x: f(x),
    "hanning": lambda f, x: f(x),
    "hamming": lambda f, x: f(x),
    "blackman": lambda f, x: f(x),
    "identity": lambda f, x: f(x),
    "binary_repr": lambda f, x: f(x),
    "poly1d": lambda f, x: f([x, x]),
}


@pytest.mark.parametrize("name", PLAIN_CALLS)
def test_plain_functions_do_not_drop_a_dependence(name):
    x = adcore.tensor(2.0, requires_grad=True)
    with pytest.raises((ADError, TypeError)):
        PLAIN_CALLS[name](getattr(anp, name), x)


def test_every_function_that_numpy_cannot_hand_a_tensor_is_named():
    assert set(ours) <= set(np.__dir__())


@pytest.mark.parametrize(
    "function",
    [f for f in _core.ARRAY_FUNCTIONS if not isinstance(f, np.ufunc)],
    ids=lambda f: f"{f.__module__}.{f.__name__}".removeprefix("numpy."),
)
def test_rules_take_numpys_names_of_arguments(function):
    try:
        theirs = inspect.signature(function).parameters.values()
    except ValueError:  # where NumPy says nothing
        return
    rule = _core.ARRAY_FUNCTIONS[function]
    ours = inspect.signature(rule).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in ours):
        return
    known = {p.name for p in ours if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    for p in theirs:
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
            assert {*table.respelled(function, {p.name: None})} <= known, p.name


def test_arguments_by_name():
    x = adcore.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    numbers = x.detach().numpy()
    for np_ in (np, anp):
        for call in (
            lambda x, np_=np_: np_.sum(a=x, axis=0),
            lambda x, np_=np_: np_.tile(A=x, reps=2),
            lambda x, np_=np_: np_.append(arr=x, values=x),
            lambda x, np_=np_: np_.insert(arr=x, obj=1, values=0.0, axis=0),
            lambda x, np_=np_: np_.array_split(ary=x, indices_or_sections=2)[1],
        ):
            np.testing.assert_array_equal(call(x).detach().numpy(), call(numbers))
