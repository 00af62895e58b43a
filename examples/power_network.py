"""State estimation in an electric network: least squares with a sparse Jacobian.

    python examples/power_network.py [--size 5000]

Voltages of all buses, as magnitudes and angles, are estimated from noisy meters: the power that
enters each bus, what flows into each line, and some magnitudes.  The equations are those of AC
power flow, with sines and cosines of angles along lines; the Jacobian of all residuals is found
with its pattern by adcore, and Levenberg and Marquardt's method takes its normal equations.

The Jacobian is held against the formulas with complex matrices that power engineers write down, and
the fit against the distribution of its sum of squares.

References: A. Abur and A. Gómez Expósito, Power system state estimation, 2004, chapter 2;
R. D. Zimmerman, AC power flows, generalized OPF costs and their derivatives using complex matrix
notation, MATPOWER technical note 2, 2010.
"""

import sys
from dataclasses import dataclass

import numpy as np
from scipy import sparse

import adcore
import newton
from checks import Checks, size_given

NOISE = 0.005  # of every meter, per unit


@dataclass
class Network:
    """Buses, and the lines between them: series admittance g + i b, charging at both ends."""

    n: int
    sender: np.ndarray
    receiver: np.ndarray
    g: np.ndarray
    b: np.ndarray
    charging: np.ndarray
    metered: np.ndarray  # the buses whose magnitude is measured


def a_network(n, rng):
    """A ring of n buses with half as many short cuts between buses that are not far apart."""
    ring = np.arange(n)
    cut = np.sort(rng.choice(n, n // 2, replace=False))
    sender = np.concatenate([ring, cut])
    receiver = np.concatenate([ring + 1, cut + rng.integers(2, 30, n // 2)]) % n
    impedance = rng.uniform(0.01, 0.03, len(sender)) + 1j * rng.uniform(0.05, 0.15, len(sender))
    admittance = 1.0 / impedance
    charging = rng.uniform(0.01, 0.05, len(sender))
    return Network(n, sender, receiver, admittance.real, admittance.imag, charging, ring[::3])


def a_state(n, rng):
    """Angles of all buses but the first, which has none, and magnitudes, in one vector."""
    along = 2.0 * np.pi * np.arange(n) / n
    angle = 0.3 * np.sin(along) + 0.02 * rng.standard_normal(n)
    return np.concatenate([angle[1:] - angle[0], 1.0 + 0.03 * np.cos(2.0 * along)])


def meters(network):
    """What the meters show, as a function of the state."""
    s, r, g, b = network.sender, network.receiver, network.g, network.b
    # both ends of every line by the bus they are at, so that a bus is a run of them
    end = np.concatenate([s, r])
    order = np.argsort(end, kind="stable")
    first = np.searchsorted(end[order], np.arange(network.n))

    def flows(v, w, angle):
        """The power that a line draws at the end with magnitude v."""
        cos, sin = np.cos(angle), np.sin(angle)
        active = v * v * g - v * w * (g * cos + b * sin)
        reactive = -v * v * (b + 0.5 * network.charging) - v * w * (g * sin - b * cos)
        return active, reactive

    def f(x):
        angle = np.concatenate([np.zeros(1), x[: network.n - 1]])
        v = x[network.n - 1 :]
        difference = angle[s] - angle[r]
        p, q = flows(v[s], v[r], difference)
        p_back, q_back = flows(v[r], v[s], -difference)
        injected = [
            np.add.reduceat(np.concatenate(ends)[order], first)
            for ends in ((p, p_back), (q, q_back))
        ]
        return np.concatenate([*injected, p, q, v[network.metered]])

    return f


def jacobian_by_matrices(network, x):
    """The same derivatives by products of complex sparse matrices."""
    n, n_lines = network.n, len(network.sender)
    angle, magnitude = np.concatenate([[0.0], x[: n - 1]]), x[n - 1 :]
    line = np.arange(n_lines)
    sending = sparse.csr_array((np.ones(n_lines), (line, network.sender)), shape=(n_lines, n))
    receiving = sparse.csr_array((np.ones(n_lines), (line, network.receiver)), shape=(n_lines, n))
    y = network.g + 1j * network.b
    own = sparse.diags_array(y + 0.5j * network.charging)
    from_ends = own @ sending - sparse.diags_array(y) @ receiving
    to_ends = own @ receiving - sparse.diags_array(y) @ sending
    buses = sending.T @ from_ends + receiving.T @ to_ends

    unit = np.exp(1j * angle)
    v = magnitude * unit
    d = sparse.diags_array
    current = buses @ v
    by_angle = 1j * d(v) @ (d(current) - buses @ d(v)).conj()
    by_magnitude = d(v) @ (buses @ d(unit)).conj() + d(current.conj() * unit)
    line_current, at_sender = from_ends @ v, v[network.sender]
    line_by_angle = 1j * (
        d(line_current.conj()) @ sending @ d(v) - d(at_sender) @ (from_ends @ d(v)).conj()
    )
    line_by_magnitude = d(at_sender) @ (from_ends @ d(unit)).conj() + d(
        line_current.conj()
    ) @ sending @ d(unit)
    metered = sparse.eye_array(n, format="csr")[network.metered]
    rows = [
        [by_angle.real, by_magnitude.real],
        [by_angle.imag, by_magnitude.imag],
        [line_by_angle.real, line_by_magnitude.real],
        [line_by_angle.imag, line_by_magnitude.imag],
        [sparse.csr_array(metered.shape), metered],
    ]
    return sparse.block_array(rows, format="csr")[:, 1:]


def main(arguments=None):
    """Estimate the state of a network; print the checks; the exit status."""
    n = size_given(__doc__.partition("\n")[0], 5000, "buses", arguments)
    rng, checks = np.random.default_rng(20), Checks()
    network = a_network(n, rng)
    f, truth = meters(network), a_state(n, rng)
    exact = f(truth)
    seen = exact + NOISE * rng.standard_normal(len(exact))

    residual = adcore.compile(lambda x: (f(x) - seen) / NOISE)
    flat = np.concatenate([np.zeros(n - 1), np.ones(n)])
    found = newton.least_squares(residual, lambda x: residual.jacobian(x, sparse=True), flat)
    jacobian = residual.jacobian(found.x, sparse=True)
    print(
        f"{n} buses, {len(network.sender)} lines: Jacobian {jacobian.shape[0]} x "
        f"{jacobian.shape[1]} with {jacobian.nnz} entries, {found.n_steps} steps"
    )
    by_matrices = jacobian_by_matrices(network, found.x) / NOISE
    difference = abs(jacobian - by_matrices).max() / abs(by_matrices).max()
    checks.small("difference from the Jacobian by complex matrices", difference, 1e-12)
    # The sum of squares has a chi-square distribution: mean k, variance 2 k.
    k = jacobian.shape[0] - jacobian.shape[1]
    margin = 5.0 * np.sqrt(2.0 * k)
    checks.between("sum of squares", np.sum(residual(found.x) ** 2), k - margin, k + margin)
    # The covariance is inv(J'J): the errors, measured by it, have one of 2 n - 1 more squares.
    miss = jacobian @ (found.x - truth)
    margin = 5.0 * np.sqrt(2.0 * len(flat))
    checks.between("square of the errors", miss @ miss, len(flat) - margin, len(flat) + margin)
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
