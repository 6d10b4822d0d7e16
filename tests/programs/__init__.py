"""The table of programs: one row per construct of the language, then combinations of them.

Every row is checked the same way, by `tests/test_programs.py`. Programs are plain functions without
type hints, as a scientist writes them; their arguments stay away from kinks.
"""

from __future__ import annotations

import os
from typing import Any

from tests.programs import (
    algorithms,
    arithmetic,
    arrays,
    branches,
    calls,
    containers,
    effects,
    loops,
    regressions,
    whiles,
)
from tests.programs.table import Program

FAMILIES = (arithmetic, branches, loops, whiles, calls, containers, arrays, algorithms, effects, regressions)

PROGRAMS: list[Program] = [row for family in FAMILIES for row in family.PROGRAMS]


def some(rows: list[Any], each: int) -> list[Any]:
    """One row in `each`, to save time; all of them where MYIA_FUZZ is set."""
    return rows if "MYIA_FUZZ" in os.environ else rows[::each]
