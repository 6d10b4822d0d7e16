"""Put the two sweeps together: counts of loops, saves and restores, zeros, the shape of the control flow.

The forward sweep is the program itself, plus a count for each loop whose length the reverse sweep
cannot know, and plus the saves that `analysis/record.py` asks for. The reverse sweep has the same
blocks, each with its statements reversed:

    for i in range(n):              for i in reversed(range(n)):
        h_saved.append(h)               ... reverse code of h = f(h) ...
        h = f(h)                        h = h_saved.pop()

A `break` needs no flag: the count tells how many iterations to reverse, and an `if` is reversed by its
recorded test.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from myia.adjoint.call import call_at_run_time, call_forward
from myia.adjoint.reverse import Reversal
from myia.analysis.record import Records, assigned_before, to_be_recorded
from myia.parse.program import Program, names_read, names_written


@dataclass(frozen=True, eq=False)
class Sweeps:
    """The two sweeps; `setup` makes the stacks, `saved` is what the reverse sweep reads of the forward."""

    setup: list[ast.stmt]
    forward: list[ast.stmt]
    reverse: list[ast.stmt]
    saved: tuple[str, ...]


def sweeps(
    program: Program,
    reversal: Reversal,
    fresh: Callable[[str], str],
    split: bool,
    ended: frozenset[str] = frozenset(),
) -> Sweeps:
    """Both sweeps of a program.

    `split`: they go into two functions, so that names must be carried over, `ended` among them, which
    are read after the reverse sweep.
    """
    saving: set[ast.AST] = set()
    while True:
        nodes = _Builder(reversal, fresh, saving).block(program.body)
        reads: dict[ast.stmt, frozenset[str]] = {}
        skeleton = list(_skeleton(nodes, reads))
        records = to_be_recorded(skeleton, reads)
        found = {step.origin for step in _steps(nodes) if step.statement in records.saves}
        if found <= saving:
            break
        # A statement that saves must be passed in the reverse sweep, to restore: so must its loop and branch.
        saving |= found
    weaver = _Weaver(program, skeleton, records, reads, fresh)
    reverse = weaver.reverse(nodes)
    forward = weaver.forward(nodes)
    saved = weaver.carried(forward, reverse, ended) if split else ()
    return Sweeps(weaver.setup(saved), forward, reverse, saved)


# -- the mirrored program -----------------------------------------------------------------------------


@dataclass(eq=False)
class Step:
    """A simple statement, its reverse code, and the statement of the program it was made from.

    `saves`: the forward sweep saves something before it.
    """

    statement: ast.stmt
    code: list[ast.stmt]
    origin: ast.AST
    saves: bool = False


@dataclass(eq=False)
class Point:
    """A point of the program where the reverse sweep makes zeros, or reads `reads`."""

    code: list[ast.stmt]
    reads: frozenset[str] = frozenset()
    mark: ast.stmt = field(default_factory=ast.Pass)


@dataclass(eq=False)
class Branch:
    """An `if`. `guarded`: the reverse sweep must test which branch was taken."""

    statement: ast.If
    body: list[Node]
    orelse: list[Node]
    guarded: bool = True


@dataclass(eq=False)
class Loop:
    """A loop. `counted`: the nodes to reverse in each counted iteration, the body or its inner part."""

    statement: ast.For | ast.While
    walk: ast.expr | None
    body: list[Node]
    counted: list[Node]
    steps: str | None


Node = Step | Point | Branch | Loop


@dataclass
class _Builder:
    reversal: Reversal
    fresh: Callable[[str], str]
    saving: set[ast.AST]

    def step(self, statement: ast.stmt, code: list[ast.stmt], origin: ast.AST) -> Step:
        return Step(statement, code, origin, origin in self.saving)

    def block(self, statements: list[ast.stmt]) -> list[Node]:
        return [node for statement in statements for node in self.statement(statement)]

    def statement(self, s: ast.stmt) -> list[Node]:
        match s:
            case ast.If(test, body, orelse):
                zeros = self.reversal.branch_zeros
                sides = [
                    [*_point(zeros.get((s, k), [])), *self.block(branch)]
                    for k, branch in enumerate((body, orelse))
                ]
                branch = Branch(s, *sides)
                if not _has_reverse([branch]):
                    return [branch]
                return [branch, Point([], frozenset(names_read(test)))]
            case ast.For() | ast.While():
                return self.loop(s)
            case ast.Assign():
                return self.assignment(s)
        return [self.step(s, self.reversal.code.get(s, []), s)]

    def assignment(self, s: ast.Assign) -> list[Node]:
        code = self.reversal.code.get(s, [])
        (target,) = names_written(s)
        operation = self.reversal.typed.operations[s]
        if operation.kind == "alias" and operation.operands["x"] is not s.value:
            return [self.step(_assign([target], operation.operands["x"], s), code, s)]
        if (call := self.reversal.user_calls.get(s)) is not None:
            return [self.step(_assign([target, call.record], call_forward(call), s), code, s)]
        if (dynamic := self.reversal.dynamic_calls.get(s)) is not None:
            return [
                self.step(_assign([target, dynamic.pullback], call_at_run_time(s.value, dynamic), s), code, s)
            ]
        if (result := self.reversal.results.get(s)) is not None:
            made = self.step(_assign([result], s.value, s), code, s.value)
            return [made, self.step(_assign([target], _load(result), s), [], s)]
        return [self.step(s, code, s)]

    def loop(self, s: ast.For | ast.While) -> list[Node]:
        body = [*_point(self.reversal.step_zeros.get(s, [])), *self.block(s.body)]
        entry = self.reversal.entry_zeros.get(s, [])
        walk = s.iter if isinstance(s, ast.For) else None
        loop = Loop(s, walk, body, body, None)
        if not _has_reverse(body) and not entry:
            return [loop]
        before: list[Node] = []
        if walk is not None:
            loop.walk, before = self.steady(walk, s)
        if isinstance(s, ast.While) or _breaks(body):
            loop.steps = self.fresh("steps")
            before.append(self.step(_assign([loop.steps], ast.Constant(0), s), [], s))
            loop.counted = _counted(body)
        reads = set() if loop.walk is None else _bounds(loop.walk)
        if loop.steps:
            reads.add(loop.steps)
        return [*before, loop, Point(entry, frozenset(reads))]

    def steady(self, walk: ast.expr, s: ast.stmt) -> tuple[ast.expr, list[Node]]:
        """The range of a loop, with bounds that the body overwrites copied first."""
        assert isinstance(walk, ast.Call)
        written = {name for inner in _inside(s) for name in names_written(inner)}
        arguments, before = [], list[Node]()
        for argument in walk.args:
            if isinstance(argument, ast.Name) and argument.id in written:
                copied = self.fresh(f"{argument.id}_bound")
                before.append(self.step(_assign([copied], argument, s), [], argument))
                argument = _load(copied)
            arguments.append(argument)
        return ast.copy_location(ast.Call(walk.func, arguments, []), walk), before


def _point(code: list[ast.stmt]) -> list[Node]:
    return [Point(code)] if code else []


def _has_reverse(nodes: list[Node]) -> bool:
    for node in nodes:
        match node:
            case Step(_, code, _, saves) if code or saves:
                return True
            case Point(code) if code:
                return True
            case Branch(_, body, orelse) if _has_reverse(body) or _has_reverse(orelse):
                return True
            case Loop(_, _, body) if _has_reverse(body):
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


def _counted(body: list[Node]) -> list[Node]:
    """The part of a loop's body to count: past a leading test that only leaves the loop.

    In `while test: BODY`, written `while True: if test: BODY else: break`, that is BODY: an iteration
    that is counted took this branch, so that the reverse sweep need not test again.
    """
    significant = [k for k, node in enumerate(body) if not isinstance(node, Point) or node.code]
    if not significant or not isinstance(branch := body[significant[-1]], Branch):
        return body
    if _has_reverse(body[: significant[-1]]):
        return body
    for side, other in ((branch.body, branch.orelse), (branch.orelse, branch.body)):
        if _only_leaves(other) and side:
            branch.guarded = False
            return _counted(side)
    return body


def _only_leaves(nodes: list[Node]) -> bool:
    kinds = [type(node.statement) for node in nodes if isinstance(node, Step)]
    return len(kinds) == len(nodes) and ast.Break in kinds and not _has_reverse(nodes)


def _steps(nodes: list[Node]) -> Iterator[Step]:
    for node in nodes:
        match node:
            case Step():
                yield node
            case Branch(_, body, orelse):
                yield from _steps(body)
                yield from _steps(orelse)
            case Loop(_, _, body):
                yield from _steps(body)


def _inside(s: ast.stmt) -> Iterator[ast.stmt]:
    return (node for node in ast.walk(s) if isinstance(node, ast.stmt))


# -- for the analysis ---------------------------------------------------------------------------------


def _skeleton(nodes: list[Node], reads: dict[ast.stmt, frozenset[str]]) -> Iterator[ast.stmt]:
    """The forward sweep with a mark at each point, and what the reverse sweep reads at each statement."""
    for node in nodes:
        match node:
            case Step(statement, code):
                reads[statement] = reads_of(code)
                yield statement
            case Point(code, read, mark):
                reads[mark] = reads_of(code) | read
                yield mark
            case Branch(s, body, orelse):
                made: ast.stmt = ast.If(s.test, list(_skeleton(body, reads)), list(_skeleton(orelse, reads)))
                node.skeleton = made  # type: ignore[attr-defined]
                yield made
            case Loop(s, walk, body):
                inner = list(_skeleton(body, reads))
                if isinstance(s, ast.For):
                    yield ast.For(s.target, walk, inner, [])
                else:
                    yield ast.While(s.test, inner, [])


def reads_of(code: list[ast.stmt]) -> frozenset[str]:
    """The names reverse code reads before binding them itself."""
    read: set[str] = set()
    bound: set[str] = set()
    for statement in code:
        read |= names_read(statement) - bound
        if isinstance(statement, ast.AugAssign):
            read |= {n.id for n in ast.walk(statement.target) if isinstance(n, ast.Name)} - bound
        bound |= set(names_written(statement))
    return frozenset(read)


# -- weaving in the saves -----------------------------------------------------------------------------


@dataclass
class _Weaver:
    program: Program
    skeleton: list[ast.stmt]
    records: Records
    reads: dict[ast.stmt, frozenset[str]]
    fresh: Callable[[str], str]
    stacks: dict[tuple[ast.stmt, str], str] = field(default_factory=dict)
    missing: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        arguments = frozenset((*self.program.arguments, *self.program.inputs))
        self.assigned, self.assigned_at_end = assigned_before(self.skeleton, arguments)
        written = {name for s in self.skeleton for inner in _inside(s) for name in names_written(inner)}
        for s, names in self.records.saves.items():
            for name in names:
                self.stacks[s, name] = self.fresh(f"{name}_saved")
                if name not in self.assigned.get(s, frozenset()):
                    self.missing[name] = None
        for s, names in sorted(self.reads.items(), key=lambda item: sorted(item[1])):
            if isinstance(s, ast.Pass) and s in self.assigned:
                self.missing.update(dict.fromkeys(sorted((names & written) - self.assigned[s])))

    def forward(self, nodes: list[Node]) -> list[ast.stmt]:
        done: list[ast.stmt] = []
        for node in nodes:
            match node:
                case Step(statement):
                    done += self._checks(statement)
                    done += [_push(self.stacks[statement, v], v, statement) for v in self._saves(statement)]
                    done.append(statement)
                case Branch(s, body, orelse):
                    done += self._checks(node.skeleton)  # type: ignore[attr-defined]
                    taken = self.forward(body) or [ast.Pass()]
                    done.append(ast.copy_location(ast.If(s.test, taken, self.forward(orelse)), s))
                case Loop(s, walk, body, counted, steps):
                    inner = self._counting(body, counted, steps, s) or [ast.Pass()]
                    made: ast.stmt = (
                        ast.While(s.test, inner, []) if walk is None else ast.For(s.target, walk, inner, [])
                    )  # type: ignore[union-attr]
                    done.append(ast.copy_location(made, s))
        return done

    def _counting(
        self, body: list[Node], counted: list[Node], steps: str | None, s: ast.stmt
    ) -> list[ast.stmt]:
        """The loop's body with the count where the part to be reversed begins."""
        if steps is None:
            return self.forward(body)
        counted.insert(0, Step(ast.copy_location(_increment(steps), s), [], s))
        try:
            return self.forward(body)
        finally:
            counted.pop(0)

    def _checks(self, s: ast.stmt) -> list[ast.stmt]:
        """Reads of a variable that only the sweeps have bound: Python would say that it is not."""
        if not self.missing or s not in self.assigned:
            return []
        unsure = sorted(names_read(s) & self.missing.keys() - self.assigned[s])
        call = ast.Attribute(ast.Name("rt", ast.Load()), "bound", ast.Load())
        return [
            ast.copy_location(ast.Expr(ast.Call(call, [_load(name), ast.Constant(name)], [])), s)
            for name in unsure
        ]

    def reverse(self, nodes: list[Node]) -> list[ast.stmt]:
        done: list[ast.stmt] = []
        for node in reversed(nodes):
            match node:
                case Step(statement, code):
                    pops = [
                        _pop(self.stacks[statement, v], v, statement)
                        for v in reversed(self._saves(statement))
                    ]
                    # The code reads an operand as it was before the statement, a result as it was after.
                    first = bool(reads_of(code) & set(self._saves(statement)) & names_read(statement))
                    done += [*pops, *code] if first else [*code, *pops]
                case Point(code):
                    done += code
                case Branch(s, body, orelse, guarded):
                    done += self._reverse_branch(s, self.reverse(body), self.reverse(orelse), guarded)
                case Loop(s, walk, _, counted, steps):
                    inner = self.reverse(counted)
                    if inner:
                        done.append(_reverse_loop(s, walk, steps, inner))
        return done

    def _reverse_branch(
        self, s: ast.If, taken: list[ast.stmt], untaken: list[ast.stmt], guarded: bool
    ) -> list[ast.stmt]:
        if not guarded:
            return [*taken, *untaken]
        if taken:
            return [ast.copy_location(ast.If(s.test, taken, untaken), s)]
        if untaken:
            return [ast.copy_location(ast.If(ast.UnaryOp(ast.Not(), s.test), untaken, []), s)]
        return []

    def _saves(self, statement: ast.stmt) -> tuple[str, ...]:
        return self.records.saves.get(statement, ())

    def carried(
        self, forward: list[ast.stmt], reverse: list[ast.stmt], ended: frozenset[str]
    ) -> tuple[str, ...]:
        """The names the reverse sweep reads that the forward sweep, or the caller, bound."""
        made = {name for s in forward for inner in _inside(s) for name in names_written(inner)}
        made |= {*self.program.arguments, *self.program.inputs, *self.stacks.values(), *self.missing}
        read = {n.id for s in reverse for n in ast.walk(s) if isinstance(n, ast.Name)} | ended
        carried = tuple(sorted(read & made))
        sure = self.assigned_at_end if self.assigned_at_end is not None else frozenset(carried)
        unsure = [n for n in carried if n not in sure and n not in self.stacks.values()]
        self.missing.update(dict.fromkeys(unsure))
        return carried

    def setup(self, carried: tuple[str, ...]) -> list[ast.stmt]:
        at = self.program.source.node
        unbound = ast.Attribute(_load("rt"), "UNBOUND", ast.Load())
        none = [_assign([name], unbound, at) for name in self.missing]
        return [*none, *(_assign([stack], ast.List([], ast.Load()), at) for stack in self.stacks.values())]


def _reverse_loop(
    s: ast.For | ast.While, walk: ast.expr | None, steps: str | None, inner: list[ast.stmt]
) -> ast.stmt:
    if walk is None:
        assert steps is not None
        target: ast.expr = ast.Name("_", ast.Store())
        again: ast.expr = ast.Call(_load("range"), [_load(steps)], [])
    else:
        assert isinstance(s, ast.For) and isinstance(s.target, ast.Name)
        read = {n.id for i in inner for n in ast.walk(i) if isinstance(n, ast.Name)}
        target = ast.Name(s.target.id if s.target.id in read else "_", ast.Store())
        if target.id == "_":  # only the number of iterations matters
            again = walk if steps is None else ast.Call(_load("range"), [_load(steps)], [])
        else:
            if steps is not None:
                walk = ast.Subscript(walk, ast.Slice(None, _load(steps)), ast.Load())
            again = ast.Call(_load("reversed"), [walk], [])
    return ast.copy_location(ast.For(target, again, inner, []), s)


def _bounds(walk: ast.expr) -> set[str]:
    assert isinstance(walk, ast.Call)
    return {name for argument in walk.args for name in names_read(argument)}


def _load(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _assign(names: list[str], value: ast.expr, at: ast.AST) -> ast.stmt:
    targets: list[ast.expr] = [ast.Name(name, ast.Store()) for name in names]
    target = targets[0] if len(targets) == 1 else ast.Tuple(targets, ast.Store())
    return ast.copy_location(ast.Assign([target], value), at)


def _increment(steps: str) -> ast.stmt:
    return ast.AugAssign(ast.Name(steps, ast.Store()), ast.Add(), ast.Constant(1))


def _push(stack: str, name: str, at: ast.stmt) -> ast.stmt:
    append = ast.Attribute(_load(stack), "append", ast.Load())
    return ast.copy_location(ast.Expr(ast.Call(append, [_load(name)], [])), at)


def _pop(stack: str, name: str, at: ast.stmt) -> ast.stmt:
    pop = ast.Call(ast.Attribute(_load(stack), "pop", ast.Load()), [], [])
    return _assign([name], pop, at)
