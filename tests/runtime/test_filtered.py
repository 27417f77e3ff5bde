"""Sessions on a repository whose files pass through a filter: they work, but for those files, and say so by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentos_lsp.domain import ids
from tests.effects.git.test_held import DRIVER
from tests.runtime import support
from tests.runtime.test_checkpoints import restore
from tests.runtime.test_reviewing import Review

ALLOW = '[commands]\nallow = [["git", "add"], ["git", "commit"], ["python3", "spoil.py"]]\n'
SPOIL = "import pathlib\npathlib.Path('big.up').write_text('SPOILT\\n')\npathlib.Path('new.up').write_text('NEW\\n')\n"
WORDS = "passes through the filter upper, so a session cannot commit it"


class Filtered(support.House):
    """A house whose repository has a filter that is required; each of its runs leaves a line in a file."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        driver = folder / "driver"
        driver.write_text(DRIVER)
        driver.chmod(0o755)
        for part in ("clean", "smudge"):
            self.git("config", f"filter.upper.{part}", f"'{driver}' {part}")
        self.git("config", "filter.upper.required", "true")
        self.commit("filtered", {".gitattributes": "*.up filter=upper\n", "big.up": "ABC\n", "spoil.py": SPOIL})
        self.user_policy.write_text(ALLOW)
        self.forget()

    def forget(self) -> None:
        (self.folder / "ran").unlink(missing_ok=True)

    @property
    def ran(self) -> list[str]:
        path = self.folder / "ran"
        return path.read_text().split() if path.exists() else []


@pytest.fixture
def filtered(tmp_path: Path) -> Filtered:
    return Filtered(tmp_path)


def write(path: str, text: str):
    return {"write": {"path": path, "text": text}, "expect": "ok"}


async def test_other_files_are_committed_and_merged_and_held_ones_are_refused_by_name(filtered):
    async with filtered.open() as desk:
        name = await desk.play(
            [
                write("a.txt", "changed\n"),
                {"run": "python3 spoil.py"},
                {"commit": {"message": "All of it"}},
                {"commit": {"message": "Only mine", "paths": ["a.txt"]}},
            ]
        )
        (refused,) = desk.of("commit.refused")
        assert f"big.up {WORDS}" in refused.message
        assert f"new.up {WORDS}" in refused.message
        assert "a.txt" not in refused.message
        (made,) = desk.of("commit.made")
        assert made.files == ("a.txt",)
        state = await desk.state(name)
        folder = Path(state.worktree.folder)
        assert (folder / "big.up").read_text() == "SPOILT\n"
        changes = {one.path: one.held for one in await desk.runtime.changes(ids.SessionId(name))}
        assert changes["big.up"].startswith("kept by the filter upper: 7 bytes")
        for path in ("big.up", "new.up"):
            (folder / path).unlink()
        assert (await restore(desk, name, 0)).kept == ()
        assert (folder / "big.up").read_text() == "ABC\n"
        assert filtered.ran == []
    support.assert_sound(filtered.log(name))


async def test_a_commit_of_the_agents_own_git_is_set_aside(filtered):
    async with filtered.open() as desk:
        name = await desk.play(
            [{"run": "python3 spoil.py"}, {"run": "git add big.up new.up"}, {"run": "git commit -m Mine"}],
            task="Spoil it",
        )
        (aside,) = desk.of("commits.set_aside")
        assert f"big.up {WORDS}" in aside.message
        assert filtered.git("rev-parse", f"agentos/{name}") == (await desk.state(name)).base_commit
    support.assert_sound(filtered.log(name))


async def test_a_persons_answer_to_a_held_file_is_refused_with_what_to_do(filtered):
    async with filtered.open() as desk:
        name = await desk.play([{"run": "python3 spoil.py"}])
        review = Review(desk, name)
        for path in ("big.up", "new.up"):
            item = await review.file(path)
            accepted, rejected = await review.accept(item), await review.reject(item)
            assert not accepted.counted
            assert "Copy it into your checkout yourself" in accepted.message
            assert not rejected.counted
            assert "Restore a checkpoint" in rejected.message
        assert (filtered.root / "big.up").read_text() == "ABC\n"
        assert not (filtered.root / "new.up").exists()
        assert ((await review.worktree()) / "big.up").read_text() == "SPOILT\n"
        assert filtered.ran == []


async def test_a_start_that_the_filter_stops_is_told_in_words_and_leaves_nothing(filtered):
    filtered.git("config", "filter.upper.smudge", "false")
    (filtered.root / "big.up").write_text("MINE\n")
    async with filtered.open() as desk:
        await desk.begin([write("a.txt", "x\n")])
        failed = await desk.event("failure.recorded")
        assert "the filter upper" in failed.message
    filtered.assert_nothing_left()
