"""Loops: all of them over the positions of a range, or `while True`."""

from __future__ import annotations

import ast
import builtins
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from myia.parse.expressions import Expressions
from myia.parse.source import all_arguments
from myia.parse.trees import call_of, has_star, item_of, load, placed


@dataclass
class Iteration:
    """How to walk over an iterable by position: its length, and what the target is at position k.

    `walked`: the sequences that must not grow meanwhile, each with its length.
    """

    length: ast.expr
    bind: Callable[[ast.expr, ast.expr], None]
    walked: tuple[tuple[ast.expr, ast.expr], ...] = ()


@dataclass
class Loops(Expressions):
    """Rewrites `for` over sequences, `zip`, `enumerate`, ... to a loop over positions."""

    @abstractmethod
    def statements(self, body: list[ast.stmt]) -> None:
        """Normalize a block."""

    @abstractmethod
    def unpack(self, target: ast.expr, value: ast.expr, node: ast.AST) -> None:
        """Assign an atom to a target."""

    @abstractmethod
    def unpack_item(self, target: ast.expr, item: ast.expr, node: ast.AST) -> None:
        """Assign an operation to a target."""

    def while_loop(self, test: ast.expr, body: list[ast.stmt], node: ast.While) -> None:
        self.loop_depth += 1
        with self.block() as inside:
            if isinstance(test, ast.Constant) and test.value:
                self.statements(body)
            else:
                with self.rebinding(test):
                    condition = self.test(test)
                with self.block() as taken:
                    self.statements(body)
                leave: list[ast.stmt] = [placed(ast.Break(), test)]
                self.out.append(placed(ast.If(condition, taken or [placed(ast.Pass(), node)], leave), node))
        self.loop_depth -= 1
        self.out.append(placed(ast.While(placed(ast.Constant(True), node), inside, []), node))

    def loop(
        self,
        target: ast.expr,
        iterable: ast.expr,
        body: Callable[[], None],
        node: ast.AST,
        rename_targets: Callable[[], None],
    ) -> None:
        """A loop over the positions of `iterable`; the target is read from it in the body."""
        iteration = None
        with self.rebinding(iterable):
            bounds = self.range_bounds(iterable)
            if bounds is None:
                iteration = self.iteration(iterable)
                bounds = [iteration.length]
        rename_targets()
        direct = iteration is None and isinstance(target, ast.Name) and self.only_here(target.id, node)
        if direct:
            assert isinstance(target, ast.Name)
            position = self.renamed.get(target.id, target.id)
        else:
            position = self.fresh("k")
        self.loop_depth += 1
        with self.block() as inside:
            at = load(position, target)
            if iteration is not None:
                iteration.bind(at, target)
            elif not direct:
                self.unpack(target, at, target)
            body()
        self.loop_depth -= 1
        walk = call_of(self.builtin("range", node), bounds, iterable)
        loop_target = placed(ast.Name(position, ast.Store()), target)
        self.out.append(placed(ast.For(loop_target, walk, inside or [placed(ast.Pass(), node)], []), node))
        for sequence, count in () if iteration is None else iteration.walked:
            check = call_of(self.runtime("walked", iterable), [sequence, count], iterable)
            self.out.append(placed(ast.Expr(check), iterable))

    def only_here(self, name: str, loop: ast.AST) -> bool:
        """Whether a loop variable is bound by this loop alone and read in it alone."""
        if self.source.node is loop or not isinstance(loop, ast.For):
            return name in self.renamed  # a comprehension's variable is its own
        inside = sum(isinstance(n, ast.Name) and n.id == name for part in loop.body for n in ast.walk(part))
        stores = sum(
            isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store)
            for part in loop.body
            for n in ast.walk(part)
        )
        everywhere = sum(isinstance(n, ast.Name) and n.id == name for n in ast.walk(self.source.node))
        parameters = {argument.arg for argument in all_arguments(self.source.node.args)}
        return not stores and everywhere == inside + 1 and name not in parameters

    def range_bounds(self, node: ast.expr) -> list[ast.expr] | None:
        match node:
            case ast.Call(ast.Name("range"), args, []) if args and not any(
                isinstance(a, ast.Starred) for a in args
            ):
                path = self.constant_path(node.func)
                if path is not None and path[1] is range:
                    return [self.atom(argument) for argument in args]
        return None

    def iteration(self, node: ast.expr) -> Iteration:
        match node:
            case ast.Call(ast.Name() as function, args, keywords) if not any(
                isinstance(a, ast.Starred) for a in args
            ):
                path = self.constant_path(function)
                made = None if path is None else self.iteration_by(path[1], args, keywords, node)
                if made is not None:
                    return made
            case ast.Call(ast.Attribute(value, "items" | "keys" | "values" as kind), [], []):
                if self.constant_path(node.func) is None:
                    return self.dictionary_iteration(self.atom(value), kind, node)
        sequence = self.assign(
            self.fresh("sequence"), call_of(self.runtime("sequence", node), [self.atom(node)], node), node
        )
        length = self.assign(self.fresh("count"), call_of(self.builtin("len", node), [sequence], node), node)
        return Iteration(
            length,
            lambda k, target: self.unpack_item(target, item_of(sequence, k, target), target),
            ((sequence, length),),
        )

    def iteration_by(
        self, function: Any, args: list[ast.expr], keywords: list[ast.keyword], node: ast.expr
    ) -> Iteration | None:
        match function:
            case builtins.enumerate if 1 <= len(args) + len(keywords) <= 2 and args:
                inner = self.iteration(args[0])
                start = args[1] if len(args) > 1 else keywords[0].value if keywords else None
                first = None if start is None else self.assign(self.fresh("start"), self.atom(start), start)

                def bind_both(k: ast.expr, target: ast.expr) -> None:
                    number = k if first is None else placed(ast.BinOp(first, ast.Add(), k), node)
                    match target:
                        case ast.Tuple([index, element]) | ast.List([index, element]):
                            self.unpack_item(index, number, index)
                            inner.bind(k, element)
                        case _:
                            position = self.assign(self.fresh("position"), number, node)
                            element = placed(ast.Name(self.fresh("element"), ast.Store()), node)
                            inner.bind(k, element)
                            pair = placed(ast.Tuple([position, load(element.id, node)], ast.Load()), node)
                            self.unpack_item(target, pair, target)

                return Iteration(inner.length, bind_both, inner.walked)
            case builtins.zip if args and not keywords:
                parts = [self.iteration(argument) for argument in args]
                length = parts[0].length
                if len(parts) > 1:
                    shortest = call_of(self.runtime("shortest", node), [part.length for part in parts], node)
                    length = self.assign(self.fresh("count"), shortest, node)

                def bind_all(k: ast.expr, target: ast.expr) -> None:
                    elements = target.elts if isinstance(target, (ast.Tuple, ast.List)) else []
                    if len(elements) == len(parts) and not has_star(target):
                        for part, element in zip(parts, elements, strict=True):
                            part.bind(k, element)
                        return
                    names = [placed(ast.Name(self.fresh("element"), ast.Store()), node) for _ in parts]
                    for part, name in zip(parts, names, strict=True):
                        part.bind(k, name)
                    row = placed(ast.Tuple([load(n.id, node) for n in names], ast.Load()), node)
                    self.unpack_item(target, row, target)

                return Iteration(length, bind_all, tuple(w for part in parts for w in part.walked))
            case builtins.reversed if len(args) == 1 and not keywords:
                inner = self.iteration(args[0])
                one = placed(ast.Constant(1), node)
                last = self.assign(
                    self.fresh("last"), placed(ast.BinOp(inner.length, ast.Sub(), one), node), node
                )

                def bind_reversed(k: ast.expr, target: ast.expr) -> None:
                    back = self.assign(self.fresh("back"), placed(ast.BinOp(last, ast.Sub(), k), node), node)
                    inner.bind(back, target)

                return Iteration(inner.length, bind_reversed)
            case builtins.range if args and not keywords:
                bounds = [self.atom(argument) for argument in args]
                numbers = self.assign(
                    self.fresh("numbers"), call_of(self.builtin("range", node), bounds, node), node
                )
                length = self.assign(
                    self.fresh("count"), call_of(self.builtin("len", node), [numbers], node), node
                )
                return Iteration(length, lambda k, t: self.unpack_item(t, item_of(numbers, k, t), t))
        return None

    def dictionary_iteration(self, table: ast.expr, kind: str, node: ast.expr) -> Iteration:
        """Over a dictionary by position, in its own order."""
        table = self.assign(self.fresh("table"), table, node)  # the loop may rebind the user's name
        keys = self.assign(self.fresh("keys"), call_of(self.runtime("keys", node), [table], node), node)
        length = self.assign(self.fresh("count"), call_of(self.builtin("len", node), [keys], node), node)

        def bind(k: ast.expr, target: ast.expr) -> None:
            if kind == "keys":
                self.unpack_item(target, item_of(keys, k, node), node)
                return
            if kind == "values":
                key = self.assign(self.fresh("key"), item_of(keys, k, node), node)
                self.unpack_item(target, item_of(table, key, node), node)
                return
            match target:
                case ast.Tuple([ast.Name(name) as first, second]):
                    self.unpack_item(first, item_of(keys, k, node), first)
                    key = load(self.renamed.get(name, name), node)
                    self.unpack_item(second, item_of(table, key, node), second)
                case _:
                    key = self.assign(self.fresh("key"), item_of(keys, k, node), node)
                    value = self.assign(self.fresh("value"), item_of(table, key, node), node)
                    self.unpack_item(target, placed(ast.Tuple([key, value], ast.Load()), node), target)

        return Iteration(length, bind)
