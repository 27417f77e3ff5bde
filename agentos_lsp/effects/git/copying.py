"""Copies unchanged files of a checkout into a fresh folder: in this process, or as the program of a worker process.

It imports as little as possible, so that a worker starts in milliseconds. No link is followed, neither in the checkout
nor in the folder. What to copy is said as entries of an index (version 2), and how each copy looks is written into
them. A job and its answer are packed as said at `pack` and `unpack`.
"""

from __future__ import annotations

import os
import stat
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRY = struct.Struct(">10I20sH")
"""How an entry begins, before its path and one to eight NUL bytes. Source: gitformat-index, version 2."""

STAT = struct.Struct(">10I")
"""What of it is the file's stat and mode."""

_LOW_32 = 0xFFFFFFFF
_NANO = 10**9
_KIND = 0o170000
_PROGRAM = 0o100755
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_JOB = struct.Struct("<QIII")
_PIECE = struct.Struct("<II")
_AT = struct.Struct("<I")
_MOST_OPEN = 32


class Folder:
    """The folder in which the last file was, below an open root; kept open, as are those above, for its neighbours."""

    def __init__(self, root: int, *, create: bool) -> None:
        self._root = root
        self._create = create
        self._path: bytes | None = None
        self._descriptor: int | None = None
        self._steps: list[tuple[bytes, int]] = []
        """The folders on the way with their names; those of a very long way are closed, which -1 says."""

    def at(self, path: bytes) -> int | None:
        """Opens the folder of a file; None if it cannot be reached and may not be made.

        Raises:
            OSError: It could not be made.
        """
        wanted = path[: max(path.rfind(b"/"), 0)]
        if wanted != self._path:
            self._path, self._descriptor = wanted, None
            try:
                self._descriptor = self._opened(wanted.split(b"/") if wanted else [])
            except OSError:
                if self._create:
                    raise
        return self._descriptor

    def _opened(self, names: list[bytes]) -> int:
        steps = self._steps
        shared = 0
        for name, (known, _) in zip(names, steps, strict=False):
            if name != known:
                break
            shared += 1
        if shared and steps[shared - 1][1] < 0:
            shared = 0
        while len(steps) > shared:
            self._close_last()
        current = steps[-1][1] if steps else self._root
        for name in names[shared:]:
            if self._create:
                try:  # noqa: SIM105 - importing contextlib takes longer than a helper does to start
                    os.mkdir(name, dir_fd=current)
                except FileExistsError:
                    pass
            current = os.open(name, _FOLDER, dir_fd=current)
            steps.append((name, current))
            if len(steps) > _MOST_OPEN:
                above, descriptor = steps[-2]
                os.close(descriptor)
                steps[-2] = (above, -1)
        return current

    def _close_last(self) -> None:
        _, descriptor = self._steps.pop()
        if descriptor >= 0:
            os.close(descriptor)

    def close(self) -> None:
        """Closes what is open; the next file opens its folder again."""
        self._path = self._descriptor = None
        while self._steps:
            self._close_last()


def carry(entries: bytearray, origin: Folder, place: Folder, before_ns: int) -> Iterator[tuple[int, int, bool]]:
    """Copies each regular file that surely is what its entry says, and puts the stat of the copy into the entry.

    Args:
        entries: One after another; the stat of one that is not copied becomes zeros.
        origin: Where the files are.
        place: Where to.
        before_ns: A file touched at that moment or later is not trusted (git's "racily clean").

    Yields:
        Where an entry begins and ends, and whether its file was copied.

    Raises:
        OSError: Something of that name is there, or the disk is full.
    """
    given, at = bytes(entries), 0
    unpack, put = ENTRY.unpack_from, STAT.pack_into
    here: bytes | None = None
    old: int | None = None
    new: int | None = None
    while at < len(given):
        ctime_s, ctime_ns, mtime_s, mtime_ns, _, inode, mode, _, _, length, _, _ = unpack(given, at)
        begin = at + ENTRY.size
        name_end = given.index(0, begin)
        copied = None
        if inode and mode & _KIND == stat.S_IFREG:
            name_at = given.rfind(b"/", begin, name_end) + 1 or begin
            if given[begin:name_at] != here:
                here = given[begin:name_at]
                old, new = origin.at(here), None
            looks = (length, inode, mtime_s * _NANO + mtime_ns, ctime_s * _NANO + ctime_ns)
            name = given[name_at:name_end]
            data = None if old is None else unchanged(old, name, looks, before_ns)
            if data is not None:
                new = place.at(here) if new is None else new
                copied = None if new is None else created(new, name, data, program=mode == _PROGRAM)
        if copied is None:
            put(entries, at, 0, 0, 0, 0, 0, 0, mode, 0, 0, 0)
        else:
            put(entries, at, *stated(copied, mode))
        end = at + ((name_end - at + 8) & ~7)
        yield at, end, copied is not None
        at = end


def stated(seen: os.stat_result, mode: int) -> tuple[int, ...]:
    """Returns what an entry says of a file's stat, its mode as git has it, in the order of an entry."""
    ctime_s, ctime_ns = divmod(seen.st_ctime_ns, _NANO)
    mtime_s, mtime_ns = divmod(seen.st_mtime_ns, _NANO)
    return (
        ctime_s & _LOW_32,
        ctime_ns,
        mtime_s & _LOW_32,
        mtime_ns,
        seen.st_dev & _LOW_32,
        seen.st_ino & _LOW_32,
        mode,
        seen.st_uid & _LOW_32,
        seen.st_gid & _LOW_32,
        seen.st_size & _LOW_32,
    )


def unchanged(folder: int, name: bytes, looks: tuple[int, int, int, int], before_ns: int) -> bytes | None:
    """Reads a file if it surely is what its index says: it looks as it did, and was last touched before `before_ns`.

    Args:
        folder: Where it is.
        name: In there.
        looks: Its size, inode (both in 32 bits, as an index keeps them), and when it was written and changed, in ns.
        before_ns: When the index was written.
    """
    try:
        descriptor = os.open(name, _READ, dir_fd=folder)
    except OSError:
        return None
    try:
        seen = os.fstat(descriptor)
        touched = (seen.st_mtime_ns, seen.st_ctime_ns)
        if (
            looks != (seen.st_size & _LOW_32, seen.st_ino & _LOW_32, *touched)
            or max(touched) >= before_ns
            or seen.st_mode & _KIND != stat.S_IFREG
        ):
            return None
        data = os.read(descriptor, seen.st_size + 1)
        # A person may be saving this very file: what was read counts only if nothing moved meanwhile.
        now = os.fstat(descriptor)
        whole = len(data) == seen.st_size == now.st_size and touched == (now.st_mtime_ns, now.st_ctime_ns)
        return data if whole else None
    finally:
        os.close(descriptor)


def created(folder: int, name: bytes, data: bytes, *, program: bool) -> os.stat_result:
    """Creates a file and returns its stat.

    Raises:
        OSError: Something of that name is there, or the disk is full.
    """
    descriptor = os.open(name, _CREATE, 0o777 if program else 0o666, dir_fd=folder)
    try:
        written = os.write(descriptor, data)
        while written < len(data):
            written += os.write(descriptor, data[written:])
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def pack(source: bytes, target: bytes, before_ns: int, nice: int, entries: bytes | bytearray) -> bytes:
    """Returns a job: a head with the lengths of both folders' names, those, and the entries."""
    return b"".join((_JOB.pack(before_ns, nice, len(source), len(target)), source, target, entries))


def unpack(answer: bytes) -> tuple[bytes, list[int]]:
    """Returns the entries that were answered, from the first on, and where those begin that were not copied.

    An answer comes in pieces: a head with the length of some entries and how many of them were not copied, where each
    of these begins, and the entries. A piece that is not whole, because the worker was killed, does not count.
    """
    pieces: list[bytes] = []
    left: list[int] = []
    at = 0
    while at + _PIECE.size <= len(answer):
        length, count = _PIECE.unpack_from(answer, at)
        at += _PIECE.size
        begin = at + count * _AT.size
        if begin + length > len(answer):
            break
        left += (found for (found,) in _AT.iter_unpack(answer[at:begin]))
        pieces.append(answer[begin : begin + length])
        at = begin + length
    return b"".join(pieces), left


PIECE_BYTES = 1 << 13
"""After how many bytes of entries a worker answers."""


def main() -> None:
    """Reads a job from standard input, copies, and writes the answers to standard output as it goes."""
    with open(0, "rb", closefd=False) as given:
        job = given.read()
    before_ns, nice, source_length, target_length = _JOB.unpack_from(job)
    at = _JOB.size
    source = os.open(job[at : at + source_length], _FOLDER)
    at += source_length
    target = os.open(job[at : at + target_length], _FOLDER)
    at += target_length
    if nice:
        yield_to_others(nice)
    entries = bytearray(job[at:])
    told = 0
    left: list[int] = []
    with open(1, "wb", closefd=False) as answers:
        for begin, end, copied in carry(entries, Folder(source, create=False), Folder(target, create=True), before_ns):
            if not copied:
                left.append(begin)
            if end - told >= PIECE_BYTES or end == len(entries):
                answers.write(_PIECE.pack(end - told, len(left)) + b"".join(map(_AT.pack, left)) + entries[told:end])
                answers.flush()
                told = end
                left.clear()


def yield_to_others(nice: int) -> None:
    """Lets everything else of this machine go first.

    Source: sched(7), "The autogroup feature": nice values count among the processes of one session only, and a worker
    is alone in its own; against other sessions that of its group counts.
    """
    os.nice(nice)
    try:
        with open("/proc/self/autogroup", "wb", buffering=0) as group:  # noqa: PTH123 - pathlib takes long to import
            group.write(b"%d" % nice)
    except OSError:
        return
