"""What an agent leaves in its own git directory: read in bounds, believed in nothing, and run by nobody.

Here the directory is written to directly, as any program in a cage may; `tests/runtime/test_agents_git.py` does the
same from inside of real cages.
"""

import hashlib
import os
import struct
import subprocess
import zlib

import pytest

from agentos_lsp.domain.errors import EffectError
from agentos_lsp.domain.ids import CommitId
from agentos_lsp.effects.git import foreign_packs, intake, private, repository
from tests.effects.git.conftest import Place
from tests.effects.git.conftest import place as place  # noqa: PLC0414 - a fixture

KINDS = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}


class Agent:
    """A session's private git directory, and the ways to misuse it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.worktree = place.session("fix-1")
        self.place_of = private.Private(str(place.state / "git" / "fix-1"))
        private.make(self.place_of, self.worktree, place.checkout(), repository.Identity("Agent", "a@example.invalid"))
        self.git_dir = place.state / "git" / "fix-1" / "git"
        self.head = place.git("rev-parse", "HEAD")

    def git(self, *words: str, stdin: bytes = b"") -> str:
        """The agent's own git, which here is honest."""
        done = subprocess.run(
            ["git", f"--git-dir={self.git_dir}", f"--work-tree={self.worktree.folder}", *words],
            input=stdin,
            check=True,
            capture_output=True,
        )
        return done.stdout.decode().strip()

    def commit(self, **files: str) -> str:
        for name, text in files.items():
            (self.place.state / "fix-1" / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-qm", "agent's")
        return self.git("rev-parse", "HEAD")

    def put(self, kind: str, data: bytes, name: str = "") -> str:
        """Writes a loose object of any bytes, under any name."""
        whole = f"{kind} {len(data)}\0".encode() + data
        oid = name or hashlib.sha1(whole).hexdigest()
        file = self.git_dir / "objects" / oid[:2] / oid[2:]
        file.parent.mkdir(exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_bytes(zlib.compress(whole))
        return oid

    def commit_of(self, tree: str, parent: str = "") -> str:
        who = "A <a@example.invalid> 1 +0000"
        text = f"tree {tree}\nparent {parent or self.head}\nauthor {who}\ncommitter {who}\n\nx\n"
        return self.put("commit", text.encode())

    def tree_of(self, *rows: tuple[str, str, str]) -> str:
        data = b"".join(f"{mode} {name}\0".encode() + bytes.fromhex(oid) for mode, name, oid in rows)
        return self.put("tree", data)

    def pack(self, *entries: tuple[str, int, bytes, int]) -> None:
        """Writes a pack: names, types, what stands between header and data with the size, the data."""
        body, offsets = b"PACK" + struct.pack(">II", 2, len(entries)), {}
        for oid, number, data, back in entries:
            offsets[oid] = len(body)
            size, first = len(data), True
            header = bytearray()
            while first or size:
                bits = size & (15 if first else 127)
                size >>= 4 if first else 7
                header.append((number << 4 if first else 0) | bits | (0x80 if size else 0))
                first = False
            body += bytes(header)
            if number == 6:
                assert 0 < back < 128
                body += bytes([back])
            body += zlib.compress(data)
        body += hashlib.sha1(body).digest()
        self.write_pack(body, offsets)

    def write_pack(self, body: bytes, offsets: dict[str, int]) -> None:
        names = sorted(offsets)
        fan = [sum(int(name[:2], 16) <= first for name in names) for first in range(256)]
        index = b"\xfftOc" + struct.pack(">I256I", 2, *fan) + b"".join(bytes.fromhex(name) for name in names)
        index += bytes(4 * len(names)) + b"".join(struct.pack(">I", offsets[name]) for name in names)
        index += body[-20:]
        index += hashlib.sha1(index).digest()
        at = self.git_dir / "objects" / "pack"
        (at / "pack-x.pack").write_bytes(body)
        (at / "pack-x.idx").write_bytes(index)

    def fetch(self, tip: str) -> intake.Incoming:
        return intake.fetch(self.place_of.folder, str(self.git_dir), self.worktree.common_dir, tip)

    def refused(self, tip: str) -> str:
        """Fetches what must not be taken; nothing of it may be in the repository or left over. Returns why."""
        before = set(self.objects())
        with pytest.raises(foreign_packs.UnfitError) as refusal:
            self.fetch(tip)
        assert set(self.objects()) == before
        assert list((self.place.state / "git" / "fix-1").glob("incoming-*")) == []
        return refusal.value.reason

    def objects(self) -> list[str]:
        rows = self.place.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
        return rows.split("\n")


@pytest.fixture
def agent(place):
    return Agent(place)


def test_what_an_honest_git_wrote_is_taken_in_as_it_is_loose_or_packed(agent):
    agent.commit(**{"new.txt": "x\n" * 5000, "a.txt": "one\n"})
    agent.commit(**{"new.txt": "x\n" * 5000 + "y\n"})
    agent.git("gc", "-q", "--aggressive", "--prune=now")
    tip = agent.commit(**{"b.txt": "loose\n"})
    assert list((agent.git_dir / "objects" / "pack").glob("*.pack"))

    incoming = agent.fetch(tip)

    assert tip not in agent.objects()
    intake.take_in(incoming, agent.worktree.common_dir)
    intake.drop(incoming)
    assert agent.place.git("show", f"{tip}:new.txt") == ("x\n" * 5000 + "y")
    assert agent.place.git("fsck", "--strict", tip) == ""
    assert agent.place.git("status", "--porcelain") == ""
    assert agent.place.git("rev-parse", "agentos/fix-1") == agent.head


def test_each_object_is_written_after_what_it_rests_on(agent):
    first = agent.commit(**{"new.txt": "x\n"})
    (agent.place.state / "fix-1" / "deep").mkdir()
    tip = agent.commit(**{"deep/b.txt": "x\n", "c.txt": "x\n"})

    order = [one.hex() for one in agent.fetch(tip).objects]

    assert len(order) == len(set(order))
    below = {}
    for one in order:
        kind = agent.git("cat-file", "-t", one)
        rows = agent.git("ls-tree", one).splitlines() if kind == "tree" else []
        below[one] = {row.split()[2] for row in rows}
        if kind == "commit":
            below[one] = {agent.git("rev-parse", f"{one}^{{tree}}"), agent.git("rev-parse", f"{one}^")}
    assert all(order.index(rests) < order.index(one) for one in order for rests in below[one] if rests in below)
    assert order.index(first) < order.index(tip)


# --- objects that lie -----------------------------------------------------------------------------------------------


def test_an_object_that_holds_something_else_than_its_name_says_is_refused(agent):
    tip = agent.commit(**{"new.txt": "good\n"})
    blob = agent.git("rev-parse", f"{tip}:new.txt")
    agent.put("blob", b"evil\n", name=blob)

    assert "something else than its name says" in agent.refused(tip)


def test_a_packed_object_that_holds_something_else_is_refused(agent):
    blob = hashlib.sha1(b"blob 5\0good\n").hexdigest()
    tip = agent.commit_of(agent.tree_of(("100644", "new", blob)))
    agent.pack((blob, KINDS["blob"], b"evil\n", 0))

    assert "something else than its name says" in agent.refused(tip)


def test_a_broken_a_short_and_a_missing_object_are_refused(agent):
    tip = agent.commit(**{"new.txt": "good\n"})
    blob = agent.git("rev-parse", f"{tip}:new.txt")
    file = agent.git_dir / "objects" / blob[:2] / blob[2:]
    whole = file.read_bytes()
    for data in (b"", b"no zlib", whole[:-3], zlib.compress(b"blob 99\0good\n"), zlib.compress(b"good\n")):
        file.unlink()
        file.write_bytes(data)
        assert "broken" in agent.refused(tip)
    file.unlink()
    assert "missing" in agent.refused(tip)


def test_an_object_of_another_kind_than_where_it_is_named_is_refused(agent):
    blob = agent.put("blob", b"tree\n")
    assert "is a blob where a tree is named" in agent.refused(agent.commit_of(blob))
    assert "is a blob where a commit is named" in agent.refused(blob)
    assert "is a commit where a blob is named" in agent.refused(
        agent.commit_of(agent.tree_of(("100644", "x", agent.head)))
    )
    known = agent.place.git("rev-parse", "HEAD:a.txt")
    assert "is a blob where a tree is named" in agent.refused(agent.commit_of(agent.tree_of(("40000", "x", known))))


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([("100644", ".git", "")], "forbidden name"),
        ([("40000", ".GIT ", "")], "forbidden name"),
        ([("100644", "..", "")], "forbidden name"),
        ([("100644", "a/b", "")], "forbidden name"),
        ([("100644", "", "")], "forbidden name"),
        ([("100644", ".git::$INDEX_ALLOCATION", "")], "forbidden name"),
        ([("100644", "..\\x", "")], "forbidden name"),
        ([("120000", ".gitmodules", "")], "forbidden name"),
        ([("100644", "b", ""), ("100644", "a", "")], "out of order"),
        ([("100644", "a", ""), ("100644", "a", "")], "twice"),
        ([("120000", "a", ""), ("40000", "a", "")], "twice"),
        ([("0100644", "a", "")], "broken"),
        ([("100777", "a", "")], "broken"),
        ([("060000", "a", "")], "broken"),
    ],
)
def test_a_tree_that_git_would_not_write_is_refused(agent, rows, why):
    blob = agent.put("blob", b"x\n")
    tree = agent.tree_of(("100644", "x", blob))
    filled = [(mode, name, oid or (tree if mode == "40000" else blob)) for mode, name, oid in rows]

    assert why in agent.refused(agent.commit_of(agent.tree_of(*filled)))


def test_a_tree_that_is_cut_off_and_a_commit_with_a_strange_header_are_refused(agent):
    assert "broken" in agent.refused(agent.commit_of(agent.put("tree", b"100644 a\0short")))
    tree = agent.tree_of(("100644", "x", agent.put("blob", b"x\n")))
    who = b"A <a@example.invalid> 1 +0000\n"
    for header in (
        b"",
        b"tree " + b"0" * 39 + b"\n",
        b"parent " + agent.head.encode() + b"\ntree " + tree.encode() + b"\n",
        b"tree " + tree.encode() + b"\nparent x\nauthor " + who + b"committer " + who,
        b"tree " + tree.encode() + b"\nauthor A\0B\ncommitter " + who,
    ):
        assert "header" in agent.refused(agent.put("commit", header + b"\nx\n"))


# --- ways out of the directory --------------------------------------------------------------------------------------


def secret_repository(agent):
    """Another repository, with an object that only it has."""
    other = Place(agent.place.root.parent / "secret")
    other.root.mkdir()
    other.git("init", "-q")
    other.commit("secret", key="canary-secret\n")
    return other, other.git("rev-parse", "HEAD:key")


def test_planted_alternates_lead_nowhere(agent):
    other, blob = secret_repository(agent)
    with (agent.git_dir / "objects/info/alternates").open("a") as file:
        file.write(f"{other.root}/.git/objects\n")
    tip = agent.commit_of(agent.tree_of(("100644", "key", blob)))
    assert agent.git("cat-file", "blob", blob) == "canary-secret"

    assert "missing" in agent.refused(tip)


@pytest.mark.parametrize("what", ["objects", "fan-out", "file", "pack"])
def test_links_out_of_the_directory_are_not_followed(agent, what):
    other, blob = secret_repository(agent)
    tip = agent.commit_of(agent.tree_of(("100644", "key", blob)))
    objects = other.root / ".git" / "objects"
    if what == "objects":
        for one in (agent.git_dir / "objects").iterdir():
            if len(one.name) == 2 and not (objects / one.name).exists():
                one.rename(objects / one.name)
        (agent.git_dir / "objects").rename(agent.git_dir / "gone")
        (agent.git_dir / "objects").symlink_to(objects)
    elif what == "fan-out":
        folder = agent.git_dir / "objects" / blob[:2]
        if folder.is_dir():  # the commit or its tree may have a name that begins like the blob's
            for one in folder.iterdir():
                one.rename(objects / blob[:2] / one.name)
            folder.rmdir()
        folder.symlink_to(objects / blob[:2])
    elif what == "file":
        (agent.git_dir / "objects" / blob[:2]).mkdir(exist_ok=True)
        (agent.git_dir / "objects" / blob[:2] / blob[2:]).symlink_to(objects / blob[:2] / blob[2:])
    else:
        other.git("gc", "-q", "--prune=now")
        (agent.git_dir / "objects/pack").rmdir()
        (agent.git_dir / "objects/pack").symlink_to(objects / "pack")

    assert "missing" in agent.refused(tip)


def test_a_pipe_and_a_folder_in_the_place_of_an_object_do_not_hold_us_up(agent):
    blob = hashlib.sha1(b"blob 5\0good\n").hexdigest()
    tip = agent.commit_of(agent.tree_of(("100644", "new", blob)))
    folder = agent.git_dir / "objects" / blob[:2]
    folder.mkdir(exist_ok=True)
    os.mkfifo(folder / blob[2:])
    assert "missing" in agent.refused(tip)
    (folder / blob[2:]).unlink()
    (folder / blob[2:]).mkdir()
    assert "missing" in agent.refused(tip)


def test_a_head_a_ref_and_packed_refs_that_are_links_or_nonsense_say_nothing(agent):
    other, _ = secret_repository(agent)
    branch = agent.git_dir / "refs/heads/agentos/fix-1"
    branch.parent.mkdir()
    (agent.git_dir / "packed-refs").unlink()

    def tip():
        return private.look(agent.place_of, agent.worktree).tip

    branch.symlink_to(other.root / ".git/refs/heads/main")
    assert tip() is None
    for text in (
        "",
        "ref: refs/heads/agentos/fix-1",
        "ref: ../../../secret/.git/HEAD",
        "0" * 39,
        "x" * 10_000,
        "ref: ",
    ):
        branch.unlink()
        branch.write_text(text)
        assert tip() is None
    branch.write_text("ref: refs/heads/one\n")
    (agent.git_dir / "refs/heads/one").write_text(f"{agent.head}\n")
    assert tip() == agent.head
    (agent.git_dir / "HEAD").unlink()
    (agent.git_dir / "HEAD").symlink_to(other.root / ".git/HEAD")
    assert private.look(agent.place_of, agent.worktree).branch is None


@pytest.mark.parametrize("what", ["refs", "index", "lock"])
def test_what_we_write_there_goes_through_no_link(agent, what):
    outside = agent.place.root.parent / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept\n")
    tip = CommitId(agent.place.commit("more", **{"a.txt": "changed\n"}))
    if what == "refs":
        (agent.git_dir / "refs/heads").rmdir()
        (agent.git_dir / "refs/heads").symlink_to(outside)
    else:
        name = "index" if what == "index" else "index.lock"
        (agent.git_dir / name).unlink(missing_ok=True)
        (agent.git_dir / name).symlink_to(outside / "kept")

    try:
        with private.held(agent.place_of, agent.worktree, CommitId(agent.head)) as hold:
            hold.follow(CommitId(agent.head), tip)
    except EffectError:
        assert what != "index"

    assert [path.name for path in outside.rglob("*")] == ["kept"]
    assert (outside / "kept").read_text() == "kept\n"
