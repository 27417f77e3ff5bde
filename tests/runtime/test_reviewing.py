"""A person goes through a session's change hunk by hunk; what is theirs is never overwritten."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from agentos_lsp.domain import hunks, ids
from agentos_lsp.runtime import reviewing
from tests.runtime import support

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "".join(f"line {number}\n" for number in range(20))
NEW = TEXT.replace("line 2\n", "line two\n").replace("line 15\n", "line 15\nline 15b\n")


class Buffer:
    """An editor's buffer that takes edits, or does not."""

    def __init__(self, text: str, *, is_saved: bool = True, obeys: bool = True) -> None:
        self.text = text
        self.is_saved = is_saved
        self.obeys = obeys

    async def replace(self, changes: Any) -> bool:
        if self.obeys:
            lines = self.text.splitlines(keepends=True)
            for one in reversed(changes):
                lines[one.start : one.end] = [one.text]
            self.text = "".join(lines)
        return self.obeys


class Review:
    """A session whose turn is over, and a person who looks at what it changed."""

    def __init__(self, desk: support.Desk, name: str) -> None:
        self.desk = desk
        self.name = ids.SessionId(name)
        self.buffers: dict[str, Buffer] = {}

    async def shown(self) -> reviewing.Shown:
        found = await self.desk.runtime.reviews.shown(self.name)
        assert found is not None
        return found

    async def items(self) -> list[hunks.Item]:
        return [item for change in (await self.shown()).changes for item in hunks.items(change)]

    async def file(self, path: str) -> hunks.Item:
        return next(hunks.whole(change) for change in (await self.shown()).changes if change.path == path)

    def answer(self, item: hunks.Item) -> reviewing.Answer:
        return reviewing.Answer(item.path, item.digest, item.hunk is None, "a test")

    def opened(self, path: str) -> Buffer | None:
        return self.buffers.get(os.path.relpath(path, self.desk.house.root))

    async def accept(self, item: hunks.Item) -> reviewing.Outcome:
        return await self.desk.runtime.reviews.accept(self.name, self.answer(item), self.opened)

    async def reject(self, item: hunks.Item) -> reviewing.Outcome:
        return await self.desk.runtime.reviews.reject(self.name, self.answer(item))

    @property
    def own(self) -> Path:
        return self.desk.house.root

    async def worktree(self) -> Path:
        from pathlib import Path

        state = await self.desk.state(self.name)
        assert state.worktree is not None
        return Path(state.worktree.folder)


def write(path: str, text: str) -> dict[str, Any]:
    return {"write": {"path": path, "text": text}, "expect": "ok"}


async def reviewed(desk: support.Desk, *steps: dict[str, Any]) -> Review:
    return Review(desk, await desk.play(list(steps)))


@pytest.fixture
def house(tmp_path: Path) -> support.House:
    made = support.House(tmp_path)
    made.commit("text", {"text.txt": TEXT, "gone.txt": "gone\n", "old name.txt": TEXT.replace("line", "row")})
    return made


async def test_a_hunk_is_written_into_the_persons_file_among_their_own_edits(house: support.House) -> None:
    async with house.open() as desk:
        review = await reviewed(desk, write("text.txt", NEW))
        first, second = await review.items()
        (review.own / "text.txt").write_text("mine\n" + TEXT + "mine too\n")
        assert await review.accept(second) == reviewing.Outcome(counted=True)
        assert (review.own / "text.txt").read_text() == "mine\n" + TEXT.replace(
            "line 15\n", "line 15\nline 15b\n"
        ) + "mine too\n"
        assert await review.accept(first) == reviewing.Outcome(counted=True)
        assert (review.own / "text.txt").read_text() == "mine\n" + NEW + "mine too\n"
        # Neither index nor branch was touched.
        assert house.git("diff", "--cached", "--name-only") == ""
        attempted, accepted = desk.of("review.attempted")[0], desk.of("review.accepted")[0]
        assert (attempted.wanted, attempted.digest, attempted.through) == ("accept", second.digest, "disk")
        assert attempted.before is not None
        assert accepted.digests == (second.digest,)
        assert attempted.sequence < accepted.sequence
        again = await review.accept(first)
        assert (again.counted, again.message) == (False, "Your own text.txt has this already.")
        assert len(desk.of("review.attempted")) == 2
        assert (await desk.state(review.name)).review.accepted == {first.digest, second.digest}


async def test_what_the_person_edited_in_the_same_place_is_never_overwritten(house: support.House) -> None:
    async with house.open() as desk:
        review = await reviewed(desk, write("text.txt", NEW))
        first, second = await review.items()
        mine = TEXT.replace("line 2\n", "my line\n")
        (review.own / "text.txt").write_text(mine)
        refused = await review.accept(first)
        assert not refused.counted
        assert refused.message == "Your own text.txt was edited in the same place (line 3); nothing was changed."
        assert not (await review.accept(await review.file("text.txt"))).counted
        assert (review.own / "text.txt").read_text() == mine
        assert (await review.accept(second)).counted
        (review.own / "text.txt").unlink()
        assert "not in your checkout" in (await review.accept(first)).message


async def test_an_answer_to_something_that_changed_since_counts_for_nothing(house: support.House) -> None:
    async with house.open() as desk:
        review = await reviewed(desk, write("text.txt", NEW))
        first, _ = await review.items()
        whole = await review.file("text.txt")
        folder = await review.worktree()
        (folder / "text.txt").write_text(NEW.replace("line two", "line deux"))
        (await desk.runtime._own(review.name)).workspace.change.touched("text.txt")  # type: ignore[union-attr]
        for item in (first, whole):
            assert await review.accept(item) == reviewing.Outcome(counted=False, message=reviewing.STALE)
            assert await review.reject(item) == reviewing.Outcome(counted=False, message=reviewing.STALE)
        assert (review.own / "text.txt").read_text() == TEXT
        assert desk.of("review.attempted") == []


async def test_an_open_file_is_changed_by_its_editor_unsaved_edits_and_all(house: support.House) -> None:
    async with house.open() as desk:
        review = await reviewed(desk, write("text.txt", NEW))
        first, second = await review.items()
        buffer = review.buffers["text.txt"] = Buffer("mine\n" + TEXT, is_saved=False)
        assert (await review.accept(first)).counted
        assert buffer.text == "mine\n" + TEXT.replace("line 2\n", "line two\n")
        assert (review.own / "text.txt").read_text() == TEXT
        assert desk.of("review.accepted")[0].through == "editor"
        buffer.obeys = False
        refused = await review.accept(second)
        assert refused.message == "Your editor did not change text.txt; look at it and try again."
        assert desk.of("review.refused")[0].reason == refused.message
        assert (await desk.state(review.name)).review.attempts == ()
        buffer.text = "a\fb\n"
        assert "close it" in (await review.accept(second)).message


async def test_whole_files_are_added_deleted_renamed_and_made_executable(house: support.House) -> None:
    async with house.open() as desk:
        review = await reviewed(
            desk,
            write("new/file.txt", "new\n"),
            {"delete": "gone.txt", "expect": "ok"},
            {"move": {"path": "old name.txt", "to": "new name.txt"}, "expect": "ok"},
        )
        (await review.worktree() / "tool.py").chmod(0o755)
        (await review.worktree() / "image.bin").write_bytes(b"\0binary")
        (await desk.runtime._own(review.name)).workspace.change.touched()  # type: ignore[union-attr]
        items = await review.items()
        assert {item.path: item.change.status for item in items} == {
            "gone.txt": "deleted",
            "image.bin": "added",
            "new name.txt": "renamed",
            "new/file.txt": "added",
            "tool.py": "mode",
        }
        for item in items:
            assert await review.accept(item) == reviewing.Outcome(counted=True), item.path
        worktree = await review.worktree()
        names = ("new/file.txt", "new name.txt", "tool.py", "image.bin")
        assert [(review.own / name).read_bytes() for name in names] == [
            (worktree / name).read_bytes() for name in names
        ]
        assert os.access(review.own / "tool.py", os.X_OK)
        assert not (review.own / "gone.txt").exists()
        assert not (review.own / "old name.txt").exists()
        for item in items:
            assert not (await review.accept(item)).counted or item.change.status == "mode"


async def test_a_file_of_the_persons_own_is_not_replaced_by_an_added_one(house: support.House) -> None:
    async with house.open() as desk:
        review = await reviewed(desk, write("new.txt", "new\n"), {"delete": "gone.txt", "expect": "ok"})
        gone, new = await review.items()
        (review.own / "new.txt").write_text("mine\n")
        (review.own / "gone.txt").write_text("mine\n")
        assert (await review.accept(new)).message == "Your checkout has another new.txt; nothing was changed."
        assert "not what the session began from" in (await review.accept(gone)).message
        (review.own / "new.txt").unlink()
        (review.own / "new.txt").symlink_to("/nowhere")
        assert not (await review.accept(new)).counted
        (review.own / "new.txt").unlink()
        buffer = review.buffers["new.txt"] = Buffer("typed\n", is_saved=False)
        assert "text of your own" in (await review.accept(new)).message
        buffer.text = ""
        assert (await review.accept(new)).counted
        assert buffer.text == "new\n"
        review.buffers["gone.txt"] = Buffer("gone\nmore\n", is_saved=False)
        assert "unsaved changes" in (await review.accept(gone)).message
        assert (review.own / "gone.txt").read_text() == "mine\n"


async def test_a_rejected_hunk_is_as_it_was_and_the_agent_hears_of_it_with_the_next_prompt(
    house: support.House,
) -> None:
    async with house.open() as desk:
        review = await reviewed(desk, write("text.txt", NEW))
        first, second = await review.items()
        assert (await review.reject(first)).counted
        folder = await review.worktree()
        assert (folder / "text.txt").read_text() == NEW.replace("line two\n", "line 2\n")
        assert [item.digest for item in await review.items()] == [second.digest]
        assert len(desk.of("turn.started")) == 1
        kept = desk.of("review.attempted")[0].before
        assert (await desk.runtime._own(review.name)).workspace.runner.store.read_blob(kept) == NEW.encode()  # type: ignore[union-attr]
        await desk.runtime.prompt(review.name, "Go on", "a test")
        await desk.event("turn.started", 2)
        told = desk.of("turn.started")[1].prompt
        assert told.startswith("A person rejected this part of your change of text.txt and put it back as it was:\n@@ ")
        assert "-line 2\n+line two\n" in told
        assert told.endswith("\n\nGo on")
        assert (await desk.state(review.name)).review.notes == ()


async def test_what_is_rejected_while_the_agent_works_is_told_at_the_end_of_its_turn(house: support.House) -> None:
    async with house.open() as desk:
        name = await desk.begin([write("text.txt", NEW), {"run": "touch x"}])
        asked = await desk.question(name)
        review = Review(desk, name)
        first, second = await review.items()
        assert (await review.reject(first)).counted
        assert (await review.reject(second)).counted
        assert len(desk.of("turn.started")) == 1
        await desk.answer(name, asked, "rejected")
        await desk.event("turn.started", 2)
        told = desk.of("turn.started")[1].prompt
        assert told.count("A person rejected this part of your change of text.txt") == 2
        await desk.event("turn.finished", 2)
        assert len(desk.of("turn.started")) == 2


async def test_whole_files_are_taken_back(house: support.House) -> None:
    async with house.open() as desk:
        review = await reviewed(
            desk,
            write("new/deep/file.txt", "new\n"),
            write("text.txt", NEW),
            {"delete": "gone.txt", "expect": "ok"},
            {"move": {"path": "old name.txt", "to": "new name.txt"}, "expect": "ok"},
            {"commit": "All of it", "expect": "ok"},
        )
        for path in ("new/deep/file.txt", "text.txt", "gone.txt", "new name.txt"):
            assert (await review.reject(await review.file(path))).counted, path
        assert await review.items() == []
        folder = await review.worktree()
        assert (folder / "text.txt").read_text() == TEXT
        assert not (folder / "new").exists()
        # The commit stays; what takes it back is in the files, for the agent to commit.
        assert len(house.git("status", "--porcelain", cwd=folder).splitlines()) == 5
        # No hunk of the person's own files was touched.
        assert house.git("status", "--porcelain") == ""


async def test_line_endings_of_the_persons_checkout_are_kept(house: support.House) -> None:
    house.git("config", "core.autocrlf", "true")
    for name in ("text.txt", "gone.txt", "old name.txt", "a.txt", "tool.py", ".gitignore"):
        (house.root / name).unlink()
    house.git("checkout", "--", ".")
    crlf = TEXT.replace("\n", "\r\n").encode()
    assert (house.root / "text.txt").read_bytes() == crlf
    async with house.open() as desk:
        review = await reviewed(
            desk,
            {"edit": {"path": "text.txt", "old": "line 2\r\n", "new": "line two\r\n"}, "expect": "ok"},
            write("added.txt", "one\r\ntwo\r\n"),
        )
        added, hunk = await review.items()
        assert (await review.accept(hunk)).counted
        assert (house.root / "text.txt").read_bytes() == crlf.replace(b"line 2\r", b"line two\r")
        assert (await review.accept(added)).counted
        assert (house.root / "added.txt").read_bytes() == b"one\r\ntwo\r\n"
        assert (await review.reject(hunk)).counted
        assert (await review.worktree() / "text.txt").read_bytes() == crlf


async def test_marks_and_comments_are_in_the_log_and_a_comment_starts_a_turn(house: support.House) -> None:
    async with house.open() as desk:
        review = await reviewed(desk, write("text.txt", NEW))
        _, second = await review.items()
        reviews = desk.runtime.reviews
        assert (await reviews.mark(review.name, review.answer(second), looked_at=True)).counted
        whole = await review.file("text.txt")
        folder = await review.worktree()
        assert (await desk.state(review.name)).review.looked_at == {second.digest}
        # The mark is on the content: it is still there after an edit elsewhere in the file.
        (folder / "text.txt").write_text("top\n" * 9 + NEW)
        (await desk.runtime._own(review.name)).workspace.change.touched("text.txt")  # type: ignore[union-attr]
        assert second.digest in {item.digest for item in await review.items()}
        assert not (await reviews.mark(review.name, review.answer(whole), looked_at=True)).counted
        whole = await review.file("text.txt")
        assert (await reviews.mark(review.name, review.answer(whole), looked_at=True)).counted
        top, second = await review.items()
        assert {top.digest, second.digest} < (await desk.state(review.name)).review.looked_at
        assert (await reviews.mark(review.name, review.answer(top), looked_at=False)).counted
        assert top.digest not in (await desk.state(review.name)).review.looked_at

        assert (await reviews.ask(review.name, review.answer(top), "Use digits.")).counted
        await desk.event("turn.started", 2)
        assert desk.of("turn.started")[1].prompt.endswith("+line two\n line 3\n line 4\n line 5\nThey ask: Use digits.")
        with pytest.raises(Exception, match="comment is empty"):
            await reviews.ask(review.name, review.answer(top), " ")


async def test_links_and_files_beyond_the_limit_are_left_to_a_merge(house: support.House) -> None:
    async with house.open() as desk:
        review = await reviewed(desk, write("big.txt", "x\n"))
        (await review.worktree() / "big.txt").write_text("x\n" * (1 << 20))
        (await review.worktree() / "link").symlink_to("a.txt")
        (await desk.runtime._own(review.name)).workspace.change.touched()  # type: ignore[union-attr]
        big, link = await review.items()
        assert (await review.accept(big)).message == (
            "big.txt is too large to be handled by itself. Merge the session to get it."
        )
        assert "Ask the agent to undo it." in (await review.reject(link)).message
        assert (await review.worktree() / "link").is_symlink()


async def test_an_ended_session_is_not_reviewed(house: support.House) -> None:
    async with house.open() as desk:
        review = await reviewed(desk, write("text.txt", NEW))
        first, _ = await review.items()
        await desk.runtime.discard(review.name, "a test")
        assert await desk.runtime.reviews.shown(review.name) is None
        assert (await desk.runtime.reviews.page(review.name)).text == ""
        with pytest.raises(Exception, match="no worktree to review"):
            await review.accept(first)


async def test_a_swapped_folder_leads_neither_reads_nor_writes_outside(house: support.House, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file.txt").write_text("canary\n")
    async with house.open() as desk:
        review = await reviewed(desk, write("folder/file.txt", "new\n"))
        (item,) = await review.items()
        folder = await review.worktree() / "folder"
        (folder / "file.txt").unlink()
        folder.rmdir()
        folder.symlink_to(outside)
        assert not (await review.reject(item)).counted
        (review.own / "folder").symlink_to(outside)
        assert not (await review.accept(item)).counted
        assert (outside / "file.txt").read_text() == "canary\n"


async def test_a_session_that_ends_while_its_files_are_read_is_shown_as_it_was(house: support.House) -> None:
    async with house.open() as desk:
        name = await desk.play([write("text.txt", NEW)])
        one = desk.runtime._sessions[ids.SessionId(name)]
        workspace = one.workspace
        assert workspace is not None
        read = workspace.change.current

        async def current() -> Any:
            found = await read()
            one.workspace = None
            return found

        workspace.change.current = current  # type: ignore[method-assign]
        try:
            shown = await desk.runtime.reviews.shown(ids.SessionId(name))
        finally:
            one.workspace = workspace
        assert shown is not None
        assert [change.path for change in shown.changes] == ["text.txt"]
