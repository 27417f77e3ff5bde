"""Editors that show files only: pages as read-only files, code actions on them, and sessions from a file."""

import concurrent.futures
import json
import stat
from pathlib import Path
from urllib.parse import unquote

import pytest

from agentos_lsp.runtime.mirrors import Mirrors
from agentos_lsp.server import mirror
from tests.server import runtime_support
from tests.server.runtime_support import SHOWS, TRUSTED, page

FILES = {**TRUSTED, "files": True}


def file_of(house, name):
    return house.state_folder / "mirror" / name


async def waiting(screen, uri):
    """Waits for the approval on a mirrored page."""
    return await screen.until(
        lambda: next((one for one in screen.diagnostics.get(uri, []) if one["code"] == "approval"), None)
    )


async def test_an_approval_is_answered_on_a_real_file(tmp_path):
    async with runtime_support.sitting(tmp_path, options=FILES, capabilities={}) as (house, screen):
        session = await screen.command("agentos.session.start", {"task": "T", "script": house.script("touch made.txt")})
        name = Path(unquote(session["page"].removeprefix("file://"))).parent.name
        file = file_of(house, f"{name}/session.md")
        assert session["page"] == file.as_uri()
        asked = await waiting(screen, file.as_uri())
        lines = file.read_text("utf-8").splitlines()
        line = asked["range"]["start"]["line"]
        assert "touch made.txt" in lines[line]
        assert stat.S_IMODE(file.stat().st_mode) == 0o400
        text = {"uri": file.as_uri(), "languageId": "markdown", "version": 1, "text": file.read_text("utf-8")}
        screen.notify("textDocument/didOpen", {"textDocument": text})
        hover = await screen.about("hover", file.as_uri(), position={"line": line, "character": 3})
        assert "touch" in hover["contents"]["value"]
        actions = await screen.actions(file.as_uri(), line)
        assert [one["title"] for one in actions][:2] == ["Approve once", "Approve this line for this session"]
        assert (await screen.choose(actions[0]))["counted"]
        await screen.until(lambda: screen.diagnostics[file.as_uri()] == [])
        await house.done(name)
        assert not any(uri.startswith("agentos:") for uri in screen.diagnostics)
        overview = file_of(house, "sessions.md")
        assert name in overview.read_text("utf-8")


@pytest.mark.parametrize("capabilities", [SHOWS, {}], ids=["shows documents", "shows nothing"])
async def test_a_session_is_started_from_a_comment_in_a_file(tmp_path, capabilities):
    file = "work.py"
    files = {file: "def half():\n    return 1  # TODO: return one half\n"}
    house_options = {**FILES, "agent": "scripted", "script": str(tmp_path / "script.yaml")}
    (tmp_path / "script.yaml").write_text("turns:\n  - steps:\n      - run: touch x\n", "utf-8")
    async with runtime_support.sitting(tmp_path, options=house_options, capabilities=capabilities, files=files) as (
        house,
        screen,
    ):
        uri = (house.repository / file).as_uri()
        text = {"uri": uri, "languageId": "python", "version": 1, "text": files[file]}
        screen.notify("textDocument/didOpen", {"textDocument": text})
        await screen.command("agentos.session.list")
        assert [one["title"] for one in await screen.actions(uri, 0)] == ["Show all agent sessions"]
        start, overview = await screen.actions(uri, 1)
        assert start["title"] == "Let an agent do this: return one half"
        started = await screen.choose(start)
        await waiting(screen, started["page"])
        await screen.choose(overview)
        mirrored = [started["page"], file_of(house, "sessions.md").as_uri()]
        if capabilities:
            assert [one["uri"] for one in screen.documents] == mirrored
        else:
            assert screen.told == [f"Open {unquote(one.removeprefix('file://'))}" for one in mirrored]
        (one,) = house.runtime.states()
        assert one.task == f"return one half\n\n{house.repository / file}, line 2"


async def test_a_selection_and_a_diagnostic_can_be_given_to_an_agent(tmp_path):
    async with runtime_support.sitting(tmp_path, options=FILES) as (house, screen):
        uri = (house.repository / "a.txt").as_uri()
        text = {"uri": uri, "languageId": "text", "version": 1, "text": "one\ntwo\n"}
        screen.notify("textDocument/didOpen", {"textDocument": text})
        await screen.command("agentos.session.list")
        where = {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 3}}
        context = {"diagnostics": [{"range": where, "message": "two is\nwrong"}]}
        actions = await screen.about("codeAction", uri, range=where, context=context)
        assert [one["title"] for one in actions] == [
            "Let an agent do this: Mend this: two is",
            "Let an agent do this: Work on what is selected.",
            "Show all agent sessions",
        ]
        tasks = [one["command"]["arguments"][0]["task"] for one in actions[:2]]
        place = f"{house.repository / 'a.txt'}, line 1"
        assert tasks == [f"Mend this: two is\nwrong\n\n{place}", f"Work on what is selected.\n\n{place}:\n\none\ntwo"]


async def test_an_editor_that_did_not_ask_for_files_sees_none(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, "touch x")
        await screen.approval(session)
        assert page(session) in screen.diagnostics
        assert not (house.state_folder / "mirror").exists()


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/out", "", "a//b", "a\0b", "."])
def test_a_name_that_leads_elsewhere_is_no_file(tmp_path, name):
    files = Mirrors(tmp_path / "mirror")
    assert not files.write(name, "text")
    assert not files.has(name)
    assert [*tmp_path.iterdir()] == []


def test_editors_that_write_one_document_at_once_leave_it_whole(tmp_path):
    files = Mirrors(tmp_path / "mirror")
    texts = [str(number) * 50_000 for number in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(files.write, ["s/session.md"] * 80, texts * 10))
    (file,) = (one for one in (tmp_path / "mirror").rglob("*") if one.is_file())
    assert file.read_text() in texts


def test_a_document_that_cannot_be_written_ends_nothing(tmp_path, caplog):
    (tmp_path / "mirror").write_text("a file where a folder should be")
    assert Mirrors(tmp_path / "mirror").write("s/session.md", "text")
    assert "was not written" in caplog.text


async def test_only_addresses_are_translated_and_both_ways_meet(tmp_path):
    async with runtime_support.opened(tmp_path) as house:
        one = mirror.Mirror(house.runtime)
        for name in ("sessions.md", "s-1/session.md", "s-1/base/a%20b/%C3%A9.txt"):
            said = json.dumps({"uri": f"agentos://{name}", "text": f'see "agentos://{name}"'}).encode()
            told = json.loads(one.outward(said))
            assert told == {"uri": f"{house.runtime.mirrors.uri}{name}", "text": f'see "agentos://{name}"'}
            heard = one.inward({"textDocument": {"uri": told["uri"]}, "position": 1})
            assert heard == {"textDocument": {"uri": f"agentos://{name}"}, "position": 1}
        for params in (
            None,
            [],
            {"textDocument": None},
            {"textDocument": {"uri": 1}},
            {"textDocument": {"uri": "file:///x"}},
        ):
            assert one.inward(params) == params
