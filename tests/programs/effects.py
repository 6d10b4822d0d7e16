"""Programs that also print, format, assert or could raise: the value and gradient are unaffected.

That each effect happens exactly once, and in order, is checked in `test_programs.py`.
"""

from tests.programs.table import Program, vector


def prints(x):
    print("x is", x, sep=" = ", end="\n\n")
    y = x * x
    print(f"y = {y:.3f}")
    return y


def prints_in_loop(x):
    y = x
    for k in range(3):
        y = y * x
        print(k, y)
    return y


def formats(x, name):
    label = f"{name}-{x!r:>10}-{x + 1.0:.2e}-{{}}"
    if len(label) > 3:
        return x * len(name)
    return x


def formats_nested(x, width):
    text = f"{x:{width}.3f}" + "%d items" % 3 + "{} and {}".format(1, "two") + str(x)
    return x * x + 0.0 * len(text)


def asserts(x):
    assert x > 0.0
    y = x * x
    assert y < 100.0, f"{y} is too large"
    return y * x


def asserts_in_loop(x):
    y = x
    for _ in range(3):
        assert y is not None, "lost"
        y = y * x
    return y


def could_raise(x):
    if x < 0.0:
        raise ValueError("x must be positive")
    y = x * x
    if not y > 0.0:
        raise ArithmeticError
    return y


def could_raise_in_loop(a):
    y = 1.0
    for v in a:
        if v > 100.0:
            raise ValueError(f"{v} at {y}")
        y = y * v
    return y


def raises_in_else(x, kind):
    if kind == "square":
        y = x * x
    elif kind == "cube":
        y = x**3
    else:
        raise KeyError(kind)
    return y * 2.0


def docstring_and_bare_expressions(x):
    """A docstring, an ellipsis and expressions whose values nobody uses."""
    ...
    x * 3.0
    "a string"
    [x, x]
    return x * x


def counts_and_labels(x, log):
    calls = 0
    for k in range(3):
        calls += len(log)
        x = x * 1.1 + 0.1 * calls
    return x


PROGRAMS = [
    Program("prints", prints, 1.3),
    Program("prints_in_loop", prints_in_loop, 1.3),
    Program("formats", formats, 1.3, "name"),
    Program("formats_nested", formats_nested, 1.3, 8),
    Program("asserts", asserts, 1.3),
    Program("asserts_in_loop", asserts_in_loop, 1.3),
    Program("could_raise", could_raise, 1.3),
    Program("could_raise_in_loop", could_raise_in_loop, vector(3)),
    Program("raises_in_else", raises_in_else, 1.3, "cube"),
    Program("docstring_and_bare_expressions", docstring_and_bare_expressions, 1.3),
    Program("counts_and_labels", counts_and_labels, 1.3, ["a", "b"]),
]
