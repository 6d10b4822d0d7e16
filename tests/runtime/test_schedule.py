"""Schedules of snapshots: every number of steps up to 50 with every number of snapshots up to 10."""

from __future__ import annotations

from functools import cache
from math import comb
from time import process_time

import pytest
from checkpoint_schedules import Forward, Revolve

from myia.runtime.schedule import Thinning, least_advances, repetitions, split
from myia.runtime.snapshots import Budget, Checkpoints

STEPS = range(51)
SNAPSHOTS = range(1, 11)


class Limited(Checkpoints):
    """The snapshots of a loop, with room for `room` of them; `seen` is what was kept at each moment."""

    room: int = 1
    seen: list[set[int]]

    def _room(self) -> int:
        return self.room


def swept(steps: int, room: int, count: int | None) -> Limited:
    """A loop that has run forwards: its state is the number of the iteration."""
    plan = Limited(Budget(None), ("", 0), count, 0, 0, 1, False)
    plan.room, plan.seen = room, []
    for k in range(steps):
        plan.head((k,))
        plan.seen.append(set(plan.kept))
    plan.end()
    return plan


def reverse(plan: Limited) -> list[int]:
    """Run the reverse sweep as emitted code does; gives how often each step was advanced over again."""
    again = [0] * plan.steps
    expected = plan.steps
    for at, stop in plan.reversed():
        (state,) = plan.state()
        assert state == at
        expected -= 1
        assert stop == expected
        for k in range(at, stop):
            plan.head((k,))
            again[k] += 1
            assert len(plan.kept) <= plan.room
        plan.turn()
    assert expected == 0
    assert not plan.kept
    assert plan.advanced == sum(again)
    assert plan.largest <= plan.room
    return again


# -- the number of steps is known ----------------------------------------------------------------------


@cache
def optimum(steps: int, snapshots: int) -> int:
    """The fewest advances, by trying where the next snapshot goes: Griewank & Walther 2000, equation (2)."""
    if steps <= 1:
        return 0
    if snapshots == 1:
        return steps * (steps - 1) // 2
    return min(k + optimum(steps - k, snapshots - 1) + optimum(k, snapshots) for k in range(1, steps))


@pytest.mark.parametrize("snapshots", SNAPSHOTS)
def test_the_formula_is_the_optimum(snapshots):
    for steps in STEPS:
        assert least_advances(steps, snapshots) == optimum(steps, snapshots)


@pytest.mark.parametrize("snapshots", SNAPSHOTS)
def test_a_published_schedule_advances_as_often(snapshots):
    """Both count the one at the start."""
    for steps in STEPS[1:]:
        actions = Revolve(steps, snapshots)
        advanced = 0
        while not actions.is_exhausted:
            action = next(actions)
            if isinstance(action, Forward) and not action.write_adj_deps:
                advanced += len(action)
        assert least_advances(steps, snapshots) == advanced, steps


@pytest.mark.parametrize("snapshots", SNAPSHOTS[1:])
def test_a_split_is_one_of_the_best(snapshots):
    for steps in STEPS[2:]:
        k = split(steps, snapshots)
        parts = optimum(steps - k, snapshots - 1) + optimum(k, snapshots)
        assert k + parts == optimum(steps, snapshots)


@pytest.mark.parametrize("snapshots", SNAPSHOTS)
def test_a_known_count_is_reversed_with_the_fewest_advances(snapshots):
    """The first sweep is an advance over all steps, with one more step after the loop."""
    for steps in STEPS:
        plan = swept(steps, snapshots, steps)
        assert all(len(kept) <= snapshots for kept in plan.seen)
        again = reverse(plan)
        assert steps + sum(again) == optimum(steps + 1, snapshots)
        assert max(again, default=0) <= max(repetitions(steps + 1, snapshots), 1) - 1


@pytest.mark.parametrize("snapshots", SNAPSHOTS)
@pytest.mark.parametrize("count", [7, 50])
def test_a_known_count_that_a_break_cuts_short(count, snapshots):
    for steps in range(count + 1):
        reverse(swept(steps, snapshots, count))


# -- the number of steps is not known ---------------------------------------------------------------------


class PlainThinning:
    """The algorithm as Wang, Moin & Iaccarino 2009 state it, looking at all that is kept at every step."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.levels: dict[int, float] = {0: float("inf")}

    def keep(self, step: int) -> None:
        if self.most == 1:
            return
        level: float = 0
        if len(self.levels) == self.most:
            steps = sorted(self.levels)
            over = [a for a in steps if any(self.levels[b] > self.levels[a] for b in steps if b > a)]
            if over:
                del self.levels[over[-1]]
            else:
                level = self.levels.pop(steps[-1]) + 1
        self.levels[step] = level


@pytest.mark.parametrize("most", [*SNAPSHOTS, 40])
def test_the_right_states_are_kept_at_every_moment(most):
    thinning, plain = Thinning(most), PlainThinning(most)
    kept = {0}
    for step in range(1, 400):
        kept.add(step)
        kept.discard(thinning.dropped(step))
        plain.keep(step)
        assert sorted(kept) == thinning.kept == sorted(plain.levels)
        assert len(kept) <= most


def sweeps(steps: int, snapshots: int) -> int:
    """The least t for which there are no more than C(s + t, s) steps, s being the snapshots but the first.

    Wang, Moin & Iaccarino 2009: no step is done more often than t times, the first sweep included.
    """
    s, t = snapshots - 1, 1
    while comb(s + t, s) < steps:
        t += 1
    return t


@pytest.mark.parametrize("snapshots", SNAPSHOTS)
def test_an_unknown_count_is_reversed_within_the_stated_repetitions(snapshots):
    for steps in STEPS:
        plan = swept(steps, snapshots, None)
        assert all(len(kept) <= snapshots for kept in plan.seen)
        again = reverse(plan)
        done = steps + sum(again)
        assert optimum(steps + 1, snapshots) <= done <= 1.4 * optimum(steps + 1, snapshots)
        if snapshots > 1:
            t = sweeps(steps, snapshots)
            assert max(again, default=0) <= t - 1
            assert done <= t * steps


# -- the time of a decision -----------------------------------------------------------------------------


@pytest.mark.parametrize("most", [100, 5000])
def test_thinning_takes_the_same_time_with_many_snapshots(most):
    """It takes 0.1 s; looking at all of them at each step would take minutes."""
    begin = process_time()
    thinning = Thinning(most)
    for step in range(1, 100_000):
        thinning.dropped(step)
    assert process_time() - begin < 5


@pytest.mark.parametrize("count", [50_000, None])
@pytest.mark.parametrize("room", [3_000, 100_000])
def test_a_reversal_takes_the_same_time_with_many_snapshots(room, count):
    """It takes 0.5 s; looking at all of them at each step would take minutes."""
    begin = process_time()
    plan = swept_quickly(50_000, room, count)
    for at, stop in plan.reversed():
        for k in range(at, stop):
            plan.head((k,))
    assert plan.advanced < 150_000
    assert process_time() - begin < 15


def swept_quickly(steps: int, room: int, count: int | None) -> Limited:
    plan = Limited(Budget(None), ("", 0), count, 0, 0, 1, False)
    plan.room = room
    for k in range(steps):
        plan.head((k,))
    plan.end()
    return plan
