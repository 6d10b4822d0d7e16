"""Programs that write in place: the oracles agree with one another, and the gradient with them.

MYIA_COMBINATIONS=all pytest tests/test_inplace.py    # every alias with every write in every context
python -m tests.test_inplace                          # a report of what fails, smallest program first
"""

from __future__ import annotations

import inspect
import os
import sys
import traceback

import numpy as np
import pytest

from myia import grad
from myia.errors import MissingRule, MyiaError, NotDifferentiable, UnsupportedMutation
from tests.check import (
    GradientMismatch,
    check_gradient,
    check_oracles,
    duplicate,
    fingerprint,
    laid_out_as,
)
from tests.programs import inplace, inplace_algorithms, inplace_combinations, inplace_regressions, some
from tests.programs.inplace import RIGHT_OR_REFUSED, InPlace, Particle

PROGRAMS: list[InPlace] = [*inplace.PROGRAMS, *inplace_algorithms.PROGRAMS, *inplace_regressions.PROGRAMS]
COMBINED = (
    inplace_combinations.every()
    if os.environ.get("MYIA_COMBINATIONS") == "all"
    else some(inplace_combinations.chosen(), 2)
)
REFUSED = [*inplace.REFUSED, *inplace_regressions.REFUSED]
ROWS = pytest.mark.parametrize("program", PROGRAMS, ids=repr)


@pytest.mark.parametrize("program", [*PROGRAMS, *RIGHT_OR_REFUSED], ids=repr)
def test_oracles(program: InPlace):
    """No compiler takes part: plain Python, its twin without writes, differences and the complex step."""
    check_oracles(
        program.function,
        program.args,
        program.wrt,
        kwargs=program.kwargs,
        analytic=program.analytic,
        complex_program=program.complex_program,
        tolerance=program.tolerance,
        step=program.step,
        writes_arguments=program.writes_arguments,
        twin=program.twin,
    )


def check(program: InPlace) -> None:
    check_gradient(
        program.function,
        program.args,
        program.wrt,
        kwargs=program.kwargs,
        analytic=program.analytic,
        complex_program=program.complex_program,
        tolerance=program.tolerance,
        step=program.step,
        writes_arguments=program.writes_arguments,
        twin=program.twin,
    )
    if program.gradient is not None:
        found = grad(program.function)(*program.args)
        np.testing.assert_allclose(found, program.gradient, rtol=1e-14, atol=0.0)


@ROWS
def test_gradient(program: InPlace):
    check(program)


@pytest.mark.parametrize("alias, write, context", COMBINED, ids=str)
def test_combination(alias: str, write: str, context: str):
    check(inplace_combinations.combination(alias, write, context))


@pytest.mark.parametrize("program", RIGHT_OR_REFUSED, ids=repr)
def test_right_or_refused(program: InPlace):
    refusal = None
    try:
        check(program)
    except MyiaError as error:
        refusal = error
    if refusal is not None:
        assert refusal.reason
        assert refusal.remedy
        assert refusal.location is not None


@pytest.mark.parametrize(
    "function, args, message", REFUSED, ids=[f"{f.__name__}-{k}" for k, (f, *_) in enumerate(REFUSED)]
)
def test_refused(function, args, message):
    theirs = [inplace.GLOBAL_ARRAY, inplace.GLOBAL_LIST, inplace.GLOBAL_DICT, inplace.GLOBAL_OBJECT]
    before = fingerprint([theirs, inplace.COUNTER, args])
    with pytest.raises((UnsupportedMutation, NotDifferentiable, MissingRule), match=message) as caught:
        grad(function)(*args)
    assert caught.value.reason
    assert caught.value.remedy
    assert caught.value.location is not None
    assert fingerprint([theirs, inplace.COUNTER, args]) == before
    assert inplace.Counter.total == 0.0


def test_parts_of_one_memory_that_do_not_meet_are_two_arguments():
    memory = np.array([0.7, -0.4, 1.1, 0.3, -0.8, 0.5])
    check_gradient(inplace.two_arguments, (memory[:3], memory[3:]), (0, 1), writes_arguments=True)
    check_gradient(inplace.two_arguments, (memory[::2], memory[1::2]), (0, 1), writes_arguments=True)


@pytest.mark.parametrize("program", some(PROGRAMS, 3), ids=repr)
def test_source(program: InPlace):
    """The emitted source is the same text from another gradient of the same function."""
    first = grad(program.function, wrt=program.wrt).source_for(*program.args, **program.kwargs)
    second = grad(program.function, wrt=program.wrt)
    second(*program.args, **program.kwargs)

    assert first == second.source


def test_names_are_unique():
    names = [program.name for program in [*PROGRAMS, *RIGHT_OR_REFUSED]]
    assert len(names) == len(set(names))


# -- the checker ----------------------------------------------------------------------------------


def squares_in_place(x):
    x *= x
    return x.sum()


def by_hand(change=lambda d_x: d_x, writes=False):
    """A `value_and_grad` of `squares_in_place`: its gradient changed, or its argument written."""

    def value_and_grad(program, wrt):
        def run(x):
            return program(x if writes else x.copy()), change(2.0 * x)

        return run

    return value_and_grad


def test_the_checker_passes_a_right_gradient_of_a_program_that_writes():
    check_gradient(squares_in_place, (inplace.FIVE,), writes_arguments=True, value_and_grad=by_hand())


def test_the_checker_notices_a_wrong_gradient_of_a_program_that_writes():
    wrong = by_hand(lambda d_x: d_x * [1.0, 1.0, 1.001])
    with pytest.raises(GradientMismatch, match="along a random direction"):
        check_gradient(squares_in_place, (inplace.FIVE,), writes_arguments=True, value_and_grad=wrong)


def test_the_checker_notices_a_written_argument():
    with pytest.raises(GradientMismatch, match="the caller's arguments were changed"):
        check_gradient(
            squares_in_place,
            (inplace.FIVE.copy(),),
            writes_arguments=True,
            value_and_grad=by_hand(writes=True),
        )


def test_a_needless_flag_fails():
    with pytest.raises(GradientMismatch, match="does not change its arguments"):
        check_oracles(inplace.five_out, (inplace.FIVE,), writes_arguments=True)


def test_a_missing_flag_fails():
    with pytest.raises(GradientMismatch, match="the program itself changes its arguments"):
        check_oracles(squares_in_place, (inplace.FIVE.copy(),))


@pytest.mark.parametrize(
    "twin, message",
    [
        (lambda x: (x * x).sum() + 1e-9, "its twin"),
        # The same value with another slope.
        (lambda x: (x * x).sum() + 1e-6 * (x[0] - 1.5), "oracles disagree"),
        (squares_in_place, "the twin changes its arguments"),
    ],
)
def test_a_wrong_twin_fails(twin, message):
    with pytest.raises(GradientMismatch, match=message):
        check_oracles(squares_in_place, (inplace.FIVE.copy(),), writes_arguments=True, twin=twin)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0)[::-2],
        np.arange(12.0).reshape(3, 4).T,
        np.arange(24.0).reshape(2, 3, 4)[::-1, 1:, ::-2],
        np.arange(3, dtype=np.float32)[:, None],
        np.float64(3.0) * np.ones(()),
    ],
    ids=lambda a: str(a.strides),
)
def test_copies_are_laid_out_as_their_originals(array):
    copy = laid_out_as(array, array * 2.0)
    wider = laid_out_as(array, array.astype(complex))

    np.testing.assert_array_equal(copy, array * 2.0)
    assert copy.strides == array.strides
    assert not np.shares_memory(copy, array)
    assert [s // 16 for s in wider.strides] == [s // array.itemsize for s in array.strides]


def test_duplicates_keep_what_is_one_object_one():
    x = np.arange(6.0)[::2]
    p = Particle(x, [x, 1.0])
    (q, items), z = duplicate(([p, [x]], 2))

    assert q is not p
    assert q.x is items[0]
    assert q.v[0] is q.x
    assert q.x.strides == x.strides
    assert not np.shares_memory(q.x, x)
    assert z == 2


def test_fingerprints_see_into_objects():
    p = Particle(np.ones(2), [1.0])
    before = fingerprint(p)
    p.x[0] = 2.0
    written = fingerprint(p)
    p.x[0] = 1.0
    p.v.append(2.0)

    assert len({before, written, fingerprint(p)}) == 3


def report() -> int:
    """Print the programs whose gradient fails, smallest source first; the number of them."""
    failures = []
    for program in PROGRAMS:
        try:
            check(program)
        except Exception as error:  # noqa: BLE001 - a report of whatever goes wrong
            failures.append((len(inspect.getsource(program.function)), program, error))
    for _, program, error in sorted(failures, key=lambda failure: failure[0]):
        print(f"## {program.name}  args={program.args!r} wrt={program.wrt!r}\n")
        print(inspect.getsource(program.function))
        print("".join(traceback.format_exception_only(error)))
    print(f"{len(failures)} of {len(PROGRAMS)} programs fail")
    return len(failures)


if __name__ == "__main__":
    sys.exit(report() > 0)
