"""Compiled functions called by many threads at once, and by themselves while they are recorded."""

import asyncio
import functools
import math
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import adcore
from adcore import errors
from test_compile import paths, smooth


def in_threads(*functions):
    """Run functions at once; what went wrong in any of them is raised here."""
    failures = []
    gate = threading.Barrier(len(functions))

    def run(f):
        try:
            gate.wait()
            f()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(f,)) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_threads_hammer_one_compiled_function():
    compiled = adcore.compile(smooth, max_paths=2)
    rng = np.random.default_rng(1)
    points = rng.normal(0, 1, (16, 3))
    values = [smooth(x) for x in points]
    gradients = [adcore.grad(smooth)(x) for x in points]

    def hammer(seed):
        for k in np.random.default_rng(seed).integers(0, len(points), 200):
            assert compiled(points[k]) == values[k]
            np.testing.assert_allclose(compiled.grad(points[k]), gradients[k], rtol=1e-12)
            if k % 4 == 0:
                under = adcore.grad(compiled)(points[k])
                np.testing.assert_allclose(under, gradients[k], rtol=1e-12)

    in_threads(*[functools.partial(hammer, seed) for seed in range(8)])


def test_threads_record_at_once():
    for _ in range(20):
        compiled = adcore.compile(lambda x: (x * x).sum() if x[0] > 0 else x.sum())
        up, down = np.array([1.0, 2.0]), np.array([-1.0, 2.0])

        def ask(x, value, gradient, compiled=compiled):
            assert compiled(x) == value
            assert compiled.grad(x).tolist() == gradient

        in_threads(
            functools.partial(ask, up, 5.0, [2.0, 4.0]),
            functools.partial(ask, down, 1.0, [1.0, 1.0]),
            functools.partial(ask, up, 5.0, [2.0, 4.0]),
        )
        assert len(paths(compiled)) == 2


def test_a_recording_may_wait_for_another_thread_that_calls_the_same():
    """No lock is held while the function runs; the two record one path, of which one is kept."""
    reached, runs = threading.Event(), []

    @adcore.compile
    def waits(x):
        runs.append(threading.current_thread().name)
        if len(runs) == 1:
            other = threading.Thread(target=call, name="other", daemon=True)
            other.start()
            assert reached.wait(20.0), "the other thread is not let in"
        return (x * x).sum() if x[0] > 0 else x.sum()

    def call():
        assert waits(np.array([3.0])) == 9.0
        assert waits(np.array([-3.0])) == -3.0
        reached.set()

    with ThreadPoolExecutor(1, thread_name_prefix="first") as pool:
        assert pool.submit(waits, np.array([2.0])).result(60.0) == 4.0
    assert runs == ["first_0", "other", "other"]
    assert waits(np.array([2.0])) == 4.0
    assert waits.grad(np.array([-2.0])).tolist() == [1.0]
    assert len(runs) == 3
    assert len(paths(waits)) == 2


def test_a_path_whose_parent_is_let_go_of_meanwhile_serves_once():
    """The recording of 1 waits while another thread crowds out the path that leads to it."""
    crowded = []

    def crowd():
        for k in (2.0, 3.0, 4.0):
            assert counts(np.array(k)) == k * k

    @functools.partial(adcore.compile, max_paths=2)
    def counts(x):
        k = x.item()
        if k == 1.0 and not crowded:
            crowded.append(k)
            other = threading.Thread(target=crowd, daemon=True)
            other.start()
            other.join(20.0)
            assert not other.is_alive()
        return x * k

    for k in (0.0, 1.0, 1.0, 4.0, 0.0, 1.0):
        assert counts(np.array(k)) == k * k
        assert counts.grad(np.array(k)) == k
        (kind,) = counts._by_key.values()
        assert len(kind.listed()) == len(kind.used) <= 2


def test_a_compiled_function_that_calls_itself():
    @adcore.compile
    def power(x, n):
        return x * power(x, n - 1) if n else 1.0

    @adcore.compile
    def halved(x):
        return halved(x / 2.0) if x > 1.0 else x * x

    for x in (0.75, 3.0, 20.0, 3.5):
        assert power(x, 4) == x**4
        assert power.grad(x, 3) == 3 * x * x
        halves = max(0, math.ceil(math.log2(x)))
        assert halved(x) == (x / 2**halves) ** 2
        assert halved.grad(x) == 2 * x / 4**halves


def test_tasks_share_a_compiled_function():
    compiled = adcore.compile(smooth)
    points = np.random.default_rng(2).normal(0, 1, (6, 3))

    async def task(x):
        await asyncio.sleep(0)
        value = compiled(x)
        await asyncio.sleep(0)
        return value, compiled.grad(x)

    async def all_of_them():
        return await asyncio.gather(*map(task, points))

    for x, (value, gradient) in zip(points, asyncio.run(all_of_them()), strict=True):
        assert value == smooth(x)
        np.testing.assert_allclose(gradient, adcore.grad(smooth)(x), rtol=1e-12)


def test_what_is_suspended_while_it_is_recorded_is_refused():
    """A generator function cannot be compiled, nor one go on that a recording has begun."""
    with pytest.raises(errors.NotDifferentiableError, match="returned a generator"):
        adcore.compile(lambda x: (x * k for k in range(3)))(1.0)
    kept = []

    def squares(x):
        while True:
            yield x * x

    @adcore.compile
    def first(x):
        kept.append(squares(x))
        return next(kept[0])

    assert first(3.0) == 9.0
    with pytest.raises(errors.TapeError, match="has outlived"):
        next(kept[0])


def test_one_warning_by_all_threads():
    compiled = adcore.compile(lambda x: x * x.item())
    compiled(1.0)
    (kind,) = compiled._by_key.values()
    kind.credit = 0.0
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        in_threads(*[functools.partial(compiled, 2.0 + k) for k in range(8)])
    assert len(told) == 1
    assert "almost every call" in str(told[0].message)
