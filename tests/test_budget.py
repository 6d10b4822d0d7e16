"""Whole gradients under a budget of memory: the same to the last bit, and never more than was given."""

from __future__ import annotations

import copy
import gc
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from myia import value_and_grad
from myia._runtime import memory_stats, reset_peak, wait_all
from myia.errors import MemoryBudget
from myia.plan.choose import Plans
from myia.runtime import snapshots
from tests.budget_programs import PROGRAMS, until_small
from tests.test_optimise import check_same

UNITS = {"bytes": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}


def measured(df: Any, *args: Any) -> tuple[Any, int]:
    """The result of a call, and the most bytes that it took at once."""
    np.random.seed(1)
    gc.collect()
    wait_all()
    before = memory_stats()["live"]
    reset_peak()
    return df(*args), memory_stats()["peak"] - before


def least(refusal: MemoryBudget) -> int:
    """The bytes that a refusal says will do."""
    found = re.search(r"give it (\d+) (\w+) or more", refusal.remedy)
    assert found is not None
    return int(found[1]) * UNITS[found[2]]


def within(function: Any, memory: Any, **options: Any) -> Any:
    """`value_and_grad` with a budget; nothing is known of earlier calls, but what they compiled."""
    if function not in _known:
        _known[function] = value_and_grad(function, memory="minimal")
    made = copy.copy(_known[function])
    made.memory, made._budget = memory, snapshots.memory_budget(memory, options.get("disk"))
    made._turns, made._plans = {}, Plans()
    return made


_known: dict[Any, Any] = {}


def allowed(function: Any, args: Any, budget: int, **options: Any) -> int:
    """The budget, or the least that will do if that is more.

    A refusal tells what the loop at hand needs. Only a later one, or one inside it, may ask for more.
    """
    for _ in range(6):
        try:
            within(function, budget, **options)(*args)
        except MemoryBudget as refusal:
            named = least(refusal)
            if named <= budget:
                raise
            budget = named
        else:
            return budget
    raise AssertionError("refused again and again")


def least_budget(function: Any, *args: Any) -> int:
    return allowed(function, args, 1)


def budgets(function: Any, *args: Any, parts: int = 8) -> Iterator[int]:
    """From all that the gradient takes without a budget, and more, to the least."""
    _, everything = measured(value_and_grad(function), *args)
    lowest = least_budget(function, *args)
    highest = max(int(1.2 * everything), lowest)
    yield from (int(b) for b in np.linspace(highest, lowest, parts))


@pytest.mark.parametrize("row", PROGRAMS, ids=[row.name for row in PROGRAMS])
def test_every_budget_gives_the_same_bits_and_is_kept(row):
    plain, _ = measured(value_and_grad(row.function), *row.args)
    first = second = float("inf")
    for budget in budgets(row.function, *row.args):
        df = within(row.function, budget)
        found, peak = measured(df, *row.args)
        check_same(found, plain)
        assert peak <= budget
        assert peak <= first  # less memory asked never means more used
        first = peak
        found, peak = measured(df, *row.args)  # planned with what the first call measured
        check_same(found, plain)
        assert peak <= budget
        assert peak <= second
        second = peak


@pytest.mark.parametrize("row", PROGRAMS, ids=[row.name for row in PROGRAMS])
def test_a_refusal_names_what_will_do_and_less_will_not(row):
    lowest = least_budget(row.function, *row.args)
    _, peak = measured(within(row.function, lowest), *row.args)
    assert peak <= lowest
    with pytest.raises(MemoryBudget):
        within(row.function, lowest - row.args[0].nbytes)(*row.args)


@pytest.mark.parametrize("n", range(16))
def test_a_break_at_any_iteration(n):
    x = PROGRAMS[0].args[0]
    plain = value_and_grad(until_small)(x, n)
    for snapshots_more in (0, 1, 3, 8):
        budget = least_budget(until_small, x, 9) + snapshots_more * x.nbytes
        found, peak = measured(within(until_small, budget), x, n)
        check_same(found, plain)
        assert peak <= budget


def through_layers(weights, x):
    for k in range(len(weights)):
        x = x + np.tanh(x @ weights[k])
    return np.sum(x * x)


def test_an_adjoint_that_is_first_used_in_a_turn_is_no_part_of_it():
    rng = np.random.default_rng(0)
    weights, x = 0.1 * rng.normal(size=(50, 20, 20)), rng.normal(size=(30, 20))
    plain, _ = measured(value_and_grad(through_layers), weights, x)
    lowest = least_budget(through_layers, weights, x)
    df = within(through_layers, lowest + 2 * x.nbytes)
    for _ in range(3):  # what the first measures is no reason to refuse the others
        found, peak = measured(df, weights, x)
        check_same(found, plain)
        assert peak <= lowest + 2 * x.nbytes


@pytest.mark.parametrize("memory", ["minimal", "80 kB", "1 MiB", 0.5])
def test_budgets_in_other_words(memory):
    for row in PROGRAMS[:3]:
        check_same(
            value_and_grad(row.function, memory=memory)(*row.args), value_and_grad(row.function)(*row.args)
        )


@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(
    row=st.sampled_from(PROGRAMS),
    size=st.integers(2, 300).map(lambda k: 4 * k),
    n=st.integers(1, 40),
    share=st.floats(0.0, 1.0),
)
def test_any_size_and_budget(row, size, n, share):
    x = np.resize(row.args[0], size)
    plain, everything = measured(value_and_grad(row.function), x, n)
    budget = allowed(row.function, (x, n), max(1, int(share * everything)))
    found, peak = measured(within(row.function, budget), x, n)
    check_same(found, plain)
    assert peak <= budget


# -- what is not done again ------------------------------------------------------------------------------


def noisy(x, n):
    h = x
    for k in range(n):
        if np.random.uniform() < 0.5:
            h = np.tanh(h) + 0.1 * h * np.random.standard_normal(h.shape)
    return np.sum(h * h)


@pytest.mark.parametrize("more", [0, 1, 4, 20])
def test_random_numbers_are_drawn_once(more):
    x = PROGRAMS[0].args[0]
    plain, _ = measured(value_and_grad(noisy), x, 20)
    state = np.random.get_state()[1:]
    budget = least_budget(noisy, x, 20) + more * x.nbytes
    found, _ = measured(value_and_grad(noisy, memory=60 * x.nbytes + budget), x, 20)
    check_same(found, plain)
    for a, b in zip(np.random.get_state()[1:], state, strict=True):
        assert np.array_equal(a, b)


def noisy_while(x, n):
    h = x
    k = 0
    while k < n:
        h = np.tanh(h) + 0.1 * h * np.random.standard_normal(h.shape)
        k += 1
    return np.sum(h * h)


@pytest.mark.parametrize("states", [10, 15, 25, 40, 60])
def test_what_is_noted_takes_the_place_of_snapshots(states):
    """Without a count, nobody knows beforehand how much is noted."""
    x = PROGRAMS[0].args[0]
    plain, _ = measured(value_and_grad(noisy_while), x, 20)
    budget = states * x.nbytes
    df = value_and_grad(noisy_while, memory=budget)
    if states < 40:
        with pytest.raises(MemoryBudget) as refused:
            df(x, 20)
        assert least(refused.value) > budget
    else:
        found, peak = measured(df, x, 20)
        check_same(found, plain)
        assert peak <= budget


def counted(x, n, at, error):
    h = x
    for k in range(n):
        print(k)
        if k == at:
            raise error
        h = np.sin(h) + 0.1 * h
    return np.sum(h)


@pytest.mark.parametrize("memory", ["minimal", "50 kB", "100 kB"])
def test_effects_happen_once_and_in_order(memory, capsys):
    x = PROGRAMS[0].args[0]
    found = value_and_grad(counted, memory=memory)(x, 15, -1, None)
    assert capsys.readouterr().out.split() == [str(k) for k in range(15)]
    check_same(found, value_and_grad(counted)(x, 15, -1, None))


# -- failures leave nothing behind ----------------------------------------------------------------------


def steep(x, n):
    """Its reverse sweep divides by zero, where n is large."""
    h = x
    for k in range(n):
        h = np.sqrt(h - h * (1.0 if k == 9 else 0.5))
    return np.sum(h)


def live() -> int:
    gc.collect()
    wait_all()
    return int(memory_stats()["live"])


@pytest.mark.parametrize("error", [ValueError("told to"), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize("at", [0, 1, 7])
def test_a_failure_in_the_forward_sweep(error, at):
    x = PROGRAMS[0].args[0]
    df = value_and_grad(counted, memory="50 kB")
    expected = df(x, 15, -1, error)
    before = live()
    with pytest.raises(type(error)):
        df(x, 15, at, error)
    error.__traceback__ = error.__context__ = None
    check_clean(df, (x, 15, -1, error), before, expected)


def test_a_failure_in_the_reverse_sweep():
    x = PROGRAMS[0].args[0] ** 2
    df = value_and_grad(steep, memory="50 kB")
    expected = df(x, 5)
    before = live()
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        df(x, 12)
    check_clean(df, (x, 5), before, expected)


def test_a_refusal_leaves_nothing():
    x = PROGRAMS[0].args[0]
    df = value_and_grad(counted, memory="50 kB")
    expected = df(x, 15, -1, None)
    before = live()
    with pytest.raises(MemoryBudget):
        value_and_grad(counted, memory=1000)(x, 15, -1, None)
    check_clean(df, (x, 15, -1, None), before, expected)


def check_clean(df: Any, args: tuple[Any, ...], before: int, expected: Any) -> None:
    assert live() == before
    assert getattr(snapshots._current, "budget", None) is None
    check_same(df(*args), expected)
