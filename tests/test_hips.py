"""adcore.hips: tests written for HIPS autograd pass."""

import doctest
import importlib
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

import adcore
import adcore.hips.extend
import adcore.hips.numpy as hnp
import adcore.testing
from adcore.errors import NotDifferentiableError
from hips_suite import TESTS, Suite

PACKAGES = ["adcore.hips"]
if importlib.util.find_spec("autograd"):
    PACKAGES.append("autograd")


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("name", TESTS)
def test_suite(name, package):
    getattr(Suite(package), name)()


def test_documentation():
    text = (Path(__file__).parents[1] / "docs" / "hips.md").read_text()
    examples = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    test = doctest.DocTestParser().get_doctest(examples, {}, "hips.md", "hips.md", 0)
    assert len(test.examples) == 7
    assert doctest.DocTestRunner().run(test).failed == 0


def test_stated_differences_are_those_of_the_documentation():
    root = Path(__file__).parents[1]
    spec = importlib.util.spec_from_file_location("suite", root / "bench" / "hips_suite.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    text = (root / "docs" / "hips.md").read_text()
    names = {name.partition("::")[2] for name in script.DIFFERENCES}
    stated = text[text.index("| test |") : text.index("## What else")]
    assert set(re.findall(r"`(test_\w+)`", stated)) == names
    assert [script.outcome(*r) for r in (("a::b", ""), ("a::b", "why"))] == [0, 2]
    different = next(iter(script.DIFFERENCES))
    assert [script.outcome(different, why) for why in ("why", "")] == [1, 2]


def test_errors_of_the_new_parts():
    hips = adcore.hips
    with pytest.raises(NotDifferentiableError, match=r"grad needs real numbers .*holomorphic_grad"):
        hips.grad(lambda x: x * 1j)(1.0)
    with pytest.raises(NotDifferentiableError, match="is not holomorphic"):
        hips.holomorphic_grad(np.conj)(1j)
    with pytest.raises(NotDifferentiableError, match="got the truth True"):
        hips.grad(lambda x: x > 0)(1.0)
    with pytest.raises(AttributeError, match="a container has no shape"):
        hips.extend.vspace([1.0, 2.0]).shape  # noqa: B018  (raises)
    convolve = importlib.import_module("adcore.hips.scipy.signal").convolve
    a = np.ones((2, 3))
    with pytest.raises(ValueError, match="dot_axes needs axes"):
        convolve(a, a, dot_axes=([0], [0]))
    with pytest.raises(ValueError, match="as many of A as of B"):
        convolve(a, a, axes=([0], []))
    with pytest.raises(ValueError, match="got 'other'"):
        convolve(a, a, axes=([0], [0]), mode="other")
    assert np.array_equal(convolve(a, a), np.outer([1, 2, 1], [1, 2, 3, 2, 1]))
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        hnp.where(True, 1, z=2)
    with pytest.raises(TypeError, match="is not made by notrace_primitive"):
        hips.extend.register_notrace(None, np.sin)
    hips.extend.register_notrace(None, hips.extend.notrace_primitive(np.sin))
    with pytest.raises(NotImplementedError, match="axes -1 and -2"):
        hnp.make_diagonal(np.ones(2))


def test_multigrad_dict():
    def f(x, y, *rest, scale=2.0):
        return scale * x * y + sum(rest)

    found = adcore.hips.multigrad_dict(f)(3.0, 4.0, 5.0)
    assert found == {"x": 8.0, "y": 6.0, "rest": (1.0,), "scale": 12.0}


def test_names_of_numpy_are_adcores():
    assert hnp.linspace is adcore.numpy.linspace
    assert importlib.import_module("adcore.hips.numpy.random").default_rng(1).normal() == (
        np.random.default_rng(1).normal()
    )
    assert "linspace" in dir(hnp)
    with pytest.raises(ImportError):
        importlib.import_module("adcore.hips.scipy.no_such_module")


def test_check_grads_is_curried():
    adcore.testing.check_grads(lambda x, n: hnp.sin(x) ** n, modes=["fwd", "rev"], order=2)(0.5, 2)
    check = adcore.testing.check_grads(lambda x, y: x * adcore.stop_gradient(y), argnum=(0, 1))
    with pytest.raises(AssertionError, match=r"check of .*lambda.* failed: .*differences give"):
        check(1.0, 2.0)


def test_check_grads_finds_a_rule_that_is_not_linear():
    @adcore.hips.extend.primitive
    def doubled(x):
        return 2.0 * x

    @adcore.hips.extend.primitive
    def same(x):
        return x

    adcore.hips.extend.defvjp(doubled, lambda ans, x: lambda g: 2.0 * same(g))
    adcore.hips.extend.defvjp(same, lambda ans, x: lambda g: 1.001 * g)
    with pytest.raises(AssertionError, match=r"\(VJP\) check of vjp_doubled failed"):
        adcore.testing.check_grads(doubled, (1.0,), ("rev",))


def test_rules_that_are_missing_are_named():
    @adcore.hips.extend.primitive
    def f(x, y):
        return x * y

    with pytest.raises(NotDifferentiableError, match=r"f has no derivative rule; .*defvjp"):
        adcore.hips.grad(f)(1.0, 2.0)
    adcore.hips.extend.defvjp(f, lambda ans, x, y: lambda g: g * y)
    with pytest.raises(NotDifferentiableError, match="f has no reverse rule for argument 1"):
        adcore.hips.grad(f, 1)(1.0, 2.0)
    with pytest.raises(TypeError, match="sin = primitive"):
        adcore.hips.extend.defvjp(np.sin, None)
    with pytest.raises(NotDifferentiableError, match=r"one number from .*; use jacobian"):
        adcore.hips.grad(lambda x: x)(np.ones(2))
    with pytest.raises(TypeError, match="argnum must be"):
        adcore.hips.grad(f, "x")


def test_checkpoint_keeps_nothing():
    def work(x):
        for _ in range(50):
            x = hnp.sin(x) + 0.1
        return hnp.sum(x)

    x = np.linspace(0.0, 1.0, 100)
    sizes = {}
    for name, f in {"plain": work, "checkpointed": adcore.hips.checkpoint(work)}.items():
        t = adcore.tensor(x, requires_grad=True)
        y = f(t)
        sizes[name] = adcore._core.tape_stats()["instructions"]
        np.testing.assert_allclose(
            adcore.autograd.grad(y, t)[0].numpy(), adcore.hips.grad(work)(x), rtol=1e-14
        )
        del t, y
    assert sizes["checkpointed"] < sizes["plain"] / 10
    along = adcore.jvp(adcore.hips.checkpoint(work), (x,), (np.ones(100),))[1]
    np.testing.assert_allclose(along, adcore.jvp(work, (x,), (np.ones(100),))[1], rtol=1e-14)


def test_fixed_point():
    fixed_point = importlib.import_module("adcore.hips.misc.fixed_points").fixed_point

    def root(a):
        return fixed_point(
            lambda a: lambda x: 0.5 * (x + a / x), a, 10.0, lambda x, y: abs(x - y), 1e-13
        )

    np.testing.assert_allclose(root(2.0), 2**0.5, rtol=1e-15)
    np.testing.assert_allclose(adcore.hips.grad(root)(2.0), 0.5 / 2**0.5, rtol=1e-12)


def test_names_that_other_packages_import():
    for module, names in {
        "core": ["make_vjp", "make_jvp", "defvjp", "primitive"],
        "tracer": ["primitive", "isbox", "getval", "notrace_primitive"],
        "wrap_util": ["unary_to_nary"],
        "builtins": ["isinstance", "tuple", "list", "dict"],
        "misc": ["flatten", "const_graph"],
    }.items():
        found = importlib.import_module(f"adcore.hips.{module}")
        assert [n for n in names if not hasattr(found, n)] == []
    back, y = importlib.import_module("adcore.hips.core").make_vjp(np.sin, 0.5)
    assert (y, back(2.0)) == (np.sin(0.5), 2 * np.cos(0.5))
    assert adcore.hips.core.make_jvp(np.sin, 0.5)(2.0) == (np.sin(0.5), 2 * np.cos(0.5))
    seen = adcore.hips.tracer.notrace_primitive(lambda x: type(x))
    assert adcore.hips.grad(lambda x: x * (seen(x) is float))(3.0) == 1.0
