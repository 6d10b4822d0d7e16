"""The user's own checkpoints: a block or a function whose values are computed again rather than kept."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, TracebackType
from typing import Any, TypeVar, overload

from myia.errors import SourceUnavailable

MARK = "__myia_checkpoint__"
"""The attribute of a function that is a checkpoint as a whole."""

F = TypeVar("F", bound=Callable[..., Any])


@overload
def checkpoint(function: None = None) -> Block: ...
@overload
def checkpoint(function: F) -> F: ...
def checkpoint(function: Any = None) -> Any:
    """Compute a block or a function again in the reverse sweep, instead of keeping what its backprops read.

    `with myia.checkpoint():` around statements, or `@myia.checkpoint` on a function that a differentiated
    function calls. A gradient then keeps only what the block reads and changes. Values and gradients are the
    same to the last bit, effects happen once, and random numbers are not drawn again. Outside of a gradient
    it does nothing. A block that cannot be run again is refused when its gradient is compiled, and so is one
    that a `break`, `continue` or `return` leaves.
    """
    if function is None:
        return Block()
    if not isinstance(function, FunctionType):
        raise SourceUnavailable(
            f"{function!r} is not a function written in Python",
            reason="a checkpoint is compiled with the function",
            remedy="put @myia.checkpoint below other decorators, on the function itself",
        )
    setattr(function, MARK, True)
    return function


class Block:
    """What `with myia.checkpoint():` enters in plain Python: nothing."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None
