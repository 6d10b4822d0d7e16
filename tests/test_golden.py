"""The emitted source of each program of tests/golden_programs.py, compared with tests/golden/<name>.py.

python -m tests.test_golden --update      # rewrite the files, after a look at the diff
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from myia import grad
from tests.check import check_gradient
from tests.golden_programs import PROGRAMS

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"
HEADER = "# Emitted by Myia: python -m tests.test_golden --update\n# ruff: noqa\n# fmt: off\n\n"


def emitted(name: str) -> str:
    """The header and the source, with paths relative to the repository."""
    function, args, wrt = PROGRAMS[name]
    return HEADER + grad(function, wrt=wrt).source_for(*args).replace(f"{ROOT}/", "")


@pytest.mark.parametrize("name", PROGRAMS)
def test_emitted_source(name):
    assert emitted(name) == (GOLDEN / f"{name}.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_gradient_is_right(name):
    """A golden file of a wrong gradient would be worse than none."""
    function, args, wrt = PROGRAMS[name]
    check_gradient(function, args, wrt=wrt, analytic=False)


def test_every_golden_file_has_a_program():
    assert {path.stem for path in GOLDEN.glob("*.py")} == set(PROGRAMS)


def update() -> None:
    GOLDEN.mkdir(exist_ok=True)
    for path in GOLDEN.glob("*.py"):
        if path.stem not in PROGRAMS:
            path.unlink()
    for name in PROGRAMS:
        (GOLDEN / f"{name}.py").write_text(emitted(name), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--update"]:
        sys.exit(__doc__)
    update()
