"""Reverse mode over the normal form: for each statement, the code that carries adjoints back over it.

The reverse code of `y = f(x)` is the rule's template with the adjoint `d_y` in the place of `d[y]`.
`Reversal` holds it by statement, with the zeros that branches and loops need where the adjoint of a
variable must exist on every path. Which primal values that code reads, and therefore what the forward
sweep must save, is decided afterwards by `analysis/record.py`; the two sweeps are put together by
`control.py`.

An adjoint is kept in one of two forms. In the value form the first contribution binds the name and the
later ones rebind it to a sum. An accumulator owns its memory, is made as zeros, and is added to in
place: for an array or container read by index, or read in a loop that does not change it.

What may share memory and is written in place (`analysis/alias.py`) is in shadow form: the adjoints of
arrays and of what containers hold are in the table `shadows`, by storage and by identity. `d_x` is then the
view of the shadow that `x` is of its storage. Same storage, same shadow: an alias, a view or a container
needs no reverse code. Only numbers have adjoints of their own still; where types do not tell, `d_x` is the
adjoint of the number that `x` may be. What writes, and what is in shadow form, is in `store.py`.
"""

from __future__ import annotations

import ast
import functools
import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn

import myia.runtime as rt
from myia.adjoint import store
from myia.adjoint.code import as_index, bind, item_of, runtime_call
from myia.adjoint.inline import Binding, Term, instantiate
from myia.adjoint.template import Contribution, Rule
from myia.analysis.activity import Activity, contributed_names, contributing, differentiable_names
from myia.analysis.alias import RESULT, AliasAnalysis, Aliases, is_reference, may_refer
from myia.analysis.shapes import Shapes
from myia.errors import MissingRule, MyiaError, NotDifferentiable, UnsupportedSyntax
from myia.parse.infer import Inference, name_of
from myia.parse.program import Program, blocks_of, is_once, names_read, names_written, statements_of
from myia.parse.typed import CLOSURE, Operation, Typed
from myia.parse.types import (
    ANY,
    REAL,
    Array,
    Instance,
    Nested,
    Type,
    describe,
    is_complex,
    is_number,
    is_opaque,
    may_vary,
)

Bound = frozenset[str]
"""The active variables whose adjoint is bound at a point of the reverse sweep."""

_SMOOTH = frozenset(
    {
        *(
            operator.add,
            operator.sub,
            operator.mul,
            operator.truediv,
            operator.neg,
            operator.pos,
            operator.pow,
        ),
        *(math.sin, math.cos, math.tan, math.exp, math.log, math.sqrt, math.tanh, math.atan, math.hypot),
    }
)
"""Operations on numbers that pass a cotangent on to every operand, and never make it zero by choosing."""

_CHOOSES = frozenset({"key", "condition", "i", "indices", "index", "axis", "ddof", "side", "condlist"})
"""Parameters of rules through which no derivative flows, whatever their type."""


@dataclass(frozen=True, eq=False)
class UserCall:
    """A call of a user function: which arguments are active, and the names of the compiled pair."""

    pair: str
    typed: Typed
    arguments: tuple[tuple[str, ast.expr], ...]
    active: tuple[str, ...]
    record: str
    packed: tuple[tuple[str, ast.expr], ...] = ()
    """Tuples made for `*args`, that must be found again in the reverse sweep, with their names."""


@dataclass(frozen=True, eq=False)
class DynamicCall:
    """A call whose function only the run knows: the name of its pullback and the active operands.

    `method`: the function is an attribute of the first operand; `spread`: which operands are `*args`
    or `**kwargs`; `shadowed`: adjoints of arrays and containers are in shadows.
    """

    pullback: str
    active: tuple[bool, ...]
    method: bool
    shadowed: bool = False


@dataclass(frozen=True, eq=False)
class Overwritten:
    """The elements of an array that a statement writes over, saved before it if a backprop reads them."""

    owner: str
    index: ast.expr
    memory: str
    """The content of the array's class, as `analysis/record.py` calls it."""
    old: ast.expr
    """What gives a copy of the elements."""


@dataclass(eq=False)
class Reversal:
    """The reverse code of a program, by statement of its normal form."""

    typed: Typed
    activity: Activity
    aliases: Aliases
    adjoint_names: dict[str, str]
    adjoint_types: dict[str, Type]
    shapes: Shapes
    code: dict[ast.stmt, list[ast.stmt]] = field(default_factory=dict)
    branch_zeros: dict[tuple[ast.stmt, int], list[ast.stmt]] = field(default_factory=dict)
    entry_zeros: dict[ast.stmt, list[ast.stmt]] = field(default_factory=dict)
    exit_code: dict[ast.stmt, list[ast.stmt]] = field(default_factory=dict)
    """What the reverse sweep does once it has passed a loop."""
    step_zeros: dict[ast.stmt, list[ast.stmt]] = field(default_factory=dict)
    user_calls: dict[ast.stmt, UserCall] = field(default_factory=dict)
    dynamic_calls: dict[ast.stmt, DynamicCall] = field(default_factory=dict)
    unknown: dict[ast.stmt, list[str]] = field(default_factory=dict)
    """Operands of an operator that only the run knows to be numbers or arrays, and no user's objects."""
    powers: set[ast.stmt] = field(default_factory=set)
    """Powers whose result may turn out complex, when a negative number meets a fraction."""
    results: dict[ast.stmt, str] = field(default_factory=dict)
    """A name for the result of `h = op(h)` until it is bound, where the backprop reads both."""
    mutations: dict[ast.stmt, str] = field(default_factory=dict)
    """What undoes a mutation, by the statement that makes it."""
    constructions: dict[ast.stmt, Operation] = field(default_factory=dict)
    """What adds to a container under construction that is written later, as a mutation."""
    overwritten: dict[ast.stmt, Overwritten] = field(default_factory=dict)
    before: dict[ast.stmt, list[ast.stmt]] = field(default_factory=dict)
    """Reverse code that runs before the old elements are restored."""
    contents: dict[ast.stmt, frozenset[str]] = field(default_factory=dict)
    """The variables whose contents the reverse code of a statement reads through a record."""
    bound_at_start: Bound = frozenset()
    loop_bound: dict[ast.stmt, Bound] = field(default_factory=dict)
    """The variables whose adjoints are bound while the reverse sweep passes a loop."""
    outer_sums: dict[ast.stmt, tuple[str, ...]] = field(default_factory=dict)
    """Those whose adjoints are sums of outer products, collected while it passes an outermost loop."""

    @functools.cached_property
    def positions(self) -> dict[str, int]:
        """The number of the statement that binds each variable, the last if several do."""
        statements = enumerate(statements_of(self.typed.program.body))
        return {name: k for k, s in statements for name in names_written(s)}

    def kept(self, name: str) -> bool:
        """Whether the adjoint of what a variable refers to is in shadows."""
        return name in self.activity.active and self.aliases.in_shadow(name)

    def sure(self, name: str) -> bool:
        """Whether it is, and types show that the variable is no number."""
        return self.kept(name) and is_reference(self.typed.types.get(name, ANY))

    def handle(self, name: str) -> bool:
        """Whether `d_x` is a view of a shadow."""
        return self.sure(name) and isinstance(self.typed.types.get(name, ANY), Array)


PairOf = Callable[[Typed, tuple[str, ...], frozenset[str]], str]
"""Compiles a callee for its active arguments and gives the base name of its pair of functions.

The last argument: those arguments, and perhaps the result, whose adjoints are in shadows.
"""


def reverse(
    typed: Typed,
    activity: Activity,
    aliases: Aliases,
    inference: Inference,
    analysis: AliasAnalysis,
    pair_of: PairOf,
    fresh: Callable[[str], str],
    called: bool = False,
    uses_shadows: bool = False,
    shapes: Shapes | None = None,
) -> Reversal:
    """The reverse code of a program; `called`: of a function that another one calls.

    `shapes`: what is known of shapes; cotangents are not summed back where they are the same.

    Raises MissingRule, NotDifferentiable or UnsupportedSyntax, with the place.
    """
    names = {name: fresh(f"d_{name}") for name in _in_order(typed.program, activity.active)}
    types = {names[name]: adjoint_type(typed.types.get(name, ANY)) for name in names}
    reversal = Reversal(typed, activity, aliases, names, types, shapes or Shapes(typed))
    generator = Generator(
        typed,
        activity,
        reversal,
        inference,
        analysis,
        pair_of,
        fresh,
        uses_shadows=uses_shadows,
        result_may_be_zero=called,
    )
    generator.refuse_complex()
    start = frozenset({typed.program.result}) & generator.valued
    reversal.bound_at_start = generator.block(typed.program.body, start)
    return reversal


def adjoint_type(t: Type) -> Type:
    """The type of the adjoint of a value: a number of any kind for a scalar, else the same."""
    if is_number(t):
        return REAL
    return t if isinstance(t, Array) else ANY


def _in_order(program: Program, names: frozenset[str]) -> list[str]:
    """Active variables in the order of their first definition, so that names are deterministic."""
    ordered = list(program.arguments)
    for statement in statements_of(program.body):
        ordered += names_written(statement)
    return [name for name in dict.fromkeys(ordered) if name in names]


@dataclass
class Generator:
    typed: Typed
    activity: Activity
    reversal: Reversal
    inference: Inference
    analysis: AliasAnalysis
    pair_of: PairOf
    fresh: Callable[[str], str]
    accumulators: frozenset[str] = field(init=False)
    at: ast.stmt = field(default_factory=ast.Pass)
    loops: list[ast.stmt] = field(default_factory=list)
    sums: dict[ast.stmt, dict[str, str]] = field(default_factory=dict)
    uses_shadows: bool = False

    valued: frozenset[str] = field(init=False)
    """The active variables that may have an adjoint of their own, in a local variable."""
    result_may_be_zero: bool = False
    maybe_zero: frozenset[str] = field(init=False)
    """Variables whose adjoint may be 0 because a branch, an item or a choice left them out."""

    def __post_init__(self) -> None:
        self.valued = frozenset(n for n in self.activity.active if not self.reversal.sure(n))
        kept = {name for name in self.activity.active if self.reversal.kept(name)}
        self.accumulators = frozenset(self._find_accumulators() - kept)
        self.maybe_zero = self._find_maybe_zero()

    # -- control flow -----------------------------------------------------------------------------

    def block(self, statements: list[ast.stmt], bound: Bound) -> Bound:
        """Generate the reverse code of a block, last statement first; the bound adjoints before it."""
        for statement in reversed(statements):
            bound = self._statement(statement, bound)
        return bound

    def _statement(self, s: ast.stmt, bound: Bound) -> Bound:
        match s:
            case ast.If(_, body, orelse):
                ends = [self.block(body, bound), self.block(orelse, bound)]
                union = ends[0] | ends[1]
                for branch, end in enumerate(ends):
                    self.reversal.branch_zeros[s, branch] = self._zeros(union - end, s)
                return union
            case ast.For(_, _, body) if is_once(s):
                return self.block(body, bound)
            case ast.For(_, _, body) | ast.While(_, body):
                head = bound
                while not (start := self.bound_before(body, head)) <= head:
                    head |= start
                self.loops.append(s)
                start = self.block(body, head)
                self.loops.pop()
                self.reversal.entry_zeros[s] = [*self._zeros(head - bound, s), *self._open_sums(s)]
                self.reversal.step_zeros[s] = self._zeros(head - start, s)
                self.reversal.loop_bound[s] = head
                return head
            case ast.Assign() | ast.FunctionDef() | ast.AugAssign():
                self.at = s
                return self._assignment(s, bound)
            case ast.Expr(value):
                self._check_effect(s, value)
        return bound

    def _assignment(self, s: ast.Assign | ast.FunctionDef | ast.AugAssign, bound: Bound) -> Bound:
        target = next(iter(names_written(s)), "")
        self.reversal.code[s] = []
        if not self._is_passed(s, target, bound):
            return bound
        emitter = Emitter(self, s, target, bound - {target}, target in bound)
        if isinstance(s, ast.FunctionDef):
            captured = self.typed.program.nested[s.name].captures
            self._refuse_rebound_captures(s, captured)
            emitter.captures(captured)
        else:
            emitter.operation(self.typed.operations[s], s.value)
        self.reversal.code[s] = emitter.code
        return emitter.bound

    def _is_passed(self, s: ast.stmt, target: str, bound: Bound) -> bool:
        """Whether the reverse sweep has anything to do for a statement."""
        return target in bound or self.reversal.kept(target) or s in self.reversal.aliases.writers

    def bound_before(self, statements: list[ast.stmt], bound: Bound) -> Bound:
        """What `block` would give, without generating code: for the fixed point of a loop."""
        for s in reversed(statements):
            match s:
                case ast.If(_, body, orelse):
                    bound = self.bound_before(body, bound) | self.bound_before(orelse, bound)
                case ast.For(_, _, body) if is_once(s):
                    bound = self.bound_before(body, bound)
                case ast.For(_, _, body) | ast.While(_, body):
                    while not (start := self.bound_before(body, bound)) <= bound:
                        bound |= start
                case ast.Assign() | ast.FunctionDef() | ast.AugAssign():
                    target = next(iter(names_written(s)), "")
                    if self._is_passed(s, target, bound):
                        read = contributed_names(self.typed, s) & self.valued
                        bound = (bound - {target}) | read
        return bound

    def outer_sum(self, name: str) -> str | None:
        """The sum of outer products that a matrix's adjoint collects in the outermost loop around."""
        if not self.loops or name in _written_in(self.loops[0]):
            return None
        sums = self.sums.setdefault(self.loops[0], {})
        if name not in sums:
            sums[name] = self.fresh(f"{self.reversal.adjoint_names[name]}_outer")
        return sums[name]

    def _open_sums(self, loop: ast.stmt) -> list[ast.stmt]:
        """Make the sums of outer products before a reversed loop, and add them up after it."""
        opened: list[ast.stmt] = []
        self.reversal.outer_sums[loop] = tuple(self.sums.get(loop, {}))
        for name, total in self.sums.get(loop, {}).items():
            adjoint = ast.Name(self.reversal.adjoint_names[name], ast.Load())
            opened.append(bind(total, runtime_call("OuterSum", adjoint), loop))
            finish = ast.Attribute(ast.Name(total, ast.Load()), "finish", ast.Load())
            closing = ast.copy_location(ast.Expr(ast.Call(finish, [], [])), loop)
            self.reversal.exit_code.setdefault(loop, []).append(closing)
        return opened

    def _zeros(self, names: frozenset[str], at: ast.stmt) -> list[ast.stmt]:
        return [self.zero(name, at) for name in self.reversal.adjoint_names if name in names]

    def zero(self, name: str, at: ast.stmt) -> ast.stmt:
        return bind(self.reversal.adjoint_names[name], self.zero_value(name), at)

    def zero_value(self, name: str) -> ast.expr:
        if is_number(self.typed.types.get(name, ANY)) or self.reversal.kept(name):
            return ast.Constant(0.0)
        return runtime_call("zeros_like", ast.Name(name, ast.Load()))

    # -- accumulators -----------------------------------------------------------------------------

    def _find_accumulators(self) -> set[str]:
        found: set[str] = set()
        loops: list[ast.stmt] = []

        def visit(block: list[ast.stmt]) -> None:
            for s in block:
                if isinstance(s, (ast.For, ast.While)) and not is_once(s):
                    loops.append(s)
                for inner in blocks_of(s):
                    visit(inner)
                if isinstance(s, ast.Assign):
                    found.update(self._read_by_index(s))
                    if loops:
                        invariant = differentiable_names(self.typed, s) - _written_in(loops[0])
                        found.update(n for n in invariant if isinstance(self.typed.types.get(n), Array))
                if isinstance(s, (ast.For, ast.While)) and not is_once(s):
                    loops.pop()

        visit(self.typed.program.body)
        return found & self.activity.active

    def _find_maybe_zero(self) -> frozenset[str]:
        """Where zeros are made, where operations choose among operands, and all that feeds those.

        There a scalar's backprop is guarded, `d_y * x if d_y else 0.0`: the value that was left out may
        be infinite, and 0 times infinity is NaN. The rules of arrays do so by themselves.
        """
        result = self.typed.program.result
        found = set(self._zeroed(self.typed.program.body, frozenset({result}) & self.valued))
        if self.result_may_be_zero:
            found.add(result)
        statements = [
            s for s in statements_of(self.typed.program.body) if isinstance(s, (ast.Assign, ast.AugAssign))
        ]
        for s in statements:
            operation = self.typed.operations[s]
            if operation.kind != "alias" and operation.function not in _SMOOTH:
                found |= contributed_names(self.typed, s)
        before = -1
        while len(found) != before:
            before = len(found)
            for s in reversed(statements):
                if not found.isdisjoint(names_written(s)):
                    found |= contributed_names(self.typed, s)
        return frozenset(found)

    def _zeroed(self, block: list[ast.stmt], bound: Bound) -> Iterator[str]:
        """The variables for which `block` will make zeros inside branches and loops."""
        for s in reversed(block):
            match s:
                case ast.If(_, body, orelse):
                    ends = [self.bound_before(body, bound), self.bound_before(orelse, bound)]
                    yield from ends[0] ^ ends[1]
                    yield from self._zeroed(body, bound)
                    yield from self._zeroed(orelse, bound)
                case ast.For(_, _, body) if is_once(s):
                    yield from self._zeroed(body, bound)
                case ast.For(_, _, body) | ast.While(_, body):
                    head = self.bound_before([s], bound)
                    yield from head - bound
                    yield from head - self.bound_before(body, head)
                    yield from self._zeroed(body, head)
            bound = self.bound_before([s], bound)

    def _read_by_index(self, s: ast.Assign) -> set[str]:
        operation = self.typed.operations.get(s)
        if operation is None or operation.rule is None:
            return set()
        indexed = {
            step.parameter
            for step in operation.rule.body
            if isinstance(step, Contribution) and step.index is not None
        }
        operands = (operation.operands[p] for p in indexed)
        return {o.id for o in operands if isinstance(o, ast.Name) and not is_number(self.typed.type_of(o))}

    # -- refusing ---------------------------------------------------------------------------------

    def refuse(self, error: type[MyiaError], at: ast.AST, summary: str, reason: str, remedy: str) -> NoReturn:
        place = self.typed.program.source.location(at)
        raise error(summary, reason=reason, remedy=remedy, location=place)

    def _refuse_rebound_captures(self, definition: ast.FunctionDef, captured: tuple[str, ...]) -> None:
        """A function used as a value sees its captured variables as they are when it is called."""
        statements = list(statements_of(self.typed.program.body))
        at = statements.index(definition)
        used_before = any(definition.name in names_read(s) for s in statements[:at])
        for s in statements[at + 1 :]:
            operation = self.typed.operations.get(s)
            if operation is not None and operation.kind in ("update", "mutator"):
                continue  # it is the same object still
            for name in names_written(s):
                if name in captured and name in self.activity.active:
                    self._refuse_capture(s, name, definition.name)
        if used_before:
            self._refuse_capture(definition, captured[0], definition.name)

    def _refuse_capture(self, at: ast.stmt, name: str, function: str) -> NoReturn:
        self.refuse(
            UnsupportedSyntax,
            at,
            f"{name!r} is rebound after the nested function {function!r} captured it",
            f"{function} is passed on as a value, and sees the new {name} when it is called",
            f"give the new value another name, or call {function} directly",
        )

    def refuse_complex(self) -> None:
        for name, t in zip(self.typed.program.arguments, self.typed.arguments, strict=True):
            if name in self.activity.active and is_opaque(t):
                self.refuse(
                    NotDifferentiable,
                    self.typed.program.source.node,
                    f"the argument {name!r} is an array of {describe(t)} that the gradient depends on",
                    "the derivatives of objects and records inside arrays are not followed",
                    "keep the numbers in float arrays, or in lists and dictionaries",
                )
        for s in statements_of(self.typed.program.body):
            for name in names_written(s):
                t = self.typed.types.get(name, ANY)
                if name in self.activity.active and is_opaque(t):
                    self.refuse(
                        NotDifferentiable,
                        s,
                        f"an array of {describe(t)} that the gradient depends on",
                        "the derivatives of objects and records inside arrays are not followed",
                        "keep the numbers in float arrays, or in lists and dictionaries",
                    )
                if name in self.activity.active and is_complex(t):
                    self.refuse(
                        NotDifferentiable,
                        s,
                        "a complex value that the gradient depends on",
                        "Myia differentiates real numbers; a complex derivative needs a convention",
                        "compute with the real and the imaginary part as two real arrays",
                    )

    def _check_effect(self, s: ast.Expr, value: ast.expr) -> None:
        """A call for its effect: refuse it if it may write into a value that matters."""
        operation = self.typed.operations.get(s)
        if (
            operation is None
            or operation.kind in ("inactive", "user", "rule")
            or not isinstance(value, ast.Call)
        ):
            return
        values = [*value.args, *(k.value for k in value.keywords)]
        if isinstance(value.func, ast.Attribute):
            values.append(value.func.value)
        read = {name for v in values for name in names_read(v)}
        active = sorted(n for n in read & self.activity.active if not is_number(self.typed.types.get(n, ANY)))
        if active:
            self.refuse(
                MissingRule,
                s,
                f"{active[0]!r}, which the gradient depends on, is given to {ast.unparse(value.func)}",
                "nothing says that the call leaves its argument unchanged",
                "pass a copy, or drop the call",
            )


@dataclass
class Emitter:
    """The reverse code of one assignment, whose adjoint is bound."""

    generator: Generator
    statement: ast.stmt
    target: str
    bound: Bound
    has_adjoint: bool
    """Whether the adjoint of the target, or of the number it may be, is bound."""
    code: list[ast.stmt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.typed = self.generator.typed
        self.reversal = self.generator.reversal
        self.names = self.reversal.adjoint_names
        self.adjoint: ast.expr = ast.Constant(0.0)
        if self.has_adjoint:
            self.adjoint = ast.Name(self.names[self.target], ast.Load())
        self.result = self.target

    # -- by kind of operation ---------------------------------------------------------------------

    def operation(self, operation: Operation, value: ast.expr) -> None:
        self._refuse_stored_functions(operation, value)
        if store.reversed_in_shadow(self, operation, value):
            return
        match operation.kind:
            case "alias":
                self._prepare([operation.operands["x"]])
                self.contribute(operation.operands["x"], self.adjoint)
            case "tuple" | "list":
                elements = list(operation.operands.values()) or getattr(value, "elts", [])
                self._prepare([*elements, *elements])
                for k, element in enumerate(elements):
                    self.contribute(element, item_of(self.adjoint, ast.Constant(k)))
            case "dict":
                assert isinstance(value, ast.Dict)
                self._prepare([*value.values, *value.values])
                self._dictionary(value)
            case "rule":
                self.rule(operation, value)
            case "user":
                self._user_call(operation)
            case "dynamic":
                self._dynamic_call(operation, value)
            case "opaque":
                self._refuse_opaque(operation, value)

    def captures(self, captured: tuple[str, ...]) -> None:
        """A nested function brings the adjoints of what it captured, when it was passed elsewhere."""
        if self.reversal.kept(self.target):
            return  # `store.refuse_captured_numbers` sees to those that are no references
        for k, name in enumerate(captured):
            self.contribute(ast.Name(name, ast.Load()), item_of(self.adjoint, ast.Constant(k)))

    def _dictionary(self, value: ast.Dict) -> None:
        keys = [key.value if isinstance(key, ast.Constant) else None for key in value.keys]
        if None in keys or len(set(keys)) < len(keys):
            # A key may repeat: the last one's value is in the dictionary, the others' are not.
            for key, item in reversed(list(zip(value.keys, value.values, strict=True))):
                assert key is not None
                self.contribute(item, runtime_call("popped", self.adjoint, key, item))
            return
        for key, item in zip(value.keys, value.values, strict=True):
            assert key is not None
            self.contribute(item, item_of(self.adjoint, key))

    def rule(self, operation: Operation, value: ast.expr) -> None:
        assert operation.rule is not None
        wanted = {p for p in contributing(operation) if self.is_active(operation.operands.get(p))}
        self.refuse_uncovered(operation, value)
        steps = [s for s in operation.rule.body if isinstance(s, Contribution) and s.parameter in wanted]
        self._prepare(
            [operation.operands[s.parameter] for s in steps], any(s.index is not None for s in steps)
        )
        self.name_result(operation.rule, value)
        if (
            getattr(operation.function, "__module__", "") == "_operator"
            and operation.function is not operator.getitem
        ):
            unknown = sorted(n for n in names_read(value) if self.typed.types.get(n, ANY) == ANY)
            self.generator.reversal.unknown[self.statement] = unknown
        if operation.function is operator.pow and not isinstance(operation.operands.get("x2"), ast.Constant):
            self.generator.reversal.powers.add(self.statement)
        terms = list(
            instantiate(
                operation.rule,
                operation.operands,
                self.result,
                self.adjoint,
                wanted.__contains__,
                self.generator.fresh,
            )
        )
        for term in self._ordered(terms):
            if isinstance(term, Binding):
                self.emit(bind(term.name, term.value, self.statement))
                continue
            contribution = term.value
            if self._is_guarded(contribution) and is_number(self.typed.type_of(term.operand)):
                contribution = ast.IfExp(self.adjoint, contribution, ast.Constant(0.0))
            negative = term.negative
            if operation.rule.broadcast and self._may_broadcast(operation, term.operand):
                t = self.typed.type_of(term.operand)
                if negative and not (
                    is_number(t) or isinstance(t, Array)
                ):  # the cotangent of a list is a list
                    contribution, negative = ast.UnaryOp(ast.USub(), contribution), False
                contribution = runtime_call("unbroadcast", contribution, self.shaped_like(term.operand))
            self.contribute(term.operand, contribution, negative, term.index)

    def _ordered(self, terms: list[Term | Binding]) -> list[Term | Binding]:
        """The adjoint of the operand that was computed last comes last: it is what is read next.

        So it does not wait while others are computed, and what those read is let go of before.
        """
        bound = self.generator.reversal.positions

        def position(term: Term) -> int:
            return max((bound.get(n, -1) for n in names_read(term.operand)), default=-1)

        plain = [t for t in terms if isinstance(t, Term)]
        if len(plain) == len(terms):
            terms = [*sorted(plain, key=position)]
        # The target's own adjoint is rebound last: the other terms still read it.
        own = [t for t in terms if isinstance(t, Term) and self._is_own(t.operand)]
        return [*(t for t in terms if t not in own), *own]

    def _is_guarded(self, contribution: ast.expr) -> bool:
        """Whether a scalar's adjoint may be a zero that must not meet an infinite value."""
        if self.target not in self.generator.maybe_zero:
            return False
        match contribution:
            case ast.Name() | ast.Constant() | ast.IfExp():
                return False
            case ast.BinOp(ast.Name(), ast.Mult(), ast.Constant(float() | int() as factor)):
                if math.isfinite(factor):
                    return False
        return is_number(self.typed.types.get(self.target, ANY))

    def shaped_like(self, operand: ast.expr) -> ast.expr:
        """Something of the shape of an operand: its shadow, which need not be kept."""
        if isinstance(operand, ast.Name) and self.reversal.handle(operand.id):
            return ast.Name(self.names[operand.id], ast.Load())
        return operand

    def name_result(self, rule: Rule, value: ast.expr) -> None:
        """In `h = op(h)`, tell the result from the operand if the template reads the result."""
        if self.result == self.target and self.target in names_read(value) and reads_result(rule):
            self.result = self.generator.fresh(f"{self.target}_next")
            self.generator.reversal.results[self.statement] = self.result
            self.typed.types[self.result] = self.typed.types.get(self.target, ANY)

    def _may_broadcast(self, operation: Operation, operand: ast.expr) -> bool:
        """Whether the operand's shape may differ from the result's, as far as types tell."""
        if is_number(self.typed.type_of(operand)):
            return not all(is_number(self.typed.type_of(o)) for o in operation.operands.values())
        if self.generator.reversal.shapes.same_as_result(self.statement, operand):
            return False
        others = [o for o in operation.operands.values() if o is not operand]
        return not all(is_number(self.typed.type_of(o)) or _same(o, operand) or _is_none(o) for o in others)

    def _user_call(self, operation: Operation) -> None:
        callee = operation.program
        assert callee is not None
        arguments, packed = self._arguments(operation)
        active: list[str] = []
        types: list[Type] = []
        shadowed: set[str] = set()
        for name, expression in operation.operands.items():  # what is packed has the types of its parts
            parameters = callee.captures if name == CLOSURE else (name,)
            if name == CLOSURE:
                owner = self.typed.type_of(expression)
                assert isinstance(owner, Nested)
                own = list(owner.captures)
            elif name in callee.captures:
                own = [self.generator.inference.capture_type(self.typed, name)]
            else:
                own = [self.generator.inference.operand_type(self.typed, expression)]
            types += own
            in_shadow = any(map(self.reversal.aliases.in_shadow, names_read(expression)))
            for parameter, t in zip(parameters, own, strict=True):
                may_hold = may_vary(t) or (in_shadow and isinstance(t, Instance))
                if self.is_active(expression) and may_hold:
                    active.append(parameter)
                if in_shadow and may_refer(t):
                    shadowed.add(parameter)
        if self.reversal.kept(self.target):
            shadowed.add(RESULT)
        typed = self.generator.inference.infer(callee, tuple(types))
        pair = self.generator.pair_of(typed, tuple(active), frozenset(shadowed))
        record = self.generator.fresh(f"{self.target}_record")
        self.reversal.user_calls[self.statement] = UserCall(
            pair, typed, arguments, tuple(active), record, packed
        )
        own_names = {n for _, expression in operation.operands.items() for n in names_read(expression)}
        self.reversal.contents[self.statement] = frozenset(own_names | {self.target})
        self._prepare(list(operation.operands.values()))
        back = ast.Call(
            ast.Name(f"{pair}_backward", ast.Load()), [ast.Name(record, ast.Load()), self._given()], []
        )
        if self.generator.uses_shadows:
            back.args.append(store.SHADOWS)
        returned = [p for p in active if p not in shadowed or not is_reference(typed.types.get(p, ANY))]
        values: dict[str, ast.expr] = {}
        if len(returned) == 1:
            values = {returned[0]: back}
        elif returned:
            parts = self.generator.fresh("parts")
            self.emit(bind(parts, back, self.statement))
            values = {
                name: item_of(ast.Name(parts, ast.Load()), ast.Constant(k)) for k, name in enumerate(returned)
            }
        else:
            self.emit(ast.copy_location(ast.Expr(back), self.statement))
        for name, expression in arguments:
            if name == CLOSURE:
                store.refuse_captured_numbers(self, expression, callee, shadowed, values)
                captured = [values.get(c, ast.Constant(0.0)) for c in callee.captures]
                if values.keys() & set(callee.captures):
                    self.contribute(expression, ast.List(captured, ast.Load()))
            elif name in values:
                self.contribute(expression, values[name])
        for name, expression in packed:
            store.unpack(self, name, expression)

    def _arguments(
        self, operation: Operation
    ) -> tuple[tuple[tuple[str, ast.expr], ...], tuple[tuple[str, ast.expr], ...]]:
        """The arguments of a call; tuples and tables made for it, that hold what is in shadows, by name."""
        arguments: list[tuple[str, ast.expr]] = []
        packed: list[tuple[str, ast.expr]] = []
        for name, expression in operation.operands.items():
            if isinstance(expression, (ast.Tuple, ast.Dict)) and any(
                map(self.reversal.kept, names_read(expression))
            ):
                temporary = self.generator.fresh(f"{name}_packed")
                packed.append((temporary, expression))
                arguments.append((name, ast.Name(temporary, ast.Load())))
            else:
                arguments.append((name, expression))
        return tuple(arguments), tuple(packed)

    def _given(self) -> ast.expr:
        """The adjoint of the target, or zero where nothing contributed to it."""
        t = self.typed.types.get(self.target, ANY)
        if self.has_adjoint or self.reversal.kept(self.target) or not may_refer(t):
            return self.adjoint
        return self.generator.zero_value(self.target)

    def _dynamic_call(self, operation: Operation, value: ast.expr) -> None:
        if isinstance(value, ast.Attribute):
            operands: list[ast.expr] = [value.value]
            method = True
        else:
            assert isinstance(value, ast.Call)
            method = isinstance(value.func, ast.Attribute) and operation.function == (
                "method",
                value.func.attr,
            )
            operands = dynamic_operands(value, method)
            self._refuse_active_callee(value)
        active = tuple(self.is_active(operand) for operand in operands)
        names = {n for operand in operands for n in names_read(operand)} | {self.target}
        shadowed = any(map(self.reversal.aliases.in_shadow, names))
        self.reversal.contents[self.statement] = frozenset(names)
        pullback = self.generator.fresh(f"{self.target}_pullback")
        self.generator.reversal.dynamic_calls[self.statement] = DynamicCall(
            pullback, active, method, shadowed
        )
        parts = self.generator.fresh("parts")
        given = [self.adjoint, store.SHADOWS] if shadowed else [self.adjoint]
        call = ast.Call(ast.Name(pullback, ast.Load()), given, [])
        self.emit(bind(parts, call, self.statement))
        for k, operand in enumerate(operands):
            if active[k]:
                self.contribute(operand, item_of(ast.Name(parts, ast.Load()), ast.Constant(k)))

    # -- contributions ----------------------------------------------------------------------------

    def _prepare(self, operands: list[ast.expr], in_place: bool = False) -> None:
        """If the target is among its own operands, keep its adjoint where rebinding cannot reach it."""
        own = [o for o in operands if self._is_own(o)]
        if not own or (len(own) == 1 and not in_place and self.target not in self.generator.accumulators):
            return
        kept = self.generator.fresh(f"{self.names[self.target]}_out")
        types = self.generator.reversal.adjoint_types
        types[kept] = types[self.names[self.target]]
        self.emit(bind(kept, self.adjoint, self.statement))
        self.adjoint = ast.Name(kept, ast.Load())

    def contribute(
        self, operand: ast.expr, value: ast.expr, negative: bool = False, index: ast.expr | None = None
    ) -> None:
        """Add `value` to the adjoint of `operand`, if that is active."""
        if isinstance(operand, (ast.Tuple, ast.List)):
            self._contribute_parts(operand.elts, value)
            return
        if isinstance(operand, ast.Dict):
            self._contribute_entries(operand, value)
            return
        if not isinstance(operand, ast.Name) or operand.id not in self.generator.activity.active:
            return
        name, d_name = operand.id, self.names[operand.id]
        current = ast.Name(d_name, ast.Load())
        t = self.typed.types.get(name, ANY)
        if self.reversal.kept(name):
            if index is None and self.reversal.handle(name):
                add = ast.AugAssign(
                    ast.Name(d_name, ast.Store()), ast.Sub() if negative else ast.Add(), value
                )
                self.emit(ast.copy_location(add, self.statement))
                return
            if negative:
                value = ast.UnaryOp(ast.USub(), value)
            if not self.reversal.handle(name):
                store.contribute(self, name, value, index)
            else:
                self.emit(self._add_in_place(name, current, value, index, t))
            return
        if name in self.generator.accumulators or index is not None:
            if name not in self.bound:
                self.emit(self.generator.zero(name, self.statement))
            if negative:
                value = ast.UnaryOp(ast.USub(), value)
            self.emit(self._add_in_place(name, current, value, index, t))
        elif name not in self.bound:
            value = ast.UnaryOp(ast.USub(), value) if negative else value
            if not (isinstance(value, ast.Name) and value.id == d_name):
                self.emit(bind(d_name, value, self.statement))
        elif is_number(t) or isinstance(t, Array):
            total = ast.BinOp(current, ast.Sub() if negative else ast.Add(), value)
            self.emit(bind(d_name, total, self.statement))
        else:
            value = ast.UnaryOp(ast.USub(), value) if negative else value
            self.emit(bind(d_name, runtime_call("accumulate", current, value), self.statement))
        self.bound |= {name}

    def _contribute_parts(self, elements: list[ast.expr], value: ast.expr) -> None:
        active = [k for k, element in enumerate(elements) if self.is_active(element)]
        if not active:
            return
        if not isinstance(value, ast.Name):
            parts = self.generator.fresh("parts")
            self.emit(bind(parts, value, self.statement))
            value = ast.Name(parts, ast.Load())
        for k in active:
            self.contribute(elements[k], item_of(value, ast.Constant(k)))

    def _contribute_entries(self, operand: ast.Dict, value: ast.expr) -> None:
        if not any(map(self.is_active, operand.values)):
            return
        parts = self.generator.fresh("parts")
        self.emit(bind(parts, value, self.statement))
        for key, item in zip(operand.keys, operand.values, strict=True):
            assert key is not None
            self.contribute(item, item_of(ast.Name(parts, ast.Load()), key))

    def _add_in_place(
        self, name: str, current: ast.Name, value: ast.expr, index: ast.expr | None, t: Type
    ) -> ast.stmt:
        target = ast.Name(current.id, ast.Store())
        if index is None:
            if isinstance(t, Array):
                match value:
                    case ast.Call(ast.Attribute(ast.Name("rt"), "vector_outer"), vectors):
                        # The sum is taken later: what is written in place would have changed by then.
                        read = {n for vector in vectors for n in names_read(vector)}
                        changes = any(map(self.reversal.aliases.in_shadow, read))
                        total = None if changes else self.generator.outer_sum(name)
                        if total is not None:
                            add = ast.Attribute(ast.Name(total, ast.Load()), "add", ast.Load())
                            return ast.copy_location(ast.Expr(ast.Call(add, vectors, [])), self.statement)
                return ast.copy_location(ast.AugAssign(target, ast.Add(), value), self.statement)
            return bind(current.id, runtime_call("accumulate", current, value), self.statement)
        if isinstance(t, Array) and self._is_basic(index):
            element = ast.Subscript(current, index, ast.Store())
            return ast.copy_location(ast.AugAssign(element, ast.Add(), value), self.statement)
        return bind(current.id, runtime_call("add_at", current, as_index(index), value), self.statement)

    def _is_basic(self, index: ast.expr) -> bool:
        """Whether types show that an index selects each element at most once."""
        parts = index.elts if isinstance(index, ast.Tuple) else [index]
        for part in parts:
            if isinstance(part, ast.Slice) or (
                isinstance(part, ast.Constant) and part.value in (None, Ellipsis)
            ):
                continue
            if not is_number(self.typed.type_of(part)):
                return False
        return True

    def emit(self, statement: ast.stmt) -> None:
        self.code.append(statement)

    # -- questions --------------------------------------------------------------------------------

    def _is_own(self, operand: ast.expr) -> bool:
        if isinstance(operand, (ast.Tuple, ast.List)):
            return any(map(self._is_own, operand.elts))
        if isinstance(operand, ast.Dict):
            return any(map(self._is_own, operand.values))
        return isinstance(operand, ast.Name) and operand.id == self.target

    def is_active(self, operand: ast.expr | None) -> bool:
        return operand is not None and bool(names_read(operand) & self.generator.activity.active)

    # -- refusing ---------------------------------------------------------------------------------

    def _refuse_opaque(self, operation: Operation, value: ast.expr) -> None:
        varied = sorted(names_read(value) & self.generator.activity.varied)
        if not varied:
            return
        if operation.error is not None:
            if operation.error.location is None:
                operation.error.location = self.typed.program.source.location(value)
            raise operation.error
        self.generator.refuse(
            MissingRule,
            value,
            operation.why,
            f"the gradient depends on its result, and on {varied[0]!r} through it",
            "use functions that have rules (docs/usage.md lists them), or add a rule (CONTRIBUTING.md)",
        )

    def _refuse_stored_functions(self, operation: Operation, value: ast.expr) -> None:
        """A nested function in a container: nothing tells its captured variables' adjoints apart."""
        stores = operation.kind in ("tuple", "list", "dict") or operation.function in (rt.append, rt.insert)
        if not stores:
            return
        for name in sorted(names_read(value) & self.generator.activity.active):
            if isinstance(self.typed.types.get(name, ANY), Nested):
                self.generator.refuse(
                    UnsupportedSyntax,
                    value,
                    "a nested function is stored in a container",
                    "it captured variables that the gradient depends on",
                    "call it where it is defined, or pass the captured variables as arguments",
                )

    def refuse_uncovered(self, operation: Operation, value: ast.expr) -> None:
        """A varied operand to which the template contributes nothing, and that is no choice or index."""
        covered = contributing(operation)
        for parameter, operand in operation.operands.items():
            if parameter in covered or parameter in _CHOOSES:
                continue
            for name in sorted(names_read(operand) & self.generator.activity.varied):
                if may_vary(self.typed.types.get(name, ANY)):
                    self.generator.refuse(
                        MissingRule,
                        value,
                        f"{name_of(operation.function)} has no derivative with respect to {parameter!r}",
                        f"the gradient depends on {name!r}, which is given for it",
                        "convert it with int() or bool() if it only chooses, or write the operation out",
                    )

    def _refuse_active_callee(self, call: ast.Call) -> None:
        if isinstance(call.func, ast.Name) and call.func.id in self.generator.activity.varied:
            self.generator.refuse(
                UnsupportedSyntax,
                call,
                f"which function {call.func.id!r} is, is known only when the program runs",
                "it may be one defined inside another, whose captured variables matter for the gradient",
                "call the function by its name, or pass the captured variables as arguments",
            )


def reads_result(rule: Rule) -> bool:
    """Whether a template reads the result of the operation, apart from its adjoint."""
    return any(
        isinstance(node, ast.Name) and node.id == rule.output
        for step in rule.body
        for node in _outside_adjoints(step.value)
    )


def _outside_adjoints(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "d":
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _outside_adjoints(child)


def dynamic_operands(call: ast.Call, method: bool) -> list[ast.expr]:
    """The operands of a call at run time: receiver, positional arguments, keyword arguments."""
    receiver = [call.func.value] if method and isinstance(call.func, ast.Attribute) else []
    arguments = [a.value if isinstance(a, ast.Starred) else a for a in call.args]
    return [*receiver, *arguments, *(k.value for k in call.keywords)]


@functools.lru_cache(maxsize=512)
def _written_in(loop: ast.stmt) -> frozenset[str]:
    """The names a loop binds."""
    return frozenset(name for inner in statements_of([loop]) for name in names_written(inner))


def _same(a: ast.expr, b: ast.expr) -> bool:
    return isinstance(a, ast.Name) and isinstance(b, ast.Name) and a.id == b.id


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
