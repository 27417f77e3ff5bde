"""What is found out about configured models: all at once, each check with its result and a remedy."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import UTC, datetime

import pytest

from agentos_lsp.domain import diagnosis as pages
from agentos_lsp.domain.errors import ConfigError, ProviderError, UserError
from agentos_lsp.runtime import diagnosis, models
from tests.effects.providers.model_server import DIGEST, MODEL, ModelServer, Raw, Refuse, Say, error_body


def quiet(_done, _total, _message):
    """Nobody listens."""


@contextlib.asynccontextmanager
async def configured(folder, **profiles):
    file = folder / "settings.toml"
    rows = []
    for name, fields in profiles.items():
        rows += [f"[providers.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in fields.items()), ""]
    file.write_text("\n".join(rows))
    known = models.Models(file, {}, lambda: datetime.now(UTC))
    try:
        yield known
    finally:
        await known.close()


def profile(server, model=MODEL, **more):
    return {"kind": server.kind, "base_url": server.url, "model": model, **more}


def standings(report):
    return {check.subject: check.standing for check in report.checks}


@contextlib.asynccontextmanager
async def hanging(arrived):
    """A server that takes connections and never answers."""

    async def serve(reader, writer):
        arrived.append(1)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def test_a_model_that_is_well_is_measured_and_shown(tmp_path):
    counts = [Say("one two three", prompt_tokens=20), Say("one two"), Say("one")]
    async with ModelServer("ollama", *counts, Say("Well.", prompt_tokens=11_500)) as server:
        server.allocated = 16_384
        told = []
        async with configured(tmp_path, local=profile(server)) as known:
            (report,) = await diagnosis.diagnose(known, diagnosis.Wanted(), lambda *what: told.append(what))
            assert await asyncio.to_thread(known.line_of, "local", "model") == 3
    assert standings(report) == dict.fromkeys(("server", "model", "window", "latency", "dropped text"), "ok")
    words = {check.subject: check.words for check in report.checks}
    assert words["server"] == "Ollama 0.12.1"
    assert words["model"] == f"tiny, 0.0 MiB (1B, Q4_0, {DIGEST[:19]})"
    assert words["window"] == "16384 tokens are asked for, 40960 were trained, 16384 are allocated"
    assert "14 tokens/s, loaded in 2.0 s (median of 3)" in words["latency"]
    assert words["dropped text"] == "11468 words were sent, 11500 tokens read, 16384 are allocated"
    assert told == [(1, 1, "local: ok")]
    assert "- dropped text [ok] 11468 words" in pages.page([report], "settings.toml")
    assert server.requests[-1]["options"]["num_ctx"] == 16_384


async def test_a_server_that_drops_the_front_is_found_out(tmp_path):
    async with ModelServer("ollama", *[Say("ok")] * 3, Say("Hm?", prompt_tokens=4_096)) as server:
        server.allocated = 4_096
        async with configured(tmp_path, local=profile(server)) as known:
            (report,) = await diagnosis.diagnose(known, diagnosis.Wanted(), quiet)
    last = report.checks[-1]
    assert (last.subject, last.standing, last.key) == ("dropped text", "wrong", "context")
    assert "4096 tokens read, 4096 are allocated" in last.words
    assert standings(report)["window"] == "note"


async def test_four_providers_are_looked_at_at_once_and_the_dead_hold_up_nobody(tmp_path):
    arrived: list[int] = []
    async with ModelServer("ollama") as one, ModelServer("anthropic") as two, hanging(arrived) as url:
        async with ModelServer("openai") as gone:
            dead = profile(gone)
        hangs = {"kind": "openai", "base_url": f"{url}/v1", "model": "m"}
        profiles = {"one": profile(one), "dead": dead, "hangs": hangs, "also": hangs, "two": profile(two)}
        order = []
        async with configured(tmp_path, **profiles) as known:
            wanted = diagnosis.Wanted(latency=False, answer_s=1.5)

            def tell(_done, _total, message):
                order.append((message, len(arrived)))

            reports = await diagnosis.diagnose(known, wanted, tell)
    assert {one.name: one.standing for one in reports} == {
        "one": "ok",
        "dead": "wrong",
        "hangs": "wrong",
        "also": "wrong",
        "two": "ok",
    }
    # Both that hang were asked before either was given up: nobody waits for another.
    assert [count for message, count in order if message.startswith(("hangs", "also"))] == [2, 2]
    by_name = {one.name: one for one in reports}
    assert by_name["dead"].checks[0].key == "base_url"
    assert "no result within 1.5 s" in by_name["hangs"].checks[0].words
    assert [check.standing for check in by_name["hangs"].checks] == ["wrong", "skipped", "skipped"]


@pytest.mark.parametrize("kind", ["ollama", "openai", "anthropic"])
async def test_a_model_that_is_not_there_is_named_with_near_ones(tmp_path, kind):
    async with (
        ModelServer(kind) as server,
        configured(tmp_path, local=profile(server, "tinny")) as known,
    ):
        (report,) = await diagnosis.diagnose(known, diagnosis.Wanted(latency=False), quiet)
    check = report.checks[1]
    assert (check.standing, check.key) == ("wrong", "model")
    assert "Did you mean tiny" in check.remedy


async def test_a_model_without_tools_is_unfit(tmp_path):
    async with ModelServer("ollama") as server, configured(tmp_path, local=profile(server)) as known:
        server.capabilities = ["completion"]
        (report,) = await diagnosis.diagnose(known, diagnosis.Wanted(latency=False), quiet)
    assert "unfit as an agent" in report.checks[1].words


async def test_a_window_larger_than_was_trained_is_wrong(tmp_path):
    async with ModelServer("ollama") as server, configured(tmp_path, local=profile(server, context=99_000)) as known:
        (report,) = await diagnosis.diagnose(known, diagnosis.Wanted(latency=False), quiet)
    assert (report.checks[2].standing, report.checks[2].remedy) == ("wrong", "Set `context` to 40960 or less.")


async def test_settings_that_cannot_be_read_are_an_error_with_their_line(tmp_path):
    async with configured(tmp_path, local={"kind": "what", "model": "m"}) as known:
        with pytest.raises(ConfigError, match=r"settings\.toml:2"):
            await diagnosis.diagnose(known, diagnosis.Wanted(), quiet)


def lines(*rows):
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


LAYERS = (
    {"status": "pulling manifest"},
    {"status": "pulling aa", "digest": "sha256:aa", "total": 100, "completed": 40},
    {"status": "pulling bb", "digest": "sha256:bb", "total": 50},
    {"status": "pulling aa", "digest": "sha256:aa", "total": 100, "completed": 100},
    {"status": "pulling bb", "digest": "sha256:bb", "total": 50, "completed": 50},
    {"status": "verifying sha256 digest"},
)


async def test_a_pull_tells_its_bytes_and_goes_on_where_it_was_cancelled(tmp_path):
    whole = lines(*LAYERS, {"status": "success"})
    async with ModelServer("ollama") as server, configured(tmp_path, local=profile(server)) as known:
        server.pulls = [Raw(whole, split=30), Raw(whole, split=7)]
        chosen, pieces = await asyncio.to_thread(known.pull, None, None)
        assert chosen.label == "local/tiny"
        seen = [await anext(pieces) for _ in range(2)]
        await pieces.aclose()
        assert seen == [("pulling manifest", 0, 0), ("pulling aa", 40, 100)]
        _, pieces = await asyncio.to_thread(known.pull, "local", "other")
        assert [piece async for piece in pieces][-2:] == [("verifying sha256 digest", 150, 150), ("success", 150, 150)]
    assert server.paths.count("POST /api/pull") == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (lines(LAYERS[0], {"error": "pull model manifest: file does not exist"}), "file does not exist"),
        (lines(*LAYERS), "ended without success"),
        (b"nonsense\n", "no JSON"),
    ],
)
async def test_a_pull_that_fails_says_why(tmp_path, data, words):
    async with ModelServer("ollama") as server, configured(tmp_path, local=profile(server)) as known:
        server.pulls = [Raw(data)]
        _, pieces = await asyncio.to_thread(known.pull, None, None)
        with pytest.raises(ProviderError, match=words):
            assert [piece async for piece in pieces] == []


async def test_only_ollama_pulls(tmp_path):
    async with ModelServer("openai") as server, configured(tmp_path, local=profile(server)) as known:
        with pytest.raises(UserError, match="cannot pull"):
            await asyncio.to_thread(known.pull, None, None)


async def test_a_key_that_is_refused_is_said_with_its_setting(tmp_path):
    async with ModelServer("openai") as server, configured(tmp_path, local=profile(server)) as known:
        server._known = lambda _path, _body: Refuse(401, error_body("openai", 401, "no key"))
        (report,) = await diagnosis.diagnose(known, diagnosis.Wanted(latency=False), quiet)
    assert (report.checks[0].standing, report.checks[0].key) == ("wrong", "key_env")


@pytest.mark.parametrize(
    ("variable", "value"),
    [("OLLAMA_HOST", "box:number"), ("ALL_PROXY", "socks://box:1"), ("SSL_CERT_FILE", "/nowhere")],
)
async def test_what_the_environment_says_wrongly_of_connections_is_a_row(tmp_path, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    where = "" if variable == "OLLAMA_HOST" else 'base_url = "https://example.invalid"\n'
    file = tmp_path / "settings.toml"
    file.write_text(f'[providers.local]\nkind = "ollama"\nmodel = "m"\n{where}')
    known = models.Models(file, {variable: value}, lambda: datetime.now(UTC))
    (report,) = await diagnosis.diagnose(known, diagnosis.Wanted(latency=False), lambda *_: None)
    assert (report.checks[0].standing, variable in report.checks[0].remedy) == ("wrong", True)
