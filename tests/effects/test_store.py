import sqlite3
import stat
import subprocess
import sys

import pytest

from agentos_lsp.domain.errors import EffectError
from agentos_lsp.effects import store
from tests.domain import support

KINDS = ("session.started", "worktree.created", "prompt.queued", "turn.started", "turn.finished")


@pytest.fixture
def log(tmp_path):
    kept = store.Store(tmp_path / "state")
    yield kept
    kept.close()


def written(log, *kinds):
    events = support.log(*(kinds or KINDS))
    for event in events:
        log.append(event, durable=False)
    return events


def change(tmp_path, statement, *values):
    with sqlite3.connect(tmp_path / "state" / "events.db") as connection:
        connection.execute(statement, values)
    connection.close()


def test_events_come_back_in_order_after_a_restart(log, tmp_path):
    events = written(log)
    log.close()
    again = store.Store(tmp_path / "state")
    assert again.read(support.SESSION) == events
    assert again.read(support.SESSION, after=3) == events[3:]
    assert again.sessions() == [support.SESSION]
    assert again.verify(support.SESSION) is None
    again.close()


def test_a_sequence_is_written_once(log):
    events = written(log)
    with pytest.raises(EffectError, match="another agentos-lsp writes this session"):
        log.append(events[-1], durable=True)
    assert log.read(support.SESSION) == events


def test_a_sequence_cannot_be_skipped(log):
    written(log)
    with pytest.raises(EffectError, match="event 6 is missing"):
        log.append(support.event("turn.started", 7), durable=True)


def test_the_chain_goes_on_after_a_failed_append(log):
    events = written(log)
    with pytest.raises(EffectError):
        log.append(events[2], durable=False)
    log.append(support.event("turn.started", 6), durable=True)
    assert log.verify(support.SESSION) is None


@pytest.mark.parametrize(
    ("statement", "values", "expected"),
    [
        ("UPDATE events SET body = replace(body, 'Fixed.', 'Broken') WHERE sequence = 5", (), 5),
        ("UPDATE events SET body = replace(body, 'editor 1', 'editor 2') WHERE sequence = 3", (), 3),
        ("UPDATE events SET type = 'turn.finished' WHERE sequence = 4", (), 4),
        ("DELETE FROM events WHERE sequence = 2", (), 2),
        ("DELETE FROM events WHERE sequence = 1", (), 1),
        ("DELETE FROM events WHERE sequence = 5", (), 5),
        ("DELETE FROM events WHERE sequence >= 3", (), 3),
        ("DELETE FROM events", (), 1),
        ("DELETE FROM heads", (), 5),
        ("UPDATE heads SET sequence = 4", (), 5),
        ("UPDATE events SET seal = zeroblob(32) WHERE sequence = 4", (), 4),
    ],
)
def test_an_edited_or_dropped_event_is_found_and_named(log, tmp_path, statement, values, expected):
    written(log)
    change(tmp_path, statement, *values)
    flaw = log.verify(support.SESSION)
    assert flaw is not None
    assert flaw.sequence == expected


def test_two_events_that_changed_places_are_found(log, tmp_path):
    written(log)
    for old, new in ((3, 99), (4, 3), (99, 4)):
        change(tmp_path, "UPDATE events SET sequence = ? WHERE sequence = ?", new, old)
    flaw = log.verify(support.SESSION)
    assert flaw is not None
    assert flaw.sequence == 3


def test_events_of_another_session_cannot_be_passed_off_as_this_ones(log, tmp_path):
    written(log)
    change(tmp_path, "UPDATE events SET session = 'other'")
    change(tmp_path, "UPDATE heads SET session = 'other'")
    flaw = log.verify("other")
    assert flaw is not None
    assert flaw.sequence == 1


def test_the_key_and_the_folder_are_the_users_alone(log, tmp_path):
    written(log)
    assert stat.S_IMODE((tmp_path / "state" / "trace.key").stat().st_mode) == 0o600


def test_a_key_of_another_user_verifies_nothing(log, tmp_path):
    written(log)
    log.close()
    (tmp_path / "state" / "trace.key").write_bytes(b"k" * 32)
    other = store.Store(tmp_path / "state")
    flaw = other.verify(support.SESSION)
    other.close()
    assert flaw is not None
    assert flaw.sequence == 1


def test_content_is_kept_once_under_its_own_name(log, tmp_path):
    name = log.put_blob(b"output")
    assert log.put_blob(b"output") == name
    assert log.read_blob(name) == b"output"
    assert log.read_blob(name, 3) == b"out"
    spool = tmp_path / "spool"
    spool.write_bytes(b"more output")
    adopted = log.adopt_blob(spool)
    assert log.read_blob(adopted) == b"more output"
    assert not spool.exists()


@pytest.mark.parametrize("name", ["", "../trace.key", "x" * 64, "a" * 63])
def test_a_blob_is_named_by_its_hash_and_nothing_else(log, name):
    with pytest.raises(EffectError, match="names no output"):
        log.read_blob(name)


def test_a_damaged_database_is_left_as_it_is_and_named(tmp_path):
    (tmp_path / "events.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(EffectError, match="move it away"):
        store.Store(tmp_path)
    assert (tmp_path / "events.db").read_bytes().startswith(b"this is no database")


def test_a_database_of_a_newer_version_is_not_touched(log, tmp_path):
    written(log)
    log.close()
    change(tmp_path, f"PRAGMA user_version = {len(store.MIGRATIONS) + 1}")
    with pytest.raises(EffectError, match="Upgrade it"):
        store.Store(tmp_path / "state")


def test_a_damaged_event_is_named_and_the_others_stay_readable(log, tmp_path):
    written(log)
    change(tmp_path, "UPDATE events SET body = '{}' WHERE sequence = 2")
    with pytest.raises(EffectError, match="event 2 is damaged"):
        log.read(support.SESSION)
    assert len(log.read(support.SESSION, after=2)) == 3


def test_a_session_belongs_to_one_process_until_it_ends(log, tmp_path):
    holder = (
        "import sys; from pathlib import Path; from agentos_lsp.effects import store\n"
        "log = store.Store(Path(sys.argv[1])); print(log.claim('s1'), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, tmp_path / "state"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "True\n"
        assert not log.claim("s1")
        assert log.claim("s2")
        other.stdin.close()
    assert log.claim("s1")
    log.release("s1")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EffectError, match="open the event log"):
        store.Store(tmp_path / "file" / "state")
