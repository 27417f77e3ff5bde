"""Ways out of a worktree through its file tools: each is really tried, with each operation and each way of resolving.

After every attempt the world outside is compared as a whole, and no secret may have been told.
"""

import contextlib
import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentos_lsp.domain.errors import EffectError
from agentos_lsp.effects.files import beneath, outcomes, removal, tree

SECRET = b"the secret outside"
WAYS = [beneath.Walking()]
if sys.platform == "linux" and beneath.best().name == "openat2":
    WAYS.append(beneath.Openat2())

# {root} and {outside} are absolute folders beside each other. Every operation on these names must be refused.
NAMES = [
    # climbing
    "..", "../outside/secret", "./../outside/secret", "..//outside//secret", "folder/../../outside/secret",
    "folder/./.././../outside/secret", "{root}/../outside/secret",
    "{root}/folder/../../outside/secret", "folder/..",
    "folder/../file", "a/b/c/../../../../outside/secret", ".././worktree/../outside/secret", "../", "../worktree/file",
    # absolute
    "/", "{outside}/secret", "/{outside}/secret", "//{outside}/secret", "{root}x/secret", "{root}-sibling",
    "{root}/../",
    "/proc/self/root{outside}/secret",
    "/proc/self/cwd/secret", "/proc/self/environ", "/dev/stdin", "/dev/fd/0",
    "/etc/passwd",
    # names that are none
    "", "\0", "file\0", "file\0/../../outside/secret", "../outside/secret\0.txt", "\ud800", "folder/\udfff\ud800",
    "x" * 256, "ü" * 128, "folder/" + "x" * 300 + "/y", "d/" * 2100 + "x",
]  # fmt: skip

# Links planted in the worktree, and the name that goes through them. Every operation must be refused, but for deleting
# and moving the link itself.
LINKS = {
    "folder, absolute": ({"out": "{outside}"}, "out/secret"),
    "folder, relative": ({"out": "../outside"}, "out/secret"),
    "folder, with a slash at its end": ({"out": "{outside}/"}, "out/secret"),
    "folder, with dots": ({"out": "./folder/../../outside/."}, "out/secret"),
    "folder, with double slashes": ({"out": "..//outside//"}, "out//secret"),
    "the folder above": ({"up": ".."}, "up/outside/secret"),
    "two folders above from below": ({"folder/up": "../.."}, "folder/up/outside/secret"),
    "the root of all": ({"all": "/"}, "all{outside}/secret"),
    "through proc's root": ({"all": "/proc/self/root"}, "all{outside}/secret"),
    "through proc's cwd": ({"here": "/proc/self/cwd"}, "here/../outside/secret"),
    "through proc's descriptors": ({"fds": "/proc/self/fd"}, "fds/0"),
    "through a thread's root": ({"all": "/proc/thread-self/root"}, "all{outside}/secret"),
    "through dev": ({"dev": "/dev"}, "dev/null"),
    "a chain of two": ({"one": "two", "two": "{outside}"}, "one/secret"),
    "a chain of three": ({"one": "two", "two": "folder/three", "folder/three": "../../outside"}, "one/secret"),
    "a chain through folders": ({"one": "folder/two", "folder/two": "..", "up": ".."}, "one/up/outside/secret"),
    "inside and out again": ({"in": "folder", "folder/out": "../../outside"}, "in/out/secret"),
    "by its absolute name in the worktree": ({"out": "{outside}"}, "{root}/out/secret"),
    "a new file in a folder outside": ({"out": "../outside"}, "out/new"),
    "new folders outside": ({"out": "../outside"}, "out/new/deep/file"),
    "a loop": ({"one": "two", "two": "one"}, "one/secret"),
    "a loop onto itself": ({"self": "self"}, "self/secret"),
    "a loop that grows": ({"grow": "grow/x"}, "grow/secret"),
    "a chain longer than is followed": (
        {f"l{number}": f"l{number + 1}" for number in range(50)} | {"l50": "."},
        "l0/l0/../file",
    ),
    "an absolute link to the worktree itself": ({"me": "{root}"}, "me/../outside/secret"),
    "a long way round": ({"out": "folder/" + "../folder/" * 20 + "../../outside"}, "out/secret"),
}
FINAL_LINKS = {
    "file, absolute": "{outside}/secret",
    "file, relative": "../outside/secret",
    "file through dots": "folder/.././../outside/./secret",
    "file that is not there yet": "{outside}/planted",
    "file that is not there yet, relative": "../outside/planted",
    "folder that is not there yet": "../planted/",
    "environment of the server": "/proc/self/environ",
    "memory of the server": "/proc/self/mem",
    "own program": "/proc/self/exe",
    "a device": "/dev/zero",
    "the terminal": "/dev/tty",
    "a name too long": "x" * 300,
    "itself": "final",
}
# Names that are git's on some file system: none may be written, deleted, moved or made.
GIT = [
    ".git", "./.git", ".git/", "{root}/.git", ".git/config", ".GIT", ".Git/hooks/pre-commit", ".gIT/config",
    "git~1", "GIT~1/config",
    "git~12", ".git.", ".git ", ".git. . ", ".git/.", ".git::$INDEX_ALLOCATION",
    ".git::$INDEX_ALLOCATION/config", ".git:x",
    ".g\u200cit", ".g\u200dit/config", "\ufeff.git/config", ".git\u200e", ".g\u206fit/hooks/post-checkout",
    ".\u202egit",
    "folder/.git", "folder/.git/config", "folder/.GIT/hooks/post-checkout", "folder/git~1", "folder/.git./config",
    "new/.git/config", "new/deep/.gIt", "folder/.g\u200bit\u200c/../x",
]  # fmt: skip
# Names that are paths, or commands to a terminal, on some machine.
STRANGE = [
    ".git\\config", "folder\\..\\..\\outside\\secret", "..\\outside\\secret", "C:\\x", "\\\\server\\share",
    "a\nb", "a\rb", "a\tb",
    "\x1b[2Jx", "a\x7fb", "folder/\x07", "\x01",
]  # fmt: skip


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def opener(request):
    return request.param


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "worktree"
    (folder / "folder").mkdir(parents=True)
    (folder / "file").write_text("inside")
    (folder / ".git").write_text("gitdir: /elsewhere\n")
    return folder


@pytest.fixture
def outside(tmp_path):
    folder = tmp_path / "outside"
    (folder / "deep").mkdir(parents=True)
    (folder / "secret").write_bytes(SECRET)
    (folder / "deep" / "file").write_bytes(SECRET)
    (tmp_path / "worktreex").mkdir()
    (tmp_path / "worktreex" / "secret").write_bytes(SECRET)
    (tmp_path / "worktree-sibling").write_bytes(SECRET)
    return folder


@pytest.fixture
def worktree(root, outside, opener, monkeypatch):
    monkeypatch.chdir(outside)
    with tree.ConfinedTree(str(root), opener) as confined:
        before = world(root)
        yield confined
        assert world(root) == before


def world(root):
    """Everything beside the worktree, and the worktree's own `.git`: name, kind, mode, content."""
    found = {}
    places = [root / ".git"]
    for beside in sorted(root.parent.iterdir()):
        if beside != root:
            places += [beside, *sorted(beside.rglob("*"))] if beside.is_dir() else [beside]
    for place in places:
        status = place.lstat()
        content = place.read_bytes() if stat.S_ISREG(status.st_mode) else None
        found[str(place)] = (status.st_mode, status.st_nlink, status.st_mtime_ns, content)
    return found


def changes(worktree, name):
    """Tries to change the world through a name, in every way there is."""
    return {
        "write": worktree.write(name, b"hacked"),
        "write in place": worktree.write(name, b"hacked", create_parents=False),
        "edit": worktree.edit(name, "secret", "hacked"),
        "delete": worktree.delete(name),
        "delete all": worktree.delete(name, recursive=True),
        "move away": worktree.move(name, "stolen"),
        "move here": worktree.move("file", name),
        "move a folder here": worktree.move("folder", name),
    }


def looks(worktree, name):
    """Tries to learn something through a name."""
    return {
        "read": worktree.read(name, limit_bytes=1000),
        "list": worktree.list(name),
        "list its folder": worktree.list(f"{name}/.."),
        "look": worktree.stat(name),
    }


def check_all_refused(tried):
    assert {how: result for how, result in tried.items() if not isinstance(result, outcomes.Refused)} == {}
    assert all(result.message for result in tried.values())


def filled(name, root, outside):
    return name.replace("{root}", str(root)).replace("{outside}", str(outside))


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:60])
def test_a_name_that_leads_out_is_refused(worktree, root, outside, name):
    path = filled(name, root, outside)

    check_all_refused(looks(worktree, path) | changes(worktree, path))


@pytest.mark.parametrize("case", list(LINKS))
def test_a_link_on_the_way_leads_nowhere(worktree, root, outside, case):
    links, name = LINKS[case]
    for link, target in links.items():
        (root / link).symlink_to(filled(target, root, outside))
    path = filled(name, root, outside)

    check_all_refused(looks(worktree, path) | changes(worktree, path))


@pytest.mark.parametrize("case", list(FINAL_LINKS))
def test_a_link_at_the_end_is_neither_read_nor_written_through(worktree, root, outside, case):
    target = filled(FINAL_LINKS[case], root, outside)
    (root / "final").symlink_to(target)

    tried = {
        "read": worktree.read("final", limit_bytes=1000),
        "list": worktree.list("final"),
        "write": worktree.write("final", b"hacked"),
        "edit": worktree.edit("final", "secret", "hacked"),
        "move onto": worktree.move("file", "final"),
        "write below": worktree.write("final/x", b"hacked"),
    }

    check_all_refused(tried)
    assert worktree.move("final", "moved") == outcomes.Moved("final", "moved")
    assert (root / "moved").readlink() == Path(target)
    assert worktree.delete("moved", recursive=True) == outcomes.Deleted("moved", 1, None)


@pytest.mark.parametrize("name", GIT, ids=ascii)
def test_a_name_of_git_is_not_written(worktree, root, outside, name):
    check_all_refused(changes(worktree, filled(name, root, outside)))
    assert sorted(path.name for path in root.rglob("*")) == [".git", "file", "folder"]


@pytest.mark.parametrize("name", STRANGE, ids=ascii)
def test_a_name_that_means_something_else_elsewhere_is_not_made(worktree, root, name):
    tried = changes(worktree, name)

    check_all_refused(tried)
    assert {result.reason for result in tried.values()} <= {"name", "git"}
    assert sorted(path.name for path in root.rglob("*")) == [".git", "file", "folder"]


def test_a_pipe_a_socket_and_a_device_are_not_opened(worktree, root, monkeypatch):
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as listening, contextlib.suppress(PermissionError):
        listening.bind("socket")
        os.mknod("device", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    for name in {"pipe", "socket", "device"} & {path.name for path in root.iterdir()}:
        check_all_refused(
            {
                "read": worktree.read(name, limit_bytes=10),
                "write": worktree.write(name, b"hacked"),
                "edit": worktree.edit(name, "a", "b"),
                "below": worktree.write(f"{name}/x", b"hacked"),
            }
        )


@pytest.mark.parametrize(
    "name", ["proc/version", "proc/self/environ", "dev/null", "proc/self/root/etc/passwd", "dev/fd/0"]
)
def test_another_file_system_mounted_inside_is_not_entered(opener, name):
    with tree.ConfinedTree("/", opener) as everything:
        check_all_refused(
            {
                "read": everything.read(name, limit_bytes=10),
                "write": everything.write(name, b""),
                "list": everything.list(name),
            }
        )


def test_a_hard_link_to_a_file_outside_is_parted_from_it(root, outside, opener):
    (root / "shared").hardlink_to(outside / "secret")
    (root / "edited").hardlink_to(outside / "deep" / "file")

    with tree.ConfinedTree(str(root), opener) as worktree:
        assert isinstance(worktree.write("shared", b"hacked"), outcomes.Written)
        assert isinstance(worktree.edit("edited", "secret", "hacked"), outcomes.Edited)

    assert ((outside / "secret").read_bytes(), (outside / "deep" / "file").read_bytes()) == (SECRET, SECRET)
    assert ((root / "shared").read_bytes(), (root / "edited").read_bytes()) == (b"hacked", b"the hacked outside")


def test_a_planted_link_under_our_temporary_name_is_not_written_through(worktree, root, outside):
    number = next(tree._counter)
    for ahead in range(1, 40):
        (root / removal.leftover_name(number + ahead)).symlink_to(outside / "secret")

    assert isinstance(worktree.write("file", b"new"), outcomes.Written)

    assert (root / "file").read_bytes() == b"new"
    assert not (root / "file").is_symlink()


def test_a_folder_with_links_out_is_deleted_without_following_them(worktree, root, outside):
    deep = root / "folder" / "deep"
    deep.mkdir()
    for number, target in enumerate([outside, outside / "deep", outside / "secret", "../../../outside", "..", "/"]):
        (deep / f"link{number}").symlink_to(target)

    assert worktree.delete("folder", recursive=True) == outcomes.Deleted("folder", 8, None)


def test_a_moved_link_still_leads_nowhere(worktree, root, outside):
    """Moving a link changes what it means: one that stays inside may climb out from its new place."""
    (root / "folder" / "sub").mkdir()
    (root / "folder" / "sub" / "up").symlink_to("../..")
    assert isinstance(worktree.list("folder/sub/up"), outcomes.Listing)

    assert worktree.move("folder/sub/up", "up") == outcomes.Moved("folder/sub/up", "up")

    check_all_refused(looks(worktree, "up/outside/secret") | changes(worktree, "up/outside/secret"))


FLIP = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
one, two = (os.fsencode(name) for name in sys.argv[1:])
print("flipping", flush=True)
while True:
    libc.renameat2(-100, one, -100, two, 2)
"""


@contextlib.contextmanager
def flipping(one, two):
    """Swaps two names as fast as a process can, in one step each (RENAME_EXCHANGE), so that both are always there."""
    attacker = subprocess.Popen([sys.executable, "-I", "-S", "-c", FLIP, str(one), str(two)], stdout=subprocess.PIPE)
    try:
        assert attacker.stdout.readline() == b"flipping\n"
        yield
    finally:
        attacker.kill()
        attacker.communicate()


def attack(attempt, times=2000, seconds=10):
    """Repeats until both outcomes of the race were seen often enough, and counts them."""
    done = refused = 0
    deadline = time.monotonic() + seconds
    while done + refused < times or (min(done, refused) == 0 and time.monotonic() < deadline):
        result = attempt()
        if isinstance(result, outcomes.Refused):
            refused += 1
        else:
            done += 1
    assert done
    assert refused
    return done, refused


needs_exchange = pytest.mark.skipif(sys.platform != "linux", reason="two names are swapped in one step on Linux only")


@needs_exchange
def test_a_folder_swapped_for_a_link_is_not_written_through(worktree, root, outside):
    (root / "link").symlink_to(outside)
    with flipping(root / "folder", root / "link"):
        attack(lambda: worktree.write("folder/secret", b"hacked"))
        attack(lambda: worktree.write("folder/new/deep", b"hacked"), times=500)


@needs_exchange
def test_a_folder_swapped_for_a_link_is_not_read_through(worktree, root, outside):
    (root / "folder" / "secret").write_text("inside")
    (root / "link").symlink_to(outside)

    def read():
        result = worktree.read("folder/secret", limit_bytes=100)
        assert isinstance(result, outcomes.Refused) or result.data == b"inside"
        return result

    with flipping(root / "folder", root / "link"):
        attack(read)


@needs_exchange
def test_a_folder_deep_in_the_way_swapped_for_a_link_is_not_read_through(worktree, root, outside):
    (root / "a" / "deep").mkdir(parents=True)
    (root / "a" / "deep" / "file").write_text("inside")
    (root / "link").symlink_to("../outside")

    def read():
        result = worktree.read("a/deep/file", limit_bytes=100)
        assert isinstance(result, outcomes.Refused) or result.data == b"inside"
        return result

    with flipping(root / "a", root / "link"):
        attack(read)


@needs_exchange
def test_a_link_that_begins_to_climb_while_it_is_followed_does_not_lead_out(worktree, root, outside):
    """A link that stays inside is followed through a folder that becomes another, one level higher."""
    (root / "x" / "y" / "z").mkdir(parents=True)
    (root / "outside").mkdir()
    (root / "outside" / "secret").write_text("inside")
    (root / "x" / "y" / "z" / "up").symlink_to("../../../outside/secret")
    (root / "flat").symlink_to("x/y")

    def read():
        result = worktree.read("x/y/z/up", limit_bytes=100)
        assert isinstance(result, outcomes.Refused) or result.data == b"inside"
        return result

    with flipping(root / "x", root / "x2"):
        assert isinstance(read(), outcomes.FileContent)
    (root / "x2").mkdir()
    with flipping(root / "x", root / "x2"):
        attack(read)


@needs_exchange
def test_a_file_swapped_for_a_link_is_not_written_through(worktree, root, outside):
    (root / "link").symlink_to(outside / "secret")
    with flipping(root / "file", root / "link"):
        deadline = time.monotonic() + 10
        for _ in range(2000):
            worktree.write("file", b"hacked")
            worktree.edit("file", "hacked", "hacked more")
            if not (root / "link").is_symlink() and not (root / "file").is_symlink():
                # Our rename took the link's place: the file is a file again, and the attacker gets a new link.
                (root / "again").symlink_to(outside / "secret")
                (root / "again").rename(root / "link")
            if time.monotonic() > deadline:
                break


@needs_exchange
def test_a_file_swapped_for_a_link_is_not_read_through(worktree, root, outside):
    (root / "link").symlink_to("../outside/secret")

    def read():
        result = worktree.read("file", limit_bytes=100)
        assert isinstance(result, outcomes.Refused) or result.data == b"inside"
        return result

    with flipping(root / "file", root / "link"):
        attack(read)


@needs_exchange
def test_a_folder_swapped_for_a_link_while_it_is_deleted_saves_what_is_outside(worktree, root, outside):
    with flipping(root / "victim", root / "link"):
        for _ in range(100):
            # Made under another name and put in place in one step: the test itself must not write through the link.
            if not os.path.lexists(root / "victim"):
                (root / "prepared" / "deep").mkdir(parents=True)
                (root / "prepared" / "deep" / "file").touch()
                (root / "prepared").rename(root / "victim")
            if not os.path.lexists(root / "link"):
                (root / "link").symlink_to(outside)
            worktree.delete("victim/deep", recursive=True)
            worktree.delete("victim/secret")
            worktree.delete("victim", recursive=True)


@needs_exchange
def test_a_folder_below_swapped_for_a_link_while_its_parent_is_deleted_saves_what_is_outside(worktree, root, outside):
    for _ in range(15):
        (root / "folder" / "a" / "b").mkdir(parents=True, exist_ok=True)
        for number in range(20):
            (root / "folder" / "a" / "b" / f"file{number}").touch()
        (root / "folder" / "link").symlink_to(outside)
        with flipping(root / "folder" / "a", root / "folder" / "link"), contextlib.suppress(EffectError):
            worktree.delete("folder", recursive=True)
        worktree.delete("folder", recursive=True)
        (root / "folder").mkdir(exist_ok=True)


@needs_exchange
def test_a_folder_swapped_for_a_link_is_not_moved_through(worktree, root, outside):
    (root / "link").symlink_to(outside)

    def there_and_back():
        result = worktree.move("file", "folder/file")
        if isinstance(result, outcomes.Moved):
            while isinstance(worktree.move("folder/file", "file"), outcomes.Refused):
                pass
        assert isinstance(worktree.move("folder/secret", "stolen"), outcomes.Refused)
        return result

    with flipping(root / "folder", root / "link"):
        attack(there_and_back, times=1000)
