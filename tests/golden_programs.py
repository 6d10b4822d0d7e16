"""The programs whose emitted sources are kept in tests/golden.

New programs go to the end: the line numbers of the others are in their golden files.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

PROGRAMS: dict[str, tuple[Callable[..., Any], tuple[Any, ...], Any]] = {}
"""By name: the function, example arguments, and what it is differentiated with respect to."""


def program(*args: Any, wrt: Any = 0) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        PROGRAMS[function.__name__] = (function, args, wrt)
        return function

    return register


@program(0.5, 2.0, wrt=("x", "y"))
def scalar_function(x, y):
    z = math.sin(x) * y
    return z * z + x / y


@program(0.5)
def branch(x):
    if x > 1.0:
        y = x * x
    elif x > 0.0:
        y = math.exp(x)
    else:
        y = -x
    return 3.0 * y


@program(0.5, 4)
def loop_with_saves(x, n):
    y = x
    for k in range(n):
        y = y * y + k * x
    return y


@program(2.0)
def while_with_break(a):
    x = a
    steps = 0
    while steps < 50:
        improved = 0.5 * (x + a / x)
        if abs(improved - x) < 1e-12:
            break
        x = improved
        steps += 1
    return x


@program(np.ones((3, 3)), np.ones((3, 2)), np.ones(3), np.ones((4, 2)), wrt=("w", "u", "b"))
def rnn(w, u, b, inputs):
    h = np.zeros(3)
    loss = 0.0
    for x in inputs:
        h = np.tanh(w @ h + u @ x + b)
        loss = loss + np.sum(h * h)
    return loss


@program(0.5, [[1.0, 2.0], [3.0]])
def early_return_in_nested_loops(x, rows):
    total = 0.0
    for row in rows:
        for item in row:
            total = total + x * item
            if total > 2.0:
                return total * x
    return total


def stretched(x, factor):
    y = x * factor
    return np.tanh(y)


@program(np.ones(3))
def user_call_pair(x):
    return np.sum(stretched(x, 2.0) * stretched(x, 3.0))


@program(1.5, 5)
def recursion(x, n):
    if n == 0:
        return 1.0
    return x * recursion(x, n - 1)


@program(0.5, 4)
def comprehension(x, n):
    powers = [x**k for k in range(n) if k != 1]
    return sum(powers)


@program(0.5, 2.0, wrt=("x", "scale"))
def nested_function(x, scale):
    def scaled(v):
        return scale * v * v

    return scaled(x) + scaled(x + 1.0)


@program({"w": np.ones((2, 2)), "layers": [1.0, 2.0]}, np.ones(2), wrt=("params", "x"))
def container_arguments(params, x):
    h = params["w"] @ x
    for scale in params["layers"]:
        h = np.tanh(scale * h)
    return h.sum()


@program(np.ones((2, 3), np.float32), np.ones(3, np.float32), np.float32(0.1), wrt=(0, 2))
def single_precision(x, mean, epsilon):
    centered = x - mean
    return np.sqrt(np.mean(centered**2) + epsilon)
