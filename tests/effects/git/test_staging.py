"""Staging by changing an index's bytes gives what libgit2 gives, notes of trees included, or leaves it to libgit2."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pygit2
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agentos_lsp.effects.git import commits, indexes, opening, staging, trees, worktrees
from agentos_lsp.effects.git.repository import Identity
from tests.effects.git.conftest import AT

WHO = Identity("A Person", "person@example.invalid")
PATHS = ["a", "a-b", "a.b", "a/b", "a/c/d", "a/c/e", "b", "d/a", "d/b", "d/é", "d.a", "f", "f/a", "f/a.b", "f/a/b", "z"]
LONG = "n" * 300
OBJECTS = ["one", "two", "three"]
Files = dict[str, tuple[str, bool]]

contents = st.tuples(st.sampled_from(OBJECTS), st.booleans())
folders = st.dictionaries(st.sampled_from([*PATHS, LONG]), contents, max_size=10)


def entry(repository, content: tuple[str, bool]) -> trees.Entry:
    text, runs = content
    return trees.Entry(trees.PROGRAM if runs else trees.FILE, repository.create_blob(text.encode()).raw)


def tree(repository, files: Files) -> bytes:
    sound = {path: one for path, one in files.items() if not any(other.startswith(f"{path}/") for other in files)}
    edits = {path.encode(): entry(repository, one) for path, one in sound.items()}
    return trees.edited(repository, None, edits) or trees.empty(repository)


def stage(repository, index: pygit2.Index, path: str, content: tuple[str, bool] | None) -> None:
    if content is not None:
        made = entry(repository, content)
        index.add(pygit2.IndexEntry(path, pygit2.Oid(raw=made.oid), pygit2.enums.FileMode(made.mode)))
    elif path in index:
        index.remove(path)


def listed(index: pygit2.Index) -> list[tuple[str, str, int]]:
    return [(one.path, str(one.id), int(one.mode)) for one in index]


@pytest.mark.parametrize("noted", [True, False])
@given(old=folders, new=folders, agents=st.dictionaries(st.sampled_from(PATHS), st.none() | contents, max_size=4))
@settings(max_examples=60)
def test_it_gives_what_libgit2_gives(repository, noted, old, new, agents):
    before, after = tree(repository, old), tree(repository, new)
    folder = Path(repository.path)
    for name in ("index", "theirs", "ours"):
        (folder / name).unlink(missing_ok=True)
    index = opening.Index(str(folder / "index"))
    if noted:
        # Libgit2 notes then that the index equals this tree.
        index.read_tree(repository[pygit2.Oid(raw=before)].peel(pygit2.Tree))
    else:
        for path, one in trees.walk(repository, before):
            index.add(
                pygit2.IndexEntry(path.decode(), pygit2.Oid(raw=one.oid), pygit2.enums.FileMode(one.mode)),
            )
    for path, one in agents.items():
        stage(repository, index, path, one)
    # Libgit2 lets a file be staged beside a folder of its name; git does not, and never writes such an index.
    assume(not any(other.path.startswith(f"{one.path}/") for one in index for other in index))
    index.write()
    data = (folder / "index").read_bytes()
    assert (b"TREE" in data) >= noted

    (folder / "theirs").write_bytes(data)
    theirs = opening.Index(str(folder / "theirs"))
    theirs.read()
    for path, _, one in trees.difference(repository, before, after):
        if one is not None:
            theirs.add(pygit2.IndexEntry(path.decode(), pygit2.Oid(raw=one.oid), pygit2.enums.FileMode(one.mode)))
        elif path.decode() in theirs:
            theirs.remove(path.decode())
    (folder / "ours").write_bytes(staging.staged(repository, data, before, after))
    ours = opening.Index(str(folder / "ours"))
    ours.read()

    assert listed(ours) == listed(theirs)
    assert ours.write_tree(repository) == theirs.write_tree(repository)


def change(worktree, path, text):
    made = Path(worktree.folder, path)
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_text(text)


def commit(worktree):
    return commits.commit(worktree, commits.stage_tree(worktree, None), "x", WHO, {}, AT)


def test_a_common_commit_asks_libgit2_for_no_index(place, monkeypatch):
    place.commit(**{f"src/{name}.py": name for name in "cdefg"})
    worktree = place.session()
    inside = Path(worktree.folder)
    # Git notes the trees, which must not be believed after.
    place.git("read-tree", "HEAD", cwd=inside)
    place.git("write-tree", cwd=inside)

    def asked(path):
        raise AssertionError(path)

    change(worktree, "src/c.py", "changed")
    change(worktree, "src/new/a.py", "new")
    change(worktree, "src/new.py", "new")
    (inside / "src/e.py").unlink()
    (inside / "src/f.py").chmod(0o755)
    place.git("add", "src/new.py", cwd=inside)
    found = commits.stage_tree(worktree, None)
    monkeypatch.setattr(opening, "Index", asked)
    commits.commit(worktree, found, "x", WHO, {}, AT)

    assert place.git("status", "--porcelain", cwd=inside) == ""
    assert place.git("write-tree", cwd=inside) == place.git("rev-parse", "HEAD^{tree}", cwd=inside)
    assert place.git("ls-files", cwd=inside) == place.git("ls-tree", "-r", "--name-only", "HEAD", cwd=inside)


@pytest.mark.parametrize(
    "words",
    [
        ("update-index", "--index-version", "4"),
        ("update-index", "--assume-unchanged", "src/b.py"),
        ("rm", "-q", "--cached", "src/b.py"),
        ("-c", "index.skipHash=true", "read-tree", "HEAD"),
    ],
)
def test_what_only_git_understands_is_left_to_it(place, words):
    worktree = place.session()
    inside = Path(worktree.folder)
    place.git(*words, cwd=inside)
    change(worktree, "src/b.py", "changed\n")
    change(worktree, "src/new.py", "new\n")
    commit(worktree)

    assert place.git("diff", "--cached", "HEAD", cwd=inside) == ""
    assert place.git("ls-files", cwd=inside) == place.git("ls-tree", "-r", "--name-only", "HEAD", cwd=inside)


def test_what_a_crash_has_left_is_no_obstacle(place):
    worktree = place.session()
    Path(worktree.admin_dir, "agentos-index-next").symlink_to(place.root / "a.txt")
    change(worktree, "src/b.py", "changed\n")
    commit(worktree)
    assert place.git("status", "--porcelain", cwd=Path(worktree.folder)) == ""
    assert (place.root / "a.txt").read_text() == "one\ntwo\nthree\n"


def test_an_index_that_would_fill_the_memory_is_made_anew(place):
    worktree = place.session()
    with Path(worktree.admin_dir, "index").open("r+b") as file:
        file.truncate(worktrees.LARGEST_INDEX + 1)
    change(worktree, "src/b.py", "changed\n")
    commit(worktree)
    assert place.git("status", "--porcelain", cwd=Path(worktree.folder)) == ""


def test_a_link_that_appears_while_a_commit_is_made_is_never_written_through(place, monkeypatch):
    """What libgit2 is asked about lies where no agent writes, and what is put in place follows no link."""
    worktree = place.session()
    kept = place.root.parent / "kept.txt"
    kept.write_text("kept\n")
    planted = Path(worktree.admin_dir, "agentos-index-next")
    asked = []

    class Watched(opening.Index):
        def __init__(self, path):
            asked.append(path)
            # An agent that is not confined, at the worst moment.
            if not planted.is_symlink():
                planted.symlink_to(kept)
            super().__init__(path)

    change(worktree, "src/b.py", "changed\n")
    found = commits.stage_tree(worktree, None)
    monkeypatch.setattr(opening, "Index", Watched)
    Path(worktree.admin_dir, "index").write_bytes(b"agent text\n")
    commits.commit(worktree, found, "x", WHO, {}, AT)
    assert asked
    assert kept.read_text() == "kept\n"
    assert place.git("status", "--porcelain", cwd=Path(worktree.folder)) == ""


def test_files_beside_one_that_is_not_staged_any_more_are_no_more_work(repository):
    one = entry(repository, ("one", False))
    before = trees.edited(repository, None, {b"m": one} | {b"a%05d" % number: one for number in range(20_000)})
    after = trees.edited(repository, before, {b"n/%05d" % number: one for number in range(3_000)})
    folder = Path(repository.path)
    index = opening.Index(str(folder / "missing"))
    index.read_tree(repository[pygit2.Oid(raw=before)].peel(pygit2.Tree))
    index.remove("m")
    index.write()
    looks = 0

    class Counted(bytes):
        def find(self, *words):
            nonlocal looks
            looks += 1
            return super().find(*words)

    made = staging.staged(repository, Counted((folder / "missing").read_bytes()), before, after)
    assert struct.unpack_from(">I", made, 8) == (23_000,)
    assert looks < 200


def test_a_path_in_conflict_is_settled_by_the_commit(place):
    start = place.git("rev-parse", "HEAD")
    place.commit(**{"src/b.py": "theirs\n"})
    place.git("branch", "other")
    place.git("reset", "-q", "--hard", start)
    worktree = place.session()
    inside = Path(worktree.folder)
    change(worktree, "src/b.py", "ours\n")
    commit(worktree)
    place.git("status", cwd=inside)
    place.git("read-tree", "-m", start, "HEAD", "other", cwd=inside)
    assert place.git("ls-files", "--unmerged", cwd=inside)

    change(worktree, "src/b.py", "both\n")
    commit(worktree)

    assert place.git("ls-files", "--unmerged", cwd=inside) == ""
    assert place.git("diff", "--cached", "HEAD", cwd=inside) == ""


def written_tree(place, folder):
    done = subprocess.run(["git", "write-tree"], cwd=folder, capture_output=True, text=True, check=False)
    return done.stderr, place.git("status", "--porcelain", cwd=folder)


def test_a_file_that_is_only_intended_gives_way_to_a_folder(place):
    worktree = place.session()
    inside = Path(worktree.folder)
    change(worktree, "foo", "x")
    place.git("add", "-N", "foo", cwd=inside)
    (inside / "foo").unlink()
    change(worktree, "foo/bar", "y")
    commit(worktree)
    assert written_tree(place, inside) == ("", "")


def test_a_folder_that_was_staged_as_a_file_is_a_folder_again(place):
    worktree = place.session()
    inside = Path(worktree.folder)
    shutil.move(inside / "src", inside.parent / "kept")
    change(worktree, "src", "x")
    place.git("add", "-A", cwd=inside)
    (inside / "src").unlink()
    shutil.move(inside.parent / "kept", inside / "src")
    change(worktree, "src/new.py", "y")
    commit(worktree)
    assert written_tree(place, inside)[0] == ""
    assert place.git("ls-files", "src", cwd=inside) == "src/new.py"


def test_what_changed_within_the_second_it_was_staged_is_still_seen(place):
    worktree = place.session()
    inside = Path(worktree.folder)
    for name, text in (("r", "one\n"), ("s", "x\n")):
        change(worktree, name, text)
    # All of it happens within one second, some time ago.
    place.git("config", "core.trustctime", "false")
    then = (inside / "r").stat().st_mtime_ns - 60 * 10**9
    os.utime(inside / "r", ns=(then, then))
    place.git("add", "r", cwd=inside)
    os.utime(Path(worktree.admin_dir, "index"), ns=(then, then))
    with (inside / "r").open("r+") as file:
        file.write("two\n")
    os.utime(inside / "r", ns=(then, then))
    commits.commit(worktree, commits.stage_tree(worktree, ["s"]), "x", WHO, {}, AT)
    assert place.git("status", "--porcelain", cwd=inside) == "AM r"


def test_a_mode_of_old_histories_is_staged_as_git_stages_it(repository):
    oid = repository.create_blob(b"x").raw
    before = tree(repository, {"a": ("one", False)})
    after = trees.written(repository, {b"a": trees.Entry(0o100664, oid), b"b": trees.Entry(0o100775, oid)})
    folder = Path(repository.path)
    index = opening.Index(str(folder / "old"))
    index.read_tree(repository[pygit2.Oid(raw=before)].peel(pygit2.Tree))
    index.write()
    (folder / "new").write_bytes(staging.staged(repository, (folder / "old").read_bytes(), before, after))
    made = opening.Index(str(folder / "new"))
    made.read()
    assert [(one.path, int(one.mode)) for one in made] == [("a", trees.FILE), ("b", trees.PROGRAM)]


def test_entries_that_look_like_extensions_are_passed_in_one_step_each(repository):
    names = [b"a%09d" % number for number in range(40_000)]
    oid = repository.create_blob(b"x").raw
    before = tree(repository, {"b": ("one", False)})
    after = tree(repository, {"b": ("one", False), "c": ("two", False)})
    # Each begins with a time that reads as the name and the size of an extension, which ends where the next begins.
    rows = [struct.pack(">4sI16xI12x20sH", b"TREE", 64, trees.FILE, oid, len(name)) + name for name in names]
    body = struct.pack(">4sII", b"DIRC", 2, len(rows)) + b"".join(one + b"\0" * (8 - len(one) % 8) for one in rows)
    made = staging.staged(repository, body + indexes.checksum([body]), before, after)
    assert struct.unpack_from(">I", made, 8) == (len(rows) + 1,)


def test_many_files_that_begin_alike_are_passed_once(repository):
    letters = ["a" * count for count in range(1, 60)]
    before = tree(repository, {"b": ("one", False)})
    after = tree(repository, {"b": ("one", False), **dict.fromkeys(letters, ("two", False))})
    folder = Path(repository.path)
    index = opening.Index(str(folder / "alike"))
    oid = repository.create_blob(b"x")
    for number in range(3_000):
        index.add(pygit2.IndexEntry(f"{'a' * 60}{number:05}", oid, pygit2.enums.FileMode.BLOB))
    index.add(pygit2.IndexEntry("b", repository.create_blob(b"one"), pygit2.enums.FileMode.BLOB))
    index.write()
    steps = 0
    real = staging._Patch._entry

    def counted(patch, at):
        nonlocal steps
        steps += 1
        return real(patch, at)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(staging._Patch, "_entry", counted)
        made = staging.staged(repository, (folder / "alike").read_bytes(), before, after)
    assert struct.unpack_from(">I", made, 8) == (3_001 + len(letters),)
    assert steps < 4 * 3_000


def test_the_file_that_stands_before_a_path_in_an_index(repository):
    lookup = trees.Lookup(repository, tree(repository, dict.fromkeys(("a-b", "a/b", "a/c/d", "z"), ("one", False))))
    asked = {"a": None, "a-c": "a-b", "a/": "a-b", "a/b": "a-b", "a/ba": "a/b", "a/c/a": "a/b", "a/d": "a/c/d"}
    asked |= {"a0": "a/c/d", "b/c": "a/c/d", "z": "a/c/d", "zz": "z", "z/a": "z"}
    found = {path: lookup.before(path.encode()) for path in asked}
    assert found == {path: None if one is None else one.encode() for path, one in asked.items()}


def test_an_index_of_lies_is_no_danger(repository):
    before = tree(repository, {"a": ("one", False), "b": ("one", False)})
    after = tree(repository, {"a": ("two", False), "b": ("one", False), "c": ("one", False)})
    folder = Path(repository.path)
    index = opening.Index(str(folder / "lies"))
    index.read_tree(repository[pygit2.Oid(raw=before)].peel(pygit2.Tree))
    index.write()
    data = (folder / "lies").read_bytes()
    body = data[:-20]
    for at in range(0, len(body), 3):
        lied = body[:at] + b"\xff" + body[at + 1 :]
        whole = lied + indexes.checksum([lied])
        try:
            made = staging.staged(repository, whole, before, after)
        except pygit2.GitError:
            continue
        assert made[:4] == b"DIRC"
