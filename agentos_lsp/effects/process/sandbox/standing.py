"""What this machine can hold, found out by trying; and what a session gets, given what the policy asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentos_lsp.domain.errors import UserError
from agentos_lsp.effects.process.sandbox import canary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agentos_lsp.domain.confined import ConfinementLevel
    from agentos_lsp.effects.process.sandbox.backends import Backend, Cage
    from agentos_lsp.effects.process.sandbox.plan import Place

NOTHING = ("everything: commands run with your rights",)


@dataclass(frozen=True, slots=True)
class Standing:
    """What was found: the best backend, what its canary could still do, and why the others were passed over."""

    backend: Backend | None
    missing: tuple[str, ...]
    passed_over: tuple[str, ...]

    @property
    def level(self) -> ConfinementLevel:
        """The level that the machine can have."""
        return "enforced" if self.holds_all else "best-effort"

    @property
    def holds_all(self) -> bool:
        """Whether the canary could not get out."""
        return self.backend is not None and not self.missing


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a session gets; `missing` is what does not hold, in words."""

    level: ConfinementLevel
    backend: Backend | None
    missing: tuple[str, ...]
    refusal: str = ""
    """Why no command may start, empty if they may."""

    @property
    def by(self) -> str:
        """What holds it, in words."""
        return "nothing" if self.backend is None else self.backend.name

    def cage(self, place: Place) -> Cage | None:
        """Works out the cage of one session; None if its commands run unconfined.

        Raises:
            UserError: The policy demands what this machine cannot hold.
            OSError: It cannot be had any more.
        """
        if self.refusal:
            hint = 'Set `level = "best-effort"` under [confinement] in your own policy, or mend what is missing.'
            raise UserError(self.refusal, f"`agentos-lsp doctor` says what is missing. {hint}")
        return None if self.backend is None else self.backend.cage(place)


def look(folder: Path, candidates: Sequence[Backend]) -> Standing:
    """Tries the candidates one after another, and stops at the first whose canary does not get out.

    Args:
        folder: Where canaries may put files of their own.
        candidates: The best first.
    """
    passed_over: list[str] = []
    best: tuple[Backend, tuple[str, ...]] | None = None
    for backend in candidates:
        try:
            wrong = canary.probe(backend, folder)
        except OSError as error:
            passed_over.append(f"{backend.name}: {error.strerror or error}")
            continue
        if not wrong:
            return Standing(backend, (), tuple(passed_over))
        words = tuple(canary.WORDS[name] for name in wrong)
        passed_over.append(f"{backend.name}: does not hold {', '.join(words)}")
        if "work" not in wrong and (best is None or len(wrong) < len(best[1])):
            best = (backend, words)
    if best is None:
        return Standing(None, NOTHING, tuple(passed_over))
    return Standing(best[0], best[1], tuple(passed_over))


def choose(wanted: ConfinementLevel, standing: Standing | None) -> Chosen:
    """Returns what a session gets.

    Args:
        wanted: What the policy asks for; `best-effort` takes all that there is, which may be `enforced`.
        standing: What the machine can hold; None if nobody needed to look, because it is off.
    """
    if wanted == "off" or standing is None:
        return Chosen("off", None, NOTHING)
    if standing.backend is None:
        gaps: tuple[str, ...] = NOTHING
    else:
        gaps = tuple(dict.fromkeys((*standing.missing, *standing.backend.gaps)))
    level = standing.level
    refusal = ""
    if wanted == "enforced" and level != "enforced":
        refusal = "The policy demands that commands are confined, and this machine cannot hold it."
        level = "enforced"
    return Chosen(level, standing.backend, gaps, refusal)
