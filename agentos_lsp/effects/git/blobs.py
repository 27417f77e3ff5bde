"""File contents in and out of the object database, without holding the interpreter lock for a big one."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pygit2

if TYPE_CHECKING:
    from agentos_lsp.effects.git.opening import Repository

BIG = 1 << 19
"""From this size on, in bytes, libgit2 would hold the interpreter lock for several milliseconds."""


def name_of(data: bytes) -> bytes:
    """Returns the object name that git gives to a file's contents."""
    # Source: gitformat-pack, an object is named by the SHA-1 of its header and contents.
    digest = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
    digest.update(data)
    return digest.digest()


def read(repository: Repository, oid: bytes) -> bytes:
    """Returns a file's contents as git keeps them."""
    data: bytes = repository.read(pygit2.Oid(raw=oid))[1]
    return data


def size(repository: Repository, oid: bytes) -> int:
    """Returns how many bytes git keeps under a name, without reading them all."""
    length: int = repository.odb.read_header(pygit2.Oid(raw=oid))[1]
    return length


def write(repository: Repository, common_dir: str, data: bytes) -> bytes:
    """Stores contents and returns their name."""
    if len(data) < BIG:
        return repository.create_blob(data).raw
    oid = name_of(data)
    if pygit2.Oid(raw=oid) in repository:
        return oid
    folder = Path(common_dir, "objects", oid.hex()[:2])
    folder.mkdir(exist_ok=True)
    # Source: gitrepository-layout, a loose object is the deflated header and contents; git's own names start alike,
    # so that `git gc` clears what a crash leaves.
    descriptor, temporary = tempfile.mkstemp(prefix="tmp_obj_", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            squeeze = zlib.compressobj(1)
            file.write(squeeze.compress(b"blob %d\0" % len(data)))
            for at in range(0, len(data), BIG):
                file.write(squeeze.compress(data[at : at + BIG]))
            file.write(squeeze.flush())
            file.flush()
            os.fsync(descriptor)
            os.fchmod(descriptor, 0o444)
        Path(temporary).rename(folder / oid.hex()[2:])
    except OSError:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    return oid
