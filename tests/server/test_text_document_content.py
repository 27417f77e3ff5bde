"""Every `agentos://` document, as it is read."""

import pytest

from agentos_lsp.server import text_document_content
from tests.server import runtime_support
from tests.server.runtime_support import OVERVIEW, page


async def test_every_document_of_a_session_is_read(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        assert "No sessions yet" in await screen.content(OVERVIEW)
        session = await screen.start(
            house,
            {"edit": {"path": "dir ü/naïve é.txt", "old": "é", "new": "ê"}},
            "ls 'dir ü'",
            "touch x",
            task="Look: ünïcode",
        )
        await screen.approval(session)
        now = await house.until(session, lambda now: now.status == "waiting")
        assert await screen.content(OVERVIEW) == (
            f"# Sessions\n\n## Needs you\n\n- {session} [waiting] Look: ünïcode\n    waits: `touch x`\n\n"
        )
        text = await screen.content(page(session))
        assert text.startswith(
            f"# {session}\n\nTask: Look: ünïcode\nState: waiting\nBranch: agentos/{session}, from main"
        )
        assert "\n## Waits for you\n\n- [" in text
        assert (
            "\n## Last calls\n\n- run touch x [waiting]\n- run ls 'dir ü' [exit 0]\n- edit dir ü/naïve é.txt [" in text
        )

        diff = await screen.content(f"agentos://{session}/changes.diff")
        assert diff.startswith("diff --git a/dir ü/naïve é.txt b/dir ü/naïve é.txt\n")
        assert diff.endswith("@@ -1 +1 @@\n-é\n+ê\n")
        base = f"agentos://{session}/base/dir%20%C3%BC/na%C3%AFve%20%C3%A9.txt"
        assert await screen.content(base) == "é\n"
        call = next(call for call in now.calls.values() if call.step == "done" and call.request.kind == "run")
        assert await screen.content(f"agentos://{session}/output/{call.call}.txt") == "naïve é.txt\n"

        trace = await screen.content(f"agentos://{session}/trace.md")
        events = await house.events(session)
        assert trace.count("\n- ") == len(events)
        assert trace.startswith("# Trace\n\n## Start\n\n- 1 2026-01-02 03:04:05 **session.started** task=Look: ünïcode")
        assert "\n\n## Turn 1: Look: ünïcode\n\n- " in trace


async def test_a_diff_and_an_output_hide_nothing_and_a_base_is_as_it_was(tmp_path):
    hidden = "a\u202eb\u200b\x1b[8mc\rd\u2028e\ttab\n"
    async with runtime_support.sitting(tmp_path, files={"h.txt": hidden}, policy='[commands]\nallow = [["cat"]]\n') as (
        house,
        screen,
    ):
        session = await screen.start(house, "cat h.txt", {"delete": "h.txt"})
        now = await house.done(session)
        shown = "a\\u{202E}b\\u{200B}\\u{1B}[8mc\\u{D}d\\u{2028}e\ttab\n"
        assert (await screen.content(f"agentos://{session}/changes.diff")).endswith(f"\n-{shown}")
        (call, _) = now.calls.values()
        assert await screen.content(f"agentos://{session}/output/{call.call}.txt") == shown
        assert await screen.content(f"agentos://{session}/base/h.txt") == hidden.replace("\r", "\r")


async def test_of_a_long_output_both_ends_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(text_document_content, "SHOWN_OUTPUT_BYTES", 8)
    async with runtime_support.sitting(tmp_path, files={"h.txt": "one\ntwo\nten\n"}) as (house, screen):
        session = await screen.start(house, "cat h.txt")
        (call,) = (await house.done(session)).calls
        shown = "one\n\n[4 bytes are left out here, and kept in the log]\nten\n"
        assert await screen.content(f"agentos://{session}/output/{call}.txt") == shown


async def test_documents_of_an_ended_session_are_still_read(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, "ls")
        now = await house.done(session)
        await screen.command("agentos.session.discard", {"session": session, "confirm": True})
        await house.until(session, lambda now: now.worktree is None)
        (call,) = now.calls
        assert "State: discarded" in await screen.content(page(session))
        assert "The session is discarded" in await screen.content(f"agentos://{session}/changes.diff")
        assert "a.txt" in await screen.content(f"agentos://{session}/output/{call}.txt")
        assert "## After turn 1" in await screen.content(f"agentos://{session}/trace.md")
        assert f"## Ended\n\n- {session} [discarded]" in await screen.content(OVERVIEW)


@pytest.mark.parametrize(
    "rest",
    [
        "base/no-such.txt", "base/../../a.txt", "base//etc/passwd", "base/%2e%2e/a.txt", "base/dir%20%C3%BC",
        "base/%00", "base/%FF", "output/9999.txt", "output/../session.md.txt", "output/" + "x" * 100_000 + ".txt",
        "base/" + "x" * 100_000,
    ],
)  # fmt: skip
async def test_what_a_session_does_not_have_is_an_answer_in_words(tmp_path, rest):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        session = await screen.start(house, "ls")
        await house.done(session)
        error = await screen.fails("workspace/textDocumentContent", {"uri": f"agentos://{session}/{rest}"})
        assert (error.code, error.data["kind"]) == (-32803, "user"), error
        assert str(tmp_path) not in f"{error.message}{error.data}"
        assert len(error.message) < 600
