"""What the targets of task runners would run, where the surroundings tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.domain.command import inside
from agentos_lsp.domain.command.inside import Code, Inner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.invocation import Invocation


# Runners that read the tasks of another one.
_KIN = {"gmake": "make", "yarn": "npm", "pnpm": "npm", "bun": "npm"}


def recipes(name: str, invocation: Invocation) -> Iterator[Inner]:
    """What a task runner's target would run, where the surroundings tell it."""
    known = invocation.surroundings.recipes
    if not known:
        return
    texts = [inside.text_of(argument) for argument in invocation.arguments]
    words = [text for text in texts if not text.startswith("-") and "=" not in text]
    if words[:1] in (["run"], ["run-script"], ["rum"]):
        words = words[1:]
    for target in words or ["default", "all", ""]:
        for runner in dict.fromkeys((name, _KIN.get(name, name))):
            recipe = known.get((runner, "test" if target in ("t", "tst") and runner == "npm" else target))
            if recipe is not None:
                yield Code(_shell_text(recipe, runner), recipe=True)
                break


def _shell_text(recipe: str, runner: str) -> str:
    """Writes a recipe as the shell sees it: make's own marks and variables are taken out."""
    if runner not in ("make", "gmake"):
        return recipe
    lines = [line.strip().lstrip("@-+").lstrip() for line in recipe.replace("\\\n", " ").splitlines()]
    text = "\n".join(lines).replace("$$", "\0")
    found: list[str] = []
    at = 0
    while (start := text.find("$", at)) >= 0:
        opening = text[start + 1 : start + 2]
        end = text.find(")" if opening == "(" else "}", start) if opening in ("(", "{") else start + 1
        if end < 0:
            break
        found.extend((text[at:start], "${_}"))
        at = end + 1
    found.append(text[at:])
    return "".join(found).replace("\0", "$")
