"""`agentos-lsp trace` shows and exports what happened in a session, and finds what was done to its log."""

import contextlib
import json
import sqlite3

import pytest

from agentos_lsp import __main__
from agentos_lsp.effects.store import Store
from tests.domain import support as examples

KINDS = ("session.started", "worktree.created", "prompt.queued", "turn.started", "agent.message", "turn.finished")


@pytest.fixture
def state(tmp_path):
    """A state folder with one session."""
    log = Store(tmp_path)
    for event in examples.log(*KINDS):
        log.append(event, durable=True)
    log.close()
    return tmp_path


@pytest.fixture
def trace(state, capsys):
    """Calls the command; returns its exit code and what it printed."""

    def call(*words):
        code = __main__.main(["--state", str(state), "trace", *words])
        told = capsys.readouterr()
        return code, told.out + told.err

    return call


SESSION = examples.log(KINDS[0])[0].session


def tamper(state, *lines):
    with contextlib.closing(sqlite3.connect(state / "events.db")) as database, database:
        for line in lines:
            database.execute(line)


def test_every_event_is_exported_as_it_was_written(trace):
    code, told = trace("export", "--format", "jsonl", SESSION)
    rows = [json.loads(line) for line in told.splitlines()]
    assert (code, [row["type"] for row in rows]) == (0, list(KINDS))
    assert [row["sequence"] for row in rows] == [1, 2, 3, 4, 5, 6]


def test_a_trace_is_shown_as_a_page_and_exported_as_the_same(trace):
    code, told = trace("show", SESSION)
    assert (code, told.startswith("# Trace")) == (0, True)
    assert all(kind in told for kind in KINDS)
    assert trace("export", "--format", "md", SESSION) == (0, told)


def test_a_whole_trace_is_said_to_be_whole(trace):
    assert trace("verify", SESSION) == (0, f"{SESSION}: whole, 6 events.\n")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["UPDATE events SET body = replace(body, 'turn', 'TURN') WHERE sequence = 4"], "event 4"),
        (["DELETE FROM events WHERE sequence = 3"], "event 3 is missing"),
        (["DELETE FROM events WHERE sequence = 6"], "6"),
        (
            [
                "UPDATE events SET sequence = -5 WHERE sequence = 5",
                "UPDATE events SET sequence = 5 WHERE sequence = 4",
                "UPDATE events SET sequence = 4 WHERE sequence = -5",
            ],
            "event 4 (agent.message) is not what was written in this place",
        ),
    ],
    ids=["edited", "dropped", "cut off", "reordered"],
)
def test_what_was_done_to_a_trace_is_found_and_the_event_named(state, trace, lines, words):
    tamper(state, *lines)
    code, told = trace("verify", SESSION)
    assert (code, "the trace was changed" in told, words in told) == (1, True, True), told


@pytest.mark.parametrize("action", ["show", "export", "verify"])
def test_a_session_that_is_not_there_is_said_with_those_that_are(trace, action):
    assert trace(action, "no-such") == (1, f"There is no session no-such. The newest: {SESSION}.\n")
