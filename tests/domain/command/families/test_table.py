"""What holds for every program: an answer for any arguments, and no harmlessness by disguise."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from agentos_lsp.domain.command import families
from agentos_lsp.domain.command.effects import Deletes, Executes, Reads, ReadsOnly, Unrecognised
from agentos_lsp.domain.command.families import table
from agentos_lsp.domain.command.invocation import Glob, Invocation, Known, Prefix, Unknown
from agentos_lsp.domain.command.surroundings import Surroundings
from agentos_lsp.domain.command.syntax import Span

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentos_lsp.domain.command.effects import Effect

HERE = Surroundings(
    cwd="/code/tree",
    worktree="/code/tree",
    scratch=("/scratch",),
    links={"/code/tree/out": "/etc", "/code/tree/round": "/code/tree/round"},
    branch="topic",
    aliases={"st": "status", "loop": "loop", "sh": "!date", "odd": "'"},
)
TEXTS = st.sampled_from(
    """
    - -- -rf -o --output --output= = -f / .. a/b http://x x:y @ @/ + +: : -c -e -C -n push clean worktree
    remove add config stash
    list {} ; + -exec -delete s/a/b/ s| -i tag run -v /:/x -1 [::1 [ ] http://[ % \\ ( ! compose foreach
    --= -TT @x ~ .git -fprintf
    """.split()  # noqa: SIM905 - a table reads better
) | st.text(max_size=12)
ARGUMENTS = st.one_of(
    TEXTS.map(Known),
    TEXTS.map(Known),
    TEXTS.map(lambda text: Glob(f"{text}*", text)),
    st.builds(Prefix, TEXTS, st.booleans()),
    st.builds(Unknown, TEXTS, st.booleans()),
)


def invocation(
    name: str, arguments: list[object], *, program: str | None = None, cwd: str | None = "/code/tree"
) -> Invocation:
    return Invocation(
        program=Known(program if program is not None else name),
        name=name,
        arguments=tuple(arguments),  # type: ignore[arg-type]  # the strategy makes arguments only
        assignments=(),
        cwd=cwd,
        wrappers=(),
        reads_pipe=False,
        stdin=None,
        span=Span(0, 0),
        text="",
        surroundings=HERE,
    )


@given(
    st.sampled_from([*sorted(table.PROGRAMS), "python3.12", "RM", "frob", ""]),
    st.lists(ARGUMENTS, max_size=7),
    st.sampled_from(["/code/tree", "/code/tree/sub", "/elsewhere", None]),
)
@settings(max_examples=1500, deadline=None)
def test_any_program_with_any_arguments_has_an_answer(name: str, arguments: list[object], cwd: str | None) -> None:
    found = table.effects(invocation(name, arguments, cwd=cwd))
    assert found
    assert ReadsOnly() not in found or all(isinstance(effect, (Reads, ReadsOnly)) for effect in found)


@given(st.sampled_from(sorted(table.PROGRAMS)), st.lists(ARGUMENTS, max_size=4))
@settings(max_examples=500, deadline=None)
def test_a_program_of_the_worktree_is_never_harmless_and_does_what_its_name_does(
    name: str, arguments: list[object]
) -> None:
    system = table.effects(invocation(name, arguments))
    own = table.effects(invocation(name, arguments, program=f"./{name}"))
    assert Executes(f"./{name} is a program in the worktree") in own
    assert ReadsOnly() not in own
    assert {effect for effect in system if not isinstance(effect, ReadsOnly)} <= set(own)


def test_a_name_in_another_case_or_with_a_version_is_the_same_program_but_not_certainly() -> None:
    assert table.effects(invocation("CAT", [Known("a")])) == (
        *[effect for effect in table.effects(invocation("cat", [Known("a")])) if isinstance(effect, Reads)],
        Unrecognised("CAT is not certainly cat, or has too many arguments"),
    )
    assert table.find("python3.12")[0] is table.find("python")[0]
    assert table.find("mkfs.xfs")[0] is table.find("mkfs")[0]
    assert table.find("frobnicate") == (None, False)


def test_a_program_that_cannot_be_known_is_not_known() -> None:
    found = table.effects(invocation("", []))
    assert all(isinstance(effect, Unrecognised) for effect in found)


def test_among_very_many_arguments_the_one_that_matters_is_found() -> None:
    def told(*words: str) -> tuple[Effect, ...]:
        return table.effects(invocation("rm", [Known(word) for word in words]))

    many = [f"a{i}" for i in range(3000)]
    found = told(*many[:1500], "/etc", *many[1500:], "-r")
    assert any(isinstance(effect, Deletes) and effect.target.path == "/etc" and effect.recursive for effect in found)
    assert any(isinstance(effect, Unrecognised) for effect in found)


def test_asking_for_the_version_is_harmless_unless_the_verb_decides(check: Callable[[str], None]) -> None:
    check("""
        git --version                => reads only
        frob --version               => not known
        kill --version               => signals
        ./git --version              => runs
    """)


def test_every_family_names_its_sources() -> None:
    own = {"rows", "table", "verbs", "__init__"}
    for module in pkgutil.iter_modules(families.__path__):
        if module.name not in own:
            source = importlib.import_module(f"{families.__name__}.{module.name}").__loader__.get_source(None)  # type: ignore[union-attr]
            assert re.search(r"Source: \w", source), module.name
