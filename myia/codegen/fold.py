"""Write a value that is used once, by the very next statement, where it is used.

    product = 0.7 * x              x = 0.7 * x + y
    x = product + y         ->

Only variables the compiler made are folded, so that every name of the user's stays there for the
debugger. Nothing is reordered: what moves past a call, or is one and moves past anything that is not a
name or a literal, stays where it is.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from myia.analysis.liveness import Liveness, liveness
from myia.parse.program import blocks_of

_LARGEST = 9
"""Operations in one line: more would not be read at a glance."""


def fold_temporaries(parts: list[list[ast.stmt]], users: frozenset[str]) -> list[list[ast.stmt]]:
    """The parts of one function, folded. `users`: the names in the user's source."""
    folder = _Folder(users, liveness([s for part in parts for s in part]))
    return [folder.block(part) for part in parts]


@dataclass
class _Folder:
    users: frozenset[str]
    live: Liveness
    origins: dict[ast.stmt, ast.stmt] = field(default_factory=dict)
    """The statements that folded ones were made of: what is read after those is read after these."""

    def block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        done: list[ast.stmt] = []
        for s in statements:
            made = self.inside(s)
            while done and (folded := self.folded(done[-1], made)) is not None:
                done.pop()
                made = folded
            done.append(made)
        return done

    def inside(self, s: ast.stmt) -> ast.stmt:
        """The statement with its blocks folded."""
        made: ast.stmt
        match s:
            case ast.If(test, body, orelse):
                made = ast.If(test, self.block(body), self.block(orelse))
            case ast.For(target, walk, body):
                made = ast.For(target, walk, self.block(body), [])
            case ast.While(test, body):
                made = ast.While(test, self.block(body), [])
            case _:
                return s
        return self.instead_of(s, made)

    def instead_of(self, s: ast.stmt, made: ast.stmt) -> ast.stmt:
        self.origins[made] = self.origins.get(s, s)
        return ast.copy_location(made, s)

    def folded(self, previous: ast.stmt, s: ast.stmt) -> ast.stmt | None:
        """`s` with the value bound by `previous` in its place, or None."""
        match previous:
            case ast.Assign([ast.Name(name)], value):
                pass
            case _:
                return None
        header = _header(s)
        if name in self.users or header is None or _reads(header, name) != 1:
            return None
        if isinstance(s, ast.AugAssign) and isinstance(s.target, ast.Name) and s.target.id == name:
            return None
        if not self.live.dead_after(self.origins.get(s, s), name):
            return None
        if isinstance(s, ast.If) and any(name in _names(b) for b in blocks_of(s)):
            return None
        if not _may_move(value, header, name) or _size(value) + _size(header) > _LARGEST:
            return None
        made = _replace(header, name, value)
        match s:
            case ast.Assign(targets):
                return self.instead_of(s, ast.Assign(targets, made))
            case ast.AugAssign(target, op):
                return self.instead_of(s, ast.AugAssign(target, op, made))
            case ast.If(_, body, orelse):
                return self.instead_of(s, ast.If(made, body, orelse))
        return None


def _reads(header: ast.expr, name: str) -> int:
    return sum(isinstance(n, ast.Name) and n.id == name for n in ast.walk(header))


def _header(s: ast.stmt) -> ast.expr | None:
    """The one expression a statement evaluates, if it has just one and nothing before it."""
    match s:
        case ast.Assign([ast.Name()], value) | ast.AugAssign(ast.Name(), _, value):
            return value
        case ast.If(test):
            return test
    return None


def _may_move(value: ast.expr, header: ast.expr, name: str) -> bool:
    """Whether the name is read once in the header, and nothing that matters is evaluated before it."""
    found = False
    for node in _in_order(header):
        if isinstance(node, ast.Name) and node.id == name:
            found = True
            break
        if isinstance(node, (ast.IfExp, ast.BoolOp, ast.Lambda, ast.JoinedStr, ast.ListComp)):
            return False
        if isinstance(node, (ast.Call, ast.Subscript, ast.BinOp)) and not _is_plain(value):
            return False
    return found


def _in_order(node: ast.expr) -> list[ast.AST]:
    """The nodes of an expression in the order in which Python is done with them."""
    done: list[ast.AST] = []

    def visit(n: ast.AST) -> None:
        if isinstance(n, (ast.IfExp, ast.BoolOp)):
            done.append(n)
        for child in ast.iter_child_nodes(n):
            if not isinstance(child, (ast.operator, ast.expr_context, ast.unaryop, ast.cmpop)):
                visit(child)
        done.append(n)

    visit(node)
    return done


def _is_plain(value: ast.expr) -> bool:
    """Arithmetic on names and literals: no call that could have an effect."""
    return not any(isinstance(n, (ast.Call, ast.Subscript, ast.Attribute)) for n in ast.walk(value))


def _size(node: ast.expr) -> int:
    return sum(
        isinstance(n, (ast.BinOp, ast.UnaryOp, ast.Call, ast.Subscript, ast.Compare)) for n in ast.walk(node)
    )


def _names(block: list[ast.stmt]) -> set[str]:
    return {n.id for s in block for n in ast.walk(s) if isinstance(n, ast.Name)}


def _replace(header: ast.expr, name: str, value: ast.expr) -> ast.expr:
    class Replacement(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return value if node.id == name else node

    import copy

    made: ast.expr = Replacement().visit(copy.deepcopy(header))
    return made
