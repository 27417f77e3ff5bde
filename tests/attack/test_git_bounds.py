"""What an agent leaves in its own git directory is read within bounds, and no bytes of it end more than the reading."""

import hashlib
import os
import struct
import zlib

import pygit2
from hypothesis import given, settings
from hypothesis import strategies as st

from agentos_lsp.domain.ids import CommitId
from agentos_lsp.effects.git import foreign, foreign_packs, intake, private
from tests.attack.test_git_boundary import KINDS
from tests.attack.test_git_boundary import agent as agent  # noqa: PLC0414 - a fixture
from tests.effects.git.conftest import Place
from tests.effects.git.conftest import place as place  # noqa: PLC0414 - a fixture


def test_an_object_that_unpacks_to_more_than_it_may_is_refused(agent, monkeypatch):
    monkeypatch.setattr(foreign, "LARGEST", 1000)
    monkeypatch.setattr(foreign_packs, "LARGEST", 1000)
    loose = agent.put("blob", b"\0" * 2000)
    assert "larger than 1000" in agent.refused(agent.commit_of(agent.tree_of(("100644", "x", loose))))
    data = b"\1" * 2000
    packed = hashlib.sha1(b"blob 2000\0" + data).hexdigest()
    agent.pack((packed, KINDS["blob"], data, 0))
    assert "more than 1000" in agent.refused(agent.commit_of(agent.tree_of(("100644", "x", packed))))


def test_a_size_that_lies_is_refused_before_it_is_unpacked(agent):
    oid = "1" * 40
    body = b"PACK" + struct.pack(">II", 2, 1) + bytes([KINDS["blob"] << 4 | 5]) + zlib.compress(b"\0" * (8 << 20))
    agent.write_pack(body + hashlib.sha1(body).digest(), {oid: 12})

    assert "another size than it says" in agent.refused(agent.commit_of(agent.tree_of(("100644", "x", oid))))


def test_differences_that_multiply_are_refused(agent, monkeypatch):
    monkeypatch.setattr(foreign_packs, "LARGEST", 1 << 16)
    # Each copies its base twice.
    entries, size = [("0" * 39 + "1", KINDS["blob"], b"\0" * 16, 0)], 16
    for number in range(2, 18):
        delta = bytes([*_varint(size), *_varint(2 * size), *([0xF0, *size.to_bytes(3, "little")] * 2)])
        previous = entries[-1]
        packed = len(zlib.compress(previous[2])) + 1 + (number > 2) + (len(previous[2]) > 15)
        entries.append((f"{number:040x}", 6, delta, packed))
        size *= 2
    agent.pack(*entries)

    assert "does not fit" in agent.refused(agent.commit_of(agent.tree_of(("100644", "x", entries[-1][0]))))


def test_a_difference_of_many_small_copies_is_charged_for_each(agent, monkeypatch):
    entries = [("0" * 39 + "1", KINDS["blob"], b"\0" * 16, 0)]
    delta = bytes([*_varint(16), *_varint(8000), *([0x90, 1] * 8000)])
    entries.append(("0" * 39 + "2", 6, delta, 1 + len(zlib.compress(b"\0" * 16)) + 1))
    agent.pack(*entries)
    monkeypatch.setattr(intake, "Budget", lambda: foreign_packs.Budget(1 << 20))

    assert "too much to be read" in agent.refused(agent.commit_of(agent.tree_of(("100644", "x", entries[-1][0]))))


def test_what_takes_too_long_is_refused(agent, monkeypatch):
    tip = agent.commit(**{"a.txt": "changed\n"})
    monkeypatch.setattr(intake, "Budget", lambda: foreign_packs.Budget(seconds=0))

    assert "too much to be read" in agent.refused(tip)


def test_an_index_of_a_pack_that_is_longer_than_it_says_is_refused(agent):
    blob = hashlib.sha1(b"blob 5\0good\n").hexdigest()
    agent.pack((blob, KINDS["blob"], b"good\n", 0))
    with (agent.git_dir / "objects/pack/pack-x.idx").open("ab") as file:
        file.write(bytes(100))

    assert "longer than it says" in agent.refused(agent.commit_of(agent.tree_of(("100644", "x", blob))))


def test_folders_nested_without_end_go_with_the_session(agent):
    deep = "/".join(["d"] * 40)
    at = agent.git_dir
    here = os.open(at, os.O_RDONLY)
    for _ in range(40):
        for name in deep.split("/"):
            os.mkdir(name, dir_fd=here)
            below = os.open(name, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
    os.close(here)

    private.remove(agent.place_of)

    assert not (agent.place.state / "git" / "fix-1").exists()


def test_an_index_that_git_has_not_written_whole_is_not_parsed(agent):
    tip = CommitId(agent.place.commit("more", **{"a.txt": "changed\n"}))
    index = agent.git_dir / "index"
    index.write_bytes(index.read_bytes()[:-1] + b"\1")

    with private.held(agent.place_of, agent.worktree, CommitId(agent.head)) as hold:
        hold.follow(CommitId(agent.head), tip)

    assert agent.git("diff", "--cached", "--name-only", tip) == ""


def test_a_difference_against_itself_ends(agent):
    oid = "2" * 40
    delta = bytes([*_varint(5), *_varint(5), 0x90, 5])
    body = b"PACK" + struct.pack(">II", 2, 1) + bytes([7 << 4 | len(delta)]) + bytes.fromhex(oid) + zlib.compress(delta)
    agent.write_pack(body + hashlib.sha1(body).digest(), {oid: 12})

    assert "rests on nothing, or on too many" in agent.refused(agent.commit_of(agent.tree_of(("100644", "x", oid))))


def _varint(value):
    while True:
        yield value & 127 | (128 if value > 127 else 0)
        value >>= 7
        if not value:
            return


def test_too_many_objects_too_many_packs_and_too_much_work_are_refused(agent, monkeypatch):
    tip = agent.commit(**{f"{number}.txt": f"{number}\n" for number in range(20)})
    monkeypatch.setattr(intake, "MOST_OBJECTS", 10)
    assert "more than 10 objects" in agent.refused(tip)
    monkeypatch.undo()
    monkeypatch.setattr(intake, "MOST_BYTES", 10)
    assert "at once" in agent.refused(tip)
    monkeypatch.undo()
    monkeypatch.setattr(intake, "Budget", lambda: foreign_packs.Budget(100))
    assert "too much to be read at once" in agent.refused(tip)
    monkeypatch.undo()
    for number in range(foreign.MOST_PACKS + 1):
        (agent.git_dir / f"objects/pack/pack-{number}.idx").touch()
    agent.put("blob", b"")
    assert "packs, more than" in agent.refused(agent.commit_of(agent.tree_of(("100644", "x", "3" * 40))))


@settings(max_examples=40)
@given(st.data())
def test_no_bytes_of_a_pack_or_its_index_make_anything_but_the_truth_or_a_refusal(tmp_path_factory, data):
    body, index, known = _honest_pack(tmp_path_factory)
    pack, idx = bytearray(body), bytearray(index)
    for _ in range(data.draw(st.integers(1, 4))):
        target = data.draw(st.sampled_from([pack, idx]))
        if data.draw(st.booleans()):
            target[data.draw(st.integers(0, len(target) - 1))] = data.draw(st.integers(0, 255))
        else:
            del target[data.draw(st.integers(0, len(target) - 1)) :]
            if not target:
                target.append(0)
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "objects/pack").mkdir(parents=True)
    (folder / "objects/pack/pack-1.pack").write_bytes(pack)
    (folder / "objects/pack/pack-1.idx").write_bytes(idx)
    for oid, content in known.items():
        with foreign.Foreign(str(folder), foreign_packs.Budget(64 << 20)) as agents:
            try:
                found = agents.object(bytes.fromhex(oid))
            except foreign_packs.UnfitError:
                continue
        assert found is None or found[1] == content


_PACKS: dict[str, tuple[bytes, bytes, dict[str, bytes]]] = {}


def _honest_pack(tmp_path_factory):
    if not _PACKS:
        root = tmp_path_factory.mktemp("honest") / "repo"
        root.mkdir()
        one = Place(root)
        one.git("init", "-q")
        for number in range(4):
            one.commit(f"{number}", **{"a.txt": "".join(f"{row} {row * number // 7}\n" for row in range(300))})
        one.git("gc", "-q", "--aggressive", "--prune=now")
        opened = pygit2.Repository(str(one.root))
        known = {str(oid): opened.read(oid)[1] for oid in opened.odb}
        (pack,) = (one.root / ".git/objects/pack").glob("*.pack")
        _PACKS["one"] = (pack.read_bytes(), pack.with_suffix(".idx").read_bytes(), known)
        with foreign.Foreign(str(one.root / ".git")) as agents:
            assert {oid: agents.object(bytes.fromhex(oid))[1] for oid in known} == known
    return _PACKS["one"]
