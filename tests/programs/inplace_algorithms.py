"""Whole programs that write in place, from scratch as a numerical analyst would write them.

Each stands beside its twin: the same function with copies, comprehensions or a closed form instead of writes.
"""

from __future__ import annotations

import numpy as np

from tests.programs.inplace import row
from tests.programs.table import array, matrix, positive, single, vector

# -- partial differential equations ---------------------------------------------------------------


def heat_1d(u0, steps, r):
    u = u0.copy()
    for _ in range(steps):
        u[1:-1] += r * (u[:-2] - 2.0 * u[1:-1] + u[2:])
    return np.sum(u * u)


def heat_1d_twin(u0, steps, r):
    n = len(u0)
    step = np.eye(n) + r * (np.eye(n, k=1) - 2.0 * np.eye(n) + np.eye(n, k=-1))
    step = np.concatenate([np.eye(n)[:1], step[1:-1], np.eye(n)[-1:]])
    u = np.linalg.matrix_power(step, steps) @ u0
    return u @ u


def heat_1d_by_elements(u0, steps, r):
    """Two buffers that change places, each element by a loop."""
    n = len(u0)
    u, new = u0.copy(), np.zeros_like(u0)
    for _ in range(steps):
        new[0], new[n - 1] = u[0], u[n - 1]
        for i in range(1, n - 1):
            new[i] = u[i] + r * (u[i - 1] - 2.0 * u[i] + u[i + 1])
        u, new = new, u
    return np.sum(u * u)


def heat_1d_nonlinear(u0, steps, r):
    """Conductivity 1 + u^2, taken between the cells."""
    u = u0.copy()
    flux = np.zeros(len(u0) - 1, u0.dtype)
    for _ in range(steps):
        for i in range(len(flux)):
            middle = 0.5 * (u[i] + u[i + 1])
            flux[i] = (1.0 + middle * middle) * (u[i + 1] - u[i])
        u[1:-1] += r * (flux[1:] - flux[:-1])
    return np.sum(u * u) + u[1] * u[2]


def heat_1d_nonlinear_twin(u0, steps, r):
    u = u0
    for _ in range(steps):
        middle = 0.5 * (u[:-1] + u[1:])
        flux = (1.0 + middle**2) * np.diff(u)
        u = np.concatenate([u[:1], u[1:-1] + r * np.diff(flux), u[-1:]])
    return np.sum(u * u) + u[1] * u[2]


def heat_2d(u0, steps, r):
    u = u0.copy()
    for _ in range(steps):
        u[1:-1, 1:-1] += r * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4.0 * u[1:-1, 1:-1])
        u[0] = u[1]
        u[:, -1] = u[:, -2]
    return np.sum(u * u)


def heat_2d_twin(u0, steps, r):
    u = u0
    for _ in range(steps):
        inner = (
            u[1:-1, 1:-1]
            + r
            * (np.roll(u, 1, 0) + np.roll(u, -1, 0) + np.roll(u, 1, 1) + np.roll(u, -1, 1) - 4.0 * u)[
                1:-1, 1:-1
            ]
        )
        middle = np.concatenate([u[1:-1, :1], inner, u[1:-1, -1:]], axis=1)
        u = np.concatenate([middle[:1], middle, u[-1:]])
        u = np.concatenate([u[:, :-1], u[:, -2:-1]], axis=1)
    return np.sum(u * u)


def heat_2d_nonlinear(u0, steps, r):
    """Element by element, in place: each new value is seen by the next."""
    u = u0.copy()
    n, m = u.shape
    for _ in range(steps):
        for i in range(1, n - 1):
            for j in range(1, m - 1):
                k = 1.0 / (1.0 + u[i, j] ** 2)
                u[i, j] += r * k * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1] - 4.0 * u[i, j])
    return np.sum(u * u)


def heat_2d_nonlinear_twin(u0, steps, r):
    n, m = u0.shape
    u = {(i, j): u0[i, j] for i in range(n) for j in range(m)}
    for _ in range(steps):
        for i in range(1, n - 1):
            for j in range(1, m - 1):
                around = u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1]
                u = {**u, (i, j): u[i, j] + r * (around - 4.0 * u[i, j]) / (1.0 + u[i, j] ** 2)}
    return sum([v * v for v in u.values()])


def heat_3d(u0, steps, r):
    u = u0.copy()
    change = np.empty_like(u[1:-1, 1:-1, 1:-1])
    for _ in range(steps):
        inner = u[1:-1, 1:-1, 1:-1]
        np.multiply(inner, -6.0, out=change)
        change += u[:-2, 1:-1, 1:-1]
        change += u[2:, 1:-1, 1:-1]
        change += u[1:-1, :-2, 1:-1]
        change += u[1:-1, 2:, 1:-1]
        change += u[1:-1, 1:-1, :-2]
        change += u[1:-1, 1:-1, 2:]
        change *= r
        inner += change
    return np.sum(u**3)


def heat_3d_twin(u0, steps, r):
    inside = np.pad(np.ones([n - 2 for n in u0.shape]), 1)
    u = u0
    for _ in range(steps):
        around = sum([np.roll(u, shift, axis) for shift in (1, -1) for axis in range(3)])
        u = u + inside * r * (around - 6.0 * u)
    return np.sum(u**3)


def heat_3d_nonlinear(u0, steps, r):
    u = u0.copy()
    new = u0.copy()
    for _ in range(steps):
        c = u[1:-1, 1:-1, 1:-1]
        total = np.zeros_like(c)
        for axis in range(3):
            turned = np.moveaxis(u, axis, 0)
            part = np.moveaxis(total, axis, 0)
            part += (turned[2:] - 2.0 * turned[1:-1] + turned[:-2])[:, 1:-1, 1:-1]
        new[1:-1, 1:-1, 1:-1] = c + r * np.exp(-c) * total
        u, new = new, u
    return np.sum(u * u)


def heat_3d_nonlinear_twin(u0, steps, r):
    inside = np.pad(np.ones([n - 2 for n in u0.shape]), 1)
    u = u0
    for _ in range(steps):
        around = sum([np.roll(u, shift, axis) for shift in (1, -1) for axis in range(3)])
        u = u + inside * r * np.exp(-u) * (around - 6.0 * u)
    return np.sum(u * u)


def wave_1d(u0, steps, c):
    """Leapfrog with three levels that change places."""
    old, now, new = u0.copy(), u0.copy(), np.zeros_like(u0)
    for _ in range(steps):
        new[1:-1] = 2.0 * now[1:-1] - old[1:-1] + c * c * (now[2:] - 2.0 * now[1:-1] + now[:-2])
        old, now, new = now, new, old
    return np.sum(now * now)


def wave_1d_twin(u0, steps, c):
    old = now = u0
    for level in range(steps):
        inner = 2.0 * now[1:-1] - old[1:-1] + c**2 * np.diff(now, 2)
        old, now = now, np.concatenate([_edge(u0[:1], level), inner, _edge(u0[-1:], level)])
    return now @ now


def _edge(value, level):
    """The three buffers keep the edges they began with: zero, then the two of `u0`."""
    return value * (0.0 if level % 3 == 0 else 1.0)


def wave_1d_nonlinear(u0, v0, steps, dt):
    """Symplectic Euler for u'' = u_xx - u^3, with speed in place."""
    u, v = u0.copy(), v0.copy()
    for _ in range(steps):
        v[1:-1] += dt * (u[2:] - 2.0 * u[1:-1] + u[:-2] - u[1:-1] ** 3)
        u += dt * v
    return np.sum(u * u) + np.sum(v * v)


def wave_1d_nonlinear_twin(u0, v0, steps, dt):
    u, v = u0, v0
    for _ in range(steps):
        force = np.pad(np.diff(u, 2) - u[1:-1] ** 3, 1)
        v = v + dt * force
        u = u + dt * v
    return np.sum(u * u) + np.sum(v * v)


def wave_2d(u0, steps, c):
    """All levels kept in one array."""
    u = np.zeros((steps + 2, *u0.shape), u0.dtype)
    u[0] = u0
    u[1] = u0
    for k in range(1, steps + 1):
        laplacian = u[k, 2:, 1:-1] + u[k, :-2, 1:-1] + u[k, 1:-1, 2:] + u[k, 1:-1, :-2]
        laplacian -= 4.0 * u[k, 1:-1, 1:-1]
        u[k + 1, 1:-1, 1:-1] = 2.0 * u[k, 1:-1, 1:-1] - u[k - 1, 1:-1, 1:-1] + c * c * laplacian
    return np.sum(u[-1] ** 2) + u[2, 1, 1] * u[1, 1, 2]


def wave_2d_twin(u0, steps, c):
    inside = np.pad(np.ones([n - 2 for n in u0.shape]), 1)
    levels = [u0, u0]
    for _ in range(steps):
        now, old = levels[-1], levels[-2]
        around = sum([np.roll(now, shift, axis) for shift in (1, -1) for axis in range(2)])
        levels = [*levels, inside * (2.0 * now - old + c * c * (around - 4.0 * now))]
    return np.sum(levels[-1] ** 2) + levels[2][1, 1] * levels[1][1, 2]


def wave_3d(u0, steps, speed):
    """The speed depends on the value; written with out= into one scratch array."""
    old, now = u0.copy(), u0.copy()
    scratch = np.zeros_like(u0)
    inner = (slice(1, -1),) * 3
    for _ in range(steps):
        scratch[inner] = -6.0 * now[inner]
        for axis in range(3):
            scratch[inner] += np.roll(now, 1, axis)[inner] + np.roll(now, -1, axis)[inner]
        np.multiply(scratch, speed * (1.0 + now * now), out=scratch)
        scratch += 2.0 * now
        scratch -= old
        old[inner] = now[inner]
        now[inner] = scratch[inner]
    return np.sum(now * now)


def wave_3d_twin(u0, steps, speed):
    inside = np.pad(np.ones([n - 2 for n in u0.shape]), 1)
    old = now = u0
    for _ in range(steps):
        around = sum([np.roll(now, shift, axis) for shift in (1, -1) for axis in range(3)])
        new = 2.0 * now - old + speed * (1.0 + now**2) * (around - 6.0 * now)
        old, now = np.where(inside > 0.0, now, old), np.where(inside > 0.0, new, now)
    return np.sum(now * now)


def burgers_upwind(u0, steps, r):
    """The side that is read depends on the sign of the value; the sweep goes over a plain np.zeros."""
    n = len(u0)
    u = np.zeros((steps + 1, n))
    u[0, :] = u0
    for t in range(steps):
        for i in range(n):
            if u[t, i] > 0.0:
                slope = u[t, i] - u[t, i - 1]
            else:
                slope = u[t, (i + 1) % n] - u[t, i]
            u[t + 1, i] = u[t, i] - r * u[t, i] * slope
    return (u[steps] ** 2).sum() + u[1].prod()


def burgers_upwind_twin(u0, steps, r):
    levels = [u0]
    for _ in range(steps):
        u = levels[-1]
        slope = np.where(u > 0.0, u - np.roll(u, 1), np.roll(u, -1) - u)
        levels = levels + [u - r * u * slope]
    return (levels[steps] ** 2).sum() + levels[1].prod()


PDE = [
    row(heat_1d, vector(7), 4, 0.2, twin=heat_1d_twin),
    row(heat_1d, single(vector(7)), 4, 0.2, suffix="_float32", twin=heat_1d_twin),
    row(heat_1d, vector(7), 4, 0.2, wrt=(0, 2), suffix="_by_number", twin=heat_1d_twin, analytic=False),
    row(heat_1d_by_elements, vector(7), 4, 0.2, twin=heat_1d_twin),
    row(heat_1d_nonlinear, vector(6), 4, 0.2, wrt=(0, 2), twin=heat_1d_nonlinear_twin),
    row(heat_2d, matrix(4, 5), 3, 0.1, wrt=(0, 2), twin=heat_2d_twin),
    row(heat_2d_nonlinear, matrix(4, 5), 3, 0.1, twin=heat_2d_nonlinear_twin),
    row(heat_3d, array(4, 3, 4), 2, 0.1, wrt=(0, 2), twin=heat_3d_twin),
    row(heat_3d_nonlinear, array(3, 4, 3), 3, 0.1, twin=heat_3d_nonlinear_twin),
    row(wave_1d, vector(7), 4, 0.5, wrt=(0, 2), twin=wave_1d_twin),
    row(wave_1d_nonlinear, vector(6), vector(6, 2), 4, 0.1, wrt=(0, 1, 3), twin=wave_1d_nonlinear_twin),
    row(wave_2d, matrix(4, 4), 3, 0.5, twin=wave_2d_twin),
    row(wave_3d, array(3, 3, 4), 3, 0.1, wrt=(0, 2), twin=wave_3d_twin),
    row(burgers_upwind, vector(6), 3, 0.2, twin=burgers_upwind_twin, analytic=False),
]


# -- linear systems -------------------------------------------------------------------------------


def gauss_seidel(a, b, sweeps):
    n = len(b)
    x = np.zeros_like(b)
    for _ in range(sweeps):
        for i in range(n):
            residual = b[i]
            for j in range(n):
                if j != i:
                    residual = residual - a[i, j] * x[j]
            x[i] = residual / a[i, i]
    return np.sum(x * x)


def gauss_seidel_twin(a, b, sweeps):
    lower, upper = np.tril(a), np.triu(a, 1)
    x = b * 0.0
    for _ in range(sweeps):
        x = np.linalg.solve(lower, b - upper @ x)
    return x @ x


def gauss_seidel_until_converged(a, b, tolerance):
    """Sweeps with slices in a `while`, over-relaxed; how many is decided by the values."""
    x = np.zeros_like(b)
    rounds = 0
    while rounds < 20:
        change = x[0] * 0.0
        for i in range(len(b)):
            new = (b[i] - a[i, :i] @ x[:i] - a[i, i + 1 :] @ x[i + 1 :]) / a[i, i]
            step = 1.1 * (new - x[i])
            x[i] += step
            change = change + step * step
        rounds += 1
        if change < tolerance:
            break
    return x.sum() * rounds


def gauss_seidel_until_converged_twin(a, b, tolerance):
    x = [0.0 * v for v in b]
    rounds = 0
    while True:
        before = x
        for i in range(len(b)):
            rest = sum([a[i, j] * x[j] for j in range(len(b)) if j != i])
            x = x[:i] + [x[i] + 1.1 * ((b[i] - rest) / a[i, i] - x[i])] + x[i + 1 :]
        rounds += 1
        if sum([(u - v) ** 2 for u, v in zip(x, before)]) < tolerance or rounds == 20:
            return sum(x) * rounds


def thomas(lower, main, upper, right):
    """The tridiagonal system, with the textbook's two sweeps, in copies."""
    n = len(main)
    c, d = upper.copy(), right.copy()
    c[0] /= main[0]
    d[0] /= main[0]
    for i in range(1, n):
        pivot = main[i] - lower[i - 1] * c[i - 1]
        if i < n - 1:
            c[i] /= pivot
        d[i] = (d[i] - lower[i - 1] * d[i - 1]) / pivot
    for i in range(n - 2, -1, -1):
        d[i] -= c[i] * d[i + 1]
    return np.sum(d * d)


def thomas_in_arguments(lower, main, upper, right):
    """As Fortran had it: what is given is used up."""
    n = len(main)
    for i in range(1, n):
        lower[i - 1] /= main[i - 1]
        main[i] -= lower[i - 1] * upper[i - 1]
        right[i] -= lower[i - 1] * right[i - 1]
    right[-1] /= main[-1]
    for i in reversed(range(n - 1)):
        right[i] = (right[i] - upper[i] * right[i + 1]) / main[i]
    return np.sum(right * right)


def thomas_twin(lower, main, upper, right):
    x = np.linalg.solve(np.diag(main) + np.diag(lower, -1) + np.diag(upper, 1), right)
    return x @ x


def lu_in_place(a, b):
    """Doolittle without pivots; then both substitutions in a copy of the right side."""
    lu = a.copy()
    n = len(lu)
    for k in range(n - 1):
        for i in range(k + 1, n):
            lu[i, k] /= lu[k, k]
            for j in range(k + 1, n):
                lu[i, j] -= lu[i, k] * lu[k, j]
    x = b.copy()
    for i in range(n):
        for j in range(i):
            x[i] -= lu[i, j] * x[j]
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            x[i] -= lu[i, j] * x[j]
        x[i] /= lu[i, i]
    return np.sum(x * x)


def solve_twin(a, b):
    x = np.linalg.solve(a, b)
    return np.sum(x * x)


def lu_with_pivots(a, b):
    """Rows change places, in the matrix by index arrays and in the permutation by a swap."""
    lu = a.copy()
    n = len(lu)
    order = np.arange(n)
    for k in range(n - 1):
        p = k + np.argmax(np.abs(lu[k:, k]))
        if p != k:
            lu[[k, p]] = lu[[p, k]]
            order[k], order[p] = order[p], order[k]
        lu[k + 1 :, k] /= lu[k, k]
        lu[k + 1 :, k + 1 :] -= np.outer(lu[k + 1 :, k], lu[k, k + 1 :])
    x = b[order]
    for i in range(n):
        x[i] -= lu[i, :i] @ x[:i]
    for i in reversed(range(n)):
        x[i] = (x[i] - lu[i, i + 1 :] @ x[i + 1 :]) / lu[i, i]
    return np.sum(x * x)


def determinant_by_elimination(a):
    u = a.copy()
    result = u[0, 0] * 0.0 + 1.0
    for k in range(len(u)):
        result = result * u[k, k]
        for line in u[k + 1 :]:
            line[k:] -= u[k, k:] * (line[k] / u[k, k])
    return result


def determinant_twin(a):
    return np.linalg.det(a)


def gauss_jordan(a):
    """The inverse, in an array of twice the width."""
    n = len(a)
    work = np.zeros((n, 2 * n), a.dtype)
    work[:, :n] = a
    work[:, n:] = np.eye(n)
    for k in range(n):
        work[k] /= work[k, k]
        for i in range(n):
            if i != k:
                work[i] -= work[i, k] * work[k]
    return np.sum(work[:, n:] * a.T) + work[0, n + 1]


def gauss_jordan_twin(a):
    inverse = np.linalg.inv(a)
    return np.sum(inverse * a.T) + inverse[0, 1]


def cholesky_banachiewicz(a):
    n = len(a)
    low = np.zeros_like(a)
    for i in range(n):
        for j in range(i + 1):
            total = a[i, j]
            for k in range(j):
                total = total - low[i, k] * low[j, k]
            if i == j:
                low[i, i] = np.sqrt(total)
            else:
                low[i, j] = total / low[j, j]
    return np.sum(low * low * low)


def cholesky_in_place(a):
    """Right-looking, in the lower half of a copy; the upper half is cleared in the end."""
    low = a.copy()
    n = len(low)
    for k in range(n):
        low[k, k] **= 0.5
        low[k + 1 :, k] /= low[k, k]
        for j in range(k + 1, n):
            low[j:, j] -= low[j:, k] * low[j, k]
    for i in range(n):
        low[i, i + 1 :] = 0.0
    return np.sum(low * low * low)


def cholesky_twin(a):
    """Recursive by blocks, nothing written; only the lower half of `a` is read."""

    def factor(s):
        d = np.sqrt(s[0, 0])
        column = s[1:, 0] / d
        rest = [] if len(s) == 1 else factor(s[1:, 1:] - np.outer(column, column))
        return [np.concatenate([[d], column]), *rest]

    lower = np.tril(a) + np.tril(a, -1).T
    return sum([np.sum(column**3) for column in factor(lower)])


def ldl_in_place(a, b):
    """a = L D L^T in the lower half, without a square root, and the solution."""
    n = len(b)
    a = a.copy()
    for j in range(n):
        for k in range(j):
            a[j, j] -= a[j, k] ** 2 * a[k, k]
        for i in range(j + 1, n):
            for k in range(j):
                a[i, j] -= a[i, k] * a[j, k] * a[k, k]
            a[i, j] /= a[j, j]
    x = b * 1.0
    for i in range(n):
        x[i] -= a[i, :i] @ x[:i]
    x /= np.einsum("ii->i", a)
    for i in range(n)[::-1]:
        x[:i] -= a[i, :i] * x[i]
    return np.sum(x * x)


def ldl_twin(a, b):
    x = np.linalg.solve(np.tril(a) + np.tril(a, -1).T, b)
    return np.sum(x * x)


def qr_gram_schmidt(a):
    """Modified Gram-Schmidt: the columns of `q` are made orthogonal to one another in place."""
    q = a.copy()
    n = q.shape[1]
    r = np.zeros((n, n), a.dtype)
    for k in range(n):
        r[k, k] = np.sqrt(np.sum(q[:, k] ** 2))
        q[:, k] /= r[k, k]
        for j in range(k + 1, n):
            r[k, j] = q[:, k] @ q[:, j]
            q[:, j] -= r[k, j] * q[:, k]
    return np.sum(q * q * q) + np.sum(r * r * r)


def qr_gram_schmidt_by_columns(a):
    """The same over the rows of the transpose, each written through the loop's variable."""
    q = a.copy()
    done = []
    r = np.zeros((a.shape[1], a.shape[1]), a.dtype)
    for j, column in enumerate(q.T):
        for i, before in enumerate(done):
            r[i, j] = before @ column
            column -= r[i, j] * before
        r[j, j] = np.sqrt(column @ column)
        column /= r[j, j]
        done.append(column)
    return np.sum(q * q * q) + np.sum(r * r * r)


def qr_gram_schmidt_twin(a):
    """Classical Gram-Schmidt with new vectors: the same factors but for rounding."""
    qs, rs = [], []
    for j in range(a.shape[1]):
        parts = [q @ a[:, j] for q in qs]
        rest = a[:, j] - sum([p * q for p, q in zip(parts, qs)])
        norm = np.sqrt(rest @ rest)
        qs = [*qs, rest / norm]
        rs = [*rs, *parts, norm]
    return sum([np.sum(q**3) for q in qs]) + sum([v**3 for v in rs])


def qr_givens(a):
    r = a.copy()
    m, n = r.shape
    q = np.eye(m) + 0.0 * a[0, 0]
    for j in range(n):
        for i in range(m - 1, j, -1):
            radius = np.sqrt(r[i - 1, j] ** 2 + r[i, j] ** 2)
            c, s = r[i - 1, j] / radius, r[i, j] / radius
            upper, lower = r[i - 1].copy(), r[i].copy()
            r[i - 1] = c * upper + s * lower
            r[i] = c * lower - s * upper
            for k in range(m):
                q[k, i - 1], q[k, i] = c * q[k, i - 1] + s * q[k, i], c * q[k, i] - s * q[k, i - 1]
    return np.sum(r[:n] ** 3) + np.sum(q[:, 0] ** 3)


def qr_givens_twin(a):
    """Rotations as whole matrices."""
    m, n = a.shape
    r, q = a, np.eye(m)
    for j in range(n):
        for i in range(m - 1, j, -1):
            radius = np.sqrt(r[i - 1, j] ** 2 + r[i, j] ** 2)
            c, s = r[i - 1, j] / radius, r[i, j] / radius
            e = np.eye(m)
            plane = np.outer(e[i - 1], e[i - 1]) + np.outer(e[i], e[i])
            turn = e - plane + c * plane + s * (np.outer(e[i - 1], e[i]) - np.outer(e[i], e[i - 1]))
            r, q = turn @ r, q @ turn.T
    return np.sum(r[:n] ** 3) + np.sum(q[:, 0] ** 3)


def qr_householder(a, b):
    """Least squares: reflections applied to the matrix and to the right side in place."""
    r, y = a.copy(), b.copy()
    m, n = r.shape
    for k in range(n):
        v = r[k:, k].copy()
        norm = np.sqrt(v @ v)
        v[0] += norm if v[0] > 0.0 else -norm
        v /= np.sqrt(v @ v)
        r[k:, k:] -= 2.0 * np.outer(v, v @ r[k:, k:])
        y[k:] -= 2.0 * v * (v @ y[k:])
    for i in range(n - 1, -1, -1):
        y[i] = (y[i] - r[i, i + 1 :] @ y[i + 1 : n]) / r[i, i]
    return np.sum(y[:n] ** 2)


def least_squares_twin(a, b):
    x = np.linalg.solve(a.T @ a, a.T @ b)
    return np.sum(x**2)


def substitutions(low, b):
    """Forward with the matrix, back with its transpose: the right side is overwritten twice."""
    x = b.copy()
    n = len(x)
    for i in range(n):
        for j in range(i):
            x[i] -= low[i, j] * x[j]
        x[i] /= low[i, i]
    for i in range(n - 1, -1, -1):
        x[i] /= low[i, i]
        for j in range(i):
            x[j] -= low[i, j] * x[i]
    return np.sum(x**3)


def substitutions_twin(low, b):
    low = np.tril(low)
    return np.sum(np.linalg.solve(low @ low.T, b) ** 3)


def conjugate_gradients(a, b, steps):
    x = np.zeros_like(b)
    r = b.copy()
    p = r.copy()
    rr = r @ r
    for _ in range(steps):
        ap = a @ p
        alpha = rr / (p @ ap)
        x += alpha * p
        r -= alpha * ap
        new = r @ r
        p *= new / rr
        p += r
        rr = new
    return np.sum(x * x)


def conjugate_gradients_twin(a, b, steps):
    x, r, p = b * 0.0, b, b
    for _ in range(steps):
        alpha = (r @ r) / (p @ a @ p)
        after = r - alpha * (a @ p)
        x, r, p = x + alpha * p, after, after + p * ((after @ after) / (r @ r))
    return np.sum(x * x)


def jacobi_eigenvalues(a, sweeps):
    """Rotations that clear one element off the diagonal each, both sides in place."""
    s = a.copy()
    n = len(s)
    for _ in range(sweeps):
        for p in range(n - 1):
            for q in range(p + 1, n):
                theta = (s[q, q] - s[p, p]) / (2.0 * s[p, q])
                t = 1.0 / (theta + (1.0 if theta > 0.0 else -1.0) * np.sqrt(theta * theta + 1.0))
                c = 1.0 / np.sqrt(t * t + 1.0)
                for k in range(n):
                    s[k, p], s[k, q] = c * s[k, p] - t * c * s[k, q], t * c * s[k, p] + c * s[k, q]
                rows = s[[p, q]]
                s[p] = c * rows[0] - t * c * rows[1]
                s[q] = t * c * rows[0] + c * rows[1]
    values = np.einsum("ii->i", s)
    return np.sum(values**3) + s[0, 1] * 2.0


def jacobi_eigenvalues_twin(a, sweeps):
    n = len(a)
    s, e = a, np.eye(n)
    for _ in range(sweeps):
        for p in range(n - 1):
            for q in range(p + 1, n):
                theta = (s[q, q] - s[p, p]) / (2.0 * s[p, q])
                t = 1.0 / (theta + (1.0 if theta > 0.0 else -1.0) * np.sqrt(theta * theta + 1.0))
                c = 1.0 / np.sqrt(t * t + 1.0)
                plane = np.outer(e[p], e[p]) + np.outer(e[q], e[q])
                turn = e - plane + c * plane + t * c * (np.outer(e[p], e[q]) - np.outer(e[q], e[p]))
                s = turn.T @ s @ turn
    return np.sum(np.diag(s) ** 3) + s[0, 1] * 2.0


def levinson_durbin(r):
    """Linear prediction from autocorrelations: coefficients updated symmetrically in place."""
    n = len(r) - 1
    a = np.zeros(n, r.dtype)
    error = r[0]
    for k in range(n):
        reflection = r[k + 1]
        for j in range(k):
            reflection = reflection - a[j] * r[k - j]
        reflection = reflection / error
        a[:k] -= reflection * a[:k][::-1]
        a[k] = reflection
        error = error * (1.0 - reflection * reflection)
    return np.sum(a * a) * error


def levinson_durbin_twin(r):
    n = len(r) - 1
    table = np.stack([np.stack([r[abs(i - j)] for j in range(n)]) for i in range(n)])
    a = np.linalg.solve(table, r[1:])
    return np.sum(a * a) * (r[0] - a @ r[1:])


def _dominant(n, seed=1):
    return matrix(n, n, seed) + 3.0 * np.eye(n)


def _definite(n, seed=1):
    a = matrix(n, n, seed)
    return a @ a.T + 2.0 * np.eye(n)


TRIDIAGONAL = (vector(4), vector(5, 2) + 3.0, vector(4, 3), vector(5, 4))

SYSTEMS = [
    row(gauss_seidel, _dominant(3), vector(3), 3, wrt=(0, 1), twin=gauss_seidel_twin),
    row(
        gauss_seidel_until_converged,
        _dominant(3),
        vector(3),
        1e-3,
        wrt=(0, 1),
        twin=gauss_seidel_until_converged_twin,
    ),
    row(thomas, *TRIDIAGONAL, wrt=(0, 1, 2, 3), twin=thomas_twin),
    row(thomas_in_arguments, *TRIDIAGONAL, wrt=(0, 1, 2, 3), twin=thomas_twin, writes_arguments=True),
    row(lu_in_place, _dominant(4), vector(4), wrt=(0, 1), twin=solve_twin),
    row(lu_with_pivots, matrix(4, 4), vector(4), wrt=(0, 1), twin=solve_twin),
    row(determinant_by_elimination, _dominant(4), twin=determinant_twin),
    row(gauss_jordan, _dominant(3), twin=gauss_jordan_twin),
    row(cholesky_banachiewicz, _definite(4), twin=cholesky_twin),
    row(cholesky_in_place, _definite(4), twin=cholesky_twin),
    row(ldl_in_place, _definite(4), vector(4), wrt=(0, 1), twin=ldl_twin),
    row(qr_gram_schmidt, matrix(4, 3), twin=qr_gram_schmidt_twin),
    row(qr_gram_schmidt_by_columns, matrix(4, 3), twin=qr_gram_schmidt_twin),
    row(qr_givens, matrix(4, 3), twin=qr_givens_twin),
    row(qr_householder, matrix(4, 3), vector(4), wrt=(0, 1), twin=least_squares_twin),
    row(substitutions, _dominant(4), vector(4), wrt=(0, 1), twin=substitutions_twin),
    row(conjugate_gradients, _definite(4), vector(4), 3, wrt=(0, 1), twin=conjugate_gradients_twin),
    row(jacobi_eigenvalues, _definite(3), 2, twin=jacobi_eigenvalues_twin),
    row(levinson_durbin, np.array([2.0, 0.7, -0.4, 0.3]), twin=levinson_durbin_twin),
]


# -- transforms, scans, sorting -------------------------------------------------------------------


def fft_butterflies(re0, im0):
    """Radix 2, decimation in time: bit reversal by swaps, then butterflies in place."""
    re, im = re0.copy(), im0.copy()
    n = len(re)
    j = 0
    for i in range(1, n):
        bit = n >> 1
        while j & bit:
            j ^= bit
            bit >>= 1
        j |= bit
        if i < j:
            re[i], re[j] = re[j], re[i]
            im[i], im[j] = im[j], im[i]
    size = 2
    while size <= n:
        half = size // 2
        for start in range(0, n, size):
            for k in range(half):
                angle = -2.0 * np.pi * k / size
                c, s = np.cos(angle), np.sin(angle)
                a, b = start + k, start + k + half
                t_re = c * re[b] - s * im[b]
                t_im = c * im[b] + s * re[b]
                re[b], im[b] = re[a] - t_re, im[a] - t_im
                re[a] += t_re
                im[a] += t_im
        size *= 2
    return _spectrum(re, im)


def fft_recursive(re0, im0):
    """The halves are views, and each call writes the transform into what it was given."""

    def transform(re, im):
        n = len(re)
        if n == 1:
            return
        re_even, re_odd = re[::2].copy(), re[1::2].copy()
        im_even, im_odd = im[::2].copy(), im[1::2].copy()
        transform(re_even, im_even)
        transform(re_odd, im_odd)
        angle = -2.0 * np.pi * np.arange(n // 2) / n
        c, s = np.cos(angle), np.sin(angle)
        t_re = c * re_odd - s * im_odd
        t_im = c * im_odd + s * re_odd
        re[: n // 2], im[: n // 2] = re_even + t_re, im_even + t_im
        re[n // 2 :], im[n // 2 :] = re_even - t_re, im_even - t_im

    re, im = re0.copy(), im0.copy()
    transform(re, im)
    return _spectrum(re, im)


def fft_recursive_in_place(re0, im0):
    """Decimation in frequency: recursion into halves of the same memory, the order left reversed."""
    re, im = re0 * 1.0, im0 * 1.0
    _difference_then_halves(re, im)
    return np.sum((re * re + im * im) ** 2)


def _difference_then_halves(re, im):
    half = len(re) // 2
    if half == 0:
        return
    angle = -np.pi * np.arange(half) / half
    c, s = np.cos(angle), np.sin(angle)
    d_re, d_im = re[:half] - re[half:], im[:half] - im[half:]
    re[:half] += re[half:]
    im[:half] += im[half:]
    re[half:] = c * d_re - s * d_im
    im[half:] = c * d_im + s * d_re
    _difference_then_halves(re[:half], im[:half])
    _difference_then_halves(re[half:], im[half:])


def _spectrum(re, im):
    weights = np.arange(1.0, len(re) + 1.0)
    return np.sum(weights * (re * re + 0.5 * im * im) ** 2)


def _dft(re, im):
    n = len(re)
    angle = -2.0 * np.pi * np.outer(np.arange(n), np.arange(n)) / n
    c, s = np.cos(angle), np.sin(angle)
    return c @ re - s @ im, c @ im + s @ re


def dft_twin(re, im):
    return _spectrum(*_dft(re, im))


def dft_unordered_twin(re, im):
    re, im = _dft(re, im)
    return np.sum((re * re + im * im) ** 2)


def haar_wavelet(x):
    y = x.copy()
    scratch = np.empty_like(y)
    n = len(y)
    while n > 1:
        half = n // 2
        scratch[:half] = (y[0:n:2] + y[1:n:2]) / np.sqrt(2.0)
        scratch[half:n] = (y[0:n:2] - y[1:n:2]) / np.sqrt(2.0)
        y[:n] = scratch[:n]
        n = half
    return np.sum(y**3 * np.arange(1.0, len(y) + 1.0))


def haar_wavelet_twin(x):
    def transform(v):
        if len(v) == 1:
            return v
        low, high = (v[::2] + v[1::2]) / 2.0**0.5, (v[::2] - v[1::2]) / 2.0**0.5
        return np.concatenate([transform(low), high])

    return np.sum(transform(x) ** 3 * np.arange(1.0, len(x) + 1.0))


def prefix_sums(x):
    """Running sums of products, one after the other."""
    y = x * x
    for k in range(1, len(y)):
        y[k] += y[k - 1]
    return np.sum(y * y * x)


def prefix_sums_doubling(x):
    """Hillis and Steele 1986: distances 1, 2, 4, ...; source and destination overlap."""
    y = x * x
    distance = 1
    while distance < len(y):
        y[distance:] += y[:-distance]
        distance *= 2
    return np.sum(y * y * x)


def prefix_sums_tree(x):
    """Blelloch 1990: up a tree and down again, then made inclusive."""
    y = x * x
    n = len(y)
    step = 1
    while step < n:
        y[2 * step - 1 :: 2 * step] += y[step - 1 :: 2 * step]
        step *= 2
    y[n - 1] = 0.0
    while step > 1:
        step //= 2
        for k in range(2 * step - 1, n, 2 * step):
            left = y[k - step]
            y[k - step] = y[k]
            y[k] += left
    y += x * x
    return np.sum(y * y * x)


def prefix_sums_twin(x):
    return np.sum(np.cumsum(x**2) ** 2 * x)


def _ranked(y):
    return np.sum(y * y * np.arange(1.0, len(y) + 1.0)) + y[0] * y[-1]


def bitonic_network(x):
    """Batcher 1968: compare and exchange, by index."""
    y = x * 1.0
    n = len(y)
    k = 2
    while k <= n:
        j = k // 2
        while j > 0:
            for i in range(n):
                other = i ^ j
                if other > i:
                    if (y[i] > y[other]) == ((i & k) == 0):
                        y[i], y[other] = y[other], y[i]
            j //= 2
        k *= 2
    return _ranked(y)


def odd_even_network(x):
    """Rounds of minima and maxima of neighbours, whole slices at a time."""
    y = x.copy()
    n = len(y)
    for k in range(n):
        left, right = y[k % 2 : n - 1 : 2], y[k % 2 + 1 :: 2]
        low = np.minimum(left, right)
        right[:] = np.maximum(left, right)
        left[:] = low
    return _ranked(y)


def insertion_sort(x):
    y = x.copy()
    for i in range(1, len(y)):
        value = y[i]
        j = i - 1
        while j >= 0 and y[j] > value:
            y[j + 1] = y[j]
            j -= 1
        y[j + 1] = value
    return _ranked(y)


def quicksort(x):
    """Hoare's, in place, recursing into bounds of the same array."""

    def sort(y, low, high):
        if low >= high:
            return
        pivot = y[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while y[i] < pivot:
                i += 1
            while y[j] > pivot:
                j -= 1
            if i <= j:
                y[i], y[j] = y[j], y[i]
                i += 1
                j -= 1
        sort(y, low, j)
        sort(y, i, high)

    y = x.copy()
    sort(y, 0, len(y) - 1)
    return _ranked(y)


def merge_sort(x):
    """Recursion into halves that are views, merged through a copy."""

    def sort(y):
        if len(y) < 2:
            return
        half = len(y) // 2
        sort(y[:half])
        sort(y[half:])
        left, right = y[:half].copy(), y[half:].copy()
        i = j = 0
        for k in range(len(y)):
            if j == len(right) or (i < len(left) and left[i] < right[j]):
                y[k] = left[i]
                i += 1
            else:
                y[k] = right[j]
                j += 1

    y = x.copy()
    sort(y)
    return _ranked(y)


def heap_sort(x):
    """A heap in a Python list: sift up on arrival, sift down on departure."""
    heap = []
    for v in x:
        heap.append(v)
        k = len(heap) - 1
        while k > 0 and heap[k] < heap[(k - 1) // 2]:
            heap[k], heap[(k - 1) // 2] = heap[(k - 1) // 2], heap[k]
            k = (k - 1) // 2
    y = np.empty_like(x)
    for place in range(len(x)):
        y[place] = heap[0]
        last = heap.pop()
        if heap:
            heap[0] = last
            k = 0
            while 2 * k + 1 < len(heap):
                child = 2 * k + 1
                if child + 1 < len(heap) and heap[child + 1] < heap[child]:
                    child += 1
                if heap[k] < heap[child]:
                    break
                heap[k], heap[child] = heap[child], heap[k]
                k = child
    return _ranked(y)


def sorted_twin(x):
    return _ranked(np.sort(x))


def floyd_warshall(lengths):
    d = lengths.copy()
    n = len(d)
    for k in range(n):
        for i in range(n):
            for j in range(n):
                if d[i, k] + d[k, j] < d[i, j]:
                    d[i, j] = d[i, k] + d[k, j]
    return np.sum(d * d)


def floyd_warshall_by_rows(lengths):
    d = lengths.copy()
    for k in range(len(d)):
        np.minimum(d, d[:, k : k + 1] + d[k], out=d)
    return np.sum(d * d)


def floyd_warshall_twin(lengths):
    """Shortest over all walks of growing length, by products of minima and sums."""
    n = len(lengths)
    d = lengths
    for _ in range(n):
        through = np.stack([d[:, k : k + 1] + lengths[k] for k in range(n)])
        d = np.minimum(d, np.min(through, axis=0))
    return np.sum(d * d)


LENGTHS = np.array([[9.0, 3.1, 8.3, 7.7], [4.2, 9.5, 1.7, 6.1], [5.9, 2.6, 9.2, 1.3], [2.2, 8.9, 7.1, 9.9]])

TRANSFORMS = [
    row(fft_butterflies, vector(8), vector(8, 2), wrt=(0, 1), twin=dft_twin),
    row(fft_recursive, vector(8), vector(8, 2), wrt=(0, 1), twin=dft_twin),
    row(fft_recursive_in_place, vector(8), vector(8, 2), wrt=(0, 1), twin=dft_unordered_twin),
    row(haar_wavelet, vector(8), twin=haar_wavelet_twin),
    row(prefix_sums, vector(6), twin=prefix_sums_twin),
    row(prefix_sums_doubling, vector(7), twin=prefix_sums_twin),
    row(prefix_sums_tree, vector(8), twin=prefix_sums_twin),
    row(bitonic_network, vector(8), twin=sorted_twin),
    row(odd_even_network, vector(7), twin=sorted_twin),
    row(insertion_sort, vector(7), twin=sorted_twin),
    row(quicksort, vector(8), twin=sorted_twin),
    row(merge_sort, vector(7), twin=sorted_twin),
    row(heap_sort, vector(7), twin=sorted_twin),
    row(floyd_warshall, LENGTHS, twin=floyd_warshall_twin),
    row(floyd_warshall_by_rows, LENGTHS, twin=floyd_warshall_twin),
]


# -- dynamics, filters, dynamic programming -------------------------------------------------------


def n_body(x0, v0, mass, steps, dt):
    x, v = x0.copy(), v0.copy()
    n = len(mass)
    acc = np.zeros_like(x)
    for _ in range(steps):
        acc[...] = 0.0
        for i in range(n):
            for j in range(n):
                if i != j:
                    apart = x[j] - x[i]
                    acc[i] += mass[j] * apart / (apart @ apart + 0.1) ** 1.5
        v += dt * acc
        x += dt * v
    return np.sum(x * x) + np.sum(mass * np.sum(v * v, axis=1))


def n_body_by_pairs(x0, v0, mass, steps, dt):
    """Newton's third law: each pair once, both sides written; the acceleration kept in a plain array."""
    x, v = x0.copy(), v0.copy()
    for _ in range(steps):
        acc = np.zeros(x.shape)
        for i in range(len(mass)):
            for j in range(i):
                force = (x[j] - x[i]) / (((x[j] - x[i]) ** 2).sum() + 0.1) ** 1.5
                acc[i] += mass[j] * force
                acc[j] -= mass[i] * force
        acc *= dt
        v += acc
        x += v * dt
    return np.sum(x * x) + np.sum(mass * np.sum(v * v, axis=1))


def n_body_twin(x, v, mass, steps, dt):
    for _ in range(steps):
        apart = x[None, :, :] - x[:, None, :]
        weights = mass[None, :] / (np.sum(apart**2, axis=-1) + 0.1) ** 1.5
        v = v + dt * np.sum(weights[:, :, None] * apart, axis=1)
        x = x + dt * v
    return np.sum(x * x) + np.sum(mass * np.sum(v * v, axis=1))


def echo_ring_buffer(x, delay, gain):
    """An echo: what was heard `delay` samples ago comes again, through one buffer written round and round."""
    ring = np.zeros(delay, x.dtype)
    out = np.empty_like(x)
    head = 0
    for k in range(len(x)):
        out[k] = x[k] + gain * np.tanh(ring[head])
        ring[head] = out[k]
        head = (head + 1) % delay
    return np.sum(out * out) + ring[head] * ring[head - 1]


def echo_twin(x, delay, gain):
    out = []
    for k in range(len(x)):
        out = out + [x[k] + gain * np.tanh(out[k - delay] if k >= delay else 0.0)]
    head = len(x) % delay
    ring = [out[k] for k in range(len(x) - delay, len(x))]
    ring = [ring[(slot - len(x)) % delay] for slot in range(delay)]
    return sum([v * v for v in out]) + ring[head] * ring[head - 1]


def runge_kutta_buffers(y0, steps, dt):
    """Fourth order for a pendulum with friction; the four slopes lie in the rows of one array."""
    y = y0.copy()
    k = np.empty((4, 2), y0.dtype)
    t = np.empty_like(y0)

    def slope(y, out):
        out[0] = y[1]
        out[1] = -np.sin(y[0]) - 0.1 * y[1]

    for _ in range(steps):
        slope(y, k[0])
        t[:] = y + 0.5 * dt * k[0]
        slope(t, k[1])
        t[:] = y + 0.5 * dt * k[1]
        slope(t, k[2])
        t[:] = y + dt * k[2]
        slope(t, k[3])
        k[1:3] *= 2.0
        y += dt / 6.0 * k.sum(axis=0)
    return y @ y


def runge_kutta_twin(y, steps, dt):
    def slope(y):
        return np.stack([y[1], -np.sin(y[0]) - 0.1 * y[1]])

    for _ in range(steps):
        a = slope(y)
        b = slope(y + 0.5 * dt * a)
        c = slope(y + 0.5 * dt * b)
        d = slope(y + dt * c)
        y = y + dt / 6.0 * (a + 2.0 * b + 2.0 * c + d)
    return y @ y


def kalman_filter(observations, noise):
    """Constant velocity; state and covariance updated in place."""
    x = np.zeros(2, observations.dtype)
    p = np.zeros((2, 2), observations.dtype)
    np.fill_diagonal(p, 1.0)
    total = noise * 0.0
    for z in observations:
        x[0] += x[1]
        p[0] += p[1]
        p[:, 0] += p[:, 1]
        p[1, 1] += 0.1
        s = p[0, 0] + noise
        error = z - x[0]
        gain = p[:, 0] / s
        x += gain * error
        p -= np.outer(gain, p[0])
        total = total + error * error / s + np.log(s)
    return total + x[1]


def kalman_filter_twin(observations, noise):
    f = np.array([[1.0, 1.0], [0.0, 1.0]])
    h = np.array([1.0, 0.0])
    x, p, total = np.zeros(2), np.eye(2), 0.0
    for z in observations:
        x, p = f @ x, f @ p @ f.T + np.diag([0.0, 0.1])
        s = h @ p @ h + noise
        gain = p @ h / s
        total = total + (z - h @ x) ** 2 / s + np.log(s)
        x, p = x + gain * (z - h @ x), (np.eye(2) - np.outer(gain, h)) @ p
    return total + x[1]


def biquad_filter(x, b, a):
    """Direct form II transposed: two numbers of state, overwritten at each sample."""
    state = np.zeros(2, x.dtype)
    y = np.zeros(len(x), x.dtype)
    for k, v in enumerate(x):
        y[k] = b[0] * v + state[0]
        state[0] = b[1] * v - a[0] * y[k] + state[1]
        state[1] = b[2] * v - a[1] * y[k]
    return np.sum(y * y) + state.prod()


def biquad_twin(x, b, a):
    xs, ys = [0.0, 0.0], [0.0, 0.0]
    for v in x:
        xs = [*xs, v]
        ys = [*ys, b[0] * v + b[1] * xs[-2] + b[2] * xs[-3] - a[0] * ys[-1] - a[1] * ys[-2]]
    second = b[2] * xs[-1] - a[1] * ys[-1]
    first = b[1] * xs[-1] - a[0] * ys[-1] + b[2] * xs[-2] - a[1] * ys[-2]
    return sum([v * v for v in ys]) + first * second


def warping_distance(x, y):
    """Dynamic time warping with a soft minimum, in a table with a border."""
    n, m = len(x), len(y)
    d = np.full((n + 1, m + 1), 30.0, x.dtype)
    d[0, 0] = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            nearest = np.exp(-d[i - 1, j]) + np.exp(-d[i, j - 1]) + np.exp(-d[i - 1, j - 1])
            d[i, j] = (x[i - 1] - y[j - 1]) ** 2 - np.log(nearest)
    return d[n, m]


def warping_distance_twin(x, y):
    above = [0.0] + [30.0] * len(y)
    for v in x:
        line = [30.0]
        for j in range(len(y)):
            nearest = np.exp(-above[j + 1]) + np.exp(-line[j]) + np.exp(-above[j])
            line = line + [(v - y[j]) ** 2 - np.log(nearest)]
        above = line
    return above[-1]


def viterbi(scores, transitions):
    """The best path by two rows that change places, and the pointers back in an array of integers."""
    steps, states = scores.shape
    best, new = scores[0].copy(), np.empty_like(scores[0])
    back = np.zeros((steps, states), int)
    for t in range(1, steps):
        for s in range(states):
            candidates = best + transitions[:, s]
            back[t, s] = np.argmax(candidates)
            new[s] = candidates[back[t, s]] + scores[t, s]
        best, new = new, best
    path = np.zeros(steps, int)
    path[-1] = np.argmax(best)
    for t in range(steps - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    return best[path[-1]] ** 2 + np.sum(scores[np.arange(steps), path] ** 3)


def viterbi_twin(scores, transitions):
    paths = [(scores[0, s], [s]) for s in range(scores.shape[1])]
    for t in range(1, len(scores)):
        paths = [
            max(
                [(value + transitions[path[-1], s] + scores[t, s], [*path, s]) for value, path in paths],
                key=lambda pair: pair[0],
            )
            for s in range(scores.shape[1])
        ]
    value, path = max(paths, key=lambda pair: pair[0])
    return value**2 + sum([scores[t, s] ** 3 for t, s in enumerate(path)])


def option_tree(spot, strike, up, rate, steps):
    """An American put on a binomial lattice (Cox, Ross, Rubinstein 1979), rolled back in one array."""
    down = 1.0 / up
    p = (rate - down) / (up - down)
    values = np.zeros(steps + 1)
    for k in range(steps + 1):
        values[k] = max(strike - spot * up ** (2 * k - steps), 0.0)
    for level in range(steps - 1, -1, -1):
        for k in range(level + 1):
            hold = (p * values[k + 1] + (1.0 - p) * values[k]) / rate
            now = strike - spot * up ** (2 * k - level)
            values[k] = now if now > hold else hold
    return values[0]


def option_tree_twin(spot, strike, up, rate, steps):
    p = (rate - 1.0 / up) / (up - 1.0 / up)

    def value(level, k):
        now = strike - spot * up ** (2 * k - level)
        if level == steps:
            return max(now, 0.0)
        return max(now, (p * value(level + 1, k + 1) + (1.0 - p) * value(level + 1, k)) / rate)

    return value(0, 0)


def divided_differences(nodes, values, at):
    """Newton's interpolation: the table overwritten from the end, then Horner's rule."""
    c = values.copy()
    n = len(c)
    for j in range(1, n):
        for i in range(n - 1, j - 1, -1):
            c[i] = (c[i] - c[i - 1]) / (nodes[i] - nodes[i - j])
    y = c[n - 1]
    for k in range(n - 2, -1, -1):
        y = y * (at - nodes[k]) + c[k]
    return y


def lagrange_twin(nodes, values, at):
    total = 0.0
    for i in range(len(nodes)):
        factors = [(at - nodes[j]) / (nodes[i] - nodes[j]) for j in range(len(nodes)) if j != i]
        total = total + values[i] * np.prod(np.stack(factors))
    return total


def de_casteljau(points, t):
    """A point of a Bezier curve: the control points are overwritten."""
    p = points.copy()
    for k in range(len(p) - 1, 0, -1):
        for i in range(k):
            p[i] *= 1.0 - t
            p[i] += t * p[i + 1]
    return p[0] @ p[0]


def bezier_twin(points, t):
    n = len(points) - 1
    choose = np.array([1.0, 3.0, 3.0, 1.0])
    weights = np.stack([choose[k] * t**k * (1.0 - t) ** (n - k) for k in range(n + 1)])
    point = weights @ points
    return point @ point


def romberg(a, b, levels):
    """Trapezoids extrapolated in a triangular table."""

    def f(x):
        return np.exp(-x * x) * np.sin(3.0 * x)

    table = np.zeros((levels, levels))
    h = b - a
    table[0, 0] = 0.5 * h * (f(a) + f(b))
    for i in range(1, levels):
        h /= 2.0
        total = 0.0
        for k in range(1, 2**i, 2):
            total += f(a + k * h)
        table[i, 0] = 0.5 * table[i - 1, 0] + h * total
        for j in range(1, i + 1):
            table[i, j] = table[i, j - 1] + (table[i, j - 1] - table[i - 1, j - 1]) / (4.0**j - 1.0)
    return table[-1, -1]


def romberg_twin(a, b, levels):
    def trapezoids(n):
        x = a + (b - a) * np.arange(n + 1) / n
        y = np.exp(-x * x) * np.sin(3.0 * x)
        return (b - a) / n * (np.sum(y) - 0.5 * (y[0] + y[-1]))

    column = [trapezoids(2**i) for i in range(levels)]
    for j in range(1, levels):
        column = [fine + (fine - coarse) / (4.0**j - 1.0) for coarse, fine in zip(column, column[1:])]
    return column[0]


def multigrid(b, cycles):
    """A V-cycle for -u'' = b: smoothing in place on each grid, corrections added to the finer one."""

    def relax(u, b):
        for i in range(1, len(u) - 1):
            u[i] = 0.5 * (u[i - 1] + u[i + 1] + b[i])

    def cycle(u, b):
        relax(u, b)
        if len(u) > 3:
            r = np.zeros_like(u)
            r[1:-1] = b[1:-1] + u[:-2] - 2.0 * u[1:-1] + u[2:]
            coarse = np.zeros(len(u) // 2 + 1, u.dtype)
            coarse[1:-1] = r[1:-2:2] + 2.0 * r[2:-1:2] + r[3::2]
            e = np.zeros_like(coarse)
            cycle(e, coarse)
            u[::2] += e
            u[1::2] += 0.5 * (e[:-1] + e[1:])
        relax(u, b)

    u = np.zeros_like(b)
    for _ in range(cycles):
        cycle(u, b)
    return np.sum(u * u)


def multigrid_twin(b, cycles):
    def relax(u, b):
        for i in range(1, len(u) - 1):
            u = [*u[:i], 0.5 * (u[i - 1] + u[i + 1] + b[i]), *u[i + 1 :]]
        return u

    def cycle(u, b):
        u = relax(u, b)
        n = len(u)
        if n > 3:
            r = [0.0, *[b[i] + u[i - 1] - 2.0 * u[i] + u[i + 1] for i in range(1, n - 1)], 0.0]
            inner = [r[i - 1] + 2.0 * r[i] + r[i + 1] for i in range(2, n - 1, 2)]
            e = cycle([0.0] * (n // 2 + 1), [0.0, *inner, 0.0])
            u = [u[i] + 0.5 * (e[i // 2] + e[(i + 1) // 2]) for i in range(n)]
        return relax(u, b)

    u = [0.0] * len(b)
    for _ in range(cycles):
        u = cycle(u, list(b))
    return sum([v * v for v in u])


BODIES = (matrix(3, 2), matrix(3, 2, 2), positive(3), 3, 0.1)

DYNAMICS = [
    row(n_body, *BODIES, wrt=(0, 1, 2), twin=n_body_twin),
    row(n_body_by_pairs, *BODIES, wrt=(0, 1, 2), twin=n_body_twin, analytic=False),
    row(echo_ring_buffer, vector(9), 4, 0.6, wrt=(0, 2), twin=echo_twin),
    row(runge_kutta_buffers, vector(2), 3, 0.3, twin=runge_kutta_twin),
    row(kalman_filter, vector(5), 0.4, wrt=(0, 1), twin=kalman_filter_twin),
    row(biquad_filter, vector(6), vector(3), vector(2, 2), wrt=(0, 1, 2), twin=biquad_twin),
    row(warping_distance, vector(4), vector(3, 2), wrt=(0, 1), twin=warping_distance_twin),
    row(viterbi, matrix(4, 3), matrix(3, 3, 2), wrt=(0, 1), twin=viterbi_twin),
    row(
        option_tree,
        1.03,
        1.25,
        1.2,
        1.03,
        4,
        step=0.3,
        wrt=(0, 1, 2, 3),
        twin=option_tree_twin,
        analytic=False,
    ),
    row(
        divided_differences,
        np.array([0.0, 0.4, 1.1, 1.5]),
        vector(4),
        0.7,
        wrt=(0, 1, 2),
        twin=lagrange_twin,
    ),
    row(de_casteljau, matrix(4, 2), 0.3, wrt=(0, 1), twin=bezier_twin),
    row(romberg, 0.2, 1.4, 4, wrt=(0, 1), twin=romberg_twin, analytic=False),
    row(multigrid, vector(9), 2, twin=multigrid_twin),
]


# -- data structures ------------------------------------------------------------------------------


def kd_tree_of_lists(points, query):
    """Nodes are lists [point, axis, left, right]; points are inserted one by one, the nearest is sought."""
    root = [points[0], 0, None, None]
    for k in range(1, len(points)):
        node = root
        while True:
            side = 2 if points[k, node[1]] < node[0][node[1]] else 3
            if node[side] is None:
                node[side] = [points[k], (node[1] + 1) % points.shape[1], None, None]
                break
            node = node[side]
    best = 1e9
    stack = [root]
    while stack:
        node = stack.pop()
        if node is None:
            continue
        point, axis = node[0], node[1]
        apart = ((point - query) ** 2).sum()
        if apart < best:
            best = apart
        across = query[axis] - point[axis]
        near, far = (node[2], node[3]) if across < 0.0 else (node[3], node[2])
        if across * across < best:
            stack.append(far)
        stack.append(near)
    return best


def kd_tree_twin(points, query):
    return np.min(np.sum((points - query) ** 2, axis=1))


def kd_tree_with_sums(points, weights):
    """Built by recursion, each node's sum added up on the way back."""

    def build(items, depth):
        if not items:
            return None
        axis = depth % points.shape[1]
        items = items[:]
        for i in range(1, len(items)):
            j = i
            while j > 0 and points[items[j], axis] < points[items[j - 1], axis]:
                items[j], items[j - 1] = items[j - 1], items[j]
                j -= 1
        middle = len(items) // 2
        node = [items[middle], None, None, weights[items[middle]] * points[items[middle], axis]]
        node[1] = build(items[:middle], depth + 1)
        node[2] = build(items[middle + 1 :], depth + 1)
        for child in node[1:3]:
            if child is not None:
                node[3] += child[3] * 0.5
        return node

    return build([k for k in range(len(points))], 0)[3]


def kd_tree_with_sums_twin(points, weights):
    def total(items, depth):
        if not items:
            return 0.0
        axis = depth % points.shape[1]
        items = sorted(items, key=lambda k: points[k, axis].real)
        middle = len(items) // 2
        halves = total(items[:middle], depth + 1) + total(items[middle + 1 :], depth + 1)
        return weights[items[middle]] * points[items[middle], axis] + 0.5 * halves

    return total(list(range(len(points))), 0)


def postfix_calculator(x, y, program):
    """A stack in one preallocated array and a stack pointer."""
    stack = np.zeros(8, x.dtype)
    top = 0
    for op in program.split():
        if op == "x" or op == "y":
            stack[top] = x[0] if op == "x" else y[0]
            top += 1
        elif op == "sin":
            np.sin(stack[top - 1 : top], out=stack[top - 1 : top])
        else:
            top -= 1
            if op == "+":
                stack[top - 1] += stack[top]
            elif op == "*":
                stack[top - 1] *= stack[top]
            else:
                stack[top - 1] -= stack[top]
    return stack[0]


def postfix_twin(x, y, program):
    a, b = x[0], y[0]
    return np.sin(a * b + a) * a - b * b


def union_by_lists(x, pairs):
    """Groups that swallow one another: lists in a list, sums kept beside them."""
    parent = [k for k in range(len(x))]
    total = [v * v for v in x]
    for a, b in pairs:
        while parent[a] != a:
            a = parent[a]
        while parent[b] != b:
            b = parent[b]
        if a != b:
            parent[b] = a
            total[a] += total[b] * x[b]
            total[b] = 0.0
    result = 1.0
    for k in range(len(x)):
        if parent[k] == k:
            result = result * total[k]
    return result


def union_twin(x, pairs):
    """What the pairs of the row come to, written out."""
    first = x[0] ** 2 + x[1] ** 3
    second = x[2] ** 2 + x[3] ** 3
    return first + second * x[2] if len(pairs) == 4 else first


STRUCTURES = [
    row(kd_tree_of_lists, matrix(7, 2), vector(2, 3) * 0.3, wrt=(0, 1), twin=kd_tree_twin),
    row(kd_tree_with_sums, matrix(6, 2), vector(6, 2), wrt=(0, 1), twin=kd_tree_with_sums_twin),
    row(
        postfix_calculator,
        vector(1),
        vector(1, 2),
        "x y * x + sin x * y y * -",
        wrt=(0, 1),
        twin=postfix_twin,
    ),
    row(union_by_lists, vector(4), [(0, 1), (2, 3), (1, 3), (3, 0)], twin=union_twin),
]


# -- learning -------------------------------------------------------------------------------------


def lstm_gate_buffers(w, xs):
    """All gates of a step lie in one preallocated row; activations are written over them."""
    size = w.shape[1] // 4
    h, c = np.zeros(size, w.dtype), np.zeros(size, w.dtype)
    gates = np.empty(4 * size, w.dtype)
    joined = np.empty(w.shape[0], w.dtype)
    total = w[0, 0] * 0.0
    for x in xs:
        joined[: len(x)] = x
        joined[len(x) :] = h
        np.matmul(joined, w, out=gates)
        i, f, o, g = gates[:size], gates[size : 2 * size], gates[2 * size : 3 * size], gates[3 * size :]
        for gate in (i, f, o):
            gate[:] = 1.0 / (1.0 + np.exp(-gate))
        np.tanh(g, out=g)
        c *= f
        c += i * g
        h[:] = o * np.tanh(c)
        total = total + h @ h
    return total


def lstm_twin(w, xs):
    size = w.shape[1] // 4
    h, c, total = np.zeros(size), np.zeros(size), 0.0
    for x in xs:
        i, f, o, g = np.split(np.concatenate([x, h]) @ w, 4)
        i, f, o = [1.0 / (1.0 + np.exp(-gate)) for gate in (i, f, o)]
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
        total = total + np.sum(h**2)
    return total


def im2col_convolution(image, kernels):
    """Patches are copied into the columns of one array; the product is the convolution; then 2x2 pooling."""
    channels, height, width = image.shape
    count, _, k, _ = kernels.shape
    rows, columns = height - k + 1, width - k + 1
    patches = np.empty((channels * k * k, rows * columns), image.dtype)
    for c in range(channels):
        for i in range(k):
            for j in range(k):
                patches[(c * k + i) * k + j] = image[c, i : i + rows, j : j + columns].reshape(-1)
    maps = (kernels.reshape(count, -1) @ patches).reshape(count, rows, columns)
    pooled = np.empty((count, rows // 2, columns // 2), image.dtype)
    for n in range(count):
        for i in range(rows // 2):
            for j in range(columns // 2):
                largest = maps[n, 2 * i, 2 * j]
                for di in range(2):
                    for dj in range(2):
                        if maps[n, 2 * i + di, 2 * j + dj] > largest:
                            largest = maps[n, 2 * i + di, 2 * j + dj]
                pooled[n, i, j] = largest
    return np.sum(pooled * pooled)


def convolution_direct(image, kernels):
    """The sum written out over all six indices, the pooling by slices and out=."""
    channels, height, width = image.shape
    count, _, k, _ = kernels.shape
    rows, columns = height - k + 1, width - k + 1
    maps = np.zeros((count, rows, columns), image.dtype)
    for n in range(count):
        for c in range(channels):
            for i in range(k):
                for j in range(k):
                    maps[n] += kernels[n, c, i, j] * image[c, i : i + rows, j : j + columns]
    pooled = maps[:, ::2, ::2].copy()
    np.maximum(pooled, maps[:, 1::2, ::2], out=pooled)
    np.maximum(pooled, maps[:, ::2, 1::2], out=pooled)
    np.maximum(pooled, maps[:, 1::2, 1::2], out=pooled)
    pooled *= pooled
    return pooled.sum()


def convolution_twin(image, kernels):
    windows = np.lib.stride_tricks.sliding_window_view(image, kernels.shape[2:], axis=(1, 2))
    maps = np.einsum("cxyij,ncij->nxy", windows, kernels)
    count, rows, columns = maps.shape
    blocks = maps.reshape(count, rows // 2, 2, columns // 2, 2)
    return np.sum(np.max(np.max(blocks, axis=4), axis=2) ** 2)


def adam(w0, x, y, steps, rate):
    """Kingma and Ba 2015: parameters and both moments updated in place."""
    w = w0.copy()
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t in range(1, steps + 1):
        slope = x.T @ (np.tanh(x @ w) - y)
        m *= 0.9
        m += 0.1 * slope
        v *= 0.99
        v += 0.01 * slope * slope
        w -= rate * (m / (1.0 - 0.9**t)) / (np.sqrt(v / (1.0 - 0.99**t)) + 1e-3)
    return np.sum((x @ w - y) ** 2)


def adam_with_state(w0, x, y, steps, rate):
    """The same over a dictionary of parameters, with out= and scratch memory."""
    params = {"a": w0[:1].copy(), "b": w0[1:].copy()}
    state = {}
    for name in params:
        state[name] = {"m": np.zeros_like(params[name]), "v": np.zeros_like(params[name]), "t": 0}
    for _ in range(steps):
        error = np.tanh(x[:, :1] @ params["a"] + x[:, 1:] @ params["b"]) - y
        slopes = {"a": x[:, :1].T @ error, "b": x[:, 1:].T @ error}
        for name in params:
            s = state[name]
            s["t"] += 1
            s["m"][:] = 0.9 * s["m"] + 0.1 * slopes[name]
            np.add(0.99 * s["v"], 0.01 * slopes[name] ** 2, out=s["v"])
            scratch = np.sqrt(s["v"] / (1.0 - 0.99 ** s["t"]))
            scratch += 1e-3
            np.divide(s["m"] / (1.0 - 0.9 ** s["t"]), scratch, out=scratch)
            params[name] -= rate * scratch
    return np.sum((x[:, :1] @ params["a"] + x[:, 1:] @ params["b"] - y) ** 2)


def adam_twin(w, x, y, steps, rate):
    slopes = []
    for t in range(1, steps + 1):
        slopes = [*slopes, x.T @ (np.tanh(x @ w) - y)]
        m = sum([0.1 * 0.9 ** (t - 1 - k) * s for k, s in enumerate(slopes)])
        v = sum([0.01 * 0.99 ** (t - 1 - k) * s**2 for k, s in enumerate(slopes)])
        w = w - rate * (m / (1.0 - 0.9**t)) / (np.sqrt(v / (1.0 - 0.99**t)) + 1e-3)
    return np.sum((x @ w - y) ** 2)


def batch_norm_running(x, gain):
    """Running statistics updated in place while the batches go through."""
    mean, spread = np.zeros(x.shape[2], x.dtype), np.ones(x.shape[2], x.dtype)
    out = np.empty_like(x)
    for k in range(len(x)):
        np.mean(x[k], axis=0, out=out[k, 0])
        now = out[k, 0].copy()
        mean += 0.3 * (now - mean)
        spread *= 0.7
        spread += 0.3 * np.mean((x[k] - now) ** 2, axis=0)
        out[k] = x[k] - mean
        out[k] /= np.sqrt(spread + 1e-2)
        out[k] *= gain
    return np.sum(out**3)


def batch_norm_running_twin(x, gain):
    mean, spread, total = np.zeros(x.shape[2]), np.ones(x.shape[2]), 0.0
    for batch in x:
        now = np.mean(batch, axis=0)
        mean = 0.7 * mean + 0.3 * now
        spread = 0.7 * spread + 0.3 * np.mean((batch - now) ** 2, axis=0)
        total = total + np.sum((gain * (batch - mean) / np.sqrt(spread + 1e-2)) ** 3)
    return total


class Layer:
    """Weights, and buffers for what a pass through leaves behind."""

    def __init__(self, w, batch):
        self.w = w.copy()
        self.out = np.zeros((batch, w.shape[1]), w.dtype)
        self.slope = np.zeros_like(w)

    def forward(self, x):
        np.matmul(x, self.w, out=self.out)
        np.tanh(self.out, out=self.out)
        return self.out

    def backward(self, x, d_out):
        d = d_out * (1.0 - self.out * self.out)
        self.slope += x.T @ d
        return d @ self.w.T

    def update(self, rate):
        self.w -= rate * self.slope
        self.slope[...] = 0.0


def training_with_layers(w1, w2, x, y, steps, rate):
    """Two layers trained by hand-written backpropagation: the derivative goes through the training."""
    first, second = Layer(w1, len(x)), Layer(w2, len(x))
    for _ in range(steps):
        h = first.forward(x)
        out = second.forward(h)
        d_h = second.backward(h, out - y)
        first.backward(x, d_h)
        first.update(rate)
        second.update(rate)
    return ((second.forward(first.forward(x)) - y) ** 2).sum()


def training_with_layers_twin(w1, w2, x, y, steps, rate):
    for _ in range(steps):
        h = np.tanh(x @ w1)
        out = np.tanh(h @ w2)
        d_out = (out - y) * (1.0 - out**2)
        d_h = d_out @ w2.T * (1.0 - h**2)
        w1, w2 = w1 - rate * x.T @ d_h, w2 - rate * h.T @ d_out
    return np.sum((np.tanh(np.tanh(x @ w1) @ w2) - y) ** 2)


IMAGE = (array(2, 5, 5), array(2, 2, 2, 2, seed=2))
REGRESSION = (vector(3), matrix(4, 3, 2), vector(4, 3), 3, 0.1)

LEARNING = [
    row(lstm_gate_buffers, matrix(4, 8), matrix(3, 2, 2), wrt=(0, 1), twin=lstm_twin),
    row(im2col_convolution, *IMAGE, wrt=(0, 1), twin=convolution_twin),
    row(convolution_direct, *IMAGE, wrt=(0, 1), twin=convolution_twin),
    row(adam, *REGRESSION, wrt=(0, 1, 4), twin=adam_twin),
    row(adam_with_state, *REGRESSION, wrt=(0, 1, 4), twin=adam_twin),
    row(batch_norm_running, array(3, 4, 2), vector(2), wrt=(0, 1), twin=batch_norm_running_twin),
    row(
        training_with_layers,
        matrix(2, 3),
        matrix(3, 1, 2),
        matrix(4, 2, 3),
        matrix(4, 1, 4),
        2,
        0.1,
        wrt=(0, 1, 2),
        twin=training_with_layers_twin,
    ),
]

PROGRAMS = [*PDE, *SYSTEMS, *TRANSFORMS, *DYNAMICS, *STRUCTURES, *LEARNING]
