"""What an agent writes starts no filter: not by attributes that it commits, nor by a name, a link or a setting.

Each filter here leaves a line in a file of the test's own when it runs, and does nothing else.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from agentos_lsp.domain import ids
from agentos_lsp.effects.git import changes, checkpoints, held, live
from tests.effects.git.conftest import AT, Place, write
from tests.effects.git.test_held import WHO, Filtered, file
from tests.effects.process.sandbox.conftest import working
from tests.runtime.test_checkpoints import restore
from tests.runtime.test_filtered import Filtered as House


@pytest.fixture
def filtered(tmp_path: Path) -> Filtered:
    root = tmp_path / "repo"
    root.mkdir()
    place = Place(root)
    place.git("init", "-q")
    place.commit(**{"a.txt": "one\n"})
    return Filtered(place)


def use_everything(worktree) -> None:
    """Looks at a worktree, keeps it and brings it back, in every way that reads what an agent wrote."""
    tracked = live.Tracked(worktree, worktree.base)
    tracked.current()
    for path in ("a.txt", "big.up", ".gitattributes", "src/deep/other.up"):
        tracked.touch(path)
        tracked.current()
    changes.changes(worktree, worktree.base)
    made = checkpoints.take(worktree, worktree.base, checkpoints.reference("fix-1", 1), "kept", WHO, AT)
    assert made is not None
    checkpoints.restore(worktree, made.commit, worktree.base)
    checkpoints.restore(worktree, worktree.base, made.commit)
    checkpoints.keep_removed(worktree, worktree.base, f"{checkpoints.REMOVED}fix-1", WHO, AT)


@pytest.mark.skipif(not working(), reason="this machine cannot make a cage")
async def test_attributes_that_an_agent_commits_run_no_filter_of_the_persons(tmp_path):
    house = House(tmp_path)
    steps = [
        {"write": {"path": ".gitattributes", "text": "* filter=upper\n"}},
        {"write": {"path": "a.txt", "text": "attacked\n"}},
        {"write": {"path": "big.up", "text": "attacked\n"}},
        {"run": "git add .gitattributes a.txt big.up"},
        {"run": "git commit -m Attack"},
        {"commit": {"message": "Attack"}},
    ]
    async with house.open() as desk:
        name = await desk.play(steps)
        assert len(desk.of("commits.set_aside")) == 1
        await desk.runtime.changes(ids.SessionId(name))
        await restore(desk, name, 0)
        folder = Path((await desk.state(name)).worktree.folder)
        assert (folder / "a.txt").read_text() == "one\ntwo\nthree\n"
        assert (folder / "big.up").read_text() == "ABC\n"
        await desk.runtime.discard(ids.SessionId(name), "a test")
    assert house.ran == []


def test_nothing_that_reads_what_an_agent_wrote_runs_a_filter(filtered):
    worktree = filtered.session()
    file(worktree, ".gitattributes").write_text("* filter=upper working-tree-encoding=UTF-16\n")
    for path in ("a.txt", "big.up", "src/deep/other.up"):
        file(worktree, path).write_text("attacked\n")
    use_everything(worktree)
    assert filtered.ran == []


def test_a_filter_that_only_attributes_name_is_never_a_program(filtered):
    canary = filtered.folder / "canary"
    script = write(filtered.place.root, "run.sh", f"#!/bin/sh\ntouch '{canary}'\ncat\n")
    script.chmod(0o755)
    names = ("./run.sh", str(script).replace(" ", ""), "run.sh", "evil", "../run.sh")
    text = "".join(f"{number}.up filter={name}\n" for number, name in enumerate(names))
    files = {f"{number}.up": "x\n" for number in range(len(names))}
    filtered.place.commit(**{".gitattributes": f"*.up filter=upper\n{text}", **files})
    for path in files:
        filtered.place.write(path, "not clean\n")
    filtered.forget()
    worktree = filtered.session()
    assert held.among(worktree, files, ()) == {}
    assert file(worktree, "0.up").read_text() == "x\n"
    assert not canary.exists()
    assert filtered.ran == []


def test_a_link_in_place_of_an_attribute_file_is_not_read(filtered):
    worktree = filtered.session()
    write(filtered.folder, "outside", "* filter=upper\n")
    file(worktree, ".gitattributes").unlink()
    file(worktree, ".gitattributes").symlink_to(filtered.folder / "outside")
    file(worktree, "a.txt").write_text("changed\n")
    words = {one.path: one.held for one in changes.changes(worktree, worktree.base)}
    assert words == {".gitattributes": "", "a.txt": ""}


def test_a_checkout_swapped_for_a_link_brings_no_other_file_back(filtered):
    worktree = filtered.session()
    write(filtered.folder, "secret", "A SECRET\n")
    file(worktree, "big.up").write_text("MINE\n")
    made = checkpoints.take(worktree, worktree.base, checkpoints.reference("fix-1", 1), "kept", WHO, AT)
    assert made is not None
    own = filtered.place.root / "big.up"
    own.unlink()
    own.symlink_to(filtered.folder / "secret")
    assert checkpoints.restore(worktree, made.commit, worktree.base).kept == ("big.up",)
    assert file(worktree, "big.up").read_text() == "MINE\n"


def test_a_folder_swapped_for_a_link_is_not_written_through(filtered):
    worktree = filtered.session()
    outside = filtered.folder / "outside"
    outside.mkdir()
    file(worktree, "src/deep/other.up").write_text("MINE\n")
    made = checkpoints.take(worktree, worktree.base, checkpoints.reference("fix-1", 1), "kept", WHO, AT)
    assert made is not None
    file(worktree, "src/deep").rename(filtered.folder / "moved")
    file(worktree, "src/deep").symlink_to(outside)
    checkpoints.restore(worktree, made.commit, worktree.base)
    assert list(outside.iterdir()) == []
