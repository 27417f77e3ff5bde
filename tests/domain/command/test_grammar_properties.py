"""What holds for every text that the grammar is given."""

from __future__ import annotations

import time
from dataclasses import fields, is_dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentos_lsp.domain.command import grammar, lexer
from agentos_lsp.domain.command.syntax import Opaque, Script, Simple, Span, Word
from tests.domain.command.rendering import rendered

# 64 KiB of each of these took under 50 ms on the machine that it was written on; a quadratic reader takes minutes.
_GENEROUS_S = 1.0
_SHELL = st.text(alphabet=" \n\t;&|()<>{}[]!#$'\"`\\=~*?-+,.:/@%^_abx019é", max_size=60)
_TOKENS = st.lists(
    st.sampled_from(
        [
            *(
                "a",
                "b=c",
                "'q'",
                '"$x"',
                "$(",
                ")",
                "(",
                "{ ",
                "; }",
                ";",
                "&&",
                "|",
                "&",
                "\n",
                " ",
                "\\\n",
                "`",
                "$((",
                "))",
            ),
            *(
                "if ",
                "; then ",
                "; fi",
                "for x in ",
                "; do ",
                "; done",
                "case x in ",
                ";;",
                " esac",
                "f() ",
                "[[ ",
                " ]]",
                "!",
            ),
            *("<<E\n", "\nE\n", "<<'E'", ">f", "2>&1", "<(", "${x:-", "}", "a=(", "#", "\\", "time ", "é", "\u202e"),
        ],
    ),
    max_size=25,
).map("".join)
_PLAIN = st.text(alphabet="abcxyz019_./:@%+,-", min_size=1, max_size=8).filter(lambda word: word not in ("-", "."))


def nodes(node):
    yield node
    if isinstance(node, tuple):
        for part in node:
            yield from nodes(part)
    elif is_dataclass(node):
        for field in fields(node):
            yield from nodes(getattr(node, field.name))


@given(st.one_of(_SHELL, _TOKENS, st.text(max_size=60), st.text(st.characters(), max_size=60)))
@settings(max_examples=600)
def test_every_text_is_read_or_refused_and_every_span_lies_in_it(line):
    found = grammar.parse(line)
    assert isinstance(found, Script | Opaque)
    if isinstance(found, Opaque):
        assert found.reason
    for node in nodes(found):
        if isinstance(node, Span):
            assert 0 <= node.start <= node.end <= len(line)


@given(st.one_of(_SHELL, _TOKENS))
@settings(max_examples=400)
def test_a_word_is_the_text_that_its_span_names_or_lies_in_it(line):
    for node in nodes(grammar.parse(line)):
        if isinstance(node, Word):
            text = line[node.span.start : node.span.end]
            assert node.raw == text or "`" in text or "<<" in line


@given(st.lists(_PLAIN, min_size=1, max_size=6), st.sampled_from([" ", "\t", "  ", " \\\n"]))
def test_blanks_of_any_kind_only_separate_words(words, blank):
    if "=" not in words[0] and words[0] not in lexer.RESERVED:
        assert rendered(blank.join(words)) == rendered(" ".join(words))


@given(st.text(st.characters(exclude_characters="'\x01", exclude_categories=["C", "Z"]), max_size=30))
def test_what_is_in_single_quotes_is_one_quoted_text(text):
    found = grammar.parse(f"a '{text}'")
    if isinstance(found, Script):
        (_, word) = found.items[0].pipelines[0].commands[0].words
        assert [(part.value, part.quoted) for part in word.parts] == [(text, True)]


@given(_TOKENS, _TOKENS)
@settings(max_examples=300)
def test_reading_two_lines_is_reading_one_and_then_the_other(first, second):
    one, other = grammar.parse(first), grammar.parse(second)
    both = grammar.parse(f"{first}\n{second}")
    if isinstance(one, Script) and isinstance(other, Script):
        assert isinstance(both, Script)
        assert simple_commands(both) == simple_commands(one) + simple_commands(other)


def simple_commands(script):
    return [tuple(word.raw for word in node.words) for node in nodes(script) if isinstance(node, Simple)]


@pytest.mark.parametrize(
    "character", [chr(code) for code in range(32) if chr(code) not in "\t\n"] + ["\x7f", "\x85", "\xa0"]
)
def test_no_control_character_or_foreign_blank_is_let_in_and_the_reason_names_it(character):
    found = grammar.parse(f"a {character} b")
    assert isinstance(found, Opaque)
    assert f"U+{ord(character):04X}" in found.reason
    assert found.span == Span(2, 3)


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "a",
            "a ",
            "a;",
            "$a",
            '"',
            "'",
            "''",
            "\\a",
            "\\\n",
            "a\\\n",
            "`",
            "$(",
            "(",
            "{ ",
            "((",
            "$((",
            "${a:-",
            "a=(",
            "<(",
        ),
        *(
            ">a ",
            "<<a ",
            "<<a\n",
            "\n",
            "#\n",
            "a\n",
            "[[ ",
            "[[ a && ",
            "! ",
            "time ",
            "if a;then ",
            "case a in a) ",
            "a|",
        ),
        *(
            "f() ",
            "\t",
            "é",
            "\u202e",
            "a[",
            "{a",
            "a=1 ",
            "$'\\n'",
            '"$a"',
            "0>",
            "1",
            "a<<b\nb\n",
            '"\\"',
            "\0",
            "\ud800",
        ),
        *("\u2764\ufe0f\u200d", "[[ ( ", "x[0]=1 ", "a)", "\\`", "${x//\\a", '${x:-""'),
    ],
)
def test_sixty_four_kibibytes_of_anything_are_read_in_linear_time(unit):
    line = (unit * (lexer.MOST_CHARACTERS // len(unit) + 1))[: lexer.MOST_CHARACTERS]
    start = time.process_time()
    assert isinstance(grammar.parse(line), Script | Opaque)
    assert time.process_time() - start < _GENEROUS_S


@pytest.mark.parametrize(
    "line",
    [
        '"' + '\\"' * 32_000 + '"',
        "cat <<E\n" + "\n" * 65_000 + "E\n",
        "cat <<-E\n" + "\t\n" * 32_000 + "E\n",
        "cat <<E\n" + "\\$" * 32_000 + "\nE\n",
        "cat <<E\n" + "\\\n" * 32_000 + "\nE\n",
        "echo $((" + "(1)+" * 16_000 + "1))",
        "a " + "<<a " * 4_000 + "\n" + "a\n" * 4_000,
        "`" + "\\\\" * 32_000 + "`",
        "a=(" + "b " * 32_000 + ")",
    ],
)
def test_long_inner_texts_are_read_in_linear_time(line):
    start = time.process_time()
    assert isinstance(grammar.parse(line), Script | Opaque)
    assert time.process_time() - start < _GENEROUS_S


def test_a_nearly_full_stack_of_the_caller_is_a_refusal_and_not_an_error():
    line = "( " * 20 + "a" + " )" * 20

    def parse_below(levels):
        return parse_below(levels - 1) if levels else grammar.parse(line)

    def first_refusal():
        levels = 300
        while isinstance(found := parse_below(levels), Script):
            levels += 5
        return found

    assert first_refusal() == Opaque("there is no room left to read the line", Span(0, len(line)))
