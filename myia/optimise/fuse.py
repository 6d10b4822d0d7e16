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
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from myia.analysis.liveness import Liveness, liveness
from myia.analysis.webs import rename
from myia.optimise.code import FLOATING, Block, Chain, Code, operation
from myia.optimise.single import is_atom
from myia.parse.program import names_read, names_written
from myia.parse.types import ANY, Array, is_number

_LONGEST = 24
"""Operations in one chain: more would need more scratch than the first cache holds."""


def fuse_chains(code: Code, named: Callable[[str], str]) -> Code:
    """`named` gives a name for each chain's function."""
    fusion = _Fusion(code, liveness(code.body), named)
    made = code.rewritten(fusion.block)
    return replace(made, chains=[*code.chains, *fusion.chains], notes={**code.notes, **fusion.notes})


@dataclass
class _Fusion:
    code: Code
    live: Liveness
    named: Callable[[str], str]
    chains: list[Chain] = field(default_factory=list)
    notes: dict[ast.stmt, str] = field(default_factory=dict)

    def block(self, block: Block) -> Block:
        done: Block = []
        group: list[ast.Assign] = []
        for s in block:
            if (
                isinstance(s, ast.Assign)
                and self.fits(s)
                and len(group) < _LONGEST
                and self.same_rank(group, s)
            ):
                group.append(s)
            elif group and self.may_go_before(s, group):
                done.append(s)
            else:
                done += self.closed(group)
                group = [s] if isinstance(s, ast.Assign) and self.fits(s) else []
                if not group:
                    done.append(s)
        return [*done, *self.closed(group)]

    # -- what may be in a chain ---------------------------------------------------------------------

    def fits(self, s: ast.Assign) -> bool:
        """An operation on numbers and arrays of one rank, by their types."""
        match s:
            case ast.Assign([ast.Name(name)], ast.Call(_, args, []) as call) if operation(call) in FLOATING:
                if name in self.live.pinned or not all(map(is_atom, args)):
                    return False
                ranks = {t.rank for a in args if isinstance(t := self.type_of(a), Array)}
                others = [a for a in args if not isinstance(self.type_of(a), Array)]
                return len(ranks) == 1 and not ranks & {None, 0} and all(map(self.is_scalar, others))
        return False

    def is_scalar(self, atom: ast.expr) -> bool:
        if isinstance(atom, ast.Name):
            return is_number(self.code.types.get(atom.id, ANY))
        value = atom.operand if isinstance(atom, ast.UnaryOp) else atom
        return isinstance(value, ast.Constant) and type(value.value) in (int, float)

    def type_of(self, atom: ast.expr) -> object:
        return self.code.types.get(atom.id) if isinstance(atom, ast.Name) else None

    def same_rank(self, group: list[ast.Assign], s: ast.Assign) -> bool:
        return len({self.rank_of(member) for member in (*group, s)}) == 1

    def rank_of(self, s: ast.Assign) -> int | None:
        types = [self.code.types.get(n) for n in names_read(s.value)]
        return next((t.rank for t in types if isinstance(t, Array)), None)

    def may_go_before(self, s: ast.stmt, group: list[ast.Assign]) -> bool:
        """Whether a push or a pop may as well be done before the operations of an open group."""
        match s:
            case ast.Expr(ast.Call(ast.Attribute(ast.Name(), "append"), [ast.Name()], [])):
                pass
            case ast.Assign([ast.Name()], ast.Call(ast.Attribute(ast.Name(stack), "pop"), [], [])):
                if not stack.rstrip("_0123456789").endswith("_saved"):
                    return False
            case _:
                return False
        read = {n for member in group for n in names_read(member)}
        bound = {n for member in group for n in names_written(member)}
        return not (names_read(s) & bound or set(names_written(s)) & (read | bound))

    # -- making one ---------------------------------------------------------------------------------

    def closed(self, group: list[ast.Assign]) -> Block:
        if len(group) < 2:
            return list(group)
        last = group[-1]
        bound = list(dict.fromkeys(n for s in group for n in names_written(s)))
        wanted = [n for n in bound if n in self.live.after[last]]
        if not wanted:
            return list(group)
        versions: dict[str, str] = {}
        inputs: dict[str, None] = {}
        lines: Block = []
        taken = {*bound, *(n for s in group for n in names_read(s.value))}
        for s in group:
            (target,) = s.targets
            assert isinstance(target, ast.Name)
            for a in getattr(s.value, "args", []):
                if isinstance(a, ast.Name) and a.id not in versions:
                    inputs.setdefault(a.id)
            value = rename(s.value, versions)
            own = target.id
            if own in versions or own in inputs:
                count = 2
                while f"{own}_{count}" in taken:
                    count += 1
                own = f"{own}_{count}"
                taken.add(own)
            versions[target.id] = own
            lines.append(ast.copy_location(ast.Assign([ast.Name(own, ast.Store())], value), s))
        name = self.named("chain")
        chain = Chain(name, list(inputs), lines, [versions[n] for n in wanted])
        self.chains.append(chain)
        targets: list[ast.expr] = [ast.Name(n, ast.Store()) for n in wanted]
        target_of = targets[0] if len(targets) == 1 else ast.Tuple(targets, ast.Store())
        call = ast.Call(ast.Name(name, ast.Load()), [ast.Name(n, ast.Load()) for n in inputs], [])
        made = ast.copy_location(ast.Assign([target_of], call), group[0])
        self.notes[made] = f"{len(group)} operations in one pass"
        return [made]
