"""How an answer to a hunk or file would be carried out, worked out from both sides before anything is touched.

A plan is made of compare-and-replace steps: each knows what it expects to find, so that nothing of anybody's is
overwritten. Where that cannot be promised there is no plan but a sentence that says why.
"""

from __future__ import annotations

import asyncio
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from agentos_lsp.domain import diff, hunks
from agentos_lsp.effects.files.outcomes import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from agentos_lsp.effects.files import Disk
    from agentos_lsp.effects.git import live
    from agentos_lsp.runtime.workspace import Workspace

LIMIT_BYTES = 64 << 20
"""The largest file that is taken over or back by itself."""

_PROGRAM = 0o100755
_REGULAR = {0o100644, _PROGRAM}

# Source: LSP 3.18, "End-Of-Line sequences": editors and servers may count lines differently where one of these stands.
_ODD_LINE = re.compile("[\v\f\x1c-\x1e\x85\u2028\u2029]|\r(?!\n)")


@dataclass(frozen=True, slots=True)
class Replacement:
    """Replaces the lines from `start` to before `end` of an open file by a text."""

    start: int
    end: int
    text: str


class OpenFile(Protocol):
    """A file that is open in an editor."""

    @property
    def text(self) -> str:
        """What the editor shows, saved or not."""

    @property
    def is_saved(self) -> bool:
        """Whether the file on the disk says the same."""

    async def replace(self, changes: Sequence[Replacement]) -> bool:
        """Lets the editor change its text, which a person can undo; returns whether it did."""


@dataclass(frozen=True, slots=True)
class Sides:
    """What an answer is about, with both sides as git keeps them; a renamed file's old one is under its old name."""

    item: hunks.Item
    rows: Mapping[str, live.Row]

    @property
    def old(self) -> diff.Side | None:
        """What the session began from."""
        row = self.rows.get(self.item.change.old_path or self.item.path)
        return None if row is None else row.old

    @property
    def new(self) -> diff.Side | None:
        """What the session has made."""
        row = self.rows.get(self.item.path)
        return None if row is None else row.new


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do: `act` returns None once it is done, or a sentence that says why nothing was changed.

    `loses` is the content that would be gone, `paths` the files of the worktree or checkout that it writes.
    """

    act: Callable[[], Awaitable[str | None]]
    loses: bytes | None
    paths: tuple[str, ...]
    through: Literal["disk", "editor"] = "disk"


@dataclass(frozen=True, slots=True)
class _Step:
    """One file from a known content to another; None where there is no file."""

    path: str
    before: bytes | None
    after: bytes | None
    program: bool | None = None


async def accept(workspace: Workspace, sides: Sides, opened: Callable[[str], OpenFile | None]) -> Plan | str:
    """Plans to bring a hunk or file into the person's checkout, or says why it cannot be."""
    refused = _held(sides)
    if refused is not None:
        return f"{refused} Copy it into your checkout yourself if you want it, and commit it there."
    refused = _unfit(sides)
    if refused is not None:
        return f"{refused} Merge the session to get it."
    root, item = workspace.repository, sides.item
    change = item.change
    editor = opened(posixpath.join(root, item.path))
    before = opened(posixpath.join(root, change.old_path)) if change.old_path is not None else None
    if before is not None and not before.is_saved:
        return f"{change.old_path} has unsaved changes in your editor; save or undo them, then accept."
    if change.status == "modified" and not change.binary:
        return await _accept_text(workspace, sides, editor)
    if editor is not None:
        if change.status == "added" and not change.binary and not await _on_disk(workspace.disk, root, item.path):
            return _fill(sides, editor)
        if not editor.is_saved:
            return f"{item.path} has unsaved changes in your editor; save or undo them, then accept."
    return await asyncio.to_thread(_accept_file, workspace, sides)


async def _on_disk(disk: Disk, root: str, path: str) -> bool:
    return await asyncio.to_thread(read, disk, root, path) is not None


async def _accept_text(workspace: Workspace, sides: Sides, editor: OpenFile | None) -> Plan | str:
    """Plans to bring hunks into a text that the person may have edited meanwhile."""
    disk_door, root = workspace.disk, workspace.repository
    item, old, new = sides.item, _data(sides.old), _data(sides.new)
    disk = await asyncio.to_thread(read, disk_door, root, item.path)
    if isinstance(disk, str):
        return disk
    if editor is not None and _ODD_LINE.search(editor.text):
        return f"{item.path} has characters that editors may count as line breaks; close it, then accept."
    text = disk if editor is None else editor.text.encode("utf-8", "surrogatepass")
    if text is None:
        return f"{item.path} is not in your checkout, so there is nothing to change; merge the session to get it back."
    bare, form = hunks.plain(text, old)
    found = _fitting(item, old, new, bare)
    if isinstance(found, str):
        return found
    mode = item.hunk is None and item.change.old_mode != item.change.new_mode
    program = (item.change.new_mode == _PROGRAM) if mode else None
    bits = None if program is None or disk is None else _steps(disk_door, root, [_Step(item.path, disk, disk, program)])
    if not found:
        return bits or f"Your own {item.path} has this already."
    if editor is not None:
        wanted = [Replacement(one.start, one.end, _text(form.words(one))) for one in found]
        return _through_editor(item.path, editor, wanted, bits)
    return _steps(disk_door, root, [_Step(item.path, disk, form.restored(hunks.edited(bare, found)), program)])


def _fitting(item: hunks.Item, old: bytes, new: bytes, text: bytes) -> tuple[hunks.Edit, ...] | str:
    """Returns the edits that bring a hunk, or all of a file's, into a text; or says where it was edited too."""
    chosen = item.change.hunks if item.hunk is None else (item.hunk,)
    where = hunks.places(chosen, old, new, text)
    conflicts = [place for place in where if place.state == "conflict"]
    if conflicts:
        lines = ", ".join(str(place.start + 1) for place in conflicts[:5])
        return f"Your own {item.path} was edited in the same place (line {lines}); nothing was changed."
    return hunks.edits(chosen, new, where)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _through_editor(path: str, editor: OpenFile, wanted: Sequence[Replacement], then: Plan | None) -> Plan:
    """Plans to let the editor change its text, and after that what it cannot do."""
    loses = editor.text.encode("utf-8", "surrogatepass")

    async def act() -> str | None:
        if not await editor.replace(wanted):
            return f"Your editor did not change {path}; look at it and try again."
        return None if then is None else await then.act()

    return Plan(act, loses, (path,), "editor")


def _fill(sides: Sides, editor: OpenFile) -> Plan | str:
    """Plans to fill a new file that is open, and not on the disk yet."""
    path = sides.item.path
    if editor.text:
        return f"{path} is open in your editor with text of your own; save it elsewhere or clear it, then accept."
    text = _text(_data(sides.new))
    return _through_editor(path, editor, [Replacement(0, 0, text)], None)


def _accept_file(workspace: Workspace, sides: Sides) -> Plan | str:
    """Plans to bring a whole file into the checkout: added, deleted, renamed, binary, or with another mode."""
    root, change = workspace.repository, sides.item.change
    old_path = change.old_path or change.path
    disk = read(workspace.disk, root, old_path)
    if isinstance(disk, str):
        return disk
    steps: list[_Step] = []
    if change.status in {"added", "renamed"}:
        made = _made(workspace, sides)
        if isinstance(made, str):
            return made
        steps += made
    if change.status != "added":
        left = _left(sides, old_path, disk)
        if isinstance(left, str):
            return left
        steps += left
    if not steps:
        return f"Your checkout has this change of {change.path} already."
    return _steps(workspace.disk, root, steps)


def _made(workspace: Workspace, sides: Sides) -> list[_Step] | str:
    """Returns the step that makes a file under its new name; none if it is there, and the same."""
    root, path = workspace.repository, sides.item.path
    there = read(workspace.disk, root, path)
    if isinstance(there, str):
        return there
    if there is None:
        content = workspace.git.for_folder(workspace.common_dir, root, path, _data(sides.new))
        return [_Step(path, None, content, sides.item.change.new_mode == _PROGRAM)]
    same = hunks.plain(there, _data(sides.new))[0] == _data(sides.new)
    return [] if same else f"Your checkout has another {path}; nothing was changed."


def _left(sides: Sides, path: str, disk: bytes | None) -> list[_Step] | str:
    """Returns what is to be done to the file under its old name; none if it is gone, as it should be."""
    change = sides.item.change
    if disk is None:
        gone = change.status in {"deleted", "renamed"}
        return [] if gone else f"{path} is not in your checkout; merge the session to get it."
    if hunks.plain(disk, _data(sides.old))[0] != _data(sides.old):
        if change.binary and disk == _data(sides.new):
            return f"Your own {path} has this already."
        return f"Your own {path} is not what the session began from; nothing was changed."
    if change.status in {"deleted", "renamed"}:
        return [_Step(path, disk, None)]
    after = disk if change.status == "mode" else _data(sides.new)
    return [_Step(path, disk, after, change.new_mode == _PROGRAM)]


async def reject(workspace: Workspace, sides: Sides) -> Plan | str:
    """Plans to take a hunk or file back in the worktree, or says why it cannot be."""
    refused = _held(sides)
    if refused is not None:
        return f"{refused} Restore a checkpoint to undo it (0 is the session's beginning)."
    refused = _unfit(sides)
    if refused is not None:
        return f"{refused} Ask the agent to undo it."
    return await asyncio.to_thread(_reject, workspace, sides)


def _reject(workspace: Workspace, sides: Sides) -> Plan | str:
    root, item = workspace.root, sides.item
    change = item.change
    disk = read(workspace.disk, root, item.path)
    if isinstance(disk, str):
        return disk
    steps: list[_Step] = []
    if sides.old is not None and change.status in {"deleted", "renamed"}:
        old_path = change.old_path or item.path
        content = workspace.git.for_folder(workspace.common_dir, root, old_path, _data(sides.old))
        steps.append(_Step(old_path, None, content, sides.old.mode == _PROGRAM))
    if change.status != "deleted":
        if disk is None:
            return f"{item.path} was changed since it was shown; look at it again."
        bare, form = hunks.plain(disk, _data(sides.new))
        if bare != _data(sides.new):
            return f"The line endings of {item.path} are mixed; ask the agent to undo its change."
        program = None
        if item.hunk is not None:
            after: bytes | None = form.restored(hunks.reverted(item.hunk, _data(sides.old), bare))
        elif change.status in {"added", "renamed"}:
            after = None
        else:
            after = disk if change.status == "mode" else form.restored(_data(sides.old))
            program = change.old_mode == _PROGRAM
        steps.append(_Step(item.path, disk, after, program))
    return _steps(workspace.disk, root, steps)


def _held(sides: Sides) -> str | None:
    """Says that a file passes through a filter; None if it does not."""
    held = next((side.held for side in (sides.new, sides.old) if side is not None and side.held), "")
    return f"{sides.item.path} is {held}; it is not taken over or back by itself." if held else None


def _unfit(sides: Sides) -> str | None:
    """Says why something is not taken over or back by itself; None if it may be."""
    change = sides.item.change
    modes = {mode for mode in (change.old_mode, change.new_mode) if mode is not None}
    if not modes <= _REGULAR:
        return f"{change.path} is a link, a submodule, or turns into another kind of file."
    present = [side for side in (sides.old, sides.new) if side is not None]
    if change.too_large or not present or any(side.data is None for side in present):
        return f"{change.path} is too large to be handled by itself."
    return None


def _data(side: diff.Side | None) -> bytes:
    return b"" if side is None or side.data is None else side.data


def read(disk: Disk, root: str, path: str) -> bytes | str | None:
    """Returns a file's content, None if there is none, or a sentence that says why it cannot be used."""
    with disk.files(root) as files:
        found = files.read(path, limit_bytes=LIMIT_BYTES)
    if isinstance(found, Refused):
        return None if found.reason == "missing" else found.message
    return f"{path} is too large to be handled by itself." if found.truncated else found.data


def _steps(disk: Disk, root: str, steps: Sequence[_Step]) -> Plan:
    """Returns the plan that carries out steps in order; if one is refused, those before are taken back."""

    def carry_out() -> str | None:
        with disk.files(root) as files:
            for number, step in enumerate(steps):
                done = files.exchange(step.path, step.before, step.after, program=step.program)
                if isinstance(done, Refused):
                    for taken in reversed(steps[:number]):
                        files.exchange(taken.path, taken.after, taken.before)
                    return done.message
        return None

    async def act() -> str | None:
        return await asyncio.to_thread(carry_out)

    loses = next((step.before for step in steps if step.before is not None), None)
    return Plan(act, loses, tuple(step.path for step in steps))
