"""What an editor sees of a session whose agent asks a language model."""

import asyncio
import contextlib
import os
import signal

import pytest

from agentos_lsp.cli.editor import Editor
from agentos_lsp.domain import ids
from tests.effects.providers.model_server import MODEL, ModelServer, Raw, Say
from tests.runtime.support import House
from tests.runtime.test_builtin import FINISH, MEND, MENDED, use, uses
from tests.server import runtime_support as rt
from tests.server import support


def settings(folder, server):
    folder.mkdir(parents=True, exist_ok=True)
    text = f'[providers.test]\nkind = "{server.kind}"\nbase_url = "{server.url}"\nmodel = "{MODEL}"\n'
    (folder / "settings.toml").write_text(text)


async def test_a_session_without_a_script_asks_the_model_and_streams_what_it_says(tmp_path):
    ends = Say("All is well here.", end="hang")
    options = {**rt.TRUSTED, "events": True, "stream": True, "virtualDocuments": True}
    async with ModelServer("openai", ends, FINISH) as server:
        settings(tmp_path, server)
        async with rt.sitting(tmp_path, options=options) as (_house, screen):
            answer = await screen.command("agentos.session.start", {"task": "Look"})
            name = answer["session"]
            await screen.until(lambda: "".join(one["text"] for one in screen.streamed) == "All is well here.")
            assert {one["session"] for one in screen.streamed} == {name}
            shown = await screen.content(rt.page(name))
            assert shown.endswith("## Says now\n\n> All is well here.\n")
            await screen.command("agentos.session.stop", {"session": name})
            await screen.until(lambda: screen.streamed[-1]["text"] == "")
            assert "## Says now" not in await screen.content(rt.page(name))
            chosen = await screen.command("agentos.session.model", {"session": name, "model": "test/tiny"})
            assert chosen == {"session": name, "model": "test/tiny"}
            await screen.command("agentos.session.prompt", {"session": name, "text": "Again"})
            await screen.until(lambda: [one for one in screen.events if one["type"] == "turn.finished"][1:])


async def test_one_task_is_given_to_several_models_and_the_page_compares_them(tmp_path):
    async with ModelServer("openai", FINISH, FINISH) as server:
        settings(tmp_path, server)
        async with rt.sitting(tmp_path) as (house, screen):
            both = [f"test/{MODEL}", "test/other"]
            answer = await screen.command("agentos.session.start", {"task": "Look", "models": both})
            states = [await house.until(name, lambda now: now.spent.replies) for name in answer["sessions"]]
            assert [one.model for one in states] == both
            page = await screen.content(answer["page"])
            assert page.count("test/other") == page.count(f"test/{MODEL}") == 1
            twice = {"task": "Look", "models": both, "n": 2}
            assert "leave `model` and `n` out" in (await screen.refusal("agentos.session.start", twice)).message


async def test_without_a_model_a_start_says_what_to_do(tmp_path):
    async with rt.sitting(tmp_path) as (_house, screen):
        error = await screen.refusal("agentos.session.start", {"task": "Look"})
    assert error.message == "No language model is configured."
    assert "[providers.local]" in error.data["hint"]


async def test_what_a_provider_lost_and_a_loop_are_diagnostics_and_a_message(tmp_path):
    first = Say("I look.", (use("list"),), prompt_tokens=3000)
    lost = Say("", (use("list"),), prompt_tokens=900)
    async with ModelServer("ollama", first, lost, uses(use("list")), FINISH) as server:
        server.plays[2].prompt_tokens = 900
        settings(tmp_path, server)
        async with rt.sitting(tmp_path) as (house, screen):
            name = (await screen.command("agentos.session.start", {"task": "Look"}))["session"]
            await house.until(name, lambda now: now.turn is None and now.notice == "Done as asked.")

            def warnings():
                shown = [one for one in screen.diagnostics.get(rt.page(name), []) if one["code"] != "approval"]
                return shown if {"loop", "context-lost"} == {one["code"] for one in shown} else None

            found = await screen.until(warnings)
            assert all(one["severity"] == 2 for one in found)
            await screen.until(lambda: [text for text in screen.told if "was dropped" in text])


async def test_a_real_server_killed_in_mid_stream_goes_on_when_it_comes_back(tmp_path):
    house = House(tmp_path)
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config")}

    def editor():
        return Editor(house.root, house.state, tmp_path / "log", environment)

    async with ModelServer("anthropic", MEND[0], Say("I will now ch", end="hang"), *MEND[1:]) as server:
        settings(tmp_path / "config" / "agentos", server)
        name = ""
        with contextlib.suppress(Killed, BaseExceptionGroup):
            async with editor() as first:
                name = (await first.command("agentos.session.start", task="Mend it"))["session"]
                async with asyncio.timeout(30):
                    while len(server.requests) < 2:
                        server.asked.clear()
                        await server.asked.wait()
                os.kill(first._process.pid, signal.SIGKILL)
                raise Killed
        async with asyncio.timeout(30):
            await server.gone.wait()
        async with editor() as second:
            await second.command("agentos.session.resume", session=name)
            seen = ""
            while seen != "turn.finished":
                async with asyncio.timeout(30):
                    seen = (await second.events.get())["type"]
            merged = await second.command("agentos.session.merge", session=name)
            assert merged["merged"] is True
    assert (house.root / "a.txt").read_text() == MENDED
    assert house.verify(ids.SessionId(name)) is None


class Killed(Exception):  # noqa: N818 - it is what was wanted
    """The server was killed."""


async def test_a_diagnosis_is_a_document_diagnostics_on_the_settings_and_an_answer(tmp_path):
    async with ModelServer("ollama") as server:
        settings(tmp_path, server)
        file = tmp_path / "settings.toml"
        file.write_text(file.read_text().replace(f'"{MODEL}"', '"tinny"'))
        async with rt.sitting(tmp_path) as (_house, screen):
            answer = await screen.command("agentos.provider.diagnose", {"latency": False})
            text = await screen.content(answer["document"])
            shown = await screen.until(lambda: screen.diagnostics.get(file.as_uri()))
            await screen.until(lambda: [value for _, value in screen.progress if value["kind"] == "end"])
    (row,) = answer["providers"]
    assert (row["provider"], row["standing"]) == ("test", "wrong")
    assert "Did you mean tiny" in text
    assert [(one["range"]["start"]["line"], one["code"]) for one in shown] == [(3, "provider.model")]


async def test_a_pull_shows_its_bytes_and_can_be_cancelled(tmp_path):
    async with ModelServer("ollama") as server:
        settings(tmp_path, server)
        layer = b'{"status": "pulling", "digest": "sha256:aa", "total": 200, "completed": 50}\n'
        rest = layer.replace(b"50}", b"200}") + b'{"status": "success"}\n'
        server.pulls = [Raw(layer, end="hang"), Raw(rest)]
        async with rt.sitting(tmp_path) as (_house, screen):
            asked = screen.ask("workspace/executeCommand", {"command": "agentos.provider.pull", "arguments": [{}]})
            first = await screen.until(lambda: shown(screen, "pulling (50 of 200 bytes)"))
            assert first[1]["percentage"] == 25
            assert first[1]["cancellable"]
            screen.notify("window/workDoneProgress/cancel", {"token": first[0]})
            # The request that was under way is ended on the wire too, and its answer says that it was cancelled.
            async with asyncio.timeout(support.TIMEOUT_S):
                await server.gone.wait()
            with pytest.raises(support.RemoteError) as caught:
                await screen.answer(asked)
            assert caught.value.code == -32800
            await screen.until(lambda: (first[0], {"kind": "end", "message": "Ended early."}) in screen.progress)

            answer = await screen.command("agentos.provider.pull", {})
            assert answer == {"model": "test/tiny", "bytes": 200}
            again = await screen.until(lambda: shown(screen, "pulling (200 of 200 bytes)"))
            assert again[0] != first[0]
            assert again[1]["percentage"] == 100
    assert server.paths.count("POST /api/pull") == 2


def shown(screen, message):
    """Returns the progress that says something, None if none did yet."""
    return next((one for one in screen.progress if one[1].get("message") == message), None)
