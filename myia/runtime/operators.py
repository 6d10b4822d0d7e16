"""The operator table: for each operator its forward kernel, what its backprop reads, and its backprop.

The two are not written here: the kernel is what the facade has under the name (`native.behind`), the
backprop is the derivative rule's template, and what it reads is read off that template. A forward run marks
those storages read-only until the backprop has run: in a debug build of the runtime, or with
`MYIA_DEBUG_MARKS=1` in the environment, writing to one of them raises.

>>> import numpy as np, myia
>>> tanh = operator(np.tanh)
>>> sorted(tanh.reads)
['y']
>>> y, pending = tanh.forward(myia.asarray(np.array([0.0, 1.0])))
>>> pending.backprop(np.ones(2))["x"]
array([1.        , 0.41997434])
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from myia._runtime import Array
from myia.adjoint.template import RULES, SCALAR_RULES, Rule, Temporary, run_template
from myia.errors import MissingRule
from myia.runtime.adjoints import accumulate
from myia.runtime.native import kernel_of

__all__ = ["Operator", "Pending", "operator"]


@dataclass(frozen=True, eq=False)
class Operator:
    """One entry of the table."""

    name: str
    function: Callable[..., Any]
    """NumPy's or Python's function that it computes."""
    kernel: Callable[..., Any]
    """What computes it: a native kernel, or the function on the host."""
    rule: Rule

    @property
    def reads(self) -> frozenset[str]:
        """The operands, and the result, whose elements some part of the backprop reads."""
        return reads_of(self.rule, frozenset(self.rule.signature.parameters))

    def bound(self, *args: Any, **kwargs: Any) -> inspect.BoundArguments:
        """The arguments by the rule's parameters. Raises MissingRule for one that the rule does not have."""
        try:
            return self.rule.bind(*args, **kwargs)
        except TypeError as error:
            raise MissingRule(
                f"{self.rule.name}: {error}",
                reason="the derivative rule does not have this parameter",
                remedy="write the operation without it",
            ) from error

    def forward(self, *args: Any, wrt: frozenset[str] | None = None, **kwargs: Any) -> tuple[Any, Pending]:
        """The value, and the backprop that waits for its cotangent.

        `wrt` names the operands whose adjoints will be wanted, all by default. What the backprop reads for
        them is marked read-only until it has run or been dropped. Raises MissingRule for an argument that
        the rule does not have.
        """
        bound = self.bound(*args, **kwargs)
        value = self.kernel(*args, **kwargs)
        wanted = frozenset(bound.arguments) if wrt is None else wrt
        named = {**bound.arguments, self.rule.output: value}
        marked = tuple(array for name in reads_of(self.rule, wanted) for array in _arrays(named.get(name)))
        return value, Pending(self, value, args, kwargs, wanted, marked)


class Pending:
    """The backprop of one run of an operator."""

    def __init__(
        self,
        operator: Operator,
        value: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        wanted: frozenset[str],
        marked: tuple[Array, ...],
    ) -> None:
        self.operator, self.value, self.args, self.kwargs, self.wanted = operator, value, args, kwargs, wanted
        self._marked = marked
        for array in marked:
            array.mark_read()

    def backprop(self, d_value: Any, into: dict[str, Any] | None = None) -> dict[str, Any]:
        """The adjoints of the operands by name, of those alone that the rule contributes to.

        An operand that has an adjoint in `into` gets its contribution added: in place if that is an Array
        of the contribution's dtype, which is then also what is returned; otherwise a new sum is. Without
        one, the contribution itself is the adjoint.
        """
        rule, wanted = self.operator.rule, set(self.wanted)
        made = run_template(rule, self.value, self.args, self.kwargs, d_value, wanted)
        self.release()
        for name, contribution in made.items():
            existing = (into or {}).get(name)
            if existing is None:
                continue
            if isinstance(existing, Array) and getattr(contribution, "dtype", None) == existing.dtype:
                existing += contribution
                made[name] = existing
            else:
                made[name] = accumulate(existing, contribution)
        return made

    def release(self) -> None:
        """Lift the marks: the backprop has run, or will not."""
        marked, self._marked = self._marked, ()
        for array in marked:
            array.unmark_read()

    def __del__(self) -> None:
        self.release()


def operator(function: Callable[..., Any]) -> Operator:
    """The entry of a function of NumPy's or Python's. Raises MissingRule if there is none."""
    found = _operator(function)
    if found is None:
        raise MissingRule(
            f"{getattr(function, '__qualname__', function)} has no derivative rule",
            reason="an operator is a kernel and its backprop",
            remedy="add a rule (CONTRIBUTING.md)",
        )
    return found


@functools.lru_cache(maxsize=1024)
def _operator(function: Callable[..., Any]) -> Operator | None:
    rule = RULES.get(function) or SCALAR_RULES.get(function)
    return None if rule is None else Operator(rule.name, function, kernel_of(function), rule)


@functools.cache
def reads_of(rule: Rule, wanted: frozenset[str]) -> frozenset[str]:
    """The parameters, and the result, that the backprop to the parameters `wanted` reads the elements of.

    `x.shape` and `np.shape(x)` read no element; what a temporary reads counts if a wanted contribution
    reads the temporary.
    """
    needed: set[str] = set()
    for step in reversed(rule.body):
        if step.name in needed if isinstance(step, Temporary) else step.parameter in wanted:
            needed |= set(_names_read(step.value))
            if not isinstance(step, Temporary) and step.index is not None:
                needed |= set(_names_read(step.index))
    return frozenset(needed & {*rule.signature.parameters, rule.output})


_SHAPES = frozenset({"shape", "ndim", "size", "dtype"})
_SHAPE_ONLY = frozenset({"zeros_like", "shape", "ndim", "unbroadcast"})


def _names_read(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Subscript(ast.Name("d")):
            return
        case ast.Attribute(_, name) if name in _SHAPES:
            return
        case ast.Call(ast.Attribute(ast.Name("rt" | "np"), name), arguments) if name in _SHAPE_ONLY:
            for argument in arguments[:1] if name == "unbroadcast" else ():
                yield from _names_read(argument)
        case ast.Name(name):
            yield name
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _names_read(child)


def _arrays(x: Any) -> Iterator[Array]:
    if isinstance(x, Array):
        yield x
    elif isinstance(x, (list, tuple)):
        for item in x:
            yield from _arrays(item)
