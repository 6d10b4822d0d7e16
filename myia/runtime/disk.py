"""Snapshots in files, for what the memory of a gradient has no room for.

A call has a folder of its own, which goes when the call ends, however it ends. A thread writes the files; it
holds the arrays until they are written, so the program can go on, and what it holds counts as a snapshot in
memory. A file has the elements of the arrays, one after the other, as they lie in memory; what they are is
kept here. A checksum tells whether they come back as they were.

Arrays go to a file; numbers, and arrays with gaps between their elements, stay in memory, as do arrays that
are written in place, of which a copy of the elements goes.
"""

from __future__ import annotations

import os
import zlib
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from myia._runtime import Array, empty, memory_of
from myia.errors import SnapshotFile, UnknownArgument
from myia.runtime.native import ARRAYS

Folder = str | os.PathLike[str] | None

MOST_PENDING = 2
"""How many files wait to be written at once."""


@dataclass(frozen=True)
class Part:
    """An array in a file. `axes`: the axes by their strides, the largest first; `native`: of the runtime."""

    dtype: Any
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    native: bool

    def made(self) -> tuple[Any, np.ndarray[Any, Any]]:
        """An array that lies in memory as that one did, and its elements in the order of memory."""
        shape = tuple(self.shape[d] for d in self.axes)
        whole = empty(shape, self.dtype) if self.native else np.empty(shape, self.dtype)
        back = [int(d) for d in np.argsort(self.axes)]
        in_order = back == sorted(back)
        return (whole if in_order else whole.transpose(back)), np.asarray(whole)


def part_of(x: Any) -> Part | None:
    """How an array would lie in a file; None if it has gaps, or holds objects."""
    axes = tuple(sorted(range(x.ndim), key=lambda d: -x.strides[d]))
    step = x.dtype.itemsize
    for d in reversed(axes):
        if x.shape[d] != 1 and x.strides[d] != step:
            return None
        step *= x.shape[d]
    if x.dtype.hasobject or not x.size:
        return None
    return Part(x.dtype, tuple(x.shape), axes, isinstance(x, Array))


def arrays_in(value: Any) -> Iterable[Any]:
    if isinstance(value, ARRAYS):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from arrays_in(item)
    elif isinstance(value, dict):
        yield from arrays_in(list(value.values()))


def replaced(value: Any, change: Callable[[Any], Any]) -> Any:
    """A value with the arrays in it, and what stands for them, changed."""
    if isinstance(value, (*ARRAYS, _Place)):
        return change(value)
    if type(value) in (list, tuple):
        return type(value)(replaced(item, change) for item in value)
    if type(value) is dict:
        return {key: replaced(item, change) for key, item in value.items()}
    return value


@dataclass(frozen=True)
class _Place:
    """What stands for an array that is in a file."""

    number: int


@dataclass(eq=False)
class Filed:
    """A value whose arrays are in a file. `checksum`: that of the file, when it is written."""

    path: str
    value: Any
    parts: list[Part]
    bytes: int
    checksum: Future[int]


def identity(x: Any) -> Any:
    """What two views of one memory have in common."""
    memory = memory_of(x)
    return id(x) if memory is None else memory[0]


@dataclass(eq=False)
class Files:
    """The files of one call, in a folder of their own in `parent`. May raise SnapshotFile."""

    parent: str
    written: int = 0
    bytes: int = 0
    _number: int = 0
    _pending: deque[Future[int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        try:
            self._folder = TemporaryDirectory(prefix="myia-", dir=self.parent)
        except OSError as error:
            raise SnapshotFile(
                f"no snapshots can be kept in {self.parent}",
                reason=str(error),
                remedy="give a folder that can be written to with disk=",
            ) from error
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="myia snapshots")

    @property
    def pending(self) -> int:
        """How many states the writer holds."""
        while self._pending and self._pending[0].done():
            self._pending.popleft()
        return len(self._pending)

    def wait(self, most: int = 0) -> None:
        """Wait until the writer holds no more states than that. Raises SnapshotFile if a write failed."""
        while self.pending > most:
            self._pending.popleft().result()

    def put(self, values: Any, held: set[Any], copies: list[Any]) -> Filed:
        """Have two values written. Arrays of the first whose memory is in `held` are not: it keeps them."""
        arrays: list[Any] = []
        parts: list[Part] = []
        places: dict[int, _Place] = {}

        def place(x: Any, held: set[Any] = held) -> Any:
            part = None if identity(x) in held else part_of(x)
            if part is None:
                return x
            if id(x) not in places:
                places[id(x)] = _Place(len(parts))
                parts.append(part)
                arrays.append(x)
            return places[id(x)]

        kept = replaced(values, place), replaced(copies, lambda x: place(x, set()))
        settled = [np.asarray(x).transpose(p.axes) for x, p in zip(arrays, parts, strict=True)]
        size = sum(int(x.nbytes) for x in settled)
        path = os.path.join(self._folder.name, f"{self._number}.snapshot")
        self._number += 1
        checksum = self._writer.submit(_write, path, [*zip(settled, arrays, strict=True)])
        self._pending.append(checksum)
        self.written += 1
        self.bytes += size
        return Filed(path, kept, parts, size, checksum)

    def take(self, filed: Filed) -> Any:
        """The value that was put, whose file goes. Raises SnapshotFile if it is not what was written."""
        checksum = filed.checksum.result()
        made = [part.made() for part in filed.parts]
        try:
            with open(filed.path, "rb", buffering=0) as file:
                found = 0
                for _, elements in made:
                    found = _read(file, elements.reshape(-1).view(np.uint8).data, found)
        except OSError as error:
            raise _failure("read", filed.path, str(error)) from error
        if found != checksum:
            raise _failure("read", filed.path, "its checksum is not that of what was written")
        os.unlink(filed.path)
        return replaced(filed.value, lambda x: made[x.number][0] if isinstance(x, _Place) else x)

    def drop(self, filed: Filed) -> None:
        filed.checksum.exception()
        os.unlink(filed.path)

    def close(self) -> None:
        self._writer.shutdown(wait=True, cancel_futures=True)
        self._folder.cleanup()


def _write(path: str, arrays: list[Any]) -> int:
    """Write arrays to a new file, and let go of them; gives the checksum. What takes long is without GIL."""
    checksum = 0
    try:
        with open(path, "xb", buffering=0) as file:
            while arrays:
                left = arrays.pop(0)[0].reshape(-1).view(np.uint8).data
                checksum = zlib.crc32(left, checksum)
                while left:
                    left = left[file.write(left) :]
    except OSError as error:
        raise _failure("written", path, str(error)) from error
    finally:
        arrays.clear()
        left = memoryview(b"")
    return checksum


def _read(file: Any, elements: memoryview, checksum: int) -> int:
    """Fill elements from a file; gives the checksum, or one that cannot be if there are not enough."""
    left = elements
    while left:
        count = file.readinto(left)
        if not count:
            return -1
        left = left[count:]
    return zlib.crc32(elements, checksum)


def _failure(what: str, path: str, reason: str) -> SnapshotFile:
    return SnapshotFile(
        f"the snapshot {path} could not be {what}",
        reason=reason,
        remedy="give another folder with disk=, one with room, or more memory, which needs fewer files",
    )


def folder_of(given: Folder, memory: Any) -> str | None:
    """The folder that the user named. Raises UnknownArgument."""
    if given is None:
        return None
    if not isinstance(given, (str, os.PathLike)):
        raise UnknownArgument(
            f"disk={given!r} is no folder",
            reason="it is where snapshots go that memory has no room for",
            remedy='give the path of a folder, such as "/tmp"',
        )
    if memory is None:
        raise UnknownArgument(
            f"disk={given!r} is given without memory=",
            reason="without a budget everything is kept in memory, and nothing goes to disk",
            remedy='say how much memory there is, such as memory="500 MB"',
        )
    return os.fspath(given)
