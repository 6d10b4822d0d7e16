"""What a user calls: selecting arguments, looking inside, and noticing changes."""

from __future__ import annotations

import ast
import builtins
import inspect
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest

from myia import explain, grad, value_and_grad
from myia.errors import MyiaError, NotDifferentiable, SourceUnavailable, UnknownArgument, UnsupportedSyntax


def polynomial(x, y, z=3.0, *rest, scale=1.0, **named):
    total = x + 10.0 * y + 100.0 * z
    for item in rest:
        total = total + 1000.0 * item
    return total * scale + named.get("extra", 0.0) * x


# -- wrt --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrt, expected",
    [
        (0, 1.0),
        (1, 10.0),
        (-1, 100.0),
        (-3, 1.0),
        ("x", 1.0),
        ("z", 100.0),
        ("scale", 321.0),
        ((0,), (1.0,)),
        ((0, 1), (1.0, 10.0)),
        ((1, 0), (10.0, 1.0)),
        (("y", 0), (10.0, 1.0)),
        ((-1, "y", 0), (100.0, 10.0, 1.0)),
    ],
)
def test_wrt(wrt, expected):
    assert grad(polynomial, wrt=wrt)(1.0, 2.0) == expected
    assert value_and_grad(polynomial, wrt=wrt)(1.0, 2.0) == (321.0, expected)


@pytest.mark.parametrize("wrt", [3, -4, "w", (0, "w"), (), (0, "x"), (0, -3), None, 1.0, True, [0]])
def test_wrt_that_selects_nothing(wrt):
    with pytest.raises(UnknownArgument, match="polynomial") as caught:
        grad(polynomial, wrt=wrt)
    assert "(x, y, z, scale, rest, named)" in caught.value.reason


def test_wrt_of_a_numpy_integer():
    assert grad(polynomial, wrt=np.int64(1))(1.0, 2.0) == 10.0


def test_wrt_of_starred_parameters():
    assert grad(polynomial, wrt="rest")(1.0, 2.0, 3.0, 4.0, 5.0) == (1000.0, 1000.0)
    assert grad(polynomial, wrt="named")(2.0, 2.0, extra=5.0, other=1.0) == {"extra": 2.0, "other": 0.0}
    assert grad(polynomial, wrt="rest")(1.0, 2.0) == ()


class Weights(NamedTuple):
    w: np.ndarray
    b: float


def network(params, x):
    return np.sum(params["w"] * x) + params["layers"][0] * params["layers"][1][0] + params["shift"].b * 2.0


def test_wrt_of_containers():
    params = {"w": np.ones(2, np.float32), "layers": [2.0, (3.0,)], "shift": Weights(np.ones(1), 1.0)}
    d = grad(network)(params, np.array([1.0, 2.0], np.float32))
    assert d["w"].tolist() == [1.0, 2.0]
    assert d["w"].dtype == np.float32
    assert d["layers"] == [3.0, (2.0,)]
    assert isinstance(d["shift"], Weights)
    assert (d["shift"].w.tolist(), d["shift"].b) == ([0.0], 2.0)


def test_an_integer_is_not_selected():
    with pytest.raises(NotDifferentiable):
        grad(polynomial)(1, 2.0)
    assert grad(polynomial, wrt="y")(1, 2.0) == 10.0


# -- decorators, methods, objects -------------------------------------------------------------------


@grad
def plain_decorator(x, y):
    """Doc."""
    return x * y


@grad(wrt="y")
def decorator_with_wrt(x, y):
    return x * x * y


@value_and_grad(wrt=(0, 1))
def decorator_with_value(x, y):
    return x * y


def test_decorators():
    assert plain_decorator(2.0, 3.0) == 3.0
    assert decorator_with_wrt(2.0, 3.0) == 4.0
    assert decorator_with_value(2.0, 3.0) == (6.0, (3.0, 2.0))
    assert plain_decorator.__name__ == "plain_decorator"
    assert plain_decorator.__doc__ == "Doc."
    assert plain_decorator.__module__ == __name__
    assert plain_decorator.primal(2.0, 3.0) == 6.0
    assert list(inspect.signature(plain_decorator).parameters) == ["x", "y"]
    assert repr(decorator_with_wrt) == "<gradient of decorator_with_wrt with respect to 'y'>"


class Model:
    def __init__(self, weight):
        self.weight = weight

    def loss(self, x, y):
        return self.weight * x * x + y

    @grad
    def slope(self, x):
        return self.weight * x * x

    @grad(wrt="y")
    def other_slope(self, x, y):
        return self.weight * x * y

    @classmethod
    @grad
    def class_slope(cls, x):
        return cls.factor * x

    @staticmethod
    @grad
    def static_slope(x):
        return 4.0 * x

    factor = 7.0

    def __call__(self, x):
        return self.weight * x


def test_a_gradient_as_a_class_method():
    assert Model(3.0).class_slope(2.0) == 7.0
    assert Model.class_slope(2.0) == 7.0


def test_a_gradient_as_a_static_method():
    assert Model.static_slope(2.0) == 4.0
    assert Model(3.0).static_slope(2.0) == 4.0


def test_methods_and_objects():
    model = Model(3.0)
    assert grad(model.loss)(2.0, 1.0) == 12.0
    assert grad(model.loss, wrt="y")(2.0, 1.0) == 1.0
    assert grad(model.loss, wrt=(0, -1))(2.0, 1.0) == (12.0, 1.0)
    assert model.slope(2.0) == 12.0
    assert model.other_slope(2.0, 5.0) == 6.0
    assert grad(model)(2.0) == 3.0
    model.weight = 10.0
    assert model.slope(2.0) == 40.0
    assert Model(1.0).slope(2.0) == 4.0
    with pytest.raises(UnknownArgument):
        grad(model.loss, wrt="self")


def test_only_functions_have_gradients():
    with pytest.raises(SourceUnavailable, match="3 is not a function"):
        grad(3)
    with pytest.raises(UnsupportedSyntax, match="gradient of the gradient"):
        grad(grad(polynomial))


# -- calls ------------------------------------------------------------------------------------------


def test_keyword_arguments_and_defaults():
    df = grad(polynomial, wrt=("x", "z"))
    assert df(1.0, 2.0) == (1.0, 100.0)
    assert df(y=2.0, x=1.0) == (1.0, 100.0)
    assert df(1.0, 2.0, scale=2.0) == (2.0, 200.0)
    assert df(1.0, 2.0, 3.0, 4.0, 5.0) == (1.0, 100.0)
    assert df(1.0, y=2.0, extra=7.0) == (8.0, 100.0)


def positional_and_keyword_only(x, /, y, *, z=2.0):
    return x * y * z


def test_kinds_of_parameters():
    df = grad(positional_and_keyword_only, wrt=("x", "y", "z"))
    assert df(3.0, y=5.0) == (10.0, 6.0, 15.0)
    assert df(3.0, 5.0, z=1.0) == (5.0, 3.0, 15.0)


def test_a_parameter_named_self_by_keyword():
    def f(self, x):
        return self * x

    assert grad(f, wrt=("self", "x"))(self=2.0, x=3.0) == (3.0, 2.0)


@pytest.mark.parametrize(
    "args, kwargs",
    [((), {}), ((1.0,), {}), ((1.0, 2.0, 3.0), {}), ((1.0, 2.0), {"y": 1.0}), ((), {"x": 1, "y": 2})],
)
def test_a_wrong_call_is_the_type_error_of_the_function(args, kwargs):
    with pytest.raises(TypeError) as caught:
        grad(positional_and_keyword_only)(*args, **kwargs)
    assert not isinstance(caught.value, MyiaError)
    with pytest.raises(TypeError):
        positional_and_keyword_only(*args, **kwargs)


def test_a_changed_default_is_seen():
    def f(x, scale=2.0):
        return x * scale

    df = grad(f)
    assert df(1.0) == 2.0
    f.__defaults__ = (5.0,)
    assert df(1.0) == 5.0


# -- looking inside ---------------------------------------------------------------------------------


def test_source_before_the_first_call():
    df = grad(polynomial)
    with pytest.raises(SourceUnavailable, match="polynomial has not been compiled yet"):
        _ = df.source
    df(1.0, 2.0)
    assert df.source.startswith("def polynomial_grad(")


def test_source_for_does_not_run_the_function():
    ran = []

    def f(x):
        ran.append(1)
        return x

    def g(x):
        print("running")
        assert x > 100.0
        return x * x

    df = grad(g)
    text = df.source_for(1.0)
    assert "def g_grad(x):" in text
    assert text == df.source
    assert ran == []
    with pytest.raises(AssertionError):
        df(1.0)


def test_source_for_prints_nothing(capsys):
    def g(x):
        print("running")
        return x * x

    grad(g).source_for(1.0)
    explain(g, 1.0)
    assert capsys.readouterr().out == ""
    grad(g)(1.0)
    assert capsys.readouterr().out == "running\n"


def test_source_is_that_of_the_latest_specialisation():
    def f(x):
        return (x * x).sum() if isinstance(x, np.ndarray) else x * x

    df = grad(f)
    df(np.ones(2))
    arrays = df.source
    df(1.0)
    assert df.source != arrays
    assert "x: float." in df.source
    df(np.ones(2))
    assert df.source == arrays


def rnn_step(w, x):
    def cell(h):
        return np.tanh(w @ h + x)

    h = np.zeros(2)
    for _ in range(3):
        h = cell(h)
    return helper(h)


def helper(h):
    return np.sum(h * h)


def test_explain_shows_every_stage_as_python():
    text = explain(rnn_step, np.eye(2), np.ones(2), wrt=(0, 1))
    stages = dict(part.split(" ==\n", 1) for part in text.split("# == ")[1:])
    for name in ("rnn_step", "cell", "helper"):
        for stage in ("normal form", "types", "forward sweep", "reverse sweep"):
            assert f"{name}: {stage}" in stages
    for title, stage in stages.items():
        ast.parse(stage)
        assert stage.strip(), title
    ast.parse(text)
    assert stages["emitted"].strip() == grad(rnn_step, wrt=(0, 1)).source_for(np.eye(2), np.ones(2)).strip()
    assert "h: 'float64[1]'" in stages["rnn_step: types"]


def test_explain_of_lambdas_and_closures_is_python():
    scale = 2.0
    for function in (lambda x: x * scale, lambda x: (lambda v: v * x)(x), wraps(lambda x: f"{x:{3}}" and x)):
        ast.parse(explain(function, 1.0))


def wraps(function):
    return lambda x: function(x) * 2.0


def test_explain_of_a_gradient_keeps_its_wrt():
    assert explain(grad(rnn_step, wrt=1), np.eye(2), np.ones(2)) == explain(
        rnn_step, np.eye(2), np.ones(2), wrt=1
    )


def test_explain_is_the_same_in_any_process():
    """Sets of names are ordered by hash, which differs from process to process."""
    program = (
        "import numpy as np; from myia import explain; from tests.test_api import rnn_step, polynomial;"
        "print(explain(rnn_step, np.eye(2), np.ones(2), wrt=(0, 1)), explain(polynomial, 1.0, 2.0, 3.0, 4.0))"
    )
    printed = set()
    for seed in ("0", "1", "2", "3"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parent.parent,
            capture_output=True,
            text=True,
            check=True,
        )
        printed.add(done.stdout)
    assert len(printed) == 1
    assert "# == emitted ==" in printed.pop()


# -- guards: what the compiler resolved changes -----------------------------------------------------

FACTOR = 2.0


def scaled(x):
    return x * 3.0


def uses_globals(x):
    return scaled(x) * FACTOR


def test_a_changed_global_value(monkeypatch):
    df = grad(uses_globals)
    assert df(1.0) == 6.0
    monkeypatch.setitem(globals(), "FACTOR", 5.0)
    assert df(1.0) == 15.0
    monkeypatch.setitem(globals(), "FACTOR", np.float32(1.0))  # another type
    assert df(1.0) == 3.0


def test_a_changed_global_function(monkeypatch):
    df = grad(uses_globals)
    assert df(1.0) == 6.0
    monkeypatch.setitem(globals(), "scaled", lambda x: x * 7.0)
    assert df(1.0) == 14.0
    monkeypatch.undo()
    assert df(1.0) == 6.0


def test_a_changed_function_of_a_called_function(monkeypatch):
    def calls(x):
        return uses_globals(x)

    df = grad(calls)
    assert df(1.0) == 6.0
    monkeypatch.setitem(globals(), "scaled", lambda x: x * 7.0)
    assert df(1.0) == 14.0


def test_a_changed_closure_cell():
    scale, function = 2.0, scaled

    def f(x):
        return function(x) * scale

    df = grad(f)
    assert df(1.0) == 6.0
    scale = 4.0
    assert df(1.0) == 12.0
    function = uses_globals
    assert df(1.0) == 24.0
    scale = np.array(1.0)
    assert df(1.0) == 6.0


MODULE = ModuleType("a_module_of_the_users")
MODULE.scale = 2.0
MODULE.function = scaled


def uses_a_module(x):
    return MODULE.function(x) * MODULE.scale


def test_a_changed_module_attribute(monkeypatch):
    df = grad(uses_a_module)
    assert df(1.0) == 6.0
    monkeypatch.setattr(MODULE, "scale", 3.0)
    assert df(1.0) == 9.0
    monkeypatch.setattr(MODULE, "function", lambda x: x * 10.0)
    assert df(1.0) == 30.0


class Layer:
    scale = 2.0

    def apply(self, x):
        return x * self.scale


class OtherLayer:
    pass


LAYER = Layer()


def uses_a_method(x):
    return LAYER.apply(x)


def uses_an_argument(layer, x):
    return layer.apply(x)


def test_a_changed_method(monkeypatch):
    df, dg = grad(uses_a_method), grad(uses_an_argument, wrt="x")
    assert (df(1.0), dg(LAYER, 1.0)) == (2.0, 2.0)
    monkeypatch.setattr(Layer, "apply", lambda self, x: x * 11.0)
    assert (df(1.0), dg(LAYER, 1.0)) == (11.0, 11.0)


def test_a_method_of_the_object_itself(monkeypatch):
    df = grad(uses_a_method)
    assert df(1.0) == 2.0
    monkeypatch.setattr(LAYER, "apply", lambda x: x * 13.0, raising=False)
    assert df(1.0) == 13.0


def test_a_changed_class_attribute(monkeypatch):
    df = grad(uses_a_method)
    assert df(1.0) == 2.0
    monkeypatch.setattr(Layer, "scale", 4.0)
    assert df(1.0) == 4.0


def uses_builtins(x):
    return abs(x) * max(1.0, 2.0)


def test_replaced_code():
    """As IPython's autoreload does: the function stays the same object."""

    def callee(x):
        return x * 2.0

    def f(x):
        return callee(x)

    def other(x):
        return x * 9.0

    df, dg = grad(f), grad(callee)
    assert (df(1.0), dg(1.0)) == (2.0, 2.0)
    callee.__code__ = other.__code__
    assert f(1.0) == 9.0
    assert (df(1.0), dg(1.0)) == (9.0, 9.0)


def test_a_keyword_only_default_changed_in_place():
    def f(x, *, scale=2.0):
        return x * scale

    df, dg = grad(f), grad(lambda x: f(x))
    assert (df(1.0), dg(1.0)) == (2.0, 2.0)
    f.__kwdefaults__["scale"] = 5.0
    assert (df(1.0), dg(1.0)) == (5.0, 5.0)


def test_a_changed_call_of_a_callable_object(monkeypatch):
    model = Model(3.0)
    df = grad(model)
    assert df(1.0) == 3.0
    monkeypatch.setattr(Model, "__call__", lambda self, x: x * 13.0)
    assert df(1.0) == 13.0


def test_a_nested_functions_world_is_watched(monkeypatch):
    def f(x):
        def inner(v):
            return scaled(v) * FACTOR

        return inner(x) + (lambda v: scaled(v))(x)

    df = grad(f)
    assert df(1.0) == 9.0
    monkeypatch.setitem(globals(), "scaled", lambda x: x * 7.0)
    assert df(1.0) == 21.0
    monkeypatch.setitem(globals(), "FACTOR", np.float32(3.0))
    assert df(1.0) == 28.0


def test_a_changed_class_in_isinstance(monkeypatch):
    def f(x, layer):
        return x * 2.0 if isinstance(layer, Layer) else x

    df = grad(f)
    assert df(1.0, LAYER) == 2.0
    monkeypatch.setitem(globals(), "Layer", OtherLayer)
    assert df(1.0, LAYER) == 1.0


def test_an_attribute_that_changes_its_type():
    def f(model, x):
        return np.sum(model.weight * x)

    df, model = grad(f, wrt="x"), Model(2.0)
    assert df(model, 1.0) == 2.0
    model.weight = np.ones(3)
    assert df(model, 1.0) == 3.0


def test_a_shadowed_builtin(monkeypatch):
    df = grad(uses_builtins)
    assert df(-3.0) == -2.0
    monkeypatch.setitem(globals(), "abs", lambda x: x * 5.0)
    assert df(-3.0) == 10.0
    monkeypatch.undo()
    assert df(-3.0) == -2.0
    monkeypatch.setattr(builtins, "abs", lambda x: x * 6.0)
    assert df(-3.0) == 12.0


def test_an_unchanged_world_compiles_once():
    df = grad(uses_globals)
    df(1.0)
    first = df._latest
    df(2.0)
    assert df._latest is first


# -- specialisation ---------------------------------------------------------------------------------


def norm(x):
    return np.sqrt(np.sum(x * x))


def test_one_specialisation_for_each_combination_of_types():
    df = grad(norm)
    sources = set()
    for x in (np.ones(3), np.ones((2, 2)), np.ones(3, np.float32), np.float32(2.0), 2.0, np.ones(())):
        d = df(x)
        assert np.shape(d) == np.shape(x)
        assert np.asarray(d).dtype == np.asarray(x).dtype
        assert type(d) is type(x)
        sources.add(df.source)
    assert len(sources) == 6
    df(np.ones(3))
    first = df._latest
    df(np.zeros(50) + 1.0)  # another length is the same type
    assert df._latest is first


def test_values_do_not_specialise():
    def f(x, n):
        for _ in range(n):
            x = x * 2.0
        return x

    df = grad(f)
    assert [df(1.0, n) for n in (0, 1, 5)] == [1.0, 2.0, 32.0]
    assert len(df._compiled) == 1


# -- memory -----------------------------------------------------------------------------------------


def test_gradients_have_memory_of_their_own():
    def f(x, y):
        return np.sum(x) + np.sum(y) + np.sum(x * y)

    x, y = np.ones(3), np.ones(3)
    first, second = grad(f, wrt=(0, 1))(x, y)
    again, _ = grad(f, wrt=(0, 1))(x, y)
    for a in (first, second):
        for b in (again, x, y):
            assert not np.shares_memory(a, b)
    assert not np.shares_memory(first, second)
    first[:] = 100.0
    assert second.tolist() == [2.0, 2.0, 2.0]
    assert first.flags.writeable
    assert second.flags.writeable


def test_gradients_of_shared_arguments_do_not_share():
    def f(x, y):
        return np.sum(x + y)

    x = np.ones(2)
    d_x, d_y = grad(f, wrt=(0, 1))(x, x)
    assert not np.shares_memory(d_x, d_y)
    d_params = grad(lambda params: np.sum(params[0] + params[1]))([x, x])
    assert not np.shares_memory(d_params[0], d_params[1])


def test_the_value_does_not_alias_a_gradient():
    def f(x):
        return x[0]

    value, d = value_and_grad(f)(np.array([2.0, 3.0]))
    d[0] = 9.0
    assert value == 2.0


# -- threads ----------------------------------------------------------------------------------------


def test_threads_compile_and_call_at_once():
    df = grad(norm)
    start = threading.Barrier(8)

    def work(k):
        start.wait()
        found = []
        for size in range(1, 12):
            x = np.full((1,) * (k % 3) + (size,), float(k + 1))
            found.append(np.allclose(df(x), 1.0 / np.sqrt(size)))
        return found

    with ThreadPoolExecutor(8) as pool:
        assert all(map(all, pool.map(work, range(8))))


def test_threads_compile_different_functions_at_once():
    start = threading.Barrier(6)
    functions = [
        lambda x: x * 1.0,
        lambda x: x * 2.0,
        lambda x: norm(x * 3.0),
        lambda x: norm(x * 4.0),
        norm,
        helper,
    ]

    def work(function):
        start.wait()
        df = grad(function)
        return df(2.0), df.source

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(work, functions))
    assert [d for d, _ in found] == [1.0, 2.0, 3.0, 4.0, 1.0, 4.0]
    assert [source for _, source in found] == [grad(f).source_for(2.0) for f in functions]


def test_threads_each_raise_their_own_error():
    def f(x, items, k):
        return x * items[k]

    df = grad(f)
    start = threading.Barrier(4)

    def work(k):
        start.wait()
        notes = []
        for _ in range(50):
            try:
                df(1.0, [1.0], k)
            except IndexError as error:
                notes.append(len(error.__notes__))
        return notes

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, [0, 1, 2, 0])) == [[], [1] * 50, [1] * 50, []]
