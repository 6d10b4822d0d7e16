"""Drawn programs that write in place: values against plain Python, gradients against the complex step.

pytest tests/test_mutation_properties.py                   # the same 2,070 programs every time, as in CI
MYIA_FUZZ=5000 pytest tests/test_mutation_properties.py    # that many of each theme, others every time

docs/fuzzing.md says what is drawn and what is compared. `examine` is what is done with one program.
"""

from __future__ import annotations

import copy
import linecache
import math
import os
import random
import types
import warnings
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, assume, given, seed, settings

from myia import value_and_grad
from myia.errors import MyiaError
from tests.check import (
    COMPLEX_STEP,
    GradientMismatch,
    central_difference,
    check_like,
    check_own_memory,
    check_same_value,
    fingerprint,
    leaves,
)
from tests.mutation_callees import HELPERS
from tests.mutation_grammar import FAMILY, PRODUCTIONS, THEMES, Drawer, Drawn, programs
from tests.mutation_reduction import reduced
from tests.test_optimise import EXACT, check_same

FUZZ = int(os.environ.get("MYIA_FUZZ", "0"))
PROGRAMS = FUZZ or 230

DIRECTIONS = 2
LARGEST = 1e6
"""What grows beyond is left out: rounding would drown the comparison."""

TOLERANCE = 1e-9
CENTRAL_STEP = 1e-3

REFUSED_SHARE = 0.03
DISCARDED_SHARE = 0.10
UNSURE_SHARE = 0.01


@dataclass(frozen=True)
class Outcome:
    """`sort`: agrees, discarded (plain Python raises, or values run away), refused, unsure (the oracles
    differ from each other), wrong or crashed. `what`: why, in a line."""

    sort: str
    what: str = ""

    @property
    def failed(self) -> bool:
        return self.sort in ("wrong", "crashed")


# -- one program ----------------------------------------------------------------------------------


def complex_numpy() -> types.ModuleType:
    """NumPy, whose makers of arrays make complex ones: np.zeros(3) has room for an imaginary part.

    np.empty gives NaN, so that a program that reads what it never wrote is discarded.
    """
    module = types.ModuleType("numpy")
    module.__dict__.update(vars(np))

    def lifted(make: Callable[..., Any]) -> Callable[..., Any]:
        def made(*args: Any, **kwargs: Any) -> Any:
            result = make(*args, **kwargs)
            return result.astype(complex) if result.dtype.kind == "f" else result

        return made

    for name in ("zeros", "ones", "full", "array", "zeros_like", "ones_like"):
        setattr(module, name, lifted(getattr(np, name)))
    module.empty = lambda shape: np.full(shape, complex(np.nan, np.nan))
    module.empty_like = lambda like: np.full(like.shape, complex(np.nan, np.nan))
    return module


COMPLEX_NUMPY = complex_numpy()


def load(text: str, name: str) -> Callable[..., Any]:
    """The function `program` of a text, whose source is to be had."""
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    names: dict[str, Any] = {"__name__": __name__}  # of a module that there is: dataclasses look it up
    exec(compile(text, name, "exec"), names)  # noqa: S102
    return names["program"]


def load_complex(text: str) -> Callable[..., Any]:
    names: dict[str, Any] = {"__name__": __name__, "np": COMPLEX_NUMPY}
    exec(compile(text.replace("import numpy as np\n", ""), "<complex>", "exec"), names)  # noqa: S102
    return names["program"]


def moved(tree: Any, t: Any, direction: Any) -> Any:
    """A copy of arguments at `tree + t * direction`."""
    if isinstance(tree, (list, tuple)):
        return type(tree)(moved(item, t, d) for item, d in zip(tree, direction, strict=True))
    return tree + t * direction if isinstance(tree, np.ndarray) else np.asarray(tree + t * direction)[()]


def random_direction(tree: Any, rng: np.random.Generator) -> Any:
    if isinstance(tree, (list, tuple)):
        return type(tree)(random_direction(item, rng) for item in tree)
    return (rng.choice([-1.0, 1.0], np.shape(tree)) * rng.uniform(0.5, 1.5, np.shape(tree)))[()]


def quietly(run: Callable[[], Any]) -> Any:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        # A cast that drops an imaginary part would make the complex step silently zero.
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        return run()


def by_complex_step(text: str, args: tuple[Any, ...], direction: Any) -> float:
    program = load_complex(text)
    value = quietly(lambda: program(*moved(args, 1j * COMPLEX_STEP, direction)))
    return float(np.imag(value)) / COMPLEX_STEP


def by_differences(text: str, args: tuple[Any, ...], direction: Any, step: float) -> tuple[float, float]:
    program = load(text, "<differences>")
    return quietly(lambda: central_difference(lambda t: program(*moved(args, t, direction)), step))


def examine(text: str, args: tuple[Any, ...], name: str = "<drawn>", optimise: bool = True) -> Outcome:
    """Run one program in plain Python and through Myia, and compare."""
    rng = np.random.default_rng(7)
    directions = [random_direction(args, rng) for _ in range(DIRECTIONS)]
    try:
        program = load(text, name)
        primal = quietly(lambda: program(*copy.deepcopy(args)))
        expected = [by_complex_step(text, args, direction) for direction in directions]
    except Exception as error:  # noqa: BLE001 - whatever a drawn program raises, it is no test
        return Outcome("discarded", f"{type(error).__name__}: {str(error)[:50]}")
    if not isinstance(primal, (float, int)) or not np.all(np.abs([primal, *expected]) < LARGEST):
        return Outcome("discarded", "runs away, or is not finite")

    given_args = copy.deepcopy(args)
    before = fingerprint(given_args)
    try:
        function = value_and_grad(program, wrt=tuple(range(len(args))), optimise=optimise)
        value, gradient = quietly(lambda: function(*given_args))
        bits = fingerprint(gradient)
        check_same_value(value, primal)
        if fingerprint(given_args) != before:
            raise GradientMismatch("the caller's arguments were changed")
        for g, x in zip(gradient, given_args, strict=True):
            check_like(g, x, "gradient")
        check_own_memory(gradient, given_args)
        value, again = quietly(lambda: function(*given_args))
        check_same_value(value, primal)
        if fingerprint(again) != bits:
            raise GradientMismatch("the second call gives another gradient")
    except MyiaError as error:
        return Outcome("refused", error.summary)
    except GradientMismatch as error:
        return Outcome("wrong", str(error))
    except Exception as error:  # noqa: BLE001 - the program ran in plain Python
        return Outcome("crashed", f"{type(error).__name__}: {str(error)[:200]}")

    flat = [np.asarray(leaf) for _, leaf in leaves(gradient)]
    for direction, right in zip(directions, expected, strict=True):
        terms = [g * np.asarray(d) for g, (_, d) in zip(flat, leaves(direction), strict=True)]
        found = sum(float(term.sum()) for term in terms)
        size = sum(float(np.abs(term).sum()) for term in terms)
        allowed = TOLERANCE * (size + abs(right) + abs(float(primal))) + 1e-12
        if not abs(found - right) <= allowed:
            difference, error = by_differences(text, args, direction, CENTRAL_STEP)
            if not abs(difference - right) <= 1e-5 * (abs(right) + abs(float(primal)) + 1e-2) + 10 * error:
                return Outcome("unsure", f"complex step {right!r}, differences {difference!r} +- {error:.2g}")
            return Outcome("wrong", f"derivative {found!r}, expected {right!r}")
    return Outcome("agrees")


# -- a failure as a test -------------------------------------------------------------------------------


def smallest(
    text: str, args: tuple[Any, ...], outcome: Outcome, optimise: bool = True
) -> tuple[str, Outcome]:
    """A smaller program with the same sort of failure, and what is wrong with it."""

    def kind(o: Outcome) -> str:
        return o.sort if o.sort == "wrong" else o.sort + o.what.partition(":")[0][:60]

    def fails(smaller: str) -> bool:
        return kind(examine(smaller, args, "<smaller>", optimise)) == kind(outcome)

    text = reduced(text, fails)
    return text, examine(text, args, "<smallest>", optimise)


def as_test(text: str, args: tuple[Any, ...]) -> str:
    """The program and its row, as in tests/programs/inplace.py."""
    with np.printoptions(threshold=10_000):
        values = ", ".join("np." + repr(a) if isinstance(a, np.ndarray) else repr(a) for a in args)
    values = values.replace("[array", "[np.array").replace(", array", ", np.array")
    values = " ".join(values.split())
    number = f"{zlib.crc32(text.encode()):08x}"
    body = text.replace("def program(", f"def drawn_{number}(").replace("import numpy as np\n", "").strip()
    flag = "" if unchanged_by(text, args) else ", writes_arguments=True"
    row = f'Program("drawn_{number}", drawn_{number}, {values}, wrt={tuple(range(len(args)))}{flag})'
    return f"{body}\n\n\n{row}"


def unchanged_by(text: str, args: tuple[Any, ...]) -> bool:
    own = copy.deepcopy(args)
    quietly(lambda: load(text, "<drawn>")(*own))
    return fingerprint(own) == fingerprint(args)


# -- many programs ---------------------------------------------------------------------------------------


class Tally:
    """Counts of outcomes, and of why programs were refused or discarded."""

    def __init__(self) -> None:
        self.sorts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        self.sorts[outcome.sort] += 1
        if outcome.sort not in ("agrees", "wrong"):
            self.reasons[f"{outcome.sort}: {outcome.what}"] += 1

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {sort}" for sort, count in self.sorts.most_common())
        return "\n".join([counts, *[f"{count:5} {reason}" for reason, count in self.reasons.most_common()]])

    def check(self) -> None:
        total = self.sorts.total()
        for sort, share in (
            ("refused", REFUSED_SHARE),
            ("discarded", DISCARDED_SHARE),
            ("unsure", UNSURE_SHARE),
        ):
            assert self.sorts[sort] <= share * total, f"too many programs {sort}\n{self}"


@pytest.mark.parametrize("theme", THEMES)
def test_drawn_programs(theme):
    """Values to the bit, gradients in two directions, the arguments unchanged; few programs are refused."""
    tally = Tally()

    # No shrinking by Hypothesis: it draws but a seed. `smallest` does it.
    @settings(max_examples=PROGRAMS, phases=[Phase.generate])
    @given(drawn=programs(theme))
    def run(drawn: Drawn) -> None:
        optimise = tally.sorts.total() % 2 == 0  # compiling takes most of the time, optimising most of that
        outcome = examine(drawn.text, drawn.args, optimise=optimise)
        tally.add(outcome)
        assume(outcome.sort != "discarded")
        if outcome.sort == "agrees" and tally.sorts.total() % 10 == 0:
            check_optimised_alike(drawn)
        if outcome.failed:
            text, outcome = smallest(drawn.text, drawn.args, outcome, optimise)
            pytest.fail(f"{outcome.what}\n\n{as_test(text, drawn.args)}", pytrace=False)

    (run if FUZZ else seed(zlib.crc32(theme.encode()))(run))()
    print(f"{theme}: {tally}")
    tally.check()


def check_optimised_alike(drawn: Drawn) -> None:
    """With all optimisations and with none: the same bits, up to the sign of a zero."""
    program, wrt = load(drawn.text, "<drawn>"), tuple(range(len(drawn.args)))

    def results(chosen: Any) -> Any:
        function = value_and_grad(program, wrt=wrt, optimise=chosen)
        return quietly(lambda: function(*copy.deepcopy(drawn.args)))

    check_same(results(EXACT), results(False))


# -- the drawer and the checks themselves -------------------------------------------------------------------


def drawn_with(theme: str, number: int) -> Drawn:
    return Drawer(random.Random(number), theme).program()


def test_every_production_is_drawn():
    """Also each helper, and what the productions note apart, such as `break`."""
    apart = {"break", "continue", "list_insert", "list_extend", "list_augmented", "writes_arguments"}
    expected = {*PRODUCTIONS, *(f"call_{name}" for name in HELPERS), *apart}
    used: Counter[str] = Counter()
    for theme in THEMES:
        for number in range(100):
            used.update(drawn_with(theme, number).productions)
    assert expected - set(used) == set()


def test_a_theme_draws_its_family():
    def share(theme: str, family: str) -> float:
        used = [p for number in range(60) for p in drawn_with(theme, number).productions]
        return sum(FAMILY.get(p) == family for p in used) / len(used)

    for theme, weights in THEMES.items():
        if weights:
            family = next(iter(weights))
            assert share(theme, family) > share("everything", family), theme


def test_oracles_agree():
    """Without Myia: complex step and central differences, on the programs alone. Few are discarded."""
    agreed = discarded = 0
    for number in range(300):
        drawn = drawn_with(list(THEMES)[number % len(THEMES)], number)
        direction = random_direction(drawn.args, np.random.default_rng(number))
        try:
            primal = quietly(lambda: load(drawn.text, "<oracles>")(*copy.deepcopy(drawn.args)))
            right = by_complex_step(drawn.text, drawn.args, direction)
            difference, error = by_differences(drawn.text, drawn.args, direction, CENTRAL_STEP)
        except Exception:  # noqa: BLE001 - as in `examine`
            discarded += 1
            continue
        size = abs(right) + abs(float(primal)) + 1e-2
        if not size < LARGEST or error > 1e-6 * size:
            continue  # runs away, or a branch within a step
        assert difference == pytest.approx(right, abs=1e-5 * size + 10 * error), drawn.text
        agreed += 1
    assert agreed > 0.75 * 300
    assert discarded < DISCARDED_SHARE * 300


WRITES = """
import numpy as np


def program(x, s):
    y = x * 2.0
    z = np.sin(y)
    for k in range(2):
        z = z + s
    y[0] = s * y[1]
    if y[0] > 0.1:
        z[1] = 0.5
    return (y * y).sum() + z.sum()
"""
ARGS = (np.array([0.7, 0.4]), 0.9)


def test_a_wrong_gradient_is_noticed(monkeypatch):
    """Plant an error in the reverse of a store, the shadow is not emptied, and make the program small."""
    from myia import runtime as rt

    assert examine(WRITES, ARGS) == Outcome("agrees")
    monkeypatch.setattr(rt, "take_at", lambda d, index: d[index])
    outcome = examine(WRITES, ARGS)
    assert outcome.sort == "wrong"
    text, outcome = smallest(WRITES, ARGS, outcome)
    assert outcome.sort == "wrong"
    assert "for" not in text
    assert len(text.splitlines()) <= 7
    assert "np.array([0.7, 0.4]), 0.9, wrt=(0, 1)" in as_test(text, ARGS)


def test_outcomes():
    """Each sort of outcome that is not a gradient."""
    raises = "def program(x):\n    return x[9]\n"
    assert examine(raises, (np.ones(2),)).what.startswith("IndexError")
    grows = "def program(x):\n    return 1e9 * x.sum()\n"
    assert examine(grows, (np.ones(2),)) == Outcome("discarded", "runs away, or is not finite")
    refuses = "def program(x):\n    global seen\n    seen = 1\n    return x.sum()\n"
    assert examine(refuses, (np.ones(2),)).sort == "refused"
    kink = "def program(x):\n    return x if x > 1.0 else 2.0 * x * x\n"
    assert examine(kink, (1.0 + 1e-9,)).sort == "agrees"
    assert not math.isnan(by_complex_step(kink, (1.5,), (1.0,)))
