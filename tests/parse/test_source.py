"""From a live function to its definition: which one it is, where it stands, and when there is none."""

from __future__ import annotations

import ast
import functools
import importlib.util
import linecache
import math
import os
import sys

import pytest

from myia import grad
from myia.errors import SourceUnavailable
from myia.parse.source import python_function, source_of


def text_of(function) -> str:
    return ast.unparse(source_of(function).node)


# -- lambdas --------------------------------------------------------------------------------------

FIRST, SECOND = lambda x: x * 2.0, lambda x: x * 3.0
SAME_NAMES = [lambda a, b: a - b, lambda a, b: b - a, lambda b, a: a - b]
INNER = lambda x: (lambda y: y * x)(x)  # fmt: skip
# fmt: off
MULTI_LINE = (lambda x,
              y=2.0:
              x
              * y)
PAIR = [lambda x: x + 1.0, lambda x: x
        + 2.0]
# fmt: on


def test_lambdas_on_one_line():
    assert text_of(FIRST) == "lambda x: x * 2.0"
    assert text_of(SECOND) == "lambda x: x * 3.0"
    assert [text_of(f) for f in SAME_NAMES] == [
        "lambda a, b: a - b",
        "lambda a, b: b - a",
        "lambda b, a: a - b",
    ]
    assert [grad(f)(1.0) for f in (FIRST, SECOND)] == [2.0, 3.0]
    assert [grad(f)(1.0, 2.0) for f in SAME_NAMES] == [1.0, -1.0, -1.0]


def test_a_lambda_in_a_lambda():
    assert text_of(INNER) == "lambda x: (lambda y: y * x)(x)"
    assert grad(INNER)(3.0) == 6.0


def test_lambdas_over_several_lines():
    assert text_of(MULTI_LINE) == "lambda x, y=2.0: x * y"
    assert grad(MULTI_LINE)(1.0) == 2.0
    assert [text_of(f) for f in PAIR] == ["lambda x: x + 1.0", "lambda x: x + 2.0"]


def test_identical_lambdas_on_one_line_are_interchangeable():
    pair = [lambda x: x * x, lambda x: x * x]
    assert [grad(f)(3.0) for f in pair] == [6.0, 6.0]


# -- definitions ----------------------------------------------------------------------------------


def registered(*_args):
    return lambda function: function


@registered(lambda x: x)
@registered(
    "several",
    "lines",
)
def decorated(x):
    return x * 4.0


def wrapping(function):
    @functools.wraps(function)
    def wrapper(x):
        return 10.0 * function(x)

    return wrapper


@wrapping
def wrapped(x):
    return x * x


class Model:
    def __init__(self, weight):
        self.weight = weight

    def loss(self, x):
        return self.weight * x

    @staticmethod
    def square(x):
        return x * x

    @classmethod
    def cube(cls, x):
        return x**3

    def __call__(self, x):
        return x * self.weight * 2.0


if len(sys.argv) >= 0:

    def twice(x):
        return 2.0 * x

else:

    def twice(x):
        return 200.0 * x


def test_a_decorated_function_is_found_by_its_first_decorator():
    source = source_of(decorated)
    assert isinstance(source.node, ast.FunctionDef)
    assert source.name == "decorated"
    assert grad(decorated)(1.0) == 4.0


def test_the_wrapper_is_differentiated_not_what_it_wraps():
    assert grad(wrapped)(3.0) == 60.0


def test_methods_and_callable_objects():
    model = Model(3.0)
    assert python_function(model.loss) == (Model.loss, (model,))
    assert python_function(model) == (Model.__call__, (model,))
    assert python_function(Model.cube) == (Model.cube.__func__, (Model,))
    assert grad(model.loss)(1.0) == 3.0
    assert grad(model)(1.0) == 6.0
    assert grad(Model.square)(3.0) == 6.0
    assert grad(Model.cube)(2.0) == 12.0


def test_of_two_definitions_the_live_one():
    assert grad(twice)(1.0) == 2.0


def test_a_redefinition_in_one_scope():
    def f(x):
        return x * 5.0

    first = f

    def f(x):
        return x * 7.0

    assert (grad(first)(1.0), grad(f)(1.0)) == (5.0, 7.0)


# -- cells, and what has no source ----------------------------------------------------------------


def cell(text: str, filename: str) -> dict:
    """Run text as IPython does: with its lines in linecache under a made-up file name."""
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    names: dict = {"math": math}
    exec(compile(text, filename, "exec"), names)  # noqa: S102
    return names


def test_a_notebook_cell():
    names = cell("\n\ndef f(x):\n    return math.sin(x) * 2.0\n", "<ipython-input-1-abc>")
    source = source_of(names["f"])
    assert (source.filename, source.node.lineno) == ("<ipython-input-1-abc>", 3)
    assert grad(names["f"])(0.0) == 2.0
    again = cell("def f(x):\n    return x * 9.0\n", "<ipython-input-2-abc>")
    assert grad(again["f"])(1.0) == 9.0
    assert grad(names["f"])(0.0) == 2.0


def test_exec_without_source():
    names: dict = {}
    exec("def f(x):\n    return x", names)  # noqa: S102
    with pytest.raises(SourceUnavailable, match="the source of f is not to be had") as caught:
        source_of(names["f"])
    assert "<string>" in caught.value.reason


@pytest.mark.parametrize("function", [math.sin, len, 3, float, functools.partial(twice, 1.0)])
def test_what_is_not_written_in_python(function):
    with pytest.raises(SourceUnavailable, match="is not to be had"):
        python_function(function)


def imported(path, text):
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def edited(path, text):
    """As an editor saves, an hour from now: linecache notices by the time and size."""
    path.write_text(text, encoding="utf-8")
    later = path.stat().st_mtime + 3600
    os.utime(path, (later, later))
    linecache.checkcache(str(path))


def test_a_file_edited_after_its_import_is_stale(tmp_path):
    path = tmp_path / "stale_body.py"
    module = imported(path, "def f(x):\n    return x * 2.0\n")
    edited(path, "def f(x):\n    return x * 5.0\n")
    with pytest.raises(SourceUnavailable, match="is not to be had"):
        grad(module.f)(1.0)


def test_a_file_whose_functions_moved_is_stale(tmp_path):
    path = tmp_path / "stale_place.py"
    module = imported(path, "def f(x):\n    return x * 2.0\n")
    edited(path, "\n\n\ndef f(x):\n    return x * 2.0\n")
    with pytest.raises(SourceUnavailable, match="is not to be had"):
        grad(module.f)(1.0)


def test_a_file_that_no_longer_parses_is_stale(tmp_path):
    path = tmp_path / "stale_syntax.py"
    module = imported(path, "def f(x):\n    return x * 2.0\n")
    edited(path, "def f(x:\n    return x * 2.0\n")
    with pytest.raises(SourceUnavailable, match="is not to be had"):
        grad(module.f)(1.0)


def test_an_edit_elsewhere_in_the_file_does_no_harm(tmp_path):
    path = tmp_path / "edited_elsewhere.py"
    module = imported(path, "def f(x):\n    return x * 2.0\n")
    edited(path, "def f(x):\n    return x * 2.0\n\n\ndef g(x):\n    return x\n")
    assert grad(module.f)(1.0) == 2.0


# -- places ---------------------------------------------------------------------------------------


def test_columns_count_characters():
    names = cell("def f(x):\n    return 'äöü€' if x else foo(x)\n", "<cell with umlauts>")
    source = source_of(names["f"])
    call = next(n for n in ast.walk(source.node) if isinstance(n, ast.Call))
    place = source.location(call)
    assert (place.line, place.text[place.column : place.end_column]) == (2, "foo(x)")


def test_a_node_over_several_lines_is_underlined_on_its_first():
    source = source_of(MULTI_LINE)
    place = source.location(source.node)
    assert place.line == source.node.lineno
    assert place.end_column is None
