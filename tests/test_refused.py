"""Each refusal: the class of error, the file and line, carets, a reason and a remedy."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest

from myia import grad, value_and_grad
from myia.errors import MyiaError, SourceUnavailable
from tests import refused, refused_regressions
from tests.refused import Refusal

REFUSED = [*refused.REFUSED, *refused_regressions.REFUSED]

# One of the refused programs is a coroutine that is never awaited.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")


def refusal_of(row: Refusal) -> MyiaError:
    with pytest.raises(MyiaError) as caught:
        grad(row.function, wrt=row.wrt)(*row.args)
    return caught.value


@pytest.mark.parametrize("row", REFUSED, ids=repr)
def test_refused(row: Refusal):
    error = refusal_of(row)

    assert isinstance(error, row.error), f"{type(error).__name__}: {error}"
    assert error.summary
    assert error.reason
    assert error.remedy
    assert f"reason: {error.reason}" in str(error)
    assert f"remedy: {error.remedy}" in str(error)

    where = error.location
    assert where is not None
    source = Path(row.function.__code__.co_filename)
    assert Path(where.filename) == source
    assert f"{source.name}:{where.line}: " in str(error)
    line = source.read_text(encoding="utf-8").splitlines()[where.line - 1]
    if _marked(row.function):
        assert line.split("  # noqa")[0].endswith("# refused"), f"line {where.line} is {line!r}"
    else:
        lines, start = inspect.getsourcelines(row.function)
        assert start <= where.line < start + len(lines)
    if where.column is not None:
        assert "^" in str(error)
        under = line[where.column : where.end_column]
        assert under.strip()
        assert row.at in under or under in row.at or not row.at, f"the carets are under {under!r}"
    else:
        assert not row.at


def _marked(function) -> bool:
    """Whether the line is marked, in the function itself or in one that it calls."""
    return function.__name__ not in ("returns_none", "endless", "deep")


@pytest.mark.parametrize("row", REFUSED, ids=repr)
def test_refused_again_the_second_time(row: Refusal):
    """Nothing of a refused program stays behind in a cache as if it had been compiled."""
    made = []

    def attempt() -> None:
        if not made:
            made.append(value_and_grad(row.function, wrt=row.wrt))
        made[0](*row.args)

    messages = []
    for _ in range(2):
        with pytest.raises(row.error) as caught:
            attempt()
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("name", refused.WITHOUT_SOURCE)
def test_functions_without_source(name):
    function, argument = refused.WITHOUT_SOURCE[name]
    with pytest.raises(SourceUnavailable) as caught:
        grad(function)(argument)
    assert caught.value.reason
    assert caught.value.remedy
    with pytest.raises(OSError):  # noqa: PT011 - that it is one is the point
        grad(function)(argument)


def test_familiar_errors_are_caught_as_such():
    for row in REFUSED:
        for familiar in (TypeError, NotImplementedError, RecursionError, OSError):
            if issubclass(row.error, familiar):
                with pytest.raises(familiar):
                    grad(row.function, wrt=row.wrt)(*row.args)


@pytest.mark.parametrize("what", [3, "text", None, np.ones(3)])
def test_what_is_not_a_function(what):
    with pytest.raises((MyiaError, TypeError)):
        grad(what)(1.0)


def test_the_arguments_of_a_refused_call_are_unchanged():
    for row in REFUSED:
        before = [np.copy(arg) for arg in row.args if isinstance(arg, np.ndarray)]
        refusal_of(row)
        after = [arg for arg in row.args if isinstance(arg, np.ndarray)]
        for a, b in zip(before, after, strict=True):
            np.testing.assert_array_equal(a, b)
    assert refused.STATE == {"x": 1.0}
    assert refused.COUNT == 0
    assert refused.BOX.value == 1.0


# -- not refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "unused",
    [
        1.5,
        np.float32(1.5),
        np.ones((2, 3), np.float32),
        np.ones(()),
        np.zeros((0, 4)),
        [1.0, np.ones(2)],
        (1.0, {"a": np.float32(2.0)}),
    ],
    ids=repr,
)
def test_an_argument_without_influence_has_a_zero_gradient(unused):
    def f(x, unused):
        return x * 2.0

    def only_whether_it_is_there(x, unused):
        return x * (1.0 if unused is None else 2.0)

    for function in (f, only_whether_it_is_there):
        assert_zeros(grad(function, wrt=1)(1.0, unused), unused)
        d_x, d_unused = grad(function, wrt=("x", "unused"))(1.0, unused)
        assert d_x == 2.0
        assert_zeros(d_unused, unused)


def assert_zeros(gradient, argument):
    assert type(gradient) is type(argument)
    if isinstance(argument, dict):
        assert gradient.keys() == argument.keys()
        for key in argument:
            assert_zeros(gradient[key], argument[key])
    elif isinstance(argument, (list, tuple)):
        for g, x in zip(gradient, argument, strict=True):
            assert_zeros(g, x)
    else:
        assert np.shape(gradient) == np.shape(argument)
        assert np.asarray(gradient).dtype == np.asarray(argument).dtype
        assert not np.any(gradient)


def comparison_only(x, y):
    return y if x > 1.0 else 2.0 * y


def integer_of(x, y):
    return y * int(x) + len(str(x > 1.0))


def argmax_of(x, y):
    return y * np.argmax(x) * x.shape[0]


def test_influence_without_a_derivative_gives_zero():
    assert grad(comparison_only, wrt=(0, 1))(1.3, 2.0) == (0.0, 1.0)
    assert grad(integer_of, wrt=(0, 1))(3.7, 2.0) == (0.0, 3.0)
    d_x, d_y = grad(argmax_of, wrt=(0, 1))(np.array([0.0, 5.0, 1.0], np.float32), 2.0)
    assert d_x.dtype == np.float32
    assert not d_x.any()
    assert d_y == 3.0


def unreached_refusal(x):
    y = [x, x * x]
    return y[0] + np.unique(np.array([1.0, 1.0])).sum() * y[1]


def test_a_function_without_a_rule_may_have_inactive_arguments():
    assert grad(unreached_refusal)(2.0) == 5.0


def augments_scalars(x):
    total = 0.0
    for k in range(3):
        total += x * k
        total *= 2.0
    return total


def test_augmented_assignment_of_scalars_is_fine():
    for x in (1.5, np.float64(1.5), np.float32(1.5)):
        assert grad(augments_scalars)(x) == 8.0


def test_a_deep_but_bounded_recursion_is_fine():
    gradient = grad(refused.deep)(1.3, 100)
    assert gradient == pytest.approx(0.999**100)
