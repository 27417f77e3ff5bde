"""The doctor tells what stands, never changes it, and its exit code says whether sessions can work."""

import argparse
import os
import re
import sqlite3

import pytest

from agentos_lsp import __main__
from agentos_lsp.cli import doctor
from agentos_lsp.effects import store
from agentos_lsp.runtime import confining
from tests.domain import support


def rows(folder):
    return {one.subject: one for one in doctor.examine(argparse.Namespace(state=str(folder)))}


def test_a_machine_without_sessions_is_well(tmp_path, capsys):
    folder = tmp_path / "state"

    assert __main__.main(["--state", str(folder), "doctor"]) == 0

    told = capsys.readouterr().out
    assert [line.split()[0] for line in told.splitlines() if not line.startswith(" ")][:3] == [
        "git",
        "state",
        "database",
    ]
    assert "made with the first session" in told
    assert re.search(r"^confinement +(ok +enforced|note +best-effort), by ", told, re.MULTILINE)
    assert not folder.exists()


def test_sessions_are_counted_and_their_traces_verified(tmp_path):
    log = store.Store(tmp_path)
    log.append(support.event("session.started"), durable=True)
    log.close()

    assert rows(tmp_path)["database"].words == "1 sessions, every trace whole"


def test_a_changed_trace_is_wrong(tmp_path, capsys):
    log = store.Store(tmp_path)
    event = support.event("session.started")
    log.append(event, durable=True)
    log.close()
    with sqlite3.connect(tmp_path / "events.db") as database:
        database.execute("UPDATE events SET body = replace(body, ?, 'forged')", (event.task,))
    database.close()

    assert rows(tmp_path)["database"].standing == "wrong"
    assert __main__.main(["--state", str(tmp_path), "doctor"]) == 1
    assert event.session in capsys.readouterr().out


def test_a_database_that_is_none_is_wrong(tmp_path):
    store.Store(tmp_path).close()
    (tmp_path / "events.db").write_bytes(b"no database at all" * 100)

    assert rows(tmp_path)["database"].standing == "wrong"


def test_looking_changes_nothing_and_sees_what_is_not_in_the_database_file_yet(tmp_path):
    log = store.Store(tmp_path)
    log.append(support.event("session.started"), durable=True)
    assert rows(tmp_path)["database"].words == "1 sessions, every trace whole"
    log.close()
    before = {one: one.stat().st_mtime_ns for one in tmp_path.rglob("*")}

    assert rows(tmp_path)["database"].words == "1 sessions, every trace whole"
    assert {one: one.stat().st_mtime_ns for one in tmp_path.rglob("*")} == before


def test_a_database_of_an_older_version_is_said_and_left_as_it_is(tmp_path):
    store.Store(tmp_path).close()
    (tmp_path / "events.db").write_bytes(b"")

    found = rows(tmp_path)["database"]
    assert (found.standing, "format 0" in found.words, found.hint) == ("wrong", True, "Ask again.")
    assert (tmp_path / "events.db").read_bytes() == b""

    (tmp_path / "trace.key").unlink()
    assert "trace.key is not there" in rows(tmp_path)["database"].words
    assert not (tmp_path / "trace.key").exists()


def test_a_state_folder_that_others_can_write_is_wrong(tmp_path):
    tmp_path.chmod(0o777)

    assert rows(tmp_path)["state"].hint == f"chmod 700 {tmp_path}"


def test_a_file_in_the_place_of_the_folder_is_wrong(tmp_path):
    (tmp_path / "file").touch()

    assert rows(tmp_path / "file" / "state")["state"].standing == "wrong"


@pytest.mark.parametrize("broken", [False, True])
def test_a_git_that_is_missing_or_broken_is_said(tmp_path, monkeypatch, broken):
    if broken:
        (tmp_path / "git").write_text("#!/nonexistent\n")
        os.chmod(tmp_path / "git", 0o755)  # noqa: PTH101
    monkeypatch.setenv("PATH", str(tmp_path))

    assert rows(tmp_path / "state")["git"].standing == "note"


@pytest.mark.parametrize(
    ("policy", "row"),
    [
        ('[confinement]\nlevel = "off"\n', ("note", "off, by")),
        ('[confinement]\nlevel = "of"\n', ("wrong", "confinement.level")),
    ],
)
def test_what_the_persons_own_policy_says_of_confinement_is_told(tmp_path, monkeypatch, policy, row):
    file = tmp_path / "agentos" / "policy.toml"
    file.parent.mkdir()
    file.write_text(policy)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(confining.backends, "candidates", tuple)

    found = rows(tmp_path / "state")["confinement"]

    assert found.standing == row[0]
    assert row[1] in found.words


def test_what_was_found_cannot_steer_the_terminal():
    shown = doctor.table([doctor.Finding("git", "ok", "\x1b[2Jgone \u202e")])

    assert shown == "git  ok     \\u{1B}[2Jgone \\u{202E}\n"


def test_a_provider_that_is_down_is_a_note_and_settings_that_cannot_be_read_are_wrong(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert rows(tmp_path / "state")["models"].standing == "note"
    file = tmp_path / "agentos" / "settings.toml"
    file.parent.mkdir()
    file.write_text('[providers.local]\nkind = "ollama"\nbase_url = "http://127.0.0.1:9"\nmodel = "m"\n')
    down = rows(tmp_path / "state")["model local"]
    assert (down.standing, "unreachable" in down.words, "ollama serve" in down.hint) == ("note", True, True)
    file.write_text("[providers.local]\nkind = 3\n")
    assert rows(tmp_path / "state")["models"].standing == "wrong"


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A home and a PATH of the test's own; returns what puts a program on it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)

    def put(name, says):
        (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n")
        (folder / name).chmod(0o755)

    return put


def test_editors_and_their_clients_are_told(tmp_path, programs):
    assert list(doctor._editors(tmp_path)) == []
    programs("nvim", "NVIM v0.11.4")
    programs("code", "1.100")
    neovim, code = doctor._editors(tmp_path)
    assert (neovim.standing, neovim.hint) == ("note", "The plugin needs Neovim 0.12 or newer.")
    assert (code.standing, code.words) == ("note", "the extension is not installed")
    programs("nvim", "NVIM v0.12.1")
    assert [one.standing for one in doctor._editors(tmp_path)] == ["note", "note"]
    plugin = tmp_path / ".local/share/nvim/site/pack/agentos/start/agentos/lsp"
    plugin.mkdir(parents=True)
    (plugin / "agentos.lua").touch()
    (tmp_path / ".vscode/extensions/agentos-lsp.agentos-lsp-0.1.0").mkdir(parents=True)
    assert [one.standing for one in doctor._editors(tmp_path)] == ["ok", "ok"]


def test_an_editor_that_does_not_work_is_a_note(tmp_path, programs):
    programs("nvim", "x")
    (tmp_path / "bin" / "nvim").write_text("#!/bin/sh\nexit 3\n")
    (neovim,) = doctor._editors(tmp_path)
    assert (neovim.standing, "does not work" in neovim.words) == ("note", True)


def test_what_may_not_be_looked_at_is_a_row_and_the_others_are_given(tmp_path, monkeypatch):
    def refused(*_given, **_named):
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr(doctor.tempfile, "TemporaryDirectory", refused)
    found = rows(tmp_path)
    assert (found["confinement"].standing, "models" in found) == ("wrong", True)
