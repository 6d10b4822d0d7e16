"""The operator table: marks read off the rules, backprops that allocate or add in place."""

import numpy as np
import pytest

import myia
from myia import _runtime
from myia.errors import MissingRule
from myia.runtime.operators import operator


@pytest.fixture
def enforced():
    _runtime.set_enforce_marks(True)
    yield
    _runtime.set_enforce_marks(False)


def array(*values):
    return myia.asarray(np.array(values))


@pytest.mark.parametrize(
    ("function", "reads"),
    [
        (np.tanh, {"y"}),
        (np.log, {"x"}),
        (np.multiply, {"x1", "x2"}),
        (np.add, set()),
        (np.matmul, {"x1", "x2"}),
    ],
)
def test_what_a_backprop_reads_is_read_off_its_rule(function, reads):
    assert operator(function).reads == reads


def test_only_what_is_wanted_is_read():
    x, w = array(1.0, 2.0), array(3.0, 4.0)
    y, pending = operator(np.multiply).forward(x, w, wrt=frozenset({"x1"}))
    adjoints = pending.backprop(np.ones(2))
    assert set(adjoints) == {"x1"}
    assert np.array_equal(adjoints["x1"], [3.0, 4.0])


def test_writing_what_a_pending_backprop_reads_raises(enforced):
    x = array(0.5, 1.0)
    y, pending = operator(np.tanh).forward(x)
    x[0] = 9.0  # the backprop reads y alone
    for write in (lambda: y.__setitem__(0, 0.0), lambda: y.__iadd__(1.0), lambda: y[1:].fill(0.0)):
        with pytest.raises(RuntimeError, match="a pending backprop still reads"):
            write()
    with pytest.raises(RuntimeError, match="a pending backprop still reads"):
        np.add(y, 1.0, out=y)
    assert np.array_equal(y, np.tanh([0.5, 1.0]))
    pending.backprop(np.ones(2))
    y[0] = 0.0
    assert y[0] == 0.0


def test_a_backprop_that_is_dropped_lifts_its_marks(enforced):
    y, pending = operator(np.tanh).forward(array(0.5))
    del pending
    y[0] = 0.0


def test_marks_are_not_looked_at_otherwise():
    y, _pending = operator(np.tanh).forward(array(0.5))
    y[0] = 0.0


def test_the_gradient_is_allocated_or_added_to_in_place():
    x = array(0.5, 1.0)
    slope = 1.0 - np.tanh([0.5, 1.0]) ** 2
    _, pending = operator(np.tanh).forward(x)
    first = pending.backprop(array(1.0, 1.0))["x"]
    assert np.allclose(first, slope, rtol=1e-15)
    _, pending = operator(np.tanh).forward(x)
    again = pending.backprop(array(1.0, 1.0), into={"x": first})["x"]
    assert again is first
    assert np.allclose(first, 2 * slope, rtol=1e-15)


def test_a_backprop_against_differences():
    rng = np.random.default_rng(3)
    x, w, g = rng.normal(size=(2, 3)), rng.normal(size=(3, 4)), rng.normal(size=(2, 4))
    _, pending = operator(np.matmul).forward(myia.asarray(x), myia.asarray(w))
    adjoints = pending.backprop(myia.asarray(g))
    v = rng.normal(size=(2, 3))
    h = 1e-6
    slope = ((((x + h * v) @ w) - ((x - h * v) @ w)) / (2 * h) * g).sum()
    assert abs((np.asarray(adjoints["x1"]) * v).sum() - slope) < 1e-8


def test_a_function_without_a_rule_has_no_operator():
    with pytest.raises(MissingRule, match="has no derivative rule"):
        operator(np.lcm)
