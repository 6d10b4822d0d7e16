"""Nothing writes into what a backprop will still read: every program, with the marks of the debug build."""

from __future__ import annotations

import pytest

from myia import _runtime
from tests.programs import PROGRAMS, inplace, inplace_algorithms, inplace_regressions, some
from tests.test_optimise import check_same, run

ROWS = some([*PROGRAMS, *inplace.PROGRAMS, *inplace_algorithms.PROGRAMS, *inplace_regressions.PROGRAMS], 3)


@pytest.fixture
def enforced():
    before = _runtime.enforces_marks()
    _runtime.set_enforce_marks(True)
    yield
    _runtime.set_enforce_marks(before)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_marks_never_fire(row, enforced):
    marked = run(row, True)
    _runtime.set_enforce_marks(False)
    check_same(marked, run(row, True))
