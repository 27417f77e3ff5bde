"""The short run of the shell grammar's fuzz target; `shell_grammar.py` is the long one."""

from __future__ import annotations

import shutil

import pytest

from agentos_lsp.domain.command import grammar, syntax
from tests.fuzz import mutations, printed, quotes, shell_grammar

needs_bash = pytest.mark.skipif(printed.bash() is None, reason="only bash 5.2 and later can print without executing")


def accepted(lines):
    return [(line, found) for line in lines if isinstance(found := grammar.parse(line), syntax.Script)]


@needs_bash
def test_no_mutated_line_means_something_else_to_bash():
    *_, summary = shell_grammar.run(5_000, seed=1, samples_refused=False)
    assert (summary.layout, summary.values) == ([], [])
    assert summary.accepted > 1_500
    assert summary.flat > 700
    assert summary.words > 5_000


@needs_bash
def test_every_seed_that_we_read_means_the_same_to_bash():
    read = accepted(mutations.seeds())
    assert len(read) > 200
    assert printed.compare([*read, *printed.backticks(read)]).differences == []
    assert quotes.differences(read)[0] == []


@needs_bash
def test_the_oracle_sees_a_tree_that_is_not_the_line_s():
    (_, other), (line, _) = accepted(["a b", "a; b"])
    found = printed.compare([(line, other)]).differences
    assert [difference.theirs for difference in found][-1] == "another layout"
    assert len(found) == 2


@needs_bash
def test_the_oracle_sees_a_line_that_bash_rejects_among_others():
    ((_, script),) = accepted(["a"])
    found = printed.compare([("a", script), ("fi", script), ("a", script), ("a 'b", script), ("a", script)])
    assert [(difference.line, difference.theirs) for difference in found.differences] == [
        ("fi", "rejected"),
        ("a 'b", "rejected"),
    ]


@needs_bash
def test_the_oracle_executes_nothing(tmp_path):
    touched = tmp_path / "touched"
    touch = shutil.which("touch")
    printed.layouts([f"{touch} {touched}", f"x=$({touch} {touched})", f": > {touched}", f"}} {touch} {touched}"])
    assert not touched.exists()


@needs_bash
def test_layouts_of_bash_that_are_not_shell_are_counted_and_not_taken_for_differences():
    lines = [
        "> f <<X b=c;ls;time b\nbody\nX",
        "if cat <<X; then ls; a;fi\nbody\nX",
        "$'a\\\\\\nb'",
        "until a \\&; do b; done",
    ]
    read = accepted(lines)
    assert len(read) == len(lines)
    compared = printed.compare(read)
    assert (compared.differences, compared.unclear) == ([], len(lines))


def test_shlex_sees_a_word_whose_quotes_were_read_wrongly():
    ((_, script),) = accepted(["a 'b c'"])
    word = script.items[0].pipelines[0].commands[0].words[1]
    assert quotes.static(word) == "b c"
    wrong = syntax.Word("'b  c'", word.parts, word.span)
    assert quotes.differences([("a", wrong)])[0] == [quotes.Difference("a", "'b  c'", "b c", "['b  c']")]
