"""A person waives a finding, has it mended, and sees it where it would be on their own file."""

import pytest

from agentos_lsp.domain import diff
from agentos_lsp.domain.errors import UserError
from agentos_lsp.runtime import findings
from tests.runtime import support

SECRET = "KEY = 'AKIA" + "Z7Q2M4N6P8R1S3T5'\n"
WRITE = {"write": {"path": "k.py", "text": SECRET}}


async def test_a_waived_finding_passes_on_this_content_and_no_other(house):
    other = {"write": {"path": "k.py", "text": SECRET.replace("KEY", "OTHER")}}
    async with house.open() as desk:
        name = await desk.play(
            [WRITE, {"commit": "Add", "expect": "refused"}],
            [{"commit": "Add", "expect": "ok"}, other, {"commit": "More", "expect": "refused"}],
        )
        (found,) = (await desk.state(name)).findings
        await desk.runtime.waive(name, found.digest, "  it is test data\n", "a test")
        (waived,) = desk.of("finding.waived")
        assert (waived.rule, waived.path, waived.reason, waived.by) == (
            "policy.secret",
            "k.py",
            "it is test data",
            "a test",
        )
        with pytest.raises(UserError):
            await desk.runtime.waive(name, found.digest, "again", "a test")
        await desk.runtime.prompt(name, "Go on", "a test")
        await desk.event("turn.finished", 2)
        assert len(desk.of("commit.made")) == 1
        last = desk.of("diff.inspected")
        assert [[one.action for one in event.findings] for event in last] == [["refuse"], ["note"], ["refuse"]]
    support.assert_sound(house.log(name))


async def test_what_was_waived_is_merged(house):
    async with house.open() as desk:
        name = await desk.play([WRITE, {"commit": "Add"}], [{"commit": "Add", "expect": "ok"}])
        (found,) = (await desk.state(name)).findings
        await desk.runtime.waive(name, found.digest, "it is test data", "a test")
        await desk.runtime.prompt(name, "Go on", "a test")
        await desk.event("turn.finished", 2)
        await desk.merge(name)
    assert (house.root / "k.py").read_text() == SECRET


@pytest.mark.parametrize(("digest", "reason"), [("0" * 32, "why"), ("", "why"), (None, "  ")])
async def test_a_waiver_without_a_finding_or_a_reason_is_refused(house, digest, reason):
    async with house.open() as desk:
        name = await desk.play([WRITE, {"commit": "Add"}])
        (found,) = (await desk.state(name)).findings
        with pytest.raises(UserError):
            await desk.runtime.waive(name, found.digest if digest is None else digest, reason, "a test")
        assert desk.of("finding.waived") == []


async def test_a_waiver_lasts_over_a_restart(house):
    async with house.open() as desk:
        name = await desk.play([WRITE, {"commit": "Add"}], [{"commit": "Add", "expect": "ok"}])
        (found,) = (await desk.state(name)).findings
        await desk.runtime.waive(name, found.digest, "it is test data", "a test")
    async with house.open() as desk:
        await desk.runtime.prompt(name, "Go on", "a test")
        await desk.event("turn.finished")
        assert len(desk.of("commit.made")) == 1


async def test_a_check_that_failed_can_be_waived_for_its_tree(house):
    house.commit("a check", {"check.py": "raise SystemExit(1)\n"})
    house.user_policy.write_text('[[check]]\nname = "t"\nrun = "python3 check.py"\n')
    write = {"write": {"path": "b.txt", "text": "b\n"}}
    async with house.open() as desk:
        name = await desk.play([write, {"commit": "Add"}], [{"commit": "Add", "expect": "ok"}])
        (found,) = (await desk.state(name)).findings
        await desk.runtime.waive(name, found.digest, "the test itself is broken", "a test")
        await desk.runtime.prompt(name, "Go on", "a test")
        await desk.event("turn.finished", 2)
        assert len(desk.of("check.started")) == 1


async def test_the_agent_is_asked_to_mend_a_finding_in_words(house):
    async with house.open() as desk:
        name = await desk.play([WRITE, {"commit": "Add"}], [{"run": "ls"}])
        (found,) = (await desk.state(name)).findings
        await desk.runtime.mend(name, found.digest, "a test")
        started = await desk.event("turn.started", 2)
        assert started.prompt == f"Mend this finding of the workspace policy (policy.secret): {found.message}"
        await desk.event("turn.finished", 2)


async def test_a_finding_stands_on_the_persons_own_file_where_it_would_be(house):
    house.commit("a file", {"k.py": "".join(f"line {number}\n" for number in range(20))})
    text = "".join(f"line {number}\n" + (SECRET if number == 10 else "") for number in range(20))
    async with house.open() as desk:
        name = await desk.play([{"write": {"path": "k.py", "text": text}}, {"commit": "Add", "expect": "refused"}])
        file = str(house.root / "k.py")

        async def placed(opened):
            return [(one.file, one.line) for one in await desk.runtime.on_own_files(name, opened)]

        assert await placed(lambda _file: None) == [(file, 11)]
        mine = b"new\n" * 3 + (house.root / "k.py").read_bytes()
        assert await placed(lambda _file: mine) == [(file, 14)]
        (house.root / "k.py").unlink()
        assert await placed(lambda _file: None) == []


def check(before, after, expected):
    hunks = diff.hunks_between(before.encode(), after.encode())
    assert [findings.carried(line, hunks) for line in range(before.count("\n"))] == expected


def test_lines_are_carried_from_one_side_to_the_other():
    check("a\nb\nc\n", "a\nb\nc\n", [0, 1, 2])
    check("a\nb\nc\n", "x\na\nb\nc\n", [1, 2, 3])
    check("a\nb\nc\n", "a\nc\n", [0, 1, 1])
    check("a\nb\n", "", [0, 0])
    long = [f"{number}\n" for number in range(30)]
    check(
        "".join(long),
        "".join([*long[:5], "new\n", *long[5:25], *long[26:]]),
        [*range(5), *range(6, 27), *range(26, 30)],
    )
