from pathlib import Path

import pydantic
import pytest

from agentos_lsp.domain import event as base
from agentos_lsp.domain import events, state
from tests.domain import support

GOLDENS = sorted((Path(__file__).parent / "golden_events").glob("v*.jsonl"))


def test_there_is_an_example_of_every_event():
    assert set(support.FIELDS) == set(events.EVENT_TYPES)


@pytest.mark.parametrize("kind", sorted(events.EVENT_TYPES))
def test_an_event_comes_back_from_its_json_as_it_was(kind):
    event = support.event(kind)
    assert events.load(events.dump(event)) == event


@pytest.mark.parametrize("golden", GOLDENS, ids=lambda path: path.stem)
def test_events_of_every_version_can_be_read_and_folded_for_ever(golden):
    lines = golden.read_text().splitlines()
    log = [events.load(line) for line in lines]
    assert {event.type for event in log} == set(support.FIELDS)
    assert [events.dump(event) for event in log] == lines
    assert state.fold(log).sequence == len(log)


def test_the_newest_version_has_goldens():
    assert GOLDENS[-1].stem == f"v{base.VERSION}"


def test_what_was_never_written_is_no_event():
    known = events.dump(support.event("session.paused"))
    with pytest.raises(pydantic.ValidationError):
        events.load(known.replace('"by"', '"extra": 1, "by"'))
