import pytest

from agentos_lsp.domain import events, state
from agentos_lsp.domain.command import allowlist
from tests.domain import support

ASKING = ("session.started", "worktree.created", "prompt.queued", "turn.started", "tool_call.requested",
          "command.classified", "approval.requested")  # fmt: skip


def status(*kinds):
    return state.fold(support.log(*kinds)).status


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (("session.started",), "starting"),
        (("session.started", "worktree.created"), "idle"),
        (ASKING[:4], "running"),
        (ASKING, "waiting"),
        ((*ASKING, "approval.decided"), "running"),
        ((*ASKING[:4], "session.paused"), "paused"),
        ((*ASKING[:4], "session.paused", "session.resumed"), "running"),
        ((*ASKING[:4], "session.interrupted"), "interrupted"),
        ((*ASKING[:4], "turn.finished"), "idle"),
        (("session.started", "worktree.created", "merge.attempted"), "merging"),
        (("session.started", "worktree.created", "merge.attempted", "merge.refused"), "idle"),
        (("session.started", "worktree.created", "merge.attempted", "merge.conflicted"), "idle"),
        (("session.started", "worktree.created", "merge.attempted", "merge.made"), "merged"),
        ((*ASKING, "discard.attempted", "session.discarded"), "discarded"),
        (("session.started", "failure.recorded"), "failed"),
        (("session.started", "worktree.created", "failure.recorded"), "idle"),
    ],
)
def test_the_status_follows_the_events(kinds, expected):
    assert status(*kinds) == expected


def step(*kinds):
    return state.fold(support.log(*kinds)).calls["c1"].step


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (ASKING[:5], "requested"),
        (ASKING, "waiting"),
        ((*ASKING, "approval.decided"), "approved"),
        ((*ASKING, ("approval.decided", {"outcome": "rejected"})), "waiting"),
        ((*ASKING, "approval.withdrawn"), "requested"),
        ((*ASKING, "approval.decided", "command.started"), "running"),
        ((*ASKING, "approval.decided", ("command.started", {"background": "server"})), "background"),
        ((*ASKING, "approval.decided", "command.started", "command.finished"), "done"),
        ((*ASKING, "approval.decided", "command.started", "session.interrupted"), "unknown"),
        ((*ASKING, "tool_call.refused"), "refused"),
        ((*ASKING[:5], "file.write_attempted"), "running"),
        ((*ASKING[:5], "file.write_attempted", "file.written"), "done"),
        ((*ASKING[:5], "file.refused"), "refused"),
        ((*ASKING[:5], "commit.attempted", "commit.made"), "done"),
        ((*ASKING[:5], "commit.attempted", "commit.refused"), "refused"),
    ],
)
def test_a_call_goes_step_by_step(kinds, expected):
    assert step(*kinds) == expected


def test_only_the_last_calls_are_kept_but_every_open_one():
    log = support.log("session.started", "worktree.created", "turn.started")
    for number in range(state.KEPT_CALLS + 50):
        log.append(support.event("tool_call.requested", len(log) + 1, call=f"c{number}"))
        if number != 7:
            log.append(support.event("command.finished", len(log) + 1, call=f"c{number}"))
    calls = state.fold(log).calls
    assert len(calls) == state.KEPT_CALLS
    assert calls["c7"].is_open
    assert "c8" not in calls


def test_an_approval_by_prefix_extends_the_allowlist_once():
    log = support.log(*ASKING, "approval.decided", "allowlist.extended", "allowlist.extended")
    assert state.fold(log).prefixes == (allowlist.TokenPrefix(("make",)),)


def test_folding_in_two_parts_is_folding_at_once():
    log = support.log(*ASKING, "approval.decided", "command.started", "command.output", "command.finished")
    for cut in range(len(log)):
        assert state.fold(log[cut:], state.fold(log[:cut])) == state.fold(log)


def test_an_event_about_a_call_that_is_not_known_changes_nothing_else():
    began = support.log("session.started")
    after = state.fold([*began, support.event("command.output", 2)])
    assert after.calls == {}
    assert isinstance(support.event("command.output", 2), events.CommandOutput)


def test_a_restore_is_told_to_the_agent_once_it_is_done_with_what_was_left():
    begun = state.fold(support.log("session.started", "worktree.created", "checkpoint.restore_attempted"))
    assert begun.review.notes == ()
    done = state.apply(begun, support.event("checkpoint.restored", 4, kept=("c.py",)))
    assert done.review.notes[0].startswith("A person brought the files")
    assert "where the session began, but for c.py; your commits stay" in done.review.notes[0]
