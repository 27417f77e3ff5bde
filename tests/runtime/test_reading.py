"""What others wrote is read once: a log only grows."""

from agentos_lsp.domain import state
from agentos_lsp.effects import store
from agentos_lsp.runtime import reading
from tests.domain import support


class Counting(store.Store):
    """The real log, which counts what it gave."""

    given = 0

    def read(self, session, after=0):
        found = super().read(session, after)
        self.given += len(found)
        return found


async def test_only_what_is_new_in_the_log_of_another_server_is_read_again(tmp_path):
    log = Counting(tmp_path)
    reader = reading.Reader(log, {})
    written = support.log("session.started", "worktree.created", "prompt.queued", "turn.started")
    for event in written[:2]:
        log.append(event, durable=False)
    assert await reader.all_states() == (state.fold(written[:2]),)
    for event in written[2:]:
        log.append(event, durable=False)
    assert await reader.state(support.SESSION) == state.fold(written)
    assert await reader.all_states() == (state.fold(written),)
    assert log.given == len(written)
    assert await reader.trace(support.SESSION) == written
    log.close()


async def test_a_bounded_number_of_sessions_is_kept_and_all_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "KEPT_FOLDS", 0)
    log = Counting(tmp_path)
    log.append(support.event("session.started"), durable=False)
    reader = reading.Reader(log, {})
    assert await reader.all_states() == await reader.all_states() != ()
    assert log.given == 2
    log.close()
