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
from myia.errors import MyiaError
from tests.check import check_gradient, check_oracles
from tests.programs import inplace, inplace_algorithms, inplace_combinations
from tests.programs.inplace import RIGHT_OR_REFUSED, InPlace

PROGRAMS: list[InPlace] = [*inplace.PROGRAMS, *inplace_algorithms.PROGRAMS]
COMBINED = (
    inplace_combinations.every()
    if os.environ.get("MYIA_COMBINATIONS") == "all"
    else inplace_combinations.chosen()
)
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
