"""Loops drawn at random, against the complex step: what is saved, computed again and restored.

MYIA_FUZZ=5000 pytest tests/adjoint/test_random_loops.py      # that many programs
"""

from __future__ import annotations

import linecache
import os
import random

import numpy as np
import pytest

from myia import value_and_grad

NAMES = ["a", "b", "c", "x", "y"]


def random_expression(rng: random.Random, counters: list[str]) -> str:
    operand = lambda: rng.choice([*NAMES, *counters, "0.5"])
    shape = rng.random()
    if shape < 0.15:
        return f"-{rng.choice(NAMES)}"
    if shape < 0.25 and counters:
        return f"w[{counters[-1]} % 3]"
    text = f"{operand()} {rng.choice('+-**')} {operand()}"
    return f"({text}) {rng.choice('+-*')} {operand()}" if shape > 0.6 else text


def random_block(rng: random.Random, depth: int, counters: list[str]) -> list[str]:
    lines = []
    for _ in range(rng.randint(1, 4)):
        kind = rng.random()
        if kind < 0.65 or depth == 0:
            lines.append(f"{rng.choice(NAMES)} = {random_expression(rng, counters)}")
        elif kind < 0.75:
            lines.append(f"if {rng.choice(NAMES)} > {rng.choice(NAMES)}:")
            lines += [f"    {line}" for line in random_block(rng, depth - 1, counters)]
        elif kind < 0.8 and counters:
            lines += [
                f"if {rng.choice(NAMES)} > 0.4:",
                f"    {rng.choice(['break', 'continue', 'return a * x'])}",
            ]
        else:
            counter = f"k{len(counters)}"
            lines.append(f"for {counter} in range({rng.choice(['2', '3', 'n'])}):")
            lines += [f"    {line}" for line in random_block(rng, depth - 1, [*counters, counter])]
    return lines


def random_program(seed: int) -> str:
    rng, lines = random.Random(seed), [""]
    while not any(line.startswith("for") for line in lines):
        lines = random_block(rng, 2, [])
    body = ["c, x, y = 0.3, a * 1.0, b * 1.0", *lines, "return a + 2.0 * b + 3.0 * c + 5.0 * x + 7.0 * y"]
    return "def f(a, b, n, w):\n" + "".join(f"    {line}\n" for line in body)


@pytest.mark.parametrize("seed", range(int(os.environ.get("MYIA_FUZZ", "100"))))
def test_random_loops(seed):
    """Polynomials in `a` and `b`, so the complex step is exact; branches look at the real part."""
    text, name = random_program(seed), f"<random loop {seed}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    names: dict = {}
    exec(compile(text, name, "exec"), names)  # noqa: S102
    f, w = names["f"], [0.4, -0.6, 0.9]
    value, found = value_and_grad(f, wrt=(0, 1))(0.7, -0.4, 3, w)
    assert value == f(0.7, -0.4, 3, w)
    expected = [f(OnReal(0.7, 1e-150), -0.4, 3, w), f(0.7, OnReal(-0.4, 1e-150), 3, w)]
    expected = [np.imag(complex(e)) / 1e-150 for e in expected]
    if np.all(np.abs([value, *expected]) < 1e9):
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9), text


class OnReal(complex):
    """A complex number that compares by its real part."""

    def __gt__(self, other):
        return self.real > complex(other).real

    def __lt__(self, other):
        return self.real < complex(other).real


def _lifted(name: str):
    operation = getattr(complex, name)
    return lambda self, *other: OnReal(operation(self, *other))


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul"):
    setattr(OnReal, f"__{_name}__", _lifted(f"__{_name}__"))
OnReal.__neg__ = _lifted("__neg__")
