"""Six programs with long loops, of which the gradient is taken within a budget of memory.

First as Myia gets them, then for JAX and torch: a step, and `run`, which goes through the steps in segments
of which only the state at the start is kept. Each tool gets its own copy of this module, whose `np` is the
NumPy that the tool wants. Neither peer can reverse a loop in segments that ends when it has found what it
looks for; they are told the number of its steps beforehand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks.inplace_programs import heat

__all__ = ["PROGRAMS", "Program", "arguments", "heat"]


class Program(NamedTuple):
    """`wrt`: the arguments by which the gradient is taken; `static`: those that JAX has to know."""

    title: str
    wrt: tuple[int, ...]
    static: tuple[int, ...] = ()


PROGRAMS = {
    "recurrence": Program("recurrence, 20,000 doubles, 5,000 steps", (0, 1), static=(2,)),
    "network": Program("network, 1,000 layers of 32, batch 1,024", (0, 1)),
    "heat": Program("heat in place, 128 x 128, 2,000 steps", (0,), static=(2,)),
    "fixed_point": Program("fixed point by `while`, 20,000 doubles", (0,), static=(3,)),
    "ode": Program("adaptive ODE solver, 2,000 trajectories", (0, 1), static=(4,)),
    "lstm": Program("LSTM, 2,000 steps, 64 units, batch 16", (0, 1, 2)),
}

UNKNOWN = ("fixed_point", "ode")
"""Those whose loops end when they have found what they look for: a peer gets the number of steps, too."""

# -- the programs -------------------------------------------------------------------------------------


def recurrence(x, rates, steps):
    """Logistic growth, by Euler's method."""
    for _ in range(steps):
        x = x + 0.001 * rates * x * (1.0 - x)
    return np.sum(x * x)


def network(weights, x, target):
    for t in range(len(weights)):
        x = x + 0.03 * np.tanh(x @ weights[t])
    error = x - target
    return np.mean(error * error)


def fixed_point(a, x, tolerance):
    """Solves x = cos(a x), with small steps."""
    error = 1.0
    while error > tolerance:
        change = 0.05 * (np.cos(a * x) - x)
        x = x + change
        error = np.max(np.abs(change))
    return np.sum(x * x)


def predators_and_prey(state, rates):
    prey, predators = state[0], state[1]
    caught = prey * predators
    return np.stack((rates[0] * prey - rates[1] * caught, rates[2] * caught - rates[3] * predators))


def ode(rates, state, end, tolerance):
    """Bogacki and Shampine 1989, as in examples/ode.py; a step that fails is tried again, shorter."""
    time, step = 0.0, 0.01
    k1 = predators_and_prey(state, rates)
    while time < end:
        if time + step > end:
            step = end - time
        k2 = predators_and_prey(state + step * (1 / 2) * k1, rates)
        k3 = predators_and_prey(state + step * (3 / 4) * k2, rates)
        proposal = state + step * (2 / 9 * k1 + 1 / 3 * k2 + 4 / 9 * k3)
        k4 = predators_and_prey(proposal, rates)
        error = np.max(np.abs(step * (-5 / 72 * k1 + 1 / 12 * k2 + 1 / 9 * k3 - 1 / 8 * k4)))
        if error <= tolerance:
            time = time + step
            state = proposal
            k1 = k4
        step = step * min(5.0, max(0.2, 0.9 * (tolerance / error) ** (1 / 3)))
    return np.sum(state[0])


def lstm(w, u, b, xs, h, c, target):
    n = h.shape[1]
    for t in range(len(xs)):
        gates = xs[t] @ u + h @ w + b
        opened = 0.5 + 0.5 * np.tanh(0.5 * gates[:, : 3 * n])
        c = opened[:, :n] * c + opened[:, n : 2 * n] * np.tanh(gates[:, 3 * n :])
        h = opened[:, 2 * n :] * np.tanh(c)
    error = h - target
    return np.mean(error * error)


# -- for the peers ------------------------------------------------------------------------------------

Step = Callable[[Any, Any], Any]
"""The next state, from the state and the item of the sequence that the loop goes through."""


def run(step: Step, state: Any, items: Any) -> Any:
    """Goes through the items, an array or the number of them; a tool puts its own in the place of this."""
    raise NotImplementedError


def run_by_jax(step: Step, state: Any, items: Any, length: int, each: bool) -> Any:
    """A scan over scans: `length` steps in each of the inner ones, which are run again as wholes.

    `each`: whether their steps are checkpoints again, so that an inner one keeps states and no more.
    """
    import jax

    def body(state: Any, item: Any) -> Any:
        return step(state, item), None

    if each:
        body = jax.checkpoint(body, prevent_cse=False)

    def segment(state: Any, items: Any) -> Any:
        return jax.lax.scan(body, state, items)[0], None

    items = np.arange(items) if isinstance(items, int) else items
    count = len(items) // length
    whole = items[: count * length].reshape(count, length, *items.shape[1:])
    state, _ = jax.lax.scan(jax.checkpoint(segment, prevent_cse=False), state, whole)
    if count * length < len(items):
        state, _ = jax.checkpoint(segment)(state, items[count * length :])
    return state


def run_by_torch(step: Step, state: Any, items: Any, length: int) -> Any:
    """What `checkpoint_sequential` does, for steps that have an item each."""
    from torch.utils.checkpoint import checkpoint

    def segment(state: Any, items: Any) -> Any:
        for item in items:
            state = step(state, item)
        return state

    items = range(items) if isinstance(items, int) else items.unbind()
    for start in range(0, len(items), length):
        state = checkpoint(segment, state, items[start : start + length], use_reentrant=False)
    return state


def recurrence_in_segments(x, rates, steps):
    x = run(lambda x, _: x + 0.001 * rates * x * (1.0 - x), x, steps)
    return np.sum(x * x)


def network_in_segments(weights, x, target):
    x = run(lambda x, w: x + 0.03 * np.tanh(x @ w), x, weights)
    error = x - target
    return np.mean(error * error)


def heat_in_segments(start, dt, steps):
    def step(u, _):
        k = 1.0 + u * u
        across = (k[1:-1, 1:] + k[1:-1, :-1]) * (u[1:-1, 1:] - u[1:-1, :-1])
        down = (k[1:, 1:-1] + k[:-1, 1:-1]) * (u[1:, 1:-1] - u[:-1, 1:-1])
        change = dt * (across[:, 1:] - across[:, :-1] + down[1:] - down[:-1])
        if hasattr(u, "at"):
            return u.at[1:-1, 1:-1].add(change)
        u = u.clone()
        u[1:-1, 1:-1] += change
        return u

    u = run(step, start, steps)
    return np.sum(u * u)


def fixed_point_in_segments(a, x, tolerance, steps):
    x = run(lambda x, _: x + 0.05 * (np.cos(a * x) - x), x, steps)
    return np.sum(x * x)


def ode_in_segments(rates, state, end, tolerance, steps):
    def attempt(given, _):
        time, step, state, k1 = given
        step = np.where(time + step > end, end - time, step)
        k2 = predators_and_prey(state + step * (1 / 2) * k1, rates)
        k3 = predators_and_prey(state + step * (3 / 4) * k2, rates)
        proposal = state + step * (2 / 9 * k1 + 1 / 3 * k2 + 4 / 9 * k3)
        k4 = predators_and_prey(proposal, rates)
        error = np.max(np.abs(step * (-5 / 72 * k1 + 1 / 12 * k2 + 1 / 9 * k3 - 1 / 8 * k4)))
        good = error <= tolerance
        time = np.where(good, time + step, time)
        state = np.where(good, proposal, state)
        k1 = np.where(good, k4, k1)
        return time, step * np.clip(0.9 * (tolerance / error) ** (1 / 3), 0.2, 5.0), state, k1

    zero = 0.0 * np.sum(state)  # a number of the tool's own
    given = zero, zero + 0.01, state, predators_and_prey(state, rates)
    return np.sum(run(attempt, given, steps)[2][0])


def lstm_in_segments(w, u, b, xs, h, c, target):
    n = h.shape[1]

    def step(state, x):
        h, c = state
        gates = x @ u + h @ w + b
        opened = 0.5 + 0.5 * np.tanh(0.5 * gates[:, : 3 * n])
        c = opened[:, :n] * c + opened[:, n : 2 * n] * np.tanh(gates[:, 3 * n :])
        return opened[:, 2 * n :] * np.tanh(c), c

    h, _ = run(step, (h, c), xs)
    error = h - target
    return np.mean(error * error)


# -- what they are called with ------------------------------------------------------------------------


def arguments(program: str, tiny: bool = False) -> tuple[Any, ...]:
    """What a program is called with; `tiny`, of the same types, to have all that is needed loaded."""
    import numpy  # `np` may be the tool's

    rng = numpy.random.default_rng(0)

    def normal(*shape: int) -> Any:
        return rng.normal(size=shape)

    def between(low: float, high: float, *shape: int) -> Any:
        return rng.uniform(low, high, size=shape)

    if program == "recurrence":
        size, steps = (8, 5) if tiny else (20_000, 5_000)
        return between(0.1, 0.9, size), between(0.5, 1.5, size), steps
    if program == "network":
        layers, units, batch = (5, 4, 3) if tiny else (1_000, 32, 1_024)
        weights = normal(layers, units, units) / numpy.sqrt(units)
        return weights, normal(batch, units), normal(batch, units)
    if program == "heat":
        size, steps = (8, 5) if tiny else (128, 2_000)
        return between(0.0, 1.0, size, size), 0.05, steps
    if program == "fixed_point":
        size = 8 if tiny else 20_000
        return between(0.5, 1.5, size), between(0.0, 1.0, size), 0.01 if tiny else 1e-12
    if program == "ode":
        size = 3 if tiny else 2_000
        rates = numpy.array([[1.1], [0.4], [0.1], [0.4]]) * between(0.9, 1.1, 4, size)
        state = numpy.array([[10.0], [5.0]]) * between(0.9, 1.1, 2, size)
        return (rates, state, 0.1, 1e-3) if tiny else (rates, state, 12.0, 1e-8)
    assert program == "lstm"
    steps, inputs, units, batch = (5, 2, 4, 3) if tiny else (2_000, 32, 64, 16)
    return (
        normal(units, 4 * units) / numpy.sqrt(units), normal(inputs, 4 * units) / numpy.sqrt(inputs),
        0.1 * normal(4 * units), normal(steps, batch, inputs), numpy.zeros((batch, units)),
        numpy.zeros((batch, units)), normal(batch, units),
    )  # fmt: skip
