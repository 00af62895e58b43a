"""Bundle adjustment: cameras and points from where the points are seen, as ADBench has it.

    python examples/bundle_adjustment.py [--size 20]

A camera has eleven parameters: rotation vector, centre, focal length, principal point, and two of
radial distortion.  Each observation gives the two coordinates of a point in a picture, weighted by
a parameter of its own, and one residual that keeps the weight near 1.  So a row of the Jacobian has
14 entries or one, whatever the number of cameras and points: adcore finds the pattern through the
fancy indexing.  (A coordinate depends on all parameters of its camera but the principal point's
other coordinate, on its point, and on its weight.)

The Jacobian is held against complex steps, which NumPy makes without adcore; the pictures are made
without noise, so that cameras and points must be found again, up to what no picture tells.

References: F. Srajer, Z. Kukelova and A. Fitzgibbon, A benchmark of selected algorithmic
differentiation tools on some problems in computer vision and machine learning, Optim. Methods
Softw. 33, 2018; J. R. R. A. Martins, P. Sturdza and J. J. Alonso, The complex-step derivative
approximation, ACM Trans. Math. Softw. 29, 2003.
"""

import sys

import numpy as np
from scipy import sparse

import adcore
import newton
from checks import Checks, size_given

CAMERA = 11  # parameters of one
SEEN_BY = 6  # cameras that see a point


def rotated(axis, x):
    """Points x, (k, 3), turned by rotation vectors (k, 3): Rodrigues' formula.

    The vectors are not 0, where the length has no derivative.
    """
    angle = np.sqrt(np.sum(axis * axis, axis=1))[:, None]
    unit = axis / angle
    cos, sin = np.cos(angle), np.sin(angle)
    a, b, c = unit[:, 0], unit[:, 1], unit[:, 2]
    p, q, r = x[:, 0], x[:, 1], x[:, 2]
    cross = np.stack([b * r - c * q, c * p - a * r, a * q - b * p], axis=1)
    along = np.sum(unit * x, axis=1)[:, None]
    return cos * x + sin * cross + (1.0 - cos) * along * unit


def project(camera, x):
    """Where cameras, (k, 11), see points, (k, 3): (k, 2)."""
    p = rotated(camera[:, :3], x - camera[:, 3:6])
    flat = p[:, :2] / p[:, 2:]
    square = np.sum(flat * flat, axis=1)
    bent = 1.0 + camera[:, 9] * square + camera[:, 10] * square * square
    return flat * (bent * camera[:, 6])[:, None] + camera[:, 7:9]


def residuals(cameras, points, weights, which, seen):
    """All of them: two per observation, and then one per weight.

    Observation k is of the point which[1][k] by the camera which[0][k], at seen[k].
    """
    off = weights[:, None] * (project(cameras[which[0]], points[which[1]]) - seen)
    return np.concatenate([np.reshape(off, -1), 1.0 - weights * weights])


def a_scene(n_cameras, rng):
    """Cameras on a circle that look at points around its centre, and who sees what."""
    n_points = 20 * n_cameras
    turn = 2.0 * np.pi * (np.arange(n_cameras) + 0.5) / n_cameras
    cameras = np.empty((n_cameras, CAMERA))
    # turned about the vertical axis, the camera's own axis points to the middle
    cameras[:, :3] = 0.01 * rng.standard_normal((n_cameras, 3))
    cameras[:, 1] += turn - np.pi
    cameras[:, 3] = 10.0 * np.sin(turn - np.pi)
    cameras[:, 4] = rng.uniform(-1.0, 1.0, n_cameras)
    cameras[:, 5] = -10.0 * np.cos(turn - np.pi)
    cameras[:, 6] = rng.uniform(0.9, 1.1, n_cameras)
    cameras[:, 7:9] = 0.01 * rng.standard_normal((n_cameras, 2))
    cameras[:, 9:] = 0.01 * rng.standard_normal((n_cameras, 2))
    points = rng.uniform(-2.0, 2.0, (n_points, 3))
    order = np.argsort(rng.random((n_points, n_cameras)), axis=1)[:, :SEEN_BY]
    which = order.ravel(), np.repeat(np.arange(n_points), order.shape[1])
    return cameras, points, which


def jacobian_by_complex_steps(cameras, points, weights, which, seen):
    """The same derivatives: of every observation by one parameter at a time, all in one step."""
    n_seen, step = len(seen), 1e-30
    columns, values = [], []

    def add(column, changed):
        columns.append(np.broadcast_to(column, n_seen))
        off = changed[2][:, None] * (project(changed[0], changed[1]) - seen)
        values.append(off.imag / step)

    given = cameras[which[0]] + 0j, points[which[1]] + 0j, weights + 0j
    for part, (index, offset) in enumerate(((which[0], 0), (which[1], cameras.size))):
        width = given[part].shape[1]
        for k in range(width):
            changed = [array.copy() for array in given]
            changed[part][:, k] += 1j * step
            add(offset + index * width + k, changed)
    own = cameras.size + points.size + np.arange(n_seen)
    add(own, [given[0], given[1], given[2] + 1j * step])

    row = 2 * np.arange(n_seen)
    rows = np.concatenate([np.concatenate([row, row + 1])] * len(columns))
    shape = 3 * n_seen, cameras.size + points.size + n_seen
    entries = [np.concatenate([v[:, 0], v[:, 1]]) for v in values]
    doubled = [np.concatenate([c, c]) for c in columns]
    rows = np.concatenate([rows, 2 * n_seen + np.arange(n_seen)])
    doubled, entries = np.concatenate([*doubled, own]), np.concatenate([*entries, -2.0 * weights])
    return sparse.csr_array((entries, (rows, doubled)), shape=shape)


def main(arguments=None):
    """Make pictures, forget the scene, and find it again; print the checks; the exit status."""
    n_cameras = size_given(__doc__.partition("\n")[0], 20, "cameras, of 20 points each", arguments)
    rng, checks = np.random.default_rng(6), Checks()
    cameras, points, which = a_scene(n_cameras, rng)
    seen = project(cameras[which[0]], points[which[1]])
    n_camera, n_point = cameras.size, points.size

    def f(x):
        return residuals(
            np.reshape(x[:n_camera], (-1, CAMERA)),
            np.reshape(x[n_camera : n_camera + n_point], (-1, 3)),
            x[n_camera + n_point :],
            which,
            seen,
        )

    compiled = adcore.compile(f)
    start = np.concatenate(
        [
            (cameras + 0.002 * rng.standard_normal(cameras.shape)).ravel(),
            (points + 0.02 * rng.standard_normal(points.shape)).ravel(),
            np.full(len(seen), 0.9),
        ]
    )
    jacobian = compiled.jacobian(start, sparse=True)
    print(
        f"{n_cameras} cameras, {len(points)} points: Jacobian {jacobian.shape[0]} x "
        f"{jacobian.shape[1]} with {jacobian.nnz} entries"
    )
    parts = (
        start[:n_camera].reshape(-1, CAMERA),
        start[n_camera : n_camera + n_point].reshape(-1, 3),
    )
    by_steps = jacobian_by_complex_steps(*parts, start[n_camera + n_point :], which, seen)
    checks.near("entries", jacobian.nnz, 29 * len(seen), 0)
    difference = abs(jacobian - by_steps).max() / abs(by_steps).max()
    checks.small("difference from the Jacobian by complex steps", difference, 1e-13)

    found = newton.least_squares(
        compiled, lambda x: compiled.jacobian(x, sparse=True), start, tolerance=1e-6, enough=1e-20
    )
    print(f"adjusted in {found.n_steps} steps")
    weights = found.x[n_camera + n_point :]
    checks.small("distance in the pictures", np.max(np.abs(compiled(found.x))), 1e-9)
    checks.small("weights beside 1", np.max(np.abs(weights - 1.0)), 1e-9)
    # What pictures do not tell is a motion of the whole, and its size: see what is left.
    off = misfit(points, found.x[n_camera : n_camera + n_point].reshape(-1, 3))
    checks.small("points, once moved and scaled onto those made", off, 1e-6)
    return 1 if checks.failed else 0


def misfit(points, others):
    """The largest distance of points from others moved, turned and scaled onto them (Umeyama)."""
    a, b = points - points.mean(axis=0), others - others.mean(axis=0)
    u, s, vt = np.linalg.svd(b.T @ a)
    return np.max(np.abs(a - b @ (u @ vt) * (np.sum(s) / np.sum(b * b))))


if __name__ == "__main__":
    sys.exit(main())
