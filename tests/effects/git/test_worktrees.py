"""Worktrees as git sees them: created, listed, removed, and nothing left after a failure."""

import os
import subprocess
from pathlib import Path

import pytest

from agentos_lsp.domain.errors import EffectError, UserError
from agentos_lsp.effects.git import trash, worktrees
from tests.effects.git.conftest import write


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else []


def test_a_new_worktree_is_what_git_would_have_made(place):
    made = place.session("fix-1")
    folder = Path(made.folder)
    assert place.git("worktree", "list", "--porcelain").split("\n\n")[1].strip().splitlines() == [
        f"worktree {folder}",
        f"HEAD {made.base}",
        "branch refs/heads/agentos/fix-1",
        "locked a live session",
    ]
    assert place.git("status", "--porcelain", "--ignored", cwd=folder) == ""
    assert place.git("diff-index", "--cached", "HEAD", cwd=folder) == ""
    assert place.git("ls-files", "-s", cwd=folder) == place.git("ls-files", "-s")
    assert os.access(folder / "tool.sh", os.X_OK)
    assert not os.access(folder / "a.txt", os.X_OK)
    assert (folder / "link").readlink() == Path("a.txt")
    assert (folder / "dir ü" / "naïve.txt").read_text() == "é\n"
    assert place.git("status", "--porcelain") == ""
    assert place.git("branch", "--show-current") == "main"
    place.git("fsck", "--strict")


def test_parents_are_made_for_this_user_only(place):
    place.state = place.root.parent / "state" / "repository"
    made = place.session()
    assert (Path(made.folder).parent.stat().st_mode & 0o777, place.state.parent.stat().st_mode & 0o777) == (
        0o700,
        0o700,
    )


def test_the_persons_uncommitted_work_is_not_copied(place):
    place.write("a.txt", "changed here\n")
    os.utime(place.write("src/b.py", "def b():\n    return 2\n"), (0, 0))
    place.write("untracked.txt", "mine\n")
    folder = Path(place.session().folder)
    assert (folder / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert (folder / "src" / "b.py").read_text() == "def b():\n    return 1\n"
    assert not (folder / "untracked.txt").exists()
    assert place.git("status", "--porcelain", cwd=folder) == ""


def test_a_session_can_start_from_an_older_commit(place):
    first = place.checkout().head
    place.commit(**{"a.txt": "later\n", "only-later.txt": "x\n"})
    made = worktrees.create(
        place.checkout(),
        str(place.state / "old"),
        "agentos/old",
        first,
        lock_reason="",
        progress=lambda _done, _total: None,
        cancelled=lambda: False,
    )
    assert made is not None
    assert (Path(made.folder) / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert place.git("status", "--porcelain", cwd=Path(made.folder)) == ""


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_every_index_version_of_the_checkout_is_understood(place, version):
    if version == "3":
        place.write("later.txt", "x\n")
        place.git("add", "-N", "later.txt")
    place.git("update-index", "--index-version", version)
    made = place.session()
    assert place.git("status", "--porcelain", cwd=Path(made.folder)) == ""


def test_settings_of_one_worktree_and_an_index_without_a_checksum_are_understood(place):
    place.git("config", "extensions.worktreeConfig", "true")
    place.git("config", "--worktree", "core.autocrlf", "false")
    index = place.root / ".git" / "index"
    index.write_bytes(index.read_bytes()[:-20] + bytes(20))
    worktree = place.session()
    assert place.git("status", "--porcelain", cwd=worktree.folder) == ""
    assert Path(worktree.folder, "src/deep/c.py").read_text() == "c = 1\n"


def test_a_checkout_without_a_readable_index_is_filled_from_git(place):
    checkout = place.checkout()
    (place.root / ".git" / "index").write_bytes(b"DIRC\0\0\0\x02\0\0\0\x09nonsense")
    made = worktrees.create(
        checkout,
        str(place.state / "x"),
        "agentos/x",
        checkout.head,
        lock_reason="",
        progress=lambda _done, _total: None,
        cancelled=lambda: False,
    )
    assert made is not None
    assert place.git("status", "--porcelain", cwd=Path(made.folder)) == ""


def test_names_that_are_not_utf8_and_names_with_spaces(place):
    place.write("bad\udcff name\n.txt", "x\n")
    place.commit()
    made = place.session("with-names")
    assert (Path(made.folder) / "bad\udcff name\n.txt").read_text() == "x\n"
    assert place.git("status", "--porcelain", cwd=Path(made.folder)) == ""


@pytest.mark.parametrize(
    ("attributes", "settings"),
    [
        ("*.txt text eol=crlf\n", {}),
        ("* text=auto\n", {"core.autocrlf": "true"}),
        ("* text=auto\n*.py -text\n", {"core.eol": "crlf"}),
        ("*.py ident\n", {}),
        ("* text=auto eol=lf\n", {"core.autocrlf": "true"}),
        ("", {"core.autocrlf": "true"}),
        ("", {"core.autocrlf": "input"}),
        ("*.txt crlf\n*.py -crlf\n", {"core.eol": "crlf"}),
    ],
)
def test_line_endings_are_those_that_git_writes(place, attributes, settings):
    place.write(".gitattributes", attributes)
    place.write("src/id.py", "# $Id$\n")
    place.write("mixed.txt", b"a\r\nb\n")
    place.write("binary.txt", b"a\0\n\r\n")
    place.commit()
    for name, value in settings.items():
        place.git("config", name, value)
    place.git("worktree", "add", "-q", "../reference")
    # Without an index nothing in the checkout can be called clean, so all files come from the object database.
    (place.root / ".git" / "index").unlink()
    made = place.session()
    names = place.git("ls-files", "-z", cwd=Path(made.folder)).rstrip("\0").split("\0")
    assert {name: (Path(made.folder) / name).read_bytes() for name in names} == {
        name: (place.root.parent / "reference" / name).read_bytes() for name in names
    }
    assert place.git("status", "--porcelain", cwd=Path(made.folder)) == ""


def test_a_submodule_is_an_empty_folder(place):
    place.git("update-index", "--add", "--cacheinfo", f"160000,{place.git('rev-parse', 'HEAD')},lib/sub")
    place.git("commit", "-qm", "sub")
    (place.root / "lib" / "sub").mkdir(parents=True)
    made = place.session()
    assert list((Path(made.folder) / "lib" / "sub").iterdir()) == []
    assert place.git("status", "--porcelain", cwd=Path(made.folder)) == ""


def test_progress_is_told_to_the_end(place):
    told: list[tuple[int, int]] = []
    checkout = place.checkout()
    worktrees.create(
        checkout,
        str(place.state / "x"),
        "agentos/x",
        checkout.head,
        lock_reason="",
        progress=lambda done, total: told.append((done, total)),
        cancelled=lambda: False,
    )
    assert told == [(0, 7), (7, 7)]


def test_a_cancellation_leaves_nothing_behind(place):
    for number in range(300):
        place.write(f"many/{number}.txt", f"{number}\n")
    place.commit()
    before = everything(place.root / ".git")
    answers = iter([False, False, True])
    checkout = place.checkout()
    made = worktrees.create(
        checkout,
        str(place.state / "deep" / "x"),
        "agentos/x",
        checkout.head,
        lock_reason="",
        progress=lambda _done, _total: None,
        cancelled=lambda: next(answers),
    )
    assert made is None
    assert [name for name in everything(place.root / ".git") if name not in before] == [
        "logs/refs/heads/agentos",
        "refs/heads/agentos",
    ] or everything(place.root / ".git") == before
    assert place.git("branch", "--list", "agentos/*") == ""
    assert not place.state.exists()


def test_a_failure_leaves_nothing_behind(place):
    checkout = place.checkout()
    missing = place.git("rev-parse", "HEAD:src/b.py")
    (place.root / ".git" / "objects" / missing[:2] / missing[2:]).unlink()
    os.utime(place.root / "src" / "b.py", (1, 1))
    with pytest.raises(EffectError, match="Could not create the worktree"):
        place.session()
    assert place.git("branch", "--list", "agentos/*") == ""
    assert not Path(checkout.common_dir, "worktrees").exists()
    assert not place.state.exists()


def test_a_taken_branch_folder_or_name_is_refused(place):
    made = place.session("one")
    checkout = place.checkout()

    def refusal(folder: str, branch: str, commit: str = checkout.head) -> str:
        with pytest.raises(UserError) as caught:
            worktrees.create(
                checkout,
                str(place.state / folder),
                branch,
                commit,
                lock_reason="",
                progress=lambda _done, _total: None,
                cancelled=lambda: False,
            )
        return caught.value.message

    assert "branch agentos/one exists" in refusal("two", "agentos/one")
    assert f"{made.folder} exists" in refusal("one", "agentos/two")
    assert "worktree named one" in refusal("two", "agentos/deeper/one")
    assert "not a valid branch name" in refusal("two", "agentos/a..b")
    assert "not in the repository" in refusal("two", "agentos/two", "0" * 40)
    place.git("branch", "-q", "blocker")
    assert "cannot be made" in refusal("two", "blocker/two")
    assert everything(place.state) == [name for name in everything(place.state) if name.startswith("one")]


@pytest.mark.parametrize("name", [b".git", b".GIT", b"..", b"git~1"])
def test_a_tree_with_a_dangerous_name_is_refused(place, name):
    blob = place.git("hash-object", "-w", "a.txt")
    tree = subprocess.run(
        ["git", "hash-object", "-w", "-t", "tree", "--literally", "--stdin"],
        cwd=place.root,
        input=b"100644 %s\0%s" % (name, bytes.fromhex(blob)),
        capture_output=True,
        check=True,
    ).stdout.decode()
    commit = place.git("commit-tree", "-m", "bad", tree.strip())
    with pytest.raises(EffectError, match="forbidden name"):
        worktrees.create(
            place.checkout(),
            str(place.state / "x"),
            "agentos/x",
            commit,
            lock_reason="",
            progress=lambda _done, _total: None,
            cancelled=lambda: False,
        )
    assert not place.state.exists()


def test_sessions_are_listed_and_others_are_not(place):
    one, two = place.session("one"), place.session("two", lock_reason="")
    place.git("worktree", "add", "-q", "-b", "mine", "../mine")
    place.git("commit", "-q", "--allow-empty", "-m", "x", cwd=Path(two.folder))
    subprocess.run(["rm", "-rf", one.folder], check=True)
    assert worktrees.list_worktrees(place.checkout()) == (
        worktrees.Listed(one, one.base, exists=False, complete=True),
        worktrees.Listed(two, place.git("rev-parse", "agentos/two"), exists=True, complete=True),
    )


def test_a_removed_worktree_is_gone_for_git_and_on_disk(place):
    made = place.session()
    write(Path(made.folder), "new/file.txt", "x")
    worktrees.remove(made, delete_branch=True)
    assert not Path(made.folder).exists()
    assert len(place.git("worktree", "list").splitlines()) == 1
    assert place.git("branch", "--list", "agentos/*") == ""
    assert not (place.root / ".git" / "worktrees").exists()
    assert trash.empty(str(place.state)) == 0
    assert everything(place.state) == []


def test_a_removal_can_keep_the_branch_and_be_repeated(place):
    made = place.session()
    worktrees.remove(made, delete_branch=False)
    assert place.git("rev-parse", "agentos/fix-1") == made.base
    worktrees.remove(made, delete_branch=True)
    worktrees.remove(made, delete_branch=True)
    assert place.git("branch", "--list", "agentos/*") == ""


def test_a_worktree_that_vanished_can_be_removed(place):
    made = place.session()
    subprocess.run(["rm", "-rf", made.folder], check=True)
    worktrees.remove(made, delete_branch=True)
    assert worktrees.list_worktrees(place.checkout()) == ()


def test_an_administration_that_names_another_folder_is_left_alone(place):
    one, two = place.session("one"), place.session("two")
    Path(one.admin_dir, "gitdir").write_text(f"{two.folder}/.git\n")
    with pytest.raises(UserError, match="names another folder"):
        worktrees.remove(one, delete_branch=True)
    assert Path(one.folder).exists()
    assert Path(two.folder).exists()


def test_two_worktrees_of_one_name_can_both_be_in_the_trash(place):
    for _ in range(2):
        worktrees.remove(place.session("again"), delete_branch=True)
    assert len(list((place.state / trash.NAME).iterdir())) == 2
    assert trash.empty(str(place.state)) == 0


def test_emptying_the_trash_follows_no_link_and_opens_closed_folders(place):
    outside = place.root.parent / "outside"
    write(outside, "keep.txt", "precious")
    made = place.session()
    folder = Path(made.folder)
    (folder / "escape").symlink_to(outside)
    subprocess.run(["rm", "-rf", str(folder / "src")], check=True)
    (folder / "src").symlink_to(outside)
    write(folder, "closed/inner/file.txt", "x")
    (folder / "closed" / "inner").chmod(0o000)
    (folder / "closed").chmod(0o500)
    worktrees.remove(made, delete_branch=True)
    assert trash.empty(str(place.state)) == 0
    assert (outside / "keep.txt").read_text() == "precious"
    assert everything(place.state) == []


def test_a_worktree_replaced_by_a_link_is_removed_and_its_target_kept(place):
    outside = place.root.parent / "outside"
    write(outside, "keep.txt", "precious")
    made = place.session()
    subprocess.run(["rm", "-rf", made.folder], check=True)
    Path(made.folder).symlink_to(outside)
    worktrees.remove(made, delete_branch=True)
    assert trash.empty(str(place.state)) == 0
    assert (outside / "keep.txt").read_text() == "precious"
    assert not os.path.lexists(made.folder)


def test_a_very_deep_folder_is_deleted(tmp_path):
    top = tmp_path / trash.NAME
    top.mkdir()
    descriptor = os.open(top, os.O_RDONLY)
    for _ in range(700):
        os.mkdir("nest", dir_fd=descriptor)
        deeper = os.open("nest", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = deeper
    os.close(descriptor)
    assert trash.empty(str(tmp_path)) == 0
    assert list(tmp_path.iterdir()) == []


def test_emptying_where_nothing_is_does_nothing(tmp_path):
    assert trash.empty(str(tmp_path / "missing")) == 0


@pytest.mark.parametrize("name", ["...", " ", "-dash", ".gitignore", ".github", "git", "a\\b", "été .git.txt"])
def test_a_tree_with_an_unusual_but_harmless_name_is_checked_out(place, name):
    place.write(name, "x\n")
    place.git("add", "-f", "--", f"./{name}")
    place.git("commit", "-qm", "unusual")
    assert (Path(place.session().folder) / name).read_text() == "x\n"
