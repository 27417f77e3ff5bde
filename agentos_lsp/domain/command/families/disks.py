"""Programs that write to devices and file systems as a whole.

Source: dd(1), mkfs(8), wipefs(8), blkdiscard(8), fdisk(8), parted(8), mkswap(8), cryptsetup(8), lvm(8), mount(8).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentos_lsp.domain.command.effects import Deletes, Escalates, Unrecognised
from agentos_lsp.domain.command.families import rows
from agentos_lsp.domain.command.invocation import Known, Prefix, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Invocation

_MOUNTS = "mount umount swapon swapoff losetup fusermount fusermount3 modprobe insmod rmmod kexec pivot_root"
_WIPERS = (
    "mkfs mke2fs mkntfs mkdosfs mkexfatfs newfs wipefs blkdiscard fdisk cfdisk sfdisk gdisk sgdisk parted mkswap"
    " cryptsetup mdadm pvcreate pvremove vgremove lvremove badblocks hdparm"
    " nvme diskutil dmsetup zpool zfs btrfs fstrim resize2fs"
)


def _dd(invocation: Invocation) -> Iterator[Effect]:
    """`of=` is written; a device written to is lost."""
    for argument in invocation.arguments:
        name, equals, value = rows.text_of(argument).partition("=")
        if not equals:
            yield Unrecognised(f"an operand of dd is not certain: {name}")
            continue
        operand = Known(value) if isinstance(argument, Known) else Prefix(value, quoted=True)
        if name == "of":
            where = rows.target(invocation, operand)
            yield from rows.write(invocation, operand)
            if where.place == "device":
                yield Deletes(where, recursive=True)
        elif name == "if":
            yield from rows.read(invocation, operand)


def _wipe(invocation: Invocation) -> Iterator[Effect]:
    """Whatever operand could be a device or an image is destroyed; the numbers and words among them do no harm."""
    yield Escalates(invocation.name)
    for argument in invocation.arguments:
        text = rows.text_of(argument)
        if text.startswith("-") and "/" not in text:
            continue
        yield Deletes(rows.target(invocation, argument), recursive=True)


# Verbs with which volume managers destroy what a name stands for. Source: zpool(8), zfs(8), lvm(8), diskutil(8).
_DESTROYING = re.compile(
    r"destroy|labelclear|erase\w*|partitiondisk|zerodisk|randomdisk|secureerase|reformat|delete\w*|luksformat|luksErase|remove",
    re.IGNORECASE,
)
_MANAGERS = frozenset(("zpool", "zfs", "diskutil", "cryptsetup", "dmsetup", "pvremove", "vgremove", "lvremove"))


def _manager(invocation: Invocation) -> Iterator[Effect]:
    """A pool, a volume or a disk is named without a path: where a verb destroys it, it counts as a device."""
    yield from _wipe(invocation)
    words = [rows.text_of(argument) for argument in invocation.arguments if not rows.text_of(argument).startswith("-")]
    destroys = invocation.name.endswith("remove") or any(_DESTROYING.fullmatch(word) for word in words[:2])
    if destroys and words:
        yield Deletes(Target(f"/dev/{words[-1]}", "device", under=False, shown=words[-1]), recursive=True)


def _mount(invocation: Invocation) -> Iterator[Effect]:
    yield Escalates(invocation.name)


ROWS = {
    **rows.special("dd dcfldd dc3dd ddrescue", _dd),
    **rows.special(_MOUNTS, _mount),
    **rows.special(_WIPERS, _wipe),
    **rows.special(" ".join(sorted(_MANAGERS)), _manager),
}
