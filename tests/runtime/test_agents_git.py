"""Confined, an agent's git works in a directory of the session's own; the repository gets what was inspected."""

import asyncio
import itertools
import json
import os
from pathlib import Path

import pytest

from agentos_lsp.effects.git import foreign
from agentos_lsp.runtime import checkpoints, confining
from tests.effects.process.sandbox.conftest import working
from tests.runtime import support

pytestmark = pytest.mark.skipif(not working(), reason="this machine cannot make a cage")

ALLOW = '[commands]\nallow = [["git"], ["python3", "git.py"], ["python3", "sh.py"]]\n'
SECRET = "KEY = 'AKIA" + "Z7Q2M4N6P8R1S3T5'\n"
PROGRAM = """\
import json, subprocess, sys
told = []
for line in json.load(open(sys.argv[1])):
    done = subprocess.run(line, shell=True, capture_output=True, text=True)
    told.append([line, done.returncode, (done.stdout + done.stderr)[-600:]])
json.dump(told, open("told.json", "w"))
"""
EVERY_COMMAND = (
    "git symbolic-ref --short HEAD > $TMPDIR/name",
    "git status -s",
    "echo a >> a.txt; git add a.txt",
    "git commit -qm c1",
    "echo b >> b.txt; git add b.txt; git stash -q",
    "git stash pop -q",
    "git checkout -q -- a.txt",
    "git reset -q --hard HEAD",
    "git checkout -q -b topic",
    "git checkout -q -",
    "git tag t1",
    "git rebase -q HEAD~1",
    "git config x.y z",
    "git gc -q",
    "git worktree list",
    "git log --oneline -1",
    "git commit --amend -qm c2",
    "git branch -m renamed",
    "git branch -m $(cat $TMPDIR/name)",
    "git diff --exit-code main...topic -- tool.py",
    "git switch -q --detach main && git switch -q -",
    "git fsck --no-dangling",
    "git clean -qnd",
    "git blame a.txt",
)
PEEK = """\
import os, sys
for path in sys.argv[1:]:
    for what in (os.listdir, lambda at: open(at).read(), lambda at: open(at + "/made", "w"), lambda at: open(at, "a")):
        try:
            print(path, what(path))
        except OSError:
            pass
"""
LATER = {"start": {"line": "python3 sh.py later.json", "name": "quiet"}}
BRANCH = "refs/heads/agentos/"


@pytest.fixture(params=["own", "bubblewrap"])
def caged(request, house):
    """A house whose sessions are confined by one backend."""
    found = working().get(request.param)
    if found is None:
        pytest.skip(f"this machine cannot make a cage: {request.param}")
    return prepared(house, found)


@pytest.fixture
def ours(house):
    """A house whose sessions are confined by the first backend that works here."""
    return prepared(house, next(iter(working().values())))


def prepared(house, backend):
    house.confiner = confining.Confiner(Path(os.environ["XDG_STATE_HOME"]) / "canaries", lambda: [backend])
    house.user_policy.write_text(ALLOW)
    house.commit("a program", {"sh.py": PROGRAM, "peek.py": PEEK, ".gitignore": "told.json\nlines-*.json\n"})
    return house


def open_(house, store=None):
    return house.open(store, confiner=house.confiner)


_numbers = itertools.count(1)


def lines(*what):
    """Steps that run lines of shell as a program of the agent's own would."""
    name = f"lines-{next(_numbers)}.json"
    return [{"write": {"path": name, "text": json.dumps(what)}}, {"run": f"python3 sh.py {name}", "expect": "ok"}]


def write(path, text):
    return {"write": {"path": path, "text": text}}


def told(now):
    """What the last lines came to: each with its exit code and what it printed."""
    return json.loads(Path(now.worktree.folder, "told.json").read_text())


async def folder(desk, name):
    return Path((await desk.state(name)).worktree.folder)


def tip(house, name):
    return house.git("rev-parse", f"{BRANCH}{name}")


def own(house, name):
    """Where the agent's own git has the session's branch."""
    with foreign.Foreign(f"{house.state}/git/{name}/git") as agents:
        return agents.ref(f"{BRANCH}{name}")


def ask(house, now, *words):
    """Asks the agent's own git; it is this test's, so nothing hostile is in it."""
    return house.git(f"--git-dir={house.state}/git/{now.session}/git", f"--work-tree={now.worktree.folder}", *words)


def holdings(house):
    """All that an agent has no business with in the repository's git directory."""
    git = house.root / ".git"
    mine = ("objects/", "worktrees/", "refs/heads/agentos", "refs/agentos", "logs/refs/heads/agentos")
    files = {str(path.relative_to(git)): path for path in git.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith(mine)}


async def test_every_git_command_works_and_the_repository_is_untouched(caged):
    before = holdings(caged)
    async with open_(caged) as desk:
        name = await desk.play(lines(*EVERY_COMMAND))
        now = await desk.state(name)
        assert [row for row in told(now) if row[1] != 0] == []
        assert len(desk.of("commits.found")) == 1
        assert own(caged, name) == tip(caged, name) == now.head
        assert caged.git("log", "-1", "--format=%s", now.head) == "c2"
        assert caged.git("status", "--porcelain", cwd=Path(now.worktree.folder)) == ""
    assert holdings(caged) == before
    support.assert_sound(caged.log(name))


async def test_of_the_repository_nothing_is_seen_but_its_objects_which_nobody_can_write(caged):
    git = caged.root / ".git"
    caged.git("config", "remote.origin.url", "https://name:token@example.invalid/repo.git")
    caged.git("config", "secret.of", "the-person")
    paths = [str(git / name) for name in ("", "config", "HEAD", "hooks", "refs", "worktrees", "logs", "index")]
    async with open_(caged) as desk:
        name = await desk.play(
            lines(
                f"python3 peek.py {' '.join(paths)}",
                f"touch {git}/objects/made; mkdir {git}/objects/no-object; git -C {caged.root} log",
                "rm -f .git; echo x > .git; mv .git away; cat .git",
                "git config -l --local",
            )
        )
        seen, _, file, settings = told(await desk.state(name))
        assert seen[2] == f"{git} ['objects']\n"
        assert "the-person" not in settings[2]
        assert "token" not in settings[2]
        assert "https://example.invalid/repo.git" in settings[2]
        assert f"gitdir: {caged.state}/git/{name}/git" in file[2]
    assert not (git / "objects" / "made").exists()
    assert not (git / "objects" / "no-object").exists()


async def test_a_commit_is_not_in_the_repository_before_it_was_inspected(ours):
    async with open_(ours) as desk:
        name = await desk.begin(
            [write("later.json", '["echo b > b; git add b; git commit -qm b"]'), LATER], [{"run": "ls"}]
        )
        await desk.event("turn.finished")
        await desk.event("command.finished")
        made = own(ours, name)
        assert made != tip(ours, name) == ours.git("rev-parse", "main")
        assert made not in ours.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
        await desk.runtime.prompt(name, "Go on", "a test")
        await desk.event("turn.finished", 2)
        assert len(desk.of("commits.found")) == 1
        assert made == tip(ours, name)


@pytest.mark.parametrize("end", ["merge", "discard"])
async def test_what_nobody_has_looked_at_yet_is_looked_at_before_the_session_ends(ours, end):
    async with open_(ours) as desk:
        name = await desk.play([write("later.json", '["echo b > b; git add b; git commit -qm b"]'), LATER])
        await desk.event("command.finished")
        (await folder(desk, name) / "later.json").unlink()
        if end == "merge":
            await desk.merge(name)
        else:
            await desk.runtime.discard(name, "a test")
        (found,) = desk.of("commits.found")
        assert ours.git("log", "-1", "--format=%s", found.head) == "b"
        if end == "merge":
            assert (ours.root / "b").read_text() == "b\n"
        else:
            assert found.head in ours.git("rev-list", f"refs/agentos/removed/{name}")


async def test_the_commit_tool_and_the_agents_git_stay_in_step(ours):
    async with open_(ours) as desk:
        name = await desk.play(
            [
                write("a.txt", "edited\n"),
                write("staged.txt", "staged\n"),
                *lines("git add staged.txt"),
                {"commit": {"message": "By the tool", "paths": ["a.txt"]}, "expect": "ok"},
                *lines(
                    "git status --porcelain", "git log -2 --format=%s", "git commit -qm own", "git status --porcelain"
                ),
                write("c.txt", "c\n"),
                {"commit": "Again", "expect": "ok"},
                *lines("git status --porcelain", "git log -3 --format=%s"),
            ]
        )
        now = await desk.state(name)
        assert [row[2].split("\n")[:-1] for row in told(now)] == [[], ["Again", "own", "By the tool"]]
        assert own(ours, name) == tip(ours, name) == now.head
        assert ours.git("status", "--porcelain", cwd=Path(now.worktree.folder)) == ""
        assert [one.type for one in desk.events if one.type.startswith("commit")].count("commits.found") == 1
        await desk.merge(name)
    assert not (ours.state / "git" / name).exists()
    assert (ours.root / "staged.txt").read_text() == "staged\n"


async def test_a_commit_that_was_made_is_recorded_though_the_agents_git_cannot_follow_at_once(ours):
    async with open_(ours) as desk:
        name = await desk.play(
            [
                *lines('g=$(git rev-parse --git-dir); rm "$g/index"; mkdir "$g/index"; touch "$g/index/x"'),
                write("a.txt", "edited\n"),
                {"commit": "By the tool", "expect": "ok"},
                *lines('rm -r "$(git rev-parse --git-dir)/index"'),
                *lines("git status --porcelain", "git log -1 --format=%s"),
            ]
        )
        now = await desk.state(name)
        (made,) = desk.of("commit.made")
        assert desk.of("commits.set_aside") == desk.of("commits.found") == []
        assert own(ours, name) == tip(ours, name) == now.head == made.commit
        assert [row[2] for row in told(now)] == ["", "By the tool\n"]


async def test_a_git_directory_that_the_agent_destroyed_is_made_anew_with_the_next_cage(ours):
    async with open_(ours) as desk:
        name = await desk.begin(
            lines(
                "echo x > x; git add x; git commit -qm x", "cd $(git rev-parse --git-dir) && rm -rf HEAD objects refs"
            ),
            [*lines("git status --porcelain", "git log -1 --format=%s")],
        )
        await desk.event("turn.finished")
        await desk.runtime.stop(name, "a test")
        await desk.runtime.prompt(name, "Go on", "a test")
        await desk.event("turn.finished", 2)
        head = (await desk.state(name)).head
        assert own(ours, name) == tip(ours, name) == head
        # Both lines ran before anybody had looked at the commit: it went with the objects, its file did not.
        assert head == (await desk.state(name)).base_commit
        assert told(await desk.state(name))[0][2] == "?? x\n"


async def test_what_is_set_aside_leaves_the_agents_git_at_the_sessions_branch_with_its_files_staged(ours):
    async with open_(ours) as desk:
        name = await desk.play(
            [write("k.py", SECRET), *lines("git add k.py; git commit -qm sneaky"), *lines("git status -s")]
        )
        now = await desk.state(name)
        (aside,) = desk.of("commits.set_aside")
        assert own(ours, name) == tip(ours, name) == now.base_commit
        assert told(now)[0][2] == "A  k.py\n"
        assert ours.git("show", f"{aside.ref}:k.py") + "\n" == SECRET


async def test_an_agent_on_another_branch_is_told_what_counts(ours):
    async with open_(ours) as desk:
        name = await desk.begin(
            [
                *lines("git switch -qc topic; echo x > x; git add x; git commit -qm x"),
                {"commit": "By the tool", "expect": "refused"},
            ],
            [*lines("git switch -q -; git merge -q topic")],
        )
        await desk.event("turn.finished")
        results = [one.result.text for one in desk.runtime._sessions[name]._history.values()]
        assert "Your git is on the branch topic" in results[1]
        assert "git switch agentos/" in results[2]
        assert tip(ours, name) == (await desk.state(name)).base_commit
        await desk.runtime.prompt(name, "Go on", "a test")
        await desk.event("turn.finished", 2)
        assert ours.git("log", "-1", "--format=%s", tip(ours, name)) == "x"


async def test_a_commit_of_the_person_in_the_worktree_reaches_the_agents_git(ours):
    async with open_(ours) as desk:
        name = await desk.play(lines("git status"), [*lines("git status --porcelain", "git log -1 --format=%s")])
        folder = Path((await desk.state(name)).worktree.folder)
        (folder / "mine.txt").write_text("mine\n")
        ours.git("add", "mine.txt", cwd=folder)
        ours.git("commit", "-qm", "the person's", cwd=folder)
        await desk.runtime.prompt(name, "Go on", "a test")
        await desk.event("turn.finished", 2)
        assert [row[2] for row in told(await desk.state(name))] == ["", "the person's\n"]
        assert own(ours, name) == tip(ours, name) == (await desk.state(name)).head


async def test_commits_beside_those_of_the_person_do_not_replace_them(ours):
    async with open_(ours) as desk:
        later = [*lines("git status"), write("later.json", '["echo x > x; git add x; git commit -qm x"]'), LATER]
        name = await desk.begin(later, [{"run": "ls"}])
        await desk.event("turn.finished")
        await desk.event("command.finished", 2)
        folder = Path((await desk.state(name)).worktree.folder)
        ours.git("commit", "-qm", "the person's", "--allow-empty", cwd=folder)
        theirs = tip(ours, name)
        await desk.runtime.prompt(name, "Go on", "a test")
        await desk.event("turn.finished", 2)
        (aside,) = desk.of("commits.set_aside")
        assert "moved on" in aside.message
        assert own(ours, name) == tip(ours, name) == theirs
        assert ours.git("log", "-1", "--format=%s", aside.ref) == "x"


async def test_an_agent_that_goes_back_in_its_own_history_may_and_what_it_left_is_kept(ours):
    async with open_(ours) as desk:
        name = await desk.play(
            [*lines("echo x > x; git add x; git commit -qm x"), *lines("git reset -q --hard HEAD~1")],
        )
        now = await desk.state(name)
        first = desk.of("commits.found")[0].head
        assert (now.commits, now.head) == ((), now.base_commit)
        assert own(ours, name) == tip(ours, name) == now.base_commit
        assert ours.git("rev-parse", f"refs/agentos/{name}/replaced/{first[:12]}") == first


async def test_the_agents_git_outlives_a_restart_and_a_checkpoint_that_is_brought_back(ours):
    async with open_(ours) as desk:
        name = await desk.begin(
            lines(
                "echo x > x; git add x; git commit -qm x; git branch topic; git config my.own thing",
                "echo y > x; git stash -q",
            ),
            [{"run": "ls"}],
        )
        await desk.event("turn.finished")
        head = tip(ours, name)

        async def back(one):
            with one.hold():
                await checkpoints.restore(one, one.place, 0, "a test")

        await desk.runtime.on(name, back)
        assert own(ours, name) == head
        assert ask(ours, await desk.state(name), "status", "--porcelain") == "D  x".replace("D ", " D")
    async with open_(ours) as desk:
        await desk.runtime.prompt(name, "Go on", "a test")
        await desk.event("turn.finished")
        now = await desk.state(name)
        assert own(ours, name) == tip(ours, name) == head
        assert ask(ours, now, "config", "my.own") == "thing"
        assert ask(ours, now, "rev-parse", "topic") == head
        assert "WIP" in ask(ours, now, "stash", "list")
        await desk.runtime.discard(name, "a test")
    assert not (ours.state / "git" / name).exists()


@pytest.mark.parametrize("kind", ["commits.found", "commits.set_aside", "commit.made"])
async def test_after_a_crash_at_the_record_both_are_in_step_again(ours, kind):
    text = SECRET if kind == "commits.set_aside" else "x = 1\n"
    steps = [*lines("git status"), write("k.py", text)]
    steps += [{"commit": "Add"}] if kind == "commit.made" else lines("git add k.py; git commit -qm own")
    store = support.FailingStore(ours.state, lambda event: event.type == kind, for_ever=True)
    async with open_(ours, store) as desk:
        name = await desk.begin(steps, [{"run": "ls"}])
        assert await asyncio.to_thread(store.failed.wait, support.WAIT_S)
    async with open_(ours) as desk:
        await desk.runtime.resume(name, "a test")
        await desk.event("turn.finished")
        now = await desk.state(name)
        assert own(ours, name) == tip(ours, name) == now.head
        assert (now.head == now.base_commit) is (kind == "commits.set_aside")
        assert ask(ours, now, "status", "--porcelain") == ("A  k.py" if kind == "commits.set_aside" else "")


FORGE = """\
echo x > x; git add x; git commit -qm x
name=$(git rev-parse HEAD:x); file=$(git rev-parse --git-dir)/objects/$(echo $name | sed 's|^..|&/|'); chmod u+w $file
python3 -c "import zlib; print(zlib.compress(b'blob 2' + bytes(1) + b'y' + bytes([10])).hex(), end='')" > hex
python3 -c "import sys; open(sys.argv[1], 'wb').write(bytes.fromhex(open('hex').read()))" $file; rm hex
"""


async def test_what_cannot_be_read_is_said_and_nothing_is_lost(ours):
    async with open_(ours) as desk:
        name = await desk.begin(
            lines(FORGE), [{"commit": "By the tool", "expect": "ok"}, *lines("git status --porcelain")]
        )
        await desk.event("turn.finished")
        now = await desk.state(name)
        (aside,) = desk.of("commits.set_aside")
        assert (aside.ref, now.aside) == ("", ())
        assert "something else than its name says" in aside.message
        assert own(ours, name) == tip(ours, name) == now.base_commit
        assert ask(ours, now, "cat-file", "-t", aside.tip) == "commit"
        await desk.runtime.prompt(name, "Go on", "a test")
        await desk.event("turn.finished", 2)
        assert ours.git("show", f"{tip(ours, name)}:x") == "x"
        assert told(await desk.state(name))[0][2] == ""


HOSTILE = """\
g=$(git rev-parse --git-dir); w=$PWD; run=$w/run
printf '#!/bin/sh\\ntouch %s/ran\\ncat\\n' $w > $run; chmod +x $run
for one in pre-commit post-commit post-checkout reference-transaction post-index-change post-merge; do
cp $run $g/hooks/$one; done
for one in core.fsmonitor diff.external filter.z.clean filter.z.smudge filter.z.process diff.z.textconv; do
git config $one $run; done
for one in core.sshCommand gpg.program core.editor core.pager; do git config $one $run; done
git config core.hooksPath $g/hooks; git config include.path $w/more; git config --file more core.pager $run
echo 'x.txt filter=z diff=z' > $g/info/attributes; echo 'x.txt filter=z diff=z' > .gitattributes; echo x > x.txt
"""
PLUMB = """\
blob=$(git hash-object -w --no-filters more); git update-index --add --cacheinfo 100644,$blob,more
git update-ref HEAD $(git commit-tree -p HEAD -m hostile $(git write-tree)); rm -f ran
"""


async def test_nothing_that_an_agent_sets_in_its_git_runs_in_our_process_or_the_persons(ours):
    async with open_(ours) as desk:
        name = await desk.play(
            [*lines(HOSTILE, PLUMB), write("y.txt", "y\n"), {"commit": {"message": "By the tool", "paths": ["y.txt"]}}]
        )
        now = await desk.state(name)
        assert len(desk.of("commits.found")) == len(desk.of("commit.made")) == 1
        await desk.runtime.changes(name)
        folder = Path(now.worktree.folder)
        ours.git("status", cwd=folder)
        ours.git("log", "-1", "-p", cwd=folder)
        assert not (folder / "ran").exists()
