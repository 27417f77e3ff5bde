"""Whatever is written below a folder is noticed, or that something was missed is."""

from __future__ import annotations

import errno
import select
import sys
from pathlib import Path

import pytest

from agentos_lsp.effects.files import watch

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is Linux's")


@pytest.fixture
def watching(tmp_path):
    (tmp_path / "known" / "deep").mkdir(parents=True)
    (tmp_path / "ignored" / "deep").mkdir(parents=True)
    made = watch.Watch(str(tmp_path), lambda folder: folder != "ignored")
    yield made
    made.close()


def noticed(watching):
    """Waits for the next notices."""
    assert select.select([watching.descriptor], [], [], 20)[0]
    return watching.read()


def test_every_kind_of_write_is_noticed_by_its_path(tmp_path, watching):
    (tmp_path / "known" / "deep" / "é.txt").write_text("x")
    assert noticed(watching) == watch.Noticed(frozenset({"known/deep/é.txt"}), frozenset(), lost=False)
    (tmp_path / "known" / "deep" / "é.txt").chmod(0o755)
    assert noticed(watching).paths == {"known/deep/é.txt"}
    (tmp_path / "known" / "deep" / "é.txt").rename(tmp_path / "b.txt")
    (tmp_path / "b.txt").unlink()
    assert noticed(watching).paths == {"known/deep/é.txt", "b.txt"}
    assert watching.read() == watch.Noticed(frozenset(), frozenset(), lost=False)


def test_a_folder_that_is_of_no_interest_is_not_watched(tmp_path, watching):
    (tmp_path / "ignored" / "deep" / "x").write_text("x")
    (tmp_path / "ignored" / "x").write_text("x")
    assert watching.read().paths == frozenset()


def test_a_new_folder_is_named_and_watched_once_it_is_added(tmp_path, watching):
    (tmp_path / "new" / "inner").mkdir(parents=True)
    (tmp_path / "new" / "inner" / "before").write_text("x")
    found = noticed(watching)
    assert found.folders == {"new"}
    watching.add("new")
    (tmp_path / "new" / "inner" / "after").write_text("x")
    assert noticed(watching).paths == {"new/inner/after"}
    (tmp_path / "new").rename(tmp_path / "moved")
    found = noticed(watching)
    assert (found.paths, found.folders) == ({"new", "moved"}, {"moved"})
    watching.add("moved")
    (tmp_path / "moved" / "inner" / "later").write_text("x")
    assert noticed(watching).paths == {"moved/inner/later"}


def test_a_link_is_not_followed(tmp_path, watching):
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (tmp_path / "link").symlink_to(outside)
    noticed(watching)
    watching.add("link")
    (outside / "x").write_text("x")
    assert watching.read().paths == frozenset()


def test_more_than_the_queue_holds_is_said_to_be_lost(tmp_path, watching):
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text(encoding="ascii"))
    for number in range(limit // 2 + 10):
        (tmp_path / "known").chmod(0o755 if number % 2 else 0o700)
        (tmp_path / "ignored").chmod(0o755 if number % 2 else 0o700)
    assert noticed(watching).lost


def test_what_cannot_be_watched_is_refused(tmp_path, monkeypatch):
    for number in range(5):
        (tmp_path / str(number)).mkdir()
    monkeypatch.setattr(watch, "FOLDERS", 3)
    with pytest.raises(OSError, match="too many folders") as caught:
        watch.Watch(str(tmp_path), lambda _folder: True)
    assert caught.value.errno == errno.ENOSPC
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(OSError, match="no inotify"):
        watch.Watch(str(tmp_path), lambda _folder: True)


def test_a_closed_watch_says_nothing(watching):
    watching.close()
    watching.close()
    assert watching.read() == watch.Noticed(frozenset(), frozenset(), lost=False)
