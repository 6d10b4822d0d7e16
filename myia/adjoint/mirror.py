"""The mirrored program: each statement beside its reverse code, in the program's own structure.

Both sweeps are read off it: the forward sweep from top to bottom, the reverse sweep from bottom to
top. `economy.py` edits it, `control.py` weaves in the saves and writes the sweeps.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from myia.adjoint.call import call_at_run_time, call_forward, mutation
from myia.adjoint.code import asked_for_shape, load_name, runtime_call
from myia.adjoint.reverse import Overwritten, Reversal
from myia.analysis.alias import Aliases
from myia.analysis.liveness import all_read, all_written
from myia.analysis.record import content
from myia.parse.program import is_once, names_read, names_written


@dataclass(eq=False)
class Step:
    """A simple statement, its reverse code, and the statement of the program it was made from.

    `saves`: the forward sweep saves something before it; `before`: reverse code that runs before what
    was saved is restored; `overwritten`: the elements of an array it writes over; `contents`: variables
    whose contents its reverse code reads through a record.
    """

    statement: ast.stmt
    code: list[ast.stmt]
    origin: ast.AST
    saves: bool = False
    before: list[ast.stmt] = field(default_factory=list)
    overwritten: Overwritten | None = None
    contents: frozenset[str] = frozenset()


@dataclass(eq=False)
class Point:
    """A point of the program where the reverse sweep makes zeros, or reads `reads`."""

    code: list[ast.stmt]
    reads: frozenset[str] = frozenset()
    mark: ast.stmt = field(default_factory=ast.Pass)

    def __post_init__(self) -> None:
        if self.code:
            ast.copy_location(self.mark, self.code[0])


@dataclass(eq=False)
class Branch:
    """An `if`. `guarded`: the reverse sweep must test which branch was taken."""

    statement: ast.If
    body: list[Node]
    orelse: list[Node]
    guarded: bool = True
    taken: list[Node] | None = None
    """The side that every counted iteration took, where the test only leaves the loop."""
    skeleton: ast.stmt | None = None
    tested: Point = field(init=False)
    """The point after it, where the reverse sweep reads the test."""
    exits: list[Point] = field(default_factory=list)
    """The same before each `break` in it, from where the point after it is not reached."""

    def __post_init__(self) -> None:
        self.tested = Point([], frozenset(names_read(self.statement.test)))


@dataclass(eq=False)
class Loop:
    """A loop. `counted`: the nodes to reverse in each counted iteration, the body or its inner part."""

    statement: ast.For | ast.While
    walk: ast.expr | None
    body: list[Node]
    counted: list[Node]
    steps: str | None
    plan: str | None = None
    """The variable with the snapshots of a loop that is reversed from those (`checkpoint.py`)."""
    planned: Step | None = None
    """The step that binds it."""
    skeleton: ast.For | ast.While | None = None

    @property
    def is_reversed(self) -> bool:
        """Whether the reverse sweep passes it."""
        return has_reverse(self.body)


Node = Step | Point | Branch | Loop


@dataclass
class MirrorBuilder:
    reversal: Reversal
    named: Callable[[str, object], str]
    saving: set[ast.AST]
    planned: frozenset[ast.stmt] = frozenset()
    """The loops to reverse from snapshots."""
    around: list[Branch] = field(default_factory=list)
    """The branches around, in the innermost loop."""

    def step(self, statement: ast.stmt, code: list[ast.stmt], origin: ast.AST) -> Step:
        step = Step(statement, code, origin, origin in self.saving)
        if isinstance(origin, ast.stmt):
            step.before = self.reversal.before.get(origin, [])
            step.overwritten = self.reversal.overwritten.get(origin)
            step.contents = self.reversal.contents.get(origin, frozenset())
        return step

    def block(self, statements: list[ast.stmt]) -> list[Node]:
        return [node for statement in statements for node in self.statement(statement)]

    def statement(self, s: ast.stmt) -> list[Node]:
        match s:
            case ast.If(_, body, orelse):
                zeros = self.reversal.branch_zeros
                branch = Branch(s, [], [])
                self.around.append(branch)
                branch.body = [*_point(zeros.get((s, 0), [])), *self.block(body)]
                branch.orelse = [*_point(zeros.get((s, 1), [])), *self.block(orelse)]
                self.around.pop()
                if not has_reverse([branch]):
                    for point in branch.exits:
                        point.reads = frozenset()
                    return [branch]
                return [branch, branch.tested]
            case ast.For() | ast.While():
                return self.loop(s)
            case ast.Break():
                exits = list[Node]()
                for branch in self.around:
                    branch.exits.append(Point([], branch.tested.reads))
                    exits.append(branch.exits[-1])
                return [*exits, self.step(s, [], s)]
            case ast.Assign([ast.Name()]):
                return [*self.check(s), *self.check_attribute(s), *self.assignment(s), *self.check_power(s)]
            case ast.Assign() | ast.AugAssign():
                return [self.write(s)]
        return [self.step(s, self.reversal.code.get(s, []), s)]

    def check(self, s: ast.Assign) -> list[Node]:
        """Operands of an operator that the run must show to be numbers or arrays."""
        names = self.reversal.unknown.get(s)
        if not names:
            return []
        call = runtime_call("plain", *(load_name(name) for name in names))
        return [Step(ast.copy_location(ast.Expr(call), s), [], s)]

    def check_attribute(self, s: ast.Assign) -> list[Node]:
        """What is written in place must be the object's own, and not its class's: only the run can tell."""
        match s:
            case ast.Assign([ast.Name(target)], ast.Attribute(ast.Name() as owner, name)) if (
                self.reversal.aliases.in_shadow(target) and self.reversal.aliases.in_shadow(owner.id)
            ):
                call = runtime_call("own", owner, ast.Constant(name))
                return [Step(ast.copy_location(ast.Expr(call), s), [], s)]
        return []

    def check_power(self, s: ast.Assign) -> list[Node]:
        if s not in self.reversal.powers:
            return []
        (target,) = names_written(s)
        call = runtime_call("real_power", load_name(target))
        return [Step(ast.copy_location(ast.Expr(call), s), [], s)]

    def write(self, s: ast.Assign | ast.AugAssign) -> Node:
        """A store into an array as it is, anything else with what will undo it."""
        code = self.reversal.code.get(s, [])
        undo = self.reversal.mutations.get(s)
        if undo is None:
            return self.step(s, code, s)
        made = mutation(self.reversal.typed.operations[s], s.value)
        return self.step(assign_names(["_", undo], made, s), code, s)

    def assignment(self, s: ast.Assign) -> list[Node]:
        code = self.reversal.code.get(s, [])
        (target,) = names_written(s)
        operation = self.reversal.typed.operations[s]
        if operation.kind == "alias" and operation.operands["x"] is not s.value:
            return [self.step(assign_names([target], operation.operands["x"], s), code, s)]
        if (construction := self.reversal.constructions.get(s)) is not None:
            made = mutation(construction, s.value)
            added = self.step(assign_names(["_", self.reversal.mutations[s]], made, s), code, s)
            items = construction.operands["0"]
            return [added, Step(assign_names([target], items, s), [], s.value, s.value in self.saving)]
        if (undo := self.reversal.mutations.get(s)) is not None:
            return [self.step(assign_names([target, undo], mutation(operation, s.value), s), code, s)]
        if (call := self.reversal.user_calls.get(s)) is not None:
            packed = [
                Step(assign_names([name], made, s), [], made, made in self.saving)
                for name, made in call.packed
            ]
            return [*packed, self.step(assign_names([target, call.record], call_forward(call), s), code, s)]
        if (dynamic := self.reversal.dynamic_calls.get(s)) is not None:
            return [
                self.step(
                    assign_names([target, dynamic.pullback], call_at_run_time(s.value, dynamic), s), code, s
                )
            ]
        if (result := self.reversal.results.get(s)) is not None:
            computed = Step(assign_names([result], s.value, s), code, s.value, s.value in self.saving)
            return [computed, Step(assign_names([target], load_name(result), s), [], s, s in self.saving)]
        return [self.step(s, code, s)]

    def loop(self, s: ast.For | ast.While) -> list[Node]:
        around, self.around = self.around, []
        body = [*_point(self.reversal.step_zeros.get(s, [])), *self.block(s.body)]
        self.around = around
        entry = self.reversal.entry_zeros.get(s, [])
        walk = s.iter if isinstance(s, ast.For) else None
        loop = Loop(s, walk, body, body, None)
        if not has_reverse(body) and not entry:
            return [loop]
        before: list[Node] = []
        if walk is not None:
            loop.walk, before = self.steady(walk, s)
        if isinstance(s, ast.While) or _breaks(body):
            loop.steps = self.named("steps", s)
            before.append(self.step(assign_names([loop.steps], ast.Constant(0), s), [], s))
        reads = set() if loop.walk is None else bounds_of(loop.walk)
        if s in self.planned:
            loop.plan = self.named("plan", ("plan", s))
            count = ast.Constant(None) if loop.walk is None or loop.steps else loop.walk
            kept = runtime_call("block") if is_once(s) else runtime_call("checkpoints", count)
            made = assign_names([loop.plan], kept, s)
            loop.planned = self.step(made, [], s.test if isinstance(s, ast.While) else s.target)
            before.append(loop.planned)
            reads.add(loop.plan)
        elif loop.steps:
            reads.add(loop.steps)
        return [*before, *_point(self.reversal.exit_code.get(s, [])), loop, Point(entry, frozenset(reads))]

    def steady(self, walk: ast.expr, s: ast.stmt) -> tuple[ast.expr, list[Node]]:
        """The range of a loop, with bounds that the body overwrites copied first."""
        assert isinstance(walk, ast.Call)
        written = {name for inner in inside(s) for name in names_written(inner)}
        arguments, before = [], list[Node]()
        for argument in walk.args:
            if isinstance(argument, ast.Name) and argument.id in written:
                copied = self.named(f"{argument.id}_bound", argument)
                before.append(self.step(assign_names([copied], argument, s), [], argument))
                argument = load_name(copied)
            arguments.append(argument)
        return ast.copy_location(ast.Call(walk.func, arguments, []), walk), before


def _point(code: list[ast.stmt]) -> list[Node]:
    return [Point(code)] if code else []


def has_reverse(nodes: list[Node]) -> bool:
    for node in nodes:
        match node:
            case Step(_, code, _, saves) if code or saves:
                return True
            case Point(code) if code:
                return True
            case Branch(_, body, orelse) if has_reverse(body) or has_reverse(orelse):
                return True
            case Loop(_, _, body) if has_reverse(body):
                return True
    return False


def _breaks(nodes: list[Node]) -> bool:
    """Whether a `break` of this very loop is among the nodes."""
    for node in nodes:
        match node:
            case Step(ast.Break()):
                return True
            case Branch(_, body, orelse) if _breaks(body) or _breaks(orelse):
                return True
    return False


def count_loops(nodes: list[Node]) -> None:
    """Decide, for each loop that must be counted, from where on."""
    for node in nodes:
        match node:
            case Branch(_, body, orelse):
                count_loops(body)
                count_loops(orelse)
            case Loop(_, _, body, _, steps):
                count_loops(body)
                if steps is not None:
                    node.counted = counted_part(body)


def counted_part(body: list[Node]) -> list[Node]:
    """The part of a loop's body to count: past a leading test that only leaves the loop.

    In `while test: BODY`, written `while True: if test: BODY else: break`, that is BODY: an iteration
    that is counted took this branch, so that the reverse sweep need not test again.
    """
    significant = [k for k, node in enumerate(body) if not isinstance(node, Point) or node.code]
    if not significant or not isinstance(branch := body[significant[-1]], Branch):
        return body
    if has_reverse(body[: significant[-1]]):
        return body
    for side, other in ((branch.body, branch.orelse), (branch.orelse, branch.body)):
        if _only_leaves(other) and side:
            branch.guarded = False
            branch.taken = side
            for point in (branch.tested, *branch.exits):
                point.reads = frozenset()
            return counted_part(side)
    return body


def _only_leaves(nodes: list[Node]) -> bool:
    others = [node for node in nodes if not isinstance(node, Point)]
    kinds = [type(node.statement) for node in others if isinstance(node, Step)]
    return len(kinds) == len(others) and ast.Break in kinds and not has_reverse(nodes)


def steps_of(nodes: list[Node]) -> Iterator[Step]:
    for node in nodes:
        match node:
            case Step():
                yield node
            case Branch(_, body, orelse):
                yield from steps_of(body)
                yield from steps_of(orelse)
            case Loop(_, _, body):
                yield from steps_of(body)


def loops_of(nodes: list[Node]) -> Iterator[Loop]:
    """All loops, the outer ones first."""
    for node in nodes:
        match node:
            case Branch(_, body, orelse):
                yield from loops_of(body)
                yield from loops_of(orelse)
            case Loop(_, _, body):
                yield node
                yield from loops_of(body)


def inside(s: ast.stmt) -> Iterator[ast.stmt]:
    return (node for node in ast.walk(s) if isinstance(node, ast.stmt))


# -- for the analysis ---------------------------------------------------------------------------------


def skeleton_of(
    nodes: list[Node], reads: dict[ast.stmt, frozenset[str]], aliases: Aliases
) -> Iterator[ast.stmt]:
    """The forward sweep with a mark at each point, and what the reverse sweep reads at each statement."""
    for node in nodes:
        match node:
            case Step(statement, code, _, saves, before, overwritten, contents):
                code = [*before, *code]
                read = set(reads_of(code)) | contents_of(contents, aliases)
                read |= contents_of(read_for_values(code), aliases)
                if saves and overwritten is not None:  # to restore the elements
                    read |= {overwritten.owner, *names_read(overwritten.index)}
                    read |= contents_of(names_read(overwritten.index), aliases)
                reads[statement] = frozenset(read)
                yield statement
            case Point(code, also, mark):
                reads[mark] = reads_of(code) | also | contents_of({*read_for_values(code), *also}, aliases)
                yield mark
            case Branch(s, body, orelse):
                made: ast.stmt = ast.If(
                    s.test,
                    list(skeleton_of(body, reads, aliases)),
                    list(skeleton_of(orelse, reads, aliases)),
                )
                node.skeleton = made
                yield made
            case Loop(s, walk, body):
                inner = list(skeleton_of(body, reads, aliases))
                if isinstance(s, ast.For):
                    assert walk is not None
                    node.skeleton = ast.For(s.target, walk, inner, [])
                else:
                    node.skeleton = ast.While(s.test, inner, [])
                yield node.skeleton


def reads_of(code: list[ast.stmt]) -> frozenset[str]:
    """The names reverse code reads before binding them itself."""
    read: set[str] = set()
    bound: set[str] = set()
    for statement in code:
        if isinstance(statement, ast.If):
            read |= (names_read(statement.test) | reads_of(statement.body)) - bound
            continue
        read |= all_read(statement) - bound
        bound.update(all_written(statement))
    return frozenset(read)


def free_names(block: list[ast.stmt], bound: frozenset[str] = frozenset()) -> set[str]:
    """The names a block reads that it may not have bound itself."""
    return _free(block, set(bound))


def _free(block: list[ast.stmt], own: set[str]) -> set[str]:
    """The same; `own`, the names certainly bound, is brought to the end of the block."""
    free: set[str] = set()
    for s in block:
        match s:
            case ast.If(test, body, orelse):
                taken, untaken = set(own), set(own)
                free |= names_read(test) - own
                free |= _free(body, taken) | _free(orelse, untaken)
                own |= taken & untaken
            case ast.For(_, walk, body):
                free |= names_read(walk) - own
                free |= _free(body, own if is_once(s) else {*own, *names_written(s)})
            case ast.While(test, body):
                free |= names_read(test) - own
                free |= _free(body, set(own))
            case _:
                free |= names_read(s) - own
                if isinstance(s, ast.AugAssign):
                    free |= {n.id for n in ast.walk(s.target) if isinstance(n, ast.Name)} - own
                own |= set(names_written(s))
    return free


def read_for_values(code: list[ast.stmt]) -> set[str]:
    """The names whose elements code reads: not those only asked for their shape, storage or identity."""
    found: set[str] = set()
    pending: list[ast.AST] = list(code)
    while pending:
        node = pending.pop()
        if (asked := asked_for_shape(node)) is not None:
            _, call, at = asked
            pending.extend(call.args[:at] + call.args[at + 1 :])
            continue
        match node:
            case ast.Call(ast.Attribute(ast.Name("rt"), "shares")):
                pass
            case ast.Call(ast.Attribute(ast.Name("shadows")), args):
                pending.extend(a for a in args if not isinstance(a, (ast.Name, ast.Tuple)))
            case ast.Name(name, ast.Load()):
                found.add(name)
            case _:
                pending.extend(ast.iter_child_nodes(node))
    return found


def contents_of(names: Iterable[str], aliases: Aliases) -> set[str]:
    """The contents, as `analysis/record.py` names them, of the classes of some variables."""
    return {content(r) for r in aliases.shadow_classes(set(names))}


def bounds_of(walk: ast.expr) -> set[str]:
    assert isinstance(walk, ast.Call)
    return {name for argument in walk.args for name in names_read(argument)}


def assign_names(names: list[str], value: ast.expr, at: ast.AST) -> ast.stmt:
    targets: list[ast.expr] = [ast.Name(name, ast.Store()) for name in names]
    target = targets[0] if len(targets) == 1 else ast.Tuple(targets, ast.Store())
    return ast.copy_location(ast.Assign([target], value), at)
