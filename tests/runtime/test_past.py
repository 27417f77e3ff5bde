"""Commits that an agent's own git makes are found when its command ends: kept, or set aside without losing a byte."""

import asyncio

import pytest

from tests.runtime import support

SECRET = "KEY = 'AKIA" + "Z7Q2M4N6P8R1S3T5'\n"
ALLOW = '[commands]\nallow = [["git", "add"], ["git", "commit"], ["python3", "git.py"]]\n'
GIT = "import subprocess, sys\nfor words in {lines}:\n    subprocess.run(['git', *words], check=True)\n"


def program(house, *lines):
    """Commits a program that carries out lines of git, as an agent's own would."""
    house.commit("a program", {"git.py": GIT.format(lines=[line.split() for line in lines])})
    house.user_policy.write_text(ALLOW)


def write(path, text):
    return {"write": {"path": path, "text": text}}


def tip(house, name):
    return house.git("rev-parse", f"refs/heads/agentos/{name}")


async def test_a_commit_that_nothing_speaks_against_belongs_to_the_session(house):
    house.user_policy.write_text(ALLOW)
    async with house.open() as desk:
        name = await desk.play([write("b.txt", "b\n"), {"run": "git add b.txt"}, {"run": "git commit -m Add"}])
        (found,) = desk.of("commits.found")
        now = await desk.state(name)
        assert now.head == found.head == tip(house, name)
        assert (now.commits, found.files) == ((found.head,), ("b.txt",))
        await desk.merge(name)
    assert (house.root / "b.txt").read_text() == "b\n"
    support.assert_sound(house.log(name))


async def test_what_would_be_refused_is_set_aside_and_nothing_is_lost(house):
    house.user_policy.write_text(ALLOW)
    async with house.open() as desk:
        name = await desk.play(
            [
                write("a.txt", "edited\n"),
                {"commit": "Edit", "expect": "ok"},
                write("k.py", SECRET),
                write("c.txt", "not committed\n"),
                {"run": "git add k.py"},
                {"run": "git commit -m sneaky", "expect": "ok"},
                {"commit": "Again", "expect": "refused"},
            ]
        )
        (made,) = desk.of("commit.made")
        (aside,) = desk.of("commits.set_aside")
        now = await desk.state(name)
        assert tip(house, name) == now.head == aside.head == made.commit
        assert house.git("show", f"{aside.ref}:k.py") + "\n" == SECRET
        assert house.git("rev-parse", aside.ref) == aside.tip
        folder = now.worktree.folder
        assert (house.root / folder / "k.py").read_text() == SECRET
        assert (house.root / folder / "c.txt").read_text() == "not committed\n"
        assert [one.rule for one in aside.findings] == ["policy.secret"]
        assert now.aside == (aside.ref,)
        # The gate's own commit is judged as ever, on top of what the gate knows.
        assert [one.rule for one in desk.of("commit.refused")[0].findings] == ["policy.secret"]
    support.assert_sound(house.log(name))


async def test_the_agent_is_told_why_and_what_to_do(house):
    program(house, "add k.py", "commit -m sneaky")
    async with house.open() as desk:
        told = []
        name = await desk.begin([write("k.py", SECRET), {"run": "python3 git.py"}, {"run": "ls"}])
        await desk.event("turn.finished")
        session = desk.runtime._sessions[name]
        told = [one.result.text for one in session._history.values()]
        assert "set aside as refs/agentos/" in told[1]
        assert "use the commit tool" in told[1]
        assert "set aside" not in told[2]


@pytest.mark.parametrize(
    ("rules", "path"),
    [('[rules]\nbuild-script = "review"\n', "Makefile"), ('[[check]]\nname = "t"\nrun = "true"\n', "b.txt")],
)
async def test_what_a_person_or_a_check_must_look_at_first_is_set_aside_too(house, rules, path):
    house.user_policy.write_text(ALLOW + rules)
    async with house.open() as desk:
        name = await desk.play([write(path, "all:\n"), {"run": f"git add {path}"}, {"run": "git commit -m Add"}])
        assert len(desk.of("commits.set_aside")) == 1
        assert tip(house, name) == (await desk.state(name)).base_commit


async def test_an_amended_commit_counts_as_it_is_now_and_what_it_replaced_is_kept(house):
    program(house, "add b.txt", "commit --amend -m Better")
    async with house.open() as desk:
        steps = [write("a.txt", "edited\n"), {"commit": "Edit"}, write("b.txt", "b\n"), {"run": "python3 git.py"}]
        name = await desk.play(steps)
        (made,) = desk.of("commit.made")
        now = await desk.state(name)
        assert now.commits == (tip(house, name),)
        assert house.git("rev-parse", f"refs/agentos/{name}/replaced/{made.commit[:12]}") == made.commit
        await desk.merge(name)
    assert (house.root / "a.txt").read_text() == "edited\n"


async def test_a_secret_in_an_older_commit_is_found_though_the_newest_removes_it(house):
    program(house, "add k.py", "commit -m one", "rm -q k.py", "commit -m two")
    async with house.open() as desk:
        name = await desk.play([write("k.py", SECRET), {"run": "python3 git.py"}])
        (aside,) = desk.of("commits.set_aside")
        assert house.git("log", "--format=%s", f"{aside.head}..{aside.ref}").split() == ["two", "one"]
        assert tip(house, name) == (await desk.state(name)).base_commit


async def test_a_branch_that_no_longer_leads_from_the_base_is_set_aside(house):
    async with house.open() as desk:
        name = await desk.play([{"run": "ls"}], [{"run": "ls"}])
        # A confined command cannot do this; an unconfined one, or a person, can.
        new = house.git("commit-tree", house.git("rev-parse", "HEAD^{tree}"), "-m", "new")
        house.git("update-ref", f"refs/heads/agentos/{name}", new)
        await desk.runtime.prompt(name, "Go on", "a test")
        await desk.event("turn.finished", 2)
        (aside,) = desk.of("commits.set_aside")
        assert ([one.rule for one in aside.findings], aside.tip) == (["policy.history"], new)
        assert tip(house, name) == (await desk.state(name)).base_commit


async def test_commits_of_a_background_process_are_found_when_the_next_turn_begins(house):
    program(house, "add k.py", "commit -m sneaky")
    async with house.open() as desk:
        name = await desk.begin(
            [write("k.py", SECRET), {"start": {"line": "python3 git.py", "name": "quiet"}}], [{"run": "ls"}]
        )
        await desk.event("turn.finished")
        await desk.event("command.finished")
        await desk.runtime.prompt(name, "Go on", "a test")
        await desk.event("turn.finished", 2)
        assert len(desk.of("commits.set_aside")) == 1
        assert tip(house, name) == (await desk.state(name)).base_commit


async def test_after_a_crash_between_the_record_and_the_branch_it_is_set_aside_again(house):
    program(house, "add k.py", "commit -m sneaky")
    store = support.FailingStore(house.state, lambda event: event.type == "commits.set_aside", for_ever=True)
    async with house.open(store) as desk:
        name = await desk.begin([write("k.py", SECRET), {"run": "python3 git.py"}], [{"run": "ls"}])
        await desk.event("command.finished")
        assert await asyncio.to_thread(store.failed.wait, support.WAIT_S)
    assert house.git("for-each-ref", f"refs/agentos/{name}/refused") != ""
    async with house.open() as desk:
        await desk.runtime.resume(name, "a test")
        await desk.event("commits.set_aside")
        await desk.event("turn.finished")
        assert tip(house, name) == (await desk.state(name)).base_commit
    refs = house.git("for-each-ref", "--format=%(refname)", "refs/agentos").splitlines()
    assert len(refs) == 1


async def test_a_commit_with_a_finding_that_was_waived_is_kept(house):
    house.user_policy.write_text(ALLOW)
    async with house.open() as desk:
        name = await desk.play(
            [write("k.py", SECRET), {"commit": "Add"}], [{"run": "git add k.py"}, {"run": "git commit -m Add"}]
        )
        (found,) = (await desk.state(name)).findings
        await desk.runtime.waive(name, found.digest, "it is test data", "a test")
        await desk.runtime.prompt(name, "Go on", "a test")
        await desk.event("turn.finished", 2)
        assert len(desk.of("commits.found")) == 1


MESSAGE = ["commit", "--allow-empty", "-qm", "plain"]
PLUMBING = """\
import subprocess
def git(*words, **more):
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True, **more).stdout.strip()
def tree(text):
    return git("mktree", input=f"100644 blob {git('hash-object', '-w', '--stdin', input=text)}\\tk.py\\n")
def commit(what, *parents):
    return git("commit-tree", what, *[word for one in parents for word in ("-p", one)], "-m", "made by hand")
head = git("rev-parse", "HEAD")
"""
HIDDEN = {
    "an orphan root behind a merge": 'root = commit(tree(SECRET)); tip = commit("HEAD^{tree}", head, root)',
    "an orphan root as the first parent": 'root = commit(tree("")); tip = commit(tree(SECRET), root, head)',
    "what was before, as the first parent": 'tip = commit("HEAD~1^{tree}", git("rev-parse", "HEAD~1"), head)',
}


@pytest.mark.parametrize("how", HIDDEN)
async def test_no_choice_of_parents_hides_what_a_commit_changes(house, how):
    code = f"SECRET = {SECRET!r}\n{HIDDEN[how]}\ngit('update-ref', 'HEAD', tip)\n"
    house.commit("a program", {"git.py": PLUMBING + code})
    house.commit("checks", {".github/workflows/test.yml": "on: push\n"})
    house.user_policy.write_text(ALLOW)
    async with house.open() as desk:
        name = await desk.play([{"run": "python3 git.py"}])
        (aside,) = desk.of("commits.set_aside")
        assert aside.findings
        assert desk.of("commits.found") == []
        now = await desk.state(name)
        assert (tip(house, name), now.commits) == (now.head, ())
    support.assert_sound(house.log(name))


@pytest.mark.parametrize("encoding", ["bogus", "utf-7", "ascii"])
async def test_a_commit_in_another_encoding_is_set_aside_and_the_session_goes_on(house, encoding):
    house.commit("a program", {"git.py": GIT.format(lines=[["-c", f"i18n.commitEncoding={encoding}", *MESSAGE]])})
    house.user_policy.write_text(ALLOW)
    async with house.open() as desk:
        name = await desk.play([{"run": "python3 git.py"}, write("b.txt", "b\n"), {"commit": "Add b", "expect": "ok"}])
        assert len(desk.of("commits.set_aside")) == 1
        assert len(desk.of("commit.made")) == 1
    support.assert_sound(house.log(name))
