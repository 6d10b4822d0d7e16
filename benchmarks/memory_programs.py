"""Five programs of which the memory is measured, in the Python that Myia and autograd take.

Each tool gets its own copy of this module, whose `np` is the NumPy that the tool wants; for torch it is torch
itself. Where a tool cannot do a program as it stands, or takes less with another spelling of the same thing,
it gets that one (`SPELLING`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from benchmarks.inplace_programs import heat, heat_for_jax

__all__ = ["PROGRAMS", "Program", "arguments", "heat", "heat_for_jax"]


class Program(NamedTuple):
    """`wrt`: the arguments by which the gradient is taken; `static`: those that JAX has to know."""

    title: str
    wrt: tuple[int, ...]
    static: tuple[int, ...] = ()


PROGRAMS = {
    "chain": Program("12 elementwise operations, 4 million doubles", (0,)),
    "deep": Program("network, 50 layers of 256, batch 4,096", (0,)),
    "rnn": Program("RNN, 1,000 steps, 128 units, batch 32", (0, 1, 2)),
    "residual": Program("residual core, 12 blocks of 256-1,024-256, batch 2,048", (0,)),
    "heat": Program("heat in place, 256 x 256, 100 steps", (0,), static=(2,)),
}

SPELLING = {
    # A scan: a loop over steps would be compiled step by step.
    ("jax", "rnn"): "rnn_by_scan",
    ("jax", "heat"): "heat_for_jax",
    # torch.maximum takes no number.
    ("torch", "residual"): "residual_with_relu",
    # Neither lets an array be written that a backprop still reads.
    ("torch", "heat"): "heat_by_clones",
    ("autograd", "heat"): "heat_by_padding",
}


def chain(x):
    a = np.tanh(0.5 * x)
    b = a * x + 1.0
    c = np.sqrt(b * b + 1.0)
    d = np.exp(-c) * a
    return np.sum(d / (c + a))


def deep(layers, x, target):
    for w, b in layers:
        x = np.tanh(x @ w + b)
    error = x - target
    return np.mean(error * error)


def rnn(w, u, b, xs, h, target):
    for t in range(len(xs)):
        h = np.tanh(xs[t] @ u + h @ w + b)
    error = h - target
    return np.mean(error * error)


def rnn_by_scan(w, u, b, xs, h, target):
    import jax

    def step(h, x):
        return np.tanh(x @ u + h @ w + b), None

    h, _ = jax.lax.scan(step, h, xs)
    error = h - target
    return np.mean(error * error)


def residual(blocks, x, target):
    for w, b, v, c in blocks:
        x = x + (np.maximum(x @ w + b, 0.0) @ v + c)
    error = x - target
    return np.mean(error * error)


def residual_with_relu(blocks, x, target):
    for w, b, v, c in blocks:
        x = x + (np.relu(x @ w + b) @ v + c)  # type: ignore[attr-defined]
    error = x - target
    return np.mean(error * error)


def heat_by_clones(start, dt, steps):
    u = start
    for _ in range(steps):
        k = 1.0 + u * u
        across = (k[1:-1, 1:] + k[1:-1, :-1]) * (u[1:-1, 1:] - u[1:-1, :-1])
        down = (k[1:, 1:-1] + k[:-1, 1:-1]) * (u[1:, 1:-1] - u[:-1, 1:-1])
        u = u.clone()
        u[1:-1, 1:-1] += dt * (across[:, 1:] - across[:, :-1] + down[1:] - down[:-1])
    return np.sum(u * u)


def heat_by_padding(start, dt, steps):
    u = start
    for _ in range(steps):
        k = 1.0 + u * u
        across = (k[1:-1, 1:] + k[1:-1, :-1]) * (u[1:-1, 1:] - u[1:-1, :-1])
        down = (k[1:, 1:-1] + k[:-1, 1:-1]) * (u[1:, 1:-1] - u[:-1, 1:-1])
        u = u + np.pad(dt * (across[:, 1:] - across[:, :-1] + down[1:] - down[:-1]), 1, "constant")
    return np.sum(u * u)


def arguments(program: str, tiny: bool = False) -> tuple[Any, ...]:
    """What a program is called with; `tiny`, of the same types, to have all that is needed loaded."""
    import numpy  # `np` may be the tool's

    rng = numpy.random.default_rng(0)

    def normal(*shape: int) -> Any:
        return rng.normal(size=shape)

    def weights(rows: int, columns: int) -> Any:
        return normal(rows, columns) / numpy.sqrt(rows)

    if program == "chain":
        return (normal(8 if tiny else 4_000_000),)
    if program == "deep":
        count, units, batch = (2, 4, 3) if tiny else (50, 256, 4096)
        layers = [(weights(units, units), 0.1 * normal(units)) for _ in range(count)]
        return layers, normal(batch, units), normal(batch, units)
    if program == "rnn":
        steps, inputs, units, batch = (3, 2, 4, 3) if tiny else (1000, 64, 128, 32)
        return (
            weights(units, units), weights(inputs, units), 0.1 * normal(units),
            normal(steps, batch, inputs), numpy.zeros((batch, units)), normal(batch, units),
        )  # fmt: skip
    if program == "residual":
        count, units, inner, batch = (2, 4, 6, 3) if tiny else (12, 256, 1024, 2048)
        blocks = [
            (weights(units, inner), 0.1 * normal(inner), 0.3 * weights(inner, units), 0.1 * normal(units))
            for _ in range(count)
        ]
        return blocks, normal(batch, units), normal(batch, units)
    assert program == "heat"
    size, steps = (8, 3) if tiny else (256, 100)
    return rng.uniform(size=(size, size)), 0.05, steps
