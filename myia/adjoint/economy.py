"""What need not be saved: values that are cheap to compute again, arrays of which only the shape is read.

Both work on the mirrored program (`mirror.py`), before it is decided what to save, and only inside
loops, where saving costs a push and a pop an iteration.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from myia.adjoint.code import runtime_call
from myia.adjoint.mirror import Branch, Loop, Node, Point, Step, reads_of, steps_of
from myia.analysis.alias import Aliases
from myia.parse.program import names_read, names_written
from myia.parse.typed import Typed
from myia.parse.types import ANY, Array, List, Tuple, is_number


def compute_again(nodes: list[Node], typed: Typed, aliases: Aliases) -> frozenset[str]:
    """Compute again, in the reverse sweep, what costs less than saving; gives the names.

    That is the sum, difference, product or negation of two numbers, and an item of a sequence: an
    operation whose operands the reverse sweep has anyway, or that do not change in the loop.
    """
    search = _Recomputation(nodes, typed, aliases)
    search.block(nodes, inside=False)
    return frozenset(search.computed)


@dataclass
class _Recomputation:
    nodes: list[Node]
    typed: Typed
    aliases: Aliases
    computed: set[str] = field(default_factory=set)
    steady: set[str] = field(default_factory=set)
    """Names that no loop writes, and positions of loops."""
    settled: frozenset[str] = frozenset()
    """The classes of aliases that nothing writes from the outermost loop on: reading them again is safe."""

    def __post_init__(self) -> None:
        self.definitions: dict[str, int] = {}
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
                case Loop(_, _, body):
                    if not inside:
                        self.settled = self.settled_before(node)
                    self.block(body, True)
        if inside:
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
            case ast.Assign([ast.Name(name)], value) if (
                self.is_cheap(name, value) and self.definitions[name] == 1
            ):
                pass
            case _:
                return
        first = _position(block, step)
        readers = [k for k, node in enumerate(block) if name in reverse_reads([node])]
        if not readers or readers[0] < first or name in reverse_reads(_without(self.nodes, block)):
            return
        last = readers[-1]
        operands = names_read(value)
        if name in operands:
            return  # its operand is gone
        if operands & {n for s in steps_of(block[first + 1 : last + 1]) for n in names_written(s.statement)}:
            return
        at_hand = self.steady | reverse_reads(block[first : last + 1]) | self.candidates(block)
        if not operands <= at_hand:
            return
        again = ast.copy_location(ast.Assign([ast.Name(name, ast.Store())], value), step.statement)
        _insert_after(block, last, name, Point([again]))
        self.computed.add(name)

    def candidates(self, block: list[Node]) -> set[str]:
        """Names of a block that may be computed again themselves."""
        found = set()
        for node in block:
            match node:
                case Step(ast.Assign([ast.Name(name)], value)) if self.is_cheap(name, value):
                    found.add(name)
        return found

    def is_cheap(self, name: str, value: ast.expr) -> bool:
        match value:
            case ast.BinOp(_, ast.Add() | ast.Sub() | ast.Mult()) | ast.UnaryOp(ast.USub()):
                operands = names_read(value)
                return all(is_number(self.typed.types.get(n, ANY)) for n in (name, *operands))
            case ast.Subscript(ast.Name(owner), ast.Name() | ast.Constant() as index):
                if self.aliases.in_shadow(owner) and self.aliases.class_of(owner) not in self.settled:
                    return False  # it may be overwritten, and would have to be saved
                sequence = isinstance(self.typed.types.get(owner, ANY), (Array, List, Tuple))
                return sequence and is_number(self.typed.type_of(index))
        return False


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


def keep_shapes(
    nodes: list[Node], typed: Typed, named: Callable[[str, object], str], saving: set[ast.AST]
) -> None:
    """Where an array is only asked for its shape, to sum a broadcast away, save the shape instead."""
    read = {name for code in _codes(nodes) for name in _read_but_for_shape(code)}
    asked = {name for code in _codes(nodes) for name in _asked_for_shape(code)}
    in_loops = {name: s for s in _steps_in_loops(nodes) for name in names_written(s.statement)}
    shapes: dict[str, str] = {}
    for name in sorted(asked - read):
        t = typed.types.get(name, ANY)
        if name in in_loops and isinstance(t, Array) and t.rank != 0:
            shapes[name] = named(f"{name}_shape", name)
    if shapes:
        _use_shapes(nodes, shapes, saving)


def _use_shapes(nodes: list[Node], shapes: dict[str, str], saving: set[ast.AST]) -> None:
    for block in _blocks(nodes):
        for step in [node for node in block if isinstance(node, Step)]:
            for name in names_written(step.statement):
                if name not in shapes:
                    continue
                value = ast.Attribute(ast.Name(name, ast.Load()), "shape", ast.Load())
                kept = ast.copy_location(
                    ast.Assign([ast.Name(shapes[name], ast.Store())], value), step.statement
                )
                origin = step.origin.targets[0] if isinstance(step.origin, ast.Assign) else step.origin
                block.insert(_position(block, step) + 1, Step(kept, [], origin, origin in saving))
        for node in block:
            if isinstance(node, (Step, Point)):
                node.code = [
                    s
                    if shapes.keys().isdisjoint(_asked_for_shape([s]))
                    else _ShapeOf(shapes).visit(copy.deepcopy(s))
                    for s in node.code
                ]


@dataclass
class _ShapeOf(ast.NodeTransformer):
    """`rt.unbroadcast(g, name)` becomes `rt.sum_to(g, shape)`."""

    shapes: dict[str, str]

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        match node:
            case ast.Call(ast.Attribute(ast.Name("rt"), "unbroadcast"), [g, ast.Name(name)]) if (
                name in self.shapes
            ):
                return runtime_call("sum_to", g, ast.Name(self.shapes[name], ast.Load()))
        return node


def _read_but_for_shape(code: list[ast.stmt]) -> Iterator[str]:
    """The names code reads, those left out that it only sums a broadcast back to."""
    pending: list[ast.AST] = list(code)
    while pending:
        node = pending.pop()
        match node:
            case ast.Call(ast.Attribute(ast.Name("rt"), "unbroadcast"), [g, ast.Name()]):
                pending.append(g)
            case ast.Name(name):
                yield name
            case _:
                pending.extend(ast.iter_child_nodes(node))


def _asked_for_shape(code: list[ast.stmt]) -> Iterator[str]:
    for statement in code:
        for node in ast.walk(statement):
            match node:
                case ast.Call(ast.Attribute(ast.Name("rt"), "unbroadcast"), [_, ast.Name(name)]):
                    yield name


# -- questions about the mirrored program -------------------------------------------------------------


def reverse_reads(nodes: list[Node]) -> set[str]:
    """What the reverse code of some nodes reads, tests and bounds of loops included."""
    read: set[str] = set()
    for node in nodes:
        match node:
            case Step(_, code):
                read |= reads_of(code)
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


def _position(block: list[Node], node: Node) -> int:
    return next(k for k, other in enumerate(block) if other is node)
