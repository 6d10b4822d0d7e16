"""Random programs that write in place, against the complex step.

pytest tests/test_inplace_properties.py                  # the same 2,000 programs every time, as in CI
MYIA_FUZZ=20000 pytest tests/test_inplace_properties.py  # that many, of other seeds
"""

from __future__ import annotations

import linecache
import os
import random
import warnings
from collections import Counter

import numpy as np
import pytest

from myia import value_and_grad
from myia.errors import MyiaError
from tests.check import fingerprint
from tests.inplace_grammar import HELPERS, Draft

FUZZ = int(os.environ.get("MYIA_FUZZ", "0"))
BATCHES = 20
BATCH = (FUZZ or 2_000) // BATCHES
FIRST = random.SystemRandom().randrange(10**9) if FUZZ else 0

LARGEST = 1e6
"""A program whose value or derivative grows beyond is left out: rounding would drown the comparison."""


def arguments() -> tuple[np.ndarray, np.ndarray, float]:
    """No round numbers: where a comparison ties, that of complex numbers looks at the imaginary parts."""
    return (
        np.array([0.7013, -0.4127, 0.5561]),
        np.array([[0.3071, -0.6113, 0.8039], [0.4519, 0.2593, -0.3557]]),
        0.6517,
    )


def compiled(text: str, name: str) -> dict:
    """The functions of a program's text, which has a source to be had."""
    text = HELPERS + "\n\n" + text
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    names: dict = {"__name__": "random_program"}
    exec(compile(text, name, "exec"), names)  # noqa: S102
    return names


class Discarded(Exception):
    """The program does not run, or runs away."""


def derivative(f, direction) -> float:
    """The derivative along a direction, by the complex step."""
    x, m, s = arguments()
    step = 1e-40
    dx, dm, ds = direction
    value = f(x + 1j * step * dx, m + 1j * step * dm, np.complex128(s + 1j * step * ds))
    return float(np.imag(value)) / step


def check(text: str, name: str) -> None:
    """Raises AssertionError if the gradient of a program is wrong, MyiaError if it is refused."""
    f = compiled(text, name)["f"]
    rng = np.random.default_rng(7)
    directions = [
        (rng.uniform(0.5, 1.5, 3), rng.uniform(0.5, 1.5, (2, 3)) * rng.choice([-1, 1], (2, 3)), ds)
        for ds in (0.8, -0.6)
    ]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            primal = f(*arguments())
            expected = [derivative(f, direction) for direction in directions]
        except Exception as error:  # noqa: BLE001 - whatever a random program raises, it is no test
            raise Discarded(repr(error)) from error
    if not np.all(np.abs([primal, *expected]) < LARGEST):
        raise Discarded("runs away")
    given = arguments()
    before = fingerprint(given)
    value, gradient = value_and_grad(f, wrt=(0, 1, 2))(*given)
    assert fingerprint(given) == before, "the caller's arguments were changed"
    assert fingerprint(float(value)) == fingerprint(float(primal)), f"the value is {value!r}, not {primal!r}"
    for direction, right in zip(directions, expected, strict=True):
        terms = [np.asarray(g) * d for g, d in zip(gradient, direction, strict=True)]
        found = sum(float(np.sum(term)) for term in terms)
        size = sum(float(np.sum(np.abs(term))) for term in terms) + abs(right) + abs(primal)
        assert abs(found - right) <= 1e-9 * size + 1e-10, f"the derivative is {found!r}, not {right!r}"


def shrunk(text: str) -> str:
    """A program with as many lines left out as still fails in the same way."""

    def fails(lines: list[str]) -> bool:
        try:
            check("".join(lines), f"<shrunk {random.random()}>")
        except AssertionError:
            return True
        except Exception as error:  # noqa: BLE001 - a program that no longer runs, or is refused
            return not isinstance(error, (Discarded, MyiaError, SyntaxError))
        return False

    lines = text.splitlines(keepends=True)
    changed = True
    while changed:
        changed = False
        for k in range(len(lines) - 2, 0, -1):
            indent = len(lines[k]) - len(lines[k].lstrip())
            stop = k + 1
            while stop < len(lines) and len(lines[stop]) - len(lines[stop].lstrip()) > indent:
                stop += 1
            for candidate in (
                lines[:k] + lines[stop:],
                lines[:k] + [line[4:] for line in lines[k + 1 : stop]] + lines[stop:],
            ):
                if len(candidate) < len(lines) and fails(candidate):
                    lines, changed = candidate, True
                    break
            if changed:
                break
        parts = lines[-1].strip().removeprefix("return ").split(" + ")
        for k in range(len(parts)):
            candidate = [*lines[:-1], f"    return {' + '.join(parts[:k] + parts[k + 1 :]) or '0.0'}\n"]
            if len(parts) > 1 and fails(candidate):
                lines, changed = candidate, True
                break
    return "".join(lines)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_programs(batch):
    """Values to the bit, gradients against the complex step, arguments unchanged; few are refused."""
    outcomes: Counter[str] = Counter()
    for number in range(batch * BATCH, (batch + 1) * BATCH):
        seed = FIRST + number
        text = Draft(random.Random(seed)).program()
        try:
            check(text, f"<random program {seed}>")
        except Discarded:
            outcomes["discarded"] += 1
        except MyiaError as error:
            outcomes[f"refused: {error.summary if hasattr(error, 'summary') else error}"] += 1
        except Exception as error:  # noqa: BLE001
            pytest.fail(f"seed {seed}: {error!r}\n{HELPERS}\n\n{shrunk(text)}")
        else:
            outcomes["checked"] += 1
    refused = sum(count for what, count in outcomes.items() if what.startswith("refused"))
    assert outcomes["discarded"] <= 0.25 * BATCH, outcomes
    assert refused <= 0.05 * BATCH + 1, outcomes


def test_every_construct_is_drawn():
    used: Counter[str] = Counter()
    for seed in range(300):
        draft = Draft(random.Random(seed))
        draft.program()
        used += draft.used
    kinds = {name[1:] for name in vars(Draft) if name.startswith("_") and not name.startswith("__")}
    assert kinds == set(used)


def test_a_wrong_gradient_is_noticed(monkeypatch):
    """Plant an error in the reverse of a store: the shadow is not emptied."""
    from myia import runtime as rt

    text = "def f(x, m, s):\n    a = x * 1.5\n    a[0] = s * a[1]\n    return np.sum(a * a)\n"
    check(text, "<right>")
    monkeypatch.setattr(rt, "take_at", lambda d, index: d[index])
    with pytest.raises(AssertionError):
        check(text, "<wrong>")
