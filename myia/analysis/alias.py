"""Aliases: which variables may share memory, or be reachable from one another, and which are written.

Variables are put into classes (Steensgaard 1996): an operation whose result may share memory with an
operand, or hold it, joins their classes; so does storing one in the other. The answer does not depend on
the place in the program, and doubt joins. Numbers have no memory and belong to no class.

A class into which anything writes in place is in *shadow form* (`adjoint/reverse.py`); all others keep
the value form.
"""

from __future__ import annotations

import ast
import builtins
import functools
import operator
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import myia.runtime as rt
from myia.parse.program import Program, names_read, names_written, statements_of
from myia.parse.typed import CLOSURE, EFFECT, Operation, Typed
from myia.parse.types import (
    ANY,
    AnyType,
    Array,
    Bottom,
    Dict,
    Known,
    List,
    NumpyScalar,
    Scalar,
    Tuple,
    Type,
    is_number,
    type_of,
)

MAY_SHARE: frozenset[Any] = frozenset(
    {
        np.array, np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray, np.ndarray.astype,
        np.diagonal, np.diag, np.einsum, np.reshape, np.ndarray.reshape, np.ravel, np.ndarray.ravel,
        np.expand_dims, np.squeeze, np.atleast_1d, np.atleast_2d, np.atleast_3d, np.transpose,
        np.ndarray.transpose, ("attribute", "T"), ("attribute", "mT"), np.matrix_transpose,
        np.linalg.matrix_transpose, ("attribute", "real"), np.swapaxes, np.moveaxis, np.rollaxis, np.split,
        np.array_split, np.hsplit, np.vsplit, np.dsplit, np.broadcast_to, np.broadcast_arrays, np.flip,
        np.fliplr, np.flipud, np.rot90, np.meshgrid, np.linalg.matrix_power, np.diff, np.conjugate,
        np.real, np.nan_to_num, np.float64, np.float32,
        list, tuple, dict, builtins.max, builtins.min, builtins.sum, builtins.sorted, operator.getitem,
        rt.sequence, rt.unpacked, rt.unpacked_at_least, rt.as_list, rt.as_tuple, rt.append, rt.insert,
        rt.include, rt.built, rt.values, rt.items, rt.merged, ("method", "get"),
    }
)  # fmt: skip
"""Functions with a rule whose result may be an operand, a view of one, or hold one. The results of all
others are in memory of their own; `tests/analysis/test_alias.py` checks that on every rule's cases."""

VIEWS: frozenset[Any] = frozenset(
    {
        np.transpose, np.ndarray.transpose, ("attribute", "T"), ("attribute", "mT"), np.matrix_transpose,
        np.linalg.matrix_transpose, np.swapaxes, np.moveaxis, np.rollaxis, np.expand_dims, np.diagonal,
        np.flip, np.fliplr, np.flipud, np.broadcast_to,
    }
)  # fmt: skip
"""Of those, the functions that give a view of an array always."""

_NONE: frozenset[str] = frozenset()


def may_refer(t: Type) -> bool:
    """Whether a value of this type may have memory that another variable shares."""
    return not isinstance(t, (Scalar, NumpyScalar, Known, Bottom)) and not is_number(t)


def is_reference(t: Type) -> bool:
    """Whether a value of this type surely has: not a number, for all that types tell."""
    return (isinstance(t, Array) and t.rank is not None) or (
        may_refer(t) and not isinstance(t, (AnyType, Array))
    )


@dataclass(eq=False)
class Summary:
    """What a call of a program does to its arguments: which it joins, and which it writes into."""

    groups: frozenset[frozenset[str]] = frozenset()
    """Arguments, the result as `RESULT` and globals as `OUTSIDE`, that may share memory after the call."""
    written: frozenset[str] = _NONE


RESULT = "return"

OUTSIDE = "*outside"
"""The name, in classes and groups, of all that is not the function's own: globals, attributes of modules,
classes and functions, defaults of parameters."""


@dataclass(eq=False)
class Aliases:
    """The classes of one program; `shadowed`: those in shadow form."""

    typed: Typed
    classes: dict[str, str]
    """The variables that may refer to memory, each with the representative of its class."""
    written: frozenset[str]
    """Representatives of the classes written in place."""
    shadowed: frozenset[str]
    through_calls: frozenset[str] = _NONE
    """Representatives of the classes that a called function writes into."""
    writers: dict[ast.AST, frozenset[str]] = field(default_factory=dict)
    """The statements that write, with the classes they write into."""

    def class_of(self, name: str) -> str | None:
        return self.classes.get(name)

    def in_shadow(self, name: str) -> bool:
        """Whether the adjoint of what a variable refers to is kept in shadows."""
        return self.classes.get(name) in self.shadowed

    def members(self, representative: str) -> frozenset[str]:
        return self._members.get(representative, _NONE)

    @functools.cached_property
    def _members(self) -> dict[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        for name, representative in self.classes.items():
            found.setdefault(representative, set()).add(name)
        return {representative: frozenset(names) for representative, names in found.items()}

    def shadow_classes(self, names: set[str]) -> frozenset[str]:
        """The classes in shadow form among those of `names`."""
        return frozenset(r for n in names if (r := self.classes.get(n)) in self.shadowed and r is not None)


@dataclass
class AliasAnalysis:
    """The classes of the programs of one compilation. Recursion repeats until nothing changes."""

    summaries: dict[Typed, Summary] = field(default_factory=dict)
    _running: set[Typed] = field(default_factory=set)
    _changed: bool = False

    def of(self, typed: Typed, forced: frozenset[str] = _NONE) -> Aliases:
        """The classes of a program; those of the variables in `forced` are in shadow form in any case."""
        self.summary(typed)
        found = _Classes(typed, self).run()
        forced_classes = {found.classes[name] for name in forced if name in found.classes}
        found.shadowed = found.written | forced_classes
        return found

    def summary(self, typed: Typed) -> Summary:
        if typed in self._running:
            return self.summaries.setdefault(typed, Summary())
        if typed in self.summaries and not self._running:
            return self.summaries[typed]
        outermost = not self._running
        self._running.add(typed)
        while True:
            self._changed = False
            self.update(typed)
            if not self._changed:
                break
        self._running.discard(typed)
        if outermost:
            self._changed = False
        return self.summaries[typed]

    def update(self, typed: Typed) -> None:
        found = _Classes(typed, self).run()
        arguments = set(typed.program.arguments)
        groups = []
        for representative in sorted(set(found.classes.values())):
            members = found.members(representative)
            group = {n for n in members if n in arguments}
            if typed.program.result in members:
                group.add(RESULT)
            if OUTSIDE in members:
                group.add(OUTSIDE)
            if group - {OUTSIDE}:
                groups.append(frozenset(group))
        written = frozenset(n for n in arguments if found.classes.get(n) in found.written)
        new = Summary(frozenset(groups), written)
        old = self.summaries.get(typed)
        if old is None or (old.groups, old.written) != (new.groups, new.written):
            self.summaries[typed] = new
            self._changed = True


@dataclass
class _Classes:
    """One walk over a program."""

    typed: Typed
    analysis: AliasAnalysis
    parents: dict[str, str] = field(default_factory=dict)
    writes: list[tuple[ast.stmt, str]] = field(default_factory=list)
    called: set[str] = field(default_factory=set)
    values: set[str] = field(default_factory=set)
    """What is read other than by a call: a nested function that is only called holds nothing."""

    def run(self) -> Aliases:
        self.parents[OUTSIDE] = OUTSIDE
        for name, t in self.typed.types.items():
            if may_refer(t) and name not in self.typed.program.constants:
                self.parents[name] = name
        self.join({OUTSIDE, *self.typed.program.inputs})
        self.values = {self.typed.program.result, *self.read_as_values()}
        for s in statements_of(self.typed.program.body):
            self.statement(s)
        if self.typed.program.result not in self.parents and may_refer(self.typed.result):
            self.parents[self.typed.program.result] = self.typed.program.result
        classes = {name: self.find(name) for name in self.parents}
        written = frozenset(classes[name] for _, name in self.writes)
        through = frozenset(classes[name] for name in self.called)
        writers: dict[ast.AST, frozenset[str]] = {}
        for s, name in self.writes:
            writers[s] = writers.get(s, _NONE) | {classes[name]}
        return Aliases(self.typed, classes, written, written, through, writers)

    def statement(self, s: ast.stmt) -> None:
        if isinstance(s, ast.FunctionDef):
            if s.name in self.values:
                self.join({s.name, *self.typed.program.nested[s.name].captures})
            return
        operation = self.typed.operations.get(s)
        if operation is None:
            return
        targets = set(names_written(s))
        value = s.value if isinstance(s, (ast.Assign, ast.Expr, ast.AugAssign)) else None
        match operation.kind:
            case "store":
                self.write(s, operation.operands["x"])  # elements are copied: nothing is joined
            case "update":
                self.write(s, operation.operands["x"])
                if targets:
                    self.join(targets | names_read(operation.operands["x"]))
            case "mutator":
                self.mutator(s, operation, targets)
            case "rule":
                if may_share(self.typed, operation, value):
                    operands = operation.operands.values()
                    self.join(targets | {n for o in operands for n in names_read(o)})
            case "user":
                self.user(s, operation, targets)
            case "object":
                self.join(targets | names_read(value))
                for name in targets:
                    self.writes.append((s, name))
            case "dynamic" if operation.why == EFFECT:
                names = names_read(value) - set(self.typed.program.inputs)
                self.join(targets | names_read(value))
                self.writes += [(s, name) for name in sorted(names) if name in self.parents]
            case "inactive" if operation.function is not None:
                pass  # of the table of functions without derivative: their results are their own
            case _:
                read = names_read(value)
                if isinstance(value, ast.Attribute) and read.isdisjoint(self.parents):
                    read = {OUTSIDE}  # of a module, a class or a function
                self.join(targets | read)

    def read_as_values(self) -> Iterator[str]:
        for s in statements_of(self.typed.program.body):
            operation = self.typed.operations.get(s)
            if operation is not None and operation.kind == "user":
                yield from (n for o in operation.operands.values() for n in names_read(o))
            else:
                yield from names_read(s)

    def mutator(self, s: ast.stmt, operation: Operation, targets: set[str]) -> None:
        operands = list(operation.operands.values())
        if not operands:
            return
        self.write(s, operands[0])
        self.join(targets | {n for o in operands for n in names_read(o)})

    def user(self, s: ast.stmt, operation: Operation, targets: set[str]) -> None:
        if operation.callee is None or operation.program is None:
            self.join(targets | names_read(s))
            return
        summary = self.analysis.summary(operation.callee)
        given = arguments_of(operation, operation.program)
        for group in summary.groups:
            names = {n for p in group if p != RESULT for n in given.get(p, _NONE)}
            self.join(names | (targets if RESULT in group else set()))
        for parameter in sorted(summary.written):
            for name in sorted(given.get(parameter, _NONE)):
                if name in self.parents:
                    self.writes.append((s, name))
                    self.called.add(name)

    def write(self, s: ast.stmt, owner: ast.expr) -> None:
        for name in names_read(owner):
            if name in self.parents:
                self.writes.append((s, name))

    # -- sets of variables, joined (Tarjan's union-find) ------------------------------------------

    def find(self, name: str) -> str:
        while (parent := self.parents[name]) != name:
            name = parent
        return name

    def join(self, names: set[str]) -> None:
        roots = sorted({self.find(name) for name in names if name in self.parents})
        for root in roots[1:]:
            self.parents[root] = roots[0]


def arguments_of(operation: Operation, callee: Program) -> dict[str, frozenset[str]]:
    """The caller's variables behind each argument of a called program."""
    given: dict[str, frozenset[str]] = {}
    for parameter, expression in operation.operands.items():
        if parameter == CLOSURE:
            given |= dict.fromkeys(callee.captures, frozenset(names_read(expression)))
        else:
            given[parameter] = frozenset(names_read(expression))
            if any(isinstance(n, ast.Constant) and may_change(n.value) for n in ast.walk(expression)):
                given[parameter] |= {OUTSIDE}  # a default
    given[OUTSIDE] = frozenset({OUTSIDE})
    return given


def may_change(value: Any) -> bool:
    """Whether a live value may be written into: not a number, a text, a function, or a tuple of those."""
    if isinstance(value, tuple):
        return any(map(may_change, value))
    return not isinstance(value, (np.generic, type(...))) and may_refer(type_of(value)) and value is not None


def may_share(typed: Typed, operation: Operation, value: ast.expr | None) -> bool:
    """Whether the result of an operation with a rule may be an operand, a view of one, or hold one."""
    function = operation.function
    if function is operator.getitem and isinstance(value, ast.Subscript):
        return may_share_item(typed, value)
    if function in (operator.add, operator.mul, operator.or_):
        # Of lists, tuples or dictionaries the result holds what they held; of numbers and arrays it is new.
        types = [typed.type_of(o) for o in operation.operands.values()]
        joins = all(isinstance(t, (AnyType, List, Tuple, Dict)) or _is_integer(t) for t in types)
        return joins and any(may_refer(t) for t in types)
    if function in (list, tuple, dict):  # another container of the same items
        items = [
            t.item if isinstance(t, List) else ANY for t in map(typed.type_of, operation.operands.values())
        ]
        return not items or any(map(may_refer, items))
    if function is np.array and isinstance(value, ast.Call):
        # It copies, unless it is asked not to.
        given = [typed.type_of(a) for a in value.args[:1]]
        return bool(value.keywords) or len(value.args) != 1 or not isinstance(given[0], Array)
    return function in MAY_SHARE


def _is_integer(t: Type) -> bool:
    return isinstance(t, Scalar) and t.kind in ("int", "bool")


def may_share_item(typed: Typed, item: ast.Subscript) -> bool:
    """Whether `x[i]` may share memory with `x`."""
    return not (isinstance(typed.type_of(item.value), Array) and is_copied(typed, item.slice))


def is_copied(typed: Typed, index: ast.expr) -> bool:
    """Whether types show that an array is copied by this index: by integers or truths in an array."""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    types = [typed.type_of(p) for p in parts if not isinstance(p, ast.Slice)]
    return any(isinstance(t, List) or (isinstance(t, Array) and t.rank) for t in types)


def is_basic(typed: Typed, index: ast.expr) -> bool:
    """Whether types show that an index selects each element once: integers, slices, None and Ellipsis."""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    for part in parts:
        if isinstance(part, ast.Slice) or (isinstance(part, ast.Constant) and part.value in (None, ...)):
            continue
        t = typed.type_of(part)
        if not is_number(t) or t == Scalar("bool") or isinstance(getattr(part, "value", None), bool):
            return False
    return True


def changed_containers(aliases: Aliases) -> Iterator[str]:
    """The lists and dictionaries that change under several names: what is in them, types cannot tell."""
    for representative in aliases.written:
        members = aliases.members(representative)
        containers = [n for n in members if isinstance(aliases.typed.types.get(n), (List, Dict, Tuple))]
        if len(containers) > 1 or representative in aliases.through_calls:
            yield from containers
