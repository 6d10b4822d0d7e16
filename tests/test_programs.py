"""Every program of the table, checked the same way; then side effects, live names, and sources."""

from __future__ import annotations

import ast
import hashlib
import itertools
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from myia import grad, value_and_grad
from myia.errors import MyiaError
from tests.check import check_gradient
from tests.programs import PROGRAMS, Program, arithmetic, arrays, effects, loops, some

ROWS = pytest.mark.parametrize("program", PROGRAMS, ids=repr)


@ROWS
def test_gradient(program: Program):
    check_gradient(
        program.function,
        program.args,
        program.wrt,
        kwargs=program.kwargs,
        analytic=program.analytic,
        tolerance=program.tolerance,
        step=program.step,
    )


@pytest.mark.parametrize("program", some(PROGRAMS, 3), ids=repr)
def test_source(program: Program):
    """The emitted source is Python, and the same text from another gradient of the same function."""
    first = grad(program.function, wrt=program.wrt).source_for(*program.args, **program.kwargs)
    second = grad(program.function, wrt=program.wrt)
    second(*program.args, **program.kwargs)

    ast.parse(first)
    assert first == second.source


def digest() -> str:
    """A fingerprint of all emitted sources, for comparison between processes."""
    text = hashlib.sha256()
    for program in PROGRAMS:
        gradient = grad(program.function, wrt=program.wrt)
        try:
            source = gradient.source_for(*program.args, **program.kwargs)
        except MyiaError as error:  # `test_source` reports it
            source = str(error)
        text.update(source.encode())
    return text.hexdigest()


def test_sources_are_the_same_in_any_process():
    script = "from tests.test_programs import digest; print(digest())"
    root = Path(__file__).resolve().parent.parent
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_names_of_programs_are_unique():
    names = [program.name for program in PROGRAMS]
    assert len(names) == len(set(names))


# -- side effects happen once, in order ---------------------------------------------------------

PRINTING = [effects.prints, effects.prints_in_loop]


@pytest.mark.parametrize("function", PRINTING, ids=lambda f: f.__name__)
def test_printing_happens_once(function, capsys):
    function(1.3)
    expected = capsys.readouterr().out

    grad(function)(1.3)
    assert capsys.readouterr().out == expected
    value_and_grad(function)(1.3)
    assert capsys.readouterr().out == expected


def prints_everywhere(x, n):
    print("start")
    y = x
    for k in range(n):
        print("loop", k)
        if k % 2:
            y = says("odd", y * x)
        else:
            y = y + x
        if y > 2.0:
            print("enough")
            break
    else:
        print("else")
    while y < 10.0 and says("test", y) < 5.0:
        y = y * 1.7
    return says("result", y * y)


def says(word, y):
    print(word)
    return y


@pytest.mark.parametrize("n", [0, 1, 5])
def test_printing_in_calls_loops_and_tests_keeps_its_order(n, capsys):
    prints_everywhere(1.3, n)
    expected = capsys.readouterr().out

    grad(prints_everywhere)(1.3, n)
    assert capsys.readouterr().out == expected


TALLY = itertools.count()


def counts(x, n):
    y = x
    for _ in range(n):
        y = y * x
        next(TALLY)
    return y


def test_an_opaque_effect_happens_once():
    gradient = grad(counts)
    before = next(TALLY)
    gradient(1.3, 4)
    assert next(TALLY) - before == 5


def raises_late(x):
    print("before")
    y = x * x
    for k in range(5):
        y = y * x
        if k == 2:
            raise OverflowError(f"{k} steps")
    return y


def test_an_exception_is_the_programs_own(capsys):
    with pytest.raises(OverflowError, match="2 steps") as caught:
        grad(raises_late)(1.3)

    assert capsys.readouterr().out == "before\n"
    assert _notes_name(caught.value, raises_late, "raise OverflowError")


def asserts_with_message(x):
    y = x * x
    assert y < 1.0, f"{x} is too large"
    return y


def test_an_assertion_keeps_its_message():
    with pytest.raises(AssertionError, match=r"1\.3 is too large") as caught:
        grad(asserts_with_message)(1.3)
    assert _notes_name(caught.value, asserts_with_message, "assert y")
    assert grad(asserts_with_message)(0.5) == 1.0


def fails_by_itself(x, items):
    y = x * 2.0
    return y * items[7]


def test_a_failure_inside_names_the_users_line():
    with pytest.raises(IndexError) as caught:
        grad(fails_by_itself)(1.3, [1, 2])
    assert _notes_name(caught.value, fails_by_itself, "items[7]")


def unbound_in_the_untaken_branch(x):
    if x > 0.0:
        y = x * 2.0
    return y * x  # noqa: F821


def test_an_unbound_variable_is_an_error_as_in_python():
    with pytest.raises(UnboundLocalError):
        unbound_in_the_untaken_branch(-1.0)
    with pytest.raises(NameError):
        grad(unbound_in_the_untaken_branch)(-1.0)
    assert grad(unbound_in_the_untaken_branch)(1.5) == 6.0


def test_exceptions_for_bad_calls_are_pythons():
    with pytest.raises(TypeError):
        grad(arithmetic.add_subtract)(1.0)
    with pytest.raises(TypeError):
        grad(arithmetic.add_subtract)(1.0, 2.0, 3.0)
    with pytest.raises(TypeError):
        grad(arithmetic.add_subtract)(1.0, z=2.0)
    with pytest.raises(ZeroDivisionError):
        grad(arithmetic.reciprocal)(0.0)


def _notes_name(error: BaseException, function, text: str) -> bool:
    """Whether a note of the exception names the file, and the line of the function that holds `text`."""
    code = function.__code__
    lines = Path(code.co_filename).read_text(encoding="utf-8").splitlines()
    line = next(k for k in range(code.co_firstlineno, len(lines) + 1) if text in lines[k - 1])
    notes = "\n".join(getattr(error, "__notes__", []))
    return Path(code.co_filename).name in notes and re.search(rf"\b{line}\b", notes) is not None


def roots_of_the_positive(x):
    return np.where(x > 0.0, np.sqrt(x), 0.0).sum()


def logarithms_of_the_positive(x):
    return np.where(x > 0.0, np.log(x) * x, -x).sum()


def quotients_where_defined(x, y):
    return np.where(y == 0.0, 0.0, x / y).sum()


def test_nan_of_the_untaken_side_of_where_stays_out():
    x = np.array([4.0, -1.0, 0.0])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(grad(roots_of_the_positive)(x), [0.25, 0.0, 0.0])
        np.testing.assert_allclose(grad(logarithms_of_the_positive)(x), [np.log(4.0) + 1.0, -1.0, -1.0])
        d_x, d_y = grad(quotients_where_defined, wrt=(0, 1))(x, np.array([2.0, 0.0, 0.0]))
    np.testing.assert_array_equal(d_x, [0.5, 0.0, 0.0])
    np.testing.assert_array_equal(d_y, [-1.0, 0.0, 0.0])


# -- the interface ------------------------------------------------------------------------------


def test_wrt_in_every_form():
    def f(x, y, scale=2.0):
        return scale * x * y

    assert grad(f)(3.0, 5.0) == 10.0
    assert grad(f, wrt=1)(3.0, 5.0) == 6.0
    assert grad(f, wrt="y")(3.0, 5.0) == 6.0
    assert grad(f, wrt=(1, "x"))(3.0, 5.0) == (6.0, 10.0)
    assert grad(f, wrt=("scale", 0))(3.0, 5.0, scale=4.0) == (15.0, 20.0)
    assert grad(f, wrt="scale")(3.0, 5.0, 4.0) == 15.0
    assert grad(f)(x=3.0, y=5.0) == 10.0
    assert value_and_grad(f, wrt=(0, 1))(3.0, 5.0) == (30.0, (10.0, 6.0))


def test_one_array_as_two_arguments():
    """The two gradients are apart although the arguments are not."""

    def f(x, y):
        return (x * y).sum() + x[0]

    def g(pair):
        return (pair[0] * pair[1]).sum() + pair[0][0]

    x = np.array([1.0, 2.0])
    check_gradient(f, (x, x), (0, 1))
    check_gradient(g, ([x, x],))


def test_decorators():
    @grad
    def f(x, y):
        return x * x * y

    @grad(wrt="y")
    def g(x, y):
        return x * x * y

    assert f(3.0, 5.0) == 30.0
    assert g(3.0, 5.0) == 9.0
    assert f.primal(3.0, 5.0) == 45.0


@pytest.mark.parametrize(
    "function, args",
    [
        (arithmetic.four_operations, (1.3, 0.4)),
        (arithmetic.power_integer, (1.3,)),
        (loops.for_range, (1.3,)),
        (loops.branch_in_loop, (1.3,)),
        (loops.fibonacci_like, (0.8,)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_scalar_arithmetic_needs_no_runtime(function, args):
    source = grad(function).source_for(*args)
    calls = set(re.findall(r"\brt\.(\w+)", source))
    assert not calls & {
        "add",
        "subtract",
        "multiply",
        "divide",
        "accumulate",
        "unbroadcast",
        "negative",
        "power",
    }


def test_types_of_a_call_choose_the_specialisation():
    gradient = grad(arrays.tangent_wrong_broadcast)
    for x in (1.3, np.float32(1.3), 0.7, np.array(0.5), np.array([0.5, 1.0, 2.0])):
        found = gradient(x)
        assert type(found) is type(x)
        expected = 1.0 + 2.0 * x + 3.0 * x**2 if np.ndim(x) == 0 else np.array([1.0, 2.0, 12.0])
        np.testing.assert_allclose(found, expected, rtol=1e-6)


# -- names are live -----------------------------------------------------------------------------

FACTOR = 2.0


def helper(x):
    return x * x


def uses_global(x):
    return FACTOR * x


def uses_helper(x):
    return helper(x) * x


def test_a_changed_global_is_noticed(monkeypatch):
    gradient = grad(uses_global)
    assert gradient(1.0) == 2.0
    monkeypatch.setitem(globals(), "FACTOR", 5.0)
    assert gradient(1.0) == 5.0
    monkeypatch.setitem(globals(), "FACTOR", np.float64(7.0))
    assert gradient(1.0) == 7.0


def test_a_changed_global_function_is_noticed(monkeypatch):
    gradient = grad(uses_helper)
    assert gradient(2.0) == 12.0
    monkeypatch.setitem(globals(), "helper", lambda x: 3.0 * x)
    assert gradient(2.0) == 12.0
    monkeypatch.setitem(globals(), "helper", lambda x: 3.0)
    assert gradient(2.0) == 3.0


def test_a_changed_cell_is_noticed():
    scale = 2.0

    def f(x):
        return x * scale

    gradient = grad(f)
    assert gradient(1.0) == 2.0
    scale = 3.0
    assert gradient(1.0) == 3.0
    scale = np.array([1.0, 2.0]).sum() * 2.0
    assert gradient(1.0) == 6.0


def test_a_changed_attribute_is_noticed():
    model = types.SimpleNamespace(weight=2.0, activation=helper)

    def f(x):
        return model.activation(x) * model.weight

    gradient = grad(f)
    assert gradient(3.0) == 12.0
    model.weight = 5.0
    assert gradient(3.0) == 30.0
    model.activation = np.sin
    assert gradient(0.0) == 5.0
    model.activation = lambda v: v
    assert gradient(3.0) == 5.0


def test_changed_defaults_are_noticed():
    def f(x, scale=2.0):
        return x * scale

    gradient = grad(f)
    assert gradient(1.0) == 2.0
    f.__defaults__ = (4.0,)
    assert gradient(1.0) == 4.0


def test_two_closures_of_one_function_are_apart():
    def make(scale):
        return grad(lambda x: x * scale)

    assert (make(2.0)(1.0), make(3.0)(1.0)) == (2.0, 3.0)


def test_an_argument_that_is_a_function_may_change():
    def f(x, g):
        return g(x) * 2.0

    gradient = grad(f)
    assert gradient(3.0, helper) == 12.0
    assert gradient(3.0, lambda v: v) == 2.0
    assert gradient(0.0, np.sin) == 2.0
