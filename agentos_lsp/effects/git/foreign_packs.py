"""Packs that an agent wrote: one object read out of one, within bounds on size, depth and work.

Source: gitformat-pack, pack version 2 and index version 2.
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from bisect import bisect_left
from collections import OrderedDict
from typing import TYPE_CHECKING, Literal

from agentos_lsp.domain.errors import EffectError

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST = 128 << 20
"""The largest object that is taken, in bytes."""

LARGEST_INDEX = 64 << 20
"""How large the indexes of all packs together may be: about two million objects."""

WORK_BYTES = 1 << 30
"""How much is read and unpacked at one time."""

WORK_S = 60.0
"""How long that may take."""

_INSTRUCTION_BYTES = 256  # What one instruction of a difference counts for, however little it copies.

_DEEPEST = 4096  # Source: git-pack-objects(1), --depth: the most that git itself makes is 4095.
_CACHE_BYTES = 32 << 20
_PIECE = 1 << 16
Kind = Literal["commit", "tree", "blob", "tag"]
_KINDS: dict[int, Kind] = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
_BY_OFFSET, _BY_NAME = 6, 7
_FIRST_NAME = 8 + 256 * 4


class UnfitError(EffectError):
    """What an agent's git directory holds cannot be taken; says what and why."""

    def __init__(self, reason: str) -> None:
        super().__init__("git", "read the agent's git directory", reason, retry_may_help=False)


class Budget:
    """How much more may be read and unpacked, in bytes, and until when."""

    def __init__(self, left: int = WORK_BYTES, seconds: float = WORK_S) -> None:
        self._left = left
        self._until = time.monotonic() + seconds

    def take(self, count: int) -> None:
        """Uses some of it up.

        Raises:
            UnfitError: It is used up, or it took too long.
        """
        self._left -= count
        if self._left < 0 or time.monotonic() > self._until:
            raise UnfitError("it is too much to be read at once; commit less at a time")


class Cache:
    """What was unpacked last, for what rests on it; shared by all packs of a directory, and bounded."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, int], tuple[Kind, bytes]] = OrderedDict()
        self._bytes = 0

    def get(self, pack: int, offset: int) -> tuple[Kind, bytes] | None:
        """Returns what is at an offset of a pack, if it is still known."""
        return self._kept.get((pack, offset))

    def keep(self, pack: int, offset: int, found: tuple[Kind, bytes]) -> None:
        """Keeps it as far as there is room; a big one is not kept."""
        if len(found[1]) > _CACHE_BYTES // 4 or (pack, offset) in self._kept:
            return
        self._kept[pack, offset] = found
        self._bytes += len(found[1])
        while self._bytes > _CACHE_BYTES:
            self._bytes -= len(self._kept.popitem(last=False)[1][1])


class Pack:
    """One pack with its index; takes over the pack's descriptor.

    Args:
        index: The index, whole.
        pack: The pack's descriptor.
        budget: What may be used up.
        cache: What is known already.

    Raises:
        UnfitError: The index is none.
    """

    def __init__(self, index: bytes, pack: int, budget: Budget, cache: Cache) -> None:
        self._index = index
        self._pack = pack
        self._budget = budget
        self._cache = cache
        if index[:8] != b"\xfftOc\0\0\0\2" or len(index) < _FIRST_NAME + 40:
            raise UnfitError("a pack's index is broken or of a form that is not understood")
        self._fanout: tuple[int, ...] = struct.unpack_from(">256I", index, 8)
        self._count = self._fanout[255]
        self._offsets = _FIRST_NAME + self._count * 24
        if len(index) < self._offsets + self._count * 4 + 40:
            raise UnfitError("a pack's index is shorter than it says")
        if len(index) > self._offsets + self._count * 12 + 40:
            raise UnfitError("a pack's index is longer than it says")

    def close(self) -> None:
        """Closes the pack."""
        os.close(self._pack)

    def object(self, oid: bytes) -> tuple[Kind, bytes] | None:
        """Returns what the pack holds under a name, None if nothing; whether it has that name is not looked at.

        Raises:
            UnfitError: It is broken, or too much.
        """
        offset = self._offset(oid)
        return None if offset is None else self._at(offset)

    def _offset(self, oid: bytes) -> int | None:
        low = self._fanout[oid[0] - 1] if oid[0] else 0
        high = self._fanout[oid[0]]
        if not low <= high <= self._count:
            raise UnfitError("a pack's index is broken")
        at = bisect_left(_Names(self._index), oid, low, high)
        if at >= high or _Names(self._index)[at] != oid:
            return None
        (offset,) = struct.unpack_from(">I", self._index, self._offsets + at * 4)
        if not offset & 0x80000000:
            return int(offset)
        place = self._offsets + self._count * 4 + (offset & 0x7FFFFFFF) * 8
        if place + 8 > len(self._index):
            raise UnfitError("a pack's index is broken")
        return int(struct.unpack_from(">Q", self._index, place)[0])

    def _at(self, offset: int) -> tuple[Kind, bytes]:
        """Unpacks what is at an offset: down to what it rests on, and up again."""
        deltas: list[tuple[int, bytes]] = []
        waiting = 0
        while (found := self._cache.get(self._pack, offset)) is None:
            number, data, base = self._entry(offset)
            if number in _KINDS:
                found = (_KINDS[number], data)
                self._cache.keep(self._pack, offset, found)
                break
            waiting += len(data)
            if base is None or len(deltas) >= _DEEPEST or waiting > LARGEST:
                raise UnfitError("a pack holds an object that rests on nothing, or on too many others")
            deltas.append((offset, data))
            offset = base
        kind, data = found
        for at, delta in reversed(deltas):
            data = applied(data, delta, self._budget)
            self._budget.take(len(data))
            self._cache.keep(self._pack, at, (kind, data))
        return kind, data

    def _entry(self, offset: int) -> tuple[int, bytes, int | None]:
        """Reads one entry: its type, its bytes, and the offset of what it rests on."""
        head = self._read(offset, 64) + bytes(64)
        number, size, at = (head[0] >> 4) & 7, head[0] & 15, 1
        shift = 4
        while head[at - 1] & 0x80:
            if at > 9:
                raise UnfitError("a pack is broken")
            size |= (head[at] & 0x7F) << shift
            shift += 7
            at += 1
        if size > LARGEST:
            raise UnfitError(f"it holds an object of {size} bytes, more than {LARGEST}")
        base: int | None = None
        if number == _BY_OFFSET:
            back, at = _distance(head, at)
            base = offset - back
            if not 0 < base < offset:
                raise UnfitError("a pack is broken")
        elif number == _BY_NAME:
            base = self._offset(head[at : at + 20])
            at += 20
        elif number not in _KINDS:
            raise UnfitError("a pack is broken")
        return number, self._inflated(offset + at, size), base

    def _inflated(self, offset: int, size: int) -> bytes:
        inflate = zlib.decompressobj()
        found = bytearray()
        try:
            while not inflate.eof:
                piece = self._read(offset, _PIECE)
                offset += len(piece)
                found += inflate.decompress(piece, size + 1 - len(found))
                if len(found) > size or inflate.unconsumed_tail:
                    break
        except zlib.error as error:
            raise UnfitError(f"a pack is broken: {error}") from error
        if len(found) != size:
            raise UnfitError("a pack holds an object of another size than it says")
        self._budget.take(size)
        return bytes(found)

    def _read(self, offset: int, count: int) -> bytes:
        """Reads from the pack; near its end less than asked for, but something."""
        if not 0 < offset < 1 << 62:
            raise UnfitError("a pack is broken")
        piece = os.pread(self._pack, count, offset)
        self._budget.take(len(piece) + 1)
        if not piece:
            raise UnfitError("a pack is shorter than it says")
        return piece


class _Names:
    """The sorted names of an index, as a sequence that is searched."""

    def __init__(self, index: bytes) -> None:
        self._index = index

    def __len__(self) -> int:
        return (len(self._index) - _FIRST_NAME) // 20

    def __getitem__(self, at: int) -> bytes:
        place = _FIRST_NAME + at * 20
        return self._index[place : place + 20]


def _distance(head: Sequence[int], at: int) -> tuple[int, int]:
    """Reads how far back a base is; returns it and where it ends."""
    value = head[at] & 0x7F
    while head[at] & 0x80:
        at += 1
        if at > 20:
            raise UnfitError("a pack is broken")
        value = ((value + 1) << 7) | (head[at] & 0x7F)
    return value, at + 1


def applied(base: bytes, delta: bytes, budget: Budget) -> bytes:
    """Returns what a delta makes of its base.

    Raises:
        UnfitError: It does not fit the base, or makes too much.
    """
    try:
        was, at = _size(delta, 0)
        size, at = _size(delta, at)
        if was != len(base) or size > LARGEST:
            raise UnfitError("a pack holds a difference that does not fit")
        found = bytearray()
        while at < len(delta) and len(found) <= size:
            what = delta[at]
            budget.take(_INSTRUCTION_BYTES)
            if what & 0x80:
                offset, length, at = _copied(delta, at)
                if offset + length > len(base):
                    raise UnfitError("a pack holds a difference that does not fit")
                found += base[offset : offset + length]
            elif what:
                found += delta[at + 1 : at + 1 + what]
                at += 1 + what
            else:
                raise UnfitError("a pack holds a difference of a form that is not understood")
    except IndexError as error:
        raise UnfitError("a pack holds a difference that is cut off") from error
    if len(found) != size:
        raise UnfitError("a pack holds a difference that does not fit")
    return bytes(found)


def _copied(delta: bytes, at: int) -> tuple[int, int, int]:
    """Reads which part of the base is copied; returns its offset and length, and where the instruction ends."""
    what = delta[at]
    at += 1
    offset = length = 0
    for bit in range(4):
        if what & 1 << bit:
            offset |= delta[at] << 8 * bit
            at += 1
    for bit in range(3):
        if what & 0x10 << bit:
            length |= delta[at] << 8 * bit
            at += 1
    return offset, length or 0x10000, at


def _size(delta: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (delta[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not delta[at - 1] & 0x80:
            return value, at
        if shift > 63:
            raise UnfitError("a pack holds a difference of a size that is not understood")
