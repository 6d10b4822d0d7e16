"""Three programs that write in place, their adjoints by hand, and the same programs for JAX.

The plain ones are what Myia gets. The adjoints by hand follow their program line by line: they save what
those lines read and what is overwritten meanwhile, recompute what is cheap, and checkpoint nothing. JAX
has no writes in place: there the loop is a `fori_loop`, of which its reverse mode makes a scan (so the
number of steps has to be static), a write is `.at[].set`, and a slice whose length changes is a mask.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# The arguments by which the gradient is taken, and those that JAX has to know when it compiles.
WRT: dict[str, tuple[int, ...]] = {"heat": (0,), "cholesky": (0, 1), "thomas": (0, 1, 2, 3)}
STATIC: dict[str, tuple[int, ...]] = {"heat": (2,), "cholesky": (), "thomas": ()}

# -- the programs ------------------------------------------------------------------------------------


def heat(start, dt, steps):
    """Heat in a plate that conducts better where it is hot; the edge is held."""
    u = start.copy()
    for _ in range(steps):
        k = 1.0 + u * u
        across = (k[1:-1, 1:] + k[1:-1, :-1]) * (u[1:-1, 1:] - u[1:-1, :-1])
        down = (k[1:, 1:-1] + k[:-1, 1:-1]) * (u[1:, 1:-1] - u[:-1, 1:-1])
        u[1:-1, 1:-1] += dt * (across[:, 1:] - across[:, :-1] + down[1:] - down[:-1])
    return np.sum(u * u)


def cholesky(covariance, sample):
    """What a Gaussian density is made of: the factor's logarithms, and the sample that it whitens."""
    L = covariance.copy()
    x = sample.copy()
    for j in range(len(x)):
        L[j:, j] -= L[j:, :j] @ L[j, :j]
        L[j, j] = np.sqrt(L[j, j])
        L[j + 1 :, j] /= L[j, j]
        x[j] /= L[j, j]
        x[j + 1 :] -= x[j] * L[j + 1 :, j]
    return np.sum(np.log(np.diag(L))) + 0.5 * np.sum(x * x)


def thomas(lower, diagonal, upper, right):
    """The square of the solution of a tridiagonal system (Thomas 1949)."""
    n = len(right)
    pivot = diagonal.copy()
    x = right.copy()
    for i in range(1, n):
        w = lower[i] / pivot[i - 1]
        pivot[i] -= w * upper[i - 1]
        x[i] -= w * x[i - 1]
    x[n - 1] /= pivot[n - 1]
    for i in range(n - 2, -1, -1):
        x[i] = (x[i] - upper[i] * x[i + 1]) / pivot[i]
    return np.sum(x * x)


def arguments(program: str, size: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    if program == "heat":
        return rng.uniform(size=(size, size)), 0.05, 100
    if program == "cholesky":
        m = rng.normal(size=(size, size))
        return m @ m.T / size + np.eye(size), rng.normal(size=size)
    lower, upper, right = rng.uniform(-1.0, 1.0, size=(3, size))
    return lower, rng.uniform(3.0, 4.0, size=size), upper, right


def iterations(program: str, size: int) -> int:
    """How often the program goes through its loops."""
    return {"heat": 100, "cholesky": size, "thomas": 2 * (size - 1)}[program]


# -- the adjoints by hand -----------------------------------------------------------------------------


def heat_by_hand(start, dt, steps):
    """Saves each step's `u`, and nothing else: what the reverse sweep needs of it is a few cheap lines."""
    u = start.copy()
    saved = np.empty((steps, *u.shape))
    for t in range(steps):
        saved[t] = u
        k = 1.0 + u * u
        across = (k[1:-1, 1:] + k[1:-1, :-1]) * (u[1:-1, 1:] - u[1:-1, :-1])
        down = (k[1:, 1:-1] + k[:-1, 1:-1]) * (u[1:, 1:-1] - u[:-1, 1:-1])
        u[1:-1, 1:-1] += dt * (across[:, 1:] - across[:, :-1] + down[1:] - down[:-1])
    value = np.sum(u * u)

    d_u = 2.0 * u
    d_k = np.empty_like(u)
    d_across = np.empty_like(across)
    d_down = np.empty_like(down)
    for t in range(steps - 1, -1, -1):
        u = saved[t]
        k = 1.0 + u * u
        d_inner = dt * d_u[1:-1, 1:-1]
        d_across[:, -1] = 0.0
        np.negative(d_inner, out=d_across[:, :-1])
        d_across[:, 1:] += d_inner
        d_down[-1] = 0.0
        np.negative(d_inner, out=d_down[:-1])
        d_down[1:] += d_inner
        d_k[...] = 0.0

        d_sum = d_across * (u[1:-1, 1:] - u[1:-1, :-1])
        d_k[1:-1, 1:] += d_sum
        d_k[1:-1, :-1] += d_sum
        d_across *= k[1:-1, 1:] + k[1:-1, :-1]
        d_u[1:-1, 1:] += d_across
        d_u[1:-1, :-1] -= d_across

        d_sum = d_down * (u[1:, 1:-1] - u[:-1, 1:-1])
        d_k[1:, 1:-1] += d_sum
        d_k[:-1, 1:-1] += d_sum
        d_down *= k[1:, 1:-1] + k[:-1, 1:-1]
        d_u[1:, 1:-1] += d_down
        d_u[:-1, 1:-1] -= d_down

        d_k *= u
        d_k *= 2.0
        d_u += d_k
    return value, (d_u,)


def cholesky_by_hand(covariance, sample):
    """Saves nothing on the way: every backprop reads elements that are final once they are written."""
    L = covariance.copy()
    x = sample.copy()
    n = len(x)
    for j in range(n):
        L[j:, j] -= L[j:, :j] @ L[j, :j]
        L[j, j] = np.sqrt(L[j, j])
        L[j + 1 :, j] /= L[j, j]
        x[j] /= L[j, j]
        x[j + 1 :] -= x[j] * L[j + 1 :, j]
    value = np.sum(np.log(np.diag(L))) + 0.5 * np.sum(x * x)

    d_x = x.copy()
    d_L = np.diag(1.0 / np.diag(L))
    for j in range(n - 1, -1, -1):
        p = L[j, j]
        below, d_below = L[j + 1 :, j], d_L[j + 1 :, j]
        d_below -= x[j] * d_x[j + 1 :]
        d_x[j] = (d_x[j] - d_x[j + 1 :] @ below) / p
        d_below /= p
        d_p = d_L[j, j] - d_x[j] * x[j] - d_below @ below
        d_L[j, j] = d_p / (2.0 * p)
        d_L[j, :j] -= d_L[j:, j] @ L[j:, :j]
        d_L[j:, :j] -= np.multiply.outer(d_L[j:, j], L[j, :j])
    return value, (d_L, d_x)


def thomas_by_hand(lower, diagonal, upper, right):
    """Saves the factors `w`, and the right side as the first loop leaves it."""
    n = len(right)
    pivot = diagonal.copy()
    x = right.copy()
    factor = np.empty(n)
    for i in range(1, n):
        w = lower[i] / pivot[i - 1]
        pivot[i] -= w * upper[i - 1]
        x[i] -= w * x[i - 1]
        factor[i] = w
    y = x.copy()
    x[n - 1] /= pivot[n - 1]
    for i in range(n - 2, -1, -1):
        x[i] = (x[i] - upper[i] * x[i + 1]) / pivot[i]
    value = np.sum(x * x)

    d_x = 2.0 * x
    d_lower, d_upper, d_pivot = np.zeros(n), np.zeros(n), np.zeros(n)
    for i in range(n - 1):
        g = d_x[i] / pivot[i]
        d_x[i] = g
        d_pivot[i] = -g * x[i]
        d_upper[i] = -g * x[i + 1]
        d_x[i + 1] -= g * upper[i]
    d_x[n - 1] /= pivot[n - 1]
    d_pivot[n - 1] = -d_x[n - 1] * x[n - 1]
    for i in range(n - 1, 0, -1):
        w, g, d_p = factor[i], d_x[i], d_pivot[i]
        d_w = -g * y[i - 1] - d_p * upper[i - 1]
        d_x[i - 1] -= g * w
        d_upper[i - 1] -= d_p * w
        d_lower[i] = d_w / pivot[i - 1]
        d_pivot[i - 1] -= d_lower[i] * w
    return value, (d_lower, d_pivot, d_upper, d_x)


# -- for JAX ------------------------------------------------------------------------------------------


def heat_for_jax(start, dt, steps):
    import jax
    import jax.numpy as jnp

    def step(_, u):
        k = 1.0 + u * u
        across = (k[1:-1, 1:] + k[1:-1, :-1]) * (u[1:-1, 1:] - u[1:-1, :-1])
        down = (k[1:, 1:-1] + k[:-1, 1:-1]) * (u[1:, 1:-1] - u[:-1, 1:-1])
        return u.at[1:-1, 1:-1].add(dt * (across[:, 1:] - across[:, :-1] + down[1:] - down[:-1]))

    u = jax.lax.fori_loop(0, steps, step, start)
    return jnp.sum(u * u)


def cholesky_for_jax(covariance, sample):
    """Whole columns under a mask: the columns that are not yet made are zeros, and add nothing."""
    import jax
    import jax.numpy as jnp

    n = len(sample)
    rows = jnp.arange(n)

    def step(j, state):
        L, x = state
        column = jnp.where(rows >= j, covariance[:, j] - L @ L[j], 0.0)
        p = jnp.sqrt(column[j])
        column = (column / p).at[j].set(p)
        x = x.at[j].divide(p)
        return L.at[:, j].set(column), jnp.where(rows > j, x - x[j] * column, x)

    L, x = jax.lax.fori_loop(0, n, step, (jnp.zeros_like(covariance), sample))
    return jnp.sum(jnp.log(jnp.diag(L))) + 0.5 * jnp.sum(x * x)


def thomas_for_jax(lower, diagonal, upper, right):
    import jax
    import jax.numpy as jnp

    n = len(right)

    def eliminate(i, state):
        pivot, x = state
        w = lower[i] / pivot[i - 1]
        return pivot.at[i].add(-w * upper[i - 1]), x.at[i].add(-w * x[i - 1])

    def substitute(k, x):
        i = n - 2 - k
        return x.at[i].set((x[i] - upper[i] * x[i + 1]) / pivot[i])

    pivot, x = jax.lax.fori_loop(1, n, eliminate, (diagonal, right))
    x = jax.lax.fori_loop(0, n - 1, substitute, x.at[n - 1].divide(pivot[n - 1]))
    return jnp.sum(x * x)
