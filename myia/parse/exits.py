"""Leave loops and functions only at the end of a block.

`break`, `continue` and early `return` are rewritten so that every statement of a block runs whenever
its first one does. That is what lets the reverse sweep do without flags: what follows an exit moves
into the other branch.

    if c:                   if c:
        break                   break
    y = f(y)      becomes   else:
                                y = f(y)

A `continue` disappears, a `return` becomes an assignment to the result, and inside a loop a `break`.
Only where an exit hides in a nested branch that may also fall through does a flag guard the rest.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum


class Leaves(Enum):
    """Whether control leaves a block before its end."""

    NEVER = 0
    MAYBE = 1
    ALWAYS = 2


@dataclass
class _Loop:
    """The innermost loop: the flag its `else` needs, and whether a return leaves through it."""

    broke: str | None
    returns: bool = False
    breaks: bool = False


@dataclass
class _Guard:
    """A region whose exits raise flags instead of jumping; the statement after it does the jump."""

    leaving: str
    stopping: str
    loop: _Loop | None
    jumps: bool = False
    skips: bool = False


@dataclass
class ExitRewriter:
    """Rewrites one function body. `fresh` gives unused names; `result` is the variable returned."""

    fresh: Callable[[str], str]
    result: str
    returned: str | None = None
    loops: list[_Loop] = field(default_factory=list)
    guards: list[_Guard] = field(default_factory=list)

    def function(self, body: list[ast.stmt]) -> list[ast.stmt]:
        nothing = ast.copy_location(ast.Constant(None), body[-1])
        implicit = ast.copy_location(ast.Return(nothing), body[-1])
        statements, _ = self.block([*body, implicit])
        return statements

    def block(self, statements: list[ast.stmt]) -> tuple[list[ast.stmt], Leaves]:
        done: list[ast.stmt] = []
        for position, statement in enumerate(statements):
            rest = statements[position + 1 :]
            match statement:
                case ast.Return() | ast.Break() | ast.Continue():
                    return [*done, *self._exit(statement)], Leaves.ALWAYS
                case ast.Raise():
                    return [*done, statement], Leaves.ALWAYS
                case ast.If():
                    replacement, leaves = self._if(statement, rest)
                case ast.For() | ast.While():
                    replacement, leaves = self._loop(statement, rest)
                    if statement.orelse:  # what follows the loop is in the replacement
                        return [*done, *replacement], leaves
                case _:
                    replacement, leaves = [statement], Leaves.NEVER
            done += replacement
            if leaves is not Leaves.NEVER:
                return done, leaves
        return done, Leaves.NEVER

    def _if(self, statement: ast.If, rest: list[ast.stmt]) -> tuple[list[ast.stmt], Leaves]:
        body, body_leaves = self.block(statement.body)
        orelse, orelse_leaves = self.block(statement.orelse)
        both = {body_leaves, orelse_leaves}
        if both == {Leaves.NEVER}:
            return [_if(statement, statement.test, body, orelse)], Leaves.NEVER
        if both == {Leaves.ALWAYS}:
            return [_if(statement, statement.test, body, orelse)], Leaves.ALWAYS
        if not rest:
            return [_if(statement, statement.test, body, orelse)], Leaves.MAYBE
        if both == {Leaves.ALWAYS, Leaves.NEVER}:
            following, leaves = self.block(rest)
            if body_leaves is Leaves.ALWAYS:
                orelse = [*orelse, *following]
            else:
                body = [*body, *following]
            leaves = Leaves.ALWAYS if leaves is Leaves.ALWAYS else Leaves.MAYBE
            return [_if(statement, statement.test, body, orelse)], leaves
        return self._guarded(statement, rest)

    def _guarded(self, statement: ast.If, rest: list[ast.stmt]) -> tuple[list[ast.stmt], Leaves]:
        """An exit hides in a branch that may also fall through: raise a flag, test it afterwards."""
        loop = self.loops[-1] if self.loops else None
        guard = _Guard(self.fresh("leaving"), self.fresh("stopping"), loop)
        self.guards.append(guard)
        body, _ = self.block(statement.body)
        orelse, _ = self.block(statement.orelse)
        self.guards.pop()
        jump: list[ast.stmt] = [ast.copy_location(ast.Pass(), statement)]
        prepare = [_assign(statement, guard.leaving, False)]
        if guard.jumps and guard.skips:
            prepare.append(_assign(statement, guard.stopping, False))
            jump = [_if(statement, _name(statement, guard.stopping), self._jump(statement), [])]
        elif guard.jumps:
            jump = self._jump(statement)
        if self.guards and self.guards[-1].loop is loop:
            outer = self.guards[-1]
            outer.jumps, outer.skips = outer.jumps or guard.jumps, outer.skips or guard.skips
        following, leaves = self.block(rest)
        guarded = _if(statement, _name(statement, guard.leaving), jump, following)
        leaves = Leaves.ALWAYS if leaves is Leaves.ALWAYS else Leaves.MAYBE
        return [*prepare, _if(statement, statement.test, body, orelse), guarded], leaves

    def _exit(self, statement: ast.Return | ast.Break | ast.Continue) -> list[ast.stmt]:
        loop = self.loops[-1] if self.loops else None
        done: list[ast.stmt] = []
        match statement:
            case ast.Continue():
                return [*self._raise_flags(statement, jumps=False), ast.copy_location(ast.Pass(), statement)]
            case ast.Break():
                assert loop is not None
                loop.breaks = True
                if loop.broke:
                    done.append(_assign(statement, loop.broke, True))
            case ast.Return():
                value = statement.value or ast.copy_location(ast.Constant(None), statement)
                target = ast.copy_location(ast.Name(self.result, ast.Store()), statement)
                done.append(ast.copy_location(ast.Assign([target], value), statement))
                if loop is None:
                    return done + self._raise_flags(statement, jumps=False)
                loop.returns = True
                self.returned = self.returned or self.fresh("returned")
                done.append(_assign(statement, self.returned, True))
                if loop.broke:
                    done.append(_assign(statement, loop.broke, True))
        return done + self._jump(statement)

    def _jump(self, statement: ast.stmt) -> list[ast.stmt]:
        """Leave the innermost loop, now or, inside a guarded region, after it."""
        if not self.loops:
            return self._raise_flags(statement, jumps=False)
        return self._raise_flags(statement, jumps=True) or [ast.copy_location(ast.Break(), statement)]

    def _raise_flags(self, statement: ast.stmt, jumps: bool) -> list[ast.stmt]:
        loop = self.loops[-1] if self.loops else None
        raised: list[ast.stmt] = []
        for guard in self.guards:
            if guard.loop is not loop:
                continue
            raised.append(_assign(statement, guard.leaving, True))
            if jumps:
                guard.jumps = True
                raised.append(_assign(statement, guard.stopping, True))
            else:
                guard.skips = True
        return raised

    def _loop(self, loop: ast.For | ast.While, rest: list[ast.stmt]) -> tuple[list[ast.stmt], Leaves]:
        state = _Loop(self.fresh("broke") if loop.orelse else None)
        self.loops.append(state)
        body, _ = self.block(loop.body)
        self.loops.pop()
        before: list[ast.stmt] = []
        after: list[ast.stmt] = []
        if state.broke:
            before.append(_assign(loop, state.broke, False))
            unbroken = ast.copy_location(ast.UnaryOp(ast.Not(), _name(loop, state.broke)), loop)
            after = [ast.copy_location(ast.If(unbroken, loop.orelse, []), loop.orelse[0])]
        if isinstance(loop, ast.For):
            rewritten: ast.stmt = ast.For(loop.target, loop.iter, body, [])
        else:
            rewritten = ast.While(loop.test, body, [])
        before.append(ast.copy_location(rewritten, loop))
        endless = isinstance(loop, ast.While) and isinstance(loop.test, ast.Constant) and loop.test.value
        if endless and not state.breaks:
            if state.returns:
                assert self.returned is not None
                before.insert(0, _assign(loop, self.returned, False))
            return [*before, *self._after_return(loop, state)], Leaves.ALWAYS
        if not state.returns:
            # The `else` is an ordinary statement after the loop, and may leave an enclosing one.
            following, leaves = self.block([*after, *rest]) if after else ([], Leaves.NEVER)
            return [*before, *following], leaves
        assert self.returned is not None
        before.insert(0, _assign(loop, self.returned, False))
        following, leaves = self.block([*after, *rest])
        passing = self._after_return(loop, state) or [ast.copy_location(ast.Pass(), loop)]
        before.append(_if(loop, _name(loop, self.returned), passing, following))
        return before, Leaves.ALWAYS if leaves is Leaves.ALWAYS else Leaves.MAYBE

    def _after_return(self, loop: ast.stmt, state: _Loop) -> list[ast.stmt]:
        """A return left the loop just ended: leave the enclosing one too."""
        if not state.returns:
            return []
        if self.loops:
            self.loops[-1].returns = True
            if self.loops[-1].broke:
                return [_assign(loop, self.loops[-1].broke, True), *self._jump(loop)]
        return self._jump(loop)


def _if(at: ast.stmt, test: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt]) -> ast.If:
    return ast.copy_location(ast.If(test, body or [ast.copy_location(ast.Pass(), at)], orelse), at)


def _name(at: ast.stmt, name: str) -> ast.Name:
    return ast.copy_location(ast.Name(name, ast.Load()), at)


def _assign(at: ast.stmt, name: str, value: bool) -> ast.stmt:
    target = ast.copy_location(ast.Name(name, ast.Store()), at)
    return ast.copy_location(ast.Assign([target], ast.copy_location(ast.Constant(value), at)), at)
