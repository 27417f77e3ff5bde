"""A folder of the session's own is removed however deep an agent has nested it."""

import os

from agentos_lsp.effects.files import disk


def test_folders_nested_without_end_are_removed(tmp_path):
    scratch = tmp_path / "scratch" / "one"
    scratch.mkdir(parents=True)
    here = os.open(scratch, os.O_RDONLY)
    for _ in range(1600):
        os.mkdir("d" * 100, dir_fd=here)
        below = os.open("d" * 100, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    (scratch / "link").symlink_to(tmp_path)
    (tmp_path / "kept").write_text("kept")

    disk.OnDisk().remove_folder(scratch)

    assert sorted(path.name for path in tmp_path.rglob("*")) == ["kept", "scratch"]
