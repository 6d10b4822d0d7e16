"""Gradients within a budget of memory: the same to the last bit, for every program of the tables."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from myia import value_and_grad
from tests.programs import PROGRAMS, inplace, inplace_algorithms, inplace_regressions, some
from tests.test_optimise import check_same

ROWS = some([*PROGRAMS, *inplace.PROGRAMS, *inplace_algorithms.PROGRAMS, *inplace_regressions.PROGRAMS], 2)


def run(row: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with np.errstate(all="ignore"):
            return value_and_grad(row.function, wrt=row.wrt, **options)(*row.args, **row.kwargs)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_programs_from_few_snapshots(row: Any):
    check_same(run(row, memory="minimal"), run(row))
