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
import linecache
from collections.abc import Callable
from dataclasses import dataclass, field

from myia.adjoint.code import load_name
from myia.adjoint.economy import compute_again, keep_shapes
from myia.adjoint.handles import bind_handles
from myia.adjoint.mirror import (
    Branch,
    Loop,
    MirrorBuilder,
    Node,
    Point,
    Step,
    assign_names,
    contents_of,
    count_loops,
    inside,
    skeleton_of,
    steps_of,
)
from myia.adjoint.reverse import Reversal
from myia.analysis.record import Records, assigned_before, to_be_recorded
from myia.parse.program import Program, names_read, names_written
from myia.report import Recorder, Site


@dataclass(frozen=True, eq=False)
class Sweeps:
    """The two sweeps; `setup` makes the stacks, `saved` is what the reverse sweep reads of the forward.

    `sites`: with a recorder, the sites of what is kept until the end of the forward sweep, by variable.
    """

    setup: list[ast.stmt]
    forward: list[ast.stmt]
    reverse: list[ast.stmt]
    saved: tuple[str, ...]
    sites: dict[str, int] = field(default_factory=dict)


def sweeps(
    program: Program,
    reversal: Reversal,
    fresh: Callable[[str], str],
    split: bool,
    ended: frozenset[str] = frozenset(),
    restored: frozenset[str] = frozenset(),
    recorder: Recorder | None = None,
    economical: bool = True,
) -> Sweeps:
    """Both sweeps of a program.

    `split`: they go into two functions, so that names must be carried over, `ended` among them, which
    are read after the reverse sweep. `restored`: arguments whose contents the reverse sweep leaves as
    they were before the forward sweep. `recorder`: counts what is kept, for a report. `economical`: what is
    cheap to compute again is not saved.
    """
    named = _remembering(fresh)
    mirror = _mirrored(program, reversal, named, ended, restored, economical, contents=False)
    if economical and reversal.aliases.shadowed:
        other = _mirrored(program, reversal, named, ended, restored, True, contents=True)
        if other.restored() <= mirror.restored():
            mirror = other
    nodes = mirror.nodes
    weaver = _Weaver(program, nodes, mirror.skeleton, mirror.records, mirror.reads, fresh, recorder)
    reverse = weaver.reverse(nodes)
    forward = weaver.forward(nodes)
    saved = weaver.carried(forward, reverse, ended) if split else ()
    return Sweeps(weaver.setup(saved), forward, reverse, saved, weaver.kept(forward, reverse))


@dataclass(frozen=True, eq=False)
class _Mirror:
    """The mirrored program and what must be saved for it."""

    nodes: list[Node]
    skeleton: list[ast.stmt]
    reads: dict[ast.stmt, frozenset[str]]
    records: Records

    def restored(self) -> set[ast.AST]:
        """The statements before which elements are saved that they write over."""
        stores = (step for step in steps_of(self.nodes) if step.overwritten is not None)
        return {s.origin for s in stores if s.overwritten and s.overwritten.memory in self.saves(s.statement)}

    def saves(self, s: ast.stmt) -> tuple[str, ...]:
        return self.records.saves.get(s, ())


def _mirrored(
    program: Program,
    reversal: Reversal,
    named: Callable[[str, object], str],
    ended: frozenset[str],
    restored: frozenset[str],
    economical: bool,
    contents: bool,
) -> _Mirror:
    """`contents`: what is read from arrays that are written in place may be read again in the reverse sweep."""
    aliases = reversal.aliases
    at_start = frozenset(contents_of(restored, aliases))
    saving: set[ast.AST] = set()
    while True:
        nodes = MirrorBuilder(reversal, named, saving).block(program.body)
        nodes.insert(0, Point([], ended))
        computed: frozenset[str] = frozenset()
        if economical:
            computed = compute_again(nodes, reversal.typed, aliases, contents)
            keep_shapes(nodes, reversal.typed, program.arguments, named, saving)
        bind_handles(nodes, reversal)
        count_loops(nodes)
        reads: dict[ast.stmt, frozenset[str]] = {}
        skeleton = list(skeleton_of(nodes, reads, aliases))
        reads = {s: names - computed for s, names in reads.items()}
        overwrites = {
            step.statement: step.overwritten.memory
            for step in steps_of(nodes)
            if step.overwritten is not None
        }
        records = to_be_recorded(skeleton, reads, overwrites, at_start)
        found = {step.origin for step in steps_of(nodes) if step.statement in records.saves}
        if found <= saving:
            return _Mirror(nodes, skeleton, reads, records)
        # A statement that saves must be passed in the reverse sweep, to restore: so must its loop and branch.
        saving |= found


def _remembering(fresh: Callable[[str], str]) -> Callable[[str, object], str]:
    """Fresh names, the same each time they are asked for with the same key: the mirror is built anew."""
    known: dict[object, str] = {}

    def named(hint: str, key: object) -> str:
        if key not in known:
            known[key] = fresh(hint)
        return known[key]

    return named


# -- weaving in the saves -----------------------------------------------------------------------------


@dataclass
class _Weaver:
    program: Program
    nodes: list[Node]
    skeleton: list[ast.stmt]
    records: Records
    reads: dict[ast.stmt, frozenset[str]]
    fresh: Callable[[str], str]
    recorder: Recorder | None = None
    stacks: dict[tuple[ast.stmt, str], str] = field(default_factory=dict)
    missing: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        arguments = frozenset((*self.program.arguments, *self.program.inputs))
        self.assigned, self.assigned_at_end = assigned_before(self.skeleton, arguments)
        written = {name for s in self.skeleton for inner in inside(s) for name in names_written(inner)}
        owners = {
            step.statement: step.overwritten.owner
            for step in steps_of(self.nodes)
            if step.overwritten is not None
        }
        for s, names in self.records.saves.items():
            for name in names:
                stored = name not in names_written(s)
                self.stacks[s, name] = self.fresh(f"{owners[s]}_overwritten" if stored else f"{name}_saved")
                if not stored and name not in self.assigned.get(s, frozenset()):
                    self.missing[name] = None
        for s, read in self.reads.items():
            if isinstance(s, ast.Pass) and s in self.assigned:
                self.missing.update(dict.fromkeys(sorted((read & written) - self.assigned[s])))

    def forward(self, nodes: list[Node]) -> list[ast.stmt]:
        done: list[ast.stmt] = []
        for node in nodes:
            match node:
                case Step(statement):
                    done += self._checks(statement)
                    done += [self._push(node, v) for v in self._saves(statement)]
                    done.append(statement)
                case Branch(s, body, orelse):
                    done += self._checks(node.skeleton)
                    taken = self.forward(body) or [ast.Pass()]
                    done.append(ast.copy_location(ast.If(s.test, taken, self.forward(orelse)), s))
                case Loop(s, walk, body, counted, steps):
                    inner = self._counting(body, counted, steps, s) or [ast.Pass()]
                    made: ast.stmt = ast.While(ast.Constant(True), inner, [])
                    if isinstance(s, ast.For):
                        assert walk is not None
                        made = ast.For(s.target, walk, inner, [])
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
        stored = name not in names_written(s)
        what = owner.owner if stored and owner is not None else name
        number = self.recorder.site(self.site(s, what, stored, True, name))
        return ast.Call(ast.Attribute(load_name("recorder"), "stack", ast.Load()), [ast.Constant(number)], [])

    def kept(self, forward: list[ast.stmt], reverse: list[ast.stmt]) -> dict[str, int]:
        """The sites of the variables that the reverse sweep reads as the forward sweep left them."""
        if self.recorder is None:
            return {}
        made = {n: inner for s in forward for inner in inside(s) for n in names_written(inner)}
        found = sorted(free_names(reverse) & made.keys() - set(self.stacks.values()))
        return {n: self.recorder.site(self.site(made[n], n, False, False, n)) for n in found}

    def site(self, s: ast.stmt, what: str, elements: bool, pushed: bool, read: str) -> Site:
        readers = {getattr(at, "lineno", 0) for at, names in self.reads.items() if read in names}
        line = getattr(s, "lineno", 0)
        text = linecache.getline(self.program.source.filename, line).strip()
        return Site(self.program.name, what, elements, pushed, line, text, tuple(sorted(readers - {0})))


def free_names(block: list[ast.stmt], bound: frozenset[str] = frozenset()) -> set[str]:
    """The names a block reads that it may not have bound itself."""
    free: set[str] = set()
    own = set(bound)
    for s in block:
        match s:
            case ast.If(test, body, orelse):
                free |= names_read(test) - own
                free |= free_names(body, frozenset(own)) | free_names(orelse, frozenset(own))
            case ast.For(_, walk, body):
                free |= names_read(walk) - own
                free |= free_names(body, frozenset({*own, *names_written(s)}))
            case _:
                free |= names_read(s) - own
                if isinstance(s, ast.AugAssign):
                    free |= {n.id for n in ast.walk(s.target) if isinstance(n, ast.Name)} - own
                own |= set(names_written(s))
    return free


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


def _increment(steps: str) -> ast.stmt:
    return ast.AugAssign(ast.Name(steps, ast.Store()), ast.Add(), ast.Constant(1))


def _push(stack: str, value: ast.expr, at: ast.stmt) -> ast.stmt:
    append = ast.Attribute(load_name(stack), "append", ast.Load())
    return ast.copy_location(ast.Expr(ast.Call(append, [value], [])), at)


def _pop(stack: str, target: ast.expr, at: ast.stmt) -> ast.stmt:
    pop = ast.Call(ast.Attribute(load_name(stack), "pop", ast.Load()), [], [])
    return ast.copy_location(ast.Assign([target], pop), at)
