"""Weave the saves into the mirrored program, and write the two sweeps.

The forward sweep is the program itself, plus a count for each loop whose length the reverse sweep cannot
know, plus the saves that `analysis/record.py` asks for. The reverse sweep has the same blocks, each with its
statements reversed:

    for i in range(n):              for i in reversed(range(n)):
        h_saved.append(h)               ... reverse code of h = f(h) ...
        h = f(h)                        h = h_saved.pop()

A `break` needs no flag: the count tells how many iterations to reverse, and an `if` is reversed by its
recorded test. A loop that is reversed from snapshots saves nothing in the forward sweep; the reverse sweep
runs it again (`checkpoint.py`).
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from myia.adjoint.checkpoint import (
    LoopState,
    differs_each_time,
    is_checkpoint,
    is_effect,
    is_fixed,
    state_of,
    written_contents,
)
from myia.adjoint.code import load_name
from myia.adjoint.mirror import (
    Branch,
    Loop,
    Node,
    Point,
    Step,
    assign_names,
    free_names,
    inside,
    loops_of,
    steps_of,
)
from myia.adjoint.reverse import Reversal
from myia.analysis.record import Records, assigned_before
from myia.parse.program import Program, names_read, names_written
from myia.report import Recorder, Site


@dataclass(frozen=True)
class _Run:
    """A run of the body of a loop that is reversed from snapshots: the first one, or again."""

    plan: str
    first: bool


@dataclass
class Weaver:
    program: Program
    reversal: Reversal
    nodes: list[Node]
    skeleton: list[ast.stmt]
    records: Records
    reads: dict[ast.stmt, frozenset[str]]
    fresh: Callable[[str], str]
    recorder: Recorder | None = None
    stacks: dict[tuple[ast.stmt, str], str] = field(default_factory=dict)
    contents: dict[str, str] = field(default_factory=dict)
    """What each stack saves."""
    missing: dict[str, None] = field(default_factory=dict)
    _runs: list[_Run] = field(default_factory=list)
    """The loops around that are reversed from snapshots, the outermost first."""
    _saving: bool = True
    """Whether what is woven is to be reversed, and not run again first."""
    _leaving: bool = True
    """Whether a `break` leaves the loop around; in an iteration that is reversed, nothing follows it."""

    _again: bool = False
    """Whether it is an iteration that is run again, known not to have left the loop at once."""
    _states: dict[Loop, LoopState] = field(default_factory=dict)
    _positions: dict[Loop, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        arguments = frozenset((*self.program.arguments, *self.program.inputs))
        self.assigned, self.assigned_at_end = assigned_before(self.skeleton, arguments)
        written = {name for s in self.skeleton for inner in inside(s) for name in names_written(inner)}
        owners = {
            step.statement: step.overwritten.owner
            for step in steps_of(self.nodes)
            if step.overwritten is not None
        }
        self.planned = {loop.skeleton: loop for loop in loops_of(self.nodes) if loop.plan is not None}
        for s, names in self.records.saves.items():
            for name in names:
                if s in self.planned:
                    if name not in written_contents(self.planned[s], self.reversal):
                        stack = self.stacks[s, name] = self.fresh(f"{name}_saved")
                        self.contents[stack] = name
                        if name not in self.assigned.get(s, frozenset()):
                            self.missing[name] = None
                    continue
                stored = name not in names_written(s)
                stack = self.fresh(f"{owners[s]}_overwritten" if stored else f"{name}_saved")
                self.stacks[s, name] = stack
                self.contents[stack] = f"elements of {owners[s]}" if stored else name
                if not stored and name not in self.assigned.get(s, frozenset()):
                    self.missing[name] = None
        for s, read in self.reads.items():
            if isinstance(s, ast.Pass) and s in self.assigned:
                self.missing.update(dict.fromkeys(sorted((read & written) - self.assigned[s])))

    # -- the forward sweep ------------------------------------------------------------------------

    def forward(self, nodes: list[Node]) -> list[ast.stmt]:
        done: list[ast.stmt] = []
        for node in nodes:
            match node:
                case Step():
                    done += self._step(node)
                case Branch(taken=side) if side is not None and self._again:
                    done += self.forward(side)
                case Branch(s, body, orelse):
                    done += self._checks(node.skeleton)
                    taken = self.forward(body) or [ast.Pass()]
                    done.append(ast.copy_location(ast.If(s.test, taken, self.forward(orelse)), s))
                case Loop(plan=plan) if plan is not None and self._saving:
                    done += self._first_run(node)
                case Loop(s, _, body, counted, steps):
                    counts = steps if self._saving else None
                    done.append(self._loop(node, self._leaving_loop(body, counted, counts, s)))
        return done

    def _step(self, step: Step) -> list[ast.stmt]:
        statement = step.statement
        if not self._saving and any(step is loop.planned for loop in self.planned.values()):
            return []
        if isinstance(statement, ast.Break) and not self._leaving:
            return []
        if any(not run.first for run in self._runs) and is_effect(step):
            return []
        if self._runs and differs_each_time(step, self.reversal.typed):
            statement = self._replayed(statement)
        saves = [self._push(step, v) for v in self._saves(step.statement)] if self._saving else []
        return [*self._checks(step.statement), *saves, statement]

    def _replayed(self, s: ast.stmt) -> ast.stmt:
        """A statement whose value is noted the first time it is run, and taken from the notes again."""
        assert isinstance(s, ast.Assign)
        value = s.value
        for run in self._runs:
            method = ast.Attribute(load_name(run.plan), "record" if run.first else "replay", ast.Load())
            value = ast.Call(method, [value] if run.first else [], [])
        return ast.copy_location(ast.Assign(s.targets, value), s)

    def _loop(self, loop: Loop, inner: list[ast.stmt]) -> ast.stmt:
        s = loop.statement
        inner = inner or [ast.Pass()]
        made: ast.stmt = ast.While(ast.Constant(True), inner, [])
        if isinstance(s, ast.For):
            assert loop.walk is not None
            made = ast.For(s.target, loop.walk, inner, [])
        return ast.copy_location(made, s)

    def _leaving_loop(
        self, body: list[Node], counted: list[Node], steps: str | None, s: ast.stmt, again: bool = False
    ) -> list[ast.stmt]:
        """The loop's body with the count where the part to be reversed begins."""
        leaving, self._leaving = self._leaving, True
        outer, self._again = self._again, again
        try:
            if steps is None:
                return self.forward(body)
            counted.insert(0, Step(ast.copy_location(_increment(steps), s), [], s))
            try:
                return self.forward(body)
            finally:
                counted.pop(0)
        finally:
            self._leaving, self._again = leaving, outer

    # -- loops that are reversed from snapshots ---------------------------------------------------------

    def _first_run(self, loop: Loop) -> list[ast.stmt]:
        """The loop, with its state kept before some iterations, and nothing else."""
        assert loop.plan is not None
        s = loop.statement
        saves = [
            _push(self.stacks[key], load_name(key[1]), s) for key in self.stacks if key[0] is loop.skeleton
        ]
        body = self._run(loop, first=True, counts=True)
        if is_checkpoint(loop):
            return [*saves, self._head(loop), *body]
        end = [load_name(loop.steps)] if loop.steps else []
        return [
            *saves,
            self._loop(loop, [self._head(loop), *body]),
            ast.copy_location(ast.Expr(_method(loop.plan, "end", *end)), s),
        ]

    def _run(self, loop: Loop, first: bool, counts: bool = False) -> list[ast.stmt]:
        """The body of the loop, to be run on the way to a later iteration."""
        assert loop.plan is not None
        saving, self._saving = self._saving, False
        self._runs.append(_Run(loop.plan, first))
        try:
            steps = loop.steps if counts else None
            return self._leaving_loop(loop.body, loop.counted, steps, loop.statement, again=not first)
        finally:
            self._runs.pop()
            self._saving = saving

    def _turn(self, loop: Loop) -> list[ast.stmt]:
        """The body of the loop, to be reversed at once."""
        assert loop.plan is not None
        leaving, self._leaving = self._leaving, False
        outer, self._again = self._again, True
        self._runs.append(_Run(loop.plan, False))
        try:
            return [*self.forward(loop.body), *self.reverse(loop.counted)]
        finally:
            self._runs.pop()
            self._leaving, self._again = leaving, outer

    def _state(self, loop: Loop) -> LoopState:
        """What a snapshot of the loop holds."""
        if loop not in self._states:
            found = state_of(loop, self.reversal, free_names(self._turn(loop)))
            assert loop.skeleton is not None
            sure = self.assigned.get(loop.skeleton, frozenset())
            self.missing.update(dict.fromkeys(n for n in found.variables if n not in sure))
            self._states[loop] = found
        return self._states[loop]

    def _head(self, loop: Loop) -> ast.stmt:
        assert loop.plan is not None
        state = self._state(loop)
        given = [_tuple(state.variables)]
        if state.arrays:
            given.append(_tuple(state.arrays))
        return ast.copy_location(ast.Expr(_method(loop.plan, "head", *given)), loop.statement)

    def _reverse_planned(self, loop: Loop) -> list[ast.stmt]:
        assert loop.plan is not None
        s, state, plan = loop.statement, self._state(loop), loop.plan
        if is_checkpoint(loop):
            return self._reverse_block(loop, plan, state)
        at, stop = self._names(loop)
        restored: list[ast.stmt] = []
        if state.variables:
            targets: list[ast.expr] = [ast.Name(n, ast.Store()) for n in state.variables]
            restored = [ast.Assign([ast.Tuple(targets, ast.Store())], _method(plan, "state"))]
        target = s.target if isinstance(s, ast.For) else None
        stretch: ast.expr = ast.Call(load_name("range"), [load_name(at), load_name(stop)], [])
        chosen: list[ast.stmt] = []
        if loop.walk is not None and target is not None:
            stretch = ast.Subscript(loop.walk, ast.Slice(load_name(at), load_name(stop)), ast.Load())
            chosen = [ast.Assign([target], ast.Subscript(loop.walk, load_name(stop), ast.Load()))]
        again = ast.For(
            target or ast.Name("_", ast.Store()), stretch, [self._head(loop), *self._run(loop, False)], []
        )
        turn = ast.Expr(_method(plan, "turn"))
        both = ast.Tuple([ast.Name(at, ast.Store()), ast.Name(stop, ast.Store())], ast.Store())
        inner = [*restored, again, turn, *chosen]
        made = ast.For(
            both,
            _method(plan, "reversed"),
            [*(ast.copy_location(i, s) for i in inner), *self._turn(loop)],
            [],
        )
        return [ast.copy_location(made, s), *self._pops(loop)]

    def _reverse_block(self, loop: Loop, plan: str, state: LoopState) -> list[ast.stmt]:
        again: ast.stmt = ast.Expr(_method(plan, "again"))
        if state.variables:
            targets: list[ast.expr] = [ast.Name(n, ast.Store()) for n in state.variables]
            again = ast.Assign([ast.Tuple(targets, ast.Store())], _method(plan, "again"))
        rewind = [ast.Expr(_method(plan, "rewind"))] if self._rewinds(loop) else []
        s = loop.statement
        return [
            ast.copy_location(again, s),
            *self._turn(loop),
            *(ast.copy_location(r, s) for r in rewind),
            *self._pops(loop),
        ]

    def _pops(self, loop: Loop) -> list[ast.stmt]:
        """Takes back what the loop as a whole wrote over."""
        return [
            _pop(self.stacks[key], ast.Name(key[1], ast.Store()), loop.statement)
            for key in reversed(self.stacks)
            if key[0] is loop.skeleton
        ]

    def _rewinds(self, loop: Loop) -> bool:
        """Whether arrays must be what they were before the loop."""
        assert loop.skeleton is not None
        saved = self.records.saves.get(loop.skeleton, ())
        return not written_contents(loop, self.reversal).isdisjoint(saved)

    def _names(self, loop: Loop) -> tuple[str, str]:
        if loop not in self._positions:
            self._positions[loop] = self.fresh("start"), self.fresh("stop")
        return self._positions[loop]

    def plan_loops(self) -> None:
        """Complete the statements that begin the plans, which tell what a loop takes beside its snapshots."""
        loops = list(self.planned.values())
        for number, loop in enumerate(loops):
            assert loop.planned is not None
            assert loop.skeleton is not None
            made = loop.planned.statement
            assert isinstance(made, ast.Assign)
            assert isinstance(made.value, ast.Call)
            bound = self.reversal.loop_bound.get(loop.statement, frozenset())
            sure = self.assigned.get(loop.planned.statement, frozenset())
            names = sorted({*bound, *self._state(loop).arrays} & sure)
            sums = [n for n in self.reversal.outer_sums.get(loop.statement, ()) if n in sure]
            stores = sum(
                s.overwritten is not None and bool(self._saves(s.statement)) for s in steps_of([loop])
            )
            rewinds = self._rewinds(loop)
            if is_checkpoint(loop):
                if rewinds:
                    made.value.keywords = [ast.keyword("rewinds", ast.Constant(True))]
                continue
            following = [other for other in loops[number + 1 :] if not is_checkpoint(other)]
            later = sum(_follows(self.nodes, loop, other) for other in following)
            given = {
                "adjoints": _tuple(names) if names else None,
                "sums": _tuple(sums) if sums else None,
                "stores": ast.Constant(stores) if stores else None,
                "share": ast.Constant(1 + later) if later else None,
                "rewinds": ast.Constant(True) if rewinds else None,
                "fixed": ast.Constant(True) if is_fixed(loop, self.reversal, self._state(loop)) else None,
            }
            made.value.keywords = [ast.keyword(n, v) for n, v in given.items() if v is not None]

    def _checks(self, s: ast.stmt | None) -> list[ast.stmt]:
        """Reads of a variable that only the sweeps have bound: Python would say that it is not."""
        if not self.missing or s is None or s not in self.assigned:
            return []
        read = names_read(s)
        if isinstance(s, ast.FunctionDef):
            read = set(self.program.nested[s.name].captures)
        unsure = sorted(read & self.missing.keys() - self.assigned[s])
        call = ast.Attribute(ast.Name("rt", ast.Load()), "bound", ast.Load())
        return [
            ast.copy_location(ast.Expr(ast.Call(call, [load_name(name), ast.Constant(name)], [])), s)
            for name in unsure
        ]

    # -- the reverse sweep ------------------------------------------------------------------------

    def reverse(self, nodes: list[Node]) -> list[ast.stmt]:
        done: list[ast.stmt] = []
        for node in reversed(nodes):
            match node:
                case Step(statement, code):
                    pops = [self._pop(node, v) for v in reversed(self._saves(statement))]
                    # The code reads an operand as it was before the statement, a result as it was after.
                    early = [
                        k
                        for k, v in enumerate(reversed(self._saves(statement)))
                        if v in names_read(statement) or v not in names_written(statement)
                    ]
                    done += node.before
                    done += [pops[k] for k in early]
                    done += code
                    done += [pop for k, pop in enumerate(pops) if k not in early]
                case Point(code):
                    done += code
                case Branch(s, body, orelse, guarded):
                    done += self._reverse_branch(s, self.reverse(body), self.reverse(orelse), guarded)
                case Loop(plan=plan) if plan is not None:
                    done += self._reverse_planned(node)
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

    def _push(self, step: Step, name: str) -> ast.stmt:
        """Save a variable, or the elements that a store writes over."""
        stack = self.stacks[step.statement, name]
        if name in names_written(step.statement):
            return _push(stack, load_name(name), step.statement)
        assert step.overwritten is not None
        return _push(stack, step.overwritten.old, step.statement)

    def _pop(self, step: Step, name: str) -> ast.stmt:
        stack = self.stacks[step.statement, name]
        if name in names_written(step.statement):
            return _pop(stack, ast.Name(name, ast.Store()), step.statement)
        assert step.overwritten is not None
        owner, index = step.overwritten.owner, step.overwritten.index
        return _pop(stack, ast.Subscript(load_name(owner), index, ast.Store()), step.statement)

    def _saves(self, statement: ast.stmt) -> tuple[str, ...]:
        return self.records.saves.get(statement, ())

    def carried(
        self, forward: list[ast.stmt], reverse: list[ast.stmt], ended: frozenset[str]
    ) -> tuple[str, ...]:
        """The names the reverse sweep reads that the forward sweep, or the caller, bound."""
        made = {name for s in forward for inner in inside(s) for name in names_written(inner)}
        made |= {*self.program.arguments, *self.program.inputs, *self.stacks.values(), *self.missing}
        read = free_names(reverse) | ended
        carried = tuple(sorted(read & made))
        sure = self.assigned_at_end if self.assigned_at_end is not None else frozenset(carried)
        unsure = [n for n in carried if n not in sure and n not in self.stacks.values()]
        self.missing.update(dict.fromkeys(unsure))
        return carried

    def setup(self, carried: tuple[str, ...]) -> list[ast.stmt]:
        at = self.program.source.node
        unbound = ast.Attribute(load_name("rt"), "UNBOUND", ast.Load())
        none = [assign_names([name], unbound, at) for name in self.missing]
        return [
            *none,
            *(assign_names([stack], self.empty(s, name), at) for (s, name), stack in self.stacks.items()),
        ]

    # -- for a report -----------------------------------------------------------------------------

    def empty(self, s: ast.stmt, name: str) -> ast.expr:
        """An empty stack, or one that counts."""
        if self.recorder is None:
            return ast.List([], ast.Load())
        owner = next((n.overwritten for n in steps_of(self.nodes) if n.statement is s), None)
        stored = name not in names_written(s) and s not in self.planned
        what = owner.owner if stored and owner is not None else name
        at = self.planned[s].statement if s in self.planned else s
        number = self.recorder.site(self.site(at, what, stored, True, name))
        return ast.Call(ast.Attribute(load_name("recorder"), "stack", ast.Load()), [ast.Constant(number)], [])

    def kept(self, forward: list[ast.stmt], reverse: list[ast.stmt]) -> dict[str, int]:
        """The sites of the variables that the reverse sweep reads as the forward sweep left them."""
        if self.recorder is None:
            return {}
        made = {n: inner for s in forward for inner in inside(s) for n in names_written(inner)}
        found = sorted(free_names(reverse) & made.keys() - set(self.stacks.values()))
        if self.assigned_at_end is not None:
            self.missing.update(dict.fromkeys(n for n in found if n not in self.assigned_at_end))
        return {n: self.recorder.site(self.site(made[n], n, False, False, n)) for n in found}

    def site(self, s: ast.stmt, what: str, elements: bool, pushed: bool, read: str) -> Site:
        readers = {getattr(at, "lineno", 0) for at, names in self.reads.items() if read in names}
        line = getattr(s, "lineno", 0)
        filename = self.program.source.filename
        text = linecache.getline(filename, line).strip()
        return Site(
            self.program.name, what, elements, pushed, filename, line, text, tuple(sorted(readers - {0}))
        )


def _reverse_loop(
    s: ast.For | ast.While, walk: ast.expr | None, steps: str | None, inner: list[ast.stmt]
) -> ast.stmt:
    if walk is None:
        assert steps is not None
        target: ast.expr = ast.Name("_", ast.Store())
        again: ast.expr = ast.Call(load_name("range"), [load_name(steps)], [])
    else:
        assert isinstance(s, ast.For)
        assert isinstance(s.target, ast.Name)
        read = {n.id for i in inner for n in ast.walk(i) if isinstance(n, ast.Name)}
        target = ast.Name(s.target.id if s.target.id in read else "_", ast.Store())
        if target.id == "_":  # only the number of iterations matters
            again = walk if steps is None else ast.Call(load_name("range"), [load_name(steps)], [])
        else:
            if steps is not None:
                walk = ast.Subscript(walk, ast.Slice(None, load_name(steps)), ast.Load())
            again = ast.Call(load_name("reversed"), [walk], [])
    return ast.copy_location(ast.For(target, again, inner, []), s)


def _follows(nodes: list[Node], loop: Loop, other: Loop) -> bool:
    """Whether a loop begins when another one has ended, its snapshots being kept."""
    return not any(other is inner for inner in loops_of([loop]))


def _method(owner: str, name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Attribute(load_name(owner), name, ast.Load()), list(arguments), [])


def _tuple(names: Iterable[str]) -> ast.expr:
    return ast.Tuple([load_name(n) for n in names], ast.Load())


def _increment(steps: str) -> ast.stmt:
    return ast.AugAssign(ast.Name(steps, ast.Store()), ast.Add(), ast.Constant(1))


def _push(stack: str, value: ast.expr, at: ast.stmt) -> ast.stmt:
    append = ast.Attribute(load_name(stack), "append", ast.Load())
    return ast.copy_location(ast.Expr(ast.Call(append, [value], [])), at)


def _pop(stack: str, target: ast.expr, at: ast.stmt) -> ast.stmt:
    pop = ast.Call(ast.Attribute(load_name(stack), "pop", ast.Load()), [], [])
    return ast.copy_location(ast.Assign([target], pop), at)
