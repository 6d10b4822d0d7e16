"""Which arrays have the same shape: what is claimed must hold when the program runs."""

from __future__ import annotations

import ast
import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from myia import grad
from myia._runtime import signature
from myia.analysis.shapes import Shapes, axes_in, shapes_of
from myia.parse.infer import Inference
from myia.parse.types import Array, type_of


def known(function, *args) -> dict[str, str]:
    """What is known of the shape of each variable where it is assigned, as text."""
    shapes = analysed(function, *args)
    found = {}
    for s, shape in shapes.results.items():
        assert isinstance(s, ast.Assign)
        found[ast.unparse(s.targets[0])] = ", ".join("?" if n is None else str(n) for n in shape)
    return found


def analysed(function, *args, lengths: bool = False) -> Shapes:
    """`lengths`: with what is known of those of the arguments."""
    inference = Inference()
    typed = inference.infer(inference.program_of(function), tuple(map(type_of, args)))
    return shapes_of(typed, axes_in(signature(args, type_of)) if lengths else ())


def test_views_with_the_same_lengths():
    def f(u):
        north = u[2:, 1:-1]
        south = u[:-2, 1:-1]
        centre = u[1:-1, 1:-1]
        sides = north + south
        change = sides - 4.0 * centre
        return change.sum()

    shapes = known(f, np.ones((4, 4)))
    assert shapes["north"] == shapes["south"] == shapes["centre"] == shapes["sides"] == shapes["change"]
    assert shapes["north"] == "u.shape[0] - 2, u.shape[1] - 2"


def test_literals_and_broadcasting():
    def f(u, v):
        column = u[:, None]
        product = column * v
        row = np.ones((1, 3))
        both = row * column
        return product.sum() + both.sum()

    shapes = known(f, np.ones(4), np.ones(5))
    assert shapes["column"] == "u.shape[0], 1"
    assert shapes["product"] == "u.shape[0], v.shape[0]"
    assert shapes["both"] == "u.shape[0], 3"


def test_lengths_that_may_differ_are_not_known():
    def f(u, v):
        w = u + v
        return (w * u).sum()

    shapes = known(f, np.ones(4), np.ones(4))
    assert shapes["w"] == "?"
    assert shapes["product"] == "?"  # w may be longer than u, where u has one element


def test_a_negative_start_is_a_length_of_its_own():
    def f(u):
        a = u[-2:]
        b = u[:2]
        return (a * b).sum()

    shapes = known(f, np.ones(4))
    assert shapes["a"] == "(u.shape[0])[-2:]"
    assert shapes["b"] == "(u.shape[0])[:2]"
    assert shapes["product"] == "?"


def test_shapes_asked_for_in_the_program():
    def f(u):
        n, m = u.shape
        a = np.zeros((n, m))
        b = np.empty(len(u))
        c = np.zeros(u.shape)
        d = np.zeros_like(u)
        return a.sum() + b.sum() + c.sum() + d.sum()

    shapes = known(f, np.ones((3, 4)))
    assert shapes["a"] == shapes["c"] == shapes["d"] == "u.shape[0], u.shape[1]"
    assert shapes["b"] == "u.shape[0]"


def test_a_term_ends_with_the_variable_it_names():
    def f(u, n):
        total = 0.0
        for _ in range(3):
            a = u[n:]
            b = a * u[n:]
            n = n + 1
            c = u[n:]
            total = total + b.sum() + c.sum()
        return total

    shapes = analysed(f, np.ones(4), 0)
    before = {ast.unparse(s).split(" = ")[0]: s for s in shapes.results}
    assert shapes.same_as_result(before["b"], ast.Name("a", ast.Load()))
    assert not shapes.same_as_result(before["c"], ast.Name("a", ast.Load()))


def test_what_a_loop_carries_is_not_mixed():
    def f(u):
        v = u
        for k in range(3):
            w = v[1:]
            v = w * w
        return v.sum()

    shapes = known(f, np.ones(5))
    assert shapes["w"] == "v.shape[0] - 1"
    shapes = analysed(f, np.ones(5))
    (at,) = [s for s in shapes.results if ast.unparse(s).startswith("v = w")]
    assert not shapes.same_as_result(at, ast.Name("u", ast.Load()))


def test_ping_pong_buffers():
    def f(u):
        v, w = u.copy(), np.empty_like(u)
        for k in range(3):
            w[1:-1] = 0.5 * (v[2:] + v[:-2])
            v, w = w, v
        return v.sum()

    shapes = analysed(f, np.ones(5))
    (store,) = [s for s in shapes.before if ast.unparse(s).startswith("w[1:-1] =")]
    assert isinstance(store, ast.Assign)
    assert isinstance(store.targets[0], ast.Subscript)
    assert shapes.same_as_item(store, store.targets[0].value, store.targets[0].slice, store.value)


LINES = (
    "{0} = {1} + {2}", "{0} = {1} * 2.0", "{0} = {1}[1:]", "{0} = {1}[:-1]", "{0} = {1}[n:]", "{0} = {1}[:n]",
    "{0} = {1}.copy()", "{0} = np.zeros(len({1}))", "{0} = np.ones({1}.shape)", "{0} = {1}[-2:]",
    "{0} = {1}", "{0}, {1} = {1}, {0}", "{0} = {1}[::2]", "{0} = {1}[1:-1]", "{0} = {1}[0:1]", "n = n + 1",
    "n = len({1})", "{0} = np.sin({1})", "{0} = {1}[None][0]", "{0} = {1} + {2}[:1]", "{0} = -{1}[3:]",
)  # fmt: skip


@st.composite
def straight_programs(draw) -> str:
    names = st.sampled_from("abc")
    lines = [
        draw(st.sampled_from(LINES)).format(draw(names), draw(names), draw(names))
        for _ in range(draw(st.integers(1, 8)))
    ]
    depth = draw(st.integers(0, len(lines)))
    body = [*lines[:depth], "for k in range(2):", *(f"    {line}" for line in lines[depth:]), "    n = n + 0"]
    return (
        "def f(a, b, n):\n    c = a * 1.0\n"
        + "".join(f"    {line}\n" for line in body)
        + "    return a.sum()\n"
    )


@settings(max_examples=400)
@given(text=straight_programs(), sizes=st.tuples(st.integers(0, 5), st.integers(0, 5)), n=st.integers(-2, 4))
def test_what_is_claimed_holds_when_it_runs(text, sizes, n, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / f"shapes_{abs(hash(text))}.py"
    path.write_text("import numpy as np\n" + text)
    names: dict = {}
    exec(compile(path.read_text(), str(path), "exec"), names)  # noqa: S102
    args = (np.ones(sizes[0]), np.ones(sizes[1]), n)
    run_checked(analysed(names["f"], *args), args)
    run_checked(analysed(names["f"], *args, lengths=True), args)


def test_lengths_of_arguments():
    assert axes_in(signature((np.ones((4, 1)), 2.0, np.ones((3, 4)), np.ones(()), [1.0]), type_of)) == (
        (-1, 1),
        None,
        (-2, -1),
        (),
        None,
    )


def swing(x, v, n):
    for _ in range(n):
        v = v - 0.1 * np.sin(x)
        x = x + 0.1 * v
    return np.sum(x * x)


def test_arguments_of_one_length_leave_nothing_to_sum_back():
    df = grad(swing, wrt=(0, 1))
    x, v = np.linspace(0.0, 1.0, 4), np.linspace(1.0, 0.5, 4)
    source = df.source_for(x, v, 3)
    assert "x: float64[m], v: float64[m]" in source  # n is taken
    assert "sum_to" not in source
    assert ".shape" not in source
    df(x, v, 3)
    df(x[:2], v[:2], 3)
    assert df.source == source
    for a, b in itertools.product((x, x[:1], x[:, None]), (v, v[:1], 2.0, v[None, :])):
        found = df(a, b, 3)
        expected = grad(swing, wrt=(0, 1), optimise=False)(a, b, 3)
        for ours, theirs in zip(found, expected, strict=True):
            assert np.array_equal(ours, theirs)
            assert np.shape(ours) == np.shape(theirs)
        step = [np.cos(np.arange(np.size(z))).reshape(np.shape(z)) for z in (a, b)]
        h = 1e-30
        slope = swing(a + 1j * h * step[0], b + 1j * h * step[1], 3).imag / h
        assert np.isclose(sum(np.sum(d * s) for d, s in zip(found, step, strict=True)), slope, rtol=1e-12)


def run_checked(shapes: Shapes, args: tuple) -> None:
    """Run the normal form; before each statement, arrays said to have the same shape have it."""
    program = shapes.typed.program
    values = dict(zip(program.arguments, args, strict=True)) | program.constants | {"np": np}

    def run(block: list[ast.stmt]) -> None:
        for s in block:
            check(s)
            if isinstance(s, ast.For):
                for k in eval_of(s.iter):
                    values[s.target.id] = k
                    run(s.body)
                continue
            exec(compile(ast.fix_missing_locations(ast.Module([s], [])), "<step>", "exec"), values)  # noqa: S102

    def check(s: ast.stmt) -> None:
        arrays = [n for n, t in shapes.typed.types.items() if isinstance(t, Array) and n in values]
        claimed = {n: shapes.shape(s, ast.Name(n, ast.Load())) for n in arrays}
        for a, b in itertools.combinations(arrays, 2):
            if None not in claimed[a] and claimed[a] == claimed[b]:
                assert values[a].shape == values[b].shape, (a, b, ast.unparse(s))

    def eval_of(node: ast.expr):
        return eval(compile(ast.fix_missing_locations(ast.Expression(node)), "<walk>", "eval"), values)  # noqa: S307

    try:
        run(program.body)
    except ValueError as error:
        assert "broadcast" in str(error)  # noqa: PT017
