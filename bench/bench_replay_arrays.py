"""Array code recorded once and replayed in C, beside NumPy by hand, jax.jit and torch.

Run it as `python bench/bench_replay_arrays.py`; `--only network` takes a part, `--check` fails on a
missed limit.  Every candidate's result is checked before it is timed.
"""

import sys
from functools import partial

import numpy as np

import adcore
import common
import compare_compiled
import problems

NUMPY = "NumPy by hand"
PEERS = ("jax.jit", "torch")
# What the faster of the two measured once, for where neither is installed: milliseconds.
NETWORK_HVP_MS, ROSENBROCK_HVP_MS = 1.3, 5.4


def logistic(report, turns):
    """Dense Hessian of logistic regression: 10 000 rows, 100 features."""
    rng = np.random.default_rng(2)
    data = rng.normal(size=(10_000, 100))
    labels = (rng.uniform(size=10_000) < 0.5).astype(float)
    w = 0.1 * rng.normal(size=100)

    def loss(np, w):
        return problems.logistic_loss(np, data, labels, w)

    work = "logistic regression, 10 000 rows, 100 features: dense Hessian, replayed"
    candidates = {
        NUMPY: partial(problems.logistic_hessian, data, w),
        "NumPy by hand, by one triangle": partial(problems.logistic_hessian_symmetric, data, w),
        "adcore": partial(adcore.compile(partial(loss, np)).hessian, w),
    }

    def peer_loss(np, w):
        return problems.logistic_loss(np, np.asarray(data), np.asarray(labels), w)

    candidates |= common.built(report, work, compare_compiled.array_hessian(peer_loss, w))
    expected = candidates[NUMPY]()
    report.check_and_compare(work, candidates, expected, NUMPY, {"adcore": 1.5}, turns=turns)


def network(report, turns):
    """Hessian-vector product of a network: three layers of 64 tanh each, batch of 256."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 256, 64))
    shapes = [(64, 64), (64,)] * 3
    parameters = [0.2 * rng.normal(size=shape) for shape in shapes]
    tangents = [rng.normal(size=shape) for shape in shapes]

    def loss(parameters):
        return problems.network_loss(np, parameters, x, y)

    def peer_loss(np, parameters):
        return problems.network_loss(np, parameters, np.asarray(x), np.asarray(y))

    work = "tanh network, 3 layers of 64, batch 256: Hessian-vector product, replayed"
    compiled = adcore.compile(loss)
    candidates = {
        NUMPY: partial(problems.network_hvp, parameters, tangents, x, y),
        "adcore": lambda: compiled.hvp((parameters,), (tangents,))[1],
    }
    builders = compare_compiled.hvp(peer_loss, parameters, tangents)
    against_peers(report, turns, work, candidates, builders, 1.0, NETWORK_HVP_MS)


def rosenbrock(report, turns):
    """Hessian-vector product of the array Rosenbrock function, a million inputs."""
    n = 1_000_000
    x = 0.5 + 0.001 * (np.arange(n) % 1000)
    v = np.cos(np.arange(n))
    work = f"array Rosenbrock, n = {n}: Hessian-vector product, replayed"
    compiled = adcore.compile(partial(problems.rosenbrock_sliced, np))
    candidates = {
        NUMPY: partial(problems.rosenbrock_hvp, x, v),
        "adcore": lambda: compiled.hvp((x,), (v,))[1],
    }
    builders = compare_compiled.hvp(problems.rosenbrock_sliced, x, v)
    against_peers(report, turns, work, candidates, builders, 0.7, ROSENBROCK_HVP_MS)


def against_peers(report, turns, work, candidates, builders, limit, measured_once_ms):
    """Compare with NumPy by hand, and hold the limit against the faster of the other packages."""
    candidates |= common.built(report, work, builders)
    expected = candidates[NUMPY]()
    seconds = report.check_and_compare(work, candidates, expected, NUMPY, turns=turns)
    peers = [name for name in PEERS if name in seconds]
    if peers:
        best = min(peers, key=lambda name: float(np.median(seconds[name])))
        report.add(work, f"adcore / {best}", common.ratios(seconds, "adcore", best), "x", limit)
    else:
        note = f"({limit:g} times what the faster of jax.jit and torch measured once)"
        milliseconds = [1e3 * s for s in seconds["adcore"]]
        report.add(work, "adcore", milliseconds, "ms", limit * measured_once_ms, note)


def order(report, turns):
    """The order of 1000 and of 100 000 numbers, which is stable, and the sorted numbers."""
    rng = np.random.default_rng(7)
    stable = "np.argsort, stable"
    for n in (1000, 100_000):
        x = rng.normal(size=n)
        by_c = adcore.compile(np.argsort, backend="c")
        candidates = {
            stable: partial(np.argsort, x, kind="stable"),
            "adcore": partial(adcore.compile(np.argsort), x),
            'adcore, backend="c"': partial(by_c, x),
        }
        limits = {"adcore": 1.0, 'adcore, backend="c"': 2.0}
        work, expected = f"the order of {n} numbers, replayed", candidates[stable]()
        for name, call in candidates.items():
            if not np.array_equal(call(), expected):
                raise AssertionError(f"{work}, {name}: another order")
        report.compare(work, candidates, stable, limits, turns)
        candidates = {
            "np.sort": partial(np.sort, x),
            "adcore": partial(adcore.compile(np.sort), x),
            "adcore, gradient of sum(sort(x) * w)": partial(
                adcore.compile(lambda x, w: np.sum(np.sort(x) * w)).grad, x, x[::-1].copy()
            ),
        }
        work = f"{n} numbers sorted, replayed"
        common.agree(candidates["adcore"](), candidates["np.sort"](), 0.0, work)
        weights = np.empty(n)
        weights[expected] = x[::-1]
        common.agree([*candidates.values()][-1](), weights, 0.0, f"{work}, gradient")
        report.compare(work, candidates, "np.sort", None, turns)


WORKS = [logistic, network, rosenbrock, order]


def main():
    """Print the report."""
    return common.run("replay_arrays", WORKS, __doc__)


if __name__ == "__main__":
    sys.exit(main())
