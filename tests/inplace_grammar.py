"""Programs that write in place, drawn at random as Python text.

`Draft(rng).program()` writes one: arrays, aliases and views of them, stores, updates, lists, tables, objects
and helper functions, in loops and branches. It knows the shape of every name and which names are bound on
every path, so that nearly all programs run. They are analytic: branches look at real parts only, so that
the complex step can check them.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

HELPERS = """
import numpy as np


class Cell:
    def __init__(self, v, n):
        self.v = v
        self.n = n

    def nudge(self, d):
        self.n += d
        self.v[0] = self.v[0] * d
        self.v += self.n


def write_first(a, n):
    a[0] = n * a[-1]


def scale_tail(a, b):
    t = a[1:]
    t *= b[:-1]
    return t


def tail(a):
    return a[1:]


def same(a):
    return a


def push(items, n):
    items.append(n * n)
    return len(items)


def halves(a, n):
    if len(a) < 2:
        a *= n
        return
    m = len(a) // 2
    halves(a[:m], n * 0.5)
    halves(a[m:], n + 0.25)
    a[0] += a[-1] * n


def fresh_filled(a, n):
    b = np.zeros_like(a)
    for k in range(len(b)):
        b[k] = a[k] * n
    return b
"""

Shape = tuple[int, ...]


@dataclass
class Scope:
    """The names bound on every path: arrays by shape, numbers, counters with their bound."""

    arrays: dict[str, Shape] = field(default_factory=dict)
    numbers: list[str] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    in_loop: bool = False

    def inner(self, in_loop: bool | None = None) -> Scope:
        own = self.in_loop if in_loop is None else in_loop
        return Scope(dict(self.arrays), list(self.numbers), dict(self.counters), own)


class Draft:
    """One program under construction."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.count = 0
        self.used: Counter[str] = Counter()

    def program(self) -> str:
        scope = Scope({"x": (3,), "m": (2, 3)}, ["s"])
        lines = ["a = x * 1.5", "c = m * 0.5"]
        if self.rng.random() < 0.2:
            lines = ["a = x", "c = m"]  # then the arguments are written
        lines += ["n = s * 0.5", "items = [s, 0.5]", "held = [x * 2.0, x + s]"]
        lines += ["table = {'u': x * 0.5, 'r': s}", "cell = Cell(x * 0.25, s)"]
        scope.arrays |= {"a": (3,), "c": (2, 3)}
        scope.numbers.append("n")
        for _ in range(self.rng.randint(3, 9)):
            lines += self.statement(scope, 2)
        total = ["np.sum(a * np.array([1.0, -2.0, 3.0]))", "np.sum(c * c)", "n", "2.0 * sum(items)"]
        total += ["np.sum(held[0])", "np.sum(held[-1] * x)", "np.sum(table['u'])", "table['r']"]
        total += ["np.sum(cell.v) * 0.5", "cell.n"]
        lines.append(f"return {' + '.join(total)}")
        return "def f(x, m, s):\n" + "".join(f"    {line}\n" for line in lines)

    # -- expressions ------------------------------------------------------------------------------

    def pick(self, *options: str) -> str:
        return self.rng.choice(options)

    def number(self, scope: Scope, depth: int = 1) -> str:
        kind = self.rng.random()
        if kind < 0.3 or depth == 0:
            return self.rng.choice([*scope.numbers, "0.5", "-0.75"])
        if kind < 0.6:
            return self.element(scope)
        if kind < 0.7:
            name = self.rng.choice(list(scope.arrays))
            return f"np.sum({name})"
        if kind < 0.8:
            return self.pick("items[0]", "items[-1]", "table['r']", "cell.n", "held[0][1]", "cell.v[2]")
        if kind < 0.9:
            return f"np.sin({self.number(scope, depth - 1)})"
        return f"{self.number(scope, depth - 1)} {self.pick('+', '-', '*')} {self.number(scope, 0)}"

    def index(self, scope: Scope, size: int) -> str:
        counters = [k for k, bound in scope.counters.items() if bound <= size]
        if counters and self.rng.random() < 0.6:
            return self.rng.choice(counters)
        return str(self.rng.randrange(-size, size))

    def element(self, scope: Scope) -> str:
        name = self.rng.choice([n for n, shape in scope.arrays.items() if shape])
        return f"{name}[{', '.join(self.index(scope, size) for size in scope.arrays[name])}]"

    def array(self, scope: Scope, shape: Shape, depth: int = 1) -> str:
        """An expression of this shape."""
        named = [n for n, s in scope.arrays.items() if s == shape]
        if shape == (3,):
            named += ["held[0]", "table['u']", "cell.v", "c[0]", "c[-1]", "x[::-1]"]
        if shape == (2,):
            named += ["a[1:]", "a[:2]", "c[:, 0]", "a[::2]", "c[:, 1]"]
        if shape == (2, 3):
            named += ["c * x"]
        if shape == (3, 2):
            named += ["c.T", "m.T", "c.reshape(3, 2)"]
        kind = self.rng.random()
        if kind < 0.45 or depth == 0:
            return self.rng.choice(named) if named else f"np.zeros({shape}, x.dtype)"
        if kind < 0.6:
            return f"np.sin({self.array(scope, shape, depth - 1)})"
        if kind < 0.75:
            return f"{self.array(scope, shape, 0)} * {self.number(scope, 0)}"
        left, right = self.array(scope, shape, 0), self.array(scope, shape, 0)
        return f"{left} {self.pick('+', '-', '*')} {right}"

    # -- statements -------------------------------------------------------------------------------

    def fresh(self, hint: str) -> str:
        self.count += 1
        return f"{hint}{self.count}"

    def block(self, scope: Scope, depth: int) -> list[str]:
        lines = []
        for _ in range(self.rng.randint(1, 3)):
            lines += self.statement(scope, depth)
        return [f"    {line}" for line in lines]

    def statement(self, scope: Scope, depth: int) -> list[str]:
        kinds = [
            "array", "alias", "view", "view", "store", "store", "slice", "slice", "mask", "gather",
            "update_element", "update_slice", "update_slice", "update_mask", "update_gather", "whole",
            "whole", "everything", "out", "add_at", "copyto", "fill", "swap", "exchange", "number",
            "update_number", "list", "list", "held", "held", "table", "object", "object", "helper", "helper",
        ]  # fmt: skip
        if depth:
            kinds += ["for", "for", "rows", "while", "if", "if"]
        if scope.in_loop:
            kinds += ["leave"]
        kind = self.rng.choice(kinds)
        self.used[kind] += 1
        made: list[str] = getattr(self, f"_{kind}")(scope, depth)
        return made

    def target(self, scope: Scope) -> tuple[str, Shape]:
        """An array that may be written; the arguments seldom."""
        names = [n for n in scope.arrays if n not in ("x", "m")]
        if self.rng.random() < 0.04:
            names = ["x", "m"]
        name = self.rng.choice(names)
        return name, scope.arrays[name]

    def vector(self, scope: Scope) -> str:
        name = self.rng.choice([n for n, s in scope.arrays.items() if s == (3,) and n != "x"])
        return name

    def part(self, scope: Scope, shape: Shape) -> tuple[str, Shape]:
        """A slice of an array of this shape, and its own shape."""
        if len(shape) == 1:
            (size,) = shape
            found = [("[:]", shape), ("[...]", shape), ("[::-1]", shape), ("[:1]", (1,))]
            if size == 3:
                found += [("[1:]", (2,)), ("[:2]", (2,)), ("[::2]", (2,)), ("[:0:-1]", (2,))]
            return self.rng.choice(found)
        rows, columns = shape
        found = [
            (f"[{self.index(scope, rows)}]", (columns,)),
            (f"[:, {self.index(scope, columns)}]", (rows,)),
        ]
        found += [("[...]", shape), ("[::-1]", shape), ("[:, ::-1]", shape)]
        return self.rng.choice(found)

    def _array(self, scope: Scope, depth: int) -> list[str]:
        shape = self.rng.choice([(3,), (3,), (2, 3), (2,)])
        name = self.fresh("b")
        text = self.array(scope, shape, 2)
        made = self.pick(f"{text} * 1.0", f"np.zeros_like({text})", f"({text}).copy()", f"np.sin({text})")
        scope.arrays[name] = shape
        return [f"{name} = {made}"]

    def _alias(self, scope: Scope, depth: int) -> list[str]:
        source, shape = self.target(scope)
        name = self.fresh("z")
        scope.arrays[name] = shape
        return [f"{name} = {self.pick(source, f'same({source})')}"]

    def _view(self, scope: Scope, depth: int) -> list[str]:
        source, shape = self.target(scope)
        name = self.fresh("v")
        part, own = self.part(scope, shape)
        text = source + part
        if shape == (2, 3) and self.rng.random() < 0.4:
            text, own = self.rng.choice(
                [
                    (f"{source}.T", (3, 2)),
                    (f"{source}.reshape(6)[2:5]", (3,)),
                    (f"{source}.ravel()[:3]", (3,)),
                    (f"{source}.T.ravel()[1:4]", (3,)),
                    (f"{source}.reshape((3, 2))", (3, 2)),
                    (f"np.diagonal({source}) * 1.0", (2,)),
                ]
            )
        elif shape == (3,) and self.rng.random() < 0.2:
            text, own = f"tail({source})", (2,)
        scope.arrays[name] = own
        return [f"{name} = {text}"]

    def _store(self, scope: Scope, depth: int) -> list[str]:
        name, shape = self.target(scope)
        place = ", ".join(self.index(scope, size) for size in shape)
        return [f"{name}[{place}] = {self.number(scope, 2)}"]

    def _slice(self, scope: Scope, depth: int) -> list[str]:
        name, shape = self.target(scope)
        part, own = self.part(scope, shape)
        value = self.number(scope) if self.rng.random() < 0.3 else self.array(scope, own, 2)
        return [f"{name}{part} = {value}"]

    def _mask(self, scope: Scope, depth: int) -> list[str]:
        name, _ = self.target(scope)
        return [f"{name}[{name} > {self.pick('0.2', '-0.1')}] = {self.number(scope)}"]

    def _gather(self, scope: Scope, depth: int) -> list[str]:
        name = self.vector(scope)
        index = self.pick("[0, 2, 0]", "[1, 1, 1]", "[2, 1, 0]", "np.array([0, 0, 2])")
        return [f"{name}[{index}] = {self.array(scope, (3,), 2)}"]

    def operator(self) -> str:
        return self.pick("+=", "+=", "-=", "*=")

    def _update_element(self, scope: Scope, depth: int) -> list[str]:
        name, shape = self.target(scope)
        place = ", ".join(self.index(scope, size) for size in shape)
        return [f"{name}[{place}] {self.operator()} {self.number(scope, 2)}"]

    def _update_slice(self, scope: Scope, depth: int) -> list[str]:
        name, shape = self.target(scope)
        part, own = self.part(scope, shape)
        value = self.number(scope) if self.rng.random() < 0.3 else self.array(scope, own, 2)
        return [f"{name}{part} {self.operator()} {value}"]

    def _update_mask(self, scope: Scope, depth: int) -> list[str]:
        name, _ = self.target(scope)
        return [f"{name}[{name} > 0.1] {self.operator()} {self.number(scope)}"]

    def _update_gather(self, scope: Scope, depth: int) -> list[str]:
        name = self.vector(scope)
        index = self.pick("[0, 2, 0]", "[1, 1, 1]", "[2, 1, 0]")
        return [f"{name}[{index}] {self.operator()} {self.array(scope, (3,), 1)}"]

    def _whole(self, scope: Scope, depth: int) -> list[str]:
        name, shape = self.target(scope)
        value = self.number(scope) if self.rng.random() < 0.3 else self.array(scope, shape, 2)
        return [f"{name} {self.operator()} {value}"]

    def _everything(self, scope: Scope, depth: int) -> list[str]:
        name, shape = self.target(scope)
        return [f"{name}[...] = {self.array(scope, shape, 2)}"]

    def _out(self, scope: Scope, depth: int) -> list[str]:
        name, shape = self.target(scope)
        function = self.pick("np.multiply", "np.add", "np.subtract")
        if self.rng.random() < 0.2:
            return [f"np.sin({self.array(scope, shape, 1)}, out={name})"]
        if shape == (3,) and self.rng.random() < 0.2:
            return [f"np.sum(c, axis=0, out={name})"]
        left, right = self.array(scope, shape, 1), self.array(scope, shape, 1)
        return [f"{function}({left}, {right}, out={name})"]

    def _add_at(self, scope: Scope, depth: int) -> list[str]:
        index = self.pick("[0, 0, 1]", "[2, 1, 2]")
        return [f"np.add.at({self.vector(scope)}, {index}, {self.array(scope, (3,), 1)})"]

    def _copyto(self, scope: Scope, depth: int) -> list[str]:
        name, shape = self.target(scope)
        return [f"np.copyto({name}, {self.array(scope, shape, 1)})"]

    def _fill(self, scope: Scope, depth: int) -> list[str]:
        name, _ = self.target(scope)
        return [f"{name}.fill({self.number(scope)})"]

    def _swap(self, scope: Scope, depth: int) -> list[str]:
        name = self.vector(scope)
        return [self.pick(f"{name}[0], {name}[2] = {name}[2], {name}[0]", f"{name}[[0, 1]] = {name}[[1, 0]]")]

    def _exchange(self, scope: Scope, depth: int) -> list[str]:
        vectors = [n for n, s in scope.arrays.items() if s == (3,) and n != "x"]
        if len(vectors) < 2:
            return ["held[0], held[1] = held[1], held[0]"]
        first, second = self.rng.sample(vectors, 2)
        return [f"{first}, {second} = {second}, {first}"]

    def _number(self, scope: Scope, depth: int) -> list[str]:
        if self.rng.random() < 0.5:
            return [f"n = {self.number(scope, 2)}"]
        name = self.fresh("p")
        line = f"{name} = {self.number(scope, 2)}"
        scope.numbers.append(name)
        return [line]

    def _update_number(self, scope: Scope, depth: int) -> list[str]:
        return [f"n {self.operator()} {self.number(scope)}"]

    def _list(self, scope: Scope, depth: int) -> list[str]:
        value = self.number(scope)
        return self.rng.choice(
            [
                [f"items.append({value})"],
                [f"items.insert({self.pick('0', '1', '-1')}, {value})"],
                [f"items.extend([{value}, n])"],
                [f"items[0] = {value}"],
                [f"items[-1] {self.operator()} {value}"],
                ["if len(items) > 2:", f"    n = items.pop({self.pick('', '0')})"],
                [f"items += [{value}]"],
                ["items.reverse()"],
                [f"push(items, {value})"],
                ["items[0], items[-1] = items[-1], items[0]"],
            ]
        )

    def _held(self, scope: Scope, depth: int) -> list[str]:
        name = self.fresh("h")
        number, vector = self.number(scope), self.array(scope, (3,), 1)
        choice = self.rng.choice(
            [
                [f"held.append({self.vector(scope)})"],
                [f"held.append({vector} * 1.0)"],
                [f"held[0][{self.index(scope, 3)}] = {number}"],
                [f"held[-1][1:] {self.operator()} {number}"],
                [f"held[0] {self.operator()} {vector}"],
                [
                    "if len(held) > 2:",
                    f"    {name} = held.pop()",
                    f"    {name} *= {number}",
                    f"    n += {name}[1]",
                ],
                [f"held[0] = {vector} * 1.0"],
                ["held.reverse()"],
                [f"for {name} in held:", f"    {name} *= 0.5", f"    {name}[0] = {number}"],
                [f"{name} = held[-1]", f"{name}[0] += {number}"],
            ]
        )
        return choice

    def _table(self, scope: Scope, depth: int) -> list[str]:
        number, vector = self.number(scope), self.array(scope, (3,), 1)
        return self.rng.choice(
            [
                [f"table['u'][{self.index(scope, 3)}] {self.operator()} {number}"],
                [f"table['u'] {self.operator()} {vector}"],
                [f"table['u'] = {vector} * 0.5"],
                [f"table['r'] = {number}"],
                [f"table['r'] {self.operator()} {number}"],
                ["table['u'] = held[0]"],
                [f"table['q'] = {number}", "n += table.pop('q')"],
            ]
        )

    def _object(self, scope: Scope, depth: int) -> list[str]:
        number, vector = self.number(scope), self.array(scope, (3,), 1)
        return self.rng.choice(
            [
                [f"cell.n = {number}"],
                [f"cell.n {self.operator()} {number}"],
                [f"cell.v = {vector} * 0.5"],
                [f"cell.v {self.operator()} {vector}"],
                [f"cell.v[{self.index(scope, 3)}] = {number}"],
                [f"cell.nudge({number})"],
                [f"cell = Cell({self.vector(scope)}, {number})"],
                ["cell.v = held[0]"],
            ]
        )

    def _helper(self, scope: Scope, depth: int) -> list[str]:
        number, vector = self.number(scope), self.vector(scope)
        name = self.fresh("r")
        choice, shape = self.rng.choice(
            [
                (f"write_first({vector}, {number})", None),
                (f"{name} = scale_tail({vector}, {self.array(scope, (3,), 0)})", (2,)),
                (f"halves({vector}, {number})", None),
                (f"halves(c[0], {number})", None),
                (f"{name} = fresh_filled({vector}, {number})", (3,)),
                (f"{name} = same(c)", (2, 3)),
                (f"write_first(tail({vector}), {number})", None),
            ]
        )
        if shape is not None:
            scope.arrays[name] = shape
        return [choice]

    # -- control flow -----------------------------------------------------------------------------

    def _for(self, scope: Scope, depth: int) -> list[str]:
        counter, bound = self.fresh("k"), self.rng.choice([2, 2, 3])
        inner = scope.inner(True)
        inner.counters[counter] = bound
        return [f"for {counter} in range({bound}):", *self.block(inner, depth - 1)]

    def _rows(self, scope: Scope, depth: int) -> list[str]:
        name = self.fresh("row")
        matrix, shape = self.rng.choice([(n, s) for n, s in scope.arrays.items() if len(s) == 2 and n != "m"])
        inner = scope.inner(True)
        inner.arrays[name] = shape[1:]
        return [f"for {name} in {matrix}:", *self.block(inner, depth - 1)]

    def _while(self, scope: Scope, depth: int) -> list[str]:
        counter = self.fresh("w")
        inner = scope.inner(True)
        body = self.block(inner, depth - 1)
        return [f"{counter} = 0", f"while {counter} < 2:", f"    {counter} += 1", *body]

    def _if(self, scope: Scope, depth: int) -> list[str]:
        test = f"{self.element(scope)} > {self.pick('0.1', '-0.3', '0.6')}"
        if scope.counters and self.rng.random() < 0.4:
            test = f"{self.rng.choice(list(scope.counters))} == 1"
        lines = [f"if {test}:", *self.block(scope.inner(), depth - 1)]
        if self.rng.random() < 0.4:
            lines += ["else:", *self.block(scope.inner(), depth - 1)]
        return lines

    def _leave(self, scope: Scope, depth: int) -> list[str]:
        leaving = self.pick("break", "continue", "return np.sum(a * c) + n")
        return [f"if {self.element(scope)} > {self.pick('0.4', '0.9')}:", f"    {leaving}"]
