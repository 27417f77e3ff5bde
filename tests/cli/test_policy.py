"""`agentos-lsp policy` names everything that is wrong, or says what is in force and why."""

import json

import pytest

from agentos_lsp import __main__
from agentos_lsp.effects import trust
from tests.runtime import support

THEIRS = '[rules]\nsecret = "note"\nbuild-script = "review"\n[commands]\nallow = [["make", "test"]]\n'


@pytest.fixture
def run(house, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(house.folder / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(house.folder / "home"))

    def call(*words):
        code = __main__.main(["policy", "check", "--repository", str(house.root), *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


@pytest.fixture
def house(tmp_path):
    return support.House(tmp_path)


def mine(house, text):
    file = house.folder / "config" / "agentos" / "policy.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_without_files_the_built_in_rules_are_told(run):
    code, out, _ = run()
    assert code == 0
    assert out.startswith("no policy file: the built-in rules\n")
    assert "examples: " in out


def test_a_file_that_is_not_trusted_is_told_with_what_is_passed_over(house, run):
    house.commit("policy", {".agentos/policy.toml": THEIRS})
    code, out, _ = run()
    assert code == 0
    assert ".agentos/policy.toml  only tightens: you have not trusted it" in out
    assert 'passed over, because it would loosen: rules.secret = "note"' in out
    assert "passed over, because it would loosen: commands.allow" in out
    rows = {line.split()[0]: line.split()[1] for line in out.splitlines() if line}
    assert (rows["secret"], rows["build-script"]) == ("refuse", "review")


def test_a_trusted_file_counts_in_full(house, run):
    house.commit("policy", {".agentos/policy.toml": THEIRS})
    trusted = trust.Trust(house.folder / "home" / "agentos")
    trusted.add(str(house.root / ".git"), trust.digest_of(THEIRS.encode()), "a test", support.T0)
    code, out, _ = run()
    assert code == 0
    assert "runs without a question: make test …" in out
    assert "passed over" not in out


def test_everything_that_is_wrong_is_named_with_file_line_and_column(house, run):
    file = mine(house, "[rules]\nsecret = 'off'\nsecrets = 'note'\n")
    house.commit("policy", {".agentos/policy.toml": "[commit]\nmax_files = 0\n"})
    code, out, err = run()
    assert (code, out) == (1, "")
    assert [line.split(": ")[0] for line in err.splitlines()] == [
        f"{file}:2:10",
        f"{file}:3:1",
        f"{house.root}/.agentos/policy.toml:2:13",
    ]


def test_a_folder_without_a_repository_is_named(tmp_path, run, capsys):
    assert __main__.main(["policy", "check", "--repository", str(tmp_path / "nowhere")]) == 1
    assert "nowhere" in capsys.readouterr().err


def test_the_schema_is_json(capsys):
    assert __main__.main(["policy", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["rules"]
