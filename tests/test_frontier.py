"""Right or refused: programs beyond the promised language get a right gradient or a Myia error."""

from __future__ import annotations

import pytest

from myia.errors import MyiaError
from tests.check import check_gradient
from tests.programs.frontier import FRONTIER
from tests.programs.table import Program


@pytest.mark.parametrize("program", FRONTIER, ids=repr)
# What NumPy or itertools say of a program's own doing is not at issue here.
@pytest.mark.filterwarnings("ignore")
def test_right_or_refused(program: Program):
    refusal = None
    try:
        check_gradient(program.function, program.args, program.wrt, analytic=False)
    except MyiaError as error:
        refusal = error
    if refusal is not None:
        assert refusal.reason
        assert refusal.remedy
        assert refusal.location is not None
