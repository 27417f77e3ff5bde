"""The policy's checks before a merge: on exactly the files that the branch would hold, and none of them left behind."""

import asyncio
import errno
from pathlib import Path

import pytest

from agentos_lsp.domain import ids
from agentos_lsp.domain.errors import EffectError
from agentos_lsp.effects.git import updating
from agentos_lsp.runtime import committing, ending, merging
from tests.runtime import support

CHECK = '[[check]]\nname = "sum"\nrun = "python3 check.py"\n'
PROGRAM = """\
import pathlib, sys
found = {name: pathlib.Path(name).exists() for name in ("mine.txt", "yours.txt")}
print(found)
sys.exit("both are there" if all(found.values()) and not pathlib.Path("allowed.txt").exists() else 0)
"""
YOURS = [{"write": {"path": "yours.txt", "text": "y\n"}}, {"commit": "Add yours", "expect": "ok"}]


async def played(house, desk, *, policy=True):
    """A session with a commit that passed alone, and a branch that went on, so that both together do not pass."""
    house.commit("a check", {"check.py": PROGRAM})
    if policy:
        house.user_policy.write_text(CHECK)
    name = await desk.play(YOURS)
    house.commit("mine", {"mine.txt": "m\n"})
    return name


async def preview(desk, name):
    return await desk.runtime.on(ids.SessionId(name), lambda one: merging.preview(one, "merge", None, frozenset()))


def folder_of(now):
    return Path(now.worktree.folder)


async def test_a_merge_whose_files_fail_together_is_refused_and_changes_nothing(house):
    async with house.open() as desk:
        name = await played(house, desk)
        before = house.git("rev-parse", "main")
        assert [(row.check.name, row.standing) for row in (await preview(desk, name)).checks] == [("sum", "due")]
        refused = await desk.merge(name)
        assert isinstance(refused, ending.NotMerged)
        assert "did not pass" in refused.message
        assert "both are there" in refused.message
        assert house.git("rev-parse", "main") == before
        folder = folder_of(await desk.state(name))
        assert sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != ".git") == [
            ".gitignore",
            "a.txt",
            "check.py",
            "tool.py",
            "yours.txt",
        ]
        assert house.git("status", "--porcelain", cwd=folder) == ""
        await desk.runtime.reviews.shown(ids.SessionId(name))
        assert desk.of("review.edited") == []
    kinds = support.kinds(house.log(name))
    assert kinds[kinds.index("merge.attempted") :] == [
        "merge.attempted",
        "diff.inspected",
        "merge.trial_began",
        "command.classified",
        "check.started",
        "command.output",
        "check.finished",
        "merge.trial_ended",
        "diff.inspected",
        "merge.refused",
    ]


async def test_a_merge_leaves_the_tree_that_passed(house):
    async with house.open() as desk:
        name = await played(house, desk)
        house.commit("allow it", {"allowed.txt": "\n"})
        assert isinstance(await desk.merge(name), ending.Merged)
        passed = [one.tree for one in desk.of("check.finished") if one.passed]
        assert house.git("rev-parse", "main^{tree}") == passed[-1]
        assert len(passed) == 2


async def test_what_has_passed_at_the_commit_is_not_run_again(house):
    async with house.open() as desk:
        house.commit("a check", {"check.py": PROGRAM})
        house.user_policy.write_text(CHECK)
        name = await desk.play(YOURS)
        assert [row.standing for row in (await preview(desk, name)).checks] == ["passed"]
        assert isinstance(await desk.merge(name), ending.Merged)
        assert len(desk.of("check.started")) == 1
        assert desk.of("merge.trial_began") == []


async def test_lines_of_a_policy_that_is_not_trusted_need_the_persons_word(house):
    house.commit("policy", {".agentos/policy.toml": CHECK, "allowed.txt": "\n"})
    async with house.open() as desk:
        house.commit("a check", {"check.py": PROGRAM})
        name = await desk.begin(YOURS)
        await desk.answer(name, await desk.question(name))
        await desk.event("turn.finished")
        house.commit("mine", {"mine.txt": "m\n"})
        found = await preview(desk, name)
        assert ([row.standing for row in found.checks], found.possible) == (["ask"], False)
        refused = await desk.merge(name)
        assert isinstance(refused, ending.NotMerged)
        assert "sum (`python3 check.py`)" in refused.message
        assert len(desk.of("check.started")) == 1
        unseen = await desk.merge(name, run_checks=("python3 other.py",))
        assert unseen == refused
        assert len(desk.of("check.started")) == 1
        assert isinstance(await desk.merge(name, run_checks=("python3 check.py",)), ending.Merged)
        assert desk.of("check.started")[-1].cleared_by == "merge by a test"


async def test_a_check_that_runs_when_the_merge_is_cancelled_is_ended(house):
    slow = "import pathlib, time\nwhile pathlib.Path('mine.txt').exists():\n    time.sleep(0.01)\n"
    async with house.open() as desk:
        house.commit("a check", {"check.py": slow})
        house.user_policy.write_text(CHECK)
        name = await desk.play(YOURS)
        house.commit("mine", {"mine.txt": "m\n"})
        before = house.git("rev-parse", "main")
        merging_now = asyncio.ensure_future(desk.merge(name))
        await desk.event("check.started", 2)
        desk.runtime.cancel_merge(ids.SessionId(name))
        refused = await merging_now
        assert "cancelled" in refused.message
        assert house.git("rev-parse", "main") == before
        assert not (folder_of(await desk.state(name)) / "mine.txt").exists()


async def test_a_check_that_changes_files_proves_nothing_and_what_it_wrote_is_left(house):
    writes = "import pathlib\nif pathlib.Path('mine.txt').exists():\n    pathlib.Path('mine.txt').write_text('other')\n"
    async with house.open() as desk:
        house.commit("a check", {"check.py": writes})
        house.user_policy.write_text(CHECK)
        name = await desk.play(YOURS)
        house.commit("mine", {"mine.txt": "m\n"})
        refused = await desk.merge(name)
        assert "files changed while it ran" in refused.message
        assert desk.of("merge.trial_ended")[0].kept == ("mine.txt",)
        await desk.runtime.reviews.shown(ids.SessionId(name))
        assert desk.of("review.edited") == []


@pytest.mark.parametrize("event", ["check.started", "check.finished", "merge.trial_ended"])
async def test_after_a_crash_the_worktree_has_its_own_files_again(house, event):
    armed = False
    store = support.FailingStore(house.state, lambda one: armed and one.type == event, for_ever=True)
    async with house.open(store) as desk:
        name = await played(house, desk)
        folder = folder_of(await desk.state(name))
        armed = True
        with pytest.raises(Exception, match="the disk is full"):
            await desk.merge(name)
        # As after a `kill -9`: nobody had time to put anything back.
        (folder / "mine.txt").write_text("m\n")
    async with house.open() as desk:
        now = await desk.state(name)
        assert (now.trial, now.merging) == (None, None)
        assert not (folder / "mine.txt").exists()
        assert house.git("status", "--porcelain", cwd=folder) == ""
    assert house.verify(name) is None


async def test_a_disk_that_is_full_when_files_are_put_back_stops_the_session_until_it_is_mended(house, monkeypatch):
    full = False
    put = updating.put

    def failing(*given):
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return put(*given)

    monkeypatch.setattr(updating, "put", failing)
    async with house.open() as desk:
        house.commit("a check", {"check.py": "print('fine')\n"})
        house.user_policy.write_text(CHECK)
        name = await desk.play(YOURS)
        house.commit("mine", {"a.txt": "one\n2\nthree\n"})
        merging_now = asyncio.ensure_future(desk.merge(name))
        await desk.event("check.started", 2)
        full = True
        with pytest.raises(EffectError, match="No space left"):
            await merging_now
        file = folder_of(await desk.state(name)) / "a.txt"
        assert ((await desk.state(name)).trial is not None, file.read_text()) == (True, "one\n2\nthree\n")
        with pytest.raises(EffectError, match="No space left"):
            await desk.merge(name)
        with pytest.raises(EffectError, match="No space left"):
            await desk.holding(name, lambda it: committing.commit(it, "", "a test", confirmed=True))
        turns = len(desk.of("turn.started"))
        await desk.runtime.prompt(ids.SessionId(name), "Go on", "a test")
        failed = await desk.event("failure.recorded")
        assert "still has the files of a merge" in failed.message
        full = False
        await desk.runtime.resume(ids.SessionId(name), "a test")
        await desk.event("turn.started", turns + 1)
        assert file.read_text() == "one\ntwo\nthree\n"
        assert (await desk.state(name)).trial is None
        await desk.event("turn.finished", turns + 1)


async def test_what_stands_in_the_way_of_the_merged_files_is_named_and_no_check_runs(house):
    async with house.open() as desk:
        house.commit("a check", {"check.py": "print('fine')\n", ".gitignore": "build/\n"})
        house.user_policy.write_text(CHECK)
        name = await desk.play(YOURS)
        folder = folder_of(await desk.state(name))
        (folder / "build").mkdir()
        (folder / "build/kept").write_text("ignored\n")
        house.git("rm", "-q", ".gitignore")
        house.commit("a file where a folder is", {"build": "x\n"})
        refused = await desk.merge(name)
        assert "stand in the way: build" in refused.message
        assert len(desk.of("check.started")) == 1
        assert (folder / "build/kept").read_text() == "ignored\n"
        assert (await desk.state(name)).trial is None


async def test_checks_run_on_files_that_are_tracked_though_ignored_and_beside_moved_submodules(house):
    async with house.open() as desk:
        module = house.git("rev-parse", "HEAD")
        house.git("update-index", "--add", "--cacheinfo", f"160000,{module},sub")
        (house.root / "sub").mkdir()
        house.git("commit", "-qm", "a submodule")
        house.commit("a check", {"check.py": "print('fine')\n", ".gitignore": "*.log\n"})
        house.user_policy.write_text(CHECK)
        name = await desk.play(YOURS)
        (house.root / "kept.log").write_text("tracked\n")
        house.git("add", "--force", "kept.log")
        second = house.git("rev-parse", "HEAD")
        house.git("update-index", "--cacheinfo", f"160000,{second},sub")
        house.git("update-index", "--add", "--cacheinfo", f"160000,{second},another")
        (house.root / "another").mkdir()
        house.git("commit", "-qm", "ignored but tracked, and submodules")
        done = await desk.merge(name)
        assert isinstance(done, ending.Merged), done
        assert [one.passed for one in desk.of("check.finished")] == [True, True]
        assert desk.of("merge.trial_ended")[0].kept == ()
