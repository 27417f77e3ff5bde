"""The reader of options: bundles, abbreviations, values, and words that are not certain."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from agentos_lsp.domain.command import options
from agentos_lsp.domain.command.invocation import Glob, Known, Prefix, Unknown
from agentos_lsp.domain.command.options import Given, Parsed

RULES = options.grammar("-r,-R,--recursive -f,--force -o,--output=w -i? --color? --colour=x -n= --no-color -#")


def parse(line: str) -> Parsed:
    return options.parse(RULES, tuple(Known(word) for word in line.split()))


def given_by(line: str) -> list[tuple[str, str | None]]:
    return [(each.name, each.value.text if isinstance(each.value, Known) else None) for each in parse(line).given]


def test_short_options_may_be_bundled_and_stand_anywhere() -> None:
    assert parse("a -rf b") == Parsed(
        (Given("--recursive", "", None), Given("--force", "", None)), (Known("a"), Known("b")), (), False, False
    )


def test_a_value_is_attached_or_the_next_word() -> None:
    assert given_by("-ox") == [("--output", "x")]
    assert given_by("-fo x") == [("--force", None), ("--output", "x")]
    assert given_by("--output=x") == [("--output", "x")]
    assert given_by("--output x") == [("--output", "x")]
    assert given_by("-o") == [("--output", None)]
    assert given_by("-o -f") == [("--output", "-f")]


def test_an_optional_value_is_attached_only() -> None:
    assert given_by("-i.bak -i x") == [("-i", ".bak"), ("-i", None)]
    assert given_by("--color --color=x") == [("--color", None), ("--color", "x")]


def test_a_long_option_may_be_shortened_as_long_as_it_is_unambiguous() -> None:
    assert given_by("--rec --out x --no") == [("--recursive", None), ("--output", "x"), ("--no-color", None)]


def test_an_ambiguous_abbreviation_counts_as_all_of_its_meanings() -> None:
    parsed = parse("--col=x")
    assert [each.name for each in parsed.given] == ["--color", "--colour"]
    assert parsed.strange == ("--col=x",)


def test_an_exact_name_is_not_ambiguous() -> None:
    assert parse("--color").strange == ()


def test_two_dashes_end_the_options() -> None:
    parsed = parse("-r -- -f")
    assert (parsed.operands, parsed.has("--force")) == ((Known("-f"),), False)


def test_one_dash_is_an_operand_and_numbers_may_be_options() -> None:
    assert parse("- -5").operands == (Known("-"),)
    assert parse("-5").strange == ()


def test_what_is_not_known_is_told_and_hides_nothing() -> None:
    parsed = parse("-xr --frob")
    assert parsed.strange == ("-x", "--frob")
    assert parsed.has("--recursive")


def test_operands_end_the_options_where_they_do_not_permute() -> None:
    rules = options.grammar("-f", permutes=False)
    assert options.parse(rules, (Known("a"), Known("-f"))).operands == (Known("a"), Known("-f"))


def test_long_names_with_one_dash() -> None:
    rules = options.grammar("-name= -print", words=True)
    parsed = options.parse(rules, (Known("-name"), Known("x"), Known("-print"), Known("--name=y")))
    assert [each.name for each in parsed.given] == ["-name", "-print", "-name"]


def test_a_word_that_may_be_an_option_is_told() -> None:
    assert options.parse(RULES, (Unknown("$x", quoted=False),)).unsure
    assert options.parse(RULES, (Unknown("$x", quoted=True),)).unsure
    assert options.parse(RULES, (Prefix("a", quoted=False),)).unsure
    assert not options.parse(RULES, (Prefix("a", quoted=True),)).unsure
    assert options.parse(RULES, (Prefix("-", quoted=True),)).unsure
    assert options.parse(RULES, (Prefix("--out", quoted=True),)).unsure
    assert options.parse(RULES, (Glob("*.py", ""),)).globbed
    assert not options.parse(RULES, (Glob("src/*.py", "src"),)).globbed
    assert not options.parse(RULES, (Known("--"), Unknown("$x", quoted=False))).unsure


def test_a_value_that_may_become_several_words_is_told() -> None:
    assert options.parse(RULES, (Known("-n"), Unknown("$x", quoted=False))).unsure
    assert not options.parse(RULES, (Known("-n"), Unknown("$x", quoted=True))).unsure


def test_a_value_is_as_certain_as_its_word() -> None:
    parsed = options.parse(RULES, (Prefix("--output=/etc/", quoted=True), Prefix("-o", quoted=True)))
    assert parsed.values("--output") == (Prefix("/etc/", quoted=True), Unknown("-o", quoted=True))


@given(st.lists(st.text(alphabet="-rfonix=5a", max_size=6), max_size=6))
@settings(max_examples=300, deadline=None)
def test_no_word_is_lost(words: list[str]) -> None:
    parsed = options.parse(RULES, tuple(Known(word) for word in words))
    plain = [word for word in words if not word.startswith("-")]
    kept = [word.text for word in parsed.operands if isinstance(word, Known)]
    values = [each.value.text for each in parsed.given if isinstance(each.value, Known)]
    assert all(word in kept or word in values for word in plain)
