"""The policy in force: built-in, the person's file, and a repository's, with what the person trusts."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp.domain import policy, policy_file, toml_places
from agentos_lsp.domain.errors import AgentosError, ConfigError, UserError
from agentos_lsp.effects import config, trust
from agentos_lsp.runtime import doors

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from agentos_lsp.effects.git import Git
    from agentos_lsp.effects.git.repository import Checkout

REPOSITORY_FILE = config.REPOSITORY_FILE


@dataclass(frozen=True, slots=True)
class Source:
    """A policy file that counts, by the digest of its bytes; `trusted` where it may loosen."""

    file: str
    digest: str
    trusted: bool


@dataclass(frozen=True, slots=True)
class InForce:
    """A policy with where it came from, and what of the repository's file would loosen it and is passed over."""

    rules: policy.Policy
    sources: tuple[Source, ...] = ()
    passed_over: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Looked:
    """A policy as a person looks at it: with the text of a repository's file as it is in the checkout now."""

    in_force: InForce
    root: str
    repository: str
    file: str
    digest: str
    """Empty where the repository has no file."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What there is to say about the text of a policy file in an editor.

    `passed_over` are the places of keys that would loosen. `repository` is the folder that the file governs, empty for
    the person's own; `digest` names the text, and `is_saved` says that the file on the disk holds the same.
    """

    problems: tuple[policy_file.Problem, ...]
    passed_over: tuple[toml_places.Place, ...] = ()
    repository: str = ""
    digest: str = ""
    trusted: bool = False
    is_saved: bool = False


class Policies:
    """Reads and trusts policy files.

    Args:
        user: Where the person's own file would be, None for nobody's.
        trusted: What they trust.
        now: The clock.
        git: The door; None for the one to this machine.
    """

    def __init__(
        self, user: Path | None, trusted: trust.Trusts, now: Callable[[], datetime], git: Git | None = None
    ) -> None:
        self.user = user
        self._trust = trusted
        self._now = now
        self._git = git or doors.real().git

    def load(self, repository: str, content: bytes | None) -> InForce:
        """Combines the files that count for a repository.

        Args:
            repository: Its common git folder, absolute.
            content: The bytes of its own file, None if it has none.

        Raises:
            ConfigError: A file cannot be used; names its line.
        """
        sources: list[Source] = []
        hooks = self._git.hooks_folder(repository)
        extra = (f"{hooks}/*",) if hooks else ()
        own = self.user.read_bytes() if self.user is not None and self.user.is_file() else None
        if own is not None:
            sources.append(Source(str(self.user), trust.digest_of(own), trusted=True))
        if content is None:
            rules = config.load_policy(None, self.user)
            return InForce(replace(rules, hook_paths=extra), tuple(sources))
        trusted = self._trust.covers(repository, content)
        sources.append(Source(REPOSITORY_FILE, trust.digest_of(content), trusted))
        rules = config.load_policy(content, self.user, trusted=trusted)
        return InForce(replace(rules, hook_paths=extra), tuple(sources), () if trusted else self.passed_over(content))

    def passed_over(self, content: bytes) -> tuple[str, ...]:
        """Says what in a repository's file would loosen the policy, if it were trusted.

        Raises:
            ConfigError: A file cannot be used.
        """
        base = config.load_policy(None, self.user)
        wanted = policy_file.loosened(base, config.read(REPOSITORY_FILE, content), vouched=False)
        return policy.passed_over(base, wanted)

    def look(self, folder: str) -> Looked:
        """Returns the policy that a session would begin with in a folder, if its files were committed as they are.

        Raises:
            UserError: It is in no repository.
            ConfigError: A file cannot be used.
        """
        checkout = self._git.probe(folder)
        content = _content(checkout)
        digest = "" if content is None else trust.digest_of(content)
        file = str(Path(checkout.root, REPOSITORY_FILE))
        return Looked(self.load(checkout.common_dir, content), checkout.root, checkout.common_dir, file, digest)

    def examine(self, file: str, text: str) -> Examined:
        """Says everything about the text of a policy file that an editor shows; never raises for its content."""
        content = text.encode("utf-8", "surrogatepass")
        parsed = policy_file.parse(content)
        if file == str(self.user):
            return Examined(parsed.problems)
        try:
            folder = str(Path(file).parent.parent)
            repository = self._git.probe(folder).common_dir
            saved = Path(file).is_file() and Path(file).read_bytes() == content
        except (AgentosError, OSError):
            return Examined(parsed.problems)
        trusted = self._trust.covers(repository, content)
        over: tuple[str, ...] = ()
        if not parsed.problems and not trusted:
            # A broken file of the person's own is told where it is open.
            with contextlib.suppress(ConfigError):
                over = self.passed_over(content)
        places = tuple(toml_places.find(text, tuple(key.partition(" = ")[0].split("."))) for key in over)
        return Examined(parsed.problems, places, folder, trust.digest_of(content), trusted, saved)

    def trust(self, folder: str, digest: str, by: str) -> Looked:
        """Trusts the policy file of a repository, if it still is the one that the person saw.

        Raises:
            UserError: It is another one by now, or there is none.
            ConfigError: It cannot be used.
        """
        looked = self.look(folder)
        if not looked.digest:
            raise UserError("The repository has no policy file.", f"Write {REPOSITORY_FILE} first.")
        if looked.digest != digest:
            raise UserError("The policy file has changed since you saw it.", "Read it again, then trust it.")
        self._trust.add(looked.repository, digest, by, self._now())
        return self.look(folder)

    def untrust(self, folder: str) -> tuple[Looked, bool]:
        """Takes the trust in a repository's policy back; tells whether there was any.

        Raises:
            UserError: The folder is in no repository.
            ConfigError: A file cannot be used.
        """
        checkout = self._git.probe(folder)
        there_was = self._trust.remove(checkout.common_dir)
        return self.look(folder), there_was


def _content(checkout: Checkout) -> bytes | None:
    file = Path(checkout.root, REPOSITORY_FILE)
    if not file.is_file():
        return None
    with file.open("rb") as opened:
        # One byte more than is allowed, so that the reader says that it is too large.
        return opened.read(policy_file.MAX_FILE_BYTES + 1)
