"""A fresh worktree is ready to work in: ignored files, setup, ports; and a discard loses nothing for a while."""

import shutil
from pathlib import Path

import pytest

from agentos_lsp.domain import ids, review, state
from agentos_lsp.effects.git import checkpoints, on_disk
from agentos_lsp.effects.process import ports
from tests.runtime import support


async def test_ignored_files_that_are_asked_for_are_copied_and_no_other(house):
    ignore = ".env\n.env.local\nnode_modules/\nsecret\n"
    house.commit("include", {".gitignore": ignore, ".worktreeinclude": ".env*\nlink\nnotignored\n/config/*.local\n"})
    for path in (".env", ".env.local", "secret", "node_modules/.env", "notignored"):
        (house.root / path).parent.mkdir(exist_ok=True)
        (house.root / path).write_text(f"{path}\n")
    (house.root / ".env").chmod(0o600)
    async with house.open() as desk:
        name = await desk.play([{"run": "ls"}])
        (readied,) = desk.of("worktree.readied")
        folder = Path((await desk.state(name)).worktree.folder)
        assert (readied.copied, readied.left) == ((".env", ".env.local"), ())
        assert (folder / ".env").read_text() == ".env\n"
        assert (folder / ".env").stat().st_mode & 0o777 == 0o600
        assert not (folder / "secret").exists()
        assert not (folder / "node_modules").exists()
        assert house.git("status", "--porcelain", cwd=folder) == ""


async def test_a_file_that_would_be_staged_or_is_there_already_is_left(house):
    house.commit("first", {".gitignore": "*.local\n", ".worktreeinclude": "*.local\n", "made.txt": "x\n"})
    house.git("check-ignore", "-q", "a.local")
    (house.root / "a.local").write_text("mine\n")
    (house.root / ".git/info/exclude").write_text("only-here\n")
    async with house.open() as desk:
        await desk.play([{"run": "ls"}])
        assert [one.copied for one in desk.of("worktree.readied")] == [("a.local",)]


async def test_setup_lines_pass_the_gate_before_the_agents_first_turn_and_once(house):
    house.user_policy.write_text('[worktree]\nsetup = ["ls a.txt", "touch made"]\n')
    async with house.open() as desk:
        name = await desk.begin([{"run": "cat a.txt", "expect": "ok"}], [{"run": "ls", "expect": "ok"}])
        asked = await desk.question(name)
        assert asked.line == "touch made"
        await desk.answer(name, asked)
        await desk.event("turn.finished")
        await desk.runtime.prompt(ids.SessionId(name), "More", "a test")
        await desk.event("turn.finished", 2)
        assert [one.line for one in desk.of("command.started")] == ["ls a.txt", "touch made", "cat a.txt", "ls"]
        assert desk.of("failure.recorded") == []
    support.assert_sound(house.log(name))


async def test_a_setup_that_is_rejected_is_told_and_the_session_goes_on(house):
    house.user_policy.write_text('[worktree]\nsetup = ["touch made"]\n')
    async with house.open() as desk:
        name = await desk.begin([{"run": "cat a.txt", "expect": "ok"}])
        await desk.answer(name, await desk.question(name), "rejected")
        await desk.event("turn.finished")
        assert [one.line for one in desk.of("command.started")] == ["cat a.txt"]
        assert "`touch made` failed" in desk.of("agent.message")[0].text


async def test_each_session_has_ports_of_its_own_and_knows_the_main_checkout(house):
    shows = "echo $AGENTOS_PORT $AGENTOS_PORT_COUNT $AGENTOS_SESSION $AGENTOS_MAIN_CHECKOUT $AGENTOS_WORKTREE"
    async with house.open() as desk:
        rows = []
        for task in ("One", "Two"):
            name = await desk.begin([{"run": shows}], [{"run": shows}], task=task)
            await desk.answer(name, await desk.question(name))
            await desk.event("turn.finished", session=name)
            (said,) = [one.text.split() for one in desk.of("command.output") if one.session == name]
            folder = (await desk.state(name)).worktree.folder
            assert said[1:] == [str(ports.BLOCK), name, str(house.root), folder]
            rows.append((name, int(said[0])))
        assert abs(rows[0][1] - rows[1][1]) >= ports.BLOCK
    async with house.open() as desk:
        await desk.runtime.prompt(ids.SessionId(rows[0][0]), "Again", "a test")
        await desk.answer(rows[0][0], await desk.question(rows[0][0]))
        await desk.event("turn.finished")
        assert int(desk.of("command.output")[0].text.split()[0]) == rows[0][1]
        for name, _ in rows:
            await desk.runtime.discard(ids.SessionId(name), "a test")
        assert list((house.state / "ports").iterdir()) == []


def test_a_block_is_passed_over_where_somebody_listens_or_has_it(tmp_path, monkeypatch):
    assert ports.take(tmp_path, "one") == ports.take(tmp_path, "one")
    monkeypatch.setattr(ports, "_are_free", lambda start: start == ports.FIRST)
    assert ports.take(tmp_path, "two") == ports.FIRST
    assert ports.take(tmp_path, "three") is None
    ports.free(tmp_path, "two")
    assert ports.take(tmp_path, "three") == ports.FIRST


# --- what a discard keeps ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("committed", [False, True])
async def test_what_a_discard_removes_is_kept_with_what_was_in_no_commit(house, committed):
    steps = [{"write": {"path": "kept.txt", "text": "kept\n"}}, *([{"commit": "Kept"}] if committed else [])]
    async with house.open() as desk:
        name = await desk.play([*steps, {"write": {"path": "loose.txt", "text": "loose\n"}}])
        await desk.runtime.discard(ids.SessionId(name), "a test")
        (kept,) = desk.of("session.kept")
        assert kept.reference == f"refs/agentos/removed/{name}"
        assert house.git("for-each-ref", "--format=%(refname)", "refs/agentos") == kept.reference
    assert house.git("show", f"{kept.reference}:loose.txt") == "loose"
    assert house.git("show", f"{kept.reference}:kept.txt") == "kept"
    assert house.git("log", "--format=%s", f"main..{kept.reference}").splitlines()[1:] == (
        ["Kept"] if committed else []
    )
    house.assert_nothing_left()


async def test_a_session_that_holds_nothing_leaves_nothing(house):
    async with house.open() as desk:
        name = await desk.play([{"run": "ls"}])
        await desk.runtime.discard(ids.SessionId(name), "a test")
        assert desk.of("session.kept") == []
    assert house.git("for-each-ref", "refs/agentos") == ""


async def test_folders_that_are_asked_for_are_cloned_and_other_tools_setups_only_offered(house):
    house.commit(
        "conventions", {".gitignore": "node_modules/\n", "conductor.json": '{"scripts": {"setup": "touch ran"}}'}
    )
    (house.root / "node_modules").mkdir()
    (house.root / "node_modules/x.js").write_text("1\n")
    house.user_policy.write_text('[worktree]\nlinks = ["node_modules", "missing"]\n')
    async with house.open() as desk:
        name = await desk.play([{"run": "ls"}])
        (readied,) = desk.of("worktree.readied")
        assert (readied.copied, readied.left) == (("node_modules/",), ("missing/: not in your checkout",))
        assert [(one.file, one.lines) for one in readied.offered] == [("conductor.json", ("touch ran",))]
        now = await desk.state(name)
        folder = Path(now.worktree.folder)
        assert (folder / "node_modules/x.js").read_text() == "1\n"
        assert not (folder / "ran").exists()
        lines = review.session(now).text.splitlines()
        assert lines[lines.index("- conductor.json") + 1] == "    touch ran"


async def test_a_start_that_is_stopped_while_folders_are_cloned_prompts_nobody(house, monkeypatch):
    house.commit("ignore", {".gitignore": "node_modules/\n"})
    (house.root / "node_modules").mkdir()
    (house.root / "node_modules/x.js").write_text("1\n")
    house.user_policy.write_text('[worktree]\nlinks = ["node_modules"]\n')
    async with house.open() as desk:
        clone, asked = on_disk.OnDisk.clone_folders, []

        def stopped(checkout, worktree, folders, cancelled):
            name = asked[0] = worktree.branch.removeprefix("agentos/")
            desk.runtime.cancel_start(ids.SessionId(name))
            return clone(checkout, worktree, folders, cancelled)

        asked.append("")
        monkeypatch.setattr(on_disk.OnDisk, "clone_folders", staticmethod(stopped))
        name = await desk.begin([{"run": "ls"}])
        readied = await desk.event("worktree.readied")
        assert readied.left == ("node_modules/: the start was cancelled",)
        await (await desk.runtime.ended(ids.SessionId(name))).begun.wait()
        assert desk.of("prompt.queued") == []
        assert (await desk.state(name)).status == "idle"


async def test_a_session_cut_off_before_its_first_turn_is_made_ready_at_the_next_start(house):
    house.commit("ignore", {".gitignore": "node_modules/\n"})
    (house.root / "node_modules").mkdir()
    (house.root / "node_modules/x.js").write_text("1\n")
    house.user_policy.write_text('[worktree]\nlinks = ["node_modules"]\n')
    store = support.FailingStore(house.state, lambda event: event.type == "worktree.readied", for_ever=True)
    async with house.open(store) as desk:
        name = await desk.begin([{"run": "ls"}])
        await desk.event("worktree.created")
        await (await desk.runtime.ended(ids.SessionId(name))).begun.wait()
        folder = Path((await desk.state(name)).worktree.folder)
    shutil.rmtree(folder / "node_modules")
    async with house.open() as desk:
        await desk.event("turn.finished")
        assert (folder / "node_modules/x.js").read_text() == "1\n"


async def test_what_a_discard_cannot_keep_is_named(house, monkeypatch):
    monkeypatch.setattr(checkpoints, "LIMIT", 1000)
    async with house.open() as desk:
        steps = [{"write": {"path": "small.txt", "text": "x\n"}}, {"write": {"path": "large.txt", "text": "x" * 2000}}]
        name = await desk.play(steps)
        await desk.runtime.discard(ids.SessionId(name), "a test")
        (kept,) = desk.of("session.kept")
        assert kept.skipped == ("large.txt",)
        assert house.git("show", f"{kept.reference}:small.txt") == "x"
        assert "All but large.txt" in state.fold(house.log(name)[: kept.sequence]).notice
