"""Which model a name means, and where its key comes from."""

import asyncio
import os
import signal
import sys
import types
from datetime import UTC, datetime

import pytest

from agentos_lsp.domain.errors import EffectError, ProviderError, UserError
from agentos_lsp.effects import settings
from agentos_lsp.effects.process import asking
from agentos_lsp.runtime import keys, models

TWO = """\
[providers.local]
kind = "ollama"
model = "qwen3:8b"

[providers.big]
kind = "openai"
base_url = "https://models.example.invalid/v1"
model = "meta/huge"
"""


def known(tmp_path, text=TWO, environment=None):
    file = tmp_path / "settings.toml"
    file.write_text(text)
    return models.Models(file, environment or {}, lambda: datetime.now(UTC))


@pytest.mark.parametrize(
    ("name", "label"),
    [
        (None, "local/qwen3:8b"),
        ("", "local/qwen3:8b"),
        ("big", "big/meta/huge"),
        ("big/other/one", "big/other/one"),
        ("llama3", "local/llama3"),
        ("hf.co/someone/model", "local/hf.co/someone/model"),
    ],
)
def test_a_name_is_a_profile_a_profile_with_a_model_or_a_model_of_the_default(tmp_path, name, label):
    assert known(tmp_path).choose(name).label == label


def test_without_a_provider_the_words_say_what_to_write_and_where(tmp_path):
    nothing = models.Models(tmp_path / "settings.toml", {}, lambda: datetime.now(UTC))
    with pytest.raises(UserError) as caught:
        nothing.choose(None)
    assert str(tmp_path / "settings.toml") in caught.value.hint
    assert known(tmp_path, caught.value.hint.partition("\n")[2]).choose(None).label == "local/qwen3:8b"


async def test_one_connection_serves_a_profile_until_it_changes(tmp_path):
    one = known(tmp_path)
    first = one.provider(one.choose("big"))
    assert one.provider(one.choose("big/other")) is first
    (tmp_path / "settings.toml").write_text(TWO.replace("https://", "http://"))
    assert one.provider(one.choose("big")) is not first
    await one.close()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", ""),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        (":5000", "http://127.0.0.1:5000"),
        ("box:1234", "http://box:1234"),
        ("[::1]:1234", "http://[::1]:1234"),
        ("[::]:1234", "http://[::1]:1234"),
        ("::1", "http://[::1]:11434"),
        ("https://box/below", "https://box/below"),
        ("box", "http://box:11434"),
        ("https://box", "https://box"),
        ("http://box:80/", "http://box:80"),
    ],
)
def test_the_variable_of_ollama_is_read_as_ollama_reads_it(host, url):
    assert models._ollama_host(host) == url


def profile(**fields):
    return settings.Profile(kind="openai", model="m", **fields)


async def test_a_key_comes_from_the_environment():
    assert await keys.key_of("big", profile(key_env="K"), {"K": " sk-1\n"}) == "sk-1"
    with pytest.raises(ProviderError) as caught:
        await keys.key_of("big", profile(key_env="K"), {})
    assert (caught.value.failure, "Set K" in caught.value.hint) == ("unauthorised", True)


async def test_a_key_comes_from_a_program_that_no_shell_reads():
    command = [sys.executable, "-c", "import sys; print(sys.argv[1])", "a $HOME;b"]
    assert await keys.key_of("big", profile(key_command=command), {}) == "a $HOME;b"


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("print('sk-secret'); raise SystemExit(3)", "exit code 3"),
        ("pass", "printed nothing"),
        ("print('sk-secret\\nmore')", "is no key"),
        ("print('sk-secret' * 100000)", "more than a key"),
    ],
)
async def test_a_program_that_gives_no_key_is_named_without_what_it_printed(program, words):
    with pytest.raises(ProviderError) as caught:
        await keys.key_of("big", profile(key_command=[sys.executable, "-c", program]), {})
    assert words in str(caught.value)
    assert "sk-secret" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"


async def test_a_program_that_floods_and_does_not_end_holds_nobody_up():
    line = "import sys, time; sys.stdout.write('sk-secret' * 100000); sys.stdout.flush(); time.sleep(600)"
    for _ in range(3):
        # asyncio would not tell of its end as long as what it printed is not taken.
        with pytest.raises(EffectError, match="more than a key"):
            await asking.ask([sys.executable, "-c", line], {}, "wait", limit_s=30)


async def test_a_helper_that_keeps_the_output_open_holds_nobody_up(tmp_path):
    pid = tmp_path / "pid"
    # The helper is in a session of its own, as an agent for secrets may be; the test ends it by its number.
    line = (
        "import pathlib, subprocess, sys, time\n"
        "one = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)\n"
        f"pathlib.Path({str(pid)!r}).write_text(str(one.pid))\n"
        "time.sleep(600)"
    )
    task = asyncio.ensure_future(asking.ask([sys.executable, "-c", line], {}, "wait", limit_s=60))
    async with asyncio.timeout(30):
        while not (pid.exists() and pid.read_text()):  # noqa: ASYNC110 - files send no events
            await asyncio.sleep(0.01)
    task.cancel()
    try:
        async with asyncio.timeout(30):
            with pytest.raises(asyncio.CancelledError):
                await task
    finally:
        os.kill(int(pid.read_text()), signal.SIGKILL)


async def test_a_program_that_is_not_there_is_named():
    with pytest.raises(ProviderError, match="no-such-program"):
        await keys.key_of("big", profile(key_command=["no-such-program"]), {})


async def test_a_program_that_does_not_end_is_ended_with_what_it_started(tmp_path):
    started = tmp_path / "started"
    line = f"import time, pathlib; pathlib.Path({str(started)!r}).touch(); time.sleep(600)"
    with pytest.raises(EffectError, match="did not end"):
        await asking.ask([sys.executable, "-c", line], {}, "wait", limit_s=0.2)
    task = asyncio.ensure_future(asking.ask([sys.executable, "-c", line], {}, "wait", limit_s=60))
    started.unlink(missing_ok=True)
    async with asyncio.timeout(30):
        while not started.exists():  # noqa: ASYNC110 - a file tells of itself in no other way
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_key_comes_from_the_keyring_where_there_is_one(monkeypatch):
    wanted = profile(key_keyring="agentos/big")
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ProviderError, match="package keyring"):
        await keys.key_of("big", wanted, {})
    entries = {("agentos", "big"): "sk-2"}
    fake = types.SimpleNamespace(get_password=lambda service, user: entries.get((service, user)))
    monkeypatch.setitem(sys.modules, "keyring", fake)
    assert await keys.key_of("big", wanted, {}) == "sk-2"
    entries.clear()
    with pytest.raises(ProviderError, match="no such entry"):
        await keys.key_of("big", wanted, {})
