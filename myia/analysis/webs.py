"""Give each independent use of a variable a name of its own.

A web is a set of assignments that reach a common use. A name the user assigns twice for unrelated
purposes holds two webs; with a name each, the second assignment overwrites nothing that the reverse
sweep may need, and straight-line code saves nothing.

    y = x * 2          y = x * 2
    y = y * y   ->     y_2 = y * y
    return y           return y_2
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from myia.analysis.dataflow import ForwardFlow
from myia.parse.program import Program, names_read, names_written, statements_of

Definition = tuple[int, str]
Reaching = Mapping[str, frozenset[Definition]]


@dataclass
class _Unions:
    """Sets of definitions, joined (Tarjan's union-find)."""

    parents: dict[Definition, Definition] = field(default_factory=dict)

    def find(self, item: Definition) -> Definition:
        root = item
        while (parent := self.parents.get(root, root)) != root:
            root = parent
        self.parents[item] = root
        return root

    def join(self, items: Iterable[Definition]) -> None:
        roots = sorted({self.find(item) for item in items})
        for root in roots[1:]:
            self.parents[root] = roots[0]


def split_webs(program: Program) -> Program:
    """The program with one name a web. The first web of a variable keeps the user's name."""
    statements = list(statements_of(program.body))
    number = {statement: k + 1 for k, statement in enumerate(statements)}
    pinned = {name for s in statements if isinstance(s, ast.FunctionDef) for name in _names_inside(s)}

    def transfer(statement: ast.stmt, reaching: Reaching) -> Reaching:
        written = names_written(statement)
        if not written:
            return reaching
        return {**reaching, **{name: frozenset({(number[statement], name)}) for name in written}}

    def join(a: Reaching, b: Reaching) -> Reaching:
        return {name: a.get(name, frozenset()) | b.get(name, frozenset()) for name in {**a, **b}}

    entry: Reaching = {name: frozenset({(0, name)}) for name in (*program.arguments, *program.inputs)}
    flow = ForwardFlow(transfer, join)
    end = flow.block(program.body, entry)

    unions = _Unions()
    for statement in statements:
        reaching = flow.before.get(statement, {})
        for name in names_read(statement):
            unions.join(reaching.get(name, frozenset()))
    if end is not None:
        unions.join(end.get(program.result, frozenset()))
    for name in pinned:
        unions.join([(0, name), *((number[s], name) for s in statements if name in names_written(s))])

    names = _name_webs(program, statements, number, unions)

    def reading(statement: ast.stmt, name: str) -> str:
        found = flow.before.get(statement, {}).get(name, frozenset())
        return names.get(unions.find(min(found)), name) if found else name

    def rewritten(block: list[ast.stmt]) -> list[ast.stmt]:
        return [rewrite(statement) for statement in block]

    def rewrite(s: ast.stmt) -> ast.stmt:
        read = {name: reading(s, name) for name in names_read(s)}
        write = {name: names.get(unions.find((number[s], name)), name) for name in names_written(s)}
        made: ast.stmt
        match s:
            case ast.If(test, body, orelse):
                made = ast.If(rename(test, read), rewritten(body), rewritten(orelse))
            case ast.For(target, walk, body):
                made = ast.For(rename(target, write), rename(walk, read), rewritten(body), [])
            case ast.While(test, body):
                made = ast.While(test, rewritten(body), [])
            case ast.Assign([ast.Name() as target], value):
                made = ast.Assign([rename(target, write)], rename(value, read))
            case ast.FunctionDef() | ast.Pass() | ast.Break():
                return s
            case _:
                made = rename(s, read)
        return ast.copy_location(made, s)

    result = program.result
    if end is not None and (found := end.get(result)):
        result = names.get(unions.find(min(found)), result)
    return join_targets(replace(program, body=rewritten(program.body), result=result))


def join_targets(program: Program) -> Program:
    """Loops bind their variable themselves where nothing else does, and nothing outside reads it.

    The same name in two loops holds two webs; with a name each, neither loop's variable outlives it.

        for k in range(n):          for i in range(n):
            i = k             ->        y[i] = x[i]
            y[i] = x[i]
    """
    statements = list(statements_of(program.body))
    outside = {*program.arguments, *program.inputs, program.result}
    bound = Counter(name for s in statements for name in names_written(s))
    read = Counter(name for s in statements for name in names_read(s))
    targets: dict[str, str] = {}
    for s in statements:
        match s:
            case ast.For(ast.Name(k), _, [ast.Assign([ast.Name(i)], ast.Name(source)), *_]) if source == k:
                inside = Counter(name for inner in statements_of(s.body) for name in names_read(inner))
                if (
                    i not in outside
                    and bound[i] == bound[k] == 1
                    and all(inside[n] == read[n] for n in (i, k))
                ):
                    targets[k] = i
    if not targets:
        return program

    def rewritten(block: list[ast.stmt]) -> list[ast.stmt]:
        return [rewrite(s) for s in block]

    def rewrite(s: ast.stmt) -> ast.stmt:
        made: ast.stmt
        match s:
            case ast.If(test, body, orelse):
                made = ast.If(rename(test, targets), rewritten(body), rewritten(orelse))
            case ast.For(ast.Name(k) as target, walk, body):
                own = body[1:] or [ast.copy_location(ast.Pass(), s)] if k in targets else body
                made = ast.For(rename(target, targets), rename(walk, targets), rewritten(own), [])
            case ast.While(test, body):
                made = ast.While(test, rewritten(body), [])
            case ast.FunctionDef():
                return s
            case _:
                made = rename(s, targets)
        return ast.copy_location(made, s)

    return replace(program, body=rewritten(program.body))


def _name_webs(
    program: Program, statements: list[ast.stmt], number: dict[ast.stmt, int], unions: _Unions
) -> dict[Definition, str]:
    """A name for each web, by its first definition in reading order."""
    taken = {*program.arguments, *program.inputs, *program.constants}
    taken |= {name for s in statements for name in (*names_written(s), *names_read(s))}
    names: dict[Definition, str] = {}
    owned: set[str] = set()
    definitions = [(0, name) for name in (*program.arguments, *program.inputs)]
    definitions += [(number[s], name) for s in statements for name in names_written(s)]
    for definition in definitions:
        root = unions.find(definition)
        if root in names:
            continue
        name, count = definition[1], 1
        if name in owned:
            while name in taken:
                count += 1
                name = f"{definition[1]}_{count}"
        owned.add(name)
        taken.add(name)
        names[root] = name
    return names


def _names_inside(function: ast.FunctionDef) -> set[str]:
    """The names a nested function reads, and its own: they keep their names."""
    return {n.id for n in ast.walk(function) if isinstance(n, ast.Name)} | {function.name}


def rename(node: Any, names: Mapping[str, str]) -> Any:
    """A copy of a tree with names replaced."""
    if isinstance(node, ast.Name):
        return ast.copy_location(ast.Name(names.get(node.id, node.id), node.ctx), node)
    if isinstance(node, list):
        return [rename(item, names) for item in node]
    if not isinstance(node, ast.AST) or isinstance(node, (ast.operator, ast.expr_context, ast.Constant)):
        return node
    return ast.copy_location(type(node)(**{f: rename(v, names) for f, v in ast.iter_fields(node)}), node)
