"""Put the two sweeps together: what is saved, or computed again, which loops are reversed from snapshots."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from myia.adjoint.checkpoint import is_checkpoint, obstacle, written_contents, written_in
from myia.adjoint.economy import ask_others, compute_again, keep_shapes
from myia.adjoint.handles import bind_handles
from myia.adjoint.mirror import (
    MirrorBuilder,
    Node,
    Point,
    contents_of,
    count_loops,
    loops_of,
    skeleton_of,
    steps_of,
)
from myia.adjoint.reverse import Reversal
from myia.adjoint.weave import Weaver
from myia.analysis.record import Records, to_be_recorded
from myia.errors import UnsupportedSyntax
from myia.parse.program import Program, names_read
from myia.report import Recorder


@dataclass(frozen=True, eq=False)
class Sweeps:
    """The two sweeps; `setup` makes the stacks, `saved` is what the reverse sweep reads of the forward.

    `stacks`: what each stack saves; `plans`: the variables that hold the snapshots of loops; `sites`: with a
    recorder, the sites of what is kept until the end of the forward sweep, by variable.
    """

    setup: list[ast.stmt]
    forward: list[ast.stmt]
    reverse: list[ast.stmt]
    saved: tuple[str, ...]
    stacks: dict[str, str] = field(default_factory=dict)
    plans: frozenset[str] = frozenset()
    again: frozenset[str] = frozenset()
    """Variables of the reverse sweep that hold what was computed again."""
    sites: dict[str, int] = field(default_factory=dict)
    nodes: tuple[Node, ...] = ()
    """The mirrored program that they were read off."""


def sweeps(
    program: Program,
    reversal: Reversal,
    fresh: Callable[[str], str],
    split: bool,
    ended: frozenset[str] = frozenset(),
    restored: frozenset[str] = frozenset(),
    recorder: Recorder | None = None,
    economical: bool = True,
    checkpointed: bool = False,
) -> Sweeps:
    """Both sweeps of a program.

    `split`: they go into two functions, so that names must be carried over, `ended` among them, which
    are read after the reverse sweep. `restored`: arguments whose contents the reverse sweep leaves as
    they were before the forward sweep. `recorder`: counts what is kept, for a report. `economical`: what is
    cheap to compute again is not saved. `checkpointed`: loops are reversed from snapshots where they can be.
    """
    held = () if split else tuple(program.arguments)
    builder = _Builder(program, reversal, _remembering(fresh), ended, restored, economical, held)
    mirror = builder.build(frozenset(), contents=False)
    planned = frozenset(_planned(mirror.nodes, reversal, checkpointed))
    if planned:
        mirror = builder.build(planned, contents=False)
    if economical and reversal.aliases.shadowed:
        other = builder.build(planned, contents=True)
        if other.restored() <= mirror.restored():
            mirror = other
    nodes = mirror.nodes
    weaver = Weaver(program, reversal, nodes, mirror.skeleton, mirror.records, mirror.reads, fresh, recorder)
    weaver.plan_loops()
    reverse = weaver.reverse(nodes)
    forward = weaver.forward(nodes)
    known = len(weaver.missing)
    saved = weaver.carried(forward, reverse, ended) if split else ()
    sites = weaver.kept(forward, reverse)
    if len(weaver.missing) > known:
        forward = weaver.forward(nodes)  # what is passed on is bound from the start: its reads are checked
    plans = frozenset(n.plan for n in loops_of(nodes) if n.plan is not None)
    return Sweeps(
        weaver.setup(saved),
        forward,
        reverse,
        saved,
        weaver.contents,
        plans,
        mirror.again,
        sites,
        tuple(nodes),
    )


def _planned(nodes: list[Node], reversal: Reversal, checkpointed: bool) -> Iterator[ast.stmt]:
    """The loops to reverse from snapshots: those that can be, if asked for; the user's checkpoints always."""
    for loop in loops_of(nodes):
        manual = is_checkpoint(loop)
        if not loop.is_reversed or not (manual or checkpointed):
            continue
        why = obstacle(loop, reversal)
        if why is None:
            yield loop.statement
        elif manual:
            raise UnsupportedSyntax(
                "this checkpoint cannot be run again",
                reason=why,
                remedy="put less into it, or leave it out",
                location=reversal.typed.program.source.location(loop.statement),
            )


@dataclass(frozen=True, eq=False)
class _Mirror:
    """The mirrored program and what must be saved for it."""

    nodes: list[Node]
    skeleton: list[ast.stmt]
    reads: dict[ast.stmt, frozenset[str]]
    records: Records
    again: frozenset[str]

    def restored(self) -> set[ast.AST]:
        """The statements before which elements are saved that they write over."""
        stores = (step for step in steps_of(self.nodes) if step.overwritten is not None)
        return {s.origin for s in stores if s.overwritten and s.overwritten.memory in self.saves(s.statement)}

    def saves(self, s: ast.stmt) -> tuple[str, ...]:
        return self.records.saves.get(s, ())


@dataclass(frozen=True, eq=False)
class _Builder:
    program: Program
    reversal: Reversal
    named: Callable[[str, object], str]
    ended: frozenset[str]
    restored: frozenset[str]
    economical: bool
    held: tuple[str, ...]
    """The arguments that the caller keeps for as long as the reverse sweep runs."""

    def build(self, planned: frozenset[ast.stmt], contents: bool) -> _Mirror:
        """The mirrored program.

        `planned`: the loops to reverse from snapshots; `contents`: what is read from arrays that are written
        in place may be read again in the reverse sweep.
        """
        aliases = self.reversal.aliases
        at_start = frozenset(contents_of(self.restored, aliases))
        saving: set[ast.AST] = set()
        while True:
            nodes = MirrorBuilder(self.reversal, self.named, saving, planned).block(self.program.body)
            nodes.insert(0, Point([], self.ended))
            computed: frozenset[str] = frozenset()
            if self.economical:
                computed = compute_again(nodes, self.reversal.typed, aliases, self.named, contents)
                ask_others(nodes, self.reversal.typed, self.reversal.shapes, self.held, computed)
                keep_shapes(nodes, self.reversal.typed, self.program.arguments, self.named, saving)
            bind_handles(nodes, self.reversal)
            count_loops(nodes)
            reads: dict[ast.stmt, frozenset[str]] = {}
            skeleton = list(skeleton_of(nodes, reads, aliases))
            reads = {s: names - computed for s, names in reads.items()}
            whole = self.whole(nodes, reads)
            overwrites = {
                step.statement: step.overwritten.memory
                for step in steps_of(nodes)
                if step.overwritten is not None
            }
            records = to_be_recorded(skeleton, reads, overwrites, at_start, whole)
            found = {step.origin for step in steps_of(nodes) if step.statement in records.saves}
            if found <= saving:
                return _Mirror(nodes, skeleton, reads, records, computed)
            # A statement that saves must be passed in the reverse sweep, to restore: so must its loop and
            # branch.
            saving |= found

    def whole(
        self, nodes: list[Node], reads: dict[ast.stmt, frozenset[str]]
    ) -> dict[ast.stmt, frozenset[str]]:
        """The loops to reverse from snapshots, with what they write; what they read is added to `reads`."""
        found: dict[ast.stmt, frozenset[str]] = {}
        for loop in loops_of(nodes):
            if loop.plan is None:
                continue
            assert loop.skeleton is not None
            written = written_in(loop) | written_contents(loop, self.reversal)
            inner = [s for s in ast.walk(loop.skeleton) if isinstance(s, ast.stmt)]
            read = frozenset[str]().union(*(reads.get(s, frozenset()) for s in inner))
            # To run again, the loop reads what it read the first time.
            operands = {n for s in inner for n in names_read(s)}
            read |= operands | contents_of(operands, self.reversal.aliases) | {loop.plan}
            found[loop.skeleton] = written
            reads[loop.skeleton] = read - written
        return found


def _remembering(fresh: Callable[[str], str]) -> Callable[[str, object], str]:
    """Fresh names, the same each time they are asked for with the same key: the mirror is built anew."""
    known: dict[object, str] = {}

    def named(hint: str, key: object) -> str:
        if key not in known:
            known[key] = fresh(hint)
        return known[key]

    return named
