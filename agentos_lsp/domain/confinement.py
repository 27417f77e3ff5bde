"""What the operating system holds of a session's commands, as it was found when the session got its doors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agentos_lsp.domain.confined import ConfinementLevel
from agentos_lsp.domain.event import Event


class ConfinementChosen(Event):
    """What holds below the classifier from here on: the level, what holds it, and what does not hold, in words."""

    type: Literal["confinement.chosen"] = "confinement.chosen"
    level: ConfinementLevel
    by: str
    missing: tuple[str, ...]
    refusal: str


@dataclass(frozen=True, slots=True)
class Standing:
    """The same as a value; `refusal` says why no command may start, empty if they may."""

    level: ConfinementLevel
    by: str
    missing: tuple[str, ...]
    refusal: str = ""


def lines(one: Standing | None) -> tuple[str, ...]:
    """Says it on the session's page; nothing before it is known."""
    if one is None:
        return ()
    if one.refusal:
        return (f"Confinement: NO COMMAND STARTS. {one.refusal}", *(f"    missing: {words}" for words in one.missing))
    if one.level == "off":
        return ("Confinement: OFF, by your own settings: commands run with your rights",)
    first = f"Confinement: {one.level}, by {one.by}"
    return (first, *(f"    does not hold: {words}" for words in one.missing))
