"""A git directory that an agent writes, read as bytes and believed in nothing: its refs and its objects.

Neither the git program nor libgit2 opens it: no configuration, hook or filter in it can run anything here. Files are
opened beneath its folder, never through a link, and read rather than mapped, so that a file which shrinks meanwhile
ends nothing. Its alternates are not looked at. An object counts only if its bytes have the name that was asked for.

Source: gitrepository-layout, gitformat-pack (versions 2), gitformat-loose: a loose object is the deflated header and
contents.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from agentos_lsp.effects.git import beneath, foreign_packs
from agentos_lsp.effects.git.foreign_packs import LARGEST, Budget, UnfitError

if TYPE_CHECKING:
    from types import TracebackType

    from agentos_lsp.effects.git.foreign_packs import Kind

MOST_PACKS = 64
_SMALL = 4096
_MOST_PACKED_REFS = 16 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OID = re.compile(r"[0-9a-f]{40}")
_REF = re.compile(r"refs/[A-Za-z0-9._/@+=#,%~^-]{1,400}")
_MOST_LINKS = 5


@dataclass(frozen=True, slots=True)
class Head:
    """What a HEAD says: the ref that it stands for, None if it is detached; and the commit, None if there is none."""

    ref: str | None
    commit: str | None


class Foreign:
    """One such directory, held open by its descriptor; used as a context manager.

    Args:
        folder: The git directory, absolute.
        budget: How much may be read and unpacked of it, in all.
    """

    def __init__(self, folder: str, budget: Budget | None = None) -> None:
        self._budget = budget if budget is not None else Budget()
        self._root = beneath.open_folder(folder)
        self._packs: list[foreign_packs.Pack] | None = None
        self._cache = foreign_packs.Cache()

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes all that was opened."""
        for pack in self._packs or ():
            pack.close()
        os.close(self._root)

    def head(self) -> Head:
        """Returns where its HEAD is."""
        text = self._text(b"HEAD")
        if text is not None and text.startswith("ref: "):
            ref = text[5:].strip()
            return Head(ref, self.ref(ref))
        return Head(None, text if text is not None and _OID.fullmatch(text) else None)

    def ref(self, name: str) -> str | None:
        """Returns the commit that a ref names, None if there is none that can be understood."""
        for _ in range(_MOST_LINKS):
            if not _is_usable(name):
                return None
            text = self._text(os.fsencode(name))
            if text is None:
                return self._packed().get(name)
            if _OID.fullmatch(text):
                return text
            if not text.startswith("ref: "):
                return None
            name = text[5:].strip()
        return None

    def object(self, oid: bytes) -> tuple[Kind, bytes] | None:
        """Returns an object whose bytes have this name, None if there is none.

        Raises:
            UnfitError: What stands there is no object, has another name, or is too much.
        """
        found = self._loose(oid) or self._from_packs(oid)
        if found is None:
            return None
        kind, data = found
        # Source: gitformat-pack; the name is the SHA-1 of the header and the contents.
        digest = hashlib.sha1(b"%s %d\0" % (kind.encode(), len(data)), usedforsecurity=False)
        digest.update(data)
        if digest.digest() != oid:
            raise UnfitError(f"the object {oid.hex()} holds something else than its name says")
        return kind, data

    # --- files -----------------------------------------------------------------------------------------------------

    def _loose(self, oid: bytes) -> tuple[Kind, bytes] | None:
        name = oid.hex()
        raw = self._bytes(f"objects/{name[:2]}/{name[2:]}".encode(), LARGEST)
        if raw is None:
            return None
        inflate = zlib.decompressobj()
        try:
            data = inflate.decompress(raw, LARGEST + 64)
        except zlib.error as error:
            raise UnfitError(f"the object {name} is broken: {error}") from error
        self._budget.take(len(data))
        header, _, content = data.partition(b"\0")
        kind, _, size = header[:32].decode("ascii", "replace").partition(" ")
        if kind not in {"commit", "tree", "blob", "tag"} or size != str(len(content)) or not inflate.eof:
            raise UnfitError(f"the object {name} is broken or larger than {LARGEST} bytes")
        return kind, content  # type: ignore[return-value]  # looked at above

    def _from_packs(self, oid: bytes) -> tuple[Kind, bytes] | None:
        if self._packs is None:
            self._packs = []
            self._open_packs(self._packs)
        for pack in self._packs:
            found = pack.object(oid)
            if found is not None:
                return found
        return None

    def _open_packs(self, into: list[foreign_packs.Pack]) -> None:
        try:
            with beneath.folder_of(self._root, b"objects/pack/x") as (folder, _):
                names = [name for name in os.listdir(folder) if name.endswith(".idx")]  # noqa: PTH208 - a descriptor
        except OSError:
            return
        if len(names) > MOST_PACKS:
            raise UnfitError(f"it has {len(names)} packs, more than {MOST_PACKS}; run `git gc` in the worktree")
        room = foreign_packs.LARGEST_INDEX
        for name in sorted(names):
            index = self._bytes(b"objects/pack/" + os.fsencode(name), room)
            pack = self._open(b"objects/pack/" + os.fsencode(name.removesuffix(".idx") + ".pack"))
            if pack is None:
                continue
            if index is None:
                os.close(pack)
                continue
            room -= len(index)
            try:
                into.append(foreign_packs.Pack(index, pack, self._budget, self._cache))
            except BaseException:
                os.close(pack)
                raise

    def _text(self, path: bytes) -> str | None:
        """Returns a small file's text without the white space around it, None if it is no small file."""
        try:
            data = self._bytes(path, _SMALL)
        except UnfitError:
            return None
        return None if data is None else data.decode("utf-8", "replace").strip()

    def _packed(self) -> dict[str, str]:
        try:
            data = self._bytes(b"packed-refs", _MOST_PACKED_REFS) or b""
        except UnfitError:
            return {}
        rows = (row.split(" ") for row in data.decode("utf-8", "replace").splitlines())
        return {row[1]: row[0] for row in rows if len(row) == 2 and _OID.fullmatch(row[0])}

    def _open(self, path: bytes) -> int | None:
        """Opens a regular file, None if there is none; a link, a pipe or a device is none."""
        try:
            with beneath.folder_of(self._root, path) as (folder, name):
                descriptor = os.open(name, _READ, dir_fd=folder)
        except OSError:
            return None
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        return None

    def _bytes(self, path: bytes, limit: int) -> bytes | None:
        """Reads a file whole, however it changes meanwhile; None if there is none.

        Raises:
            UnfitError: It is larger than the limit.
        """
        descriptor = self._open(path)
        if descriptor is None:
            return None
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(limit + 1)
        self._budget.take(len(data))
        if len(data) > limit:
            raise UnfitError(f"{os.fsdecode(path)} is larger than {limit} bytes")
        return data


def _is_usable(name: str) -> bool:
    """Tells whether a name can be that of a ref, and leads nowhere else. Source: git-check-ref-format(1)."""
    if _REF.fullmatch(name) is None and not name.isprintable():
        return False
    steps = name.split("/")
    return steps[0] == "refs" and not any(step in {"", ".", ".."} or step.endswith(".lock") for step in steps)
