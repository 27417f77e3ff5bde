"""What every event log holds, on the disk and in memory."""

import pytest

from agentos_lsp.domain.errors import EffectError
from tests.domain import support

KINDS = ("session.started", "worktree.created", "prompt.queued", "turn.started", "turn.finished")


def written(log):
    events = support.log(*KINDS)
    for event in events:
        log.append(event, durable=False)
    return events


def test_events_come_back_in_order_and_from_any_sequence_on(kept):
    log, _ = kept
    events = written(log)
    assert log.read(support.SESSION) == events
    assert log.read(support.SESSION, after=3) == events[3:]
    assert log.read("another") == []
    assert log.sessions() == [support.SESSION]


def test_a_sequence_is_written_once(kept):
    log, _ = kept
    events = written(log)
    with pytest.raises(EffectError, match="another agentos-lsp writes this session") as caught:
        log.append(events[-1], durable=True)
    assert not caught.value.retry_may_help
    assert log.read(support.SESSION) == events


def test_a_sequence_cannot_be_skipped(kept):
    log, _ = kept
    events = written(log)
    with pytest.raises(EffectError, match="event 6 is missing"):
        log.append(support.event("turn.started", 7), durable=True)
    log.append(support.event("turn.started", 6), durable=True)
    assert len(log.read(support.SESSION)) == len(events) + 1


def test_a_session_is_claimed_again_by_who_has_it(kept):
    log, _ = kept
    assert log.claim(support.SESSION)
    assert log.claim(support.SESSION)
    log.release(support.SESSION)
    assert log.claim(support.SESSION)


def test_content_is_kept_once_under_its_own_name(kept):
    log, spool = kept
    name = log.put_blob(b"output")
    assert log.put_blob(b"output") == name
    assert log.read_blob(name) == b"output"
    assert log.read_blob(name, 3) == b"out"
    file = spool(b"more output")
    adopted = log.adopt_blob(file)
    assert log.read_blob(adopted) == b"more output"
    with pytest.raises((EffectError, OSError)):
        log.adopt_blob(file)


def test_what_was_never_kept_is_an_error(kept):
    log, _ = kept
    with pytest.raises(EffectError):
        log.read_blob("a" * 64)
