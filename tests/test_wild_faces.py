"""Wild random programs in the other forms that a compiled function has: rows, files, arrays, C.

What is compared has the same bits, except for C.  A longer run: ADCORE_WILD=2000 pytest
tests/test_wild_faces.py
"""

import os
import pickle
import warnings

import numpy as np
import pytest

import adcore
from adcore import _native
from adcore._trees import flatten, unflatten
from adcore.errors import NotRecordedError
from test_wild import EVERY, agree, outcome
from wild_programs import Drawn

N_PROGRAMS = int(os.environ.get("ADCORE_WILD", "24"))
N_BY_C = max(2, N_PROGRAMS // 12)
METHODS = {None: "__call__", "gradient": "grad", "hessian": "hessian"}


def bits(tree):
    """Shapes and bits of the numbers of a result, one nan being as good as another."""
    arrays = [np.array(v, dtype=float) for v in flatten(tree)[0]]
    for a in arrays:
        a[np.isnan(a)] = np.nan
    return [(a.shape, a.tobytes()) for a in arrays]


def run(compiled, method, point, **options):
    if method != "__call__":
        options["argnums"] = EVERY
    return getattr(compiled, method)(*point, **options)


def rows(compiled, points):
    for derivative, method in METHODS.items():
        calls = [(p, *outcome(run, compiled, method, p)) for p in points]
        good = [(p, want) for p, want, refused in calls if refused is None] * 3
        if not good:
            continue
        batches = [np.stack([np.asarray(p[i]) for p, _ in good]) for i in range(4)]
        options = {} if derivative is None else {"argnums": EVERY}
        for threads in (1, 3):
            found = compiled.map(*batches, derivative=derivative, threads=threads, **options)
            for r, (_, want) in enumerate(good):
                assert bits([a[r] for a in flatten(found)[0]]) == bits(want), (derivative, r)


def files(compiled, points, folder):
    for p in points:
        outcome(compiled, *p)
    if not compiled._kinds():
        return
    compiled.save(folder / "wild.adcore")
    for other in (adcore.load(folder / "wild.adcore"), pickle.loads(pickle.dumps(compiled))):
        for p in points:
            for method in METHODS.values():
                got, refused = outcome(run, other, method, p)
                want, wrong = outcome(run, compiled, method, p)
                if refused is NotRecordedError:
                    continue
                assert refused == wrong
                assert refused or bits(got) == bits(want), (method, p)


def into(compiled, points):
    for p in points:
        for method in ("grad", "hessian"):
            want, refused = outcome(run, compiled, method, p)
            if refused is None:
                leaves, structure = flatten(want)
                out = unflatten(structure, [np.full(np.shape(v), 7.0) for v in leaves])
                run(compiled, method, p, out=out)
                assert bits(out) == bits(want), (method, p)


def recorded(drawn, points):
    """Without sums in another order a replay has the bits of the tape."""
    compiled = adcore.compile(drawn.scalar, reassociate=False)
    for p in points:
        pair, refused = outcome(adcore.value_and_grad(drawn.scalar, EVERY), *p)
        value, wrong = outcome(compiled, *p)
        if refused is None and wrong is None:
            assert bits(value) == bits(pair[0]), p


@pytest.mark.parametrize("seed", range(7000, 7000 + N_PROGRAMS))
def test_faces(seed, tmp_path):
    drawn = Drawn(seed)
    points = drawn.points(6)
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of what does not settle
            rows(adcore.compile(drawn.scalar, max_paths=[3, 64][seed % 2]), points)
            files(adcore.compile(drawn.scalar), points, tmp_path)
            into(adcore.compile(drawn.scalar), points)
            recorded(drawn, points)
    except Exception as error:
        raise AssertionError(f"seed {seed}\n{drawn.text}\nat {points!r}") from error


@pytest.mark.parametrize("seed", range(7000, 7000 + N_BY_C))
def test_by_c(seed, tmp_path, monkeypatch):
    try:
        _native.compiler()
    except _native.NativeError:
        pytest.skip("there is no C compiler")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    drawn = Drawn(seed)
    native, plain = adcore.compile(drawn.scalar, backend="c"), adcore.compile(drawn.scalar)
    points = drawn.points(3)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a rule that C cannot have
        for p in points:
            for method in METHODS.values():
                got, refused = outcome(run, native, method, p)
                want, wrong = outcome(run, plain, method, p)
                assert refused == wrong, drawn.text
                assert refused or agree(got, want, digits=9), (drawn.text, p)
        rows(native, points)
