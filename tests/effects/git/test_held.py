"""Repositories whose files pass through a filter or another encoding: made, looked at, kept, brought back and merged.

The filter is a script of the test's own: what git keeps is in lower case, what the folder has in upper case, and each
run leaves a line in a file, so that nobody runs it unseen. Git LFS speaks to git in the same way.
"""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from agentos_lsp.domain import diff
from agentos_lsp.domain.errors import EffectError, UserError
from agentos_lsp.effects.git import (
    changes,
    checkpoints,
    commits,
    filling,
    held,
    live,
    merges,
    repository,
    spares,
    trees,
    worktrees,
)
from agentos_lsp.effects.process import programs
from tests.effects.git.conftest import AT, write

WHO = repository.Identity("Agent", "agent@example.invalid")
MEANS = filling.Means(program=programs.run_git)
DRIVER = '#!/bin/sh\necho "$1" >> "$(dirname "$0")/ran"\ncase $1 in clean) tr A-Z a-z;; smudge) tr a-z A-Z;; esac\n'
UTF_16 = "zwölf\n".encode("utf-16")


class Filtered:
    """A place with a filter: `big.up` passes through it, `a.txt` does not."""

    def __init__(self, place) -> None:
        self.place = place
        self.folder = place.root.parent
        self.driver = write(self.folder, "driver", DRIVER)
        self.driver.chmod(0o755)
        self.use(f"'{self.driver}'")
        place.commit(**{".gitattributes": "*.up filter=upper\n", "big.up": "ABC\n", "src/deep/other.up": "XYZ\n"})
        self.forget()

    def use(self, program: str) -> None:
        for part in ("clean", "smudge"):
            self.place.git("config", f"filter.upper.{part}", f"{program} {part}")
        self.place.git("config", "filter.upper.required", "true")

    def forget(self) -> None:
        (self.folder / "ran").unlink(missing_ok=True)

    @property
    def ran(self) -> list[str]:
        path = self.folder / "ran"
        return path.read_text().split() if path.exists() else []

    def session(self, name: str = "fix-1", means: filling.Means = MEANS) -> worktrees.Worktree:
        return self.place.session(name, means=means)


@pytest.fixture
def filtered(place):
    return Filtered(place)


def paths(worktree):
    return changes.changed_paths(worktree, worktree.base)


def file(worktree, path: str) -> Path:
    return Path(worktree.folder, path)


def kept(worktree, number: int, before: str):
    name = checkpoints.reference("fix-1", number)
    return checkpoints.take(worktree, before, name, "kept", WHO, AT)


def nothing_left(place) -> None:
    assert place.git("worktree", "list", "--porcelain").count("worktree ") == 1
    assert place.git("branch", "--list", "agentos/*") == ""
    assert not list(place.state.glob("*")) if place.state.exists() else True


def test_clean_files_are_copied_and_no_filter_runs(filtered):
    worktree = filtered.session()
    assert filtered.ran == []
    assert file(worktree, "big.up").read_text() == "ABC\n"
    assert file(worktree, "src/deep/other.up").read_text() == "XYZ\n"
    assert paths(worktree) == ()
    assert filtered.place.git("status", "--porcelain", cwd=worktree.folder) == ""


def test_what_is_not_clean_in_the_checkout_is_written_by_git_and_its_filter(filtered):
    filtered.place.write("big.up", "MINE\n")
    worktree = filtered.session()
    assert filtered.ran == ["smudge"]
    assert file(worktree, "big.up").read_text() == "ABC\n"
    assert paths(worktree) == ()
    assert filtered.place.git("status", "--porcelain", cwd=worktree.folder) == ""


def test_a_process_filter_is_spoken_to_by_git(filtered):
    # Source: gitattributes(5), "Long Running Filter Process"; the form that Git LFS uses.
    program = write(filtered.folder, "process.py", PROCESS)
    place = filtered.place
    place.git("config", "filter.upper.process", f"python3 '{program}'")
    place.write("big.up", "MINE\n")
    worktree = filtered.session()
    assert filtered.ran == []
    assert file(worktree, "big.up").read_text() == "ABC\n"
    assert paths(worktree) == ()


PROCESS = r"""
import sys

def packets():
    while True:
        size = int(sys.stdin.buffer.read(4) or b"0", 16)
        if size == 0:
            return
        yield sys.stdin.buffer.read(size - 4)

def say(*rows):
    for row in rows:
        sys.stdout.buffer.write(b"%04x" % (len(row) + 4) + row)
    sys.stdout.buffer.write(b"0000")
    sys.stdout.buffer.flush()

list(packets())
say(b"git-filter-server\n", b"version=2\n")
list(packets())
say(b"capability=smudge\n")
while head := list(packets()):
    data = b"".join(packets())
    say(b"status=success\n")
    say(data.upper())
    say()
"""


@pytest.mark.parametrize("program", ["false", "no-such-program-anywhere"])
def test_a_filter_that_fails_or_is_missing_is_told_in_words_and_leaves_nothing(filtered, program):
    filtered.use(program)
    filtered.place.write("big.up", "MINE\n")
    with pytest.raises(UserError) as caught:
        filtered.session()
    assert "the filter upper" in str(caught.value)
    assert "big.up" in str(caught.value)
    assert "git checkout -- big.up" in caught.value.hint
    nothing_left(filtered.place)


def test_git_lfs_that_is_missing_is_told_by_its_name(filtered):
    place = filtered.place
    place.commit(**{".gitattributes": "*.lfs filter=lfs\n", "a.lfs": "pointer\n"})
    place.git("config", "filter.lfs.process", "git-lfs-that-is-not-here filter-process")
    place.git("config", "filter.lfs.required", "true")
    place.write("a.lfs", "changed\n")
    with pytest.raises(UserError, match="the filter lfs") as caught:
        filtered.session()
    assert "git lfs install" in caught.value.hint


def test_without_a_git_program_files_that_are_not_clean_are_refused(filtered, monkeypatch):
    filtered.place.write("big.up", "MINE\n")
    with pytest.raises(EffectError, match="no git program"):
        filtered.session(means=filling.ALONE)
    monkeypatch.setattr(programs.shutil, "which", lambda *_, **__: None)
    with pytest.raises(UserError, match="takes the git program"):
        filtered.session()
    nothing_left(filtered.place)


def test_a_filter_that_hangs_is_ended_when_the_start_is_cancelled_or_takes_too_long(filtered):
    filtered.use(f"sleep 1000; '{filtered.driver}'")
    filtered.place.write("big.up", "MINE\n")
    looks = iter([False] * 8)
    checkout = filtered.place.checkout()
    make = functools.partial(
        worktrees.create,
        checkout,
        str(filtered.place.state / "fix-1"),
        "agentos/fix-1",
        checkout.head,
        lock_reason="",
        progress=lambda _done, _total: None,
    )
    assert make(cancelled=lambda: next(looks, True), means=MEANS) is None
    nothing_left(filtered.place)
    quick = filling.Means(program=functools.partial(programs.run_git, limit_s=0.2))
    with pytest.raises(UserError, match="took too long"):
        make(cancelled=lambda: False, means=quick)
    nothing_left(filtered.place)


def test_no_hook_of_the_repository_runs_at_a_start(filtered):
    for name in ("post-checkout", "post-index-change"):
        hook = filtered.place.write(f".git/hooks/{name}", f"#!/bin/sh\ntouch '{filtered.folder}/hooked'\n")
        hook.chmod(0o755)
    filtered.place.write("big.up", "MINE\n")
    filtered.session()
    assert not (filtered.folder / "hooked").exists()


def test_another_encoding_is_kept_as_the_checkout_has_it(place):
    place.write(".gitattributes", "*.u16 working-tree-encoding=UTF-16\n")
    place.write("z.u16", UTF_16)
    place.commit()
    filtered = Filtered(place)
    filtered.place.write(".gitattributes", "*.u16 working-tree-encoding=UTF-16\n")
    place.commit()
    copied = filtered.session()
    place.write("z.u16", "mine".encode("utf-16"))
    written = filtered.session("fix-2")
    for worktree in (copied, written):
        assert file(worktree, "z.u16").read_bytes().decode("utf-16") == "zwölf\n"
        assert paths(worktree) == ()
        file(worktree, "z.u16").write_bytes("other".encode("utf-16"))
        (change,) = changes.changes(worktree, worktree.base)
        assert change.held.startswith("kept by the encoding UTF-16: ")


def test_a_filter_without_a_program_does_not_filter_as_in_git(place):
    place.commit(**{".gitattributes": "*.up filter=nobody\n", "big.up": "abc\n"})
    worktree = place.session()
    assert held.recorded(worktree).originals == {}
    file(worktree, "big.up").write_text("def\n")
    (change,) = changes.changes(worktree, worktree.base)
    assert (change.held, change.additions) == ("", 1)


def test_a_touched_file_is_unchanged_and_a_changed_one_is_summarised(filtered):
    worktree = filtered.session()
    tracked = live.Tracked(worktree, worktree.base)
    file(worktree, "big.up").touch()
    assert list(tracked.current().changes) == []
    file(worktree, "big.up").write_text("SECRET LINE\n")
    file(worktree, "new.up").write_text("NEW\n")
    file(worktree, "src/deep/other.up").unlink()
    tracked.touch("big.up", "new.up", "src/deep/other.up")
    found = tracked.current().changes
    assert [(one.path, one.status, one.hunks) for one in found] == [
        ("big.up", "modified", ()),
        ("new.up", "added", ()),
        ("src/deep/other.up", "deleted", ()),
    ]
    assert found[0].held.startswith("kept by the filter upper: 12 bytes, ")
    assert found[2].held == "kept by the filter upper: removed"
    assert "SECRET" not in diff.unified(found)
    assert "Not shown: kept by the filter upper: 4 bytes, " in diff.unified(found)
    file(worktree, "big.up").write_text("SECRET WORD\n")
    tracked.touch("big.up")
    assert tracked.current().changes[0] != found[0]
    tracked.distrust()
    assert tracked.current().changes == changes.changes(worktree, worktree.base)
    assert filtered.ran == []


def test_what_git_keeps_in_place_of_the_file_is_a_change_too(filtered):
    worktree = filtered.session()
    file(worktree, "big.up").write_text("abc\n")
    assert paths(worktree) == ("big.up",)
    made = kept(worktree, 1, worktree.base)
    assert made is None
    assert checkpoints.restore(worktree, worktree.base, worktree.base) == checkpoints.Restored(1, ())
    assert file(worktree, "big.up").read_text() == "ABC\n"


def test_a_file_is_held_by_attributes_of_the_base_and_of_the_folder(filtered):
    worktree = filtered.session()
    file(worktree, ".gitattributes").write_text("*.txt filter=upper\n")
    file(worktree, "a.txt").write_text("changed\n")
    file(worktree, "big.up").write_text("CHANGED\n")
    words = {one.path: one.held for one in changes.changes(worktree, worktree.base)}
    assert words[".gitattributes"] == ""
    assert words["a.txt"].startswith("kept by the filter upper: ")
    assert words["big.up"].startswith("kept by the filter upper: ")


def test_checkpoints_keep_raw_bytes_and_bring_them_back(filtered):
    worktree = filtered.session()
    file(worktree, "big.up").write_bytes(b"RAW\r\n\xff")
    file(worktree, "new.up").write_text("NEW\n")
    file(worktree, "a.txt").write_text("changed\n")
    first = kept(worktree, 1, worktree.base)
    assert first is not None
    assert filtered.place.git("show", f"{first.commit}:new.up") == "NEW"
    file(worktree, "big.up").unlink()
    file(worktree, "new.up").write_text("NEWER\n")
    second = kept(worktree, 2, first.commit)
    assert second is not None
    assert checkpoints.restore(worktree, second.commit, first.commit) == checkpoints.Restored(2, ())
    assert file(worktree, "big.up").read_bytes() == b"RAW\r\n\xff"
    assert file(worktree, "new.up").read_text() == "NEW\n"
    assert kept(worktree, 3, first.commit) is None
    # The beginning has the file as it was made, which is the checkout's.
    assert checkpoints.restore(worktree, first.commit, worktree.base) == checkpoints.Restored(3, ())
    assert file(worktree, "big.up").read_text() == "ABC\n"
    assert paths(worktree) == ()
    assert checkpoints.restore(worktree, worktree.base, second.commit).files == 3
    assert not file(worktree, "big.up").exists()
    assert filtered.ran == []


def test_what_the_checkout_has_no_more_is_left_as_it_is_and_named(filtered):
    worktree = filtered.session()
    file(worktree, "big.up").write_text("MINE\n")
    first = kept(worktree, 1, worktree.base)
    assert first is not None
    filtered.place.write("big.up", "THE PERSON'S\n")
    assert checkpoints.restore(worktree, first.commit, worktree.base) == checkpoints.Restored(0, ("big.up",))
    assert file(worktree, "big.up").read_text() == "MINE\n"


def test_a_discard_keeps_the_raw_bytes(filtered):
    worktree = filtered.session()
    file(worktree, "big.up").write_text("RAW\n")
    made = checkpoints.keep_removed(worktree, worktree.base, f"{checkpoints.REMOVED}fix-1", WHO, AT)
    assert filtered.place.git("show", f"{made.commit}:big.up") == "RAW"


def test_links_and_folders_at_a_held_path_are_brought_back_too(filtered):
    worktree = filtered.session()
    file(worktree, "big.up").unlink()
    file(worktree, "big.up").symlink_to("a.txt")
    first = kept(worktree, 1, worktree.base)
    assert first is not None
    file(worktree, "big.up").unlink()
    write(file(worktree, "big.up"), "inner.txt", "x")
    second = kept(worktree, 2, first.commit)
    assert second is not None
    assert checkpoints.restore(worktree, second.commit, first.commit).kept == ()
    assert file(worktree, "big.up").readlink().name == "a.txt"
    assert checkpoints.restore(worktree, first.commit, worktree.base).kept == ()
    assert file(worktree, "big.up").read_text() == "ABC\n"
    assert file(worktree, "a.txt").read_text() == "one\ntwo\nthree\n"


def test_a_tree_that_is_no_checkpoint_writes_no_held_file(filtered):
    worktree = filtered.session()
    other = filtered.place.commit(**{"big.up": "LATER\n", "a.txt": "later\n"})
    filtered.forget()
    tree = filtered.place.git("rev-parse", f"{other}^{{tree}}")
    assert checkpoints.restore(worktree, worktree.base, tree) == checkpoints.Restored(1, ("big.up",))
    assert file(worktree, "big.up").read_text() == "ABC\n"
    assert filtered.ran == []


def test_with_a_record_that_is_broken_nothing_fails(filtered):
    worktree = filtered.session()
    record = Path(worktree.admin_dir, held.RECORD)
    for text in ("", "{", "[]", '{"root": 1, "git_dir": 2, "files": {"a": 3}}'):
        record.write_text(text)
        file(worktree, "big.up").write_text(f"OTHER {text}\n")
        assert paths(worktree) == ("big.up",)


def test_who_is_held_is_told_of_any_commit(filtered):
    worktree = filtered.session()
    told = held.among(worktree, ["big.up", "a.txt", "x/new.up"], ())
    assert told == {"big.up": "the filter upper", "x/new.up": "the filter upper"}
    later = filtered.place.commit(**{".gitattributes": "*.txt filter=upper\n"})
    assert held.among(worktree, ["big.up", "a.txt"], (later,)) == {
        "big.up": "the filter upper",
        "a.txt": "the filter upper",
    }


def commit(worktree, *names: str) -> str:
    staged = commits.stage_tree(worktree, names)
    return commits.commit(worktree, staged, "work", WHO, {}, AT)


def merged(filtered, strategy="merge"):
    return merges.merge(
        filtered.place.checkout(), "agentos/fix-1", "main", strategy, "merged", WHO, AT, protected_paths=frozenset()
    )


@pytest.mark.parametrize("strategy", ["merge", "squash", "rebase", "fast-forward"])
def test_other_files_are_merged_and_undone_as_ever(filtered, strategy):
    worktree = filtered.session()
    file(worktree, "a.txt").write_text("changed\n")
    commit(worktree, "a.txt")
    if strategy != "fast-forward":
        filtered.place.commit(**{"big.up": "LATER\n"})
    before = filtered.place.git("rev-parse", "HEAD")
    filtered.forget()
    made = merged(filtered, strategy)
    assert isinstance(made, merges.Merged)
    assert made.paths == ("a.txt",)
    checkout = filtered.place.checkout()
    assert merges.undo(checkout, "main", made.commit, repository.CommitId(before), frozenset()) is None
    assert filtered.ran == []
    assert filtered.place.git("status", "--porcelain") == ""


def test_a_merge_that_would_write_a_held_file_is_refused_with_the_command(filtered):
    worktree = filtered.session()
    file(worktree, "big.up").write_text("RAW\n")
    file(worktree, "a.txt").write_text("changed\n")
    commit(worktree, "a.txt", "big.up")
    filtered.forget()
    refused = merged(filtered)
    assert isinstance(refused, merges.Refused)
    assert refused.paths == ("big.up",)
    assert "the filter upper" in refused.reason
    assert "`git merge agentos/fix-1`" in refused.reason
    found = merges.preview(filtered.place.checkout(), "agentos/fix-1", "main")
    assert merges.hindrance(filtered.place.checkout(), found, "main", frozenset()) is not None
    assert (filtered.place.root / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert filtered.ran == []


def test_attributes_that_come_with_the_merge_count(filtered):
    worktree = filtered.session()
    file(worktree, "a.txt").write_text("changed\n")
    commit(worktree, "a.txt")
    file(worktree, ".gitattributes").write_text("*.up filter=upper\n*.txt filter=upper\n")
    commit(worktree, ".gitattributes")
    refused = merged(filtered)
    assert isinstance(refused, merges.Refused)
    assert refused.paths == ("a.txt",)
    assert filtered.ran == []


def test_an_undo_that_would_write_a_held_file_is_refused(filtered):
    before = filtered.place.git("rev-parse", "HEAD")
    made = filtered.place.commit(**{"big.up": "LATER\n"})
    filtered.forget()
    checkout = filtered.place.checkout()
    ids = repository.CommitId(made), repository.CommitId(before)
    refused = merges.undo(checkout, "main", *ids, frozenset())
    assert refused is not None
    assert "git reset --keep" in refused.reason
    assert filtered.ran == []
    assert (filtered.place.root / "big.up").read_text() == "LATER\n"


def test_no_spare_is_made_or_taken(filtered, tmp_path):
    place = filtered.place
    place.commit(**{f"many/{number}.txt": "x\n" for number in range(spares.FEWEST)})
    means = filling.Means(shelf=str(tmp_path / "shelf"), program=programs.run_git)
    assert not spares.make(place.checkout(), means, count=1, cancelled=lambda: False)
    place.git("config", "--remove-section", "filter.upper")
    assert spares.make(place.checkout(), means, count=1, cancelled=lambda: False)
    filtered.use(f"'{filtered.driver}'")
    worktree = filtered.session(means=means)
    assert file(worktree, "big.up").read_text() == "ABC\n"
    assert set(held.recorded(worktree).originals) == {b"big.up", b"src/deep/other.up"}


def test_a_large_held_file_is_copied_and_compared_in_pieces(filtered):
    data = b"A" * ((3 << 20) + 1)
    filtered.place.write("large.up", data)
    filtered.place.commit()
    worktree = filtered.session()
    assert file(worktree, "large.up").read_bytes() == data
    assert held.recorded(worktree).originals[b"large.up"].entry.mode == trees.FILE
    file(worktree, "large.up").touch()
    assert paths(worktree) == ()
    file(worktree, "large.up").write_bytes(data + b"B")
    (change,) = changes.changes(worktree, worktree.base)
    assert change.held.startswith("kept by the filter upper: 3,145,730 bytes")
