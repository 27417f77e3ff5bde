"""What confines the demo's commands: that none is started. What its user trusts: nothing that outlives the demo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.domain.errors import InternalError
from agentos_lsp.effects.process.sandbox.standing import Standing
from agentos_lsp.effects.trust import digest_of

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime

    from agentos_lsp.domain.ids import CommitId
    from agentos_lsp.effects.git import intake, private
    from agentos_lsp.effects.git.repository import Checkout
    from agentos_lsp.effects.git.worktrees import Worktree
    from agentos_lsp.effects.process.sandbox.backends import Cage
    from agentos_lsp.effects.process.sandbox.plan import Place


class Nothing:
    """A backend for commands that are played; see `sandbox.backends.Backend`."""

    name = "the demo, which starts nothing"
    gaps: tuple[str, ...] = ()
    hides = False

    def cage(self, place: Place) -> Cage:
        """Is never asked: a cage is for what is started."""
        raise InternalError(f"Something was to be started in {place}, and the demo starts nothing.")


STANDING = Standing(Nothing(), (), ())


class NoGit:
    """The private git directory of a session whose commands are never started, see `effects.git.AgentsGit`: none."""

    is_there = False

    def make(self, worktree: Worktree, checkout: Checkout) -> str:
        """Is never asked: only a command that is started needs one."""
        raise _unasked(worktree, checkout)

    def remove(self) -> None:
        """Has nothing to remove."""

    def clear_remains(self, worktree: Worktree) -> None:
        """Has nothing to clear."""

    def look(self, worktree: Worktree) -> private.Position:
        """Is never asked, nor is what follows: there is none."""
        raise _unasked(worktree)

    def agree(self, commit: CommitId) -> None:
        """See `look`."""
        raise _unasked(commit)

    def put_back(self, worktree: Worktree, tip: CommitId, to: CommitId) -> None:
        """See `look`."""
        raise _unasked(worktree, tip, to)

    def held(self, worktree: Worktree, at: CommitId) -> AbstractContextManager[private.Hold]:
        """See `look`."""
        raise _unasked(worktree, at)

    def fetch(self, worktree: Worktree, tip: CommitId) -> intake.Incoming:
        """See `look`."""
        raise _unasked(worktree, tip)

    def take_in(self, worktree: Worktree, incoming: intake.Incoming) -> None:
        """See `look`."""
        raise _unasked(worktree, incoming)

    def drop(self, incoming: intake.Incoming) -> None:
        """See `look`."""
        raise _unasked(incoming)


def _unasked(*about: object) -> InternalError:
    return InternalError(f"The demo's sessions have no git directory of their own: {about}")


class Trust:
    """The person's trust as long as the demo lives; see `trust.Trusts`."""

    def __init__(self) -> None:
        self._digests: dict[str, str] = {}

    def covers(self, repository: str, content: bytes) -> bool:
        """Whether a person trusts these bytes."""
        return self._digests.get(repository) == digest_of(content)

    def add(self, repository: str, digest: str, by: str, at: datetime) -> None:
        """Trusts a content."""
        del by, at
        self._digests[repository] = digest

    def remove(self, repository: str) -> bool:
        """Takes trust back."""
        return self._digests.pop(repository, None) is not None
