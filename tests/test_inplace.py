"""Programs that write in place: the oracles agree with one another, and the gradient with them.

python -m tests.test_inplace          # every program against the compiler, the failures smallest first
"""

from __future__ import annotations

import inspect
import sys
import traceback

import numpy as np
import pytest

from myia import grad
from myia.errors import MyiaError, UnsupportedMutation
from tests.check import check_gradient, check_oracles
from tests.programs import inplace, inplace_algorithms
from tests.programs.inplace import RIGHT_OR_REFUSED, InPlace

PROGRAMS: list[InPlace] = [*inplace.PROGRAMS, *inplace_algorithms.PROGRAMS]
ROWS = pytest.mark.parametrize("program", PROGRAMS, ids=repr)


def compiler_writes() -> bool:
    """Whether the compiler differentiates writes at all."""
    try:
        grad(inplace.five_constant_store)(inplace.FIVE)
    except UnsupportedMutation:
        return False
    return True


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


@pytest.mark.skipif(not compiler_writes(), reason="the compiler refuses all writes")
@ROWS
def test_gradient(program: InPlace):
    check(program)


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


def test_names_are_unique():
    names = [program.name for program in [*PROGRAMS, *RIGHT_OR_REFUSED]]
    assert len(names) == len(set(names))


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
