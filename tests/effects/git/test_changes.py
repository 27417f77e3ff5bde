"""The session's change: what git would call it, whatever the agent did to its worktree."""

import os
import random
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentos_lsp.domain import diff
from agentos_lsp.domain.errors import EffectError
from agentos_lsp.effects.git import changes, commits, opening, repository, worktrees
from tests.effects.git.conftest import AT, write


def kinds(worktree, base=None):
    return {change.path: change.status for change in changes.changes(worktree, base or worktree.base)}


def test_a_fresh_worktree_has_no_changes(place):
    assert changes.changes(place.session(), place.checkout().head) == ()


def test_every_kind_of_change_is_found(place):
    worktree = place.session()
    folder = Path(worktree.folder)
    write(folder, "a.txt", "one\n2\nthree\n")
    (folder / "src" / "deep" / "c.py").unlink()
    (folder / "tool.sh").chmod(0o644)
    (folder / "src" / "b.py").rename(folder / "src" / "renamed.py")
    write(folder, "new dir/ü.txt", "new\n")
    (folder / "link").unlink()
    write(folder, "link", "a file now\n")
    write(folder, "build/out.o", "ignored\n")
    write(folder, "trace.log", "ignored\n")
    found = changes.changes(worktree, worktree.base)
    assert {change.path: change.status for change in found} == {
        "a.txt": "modified",
        "src/deep/c.py": "deleted",
        "tool.sh": "mode",
        "src/renamed.py": "renamed",
        "new dir/ü.txt": "added",
        "link": "type",
    }
    assert found[0] == diff.FileChange(
        "a.txt",
        "modified",
        0o100644,
        0o100644,
        additions=1,
        deletions=1,
        hunks=(
            diff.Hunk(
                0,
                3,
                0,
                3,
                "",
                (diff.Line(" ", "one"), diff.Line("-", "two"), diff.Line("+", "2"), diff.Line(" ", "three")),
            ),
        ),
    )


def test_the_patch_applies_to_the_persons_checkout(place):
    worktree = place.session()
    folder = Path(worktree.folder)
    write(folder, "a.txt", "one\n2\nthree\n")
    write(folder, "sub/new.txt", "x\n")
    (folder / "tool.sh").unlink()
    text = diff.unified(changes.changes(worktree, worktree.base))
    subprocess.run(["git", "apply", "-"], cwd=place.root, input=text.encode(), check=True)
    assert place.git("status", "--porcelain") == " M a.txt\n D tool.sh\n?? sub/"


def test_commits_of_the_agent_count_too(place):
    worktree = place.session()
    folder = Path(worktree.folder)
    write(folder, "committed.txt", "x\n")
    place.git("add", "-A", cwd=folder)
    place.git("commit", "-qm", "by the agent", cwd=folder)
    write(folder, "a.txt", "edited\n")
    assert kinds(worktree) == {"committed.txt": "added", "a.txt": "modified"}
    assert kinds(worktree, place.git("rev-parse", "agentos/fix-1")) == {"a.txt": "modified"}


def test_another_base_shows_what_differs_from_that_one(place):
    worktree = place.session()
    later = place.commit(**{"a.txt": "later\n", "z.txt": "z\n"})
    write(Path(worktree.folder), "src/b.py", "edited\n")
    assert kinds(worktree, later) == {"a.txt": "modified", "z.txt": "deleted", "src/b.py": "modified"}


def test_a_touched_file_with_the_same_bytes_is_no_change(place):
    worktree = place.session()
    os.utime(Path(worktree.folder, "a.txt"), (1, 1))
    write(Path(worktree.folder), "src/b.py", "def b():\n    return 1\n")
    assert changes.changes(worktree, worktree.base) == ()


def test_an_edit_of_the_same_size_with_the_time_restored_is_found(place):
    worktree = place.session()
    file = Path(worktree.folder, "a.txt")
    before = file.stat()
    file.write_text("ONE\ntwo\nthree\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert kinds(worktree) == {"a.txt": "modified"}


@pytest.mark.parametrize(
    "command",
    [
        "git update-index --assume-unchanged a.txt",
        "git update-index --skip-worktree a.txt",
        "git rm -q --cached a.txt",
        "git switch -q -c elsewhere",
        "git checkout -q --detach",
        "git sparse-checkout set --no-cone '/a.txt' '/src' '/*'",
        "git update-index --split-index",
        'printf rubbish > "$(git rev-parse --git-path index)"',
        'rm "$(git rev-parse --git-path index)"',
        "rm .git",
        "echo 'gitdir: /nowhere' > .git",
        "rm .git && git init -q . && git add -A",
        'echo / > "$(git rev-parse --git-dir)/commondir"',
        'echo /elsewhere/.git > "$(git rev-parse --git-dir)/gitdir"',
        'echo a.txt >> "$(git rev-parse --git-path info/exclude)"',
        "echo '*' > .gitignore",
    ],
)
def test_nothing_that_an_agent_does_to_its_git_hides_an_edit(place, command):
    worktree = place.session()
    write(Path(worktree.folder), "a.txt", "edited\n")
    subprocess.run(["sh", "-c", command], cwd=worktree.folder, check=True, capture_output=True)
    assert kinds(worktree)["a.txt"] == "modified"


def test_without_its_snapshot_contents_are_compared(place):
    worktree = place.session()
    Path(worktree.admin_dir, worktrees.SNAPSHOT).unlink()
    write(Path(worktree.folder), "a.txt", "edited\n")
    write(Path(worktree.folder), "new.txt", "new\n")
    assert kinds(worktree) == {"a.txt": "modified", "new.txt": "added"}
    Path(worktree.admin_dir, worktrees.SNAPSHOT).write_bytes(b"rubbish")
    assert kinds(worktree) == {"a.txt": "modified", "new.txt": "added"}


def test_a_folder_swapped_for_a_link_to_a_secret_is_not_read(place):
    secret = place.root.parent / "secret"
    write(secret, "b.py", "TOKEN\n")
    write(secret, "other.py", "TOKEN\n")
    worktree = place.session()
    folder = Path(worktree.folder)
    shutil.rmtree(folder / "src")
    (folder / "src").symlink_to(secret)
    found = changes.changes(worktree, worktree.base)
    assert {change.path: (change.status, change.new_mode) for change in found} == {
        "src": ("added", 0o120000),
        "src/b.py": ("deleted", None),
        "src/deep/c.py": ("deleted", None),
    }
    assert "TOKEN" not in diff.unified(found)


def test_a_file_swapped_for_a_link_shows_where_it_points_and_not_what_is_there(place):
    write(place.root.parent, "secret.txt", "TOKEN\n")
    worktree = place.session()
    file = Path(worktree.folder, "a.txt")
    file.unlink()
    file.symlink_to(place.root.parent / "secret.txt")
    (change,) = changes.changes(worktree, worktree.base)
    assert change.status == "type"
    assert "TOKEN" not in diff.unified([change])


def test_a_worktree_swapped_for_a_link_is_refused(place):
    worktree = place.session()
    shutil.rmtree(worktree.folder)
    Path(worktree.folder).symlink_to(place.root)
    with pytest.raises(EffectError):
        changes.changes(worktree, worktree.base)


def test_pipes_and_sockets_are_not_opened(place):
    worktree = place.session()
    os.mkfifo(Path(worktree.folder, "pipe"))
    Path(worktree.folder, "a.txt").unlink()
    os.mkfifo(Path(worktree.folder, "a.txt"))
    assert kinds(worktree) == {"a.txt": "deleted"}


def test_a_nested_repository_is_named_and_not_entered(place):
    worktree = place.session()
    inner = Path(worktree.folder, "inner")
    write(inner, "file.txt", "x\n")
    place.git("init", "-q", cwd=inner)
    place.git("add", "-A", cwd=inner)
    place.git("commit", "-qm", "inner", cwd=inner)
    (change,) = changes.changes(worktree, worktree.base)
    assert (change.path, change.status, change.new_mode, change.hunks) == ("inner", "added", 0o160000, ())


def test_a_file_that_became_a_folder_and_the_reverse(place):
    worktree = place.session()
    folder = Path(worktree.folder)
    (folder / "a.txt").unlink()
    write(folder, "a.txt/inside.txt", "completely different\n")
    shutil.rmtree(folder / "src")
    write(folder, "src", "a file\n")
    assert kinds(worktree) == {
        "a.txt": "deleted",
        "a.txt/inside.txt": "added",
        "src": "added",
        "src/b.py": "deleted",
        "src/deep/c.py": "deleted",
    }


def test_line_endings_alone_are_no_change_where_git_normalises_them(place):
    place.commit(**{".gitattributes": "*.txt text=auto\n*.bat text eol=crlf\n", "x.bat": "a\nb\n"})
    worktree = place.session()
    folder = Path(worktree.folder)
    write(folder, "a.txt", b"one\r\ntwo\r\nthree\r\n")
    write(folder, "x.bat", b"a\r\nb\r\nc\r\n")
    write(folder, "src/b.py", b"def b():\r\n    return 1\r\n")
    found = changes.changes(worktree, worktree.base)
    assert [(change.path, change.additions, change.deletions) for change in found] == [
        ("src/b.py", 2, 2),
        ("x.bat", 1, 0),
    ]
    place.git("add", "-A", cwd=folder)
    assert place.git("status", "--porcelain", cwd=folder) == "M  src/b.py\nM  x.bat"


def test_large_and_binary_files_are_summarised(place):
    place.commit(**{"big.txt": "x\n" * changes.LIMIT})
    worktree = place.session()
    folder = Path(worktree.folder)
    os.utime(write(folder, "big.txt", "x\n" * changes.LIMIT), (1, 1))
    write(folder, "bigger.txt", "y\n" * changes.LIMIT)
    write(folder, "image.png", b"\x89PNG\0\0")
    assert changes.changes(worktree, worktree.base) == (
        diff.FileChange("bigger.txt", "added", None, 0o100644, too_large=True),
        diff.FileChange("image.png", "added", None, 0o100644, binary=True, content="4ed147525816e261"),
    )
    write(folder, "big.txt", "y\n" * changes.LIMIT)
    assert changes.changes(worktree, worktree.base)[0] == diff.FileChange(
        "big.txt", "modified", 0o100644, 0o100644, too_large=True
    )


def test_names_that_are_not_utf8_survive(place):
    worktree = place.session()
    write(Path(worktree.folder), "bad\udcff.txt", b"\xfe\n")
    (change,) = changes.changes(worktree, worktree.base)
    assert (change.path, change.hunks[0].lines) == ("bad\udcff.txt", (diff.Line("+", "\udcfe"),))


def test_a_submodule_is_no_change_unless_it_is_removed(place):
    place.git("update-index", "--add", "--cacheinfo", f"160000,{place.git('rev-parse', 'HEAD')},sub")
    place.git("commit", "-qm", "sub")
    worktree = place.session()
    assert kinds(worktree) == {}
    Path(worktree.folder, "sub").rmdir()
    assert set(kinds(worktree)) <= {"sub"}


def test_between_two_commits(place):
    first = place.checkout().head
    place.write("a.txt", "later\n")
    place.git("mv", "src/b.py", "src/moved.py")
    second = place.commit()
    found = changes.between(place.checkout().common_dir, first, second)
    assert [(change.path, change.status, change.old_path) for change in found] == [
        ("a.txt", "modified", None),
        ("src/moved.py", "renamed", "src/b.py"),
    ]
    with pytest.raises(EffectError):
        changes.between(place.checkout().common_dir, first, "0" * 40)


def test_the_base_text_of_a_file(place):
    checkout = place.checkout()
    texts = [
        changes.base_text(checkout.common_dir, checkout.head, path)
        for path in ("a.txt", "dir ü/naïve.txt", "link", "src", "nothing", "a.txt/x")
    ]
    assert texts == [b"one\ntwo\nthree\n", "é\n".encode(), b"a.txt", None, None, None]


def test_random_work_is_seen_as_git_sees_it(place):
    dice = random.Random(7)
    worktree = place.session()
    folder = Path(worktree.folder)
    for _ in range(25):
        for _ in range(6):
            files = sorted(path for path in folder.rglob("*") if path.name != ".git" and not path.is_dir())
            target = dice.choice(files) if files else folder / "a.txt"
            match dice.randrange(7):
                case 0:
                    target.unlink(missing_ok=True)
                case 1 if not target.is_symlink():
                    target.write_text(f"{dice.random()}\n")
                case 2 if not target.is_symlink():
                    target.chmod(dice.choice([0o644, 0o755]))
                case 3:
                    write(folder, f"d{dice.randrange(3)}/n{dice.randrange(9)}.{dice.choice(['txt', 'log'])}", "new\n")
                case 4:
                    (folder / f"moved{dice.randrange(99)}").unlink(missing_ok=True)
                    target.rename(folder / f"moved{dice.randrange(99)}")
                case 5:
                    place_ = folder / f"l{dice.randrange(9)}"
                    place_.unlink(missing_ok=True)
                    place_.symlink_to("a.txt")
                case _:
                    shutil.rmtree(folder / dice.choice(["d0", "src"]), ignore_errors=True)
        rows = place.git("status", "--porcelain", "-uall", "--no-renames", "-z", cwd=folder).split("\0")
        assert changes.changed_paths(worktree, worktree.base) == tuple(sorted(row[3:] for row in rows if row))


def test_sessions_work_side_by_side_in_threads(place):
    made = [place.session(f"s{number}") for number in range(4)]

    def use(worktree):
        for turn in range(5):
            write(Path(worktree.folder), f"{turn}.txt", f"{worktree.branch} {turn}\n")
            staged = commits.stage_tree(worktree, None)
            who = repository.Identity("Test Person", "person@example.invalid")
            commits.commit(worktree, staged, f"turn {turn}", who, {}, AT)
        return len(changes.changes(worktree, worktree.base))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(use, made)) == [5, 5, 5, 5]
    assert place.git("fsck", "--strict", "--no-dangling") == ""


def test_a_repository_is_opened_once_per_thread(place):
    common = place.checkout().common_dir
    first = opening.repository(common)
    assert opening.repository(common) is first
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(opening.repository, common).result() is not first
    for number in range(opening.KEPT_PER_THREAD):
        folder = place.root.parent / f"folder-{number}"
        folder.mkdir()
        opening.repository(common, str(folder))
    assert opening.repository(common) is not first
