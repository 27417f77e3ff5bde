import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos_lsp.domain import policy, policy_file, policy_help

FILE = """\
[rules]
secret = "note"
bin
[[rule]]
name = "x"
on = "li"

"""


def labels(text, line, column):
    return [one.label for one in policy_help.suggest(text, line, column)]


@pytest.mark.parametrize(
    ("line", "column", "begins"),
    [
        (0, 2, "**rules**"),
        (1, 2, "**rules.secret**\n\nA new line looks like a credential"),
        (1, 12, "**rules.secret**"),
        (3, 3, "**rule**"),
        (5, 1, "**rule.on**"),
    ],
)
def test_a_key_a_value_and_a_table_are_explained(line, column, begins):
    assert policy_help.explain(FILE, line, column).text.startswith(begins)


def test_what_is_unknown_is_not_explained():
    assert policy_help.explain("[nothing]\nx = 1\n", 1, 0) is None
    assert policy_help.explain(FILE, 6, 0) is None


def test_every_built_in_rule_is_suggested_but_those_that_are_there():
    assert set(labels(FILE, 2, 3)) == set(policy.BUILT_IN) - {"secret"}


def test_keys_begin_with_a_value_of_their_kind():
    assert [one.text for one in policy_help.suggest(FILE, 6, 0)] == [
        'action = "refuse"',
        'pattern = ""',
        'expect = "absent"',
        "paths = []",
        'message = ""',
        "match = []",
        "not_match = []",
    ]


def test_words_are_suggested_as_values():
    assert labels(FILE, 5, 8) == ['"line"', '"file"', '"path"', '"subject"', '"message"']
    assert labels("[rules]\nsecret = ", 1, 9) == ['"refuse"', '"review"', '"note"']
    assert labels("[commit]\nmax_files = ", 1, 12) == []


def test_tables_are_suggested_where_one_begins():
    expected = {"[rules]", "[commit]", "[message]", "[git]", "[commands]", "[[licence]]", "[[check]]", "[[rule]]"}
    assert expected <= set(labels("[\n", 0, 1))
    assert labels("", 0, 0) == labels("[\n", 0, 1)


@given(st.text('[]"= abrules.\n', max_size=40), st.integers(0, 6), st.integers(0, 12))
def test_no_text_at_all_stops_the_helper(text, line, column):
    for one in policy_help.suggest(text, line, column):
        assert one.text
    policy_help.explain(text, line, column)


def test_what_is_suggested_for_an_empty_file_can_be_read():
    for header in labels("", 0, 0):
        table = header.strip("[]")
        text = f"{header}\n"
        for one in policy_help.suggest(f"{header}\n\n", 1, 0):
            filled = one.text if not one.text.endswith("= ") else f"{one.text}1"
            parsed = policy_file.parse(f"{text}{filled}\n".encode())
            assert not [problem for problem in parsed.problems if "no such key" in problem.message], (table, one)
