"""Expressions: every intermediate value gets a name."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import sys
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from myia.adjoint.rules.methods import METHODS
from myia.parse.names import Names
from myia.parse.trees import call_of, has_star, hint_for, is_negative_literal, load, placed, stored_names


@dataclass
class Expressions(Names):
    """Reduces expressions to atoms and to operations on atoms."""

    @abstractmethod
    def nested_function(self, node: ast.FunctionDef | ast.Lambda, name: str) -> ast.expr:
        """Normalize a function defined inside this one."""

    @abstractmethod
    def loop(
        self,
        target: ast.expr,
        iterable: ast.expr,
        body: Callable[[], None],
        node: ast.AST,
        rename_targets: Callable[[], None],
    ) -> None:
        """A loop over the positions of `iterable`."""

    def atom(self, node: ast.expr) -> ast.expr:
        """Reduce an expression to a name or a literal."""
        match node:
            case ast.Constant():
                return node
            case ast.Name():
                return self.name(node)
            case ast.UnaryOp(ast.USub(), ast.Constant(int() | float() as value)) if not isinstance(
                value, bool
            ):
                return placed(ast.Constant(-value), node)
            case ast.NamedExpr(ast.Name(name), value):
                target = self.renamed.get(name, name)
                with self.rebinding(value):
                    operation = self.operation(value)
                now = self.assign(target, operation, node)
                return self.assign(
                    self.fresh(f"{target}_now"), now, node
                )  # it may be rebound in its statement
            case ast.BoolOp(operator, values):
                return self.short_circuit(operator, values, node)
            case ast.IfExp(test, body, orelse):
                return self.conditional(test, body, orelse, node)
            case ast.Compare(left, operators, comparators) if len(operators) > 1:
                return self.chained_comparison(left, operators, comparators, node)
            case ast.ListComp() | ast.DictComp() | ast.SetComp():
                return self.comprehension(node)
            case ast.Lambda():
                return self.nested_function(node, self.fresh("function"))
            case ast.Call() | ast.List() | ast.Tuple() if has_star(node):
                if isinstance(node, ast.Call):
                    return self.temporary(node)
                return self.spread_sequence(node)
            case _:
                return self.temporary(node)

    def operation(self, node: ast.expr) -> ast.expr:
        """The right-hand side of an assignment: one operation on atoms, or an atom."""
        match node:
            case ast.BinOp(left, operator, right):
                return placed(ast.BinOp(self.atom(left), operator, self.atom(right)), node)
            case ast.UnaryOp(operator, operand) if not is_negative_literal(node):
                return placed(ast.UnaryOp(operator, self.atom(operand)), node)
            case ast.Compare(left, [operator], [right]):
                return placed(ast.Compare(self.atom(left), [operator], [self.atom(right)]), node)
            case ast.Call():
                return self.call(node)
            case ast.Attribute(value, attribute):
                if self.constant_path(node) is not None:
                    return self.constant_expression(node)
                return placed(ast.Attribute(self.atom(value), self.mangled(attribute), ast.Load()), node)
            case ast.Subscript(value, index):
                return placed(ast.Subscript(self.atom(value), self.index(index), ast.Load()), node)
            case ast.Tuple(elements) if not has_star(node):
                return placed(ast.Tuple([self.atom(e) for e in elements], ast.Load()), node)
            case ast.List(elements) if not has_star(node):
                return placed(ast.List([self.atom(e) for e in elements], ast.Load()), node)
            case ast.Set(elements) if not has_star(node):
                return placed(ast.Set([self.atom(e) for e in elements]), node)
            case ast.Dict(keys, values):
                return self.dictionary(node, keys, values)
            case ast.JoinedStr(values):
                return placed(ast.JoinedStr([self.formatted(v) for v in values]), node)
            case ast.Starred() | ast.Slice() | ast.FormattedValue():
                raise self.unsupported(
                    node,
                    "this form is not supported here",
                    "it stands outside a call or an index",
                    "write it out",
                )
            case ast.Set():
                raise self.unsupported(
                    node,
                    "a starred set display is not supported",
                    "the order of a set is not fixed",
                    "use a list",
                )
            case _:
                return self.atom(node)

    def constant_expression(self, node: ast.expr) -> ast.expr:
        """A copy of a dotted path, resolved already."""
        if isinstance(node, ast.Attribute):
            return placed(ast.Attribute(self.constant_expression(node.value), node.attr, ast.Load()), node)
        assert isinstance(node, ast.Name)
        return load(node.id, node)

    def dictionary(self, node: ast.Dict, keys: list[ast.expr | None], values: list[ast.expr]) -> ast.expr:
        if None in keys:
            return self.merged(node, list(zip(keys, values, strict=True)))
        pairs = [(self.atom(key), self.atom(value)) for key, value in zip(keys, values, strict=True) if key]
        return placed(ast.Dict([key for key, _ in pairs], [value for _, value in pairs]), node)

    def merged(self, node: ast.expr, entries: list[tuple[ast.expr | None, ast.expr]]) -> ast.expr:
        """`{**a, key: value, **b}`: dictionaries merged one after the other, as an operation."""
        made: ast.expr = placed(ast.Dict([], []), node)
        for key, value in entries:
            name = None if key is None else self.atom(key)
            atom = self.atom(value)
            piece = atom if name is None else placed(ast.Dict([name], [atom]), node)
            if not isinstance(piece, ast.Name):
                piece = self.assign(self.fresh("table"), piece, node)
            if not isinstance(made, ast.Name):
                made = self.assign(self.fresh("table"), made, node)
            made = call_of(self.runtime("merged", node), [made, piece], node)
        return made

    def formatted(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.FormattedValue):
            value = self.atom(node.value)
            spec = node.format_spec
            if isinstance(spec, ast.JoinedStr):
                spec = placed(ast.JoinedStr([self.formatted(v) for v in spec.values]), spec)
            return placed(ast.FormattedValue(value, node.conversion, spec), node)
        return node

    def index(self, node: ast.expr) -> ast.expr:
        match node:
            case ast.Slice(lower, upper, step):
                parts = [None if p is None else self.atom(p) for p in (lower, upper, step)]
                return placed(ast.Slice(*parts), node)
            case ast.Tuple(elements) if any(isinstance(e, ast.Slice) for e in elements) and not has_star(
                node
            ):
                return placed(ast.Tuple([self.index(e) for e in elements], ast.Load()), node)
            case ast.Tuple(elements) if not has_star(node):
                return placed(ast.Tuple([self.atom(e) for e in elements], ast.Load()), node)
            case _:
                return self.atom(node)

    def call(self, node: ast.Call) -> ast.expr:
        match node:
            case ast.Call(ast.Attribute(value, "items" | "keys" | "values" as kind), [], []):
                if self.constant_path(node.func) is None:
                    return call_of(self.runtime(kind, node), [self.atom(value)], node)
            case ast.Call(ast.Name("dict") as name, [], keywords) if all(k.arg for k in keywords):
                if (path := self.constant_path(name)) is not None and path[1] is dict:
                    names: list[ast.expr | None] = [placed(ast.Constant(k.arg), k.value) for k in keywords]
                    return self.dictionary(placed(ast.Dict([], []), node), names, [k.value for k in keywords])
        function = self.callee(node.func)
        plain: list[ast.expr]
        if any(isinstance(a, ast.Starred) for a in node.args):
            sequence = self.spread_sequence(placed(ast.List(node.args, ast.Load()), node))
            plain = [placed(ast.Starred(sequence, ast.Load()), node)]
        else:
            plain = [self.atom(a) for a in node.args]
        if len(node.keywords) > 1 and any(k.arg is None for k in node.keywords):
            entries = [(k.arg and placed(ast.Constant(k.arg), k.value), k.value) for k in node.keywords]
            together = self.assign(self.fresh("keywords"), self.merged(node, entries), node)  # type: ignore[arg-type]
            return placed(ast.Call(function, plain, [placed(ast.keyword(None, together), node)]), node)
        keywords = [placed(ast.keyword(k.arg, self.atom(_only(k.arg, k.value))), node) for k in node.keywords]
        return self.into_out(placed(ast.Call(function, plain, keywords), node))

    def into_out(self, call: ast.Call) -> ast.expr:
        """`f(x, out=y)` of a function of NumPy's as `y[...] = f(x)`, whose value is `y`."""
        function = self.constants.get(ast.unparse(call.func))
        arguments, keywords = list(call.args), [k for k in call.keywords if k.arg != "out"]
        given = [k.value for k in call.keywords if k.arg == "out"]
        position = position_of_out(function)
        method = function is None and isinstance(call.func, ast.Attribute) and given
        if method and call.func.attr in METHODS and not any(map(_is_none, given)):  # type: ignore[attr-defined]
            position = sys.maxsize
        if position is None or any(isinstance(a, ast.Starred) for a in arguments):
            return call
        if not given and len(arguments) > position:
            given = [arguments.pop(position)]
        if not given or _is_none(given[0]):
            return call
        out = given[0]
        if any(k.arg == "where" for k in keywords):
            raise self.mutation(
                call,
                "out= and where= together",
                "the elements that where= leaves out keep what was there, which is not followed",
                "write y[mask] = f(x[mask]), or y = np.where(mask, f(x), y)",
            )
        if method:
            owner: ast.expr = call.func.value  # type: ignore[attr-defined]
            self.out.append(placed(ast.Expr(call_of(self.runtime("array_only", call), [owner], call)), call))
        if (isinstance(function, np.ufunc) and function.nout > 1) or not isinstance(out, ast.Name):
            raise self.mutation(
                call,
                "results are written into several arrays given for out",
                "one result into one array is what is followed",
                "assign the results, and copy them where they belong",
            )
        value = self.assign(
            self.fresh(hint_for(call)), placed(ast.Call(call.func, arguments, keywords), call), call
        )
        check = call_of(self.runtime("castable", call), [value, out], call)
        self.out.append(placed(ast.Expr(check), call))
        place = placed(ast.Subscript(out, placed(ast.Constant(...), call), ast.Store()), call)
        self.out.append(placed(ast.Assign([place], value), call))
        return out

    def callee(self, node: ast.expr) -> ast.expr:
        if (path := self.constant_path(node)) is not None:
            if path[1] in (super, eval, exec, globals, locals, vars, setattr, delattr) and path[0] in dir(
                builtins
            ):
                raise self.unsupported(
                    node,
                    f"{path[0]} is not supported inside a differentiated function",
                    "what it reads or changes cannot be followed",
                    "name the method, the attribute or the value itself",
                )
            return self.constant_expression(node)
        if isinstance(node, ast.Attribute):
            return placed(ast.Attribute(self.atom(node.value), self.mangled(node.attr), ast.Load()), node)
        return self.atom(node)

    def mangled(self, attribute: str) -> str:
        """A private name as Python sees it inside a class: `__w` in `class Layer` is `_Layer__w`."""
        if not attribute.startswith("__") or attribute.endswith("__") or self.scope.function is None:
            return attribute
        owners = [part for part in self.scope.function.__qualname__.split(".")[:-1] if part != "<locals>"]
        nested = self.scope.function.__qualname__.rpartition(".")[0].endswith("<locals>")
        return f"_{owners[-1].lstrip('_')}{attribute}" if owners and not nested else attribute

    def spread_sequence(self, node: ast.List | ast.Tuple) -> ast.expr:
        """`[a, *b, c]` as sums of lists, converted to a tuple if that is asked for."""
        pieces: list[ast.expr] = []
        run: list[ast.expr] = []

        def close() -> None:
            if run:
                made = placed(ast.List(list(run), ast.Load()), node)
                pieces.append(self.assign(self.fresh("items"), made, node))
                run.clear()

        for element in node.elts:
            if isinstance(element, ast.Starred):
                close()
                spread = self.atom(element.value)
                pieces.append(
                    self.assign(
                        self.fresh("items"),
                        call_of(self.runtime("as_list", element), [spread], element),
                        element,
                    )
                )
            else:
                atom = self.atom(element)
                run.append(atom)
        close()
        result = pieces[0]
        for piece in pieces[1:]:
            result = self.assign(self.fresh("items"), placed(ast.BinOp(result, ast.Add(), piece), node), node)
        if isinstance(node, ast.Tuple):
            converted = call_of(self.runtime("as_tuple", node), [result], node)
            result = self.assign(self.fresh("items"), converted, node)
        return result

    def short_circuit(self, operator: ast.boolop, values: list[ast.expr], node: ast.expr) -> ast.expr:
        target = self.fresh("test")
        self.assign(target, self.operation(values[0]), values[0])
        self._short_circuit_rest(target, operator, values[1:], node)
        return load(target, node)

    def _short_circuit_rest(
        self, target: str, operator: ast.boolop, values: list[ast.expr], node: ast.expr
    ) -> None:
        with self.block() as body:
            self.assign(target, self.operation(values[0]), values[0])
            if values[1:]:
                self._short_circuit_rest(target, operator, values[1:], node)
        test = self.assign(self.fresh("decided"), load(target, node), node)
        otherwise: list[ast.stmt] = [placed(ast.Pass(), node)]
        branches = (body, []) if isinstance(operator, ast.And) else (otherwise, body)
        self.out.append(placed(ast.If(test, *branches), node))

    def conditional(self, test: ast.expr, body: ast.expr, orelse: ast.expr, node: ast.expr) -> ast.expr:
        target = self.fresh("choice")
        condition = self.test(test)
        with self.block() as taken:
            self.assign(target, self.operation(body), body)
        with self.block() as untaken:
            self.assign(target, self.operation(orelse), orelse)
        self.out.append(placed(ast.If(condition, taken, untaken), node))
        return load(target, node)

    def chained_comparison(
        self, left: ast.expr, operators: list[ast.cmpop], comparators: list[ast.expr], node: ast.expr
    ) -> ast.expr:
        target = self.fresh("test")
        first, second = self.atom(left), self.atom(comparators[0])
        self.assign(target, placed(ast.Compare(first, [operators[0]], [second]), node), node)

        def following(previous: ast.expr, k: int) -> None:
            test = self.assign(self.fresh("decided"), load(target, node), node)
            with self.block() as body:
                right = self.atom(comparators[k])
                self.assign(target, placed(ast.Compare(previous, [operators[k]], [right]), node), node)
                if k + 1 < len(comparators):
                    following(right, k + 1)
            self.out.append(placed(ast.If(test, body, []), node))

        following(second, 1)
        return load(target, node)

    def test(self, node: ast.expr) -> ast.expr:
        """A condition as a name of its own, that no branch can overwrite."""
        atom = self.atom(node)
        if isinstance(node, ast.Name) or not isinstance(atom, ast.Name):
            return self.assign(self.fresh("test"), atom, node)
        return atom

    # -- comprehensions ---------------------------------------------------------------------------

    def comprehension(self, node: ast.ListComp | ast.DictComp | ast.SetComp) -> ast.expr:
        building = self.fresh(hint_for(node))
        empty: ast.expr
        match node:
            case ast.ListComp():
                empty = placed(ast.List([], ast.Load()), node)
            case ast.DictComp():
                empty = placed(ast.Dict([], []), node)
            case _:
                empty = call_of(self.builtin("set", node), [], node)
        self.assign(building, empty, node)
        outer = dict(self.renamed)
        self._generators(node, node.generators, building)
        self.renamed = outer
        if isinstance(node, ast.SetComp):
            return load(building, node)
        built = call_of(self.runtime("built", node), [load(building, node)], node)
        return self.assign(self.fresh(hint_for(node)), built, node)

    def _generators(
        self,
        node: ast.ListComp | ast.DictComp | ast.SetComp,
        generators: list[ast.comprehension],
        building: str,
    ) -> None:
        if not generators:
            target = load(building, node)
            match node:
                case ast.ListComp(element):
                    call = call_of(self.runtime("append", node), [target, self.atom(element)], node)
                case ast.DictComp(key, value):
                    call = call_of(
                        self.runtime("insert", node), [target, self.atom(key), self.atom(value)], node
                    )
                case ast.SetComp(element):
                    call = call_of(self.runtime("include", node), [target, self.atom(element)], node)
            self.assign(building, call, node)
            return
        generator, rest = generators[0], generators[1:]
        if generator.is_async:
            raise self.refusal(placed(ast.AsyncFor(generator.target, generator.iter, [], []), generator.iter))

        def body() -> None:
            if not generator.ifs:
                self._generators(node, rest, building)
                return
            condition = (
                generator.ifs[0]
                if len(generator.ifs) == 1
                else placed(ast.BoolOp(ast.And(), generator.ifs), generator.ifs[0])
            )
            test = self.test(condition)
            with self.block() as taken:
                self._generators(node, rest, building)
            self.out.append(placed(ast.If(test, taken, []), node))

        def rename_targets() -> None:
            for name in sorted(stored_names(generator.target)):
                self.renamed[name] = self.fresh(name)

        self.loop(generator.target, generator.iter, body, generator.iter, rename_targets)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def position_of_out(function: Any) -> int | None:
    """The position of NumPy's `out` among the arguments of one of its functions; None if it has none."""
    if isinstance(function, np.ufunc):
        return function.nin
    if not callable(function) or not (getattr(function, "__module__", None) or "").startswith("numpy"):
        return None
    return _position_of_out(function)


@functools.cache
def _position_of_out(function: Any) -> int | None:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    if not any(p.name == "out" for p in parameters):
        return None
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return names.index("out") if "out" in names else sys.maxsize  # by keyword only


def _only(name: str | None, value: ast.expr) -> ast.expr:
    """`out=(y,)` is `out=y`."""
    return value.elts[0] if name == "out" and isinstance(value, ast.Tuple) and len(value.elts) == 1 else value
