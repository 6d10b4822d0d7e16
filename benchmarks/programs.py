"""The programs that are timed, in the Python that Myia, autograd and tangent-ad all take.

Each tool gets its own copy of this module, whose `np` is the NumPy that the tool wants. Where a tool is
faster with another spelling of the same thing, it gets that one (`FASTER`). The ratios are always over
the plain program with the real NumPy.
"""

from __future__ import annotations

import numpy as np

# autograd is 5 % faster with np.dot than with @; tangent-ad 40 % slower.
FASTER = {("autograd", "rnn"): "rnn_with_dot"}


def scalar_loop(x, y):
    for _ in range(100):
        if x > 1.0:
            x = 0.7 * x + y
        else:
            x = 1.3 * x - y * y
    return x


def newton(a):
    x = a
    rounds = 0
    while rounds < 100:
        change = (x * x * x - a) / (3.0 * x * x)
        x = x - change
        if abs(change) < 1e-12:
            break
        rounds = rounds + 1
    return x


def rnn(w, xs, h):
    for t in range(len(xs)):
        h = np.tanh(w @ h + xs[t])
    return np.sum(h)


def rnn_with_dot(w, xs, h):
    for t in range(len(xs)):
        h = np.tanh(np.dot(w, h) + xs[t])
    return np.sum(h)


def thirty_lines(w, xs, target, keep):
    h = np.zeros(16)
    m = np.zeros(16)
    energy = 0.0
    penalty = 0.0
    for t in range(len(xs)):
        x = xs[t]
        a = w @ h + x
        gate = 1.0 / (1.0 + np.exp(-a))
        candidate = np.tanh(w @ (gate * h) + x)
        m = keep * m + (1.0 - keep) * candidate
        h = gate * h + (1.0 - gate) * m
        size = np.sum(h * h)
        if size > 4.0:
            scale = 2.0 / np.sqrt(size)
            h = h * scale
        elif size > 1.0:
            penalty = penalty + 0.1 * size
        else:
            penalty = penalty + 0.01 * (1.0 - size)
        energy = energy + 0.5 * size
        if energy > 100.0:
            break
    error = h - target
    fit = np.sum(error * error)
    spread = np.sum(np.log(1.0 + np.exp(m)))
    largest = np.max(h)
    if largest > 0.9:
        penalty = penalty + (largest - 0.9)
    decay = 0.001 * np.sum(w * w)
    total = fit + 0.1 * spread + 0.001 * energy
    return total + penalty + decay


def arguments(name: str) -> tuple:
    """What each program is called with; the gradient is with respect to the first."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=(16, 16)) / 4
    xs = rng.normal(size=(50, 16)) / 2
    return {
        "scalar_loop": (0.3, 0.01),
        "newton": (1000.0,),
        "rnn": (w, xs, np.zeros(16)),
        "thirty_lines": (w, xs, np.full(16, 0.1), 0.9),
    }[name]
