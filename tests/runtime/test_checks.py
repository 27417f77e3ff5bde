"""Commands that must pass before a commit: on the very tree, cleared like any other, and never twice for one tree."""

import asyncio

import pytest

from tests.runtime import support

WRITE = {"write": {"path": "b.txt", "text": "b\n"}}
CHECK = """
[[check]]
name = "tests"
run = "python3 check.py"
timeout_s = 50
"""
PROGRAM = "import pathlib, sys\nprint('looked at', pathlib.Path('b.txt').read_text().strip())\n"


def ask_for(house, program, rest=""):
    house.commit("a check", {"check.py": PROGRAM + program})
    house.user_policy.write_text(CHECK + rest)


async def test_a_commit_is_made_after_its_check_has_passed_on_its_tree(house):
    ask_for(house, "")
    async with house.open() as desk:
        name = await desk.play([WRITE, {"commit": "Add b", "expect": "ok"}])
        (started,) = desk.of("check.started")
        (finished,) = desk.of("check.finished")
        (made,) = desk.of("commit.made")
        assert house.git("rev-parse", f"{made.commit}^{{tree}}") == started.tree == finished.tree
        assert (started.cleared_by, finished.passed, finished.exit_code) == ("policy check tests", True, 0)
        assert "".join(one.text for one in desk.of("command.output")) == "looked at b\n"
        assert desk.of("approval.requested") == []
    assert support.assert_sound(house.log(name)).checked == {("python3 check.py", finished.tree)}


async def test_a_commit_whose_check_fails_is_refused_with_what_it_printed(house):
    ask_for(house, "sys.exit('two tests failed')\n")
    async with house.open() as desk:
        name = await desk.play([WRITE, {"commit": "Add b", "expect": "refused"}])
        (refused,) = desk.of("commit.refused")
        assert [finding.rule for finding in refused.findings] == ["policy.check"]
        assert "did not pass (exit code 1)" in refused.message
        assert "two tests failed" in refused.message
        assert desk.of("commit.made") == []
        assert (await desk.state(name)).checked == frozenset()


async def test_a_check_that_changes_files_proves_nothing(house):
    ask_for(house, "pathlib.Path('b.txt').write_text('other')\n")
    async with house.open() as desk:
        await desk.play([WRITE, {"commit": "Add b", "expect": "refused"}])
        assert "files changed while it ran" in desk.of("commit.refused")[0].message


async def test_a_commit_of_a_part_cannot_be_checked(house):
    ask_for(house, "")
    async with house.open() as desk:
        await desk.play(
            [WRITE, {"write": {"path": "c.txt", "text": "c\n"}}, {"commit": {"message": "b", "paths": ["b.txt"]}}]
        )
        assert "changes that this commit leaves out" in desk.of("commit.refused")[0].message
        assert desk.of("check.started") == []


async def test_a_check_of_some_paths_runs_for_those_only(house):
    ask_for(house, "sys.exit(1)\n", 'paths = ["src/*"]\n')
    async with house.open() as desk:
        await desk.play([WRITE, {"commit": "Add b", "expect": "ok"}])
        assert desk.of("check.started") == []


async def test_a_failed_check_may_be_only_a_note(house):
    ask_for(house, "sys.exit(1)\n", '[rules]\ncheck = "note"\n')
    async with house.open() as desk:
        await desk.play([WRITE, {"commit": "Add b", "expect": "ok"}])
        assert [one.passed for one in desk.of("check.finished")] == [False]


async def test_the_check_of_a_repository_that_nobody_trusts_is_asked_about(house):
    house.commit("policy", {"check.py": PROGRAM, ".agentos/policy.toml": CHECK})
    async with house.open() as desk:
        name = await desk.begin(
            [WRITE, {"commit": "Add b"}, {"write": {"path": "b.txt", "text": "c\n"}}, {"commit": "c"}]
        )
        asked = await desk.question(name)
        assert asked.line == "python3 check.py"
        await desk.answer(name, asked)
        again = await desk.question(name, 2)
        assert again.line == "python3 check.py"
        await desk.answer(name, again, "rejected")
        await desk.event("turn.finished")
        assert [one.cleared_by for one in desk.of("check.started")] == [f"approval {asked.approval}"]
        assert len(desk.of("commit.made")) == 1
    support.assert_sound(house.log(name))


async def test_a_blocked_line_is_no_check_even_of_the_persons_own(house):
    house.user_policy.write_text('[[check]]\nname = "push"\nrun = "git push --force origin main"\n')
    async with house.open() as desk:
        await desk.play([WRITE, {"commit": "Add b", "expect": "refused"}])
        assert desk.of("check.started") == desk.of("commit.made") == []
        assert desk.told()[0].startswith("Blocked:")


async def test_a_tree_that_was_checked_is_not_checked_again(house):
    ask_for(house, "", '[rules]\nbuild-script = "review"\n')
    async with house.open() as desk:
        make = {"write": {"path": "Makefile", "text": "all:\n"}}
        name = await desk.begin([WRITE, make, {"commit": "Add b"}, {"commit": "Add b"}])
        await desk.answer(name, await desk.question(name), "rejected")
        await desk.answer(name, await desk.question(name, 2))
        await desk.event("turn.finished")
        assert len(desk.of("check.started")) == 1
        assert len(desk.of("commit.made")) == 1


async def test_a_check_that_is_stopped_with_its_turn_leaves_nothing_committed(house):
    ask_for(house, "import time\nprint('waits', flush=True)\ntime.sleep(50)\n")
    async with house.open() as desk:
        name = await desk.begin([WRITE, {"commit": "Add b"}])
        await desk.event("check.started")
        await asyncio.wait_for(desk.runtime.stop(name, "a test"), support.WAIT_S)
        (finished,) = desk.of("check.finished")
        assert (finished.passed, finished.ended_by) == (False, "stop")
        assert desk.of("commit.made") == []


async def test_a_commit_cut_off_in_its_check_is_taken_up_after_a_restart(house):
    ask_for(house, "import os, time\nwhile os.path.exists('../../../../wait'): time.sleep(0.02)\n")
    (house.folder / "wait").touch()
    async with house.open() as desk:
        name = await desk.begin([WRITE, {"commit": "Add b"}])
        await desk.event("check.started")
    (house.folder / "wait").unlink()
    async with house.open() as desk:
        await desk.runtime.resume(name, "a test")
        await desk.event("turn.finished")
        assert len(desk.of("commit.made")) == 1
    log = house.log(name)
    assert [one.type for one in log].count("check.started") == 2
    assert [one.passed for one in log if one.type == "check.finished"][-1:] == [True]


async def test_a_moved_protected_file_and_a_link_are_seen_in_a_real_tree(house):
    links = "import os\nos.symlink('/etc/hostname', 'out')\nos.symlink('moved.txt', 'in')\n"
    house.commit("links", {"links.py": links})
    allow = '[commands]\nallow = [["python3", "links.py"]]\n'
    house.user_policy.write_text(f'[commit]\nprotected_paths = ["a.txt"]\n{allow}')
    async with house.open() as desk:
        name = await desk.play(
            [
                {"move": {"path": "a.txt", "to": "moved.txt"}},
                {"run": "python3 links.py"},
                {"commit": "Move it", "expect": "refused"},
            ]
        )
        rows = {(one.rule, one.action, one.path) for one in (await desk.state(name)).findings}
        assert rows == {("policy.protected-path", "refuse", "moved.txt"), ("policy.link-outside", "refuse", "out")}


@pytest.mark.parametrize(
    ("given", "found"), [("tools/hooks", True), ("{root}/tools/hooks", True), (".git/hooks", False)]
)
async def test_a_file_where_the_repositorys_settings_look_for_hooks_is_a_hook(house, given, found):
    house.git("config", "core.hooksPath", given.format(root=house.root))
    async with house.open() as desk:
        name = await desk.begin([{"write": {"path": "tools/hooks/mine", "text": "x\n"}}, {"commit": "Add it"}])
        inspected = await desk.event("diff.inspected")
        assert [(one.rule, one.action) for one in inspected.findings] == [("policy.hook", "review")] * found
        if found:
            await desk.answer(name, await desk.question(name), "rejected")
        await desk.event("turn.finished")
