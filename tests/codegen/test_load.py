"""Emitted code in tracebacks and debuggers: its text is there, and leads back to the user's lines."""

from __future__ import annotations

import inspect
import io
import linecache
import pdb
import traceback

import numpy as np
import pytest

from myia import grad, value_and_grad
from myia.codegen.load import load, user_place
from myia.errors import MissingRule, MyiaError, NonScalarOutput


def line_of(function, text: str) -> int:
    lines, start = inspect.getsourcelines(function)
    return start + next(k for k, line in enumerate(lines) if text in line)


def emitted_function(df, *args):
    """The function whose text is `df.source`."""
    df(*args)
    return df._latest.module[f"{df.__name__}_grad"]


def squares(x):
    y = x * x
    return y * 3.0


# -- the module -----------------------------------------------------------------------------------


def test_the_source_of_the_emitted_function():
    df = grad(squares)
    function = emitted_function(df, 2.0)
    assert inspect.getsource(function) == df.source
    assert inspect.getdoc(function).startswith("d squares / d x")
    assert function.__module__ == "myia.emitted.squares"
    assert function(2.0) == 12.0


def test_the_source_survives_a_check_of_the_cache():
    df = grad(squares)
    function = emitted_function(df, 2.0)
    linecache.checkcache()
    assert inspect.getsource(function) == df.source


def test_modules_do_not_share_names_or_files():
    first = load("f", "def f():\n    return a\n", {}, {"a": 1})
    second = load("f", "def f():\n    return a\n", {2: ("user.py", 7)}, {"a": 2})
    assert (first["f"](), second["f"]()) == (1, 2)
    assert first.filename != second.filename
    assert user_place(second.filename, 2) == ("user.py", 7)
    assert user_place(second.filename, 1) is None
    assert user_place(first.filename, 2) is None
    assert user_place("user.py", 2) is None


def test_a_quoted_form_feed_ends_no_line():
    text = "def f(x):\n    y = x * 2.0  # a\x0cb\u2028c\n    return y / (x - 1.0)\n"
    linecache.cache["<feed>"] = (len(text), None, io.StringIO(text).readlines(), "<feed>")
    names: dict = {}
    exec(compile(text, "<feed>", "exec"), names)  # noqa: S102
    with pytest.raises(ZeroDivisionError) as info:
        grad(names["f"])(1.0)
    frame = traceback.extract_tb(info.value.__traceback__)[-1]
    assert frame.line.startswith("quotient = y / difference")


def test_a_module_loaded_while_another_is_has_a_file_of_its_own():
    """As when two threads compile at once."""
    inner = []
    names = {"also": lambda: inner.append(load("f", "b = 1\n", {1: ("inner.py", 1)}, {}))}
    outer = load("f", "also()\n", {1: ("outer.py", 1)}, names)
    assert outer.filename != inner[0].filename
    assert linecache.getline(outer.filename, 1) == "also()\n"
    assert user_place(inner[0].filename, 1) == ("inner.py", 1)
    assert user_place(outer.filename, 1) == ("outer.py", 1)


# -- exceptions -----------------------------------------------------------------------------------


def raises_forward(x, items):
    y = x * 2.0
    return y * items[5]  # here


def raises_in_a_loop(x, n):
    for k in range(n):
        x = x / (k - 2.0)  # here
    return x


def divides(v, k):
    w = v * v
    return w / k  # here


def raises_in_a_called_function(x, k):
    return divides(x, k) + 1.0


def asserts(x):
    assert x > 0.0, f"{x} is negative"  # here
    return x * x


def user_raises(x):
    if x < 0.0:
        raise ValueError("negative")  # here
    return x


FORWARD = [
    (raises_forward, (1.0, [1.0]), IndexError, raises_forward),
    (raises_in_a_loop, (1.0, 5), ZeroDivisionError, raises_in_a_loop),
    (raises_in_a_called_function, (1.0, 0.0), ZeroDivisionError, divides),
    (asserts, (-1.0,), AssertionError, asserts),
    (user_raises, (-1.0,), ValueError, user_raises),
]


def caught(function, args, kind):
    with pytest.raises(kind) as info:
        grad(function)(*args)
    return info.value


@pytest.mark.parametrize("function, args, kind, place", FORWARD)
def test_an_exception_notes_the_users_line(function, args, kind, place):
    error = caught(function, args, kind)
    number = line_of(place, "# here")
    text = linecache.getline(__file__, number).strip()
    assert error.__notes__[-1] == f"in {__file__}:{number}: {text}"


@pytest.mark.parametrize("function, args, kind, place", FORWARD)
def test_the_exception_is_that_of_the_program(function, args, kind, place):
    error = caught(function, args, kind)
    with pytest.raises(kind) as info:
        function(*args)
    assert type(error) is type(info.value)
    assert str(error).splitlines()[0] == str(info.value).splitlines()[0]  # pytest adds to an AssertionError


@pytest.mark.parametrize("function, args, kind, place", FORWARD)
def test_the_traceback_shows_the_emitted_line(function, args, kind, place):
    error = caught(function, args, kind)
    shown = "".join(traceback.format_exception(error))
    assert f'File "<myia {function.__name__} ' in shown
    number = line_of(place, "# here")
    frame = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith("<myia ")][-1]
    assert frame.line
    assert user_place(frame.filename, frame.lineno) == (__file__, number)


def test_the_callers_line_is_noted_too():
    error = caught(raises_in_a_called_function, (1.0, 0.0), ZeroDivisionError)
    number = line_of(raises_in_a_called_function, "return divides")
    assert any(note.startswith(f"in {__file__}:{number}: ") for note in error.__notes__)


def steep(v):
    """The value fits a float, the derivative does not."""
    w = v * 1e200  # here
    return w * 1e200


def reverse_in_a_called_function(x):
    return np.sum(steep(x))


def test_an_exception_of_the_reverse_sweep_notes_the_users_line():
    x = np.array([1e-200])
    assert reverse_in_a_called_function(x) == 1e200
    with np.errstate(over="raise"):
        error = caught(reverse_in_a_called_function, (x,), FloatingPointError)
    first, second = error.__notes__
    assert first.startswith(f"in {__file__}:{line_of(reverse_in_a_called_function, 'return')}: ")
    assert second == f"in {__file__}:{line_of(steep, '# here')}: w = v * 1e200  # here"
    frames = traceback.extract_tb(error.__traceback__)
    emitted = [frame for frame in frames if frame.filename.startswith("<myia ")]
    names = [frame.name for frame in emitted]  # the last one is the chain that the operation is part of
    assert names == ["reverse_in_a_called_function_grad", "steep_backward", "steep_chain_2"]
    assert "1e+200" in emitted[-1].line


def choose(y):
    return y if y.shape[0] > 1 else y.sum()


def test_a_refusal_while_running_has_the_users_place():
    with pytest.raises(NonScalarOutput) as info:
        grad(choose)(np.ones(3))
    assert info.value.location.filename == __file__
    assert not hasattr(info.value, "__notes__")


def sqrt_of_what(x, function):
    y = x * 2.0
    return function(y)  # here


def test_a_missing_rule_found_while_running_has_the_users_place():
    with pytest.raises(MissingRule) as info:
        grad(sqrt_of_what)(np.ones(3), np.linalg.matrix_rank)
    assert info.value.location.line == line_of(sqrt_of_what, "# here")
    assert "return function(y)  # here" in str(info.value)


def suppresses(key):
    try:
        return {}[key]
    except KeyError:
        raise ValueError("no such key")  # noqa: B904 - the context is what is tested


def raises_with_a_context(x, key):
    suppresses(key)
    return x


def raises_from_a_cause(x):
    if x > 0.0:
        raise ValueError("effect") from KeyError("cause")
    return x


def always_raises(x):
    raise NotImplementedError("a subclass does it")


def test_the_context_of_an_exception_stays_visible():
    error = caught(raises_with_a_context, (1.0, 2), ValueError)
    assert isinstance(error.__context__, KeyError)
    assert not error.__suppress_context__
    assert "During handling of the above exception" in "".join(traceback.format_exception(error))


def test_the_cause_of_an_exception_is_kept():
    error = caught(raises_from_a_cause, (1.0,), ValueError)
    assert isinstance(error.__cause__, KeyError)


def test_a_function_that_only_raises_raises():
    error = caught(always_raises, (1.0,), NotImplementedError)
    assert str(error) == "a subclass does it"


def test_an_exception_is_noted_once_a_call():
    df = value_and_grad(asserts)
    for _ in range(2):
        with pytest.raises(AssertionError) as info:
            df(-1.0)
        assert len(info.value.__notes__) == 1


ONE_AND_THE_SAME = ValueError("raised again and again")


def raises_the_same(x):
    if x > 0.0:
        raise ONE_AND_THE_SAME
    return x


def test_an_exception_raised_twice_is_noted_once():
    df = grad(raises_the_same)
    for _ in range(2):
        with pytest.raises(ValueError, match="again and again") as info:
            df(1.0)
    assert len(info.value.__notes__) == 1


def test_an_exception_of_the_caller_is_not_touched():
    with pytest.raises(TypeError) as info:
        grad(squares)(1.0, 2.0)
    assert not hasattr(info.value, "__notes__")
    assert not isinstance(info.value, MyiaError)


# -- the debugger ---------------------------------------------------------------------------------


def debugged(function, *args, commands: list[str]) -> str:
    """What pdb prints, from a breakpoint at the start of the emitted function."""
    df = grad(function)
    emitted = emitted_function(df, *args)
    out = io.StringIO()
    debugger = pdb.Pdb(stdin=io.StringIO("\n".join([*commands, "continue", ""])), stdout=out, nosigint=True)
    debugger.use_rawinput = False
    debugger.rcLines = []
    debugger.set_break(emitted.__code__.co_filename, emitted.__code__.co_firstlineno + 2)
    debugger.runcall(emitted, *args)
    return out.getvalue()


@pytest.fixture(autouse=True)
def _no_breakpoints_left():
    import bdb
    import sys

    before = sys.gettrace()
    yield
    sys.settrace(before)
    bdb.Breakpoint.clearBreakpoints()


def test_pdb_steps_through_and_lists():
    shown = debugged(squares, 2.0, commands=["step", "list", "next", "p y", "next", "next", "p d_y"])
    assert "(Pdb)" in shown
    assert "def squares_grad(x):" in shown
    assert "# -- reverse" in shown
    assert ": y = x * x" in shown
    assert "->" in shown
    assert "4.0" in shown  # y
    assert "3.0" in shown  # d_y


def test_pdb_steps_into_called_functions():
    shown = debugged(raises_in_a_called_function, 1.0, 2.0, commands=["step"] * 4 + ["where", "list"])
    assert "divides_forward(v, k)" in shown
    assert "w = v * v" in shown
