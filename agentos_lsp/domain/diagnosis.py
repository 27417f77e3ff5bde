"""What was found out about each configured language model, as values and as a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from agentos_lsp.domain import review

if TYPE_CHECKING:
    from collections.abc import Iterable

Standing = Literal["ok", "note", "wrong", "skipped"]

PROBE_WORDS = (
    *("apple", "river", "stone", "cloud", "green", "table", "music", "paper", "light", "house"),
    *("water", "bread", "chair", "plant", "horse", "glass", "field", "storm", "radio", "metal"),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `key` is the setting that is wrong, empty if none is."""

    subject: str
    standing: Standing
    words: str
    remedy: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All that was looked at of one provider."""

    name: str
    kind: str
    address: str
    model: str
    checks: tuple[Check, ...]

    @property
    def standing(self) -> Standing:
        """The worst of its checks."""
        found = {check.standing for check in self.checks}
        return "wrong" if "wrong" in found else "note" if "note" in found else "ok"


def page(reports: Iterable[Report], settings_file: str) -> str:
    """Returns `agentos://providers.md`."""
    lines = ["# Language models", "", f"Settings: {settings_file}", ""]
    found = list(reports)
    if not found:
        lines += ["None is configured. docs/providers.md says how."]
    for report in found:
        lines += [f"## {report.name} [{report.standing}]", "", f"{report.kind} at {report.address}, {report.model}", ""]
        for check in report.checks:
            lines.append(f"- {check.subject} [{check.standing}] {check.words}")
            if check.remedy:
                lines.append(f"    {check.remedy}")
        lines.append("")
    return "\n".join(review.visible(line) for line in lines).rstrip("\n") + "\n"


def probe(count: int) -> str:
    """Returns a text of so many plain words, none of which a tokenizer in use joins with the next."""
    size = len(PROBE_WORDS)
    return " ".join(PROBE_WORDS[(number * 7 + number // size) % size] for number in range(count))


def bytes_in_words(size: int) -> str:
    """Returns a size as a person reads it."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"
