"""A name for each independent use of a variable."""

from __future__ import annotations

from myia.analysis.webs import split_webs
from myia.parse.normalize import normalize, show
from tests.parse.normal_form import run


def split(function) -> list[str]:
    return [line.strip() for line in show(split_webs(normalize(function))).splitlines()[1:]]


def test_straight_line_code_overwrites_nothing():
    def f(x):
        y = x * 2
        y = y * y
        y = y + x
        return y

    assert split(f) == ["y = x * 2", "y_2 = y * y", "y_3 = y_2 + x", "return y_3"]


def test_a_parameter_is_a_web_too():
    def f(x):
        x = x * 2
        return x

    assert split(f) == ["x_2 = x * 2", "return x_2"]


def test_branches_that_meet_share_a_web():
    def f(x, c):
        if c:
            y = x
        else:
            y = -x
        z = y
        y = z * z
        return y

    assert split(f)[1:] == ["if test:", "y = x", "else:", "y = -x", "z = y", "y_2 = z * z", "return y_2"]


def test_a_loop_carried_variable_is_one_web():
    def f(x, n):
        y = x
        for k in range(n):
            y = y * x
        for k in range(n):
            t = y + k
            y = t
        y = y * y
        return y

    lines = split(f)
    assert "y = y * x" in lines
    assert "y = t" in lines
    assert "y_2 = y * y" in lines
    assert "return y_2" in lines


def test_loop_variables_of_two_loops_are_two_webs():
    def f(x, n):
        for k in range(n):
            x = x * k
        for k in range(n):
            x = x + k
        return x

    lines = split(f)
    first = next(line for line in lines if line.startswith("x = x * "))
    second = next(line for line in lines if line.startswith("x = x + "))
    assert first.split()[-1] != second.split()[-1]


def test_names_of_the_users_are_not_taken():
    def f(y, y_2):
        y = y * y_2
        y = y + y_2
        return y

    assert split(f) == ["y_3 = y * y_2", "y_4 = y_3 + y_2", "return y_4"]


def test_what_a_nested_function_sees_keeps_its_name():
    def f(x):
        scale = x

        def g(v):
            return v * scale

        first = g(x)
        scale = x * 2
        return first + g(x)

    lines = split(f)
    assert "scale = x * 2" in lines
    assert not any("scale_2" in line for line in lines)


def collatz(n):
    steps = 0
    while n != 1:
        half = n // 2
        if half * 2 == n:
            n = half
        else:
            n = 3 * n
            n = n + 1
        steps += 1
        if steps > 100:
            break
    n = steps
    return n


def test_the_meaning_is_kept():
    rewritten = run(split_webs(normalize(collatz)))
    assert [rewritten(n) for n in range(1, 30)] == [collatz(n) for n in range(1, 30)]


def test_the_program_given_is_not_changed():
    program = normalize(collatz)
    before = show(program)
    split_webs(program)
    assert show(program) == before


def test_the_loops_of_one_name_bind_it_themselves():
    def f(x, n):
        y = 0.0
        for i in range(n):
            y = y + x * i
        for i in range(n):
            y = y * i
        return y

    lines = split(f)
    assert "for i in range(n):" in lines
    assert "for i_2 in range(n):" in lines
    assert not any(line.startswith(("i =", "i_2 =")) for line in lines)


def test_a_loop_variable_read_afterwards_or_rebound_stays_a_variable():
    def read_after(x, n):
        i = 5
        for i in range(n):
            x = x * i
        return x + i

    def rebound(x, n):
        for i in range(n):
            i = i + 1
            x = x * i
        for i in range(n):
            x = x * i
        return x

    def read_first(x, n):
        i = 3
        for k in range(n):
            x = x * i
            i = k
        return x

    for function in (read_after, rebound, read_first):
        assert run(split_webs(normalize(function)))(1.5, 3) == function(1.5, 3)
    assert "i = k" in split(read_after)
