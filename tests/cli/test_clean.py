"""`agentos-lsp clean` removes what is provably nowhere needed, and says of the rest why it stays."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agentos_lsp import __main__
from agentos_lsp.cli import clean
from agentos_lsp.domain import ids
from agentos_lsp.effects.git import filling, repository, spares, trash
from tests.runtime import support


@pytest.fixture
def house(tmp_path):
    return support.House(tmp_path)


def cleaned(house, capsys, *words):
    code = __main__.main(["--state", str(house.state), "clean", *words, str(house.root)])
    told = capsys.readouterr().out
    assert code == 0
    return {line.split(": ")[0].split()[-1]: line for line in told.splitlines() if not line.startswith("`")}


async def left_behind(house):
    """A live session, a discarded one that is kept, something in the trash, and a spare."""
    async with house.open() as desk:
        live = await desk.play([{"write": {"path": "a.txt", "text": "mine\n"}}], task="Live")
        gone = await desk.play([{"write": {"path": "b.txt", "text": "gone\n"}}], task="Gone")
        await desk.runtime.discard(ids.SessionId(gone), "a test")
        folder = Path((await desk.state(live)).worktree.folder)
    thrown = folder.parent / "old"
    thrown.mkdir()
    trash.throw(str(thrown))
    checkout = repository.probe(str(house.root))
    shelf = spares.shelf_of(house.state, checkout.common_dir)
    assert spares.make(checkout, filling.Means(shelf=shelf), count=1, cancelled=lambda: False)
    return live, gone, folder, shelf


async def test_only_what_can_go_goes_and_only_when_told(house, capsys, monkeypatch):
    monkeypatch.setattr(spares, "FEWEST", 1)
    monkeypatch.setattr(spares, "FREE_BYTES", 0)
    monkeypatch.setattr(clean, "datetime", at(support.T0 + timedelta(days=29)))
    _, gone, folder, shelf = await left_behind(house)
    kept = f"refs/agentos/removed/{gone}"
    rows = await on_thread(cleaned, house, capsys)
    assert rows[str(folder)].startswith("stays")
    assert "merge or discard it" in rows[str(folder)]
    assert rows[kept].startswith("stays")
    (spare,) = spares.ready(shelf)
    assert rows[str(spare)].startswith("can go")
    assert rows[str(folder.parent / ".trash")].startswith("can go")
    assert spare.is_dir()
    rows = await on_thread(cleaned, house, capsys, "--yes")
    assert rows[str(spare)].startswith("removed")
    assert spares.ready(shelf) == ()
    assert not (folder.parent / ".trash").exists()
    assert (folder / "a.txt").read_text() == "mine\n"
    assert house.git("rev-parse", kept)


async def test_what_a_discard_kept_goes_after_thirty_days(house, capsys, monkeypatch):
    async with house.open() as desk:
        gone = await desk.play([{"write": {"path": "b.txt", "text": "gone\n"}}], task="Gone")
        await desk.runtime.discard(ids.SessionId(gone), "a test")
    kept = f"refs/agentos/removed/{gone}"

    monkeypatch.setattr(clean, "datetime", at(support.T0 + timedelta(days=31)))
    rows = await on_thread(cleaned, house, capsys, "--yes")
    assert rows[kept].startswith("removed")
    assert house.git("for-each-ref", "refs/agentos") == ""


async def test_what_was_set_aside_goes_thirty_days_after_it_when_its_session_has_ended(house, capsys, monkeypatch):
    async with house.open() as desk:
        live = await desk.play([], task="Live")
        gone = await desk.play([], task="Gone")
        tree = house.git("rev-parse", "HEAD^{tree}")
        made = house.git("commit-tree", tree, "-m", "refused")
        names = [f"refs/agentos/{session}/refused/{made[:12]}" for session in (live, gone)]
        for name in names:
            house.git("update-ref", name, made)
        await desk.runtime.discard(ids.SessionId(gone), "a test")

    rows = await on_thread(cleaned, house, capsys, "--yes")
    assert "kept until" in rows[names[1]]
    monkeypatch.setattr(clean, "datetime", at(datetime.now(UTC) + timedelta(days=31)))
    rows = await on_thread(cleaned, house, capsys, "--yes")
    assert rows[names[1]].startswith("removed")
    assert names[0] not in rows
    assert house.git("for-each-ref", "--format=%(refname)", "refs/agentos/*/refused/*").splitlines() == names[:1]


def at(moment):
    """A clock that stands still."""

    class Standing(datetime):
        @classmethod
        def now(cls, tz=None):
            return moment

    return Standing


async def on_thread(work, *words):
    """The command line has a loop of its own."""
    import asyncio

    return await asyncio.to_thread(work, *words)


async def test_a_folder_without_a_repository_is_told_and_the_rest_is_shown(house, capsys, tmp_path):
    code = await on_thread(__main__.main, ["--state", str(house.state), "clean", str(tmp_path)])
    assert code == 0
    assert "not looked at" in capsys.readouterr().out


async def test_a_session_beyond_the_limits_of_the_policy_is_pointed_out_and_stays(house, capsys, monkeypatch):
    house.commit("policy", {".agentos/policy.toml": "[worktree]\ndisk_mb = 1\nage_days = 7\n"})
    async with house.open() as desk:
        name = await desk.play([{"write": {"path": "b.txt", "text": "x" * (3 << 20)}}])
        folder = (await desk.state(name)).worktree.folder
        sizes = desk.runtime.sizes
        await asyncio.gather(*[sizes.measure(ids.SessionId(name)) for _ in range(3)])
        assert sizes.line(ids.SessionId(name)).endswith("; merge or discard it")
    monkeypatch.setattr(clean, "datetime", at(support.T0 + timedelta(days=9)))
    row = (await on_thread(cleaned, house, capsys, "--yes"))[folder]
    assert row.startswith("stays")
    assert row.endswith("(more than the policy's 1 MiB, 8 days old, more than the policy's 7)")
