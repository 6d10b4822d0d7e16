"""What need not be saved: values that are cheap to compute again, arrays of which only the shape is read.

Both work on the mirrored program (`mirror.py`), before it is decided what to save, and only inside
loops, where saving costs a push and a pop an iteration.
"""

from __future__ import annotations

import ast
import copy
import itertools
import operator
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from myia.adjoint.code import asked_for_shape, load_name, runtime_call, shape_questions
from myia.adjoint.mirror import Branch, Loop, Node, Point, Step, reads_of, steps_of
from myia.analysis.alias import Aliases, is_basic
from myia.analysis.shapes import Shapes
from myia.parse.program import names_read, names_written
from myia.parse.typed import Typed
from myia.parse.types import ANY, Array, List, Tuple, is_number


def compute_again(
    nodes: list[Node], typed: Typed, aliases: Aliases, named: Callable[[str, object], str], contents: bool
) -> frozenset[str]:
    """Compute again, in the reverse sweep, what costs less than saving; gives the names.

    That is an item of a sequence, and the sum, difference, product or negation of numbers or arrays: an
    operation whose operands the reverse sweep has anyway, or that do not change in the loop. `contents`: also
    what is read from arrays that are written in place, so that what is written over must be restored.
    """
    search = _Recomputation(nodes, typed, aliases, named, contents)
    invariant = search.invariant()
    search.steady |= invariant
    search.block(nodes, inside=False)
    return frozenset(search.computed | invariant)


@dataclass
class _Recomputation:
    nodes: list[Node]
    typed: Typed
    aliases: Aliases
    named: Callable[[str, object], str]
    contents: bool
    once: bool = False
    """Whether it is code outside loops that is looked at."""
    computed: set[str] = field(default_factory=set)
    steady: set[str] = field(default_factory=set)
    """Names that no loop writes, and positions of loops."""
    around: list[Loop] = field(default_factory=list)
    settled: frozenset[str] = frozenset()
    """The classes of aliases that nothing writes from the outermost loop on: reading them again is safe."""
    known_reads: dict[int, set[str]] = field(default_factory=dict)
    """What `reads` found, by node; forgotten when reverse code is changed."""
    known_readers: dict[int, dict[str, list[int]]] = field(default_factory=dict)
    """What `readers` found, by block; likewise."""

    def __post_init__(self) -> None:
        program = self.typed.program
        self.constants = {c.partition(".")[0] for c in program.constants}
        self.definitions = dict.fromkeys((*program.arguments, *program.inputs), 1)
        for step in steps_of(self.nodes):
            for name in names_written(step.statement):
                self.definitions[name] = self.definitions.get(name, 0) + 1
        written = {n for step in _steps_in_loops(self.nodes) for n in names_written(step.statement)}
        names = {n for step in steps_of(self.nodes) for n in names_read(step.statement)}
        self.steady = names - written

    def block(self, block: list[Node], inside: bool) -> None:
        for node in list(block):
            match node:
                case Branch(_, body, orelse):
                    self.block(body, inside)
                    self.block(orelse, inside)
                case Loop(_, _, body, plan=plan):
                    if not self.around:
                        self.settled = self.settled_before(node)
                    # An iteration that is run again just before it is reversed has all its values.
                    self.around.append(node)
                    self.block(body, plan is None)
                    self.around.pop()
        self.once = not inside and not self.around
        if inside or self.once:
            for step in reversed([node for node in block if isinstance(node, Step)]):
                self.consider(block, step)

    def settled_before(self, loop: Loop) -> frozenset[str]:
        """The classes of aliases that are written before a loop only."""
        steps = list(steps_of(self.nodes))
        inside = set(map(id, steps_of([loop])))
        first = next((k for k, step in enumerate(steps) if id(step) in inside), len(steps))
        later = (self.aliases.writers.get(step.origin, frozenset()) for step in steps[first:])
        return self.aliases.shadowed.difference(*later)

    def consider(self, block: list[Node], step: Step) -> None:
        match step.statement:
            case ast.Assign([ast.Name(name)], value) if self.once or name not in self.steady:
                pass
            case _:
                return
        if self.once and (isinstance(value, ast.Subscript) or name == self.typed.program.result):
            return
        if self.definitions[name] != 1 or not self.is_cheap(step, name, value):
            return
        first = _position(block, step)
        readers = self.readers(block).get(name)
        if not readers or readers[0] < first:
            return
        if any(name in self.reads(node) for node in _without(self.nodes, block)):
            return
        if not isinstance(value, ast.Subscript) and not _is_read(name, [block[k] for k in readers]):
            return  # only its shape is asked for
        last = readers[-1]
        if not self.is_repeatable(block, first, last):
            return
        again = name
        if self.once:  # where variables have one value each, it stays so
            again = self.named(f"{name}_again", ("again", name))
            self.typed.types[again] = self.typed.types[name]
            _rename_read(block[first : last + 1], name, again)
        made = ast.copy_location(ast.Assign([ast.Name(again, ast.Store())], value), step.statement)
        _insert_after(block, last, again, Point([made]))
        self.known_reads.clear()
        self.known_readers.clear()
        self.computed.add(again)

    def readers(self, block: list[Node]) -> dict[str, list[int]]:
        """Where in a block the reverse code of nodes reads each variable."""
        found = self.known_readers.get(id(block))
        if found is None:
            found = self.known_readers[id(block)] = {}
            for k, node in enumerate(block):
                for name in self.reads(node):
                    found.setdefault(name, []).append(k)
        return found

    def reads(self, node: Node) -> set[str]:
        """What the reverse code of a node reads."""
        found = self.known_reads.get(id(node))
        if found is None:
            found = self.known_reads[id(node)] = reverse_reads([node])
        return found

    def invariant(self) -> set[str]:
        """What is computed in a loop from what no loop changes: variables assigned the same each time."""
        found: set[str] = set()
        positions = set(_positions(self.nodes))
        before = -1
        while len(found) != before:
            before = len(found)
            for step in _steps_in_loops(self.nodes):
                match step.statement:
                    case ast.Assign([ast.Name(name)], value) if self.definitions[name] == 1:
                        steady = names_read(value) <= (self.steady - positions) | found
                        if steady and not self.aliases.in_shadow(name) and self.is_pure(step):
                            found.add(name)
        return found

    def is_pure(self, step: Step) -> bool:
        """Whether the same operands give the same: an operation with a rule, on nothing written in place."""
        operation = self.typed.operations.get(step.origin) if isinstance(step.origin, ast.stmt) else None
        read = names_read(step.statement)
        return (
            operation is not None and operation.kind == "rule" and not any(map(self.aliases.in_shadow, read))
        )

    def is_repeatable(self, block: list[Node], first: int, last: int) -> bool:
        """Whether the value of the step at `first` can be had again when the reverse sweep has passed `last`.

        Its operands are there, or can be computed again themselves, and are what they were.
        """
        match block[first]:
            case Step(ast.Assign([ast.Name(name)], value)) as step if self.definitions[name] == 1:
                operands = names_read(value)
            case _:
                return False
        if name in operands or not self.is_cheap(step, name, value):
            return False
        between = list(steps_of(block[first + 1 : last + 1]))
        if operands & {n for s in between for n in names_written(s.statement)}:
            return False
        memory = self.aliases.shadow_classes(operands)
        if any(memory & self.aliases.writers.get(s.origin, frozenset()) for s in between):
            return False
        at_hand = self.steady.union(*map(self.reads, block[first : last + 1]))
        if self.once:  # nothing is overwritten, but what only the forward sweep reads is not kept
            at_hand = self.constants.union(self.typed.program.arguments, *map(self.reads, self.nodes))
        return all(self.is_repeatable_before(block, n, first, last) for n in operands - at_hand)

    def is_repeatable_before(self, block: list[Node], name: str, first: int, last: int) -> bool:
        made = [
            k
            for k, node in enumerate(block[:first])
            if isinstance(node, Step) and name in names_written(node.statement)
        ]
        return len(made) == 1 and self.is_repeatable(block, made[0], last)

    def is_cheap(self, step: Step, name: str, value: ast.expr) -> bool:
        operands = names_read(value) - self.constants
        types = [self.typed.types.get(n, ANY) for n in (name, *sorted(operands))]
        match value:
            case ast.BinOp(_, ast.Add() | ast.Sub() | ast.Mult()) | ast.UnaryOp(ast.USub()) if all(
                map(is_number, types)
            ):
                return not self.once
            case ast.Subscript(ast.Name(owner), index):
                if isinstance(self.typed.types.get(owner), Array) and is_basic(self.typed, index):
                    # A number, or a view, which has the very shadow that it had.
                    known = is_number(types[0]) or isinstance(types[0], Array)
                    return known and (self.contents or self.is_settled(owner))
                sequence = isinstance(self.typed.types.get(owner, ANY), (List, Tuple))
                plain = isinstance(index, (ast.Name, ast.Constant)) and is_number(self.typed.type_of(index))
                return sequence and plain and self.is_settled(owner)
        operation = self.typed.operations.get(step.origin) if isinstance(step.origin, ast.stmt) else None
        if operation is None or operation.function not in (_CHEAP_ONCE if self.once else _CHEAP):
            return False
        if self.aliases.in_shadow(name):  # another array would have another shadow
            return False
        if operation.function is operator.pow and not _is_two(value):
            return False
        return isinstance(types[0], Array) and all(isinstance(t, Array) or is_number(t) for t in types)

    def is_settled(self, owner: str) -> bool:
        """Whether nothing is written into it from the outermost loop on: reading it again is safe."""
        return not self.aliases.in_shadow(owner) or self.aliases.class_of(owner) in self.settled


_CHEAP: frozenset[Any] = frozenset(
    {
        operator.add, operator.sub, operator.mul, operator.truediv, operator.neg, operator.pow,
        np.add, np.subtract, np.multiply, np.divide, np.negative, np.square, np.maximum, np.minimum,
    }
)  # fmt: skip
"""Operations on arrays that take about as long as reading their result from memory would."""

_CHEAP_ONCE = _CHEAP | {np.sqrt, np.absolute, np.abs, abs}
"""Outside loops also what takes somewhat longer: its memory would be held from here to there."""


def _is_two(value: ast.expr) -> bool:
    return isinstance(value, ast.BinOp) and isinstance(value.right, ast.Constant) and value.right.value == 2


def _rename_read(nodes: list[Node], name: str, again: str) -> None:
    """Let reverse code read another variable."""
    renaming = _Renaming(name, again)
    for node in nodes:
        match node:
            case Step() | Point():
                node.code = [renaming.visit(copy.deepcopy(s)) for s in node.code]
                if isinstance(node, Point) and name in node.reads:
                    node.reads = node.reads - {name} | {again}
            case Branch(_, body, orelse):
                _rename_read([*body, *orelse], name, again)
            case Loop(_, _, body):
                _rename_read(body, name, again)


@dataclass
class _Renaming(ast.NodeTransformer):
    name: str
    again: str

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.again, node.ctx) if node.id == self.name else node


def _insert_after(block: list[Node], last: int, name: str, point: Point) -> None:
    """Put a point after the last reader of a name, inside the branch that reads it if only one does."""
    reader = block[last]
    if isinstance(reader, Branch):
        sides = [side for side in (reader.body, reader.orelse) if name in reverse_reads(side)]
        if len(sides) == 1:
            inner = max(k for k, node in enumerate(sides[0]) if name in reverse_reads([node]))
            _insert_after(sides[0], inner, name, point)
            return
    block.insert(last + 1, point)


def ask_others(
    nodes: list[Node], typed: Typed, shapes: Shapes, held: Collection[str], computed: Collection[str]
) -> None:
    """Where an array is asked for its shape and dtype, ask another one of the same that is there anyway.

    That is one that reverse code nearby reads, or one of those `held` by the caller and never bound anew.
    `computed`: what the reverse sweep computes again, and has only from there on.
    """
    read = {name for code in _codes(nodes) for name in _read_but_for_shape(code)}
    written = {n for step in steps_of(nodes) for n in names_written(step.statement)}
    steady = [name for name in held if name not in written]
    for block in _blocks(nodes):
        for k, step in enumerate(block):
            if not isinstance(step, Step) or not isinstance(step.origin, ast.stmt):
                continue
            others: dict[str, str] = {}
            for _, name in _asked_for_shape(step.code):
                if name in read or name in steady or name in names_written(step.statement):
                    continue
                there = itertools.chain(steady, _read_nearby(block, k))
                alike = (n for n in there if _alike(n, name, step.origin, typed, shapes))
                if (other := next((n for n in alike if n not in computed), None)) is not None:
                    others[name] = other
            if others:
                replacement = _ShapeOf(others, frozenset())
                step.code = [replacement.visit(copy.deepcopy(s)) for s in step.code]


def _alike(other: str, name: str, s: ast.stmt, typed: Typed, shapes: Shapes) -> bool:
    """Whether two arrays have the same shape and dtype before a statement."""
    t = typed.types.get(name, ANY)
    if (
        other == name
        or typed.types.get(other) != t
        or not isinstance(t, Array)
        or not t.rank
        or t.dtype is None
    ):
        return False
    own = shapes.shape(s, load_name(name))
    return own is not None and None not in own and own == shapes.shape(s, load_name(other))


def _read_nearby(block: list[Node], k: int) -> Iterator[str]:
    """What the reverse code of earlier steps of a block reads, if nothing from there to step `k` binds it."""
    bound = {n for step in steps_of([block[k]]) for n in names_written(step.statement)}
    for node in reversed(block[:k]):
        bound.update(n for step in steps_of([node]) for n in names_written(step.statement))
        if isinstance(node, Step):
            yield from sorted(set(_read_but_for_shape(node.code)) - bound)


def keep_shapes(
    nodes: list[Node],
    typed: Typed,
    arguments: Collection[str],
    named: Callable[[str, object], str],
    saving: set[ast.AST],
) -> None:
    """Where an array is only asked for its shape and dtype, save those instead.

    As a tuple where only a broadcast is summed away, else as an array without memory (`rt.form`).
    """
    read = {name for code in _codes(nodes) for name in _read_but_for_shape(code)}
    asked: dict[str, set[str]] = {}
    for code in _codes(nodes):
        for function, name in _asked_for_shape(code):
            asked.setdefault(name, set()).add(function)
    made = {name for step in steps_of(nodes) for name in names_written(step.statement)}
    # The reverse of a note comes before that of its statement and takes the note back: right for an operand
    # of that name, not for the result.
    for step in steps_of(nodes):
        results = {*names_written(step.statement)} - names_read(step.statement)
        made.difference_update({n for _, n in _asked_for_shape(step.code)} & results)
    shapes: dict[str, ast.stmt] = {}
    for name in sorted(asked.keys() & made - read):
        t = typed.types.get(name, ANY)
        if isinstance(t, Array) and t.rank is not None and t.rank > 0:
            array = ast.Name(name, ast.Load())
            value: ast.expr
            if asked[name] == {"unbroadcast"}:
                kept, value = named(f"{name}_shape", name), ast.Attribute(array, "shape", ast.Load())
            else:
                kept, value = named(f"{name}_form", name), runtime_call("form", array)
                typed.types[kept] = t
            shapes[name] = ast.Assign([ast.Name(kept, ast.Store())], value)
    if shapes:
        _use_shapes(nodes, shapes, arguments, saving)
        for name in sorted(shapes.keys() & set(arguments)):
            noted = ast.copy_location(copy.copy(shapes[name]), typed.program.source.node)
            nodes.insert(0, Step(noted, [], noted))


def _use_shapes(
    nodes: list[Node], shapes: dict[str, ast.stmt], arguments: Collection[str], saving: set[ast.AST]
) -> None:
    """`shapes`: for each array, the statement that notes its shape."""
    _Notes(shapes, saving).block(nodes, frozenset(arguments))
    kept = {name: names_written(s)[0] for name, s in shapes.items()}
    tuples = {
        kept[name] for name, s in shapes.items() if isinstance(getattr(s, "value", None), ast.Attribute)
    }
    replacement = _ShapeOf(kept, frozenset(tuples))
    for block in _blocks(nodes):
        for node in block:
            if isinstance(node, (Step, Point)):
                node.code = [
                    s
                    if shapes.keys().isdisjoint(name for _, name in _asked_for_shape([s]))
                    else replacement.visit(copy.deepcopy(s))
                    for s in node.code
                ]


@dataclass
class _Notes:
    """Puts the notes of shapes behind what binds the arrays: a statement, or a loop that nothing asks in."""

    shapes: dict[str, ast.stmt]
    saving: set[ast.AST]

    def block(self, block: list[Node], bound: frozenset[str]) -> frozenset[str]:
        """`bound`: what is certainly bound before it, whose notes are there; gives the same for after it."""
        for node in list(block):
            match node:
                case Step(statement):
                    written = frozenset(names_written(statement))
                    origin = node.origin
                    at = origin.targets[0] if isinstance(origin, ast.Assign) else origin
                    self.put(block, node, statement, at, written)
                    bound |= written
                case Branch(_, body, orelse):
                    bound = self.block(body, bound) & self.block(orelse, bound)
                case Loop(statement, _, body):
                    written = frozenset(n for step in steps_of(body) for n in names_written(step.statement))
                    inside = {name for code in _codes(body) for _, name in _asked_for_shape(code)}
                    late = (written & bound) - inside
                    self.without(late).block(body, bound)
                    at = statement.target if isinstance(statement, ast.For) else statement.test
                    self.put(block, node, statement, at, late)
        return bound

    def without(self, names: frozenset[str]) -> _Notes:
        kept = {name: note for name, note in self.shapes.items() if name not in names}
        return _Notes(kept, self.saving)

    def put(
        self, block: list[Node], node: Node, statement: ast.stmt, origin: ast.AST, names: frozenset[str]
    ) -> None:
        for name in sorted(names & self.shapes.keys()):
            noted = ast.copy_location(copy.copy(self.shapes[name]), statement)
            block.insert(_position(block, node) + 1, Step(noted, [], origin, origin in self.saving))


@dataclass
class _ShapeOf(ast.NodeTransformer):
    """`rt.unbroadcast(g, x)` becomes `rt.sum_to(g, x_shape)`, `rt.spread(g, x)` `rt.spread(g, x_form)`."""

    kept: dict[str, str]
    shapes: frozenset[str]
    """Those of `kept` that are tuples."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if (asked := asked_for_shape(node)) is not None:
            _, call, at = asked
            array = call.args[at]
            if isinstance(array, ast.Name) and array.id in self.kept:
                kept = ast.Name(self.kept[array.id], ast.Load())
                if kept.id in self.shapes:
                    return runtime_call("sum_to", call.args[0], kept)
                return ast.Call(call.func, [*call.args[:at], kept, *call.args[at + 1 :]], [])
        return node


def _is_read(name: str, nodes: list[Node]) -> bool:
    """Whether reverse code reads the value of a variable, not only its shape."""
    return any(name in _read_but_for_shape(code) for code in _codes(nodes))


def _read_but_for_shape(code: list[ast.stmt]) -> Iterator[str]:
    """The names code reads, those left out that it only asks for their shape."""
    return (name for statement in code for name in shape_questions(statement)[1])


def _asked_for_shape(code: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """The functions that ask for a shape only, each with the name that it asks."""
    return (question for statement in code for question in shape_questions(statement)[0])


# -- questions about the mirrored program -------------------------------------------------------------


def reverse_reads(nodes: list[Node]) -> set[str]:
    """What the reverse code of some nodes reads, tests and bounds of loops included."""
    read: set[str] = set()
    for node in nodes:
        match node:
            case Step(_, code, overwritten=overwritten):
                read |= reads_of(code)
                if overwritten is not None:  # the elements may have to be restored
                    read |= {overwritten.owner, *names_read(overwritten.index)}
            case Point(code, names):
                read |= reads_of(code) | names
            case Branch(_, body, orelse):
                read |= reverse_reads(body) | reverse_reads(orelse)
            case Loop(_, _, body):
                read |= reverse_reads(body)
    return read


def _without(nodes: list[Node], left_out: list[Node]) -> list[Node]:
    """The nodes outside one block, flattened to steps and points."""
    if nodes is left_out:
        return []
    outside: list[Node] = []
    for node in nodes:
        match node:
            case Branch(_, body, orelse):
                outside += _without(body, left_out) + _without(orelse, left_out)
            case Loop(_, _, body):
                outside += _without(body, left_out)
            case _:
                outside.append(node)
    return outside


def _blocks(nodes: list[Node]) -> Iterator[list[Node]]:
    yield nodes
    for node in list(nodes):
        match node:
            case Branch(_, body, orelse):
                yield from _blocks(body)
                yield from _blocks(orelse)
            case Loop(_, _, body):
                yield from _blocks(body)


def _codes(nodes: list[Node]) -> Iterator[list[ast.stmt]]:
    for block in _blocks(nodes):
        for node in block:
            if isinstance(node, (Step, Point)):
                yield node.code
            if isinstance(node, Point) and node.reads:
                yield [ast.Expr(ast.Name(name, ast.Load())) for name in sorted(node.reads)]


def _steps_in_loops(nodes: list[Node], inside: bool = False) -> Iterator[Step]:
    for node in nodes:
        match node:
            case Step() if inside:
                yield node
            case Branch(_, body, orelse):
                yield from _steps_in_loops(body, inside)
                yield from _steps_in_loops(orelse, inside)
            case Loop(_, _, body):
                yield from _steps_in_loops(body, True)


def _positions(nodes: list[Node]) -> Iterator[str]:
    """The variables of loops."""
    for node in nodes:
        match node:
            case Branch(_, body, orelse):
                yield from _positions([*body, *orelse])
            case Loop(s, _, body):
                yield from names_written(s)
                yield from _positions(body)


def _position(block: list[Node], node: Node) -> int:
    return next(k for k, other in enumerate(block) if other is node)
