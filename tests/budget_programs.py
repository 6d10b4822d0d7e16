"""Programs with loops that a gradient reverses from snapshots, and what they are called with."""

from __future__ import annotations

import numpy as np

from tests.programs.table import Program, positive, vector


def recurrence(x, n):
    """The logistic map on every element, a little damped."""
    h = x
    for k in range(n):
        h = np.sin(h) * 1.1 + 0.01 * k * h * h
    return np.sum(h * h)


def two_carried(x, n):
    v = x * 0.5
    for k in range(n):
        a = np.tanh(x) - 0.1 * v
        v = v + 0.1 * a
        x = x + 0.1 * v
    return np.sum(x * v)


def nested(x, n):
    h = x
    for k in range(n):
        g = h * 0.5
        for j in range(1 + k % 3):
            g = np.tanh(g + h * 0.1 * j)
        h = h + g * 0.1
    return np.sum(h * h)


def relaxed(h, steps):
    for k in range(steps):
        h = h - 0.1 * np.sin(h)
    return h


def in_a_called_function(x, n):
    h = relaxed(x * 1.5, n)
    return np.sum(h * h * h)


def one_after_the_other(x, n):
    h = x
    for k in range(n):
        h = np.tanh(h) + 0.1 * x
    g = h
    for k in range(n):
        g = np.sin(g) * h
    return np.sum(g * g)


def until_small(x, n):
    """A `while` that a `break` leaves at iteration n."""
    h = x
    k = 0
    while True:
        if k >= n:
            break
        h = h * 0.9 + 0.1 * np.sin(h * h)
        k += 1
    return np.sum(h * h)


def breaks_within(x, n):
    """A `for` over more than is done; the state has changed when it breaks."""
    h = x
    for k in range(40):
        h = h * np.cos(0.1 * h)
        if k + 1 >= n:
            h = h * 2.0
            break
        h = h + 0.01
    return np.sum(h * h)


def stencil(u, n):
    u = u.copy()
    for k in range(n):
        u[1:-1] += 0.1 * (u[2:] - u[1:-1]) * u[:-2]
        u[0] = u[-2] * 0.5
    return np.sum(u * u)


def two_buffers(u, n):
    u = u.copy()
    v = u * 0.0
    for k in range(n):
        v[1:-1] = u[1:-1] + 0.1 * u[2:] * u[:-2]
        u[1:-1] = np.tanh(v[1:-1]) + 0.1 * v[2:]
    return np.sum(u * v)


def noisy(x, n):
    h = x
    for k in range(n):
        z = np.random.standard_normal(h.shape)
        h = np.tanh(h) + 0.1 * h * z
    return np.sum(h * h)


def narrow(x, n):
    """In single precision, with a transposed array and numbers in the state."""
    h = x.reshape(4, -1).T
    scale = 1.0
    for k in range(n):
        h = np.sin(h * np.float32(scale)) + h[::-1] * np.float32(0.5)
        scale = scale * 0.99
    return np.sum(h * h)


SIZE = 600
N = 12

PROGRAMS = [
    Program("recurrence", recurrence, vector(SIZE), N),
    Program("two_carried", two_carried, vector(SIZE), N),
    Program("nested", nested, vector(SIZE), N),
    Program("in_a_called_function", in_a_called_function, vector(SIZE), N),
    Program("one_after_the_other", one_after_the_other, vector(SIZE), N),
    Program("until_small", until_small, vector(SIZE), N),
    Program("breaks_within", breaks_within, vector(SIZE), N),
    Program("stencil", stencil, positive(SIZE), N),
    Program("two_buffers", two_buffers, positive(SIZE), N),
    Program("noisy", noisy, vector(SIZE), N),
    Program("narrow", narrow, vector(SIZE).astype(np.float32), N),
]
