"""The exact text of a refusal, as STYLE shows it: place, line, carets, reason, remedy."""

from __future__ import annotations

import inspect
import linecache
import textwrap

import numpy as np
import pytest

from myia import grad
from myia.errors import Location, MyiaError, NonScalarOutput, RecursionDepth, UnsupportedSyntax


def generator(xs):
    total = sum(v * v for v in xs)
    return total


def non_ascii(größe):
    return größe if größe > 0 and "→ü" else [*(é for é in "→→")]


WRONG_RESULT = {"ü→": lambda größe: [größe * 2.0, größe]}["ü→"]


class Modèle:
    def loss(self, n, x):
        return x * n


def refusal(function, *args, wrt=0) -> MyiaError:
    with pytest.raises(MyiaError) as caught:
        grad(function, wrt=wrt)(*args)
    return caught.value


def expected(text: str, function, offset: int) -> str:
    line = function.__code__.co_firstlineno + offset
    return textwrap.dedent(text).strip().replace("FILE:LINE", f"{__file__}:{line}")


def test_a_generator():
    text = """
    FILE:LINE: a generator cannot be reversed
        total = sum(v * v for v in xs)
                   ^^^^^^^^^^^^^^^^^^^
    reason: its values are produced on demand, and the reverse sweep needs them again
    remedy: use a list, [... for ... in ...], or a loop
    """
    assert str(refusal(generator, [1.0])) == expected(text, generator, 1)


def test_carets_under_a_line_with_characters_beyond_ascii():
    text = """
    FILE:LINE: a generator cannot be reversed
        return größe if größe > 0 and "→ü" else [*(é for é in "→→")]
                                                  ^^^^^^^^^^^^^^^^^
    reason: its values are produced on demand, and the reverse sweep needs them again
    remedy: use a list, [... for ... in ...], or a loop
    """
    assert str(refusal(non_ascii, 1.0)) == expected(text, non_ascii, 1)


def test_a_selected_integer():
    error = refusal(Modèle().loss, 3, 1.0, wrt="n")
    text = """
    FILE:LINE: the selected argument 'n' is an int
        def loss(self, n, x):
                       ^
    reason: an integer or boolean cannot be varied continuously
    remedy: pass a float (float(n) or n.astype(float)), or select another argument
    """
    assert str(error) == expected(text, Modèle.loss, 0)


def test_a_result_that_is_not_a_number():
    error = refusal(WRONG_RESULT, 1.0)
    text = """
    FILE:LINE: the result is of type list[float], not a real number
        WRONG_RESULT = {"ü→": lambda größe: [größe * 2.0, größe]}["ü→"]
                                            ^^^^^^^^^^^^^^^^^^^^
    reason: a gradient is the derivative of one number
    remedy: return a scalar, such as y.sum(), or use vjp or jacobian
    """
    assert str(error) == expected(text, WRONG_RESULT, 0)


def result_of_an_outer_function(x):
    def inner(v):
        return v * v

    return inner(x)


def test_the_place_of_a_result_is_the_functions_own_return():
    error = refusal(result_of_an_outer_function, np.ones(3))
    assert isinstance(error, NonScalarOutput)
    assert error.location.text.strip() == "return inner(x)"


def deep(x, n):
    return x if n == 0 else deep(x, n - 1) * 1.0


def test_recursion_depth():
    error = refusal(deep, 1.0, 10**6)
    assert isinstance(error, RecursionDepth)
    assert isinstance(error, RecursionError)
    assert "sys.setrecursionlimit" in str(error)
    assert error.location.filename == __file__
    lines, start = inspect.getsourcelines(deep)
    assert start <= error.location.line < start + len(lines)


# -- the parts --------------------------------------------------------------------------------------


@pytest.fixture
def cell():
    name = "<errors cell>"
    text = "if x:\n    y = f(x)  # ü\n\n"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    yield name
    del linecache.cache[name]


@pytest.mark.parametrize(
    "column, end, carets",
    [
        (8, 12, "    ^^^^"),
        (4, 5, "^"),
        (None, None, "^" * 13),
        (8, None, "    " + "^" * 9),
        (8, 8, "    " + "^" * 9),
    ],
)
def test_an_excerpt(cell, column, end, carets):
    assert Location(cell, 2, column, end).excerpt() == f"    y = f(x)  # ü\n    {carets}"


def test_no_excerpt_of_an_empty_or_missing_line(cell):
    assert Location(cell, 3).excerpt() == ""
    assert Location(cell, 30).excerpt() == ""
    assert Location("no such file", 1).excerpt() == ""
    assert str(UnsupportedSyntax("no", location=Location("no such file", 1))) == "no such file:1: no"


def test_without_a_location_or_advice():
    assert str(MyiaError("summary")) == "summary"
    assert str(MyiaError("summary", reason="r", remedy="m")) == "summary\nreason: r\nremedy: m"


def test_a_location_may_be_filled_in_later(cell):
    error = MyiaError("summary")
    error.location = Location(cell, 2, 4, 5)
    assert str(error) == f"{cell}:2: summary\n    y = f(x)  # ü\n    ^"
