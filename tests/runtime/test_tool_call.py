"""The gate: what an agent asks for is judged, asked about, carried out or refused, and recorded; with real doors."""

import pytest

from agentos_lsp.domain import approval, ids
from agentos_lsp.domain.command import allowlist
from tests.runtime import support


async def test_an_allowed_line_runs_at_once_and_its_output_is_kept_whole(house):
    async with house.open() as desk:
        name = await desk.play([{"run": "cat a.txt", "expect": "ok"}])
        (finished,) = desk.of("command.finished")
        assert (finished.exit_code, finished.ended_by, finished.output_bytes) == (0, "itself", 14)
        assert await desk.runtime.command_output(ids.SessionId(name), finished.call) == b"one\ntwo\nthree\n"
        assert [one.cleared_by for one in desk.of("command.started")] == ["allowlist"]
        assert desk.of("approval.requested") == []
    support.assert_sound(house.log(name))


async def test_a_reviewed_line_waits_for_a_person_and_runs_in_the_worktree_when_approved(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch made.txt", "expect": "ok"}])
        asked = await desk.question(name)
        assert (asked.line, asked.cwd, asked.prefix) == ("touch made.txt", "", ("touch",))
        assert (await desk.state(name)).status == "waiting"
        assert desk.of("command.started") == []
        counted = await desk.answer(name, asked)
        assert counted.outcome == "approved"
        await desk.event("turn.finished")
        at = (await desk.state(name)).worktree.folder
        assert [one.cleared_by for one in desk.of("command.started")] == [f"approval {asked.approval}"]
        assert (desk.house.folder / at / "made.txt").exists()
        assert not (house.root / "made.txt").exists()
    support.assert_sound(house.log(name))


async def test_a_blocked_line_is_refused_with_the_lawful_way_and_nothing_starts(house):
    outside = house.folder / "outside"
    outside.mkdir()
    async with house.open() as desk:
        await desk.play([{"run": f"rm -rf {outside}", "expect": "refused"}])
        (refused,) = desk.of("tool_call.refused")
        assert refused.why == "blocked"
        assert refused.instead
        assert desk.of("command.started") == desk.of("approval.requested") == []
    assert outside.is_dir()


async def test_an_approval_once_lets_only_that_one_call_through(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch made.txt"}, {"run": "touch made.txt"}])
        await desk.answer(name, await desk.question(name))
        await desk.answer(name, await desk.question(name, 2))
        await desk.event("turn.finished")
        assert desk.of("allowlist.extended") == []


async def test_an_approval_for_the_line_lets_only_this_exact_line_through(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch made.txt"}, {"run": "touch made.txt"}, {"run": "touch other.txt"}])
        await desk.answer(name, await desk.question(name), scope="line")
        asked = await desk.question(name, 2)
        assert asked.line == "touch other.txt"
        assert (await desk.state(name)).lines == {("touch made.txt", "")}
        await desk.answer(name, asked)
        await desk.event("turn.finished")
    support.assert_sound(house.log(name))


async def test_an_approval_for_the_prefix_lets_what_begins_alike_through_and_nothing_else(house):
    async with house.open() as desk:
        name = await desk.begin(
            [{"run": "python3 tool.py one"}, {"run": "python3 tool.py two"}, {"run": "python3 other.py"}]
        )
        await desk.answer(name, await desk.question(name), scope="prefix")
        asked = await desk.question(name, 2)
        assert asked.line == "python3 other.py"
        assert (await desk.state(name)).prefixes == (allowlist.TokenPrefix(("python3", "tool.py")),)
        await desk.answer(name, asked, "rejected")
        await desk.event("turn.finished")
        assert [one.line for one in desk.of("command.started")] == ["python3 tool.py one", "python3 tool.py two"]
    support.assert_sound(house.log(name))


async def test_an_approval_for_the_prefix_in_a_folder_lets_nothing_through_elsewhere(house):
    async with house.open() as desk:
        calls = [
            {"run": "mkdir web"},
            {"run": {"line": "make one", "cwd": "web"}},
            {"run": {"line": "make one -s", "cwd": "web"}},
        ]
        name = await desk.begin([*calls, {"run": "make one"}])
        asked = await desk.question(name)
        assert (asked.line, asked.cwd) == ("make one", "web")
        await desk.answer(name, asked, scope="folder")
        last = await desk.question(name, 2)
        assert (last.line, last.cwd) == ("make one", "")
        assert (await desk.state(name)).prefixes == (allowlist.TokenPrefix(("make", "one"), folder="web"),)
        at_the_root = await desk.answer(name, last, scope="folder")
        assert isinstance(at_the_root, approval.Stale)
        await desk.answer(name, last, "rejected")
        await desk.event("turn.finished")
        assert [one.line for one in desk.of("command.started")] == ["mkdir web", "make one", "make one -s"]
    support.assert_sound(house.log(name))


async def test_an_allowlist_lasts_over_a_restart_and_ends_with_its_session(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch made.txt"}], [{"run": "touch other.txt"}])
        await desk.answer(name, await desk.question(name), scope="prefix")
        await desk.event("turn.finished")
    async with house.open() as desk:
        await desk.runtime.prompt(ids.SessionId(name), "Go on", "a test")
        await desk.event("turn.finished")
        assert desk.of("approval.requested") == []
        other = await desk.begin([{"run": "touch made.txt"}])
        assert (await desk.question(other)).line == "touch made.txt"


async def test_a_rejection_with_a_comment_reaches_the_agent(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "touch made.txt", "expect": "refused"}])
        await desk.answer(name, await desk.question(name), "rejected", comment="Use a temporary file.")
        await desk.event("turn.finished")
        assert desk.told() == ["A person rejected this: Use a temporary file."]
        assert desk.of("command.started") == []


async def test_the_comment_of_an_approval_reaches_the_agent_too(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "python3 tool.py x"}])
        await desk.answer(name, await desk.question(name), comment="Only this time.")
        await desk.event("turn.finished")
        (exchange,) = desk.runtime._sessions[name]._history.values()
        assert exchange.result.ok
        assert exchange.result.text == "A person approved this and says: Only this time.\n[exit code 0]\ntool x\n"


async def test_a_line_that_cannot_be_understood_is_asked_about(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": 'touch "unclosed'}])
        assert (await desk.question(name)).prefix is None


async def test_what_a_line_leads_to_is_judged_again_after_the_approval(house):
    """A folder that is swapped for a link while the question waits must not carry an approved line outside."""
    outside = house.folder / "outside"
    outside.mkdir()
    (outside / "precious.txt").write_text("keep me\n")
    async with house.open() as desk:
        name = await desk.begin([{"run": "rm -rf build/precious.txt", "expect": "refused"}])
        asked = await desk.question(name)
        (desk.house.folder / (await desk.state(name)).worktree.folder / "build").symlink_to(outside)
        await desk.answer(name, asked)
        await desk.event("turn.finished")
        assert desk.of("command.started") == []
    assert (outside / "precious.txt").read_text() == "keep me\n"


async def test_a_command_that_fails_is_a_result_and_not_an_error(house):
    async with house.open() as desk:
        await desk.play([{"run": "cat missing.txt", "expect": "refused"}, {"run": "cat a.txt", "expect": "ok"}])
        assert [one.exit_code for one in desk.of("command.finished")] == [1, 0]
        assert [one.reason for one in desk.of("turn.finished")] == ["done"]


async def test_a_command_over_its_time_limit_is_ended(house):
    async with house.open() as desk:
        await desk.play([{"run": {"line": "sleep 300", "timeout_s": 0.2}, "expect": "refused"}])
        assert [one.ended_by for one in desk.of("command.finished")] == ["time limit"]


async def test_a_command_starts_in_the_folder_that_was_asked_for(house):
    house.commit("deep", {"src/deep/b.txt": "b\n"})
    async with house.open() as desk:
        await desk.play(
            [
                {"run": {"line": "ls", "cwd": "src/deep"}, "expect": "ok"},
                {"run": {"line": "ls", "cwd": "../.."}, "expect": "refused"},
                {"run": {"line": "ls", "cwd": "missing"}, "expect": "refused"},
                {"run": {"line": "ls", "cwd": "a.txt"}, "expect": "refused"},
            ]
        )
        assert [one.cwd for one in desk.of("command.started")] == ["src/deep"]
        assert [one.text for one in desk.of("command.output")] == ["b.txt\n"]


async def test_a_background_process_is_started_read_and_stopped_by_name(house):
    async with house.open() as desk:
        name = await desk.play(
            [
                {"start": {"line": "sleep 300", "name": "server"}, "expect": "ok"},
                {"start": {"line": "sleep 300", "name": "server"}, "expect": "refused"},
                {"output": "server", "expect": "ok"},
                {"output": "other", "expect": "refused"},
                {"stop": "other", "expect": "refused"},
                {"stop": "server", "expect": "ok"},
                {"stop": "server", "expect": "refused"},
            ]
        )
        ends = [one for one in desk.of("command.finished") if one.ended_by == "stop"]
        assert len(ends) == 1
        assert not any(call.is_open for call in (await desk.state(name)).calls.values())


async def test_a_background_process_ends_with_the_runtime_and_its_end_is_recorded(house):
    async with house.open() as desk:
        name = await desk.play([{"start": {"line": "sleep 300", "name": "server"}, "expect": "ok"}])
        assert [call.step for call in (await desk.state(name)).calls.values()] == ["background"]
    log = house.log(name)
    assert [(one.type, one.ended_by) for one in log if one.type == "command.finished"] == [
        ("command.finished", "shutdown")
    ]


async def test_a_background_process_that_ends_by_itself_is_told(house):
    async with house.open() as desk:
        name = await desk.play([{"start": {"line": "cat a.txt", "name": "short"}, "expect": "ok"}])
        finished = await desk.event("command.finished")
        assert (finished.exit_code, finished.ended_by) == (0, "itself")
        assert await desk.runtime.command_output(ids.SessionId(name), finished.call) == b"one\ntwo\nthree\n"


async def test_files_are_read_written_edited_moved_and_deleted_inside_the_worktree_only(house):
    async with house.open() as desk:
        name = await desk.play(
            [
                {"read": "a.txt", "expect": "ok"},
                {"read": "", "expect": "ok"},
                {"write": {"path": "new/b.txt", "text": "b\n"}, "expect": "ok"},
                {"edit": {"path": "a.txt", "old": "two", "new": "2"}, "expect": "ok"},
                {"move": {"path": "new/b.txt", "to": "c.txt"}, "expect": "ok"},
                {"delete": "tool.py", "expect": "ok"},
            ]
        )
        worktree = house.folder / (await desk.state(name)).worktree.folder
        found = sorted(path.name for path in worktree.iterdir() if path.name != ".git")
        assert found == [".gitignore", "a.txt", "c.txt", "new"]
        assert (worktree / "a.txt").read_text() == "one\n2\nthree\n"
        assert (house.root / "a.txt").read_text() == "one\ntwo\nthree\n"
        written = [(one.operation, one.path, one.to) for one in desk.of("file.written")]
        assert written == [
            ("write", "new/b.txt", None),
            ("edit", "a.txt", None),
            ("move", "new/b.txt", "c.txt"),
            ("delete", "tool.py", None),
        ]
        edit = next(one for one in desk.of("file.write_attempted") if one.operation == "edit")
        assert desk.runtime._parts.store.read_blob(edit.before) == b"one\ntwo\nthree\n"


@pytest.mark.parametrize(
    "step",
    [
        {"read": "../repo/a.txt"},
        {"read": "/etc/hostname"},
        {"read": "missing.txt"},
        {"read": "a\0b"},
        {"write": {"path": "../escaped.txt", "text": "x"}},
        {"write": {"path": ".git", "text": "x"}},
        {"edit": {"path": "a.txt", "old": "absent", "new": "x"}},
        {"delete": ".."},
        {"move": {"path": "a.txt", "to": "../a.txt"}},
    ],
    ids=str,
)
async def test_a_path_that_leads_out_or_nowhere_is_refused_with_words(house, step):
    async with house.open() as desk:
        await desk.play([{**step, "expect": "refused"}])
        (message,) = desk.told()
        assert message
        assert [one.reason for one in desk.of("turn.finished")] == ["done"]
    assert not (house.folder / "escaped.txt").exists()


async def test_a_commit_is_made_in_the_persons_name_with_the_session_in_a_trailer(house):
    async with house.open() as desk:
        name = await desk.play([{"write": {"path": "b.txt", "text": "b\n"}}, {"commit": "Add b", "expect": "ok"}])
        (made,) = desk.of("commit.made")
        assert made.files == ("b.txt",)
        shown = house.git(
            "show", "--no-patch", "--format=%an|%s|%(trailers:key=AgentOS-Session,valueonly)", made.commit
        )
        assert shown.strip() == f"Test Person|Add b|{name}"
        assert (await desk.state(name)).commits == (made.commit,)


@pytest.mark.parametrize(
    ("path", "text", "rule"),
    [
        ("settings.py", "KEY = 'AKIA" + "Z7Q2M4N6P8R1S3T5'\n", "policy.secret"),
        (".agentos/policy.toml", "", "policy.protected-path"),
        ("big.txt", "x" * 200, "policy.file-size"),
    ],
)
async def test_a_commit_against_the_policy_is_refused_with_findings_and_the_files_stay(house, path, text, rule):
    house.user_policy.write_text("[commit]\nmax_file_bytes = 100\n")
    async with house.open() as desk:
        name = await desk.play([{"write": {"path": path, "text": text}}, {"commit": "Add it", "expect": "refused"}])
        (refused,) = desk.of("commit.refused")
        assert [finding.rule for finding in refused.findings] == [rule]
        assert (await desk.state(name)).findings == refused.findings
        assert (house.folder / (await desk.state(name)).worktree.folder / path).read_text() == text
        assert desk.of("commit.made") == []


async def test_a_commit_that_needs_review_waits_for_a_person(house):
    house.user_policy.write_text('[rules]\nsecret = "review"\n')
    secret = "KEY = 'AKIA" + "Z7Q2M4N6P8R1S3T5'\n"
    async with house.open() as desk:
        name = await desk.begin([{"write": {"path": "k.py", "text": secret}}, {"commit": "Add", "expect": "ok"}])
        asked = await desk.question(name)
        assert asked.line.startswith("git commit -m Add  # tree ")
        await desk.answer(name, asked)
        await desk.event("turn.finished")
        assert len(desk.of("commit.made")) == 1


async def test_a_commit_without_a_change_or_a_message_is_refused(house):
    async with house.open() as desk:
        await desk.play(
            [
                {"commit": "Nothing", "expect": "refused"},
                {"write": {"path": "b.txt", "text": "b\n"}},
                {"commit": "  ", "expect": "refused"},
            ]
        )
        assert len(desk.told()) == 2


async def test_a_line_can_be_checked_without_being_run_or_recorded(house):
    async with house.open() as desk:
        name = await desk.play([{"run": "ls"}])
        before = len(house.log(name))
        found = [(await desk.runtime.check(line, None)).verdict.word for line in ("ls", "touch x", "rm -rf /elsewhere")]
        assert found == ["allowed", "reviewed", "blocked"]
        assert len(house.log(name)) == before


async def test_an_answer_that_does_not_count_changes_nothing(house):
    async with house.open() as desk:
        name = await desk.begin([{"run": "make"}])
        asked = await desk.question(name)
        stale = await desk.answer(name, asked, digest="0" * 16)
        assert isinstance(stale, approval.Stale)
        assert isinstance(await desk.answer(name, asked, scope="prefix"), approval.Stale)
        assert len((await desk.state(name)).questions) == 1
        await desk.answer(name, asked, "rejected")
        assert isinstance(await desk.answer(name, asked), approval.Stale)
        await desk.event("turn.finished")
        assert desk.of("command.started") == []
