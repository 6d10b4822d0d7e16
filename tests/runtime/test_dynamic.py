"""Calls whose function only the run knows."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from myia import grad
from myia.errors import MissingRule, UnsupportedSyntax
from myia.runtime.dynamic import UNBOUND, bound, call, call_method, captured, get_attribute


def product(x, y, *rest, scale=1.0, **named):
    total = x * y * scale
    for item in rest:
        total = total + 10.0 * item
    return total + named.get("extra", 0.0) * 100.0


class Model:
    def __init__(self, weight):
        self.weight = weight

    def apply(self, x):
        return self.weight * x

    def __call__(self, x):
        return self.weight * x * 2.0

    @staticmethod
    def square(x):
        return x * x

    @property
    def doubled(self):
        return self.weight * 2.0


def pulled(function, args, kwargs=None, active=None, d_value=1.0, **spread):
    value, pullback = call(function, args, kwargs or {}, active or (True,) * 9, **spread)
    return value, pullback(d_value)


def test_a_function_with_a_rule():
    assert pulled(math.sin, (0.0,)) == (0.0, [1.0])
    value, (d_x,) = pulled(np.sum, (np.ones(3),), d_value=2.0)
    assert (value, d_x.tolist()) == (3.0, [2.0, 2.0, 2.0])


def test_arguments_by_name():
    value, (d_x, axis) = pulled(np.sum, (np.ones((2, 3)),), {"axis": 0}, (True, False), np.arange(3.0))
    assert value.tolist() == [2.0, 2.0, 2.0]
    assert d_x.tolist() == [[0.0, 1.0, 2.0]] * 2
    assert axis == 0.0


def test_a_function_of_the_users():
    assert pulled(product, (2.0, 3.0)) == (6.0, [3.0, 2.0])
    assert pulled(product, (2.0, 3.0, 4.0, 5.0)) == (96.0, [3.0, 2.0, 10.0, 10.0])
    assert pulled(product, (2.0,), {"scale": 5.0, "y": 3.0}) == (30.0, [15.0, 6.0, 10.0])
    assert pulled(product, (2.0, 3.0), {"extra": 1.0}) == (106.0, [3.0, 2.0, 100.0])


def test_only_active_operands_have_adjoints():
    assert pulled(product, (2.0, 3.0), active=(True, False))[1] == [3.0, 0.0]
    assert pulled(product, (2.0, 3.0), active=(False, True))[1] == [0.0, 2.0]


def test_spread_operands_count_as_one():
    assert pulled(product, [2.0, 3.0, 4.0], active=(True,), spread=True) == (46.0, [[3.0, 2.0, 10.0]])
    found = pulled(product, [2.0], {"y": 3.0, "extra": 1.0}, (True, True), spread=True, spread_keywords=True)
    assert found == (106.0, [[3.0], {"y": 2.0, "extra": 100.0}])


def test_callable_objects_and_bound_methods():
    model = Model(3.0)
    assert pulled(model, (2.0,)) == (12.0, [6.0])
    assert pulled(model.apply, (2.0,)) == (6.0, [3.0])
    assert pulled(Model.square, (3.0,)) == (9.0, [6.0])


def test_functions_without_a_derivative():
    assert pulled(np.argmax, (np.array([1.0, 3.0]),), active=(True,))[0] == 1
    assert pulled(len, ([1.0],))[1] == [[0.0]]


@pytest.mark.parametrize("function", [np.linalg.matrix_rank, functools.partial(product, 1.0), float.hex])
def test_a_function_without_a_rule(function):
    argument = np.ones((2, 2)) if function is np.linalg.matrix_rank else 1.0
    with pytest.raises(MissingRule, match="has no derivative rule"):
        call(function, (argument,), {}, (True,))


def test_a_function_without_a_rule_is_only_run_if_nothing_is_active():
    assert pulled(np.linalg.matrix_rank, (np.eye(2),), active=(False,)) == (2, [0.0])
    assert pulled(functools.partial(product, 2.0), (3.0,), active=(False,)) == (6.0, [0.0])


def test_a_parameter_the_rule_does_not_have():
    with pytest.raises(MissingRule, match="sum"):
        call(np.sum, (np.ones(3),), {"where": np.array([True, False, True])}, (True, False))


def test_methods():
    x = np.array([1.0, 2.0])
    value, pullback = call_method(x, "dot", (np.array([3.0, 4.0]),), {}, (True, True))
    d_x, d_y = pullback(1.0)
    assert (value, d_x.tolist(), d_y.tolist()) == (11.0, [3.0, 4.0], [1.0, 2.0])
    value, pullback = call_method(np.float64(2.0), "item", (), {}, (True,))
    assert (value, pullback(1.0)) == (2.0, [1.0])
    value, pullback = call_method(Model(3.0), "apply", (2.0,), {}, (False, True))
    assert (value, pullback(1.0)[1]) == (6.0, 3.0)
    value, pullback = call_method(Model(3.0), "square", (2.0,), {}, (False, True))
    assert (value, pullback(1.0)) == (4.0, [0.0, 4.0])
    value, pullback = call_method(x, "sum", [0], {}, (True, False), spread=True)
    assert value == 3.0
    assert pullback(1.0)[0].tolist() == [1.0, 1.0]


def test_a_method_without_a_rule_on_an_active_object():
    with pytest.raises(MissingRule, match="the method .hex of a float"):
        call_method(1.0, "hex", (), {}, (True,))


def test_a_property():
    value, _ = get_attribute(Model(3.0), "doubled")
    assert value == 6.0


def test_unbound_variables():
    bound(1.0, "x")
    bound(None, "x")
    with pytest.raises(UnboundLocalError, match="cannot access local variable 'x'"):
        bound(UNBOUND, "x")
    assert repr(UNBOUND) == "<not assigned yet>"


def test_captured_variables():
    scale = 2.0

    def f(x):
        return x * scale

    assert captured(f, "scale") == 2.0
    scale = 3.0
    assert captured(f, "scale") == 3.0
    assert captured(f, "other") is None
    assert captured(product, "scale") is None


# -- through the compiler ---------------------------------------------------------------------------


def applies(functions, x):
    for function in functions:
        x = function(x)
    return x


def test_functions_in_a_list():
    assert grad(applies, wrt="x")([Model.square, Model(3.0), math.exp], 0.5) == pytest.approx(
        math.exp(1.5) * 6.0, rel=1e-14
    )
    assert grad(applies, wrt="x")([], 0.5) == 1.0


def test_a_pair_is_compiled_again_when_its_world_changes(monkeypatch):
    df = grad(applies, wrt="x")
    assert df([uses_factor], 2.0) == 3.0
    monkeypatch.setitem(globals(), "helper", lambda x: x * 7.0)
    assert df([uses_factor], 2.0) == 7.0


def helper(x):
    return x * 3.0


def uses_factor(x):
    return helper(x)


def keeps_a_nested_function(x, n):
    functions = [math.sin]
    for k in range(n):
        functions = [lambda v: v * x]
    return functions[0](x)


@pytest.mark.parametrize("n", [0, 1])
def test_a_nested_function_known_only_when_it_runs_is_right_or_refused(n):
    """Its captured variables matter, and nothing brings their adjoints back."""
    refused = False
    try:
        d = grad(keeps_a_nested_function)(0.5, n)
    except UnsupportedSyntax:
        refused = True
    assert refused or d == pytest.approx([math.cos(0.5), 1.0][n])


def reads_what_may_be_unassigned(x, n):
    for k in range(n):
        y = x * k
    return y + x


def test_a_variable_not_assigned_raises_what_python_raises():
    assert grad(reads_what_may_be_unassigned)(2.0, 3) == 3.0
    with pytest.raises(UnboundLocalError, match="'y'"):
        grad(reads_what_may_be_unassigned)(2.0, 0)
