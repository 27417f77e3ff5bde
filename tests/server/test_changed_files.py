"""The files of a session as rows: the two documents to compare, and the hunks that can be answered one by one."""

from agentos_lsp.server import changed_files
from tests.server import runtime_support
from tests.server.runtime_support import TRUSTED

TEXT = "".join(f"line {number}\n" for number in range(30))
NEW = TEXT.replace("line 2\n", "line two\n").replace("line 12\n", "").replace("line 25\n", "line 25\nand\nmore\n")
FILES = {"text.txt": TEXT}


async def files(screen, session):
    return await screen.command("agentos.session.files", {"session": session})


async def reviewing(house, screen):
    session = await screen.start(house, {"write": {"path": "text.txt", "text": NEW}})
    await house.done(session)
    (file,) = (await files(screen, session))["files"]
    return session, file


async def test_every_changed_file_names_the_two_documents_to_compare(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(
            house,
            {"edit": {"path": "a.txt", "old": "one", "new": "ONE"}},
            {"delete": "dir ü/naïve é.txt"},
            {"write": {"path": "new #1.txt", "text": "x\n"}},
        )
        now = await house.done(session)
        told = await files(screen, session)
        digests = [one.pop("digest") for one in told["files"]]
        assert len(set(digests)) == 3
        (hunk,) = told["files"][0]["hunks"]
        assert len(hunk.pop("digest")) == 16
        ours = {"said": "", "line": 0, "lines": 1, "baseLine": 0, "baseLines": 1}
        edited = {"hunks": [{"title": "@@ line 1, +1 \N{MINUS SIGN}1", **ours}], "hunkCount": 1}
        assert told == {
            "files": [
                {
                    "path": "a.txt",
                    "name": "a.txt",
                    "said": "",
                    "status": "modified",
                    "base": f"agentos://{session}/base/a.txt",
                    "file": f"file://{now.worktree.folder}/a.txt",
                    "additions": 1,
                    "deletions": 1,
                    **edited,
                },
                {
                    "path": "dir ü/naïve é.txt",
                    "name": "dir ü/naïve é.txt",
                    "said": "",
                    "status": "deleted",
                    "base": f"agentos://{session}/base/dir%20%C3%BC/na%C3%AFve%20%C3%A9.txt",
                    "file": None,
                    "additions": 0,
                    "deletions": 1,
                    "hunks": [],
                    "hunkCount": 0,
                },
                {
                    "path": "new #1.txt",
                    "name": "new #1.txt",
                    "said": "",
                    "status": "added",
                    "base": None,
                    "file": f"file://{now.worktree.folder}/new%20%231.txt",
                    "additions": 1,
                    "deletions": 0,
                    "hunks": [],
                    "hunkCount": 0,
                },
            ],
            "total": 3,
        }
        await screen.command("agentos.session.discard", {"session": session, "confirm": True})
        assert await files(screen, session) == {"files": [], "total": 0}
        (row,) = (await screen.command("agentos.session.list"))["sessions"]
        assert row["group"] == "ended"


async def test_hunks_say_where_they_stand_and_their_digests_answer_them(tmp_path):
    async with runtime_support.sitting(tmp_path, options=TRUSTED, files=FILES) as (house, screen):
        session, file = await reviewing(house, screen)
        minus = "\N{MINUS SIGN}"
        told = [tuple(one.values())[2:] for one in file["hunks"]]
        assert told == [
            (f"@@ line 3, +1 {minus}1", 2, 1, 2, 1),
            (f"@@ line 13, +0 {minus}1", 12, 0, 12, 1),
            (f"@@ line 26, +2 {minus}0", 25, 2, 26, 0),
        ]
        about = {"session": session, "path": file["name"]}
        first, *others = file["hunks"]
        taken = await screen.command("agentos.hunk.accept", {**about, "digest": first["digest"]})
        assert taken == {"counted": True, "message": ""}
        assert (house.repository / "text.txt").read_text() == TEXT.replace("line 2\n", "line two\n")
        back = await screen.command("agentos.hunk.reject", {**about, "digest": others[-1]["digest"]})
        assert back["counted"] is True
        (left,) = (await files(screen, session))["files"]
        assert [one["digest"] for one in left["hunks"]] == [one["digest"] for one in file["hunks"][:-1]]
        assert [one["said"] for one in left["hunks"]] == ["accepted", ""]
        late = await screen.command("agentos.file.reject", {**about, "digest": file["digest"]})
        assert late["counted"] is False
        assert (await screen.command("agentos.file.reject", {**about, "digest": left["digest"]}))["counted"] is True
        assert (await files(screen, session))["files"] == []


async def test_rows_are_bounded_and_say_how_many_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(changed_files, "SHOWN_FILES", 2)
    monkeypatch.setattr(changed_files, "SHOWN_HUNKS", 3)
    monkeypatch.setattr(changed_files, "SHOWN_HUNKS_OF_FILE", 2)
    many = {f"{name}.txt": TEXT for name in "abc"}
    async with runtime_support.sitting(tmp_path, options=TRUSTED, files=many) as (house, screen):
        steps = [{"write": {"path": path, "text": NEW}} for path in many]
        session = await screen.start(house, *steps)
        await house.done(session)
        told = await files(screen, session)
        assert [(one["path"], len(one["hunks"]), one["hunkCount"]) for one in told["files"]] == [
            ("a.txt", 2, 3),
            ("b.txt", 1, 3),
        ]
        assert told["total"] == 3
