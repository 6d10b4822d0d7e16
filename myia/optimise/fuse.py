"""Chains of elementwise operations as one function each, which the runtime runs in one pass over memory.

    a = rt.multiply(x, 0.5)             b, c = f_chain(x)
    b = rt.tanh(a)              ->
    c = rt.multiply(b, b)               @rt.fused
                                        def f_chain(x):
                                            a = rt.multiply(x, 0.5)
                                            b = rt.tanh(a)
                                            c = rt.multiply(b, b)
                                            return b, c

What nothing else reads is never in memory. The function is ordinary Python: where the operands do not fit one
pass (other shapes, other dtypes, NumPy's own arrays) it runs as it stands, one operation after the other.

A chain may end by summing one of its values, and one of its operations may add to an array in place.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from myia.adjoint.code import load_name, runtime_call
from myia.analysis.liveness import Liveness
from myia.analysis.webs import rename
from myia.optimise.code import FLOATING, INTO, Block, Chain, Code, operation
from myia.optimise.single import is_atom
from myia.parse.program import names_read, names_written, statements_of
from myia.parse.types import ANY, Array, is_number

_LONGEST = 32
"""Operations in one chain: more would need more scratch than the first cache holds."""


_OUT_OF = {into: plain for plain, into in INTO.items()}
"""Additions in place, and the operations whose results they add."""


def fuse_chains(code: Code, named: Callable[[str], str]) -> Code:
    """`named` gives a name for each chain's function."""
    fusion = _Fusion(code, code.live, named)
    made = code.rewritten(fusion.block)
    return replace(made, chains=[*code.chains, *fusion.chains], notes={**code.notes, **fusion.notes})


@dataclass
class _Fusion:
    code: Code
    live: Liveness
    named: Callable[[str], str]
    chains: list[Chain] = field(default_factory=list)
    notes: dict[ast.stmt, str] = field(default_factory=dict)
    origins: dict[ast.stmt, ast.stmt] = field(default_factory=dict)
    """The statements that steps were made of, where they are not those themselves."""
    forms: dict[ast.stmt, tuple[int, frozenset[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.viewed = {
            n: s.value.value.id
            for s in statements_of(self.code.body)
            if isinstance(s, ast.Assign)
            and isinstance(s.value, ast.Subscript)
            and isinstance(s.value.value, ast.Name)
            for n in names_written(s)
        }

    def block(self, block: Block) -> Block:
        done: Block = []
        group: list[ast.stmt] = []
        for s in block:
            step = self.step(s)
            if step is not None:
                self.origins[step] = s
            if step is not None and self.joins(group, step):
                group.append(step)
            elif group and self.may_go_before(s, group):
                done.append(s)
                continue
            else:
                done += self.closed(group)
                group = [] if step is None or not self.joins([], step) else [step]
                if not group:
                    done.append(s)
            if group and _is_sum(group[-1]):
                done += self.closed(group)
                group = []
        return [*done, *self.closed(group)]

    # -- what may be in a chain ---------------------------------------------------------------------

    def step(self, s: ast.stmt) -> ast.stmt | None:
        """The statement as a step of a chain, if it can be one."""
        match s:
            case ast.Assign([ast.Name(name)], value) if name not in self.live.pinned:
                if (summed := _summed(value)) is not None and self.dtype_of(summed):
                    made: ast.stmt = ast.Assign([ast.Name(name, ast.Store())], runtime_call("sum", summed))
                    return ast.copy_location(made, s)
                if operation(value) in FLOATING and isinstance(value, ast.Call) and self.fits(value):
                    return s
            case ast.AugAssign(ast.Name(total), ast.Add() | ast.Sub() as op, value) if self.dtype_of(
                load_name(total)
            ):
                return self.added(s, total, isinstance(op, ast.Sub), value)
        return None

    def added(self, s: ast.stmt, total: str, negative: bool, value: ast.expr) -> ast.stmt | None:
        """`total += value`, where the value has the total's shape: that of an adjoint's contributions."""
        own = load_name(total)
        if isinstance(value, ast.Name) and (
            self.rank_of(value) == self.rank_of(own) and self.dtype_of(value) == self.dtype_of(own)
        ):
            call = runtime_call("subtract_into" if negative else "add_into", load_name(total), value)
        elif not negative and isinstance(value, ast.Call) and operation(value) in INTO and self.fits(value):
            call = runtime_call(INTO[operation(value) or ""], load_name(total), *value.args)
        else:
            return None
        return ast.copy_location(ast.Expr(call), s)

    def fits(self, call: ast.Call) -> bool:
        """An operation on numbers and arrays of one dtype, by their types."""
        if call.keywords or not all(map(is_atom, call.args)):
            return False
        arrays = [a for a in call.args if not self.is_scalar(a)]
        dtypes = {self.dtype_of(a) for a in arrays}
        return len(dtypes) == 1 and None not in dtypes and bool(arrays)

    def dtype_of(self, atom: ast.expr) -> str | None:
        """The dtype of an array of floats with elements along axes."""
        t = self.code.types.get(atom.id) if isinstance(atom, ast.Name) else None
        if isinstance(t, Array) and t.dtype is not None and t.dtype.char in "df" and t.rank:
            return t.dtype.char
        return None

    def rank_of(self, atom: ast.expr) -> int:
        t = self.code.types.get(atom.id) if isinstance(atom, ast.Name) else None
        return t.rank if isinstance(t, Array) and t.rank is not None else 0

    def is_scalar(self, atom: ast.expr) -> bool:
        if isinstance(atom, ast.Name):
            return is_number(self.code.types.get(atom.id, ANY))
        value = atom.operand if isinstance(atom, ast.UnaryOp) else atom
        return isinstance(value, ast.Constant) and type(value.value) in (int, float)

    def joins(self, group: list[ast.stmt], s: ast.stmt) -> bool:
        """Whether a step fits into a chain: of its dtype, its rank, and not in the way of its additions."""
        if len(group) >= _LONGEST:
            return False
        if _is_sum(s):
            return not names_read(s).isdisjoint(n for g in group for n in names_written(g))
        others = [*group, s]
        if len({self.form(g) for g in others}) != 1 or len(self.form(s)[1]) != 1:
            return False
        written = _added_to(others)
        if written:
            # What is added to must be nothing that another step reads, nor share memory with it.
            if len(written) > 1:
                return False
            root = self.root(written[0])
            reads = [n for g in others for n in _operands(g)]
            return bool(group) and root not in {self.root(n) for n in reads} and names_read(s) != {"rt"}
        return True

    def form(self, s: ast.stmt) -> tuple[int, frozenset[str]]:
        """The highest rank among what a step reads, and the dtypes of it."""
        if s not in self.forms:
            operands = [load_name(n) for n in names_read(s)]
            dtypes = frozenset(d for o in operands if (d := self.dtype_of(o)))
            self.forms[s] = max(map(self.rank_of, operands)), dtypes
        return self.forms[s]

    def root(self, name: str) -> str:
        """The variable that another is a view of, as far as can be seen."""
        seen = {name}
        while name in self.viewed and self.viewed[name] not in seen:
            name = self.viewed[name]
            seen.add(name)
        return name

    def may_go_before(self, s: ast.stmt, group: list[ast.stmt]) -> bool:
        """Whether a statement may as well be done before the operations of an open group."""
        match s:
            case ast.Expr(ast.Call(ast.Attribute(ast.Name(stack), "append"), [ast.Name()], [])):
                if not _is_stack(stack):
                    return False
            case ast.Assign([ast.Name()], ast.Call(ast.Attribute(ast.Name(stack), "pop"), [], [])):
                if not _is_stack(stack):
                    return False
            case ast.Assign([ast.Name(name)], ast.Subscript(ast.Name())):
                if not self.dtype_of(load_name(name)):  # an element, not a view
                    return False
            case ast.Assign([ast.Name()], ast.Attribute(ast.Name(), "shape")):
                pass
            case ast.Assign([ast.Name()], value) if operation(value) == "form":
                pass
            case _:
                return False
        read = {n for member in group for n in names_read(member)}
        bound = {n for member in group for n in names_written(member)}
        return not (names_read(s) & bound or set(names_written(s)) & (read | bound))

    # -- making one ---------------------------------------------------------------------------------

    def closed(self, group: list[ast.stmt]) -> Block:
        last = group[-1] if group else None
        if last is None or len(group) < 2:
            return self.alone(group)
        bound = list(dict.fromkeys(n for s in group for n in names_written(s)))
        wanted = [n for n in bound if n in self.after(group)]
        if not wanted and not any(map(_total, group)):
            return self.alone(group)
        function = _Function({*bound, *(n for s in group for n in names_read(s))})
        for s in group:
            function.add(s)
        name = self.named("chain")
        results = [function.versions[n] for n in wanted]
        self.chains.append(Chain(name, list(function.inputs), function.lines, results))
        call = ast.Call(load_name(name), [load_name(n) for n in function.inputs], [])
        made: ast.stmt = ast.Expr(call)
        if wanted:
            targets: list[ast.expr] = [ast.Name(n, ast.Store()) for n in wanted]
            made = ast.Assign([targets[0] if len(targets) == 1 else ast.Tuple(targets, ast.Store())], call)
        ast.copy_location(made, group[0])
        self.notes[made] = _note(group, wanted)
        return [made]

    def after(self, group: list[ast.stmt]) -> frozenset[str]:
        """What is read after a group."""
        return self.live.after[self.origins.get(group[-1], group[-1])]

    def alone(self, group: list[ast.stmt]) -> Block:
        """The statements that the steps were made of."""
        return [self.origins.get(s, s) for s in group]


@dataclass
class _Function:
    """The body of a chain's function. `taken`: names that are not to be used for anything new."""

    taken: set[str]
    inputs: dict[str, None] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    """The latest name of each variable that the chain binds."""
    lines: Block = field(default_factory=list)

    def add(self, s: ast.stmt) -> None:
        value = s.value if isinstance(s, (ast.Assign, ast.Expr)) else None
        assert isinstance(value, ast.Call)
        total, name = _total(s), operation(value)
        if total in self.versions:
            # The chain made what is added to: it is a value like others.
            part = value.args[1]
            if name in _OUT_OF:
                own = self.unused(f"{total}_part")
                self.bind(own, runtime_call(_OUT_OF[name], *value.args[1:]), s)
                part = load_name(own)
            plain = "subtract" if name == "subtract_into" else "add"
            self.bind(total, runtime_call(plain, load_name(total), part), s)
        elif isinstance(s, ast.Expr):
            self.lines.append(ast.copy_location(ast.Expr(self.renamed(value)), s))
        else:
            self.bind(names_written(s)[0], value, s)

    def bind(self, name: str, value: ast.Call, at: ast.stmt) -> None:
        renamed = self.renamed(value)
        own = self.unused(name) if name in self.versions or name in self.inputs else name
        self.taken.add(own)
        self.versions[name] = own
        self.lines.append(ast.copy_location(ast.Assign([ast.Name(own, ast.Store())], renamed), at))

    def renamed(self, value: ast.Call) -> ast.expr:
        for a in value.args:
            if isinstance(a, ast.Name) and a.id not in self.versions:
                self.inputs.setdefault(a.id)
        made: ast.expr = rename(value, self.versions)
        return made

    def unused(self, name: str) -> str:
        count = 2
        while f"{name}_{count}" in self.taken:
            count += 1
        return f"{name}_{count}"


def _added_to(group: list[ast.stmt]) -> list[str]:
    """What a chain adds to in place: not what it binds itself before."""
    found, bound = [], set()
    for s in group:
        if (total := _total(s)) and total not in bound:
            found.append(total)
        bound.update(names_written(s))
    return found


def _note(group: list[ast.stmt], wanted: list[str]) -> str:
    """What a chain computes, where that is short; else the lines it stands for."""
    if len(group) <= 4 and len(wanted) == 1:
        values: dict[str, ast.expr] = {}
        for s in group:
            if isinstance(s, ast.Assign) and isinstance(s.value, ast.Call):
                values[names_written(s)[0]] = _formula(s.value, values)
        text = ast.unparse(values[wanted[0]]) if wanted[0] in values else ""
        if 0 < len(text) <= 48:
            return f"one pass: {text}"
    lines = sorted({n for s in group if (n := getattr(s, "lineno", 0))})
    if len(lines) < 2:
        return "one pass"
    return f"one pass for lines {lines[0]} to {lines[-1]}"


_INFIX: dict[str, ast.operator] = {
    "add": ast.Add(), "subtract": ast.Sub(), "multiply": ast.Mult(), "divide": ast.Div(), "times": ast.Mult(),
    "quotient": ast.Div(),
}  # fmt: skip


def _formula(call: ast.Call, values: dict[str, ast.expr]) -> ast.expr:
    """An operation as people write it, its operands likewise."""
    operands = [values.get(a.id, a) if isinstance(a, ast.Name) else a for a in call.args]
    name = operation(call) or ""
    if name in _INFIX:
        return ast.BinOp(operands[0], _INFIX[name], operands[1])
    if name == "negative":
        return ast.UnaryOp(ast.USub(), operands[0])
    return ast.Call(load_name(name), operands, [])


def _summed(value: ast.expr) -> ast.Name | None:
    """The array of which a value is the sum of all elements."""
    match value:
        case ast.Call(ast.Attribute(ast.Name("rt"), "sum"), [ast.Name() as x], []):
            return x
        case ast.Call(ast.Attribute(ast.Name() as x, "sum"), [], []):
            return x
    return None


def _is_sum(s: ast.stmt) -> bool:
    return isinstance(s, ast.Assign) and operation(s.value) == "sum"


def _total(s: ast.stmt) -> str:
    """What a step adds to in place; nothing if it does not."""
    match s:
        case ast.Expr(ast.Call(_, [ast.Name(total), *_])):
            return total
    return ""


def _operands(s: ast.stmt) -> list[str]:
    """What a step reads, apart from what it adds to."""
    value = getattr(s, "value", None)
    args = value.args if isinstance(value, ast.Call) else []
    return [a.id for a in (args[1:] if _total(s) else args) if isinstance(a, ast.Name)]


def _is_stack(name: str) -> bool:
    return name.rstrip("_0123456789").endswith("_saved")
