"""Templates: how a rule is read, refused, registered, and run on its own."""

from __future__ import annotations

import ast

import numpy as np
import pytest

from myia.adjoint.template import RULES, Contribution, Rule, Temporary, adjoint, d, inactive, run_template


def product(y, a, b=2.0):
    """The docstring is not part of it."""
    scaled = d[y] * 1.0
    d[a] += scaled * b
    d[b] -= -scaled * a


def gathered(y, x, index, axis=None):
    d[x][index] += d[y]


def holds_a_loop(y, x):
    for _ in range(3):
        d[x] += d[y]


def multiplies_into(y, x):
    d[x] *= d[y]


def test_a_template_is_read_not_run():
    rule = Rule(product, False, "example")
    scaled, to_a, to_b = rule.body
    assert rule.output == "y"
    assert list(rule.signature.parameters) == ["a", "b"]
    assert isinstance(scaled, Temporary)
    assert (scaled.name, ast.unparse(scaled.value)) == ("scaled", "d[y] * 1.0")
    assert isinstance(to_a, Contribution)
    assert (to_a.parameter, to_a.sign, to_a.index) == ("a", 1, None)
    assert (to_b.parameter, to_b.sign) == ("b", -1)


def test_an_indexed_contribution():
    (step,) = Rule(gathered, False, "example").body
    assert (step.parameter, ast.unparse(step.index), ast.unparse(step.value)) == ("x", "index", "d[y]")


@pytest.mark.parametrize("template", [holds_a_loop, multiplies_into])
def test_anything_else_in_a_template_is_an_error(template):
    with pytest.raises(SyntaxError, match=f"the template of {template.__name__} holds"):
        _ = Rule(template, False, "example").body


def test_binding_fills_in_defaults():
    rule = Rule(product, False, "example")
    assert rule.bind(3.0).arguments == {"a": 3.0, "b": 2.0}
    assert rule.bind(b=1.0, a=2.0).arguments == {"a": 2.0, "b": 1.0}
    with pytest.raises(TypeError, match="out"):
        rule.bind(3.0, out=None)


def test_running_a_template():
    rule = Rule(product, False, "example")
    assert run_template(rule, 12.0, (3.0, 4.0), {}, 1.0, {"a", "b"}) == {"a": 4.0, "b": 3.0}
    assert run_template(rule, 12.0, (3.0,), {"b": 4.0}, 2.0, {"a"}) == {"a": 8.0}


def test_running_sums_a_broadcast_away():
    def scaled(y, a, b):
        d[a] += d[y] * b

    global_rule = Rule(broadcast_product, True, "example")
    found = run_template(global_rule, None, (np.ones((1, 3)), np.ones((2, 3))), {}, np.ones((2, 3)), {"a"})
    assert found["a"].tolist() == [[2.0, 2.0, 2.0]]
    assert run_template(global_rule, None, (1.0, np.ones(3)), {}, np.ones(3), {"a"}) == {"a": 3.0}


def broadcast_product(y, a, b):
    d[a] += d[y] * b


def test_running_adds_up_repeated_indices():
    rule = Rule(gathered, False, "example")
    x, index = np.zeros(3), np.array([0, 0, 2])
    found = run_template(rule, x[index], (x, index), {}, np.array([1.0, 2.0, 4.0]), {"x"})
    assert found["x"].tolist() == [3.0, 0.0, 4.0]


def test_a_second_rule_for_a_function_is_an_error():
    with pytest.raises(ValueError, match="two derivative rules"):
        adjoint(np.tanh)(product)


def test_no_function_is_both_active_and_inactive():
    from myia.adjoint.template import INACTIVE

    assert not set(RULES) & set(INACTIVE)
    assert callable(inactive)


@pytest.mark.parametrize("rule", sorted({*RULES.values()}, key=lambda r: r.name), ids=lambda r: r.name)
def test_every_rule_reads_only_what_it_may(rule):
    """Parameters, the result, temporaries, `d`, and the modules `rt`, `np` and `math`."""
    known = {rule.output, *rule.signature.parameters, "d", "rt", "np", "math"}
    known |= {"abs", "float", "len", "range", "tuple", "list", "isinstance", "bool", "int", "sum", "slice"}
    for step in rule.body:
        expressions = [step.value]
        if isinstance(step, Contribution):
            assert step.parameter in rule.signature.parameters
            expressions += [step.index] if step.index is not None else []
        for expression in expressions:
            assert {n.id for n in ast.walk(expression) if isinstance(n, ast.Name)} <= known
        if isinstance(step, Temporary):
            known.add(step.name)


def both_ways(y, x):
    d[x] += d[y] * 2.0
    d[x] -= d[y] * x


def test_running_adds_up_the_contributions_to_a_parameter():
    assert run_template(Rule(both_ways, False, "example"), None, (5.0,), {}, 1.0, {"x"}) == {"x": -3.0}
