"""`agentos-lsp doctor`: one table of what this machine offers, what is missing, and what to do about it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from agentos_lsp.cli import wiring
from agentos_lsp.domain import review
from agentos_lsp.domain.errors import AgentosError, EffectError
from agentos_lsp.effects import config, store
from agentos_lsp.effects.process.sandbox import standing
from agentos_lsp.runtime import confining, diagnosis

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from agentos_lsp.domain.diagnosis import Report
    from agentos_lsp.runtime import models

Standing = Literal["ok", "note", "wrong"]

_VERSION_TIMEOUT_S = 10
_OLDEST_NEOVIM = (0, 12)


@dataclass(frozen=True, slots=True)
class Finding:
    """One row: what was looked at, how it stands, in words, and what to do now if it is not `ok`."""

    subject: str
    standing: Standing
    words: str
    hint: str = ""


def run(arguments: argparse.Namespace) -> int:
    """Prints the table; returns 1 if anything is wrong that keeps sessions from working."""
    found = list(examine(arguments))
    print(table(found), end="")
    return int(any(one.standing == "wrong" for one in found))


def examine(arguments: argparse.Namespace) -> Iterable[Finding]:
    """Looks at everything, one row after another; changes nothing."""
    folder = wiring.state_folder(arguments)
    yield _git()
    yield from _guarded("state", map(_state_folder, [folder]))
    yield from _guarded("database", map(_database, [folder]))
    yield from _guarded("confinement", _confinement(folder))
    yield from _providers(wiring.user_models())
    yield from _guarded("editors", _editors(Path.home()))


def _guarded(subject: str, rows: Iterable[Finding]) -> Iterable[Finding]:
    """Gives the rows; what this user may not look at is a row too, and keeps no other from being given."""
    try:
        yield from rows
    except OSError as error:
        yield Finding(subject, "wrong", f"it cannot be looked at: {error}", "Mend whose it is and what it allows.")


def table(found: Iterable[Finding]) -> str:
    """Returns the rows as text for a terminal; nothing of what was found can steer that terminal."""
    rows = list(found)
    width = max((len(row.subject) for row in rows), default=0)
    lines: list[str] = []
    for row in rows:
        lines.append(f"{row.subject:<{width}}  {row.standing:<5}  {review.visible(row.words)}")
        if row.hint:
            lines.append(f"{'':<{width}}         {review.visible(row.hint)}")
    return "".join(f"{line}\n" for line in lines)


def _git() -> Finding:
    program = shutil.which("git")
    if program is None:
        return Finding("git", "note", "not found on PATH", "Agents need it for their own commands; install git.")
    version = _version("git", program)
    return version if isinstance(version, Finding) else Finding("git", "ok", f"{version}, {program}")


def _version(subject: str, program: str) -> str | Finding:
    """Asks a program for the first line of its version; a row where it does not work."""
    try:
        told = subprocess.run([program, "--version"], check=True, capture_output=True, timeout=_VERSION_TIMEOUT_S)  # noqa: S603 - the person's own
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(subject, "note", f"{program} does not work: {error}", f"Install {subject} anew.")
    return told.stdout.decode("utf-8", "replace").partition("\n")[0].strip()


def _editors(home: Path) -> Iterable[Finding]:
    """Looks for the editors that have a client of ours, and for that client; no row for one that is not there."""
    program = shutil.which("nvim")
    if program is not None:
        yield _neovim(program, home)
    if shutil.which("code") is not None or (home / ".vscode").is_dir():
        there = any(
            one.name.startswith("agentos-lsp.agentos-lsp-")
            for folder in (home / ".vscode" / "extensions", home / ".vscode-server" / "extensions")
            for one in (folder.iterdir() if folder.is_dir() else ())
        )
        hint = "" if there else "docs/editors.md says how to build and install the extension."
        words = "the extension is installed" if there else "the extension is not installed"
        yield Finding("VS Code", "ok" if there else "note", words, hint)


def _neovim(program: str, home: Path) -> Finding:
    first = _version("Neovim", program)
    if isinstance(first, Finding):
        return first
    version = tuple(int(part) for part in re.findall(r"\d+", first)[:2])
    if version < _OLDEST_NEOVIM:
        return Finding("Neovim", "note", f"{first}, {program}", "The plugin needs Neovim 0.12 or newer.")
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    places = (data / "nvim" / "site" / "pack").glob("*/*/*/lsp/agentos.lua")
    if next(places, None) is None:
        hint = (
            "A plugin manager may keep it elsewhere; `:checkhealth agentos` says more, docs/editors.md how to add it."
        )
        return Finding("Neovim", "note", f"{first}; the plugin is not among its packages", hint)
    return Finding("Neovim", "ok", f"{first}; the plugin is among its packages")


def _state_folder(folder: Path) -> Finding:
    nearest = next((one for one in (folder, *folder.parents) if os.path.lexists(one)), folder)
    if not nearest.is_dir():
        return Finding("state", "wrong", f"{nearest} is not a folder", "Move it away, or name another with --state.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        return Finding("state", "wrong", f"{nearest} cannot be written", "Name another folder with --state.")
    if nearest != folder:
        return Finding("state", "ok", f"{folder}, made with the first session")
    mode = stat.S_IMODE(folder.stat().st_mode)
    free_gib = shutil.disk_usage(folder).free / 2**30
    if mode & 0o022:
        return Finding("state", "wrong", f"{folder} can be written by others ({mode:o})", f"chmod 700 {folder}")
    return Finding("state", "ok", f"{folder}, {free_gib:.1f} GiB free")


def _confinement(folder: Path) -> Iterable[Finding]:
    """Lets a canary try to get out of every kind of cage that there is, and says what holds and by what."""
    try:
        wanted = config.load_policy(None, wiring.user_policy()).confinement
    except AgentosError as error:
        yield Finding("confinement", "wrong", str(error), "Mend your policy file.")
        return
    near = next((one for one in (folder, *folder.parents) if one.is_dir()), folder)
    with tempfile.TemporaryDirectory(prefix="agentos-doctor-", dir=near) as place:
        found = confining.Confiner(Path(place)).look()
    chosen = standing.choose(wanted.level, found)
    if chosen.refusal:
        yield Finding("confinement", "wrong", chosen.refusal, "Change `level` in your policy, or mend what is missing.")
    elif chosen.level == "off":
        words = f"off, by {wiring.user_policy()}; this machine could have {found.level}"
        yield Finding("confinement", "note", words, "Commands run with your rights. Remove `level` there.")
    else:
        kind: Standing = "ok" if chosen.level == "enforced" else "note"
        hint = "" if kind == "ok" else "docs/security.md says what each level holds, and what a machine needs for it."
        yield Finding("confinement", kind, f"{chosen.level}, by {chosen.by}", hint)
    for words in chosen.missing if chosen.level != "off" else ():
        yield Finding("", "note", f"does not hold: {words}")
    for words in found.passed_over:
        yield Finding("", "note", f"passed over: {words}")


def _database(folder: Path) -> Finding:
    if not (folder / "events.db").exists():
        return Finding("database", "ok", "none yet, made with the first session")
    try:
        log = store.Store(folder, writes=False)
        try:
            sessions = log.sessions()
            flaws = {one: flaw for one in sessions if (flaw := log.verify(one)) is not None}
        finally:
            log.close()
    except EffectError as error:
        hint = "Ask again." if error.retry_may_help else "Move the folder away, or bring back a copy of it."
        return Finding("database", "wrong", str(error), hint)
    if flaws:
        name, flaw = next(iter(flaws.items()))
        hint = f"Show it with `agentos-lsp trace verify {name}`."
        return Finding("database", "wrong", f"{len(flaws)} traces were changed; {name}: {flaw.message}", hint)
    return Finding("database", "ok", f"{len(sessions)} sessions, every trace whole")


def _providers(known: models.Models) -> Iterable[Finding]:
    """Looks at each configured language model, without asking any of them a question.

    A provider that is down keeps no session from its start, so it is a note; settings that cannot be read are wrong.
    """

    async def look() -> tuple[Report, ...]:
        try:
            wanted = diagnosis.Wanted(latency=False)
            return await diagnosis.diagnose(known, wanted, lambda _done, _total, _message: None)
        finally:
            await known.close()

    try:
        reports = asyncio.run(look())
    except AgentosError as error:
        yield Finding("models", "wrong", str(error), "Mend the line that is named.")
        return
    if not reports:
        hint = f"`agentos.session.start` says what to write; the file is {known.file}."
        yield Finding("models", "note", "none is configured, so the built-in agent cannot work", hint)
    for report in reports:
        wrong = next((one for one in report.checks if one.standing in {"wrong", "note"}), None)
        told = "; ".join(one.words for one in report.checks if one.standing == "ok")
        subject = f"model {report.name}"
        if wrong is None:
            yield Finding(subject, "ok", f"{report.kind} at {report.address}: {told}")
        else:
            yield Finding(subject, "note", f"{report.kind} at {report.address}: {wrong.words}", wrong.remedy)
