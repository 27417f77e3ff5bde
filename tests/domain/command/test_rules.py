"""Each effect and what it is judged to be: the block list as a table."""

from __future__ import annotations

import pytest

from agentos_lsp.domain.command import rules
from agentos_lsp.domain.command.effects import (
    ChangesRepository,
    Connects,
    Deletes,
    Escalates,
    Executes,
    Persists,
    Pushes,
    Reads,
    ReadsOnly,
    Signals,
    Unrecognised,
    Writes,
)
from agentos_lsp.domain.command.invocation import Prefix, Target, Unknown
from agentos_lsp.domain.command.surroundings import Surroundings
from agentos_lsp.domain.command.verdict import Verdict

SURROUNDINGS = Surroundings(cwd="/w", worktree="/w", protected=("main", "release"))


def at(place: str, path: str | None = "/some/path", *, under: bool = False) -> Target:
    return Target(path, place, under, "shown")  # type: ignore[arg-type]


def said(effect: object) -> str | None:
    found = rules.judge(effect, SURROUNDINGS)  # type: ignore[arg-type]
    return None if found is None else found.rule


@pytest.mark.parametrize(
    ("place", "read", "written", "deleted", "deleted_whole"),
    [
        ("worktree", None, "review.write", "review.delete", "review.delete"),
        ("scratch", None, "review.write", "review.delete", "review.delete"),
        ("null", None, None, "review.delete", "review.delete"),
        ("root", None, "review.write", "block.recursive-delete", "block.recursive-delete"),
        ("git", None, "review.repository", "review.delete", "block.recursive-delete"),
        ("outside", "review.outside", "review.write-outside", "review.delete-outside", "block.recursive-delete"),
        ("device", "review.outside", "block.device", "block.device", "block.device"),
        ("unknown", "review.unknown-path", "review.unknown-path", "review.unknown-delete", "review.unknown-delete"),
    ],
)
def test_files_are_judged_by_where_they_lie(place, read, written, deleted, deleted_whole):
    target = at(place)
    found = (Reads(target), Writes(target), Deletes(target, recursive=False), Deletes(target, recursive=True))
    assert tuple(map(said, found)) == (read, written, deleted, deleted_whole)


@pytest.mark.parametrize(
    ("target", "rule"),
    [
        (at("git", "/w/.git"), "block.recursive-delete"),
        (at("git", "/w/.GIT"), "block.recursive-delete"),
        (at("git", "/w/.git", under=True), "block.recursive-delete"),
        (at("git", None), "block.recursive-delete"),
        (at("git", "/w/.git/index.lock"), "review.delete"),
        (at("root", "/w", under=True), "review.delete"),
    ],
)
def test_the_repository_is_not_deleted_but_a_stale_lock_may_be(target, rule):
    assert said(Deletes(target, recursive=False)) == rule


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/usr/include/stdio.h", None),
        ("/etc/os-release", None),
        ("/proc/cpuinfo", None),
        ("/etc/passwd", "review.outside"),
        ("/etc/os-release-x", "review.outside"),
        ("/home/dev/.ssh/id_rsa", "review.outside"),
        ("/proc/1/environ", "review.outside"),
        ("/", "review.outside"),
    ],
)
def test_public_files_of_the_machine_may_be_read(path, rule):
    assert said(Reads(at("outside", path))) == rule


def test_credentials_in_the_repository_are_not_read_unseen():
    assert said(Reads(at("git", "/w/.git/config"))) == "review.outside"
    assert said(Reads(at("git", "/w/.git/HEAD"))) is None


@pytest.mark.parametrize(
    ("branches", "overwrites", "rule"),
    [
        (("main",), True, "block.force-push"),
        (("feature", "release"), True, "block.force-push"),
        (("feature",), True, "review.push"),
        (("main",), False, "review.push"),
        ((), False, "review.push"),
        (None, True, "review.unknown-push"),
        (None, False, "review.unknown-push"),
    ],
)
def test_protected_branches_are_not_overwritten(branches, overwrites, rule):
    assert said(Pushes("origin", branches, overwrites, "git push")) == rule
    assert said(Pushes(None, branches, overwrites, "git push")) == rule


@pytest.mark.parametrize(
    ("effect", "rule"),
    [
        (ReadsOnly(), None),
        (Signals("kill 1", harmless=False), "block.signal"),
        (Signals("kill -l", harmless=True), "review.signal"),
        (Connects("example.com", loopback=False, direct=True, by="curl"), "block.network"),
        (Connects("localhost", loopback=True, direct=True, by="curl"), "review.loopback"),
        (Connects(None, loopback=False, direct=True, by="curl"), "review.unknown-host"),
        (Connects(None, loopback=False, direct=False, by="npm"), "review.network"),
        (ChangesRepository("git reset", loses_work=True), "review.repository"),
        (ChangesRepository("git add", loses_work=False), "review.repository"),
        (Escalates("sudo"), "review.privilege"),
        (Persists("a hook"), "review.persistence"),
        (Executes("make runs code"), "review.code"),
        (Executes("python -c", "python", "os.kill()", ("ends processes",)), "review.code"),
        (Unrecognised("x is not known"), "review.unrecognised"),
        (Unrecognised(""), "review.unrecognised"),
    ],
)
def test_other_effects_are_judged_by_what_they_are(effect, rule):
    assert said(effect) == rule


def test_a_reason_names_what_it_is_about_and_what_to_do_instead():
    found = rules.judge(Deletes(Target("/srv/x", "outside", under=True, shown="../x/*"), recursive=True), SURROUNDINGS)
    assert found is not None
    assert found.text == "It would delete ../x/* (what is below /srv/x), outside the worktree."
    assert found.instead == "Delete inside the worktree or the session's scratch folder; leave the rest to a person."
    danger = rules.judge(Executes("python -c", danger=("os.kill ends processes",)), SURROUNDINGS)
    assert danger is not None
    assert danger.text == "python -c; it looks dangerous: os.kill ends processes."


@pytest.mark.parametrize(
    ("reason", "rule", "verdict"),
    [
        (rules.doubtful("it is not understood: x"), "review.not-understood", Verdict.REVIEWED),
        (rules.doubtful("it runs in the background"), "review.expansion", Verdict.REVIEWED),
        (rules.too_big(mentions=True), "block.too-complex", Verdict.BLOCKED),
        (rules.too_big(mentions=False), "review.not-understood", Verdict.REVIEWED),
        (rules.uncertain(Unknown("$x", quoted=False)), "review.uncertain", Verdict.REVIEWED),
        (rules.uncertain(Prefix("a", quoted=False)), "review.uncertain", Verdict.REVIEWED),
        (rules.not_listed("x"), "review.not-listed", Verdict.REVIEWED),
        (rules.not_listed(""), "review.not-listed", Verdict.REVIEWED),
        (rules.other_shell("fish"), "review.shell", Verdict.REVIEWED),
    ],
)
def test_reasons_that_are_not_about_an_effect(reason, rule, verdict):
    assert (reason.rule, reason.verdict) == (rule, verdict)
    assert reason.text.endswith(".")
