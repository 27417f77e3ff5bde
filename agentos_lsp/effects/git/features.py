"""What a repository uses that libgit2 would get wrong, refused in words before a session touches anything.

Source: measured against git with libgit2 1.9: split and sparse indexes are not read, missing objects of partial clones
are not fetched. Filters and other encodings, which it does not know either, are not refused; see `held`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pygit2

from agentos_lsp.domain.errors import AgentosError, EffectError, UserError
from agentos_lsp.effects.git import trees

if TYPE_CHECKING:
    from agentos_lsp.effects.git.opening import Repository

_OTHER_CLONE = "Use a clone of the repository without it (`git clone` into another folder) and start the session there."


def unopenable(git_dir: str, reason: str) -> AgentosError:
    """Says in words why a git directory could not be opened."""
    lowered = reason.lower()
    if "owned by" in lowered or "ownership" in lowered:
        folder = git_dir.rstrip("/").rpartition("/")[0]
        return UserError(
            f"The repository at {folder} belongs to another user, so git does not trust it.",
            f"If you trust it, run `git config --global --add safe.directory {folder}` and try again.",
        )
    if "object format" in lowered or "objectformat" in lowered:
        return UserError("The repository uses SHA-256 object names, which sessions cannot work on.", _OTHER_CLONE)
    if "refstorage" in lowered:
        return UserError(
            "The repository keeps its branches as a reftable, which sessions cannot work on.",
            "Run `git refs migrate --ref-format=files` (git 2.46 or newer), or use another clone.",
        )
    if "extension" in lowered:
        return UserError(f"The repository needs a feature that is not supported ({reason}).", _OTHER_CLONE)
    return EffectError("git", f"open the repository at {git_dir}", reason, retry_may_help=False)


def refuse_unsupported(repository: Repository, common_dir: str, tree: bytes) -> tuple[str, ...]:
    """Checks the features that matter when a tree is checked out.

    Returns:
        The paths of the tree's submodules, which are allowed and stay empty.

    Raises:
        UserError: Something would be checked out wrongly; says what and what to do.
    """
    config = repository.config
    _refuse_split_index(repository)
    if is_true(config, "core.sparseCheckout"):
        _refuse_sparse_index(repository)
    promisors = any(entry.name.lower().endswith(".promisor") for entry in config)
    if "extensions.partialClone" in config or promisors:
        raise UserError(
            "The repository is a partial clone, so files may be missing when a session needs them.",
            "Fetch everything (`git fetch --refetch --no-filter`) into a full clone and start the session there.",
        )
    special = special_of(repository, common_dir, tree)
    return tuple(sorted(os.fsdecode(path) for path, entry in special.items() if entry.mode == trees.SUBMODULE))


_KNOWN: dict[str, tuple[bytes, dict[bytes, trees.Entry]]] = {}
"""The special entries of the tree that was last asked for, by repository: the next is found by the difference."""


def special_of(repository: Repository, common_dir: str, tree: bytes) -> dict[bytes, trees.Entry]:
    """Returns the submodules and attribute files of a tree, by path; reads only what it was not asked before."""
    old, known = _KNOWN.get(common_dir, (None, {}))
    found = dict(known)
    try:
        for path, _, entry in trees.difference(repository, old, tree):
            found.pop(path, None)
            if entry is not None and _is_special(path, entry):
                found[path] = entry
    except KeyError:
        # The tree that was known is gone from the repository.
        found = {path: entry for path, entry in trees.walk(repository, tree) if _is_special(path, entry)}
    _KNOWN[common_dir] = (tree, found)
    return found


def _is_special(path: bytes, entry: trees.Entry) -> bool:
    attributes = path.rpartition(b"/")[2] == b".gitattributes" and entry.mode != trees.LINK
    return attributes or entry.mode == trees.SUBMODULE


def attributes(repository: Repository, common_dir: str, tree: bytes) -> list[bytes]:
    """Returns the contents of every attribute file that applies to files of a tree."""
    inside = [
        repository.read(pygit2.Oid(raw=entry.oid))[1]
        for entry in special_of(repository, common_dir, tree).values()
        if entry.mode != trees.SUBMODULE
    ]
    above, below = attribute_files(repository.config, common_dir)
    return [*inside, *above, *below]


def _refuse_split_index(repository: Repository) -> None:
    # Source: gitformat-index, "Split index": its other part is a file of that name beside it.
    if any(Path(repository.path).glob("sharedindex.*")):
        what, mend = "The checkout uses a split index", "git update-index --no-split-index"
        _refuse_unread_index(repository, what, mend)


def _refuse_sparse_index(repository: Repository) -> None:
    # Source: gitformat-index, "Sparse Directory Entries": folders stand for what is below them.
    what, mend = "The checkout is sparse and has a sparse index", "git sparse-checkout reapply --no-sparse-index"
    _refuse_unread_index(repository, what, mend)


def _refuse_unread_index(repository: Repository, what: str, mend: str) -> None:
    """Refuses an index that libgit2 cannot read for an extension; says what it is, and the command that ends it."""
    try:
        repository.index.read()
    except pygit2.GitError as error:
        if "extension" not in str(error):
            raise
        raise UserError(f"{what}, which sessions cannot read.", f"Run `{mend}` and try again.") from error


def attribute_files(config: pygit2.Config, common_dir: str) -> tuple[list[bytes], list[bytes]]:
    """Returns the attribute files that are not part of the tree: those that come before its own, and those after.

    Source: gitattributes(5): the repository's own; then the person's, and the system's.
    """
    try:
        own = config["core.attributesFile"] or ""
    except KeyError:
        own = f"{os.environ.get('XDG_CONFIG_HOME') or '~/.config'}/git/attributes"
    places = ([f"{common_dir}/info/attributes"], [os.path.expanduser(own), "/etc/gitattributes"])  # noqa: PTH111 - asked often
    before, after = ([text for name in row if (text := _text(name)) is not None] for row in places)
    return before, after


def _text(name: str) -> bytes | None:
    return Path(name).read_bytes() if os.path.isfile(name) else None  # noqa: PTH113 - as above


def is_true(config: pygit2.Config, name: str) -> bool:
    """Whether a setting is there, and true."""
    try:
        return config.get_bool(name)
    except (KeyError, ValueError):
        return False
