"""Straight-line code and recursion within a budget of memory: the plan, and what it does to a gradient."""

from __future__ import annotations

import importlib.util
import itertools
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import myia
from myia import grad, value_and_grad
from myia._runtime import memory_stats, reset_peak, wait_all
from myia.errors import MemoryBudget, UnsupportedSyntax
from myia.plan import choose, measure
from myia.plan.model import Block, Item, Model, coarser
from myia.plan.solve import greedy, programme, solve, thrifty
from tests.check import check_gradient

SIZE = 20_000
BYTES = 8 * SIZE


def measured(f: Any, *args: Any) -> tuple[Any, int]:
    """The result of a call, and the most bytes that the runtime's arrays took meanwhile."""
    wait_all()
    before = memory_stats()["live"]
    reset_peak()
    found = f(*args)
    wait_all()
    return found, memory_stats()["peak"] - before


def written(path: Any, text: str, name: str = "f") -> Any:
    """A function whose source is in a file of its own."""
    path.write_text("import numpy as np\nimport myia\n\n" + textwrap.dedent(text))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return getattr(module, name)


def named_in(refused: MemoryBudget) -> str:
    """The amount of memory that a refusal says will do."""
    assert refused.remedy.startswith("give it ")
    return refused.remedy.removeprefix("give it ").removesuffix(" or more").replace("bytes", "B")


def layers(count: int) -> str:
    lines = [f"    x{k + 1} = np.tanh(x{k} * w + {k % 3}.0)" for k in range(count)]
    return "\n".join(["def f(w, x0):", *lines, f"    return x{count}.sum()"])


def arrays(count: int, size: int = SIZE) -> list[Any]:
    rng = np.random.default_rng(1)
    return [rng.random(size) for _ in range(count)]


# -- the model and the solver, against every plan there is ---------------------------------------------


@st.composite
def models(draw: Any, most: int = 7) -> Model:
    count = draw(st.integers(1, most))
    few = st.integers(0, 12)
    items = []
    for u in range(count):
        for _ in range(draw(st.integers(1, 2))):
            read = draw(st.sets(st.integers(u + 1, count), max_size=2)) - {count}
            needed = draw(st.sets(st.integers(u, count), max_size=2)) - {count}
            items.append(Item(u, draw(st.integers(1, 10)), tuple(sorted(read)), tuple(sorted(needed))))
    several = [draw(st.lists(few, min_size=count, max_size=count)) for _ in range(3)]
    seconds = draw(st.lists(st.integers(1, 9), min_size=count, max_size=count))
    repeatable = draw(st.lists(st.sampled_from([True, True, True, False]), min_size=count, max_size=count))
    return Model(tuple(items), tuple(map(float, seconds)), *map(tuple, several), tuple(repeatable))


def every_plan(model: Model, start: int = 0) -> Iterator[tuple[Block, ...]]:
    yield ()
    for a in range(start, model.count):
        for b in range(a + 1, model.count + 1):
            if not all(model.repeatable[a:b]):
                break
            for rest in every_plan(model, b):
                yield ((a, b), *rest)


def naive_peak(model: Model, blocks: tuple[Block, ...]) -> int:
    """What is held at most, by playing both sweeps with sets of values, one step after the other."""
    of = {u: block for block in blocks for u in range(*block)}
    highest, held = 0, set[int]()

    def wanted(v: int, forward_from: int, reverse_below: int, again: Block | None) -> bool:
        """Whether a value made before is read by what is still to come."""
        item, own = model.items[v], of.get(model.items[v].made)
        if any(q >= forward_from for q in item.read):
            return True
        for r in item.needed:
            # A value of a block that has not begun to be reversed is made anew for readers in it.
            if r < reverse_below and (own is None or own is again or not own[0] <= r < own[1]):
                return True
        later = (of.get(q) for q in item.read)
        return any(
            b is not None and b is not again and b[0] > item.made and b[0] < reverse_below for b in later
        )

    def count(extra: int) -> None:
        nonlocal highest
        highest = max(highest, extra + sum(model.items[v].size for v in held))

    made = [[v for v, item in enumerate(model.items) if item.made == u] for u in range(model.count)]
    for u in range(model.count):
        count(model.work[u] + (model.own[u] if u not in of else 0))
        held |= set(made[u])
        held = {v for v in held if wanted(v, u + 1, model.count, None)}
    u = model.count - 1
    while u >= 0:
        block = of.get(u)
        low, high = block if block is not None else (u, u + 1)
        if block is not None:
            held = {
                v
                for v in held
                if model.items[v].made < low
                and (wanted(v, model.count, high, block) or any(low <= q < high for q in model.items[v].read))
            }
            base = set(held)
            for k in range(low, high):
                count(model.work[k] + model.own[k] + model.adjoints[high - 1])
                held |= set(made[k])
                held = base | {
                    v
                    for v in held - base
                    if any(k < q < high for q in model.items[v].read)
                    or any(r < high for r in model.items[v].needed)
                }
        for k in range(high - 1, low - 1, -1):
            held = {v for v in held if model.items[v].made <= k}
            held = {v for v in held if wanted(v, model.count, k + 1, block)
                    or any(b is block and block is not None and q <= k
                           for q in model.items[v].read if (b := of.get(q)) is not None
                           and b[0] > model.items[v].made)}  # fmt: skip
            count(model.adjoints[k] + model.back[k])
        u = low - 1
    return highest


@settings(deadline=None, max_examples=150)
@given(models(most=6))
def test_the_model_agrees_with_a_walk_through_both_sweeps(model: Model):
    for blocks in every_plan(model):
        assert model.peak(blocks) == naive_peak(model, blocks)


@settings(deadline=None, max_examples=40)
@given(models(), st.floats(0.0, 1.1))
def test_the_programme_finds_the_cheapest_of_all_plans(model: Model, part: float):
    pytest.importorskip("scipy")
    plans = [model.plan(blocks) for blocks in every_plan(model)]
    least = min(plan.peak for plan in plans)
    budget = int(least + part * (model.peak(()) - least))
    best = min(plan.seconds for plan in plans if plan.peak <= budget)
    found = solve(model, budget)
    assert found.peak <= budget
    assert found.seconds == pytest.approx(best, rel=1e-6)
    assert all(map(model.spared, found.blocks))
    assert solve(model, least - 1).peak == least
    assert solve(model, None).peak == least


@settings(deadline=None, max_examples=100)
@given(models(most=12), st.floats(0.0, 1.0))
def test_the_greedy_search_keeps_a_budget_that_all_blocks_keep(model: Model, part: float):
    everything = model.plan((u, u + 1) for u in range(model.count) if model.repeatable[u])
    runs = model.plan(model.runs)
    for full in (everything, runs):
        budget = int(full.peak + part * max(model.peak(()) - full.peak, 0))
        if any(model.repeatable):
            found = solve(model, budget, exact=False)
            assert found.peak <= budget
            assert all(map(model.spared, found.blocks))


@settings(deadline=None, max_examples=60)
@given(models(most=12), st.integers(1, 12))
def test_a_coarser_model_never_holds_less(model: Model, most: int):
    small, starts = coarser(model, most)
    for blocks in [(), *[plan.blocks for plan in greedy(small, None)]]:
        fine = tuple((starts[a], starts[b]) for a, b in blocks)
        assert small.peak(blocks) >= model.peak(fine)


def test_cheap_statements_are_run_again_first():
    # Two products that take long, and two elementwise statements, all of one size.
    items = (
        Item(0, 10, (1,), (1,)),
        Item(1, 10, (2,), (1,)),
        Item(2, 10, (3,), (3,)),
        Item(3, 10, (4,), (3,)),
    )
    model = Model(items, (9.0, 1.0, 9.0, 1.0, 9.0), (10,) * 5, (0,) * 5, (0,) * 5, (True,) * 5)
    budget = model.peak(()) - 5
    for exact in (True, False):
        plan = solve(model, budget, exact)
        assert plan.peak <= budget
        assert plan.seconds <= 1.0


def test_without_scipy_the_greedy_search_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Any):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    items = tuple(Item(u, 10, (u + 1,), (u, u + 1)) for u in range(5))
    model = Model(items, (1.0,) * 6, (10,) * 6, (0,) * 6, (0,) * 6, (True,) * 6)
    assert programme(model, model.peak(()) - 10) is None
    f = written(tmp_path / "plan_greedy.py", layers(12))
    w, x = arrays(2)
    plain, full = measured(grad(f), w, x)
    found, peak = measured(grad(f, memory=int(0.7 * full)), w, x)
    assert peak <= 0.7 * full
    assert found.tobytes() == plain.tobytes()


# -- gradients within a budget -------------------------------------------------------------------------


def test_a_ladder_of_budgets_is_kept_and_changes_no_bit(tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    # All statements take as long, or plans would depend on what else the machine does.
    monkeypatch.setattr(measure, "time", SimpleNamespace(perf_counter=itertools.count().__next__))
    f = written(tmp_path / "plan_ladder.py", layers(24))
    w, x = arrays(2)
    plain, full = measured(grad(f), w, x)
    peaks = []
    for part in (1.4, 0.8, 0.6, 0.5):
        df = grad(f, memory=int(part * full))
        found = df(w, x)
        assert found.tobytes() == plain.tobytes()
        _, peak = measured(df, w, x)
        assert peak <= part * full
        peaks.append(peak)
        assert ("rt.block()" in df.source) == (part < 1)
    assert peaks == sorted(peaks, reverse=True)
    check_gradient(f, [w[:9], x[:9]], value_and_grad=lambda f, **o: value_and_grad(f, memory="minimal", **o))


def test_the_budget_that_a_refusal_names_will_do(tmp_path: Any):
    f = written(tmp_path / "plan_refusal.py", layers(16))
    w, x = arrays(2)
    with pytest.raises(MemoryBudget) as refused:
        grad(f, memory=2 * BYTES)(w, x)
    df = grad(f, memory=named_in(refused.value))
    assert df(w, x).tobytes() == grad(f)(w, x).tobytes()
    assert "rt.block()" in df.source


def test_the_plan_is_made_anew_for_other_shapes(tmp_path: Any):
    f = written(tmp_path / "plan_shapes.py", layers(20))
    w, x = arrays(2)
    _, full = measured(grad(f), w, x)
    df = grad(f, memory=int(0.8 * full))
    df(w, x)
    assert "rt.block()" in df.source
    df(w[: SIZE // 4], x[: SIZE // 4])
    assert "rt.block()" not in df.source


def test_the_emitted_code_and_the_report_tell_what_is_run_again(tmp_path: Any):
    f = written(tmp_path / "plan_report.py", layers(12))
    w, x = arrays(2)
    _, full = measured(grad(f), w, x)
    df = grad(f, memory=int(0.8 * full))
    df(w, x)
    assert "(run again in the reverse sweep: " in df.source
    report = grad(f).memory_report(w, x, memory=int(0.8 * full))
    assert report.blocks
    assert all(b.spared > 0 and b.seconds > 0 and 5 <= b.first <= b.last for b in report.blocks)
    assert "run again in the reverse sweep:" in str(report)
    assert report.peak <= 0.8 * full


def test_other_plans_are_tried_before_a_budget_is_refused(tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    f = written(tmp_path / "plan_tries.py", layers(8))
    w, x = arrays(2)
    plain, full = measured(grad(f), w, x)
    budget = int(0.8 * full)
    # A model that says of no plan that it keeps the budget, and a first plan that does not.
    monkeypatch.setattr(choose, "solve", lambda model, aim: replace(model.plan([(0, 1)]), peak=budget + 1))
    monkeypatch.setattr(
        choose, "thrifty", lambda model: [replace(p, peak=budget + 1) for p in thrifty(model)]
    )
    df = grad(f, memory=budget)
    found, peak = measured(df, w, x)
    assert found.tobytes() == plain.tobytes()
    assert "run again in the reverse sweep" in df.source
    again, later = measured(df, w, x)
    assert again.tobytes() == plain.tobytes()
    assert later <= budget  # the first call looked for it
    monkeypatch.setattr(choose, "thrifty", lambda model: [])
    with pytest.raises(MemoryBudget, match="it takes"):
        grad(f, memory=budget)(w, x)


def test_effects_happen_once_and_draws_are_not_repeated(tmp_path: Any, capsys: pytest.CaptureFixture[str]):
    text = """
        def f(x):
            a = np.tanh(x)
            b = np.sin(a)
            print("once")
            c = np.tanh(b)
            e = np.sin(c) * np.random.standard_normal(20000)
            g = np.tanh(e)
            h = np.sin(g)
            i = np.tanh(h)
            return float(np.sum(i))
        """
    f = written(tmp_path / "plan_effects.py", text)
    (x,) = arrays(1)
    np.random.seed(3)
    plain, full = measured(grad(f), x)
    after = np.random.random()
    capsys.readouterr()
    for memory in ("minimal", int(0.9 * full), int(1.5 * full)):
        np.random.seed(3)
        found = grad(f, memory=memory)(x)
        assert np.random.random() == after
        assert capsys.readouterr().out == "once\n"
        assert found.tobytes() == plain.tobytes()


def test_arrays_that_are_written_in_place_are_what_they_were(tmp_path: Any):
    text = """
        def f(x, y):
            a = np.tanh(x)
            b = np.sin(a)
            y[1:5] = b[1:5] * 2.0
            c = np.tanh(b * y)
            d = np.sin(c)
            y *= d
            e = np.tanh(d * y)
            g = np.sin(e)
            return (g * y).sum()
        """
    f = written(tmp_path / "plan_inplace.py", text)
    x, y = arrays(2)
    before = y.copy()
    plain, full = measured(grad(f, wrt=(0, 1)), x, y)
    for memory in ("minimal", int(0.95 * full)):
        found = grad(f, wrt=(0, 1), memory=memory)(x, y)
        assert all(a.tobytes() == b.tobytes() for a, b in zip(found, plain, strict=True))
        assert y.tobytes() == before.tobytes()


def test_blocks_by_hand_in_loops_and_branches(tmp_path: Any):
    text = """
        def f(x, n):
            y = x
            total = 0.0
            for k in range(n):
                if k % 2:
                    with myia.checkpoint():
                        a = np.tanh(y)
                        b = np.sin(a) * x
                    total = total + b.sum()
                else:
                    with myia.checkpoint():
                        y[k] = y[k + 1] * 2.0
            return (y * y).sum() + total
        """
    f = written(tmp_path / "plan_by_hand.py", text)
    x = np.random.default_rng(2).random(9)
    for memory in (None, "minimal", 100_000):
        check_gradient(
            f, [x, 5], writes_arguments=True,
            value_and_grad=lambda f, memory=memory, **o: value_and_grad(f, memory=memory, **o),
        )  # fmt: skip


def test_a_block_inside_a_block(tmp_path: Any):
    text = """
        def f(x):
            with myia.checkpoint():
                a = np.tanh(x)
                with myia.checkpoint():
                    b = np.sin(a)
                    c = np.tanh(b)
                d = c * a
            return d.sum()
        """
    f = written(tmp_path / "plan_nested.py", text)
    check_gradient(f, [arrays(1, 9)[0]])


@st.composite
def programs(draw: Any) -> str:
    """A straight-line function of two arrays."""
    count = draw(st.integers(2, 10))
    lines, names = [], ["x", "y"]
    forms = ("np.tanh({a})", "{a} * {b}", "np.sin({a} + {b})", "{a} - 0.5 * {b}", "np.exp(-{a} * {a})",
             "{a}[::-1] * 1.0", "np.maximum({a}, {b})", "{a} * {b}.sum()")  # fmt: skip
    for k in range(count):
        a, b = draw(st.sampled_from(names[-3:])), draw(st.sampled_from(names))
        name = draw(st.sampled_from([f"v{k}", names[-1]])) if len(names) > 2 else f"v{k}"
        lines.append(f"    {name} = {draw(st.sampled_from(forms)).format(a=a, b=b)}")
        if name not in names:
            names.append(name)
    return "\n".join(["def f(x, y):", *lines, f"    return ({names[-1]} * {names[2]}).sum()"])


@settings(deadline=None, max_examples=25)
@given(programs(), st.floats(0.3, 1.2))
def test_random_programs_within_random_budgets(tmp_path_factory: Any, text: str, part: float):
    path = tmp_path_factory.mktemp("plans") / "plan_random.py"
    f = written(path, text)
    x, y = (np.cos(a) for a in arrays(2, 3000))
    plain, full = measured(grad(f, wrt=(0, 1)), x, y)
    budget = int(part * full) + 1
    df = grad(f, wrt=(0, 1), memory=budget)
    try:
        found, peak = measured(df, x, y)
    except MemoryBudget as refused:
        df = grad(f, wrt=(0, 1), memory=named_in(refused))
        found, peak = measured(df, x, y)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(found, plain, strict=True))


# -- arrays that a loop or a block makes, and that are written in place elsewhere ----------------------


def written_after_a_loop(x, n):
    y = x * 1.0
    for k in range(n):
        y = np.sin(y) * x
    y[0] = y[1] * 3.0
    return (y * y).sum()


def written_before_a_loop(x, n):
    y = x * 1.0
    y[0] = 3.0
    for k in range(n):
        y = np.sin(y) * x
    return (y * y).sum()


@pytest.mark.parametrize("f", [written_after_a_loop, written_before_a_loop])
def test_a_loop_whose_arrays_have_shadows_is_reversed_from_saved_values(f: Any):
    x = np.random.default_rng(0).random(5)
    for memory in (None, "minimal", 100_000):
        check_gradient(
            f, [x, 3], value_and_grad=lambda f, memory=memory, **o: value_and_grad(f, memory=memory, **o)
        )


def written_after_a_block(x, n):
    y = x * 1.0
    with myia.checkpoint():
        y = np.sin(y) * x
        z = np.tanh(y)
    z[0] = z[1] * 3.0
    return (y * y * z).sum()


def carried_out_of_a_block(x, n):
    y = x * 1.0
    for k in range(n):
        with myia.checkpoint():
            y = np.sin(np.tanh(y)) * x
        y[k] = y[k + 1] * 2.0
    return (y * y).sum()


@pytest.mark.parametrize("f", [written_after_a_block, carried_out_of_a_block])
def test_a_block_whose_arrays_have_shadows_outside_is_refused(f: Any):
    with pytest.raises(UnsupportedSyntax, match="this checkpoint cannot be run again"):
        grad(f)(np.ones(5), 3)


# -- recursion -----------------------------------------------------------------------------------------


def level(x, n):
    if n == 0:
        return x.sum()
    y = np.tanh(x * 1.1)
    z = np.tanh(y * 1.1)
    return level(z, n - 1)


@myia.checkpoint
def level_by_hand(x, n):
    if n == 0:
        return x.sum()
    y = np.tanh(x * 1.1)
    z = np.tanh(y * 1.1)
    return level_by_hand(z, n - 1)


def level_with_block(x, n):
    if n == 0:
        return x.sum()
    with myia.checkpoint():
        y = np.tanh(x * 1.1)
        z = np.tanh(y * 1.1)
    return level_with_block(z, n - 1)


def even(x, n):
    if n == 0:
        return x.sum()
    y = np.tanh(x)
    z = np.sin(y) * x
    return odd(z, n - 1)


def odd(x, n):
    if n == 0:
        return (x * x).sum()
    y = np.tanh(x * x)
    z = np.sin(y * y)
    return even(z, n - 1)


def tree(x, n):
    if n == 0:
        return x.sum()
    y = np.tanh(x)
    z = np.sin(y)
    return tree(z, n - 1) * tree(y, n - 1)


RECURSIVE = [level, level_by_hand, level_with_block, even, tree]


@pytest.mark.parametrize("f", RECURSIVE, ids=[f.__name__ for f in RECURSIVE])
def test_recursion_from_checkpoints(f: Any):
    x = np.random.default_rng(4).random(7)
    for memory in (None, "minimal", 50_000):
        check_gradient(
            f, [x, 4], value_and_grad=lambda f, memory=memory, **o: value_and_grad(f, memory=memory, **o)
        )


def test_recursion_keeps_a_budget():
    (x,) = arrays(1)
    plain, full = measured(grad(level), x, 20)
    for part in (3.0, 0.65):
        df = grad(level, memory=int(part * full))
        assert df(x, 20).tobytes() == plain.tobytes()
        _, peak = measured(df, x, 20)
        assert peak <= part * full
        assert ("rt.block()" in df.source) == (part < 1)
    with pytest.raises(MemoryBudget):
        grad(level, memory=int(0.2 * full))(x, 20)
    for by_hand in (level_by_hand, level_with_block):
        found, peak = measured(grad(by_hand), x, 20)
        assert peak <= 0.65 * full
        assert found.tobytes() == plain.tobytes()
