"""Folds, the outer ones first."""

from tests.server import runtime_support
from tests.server.runtime_support import page


async def test_files_and_hunks_of_a_diff_and_sections_of_a_page_fold(tmp_path):
    async with runtime_support.sitting(tmp_path, files={"a.txt": "1\n", "b.txt": "2\n"}) as (house, screen):
        session = await screen.start(
            house,
            {"edit": {"path": "a.txt", "old": "1", "new": "I"}},
            {"edit": {"path": "b.txt", "old": "2", "new": "II"}},
        )
        await house.done(session)
        folds = await screen.about("foldingRange", f"agentos://{session}/changes.diff")
        assert folds == [
            {"startLine": start, "endLine": end, "kind": "region"} for start, end in ((0, 5), (3, 5), (6, 11), (9, 11))
        ]
        lines = (await screen.content(page(session))).split("\n")
        folds = await screen.about("foldingRange", page(session))
        assert [lines[fold["startLine"]] for fold in folds] == [f"# {session}", "## Last calls"]
        assert folds[-1]["endLine"] < len(lines) - 1
        call = next(iter((await house.done(session)).calls))
        assert await screen.about("foldingRange", f"agentos://{session}/output/{call}.txt") == []
        assert await screen.about("foldingRange", f"agentos://{session}/base/a.txt") == []
