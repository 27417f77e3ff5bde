from pathlib import Path

import pytest

from agentos_lsp.domain.errors import ConfigError
from agentos_lsp.effects import settings

WHOLE = """\
provider = "remote"

[providers.local]
kind = "ollama"
model = "qwen3:8b"
context = 32768

[providers.remote]
kind = "openai"
base_url = "https://models.example.invalid/v1/"
model = "big"
key_env = "BIG_KEY"
headers = {x-title = "agentos"}
price = {prompt = 3, reply = 15.5}
"""


def load(tmp_path: Path, text: str) -> settings.Settings:
    file = tmp_path / "settings.toml"
    file.write_text(text, encoding="utf-8")
    return settings.load(file)


def test_profiles_are_read_by_name(tmp_path):
    found = load(tmp_path, WHOLE)
    assert found.default == "remote"
    assert found.providers["local"].address == "http://127.0.0.1:11434"
    assert found.providers["remote"].address == "https://models.example.invalid/v1"
    assert found.providers["remote"].price == settings.Price(prompt=3, reply=15.5)


def test_the_first_profile_is_the_default(tmp_path):
    assert load(tmp_path, WHOLE.replace('provider = "remote"', "")).default == "local"


def test_without_a_file_nothing_is_configured(tmp_path):
    found = settings.load(tmp_path / "none.toml")
    assert (found.default, dict(found.providers)) == (None, {})


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('kind = "ollama"', 'kind = "olama"', 3, "providers.local.kind"),
        ("context = 32768", "context = 12", 5, "providers.local.context"),
        ("context = 32768", "windw = 1", 5, "providers.local.windw"),
        ('key_env = "BIG_KEY"', 'key = "sk-12345"', 11, "providers.remote.key"),
        ("https://models", "https://user:word@models", 9, "an address holds no key"),
        ("https://models", "models", 9, "http://"),
        ('key_env = "BIG_KEY"', 'key_env = "A"\nkey_command = ["b"]', 7, "one of"),
        ('provider = "remote"', 'provider = "none"', 0, "there is no [providers.none]"),
        ("[providers.local]", "[providers.local", 2, ""),
        ("context = 32768", "idle_s = inf", 5, "finite"),
        ("reply = 15.5", "reply = nan", 13, "finite"),
        ('{x-title = "agentos"}', '{x-title = "a\\nb"}', 12, "no header"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, old, new, line, words):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, WHOLE.replace(old, new))
    assert (caught.value.line, words in str(caught.value)) == (line, True), str(caught.value)
    assert "sk-12345" not in str(caught.value)


def test_a_file_that_is_no_text_is_named(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_bytes(b"# fine\n\xff")
    with pytest.raises(ConfigError) as caught:
        settings.load(file)
    assert caught.value.line == 1


def test_a_profile_shows_no_header(tmp_path):
    assert "agentos" not in repr(load(tmp_path, WHOLE))


def test_the_line_of_a_key_is_found_for_diagnostics(tmp_path):
    load(tmp_path, WHOLE)
    file = tmp_path / "settings.toml"
    assert settings.line_of(file, "remote", "base_url") == 9
    assert settings.line_of(file, "local", "base_url") == 2


def test_a_mark_at_the_beginning_is_read_over_and_a_number_too_long_is_named_with_its_line(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_bytes(b"\xef\xbb\xbf" + b'[providers.l]\nkind = "ollama"\nmodel = "m"\n')
    assert settings.load(file).default == "l"
    file.write_text(f"provider = {'1' * 5000}\n")
    with pytest.raises(ConfigError, match=":1: "):
        settings.load(file)
