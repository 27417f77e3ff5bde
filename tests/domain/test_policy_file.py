import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos_lsp.domain import policy, policy_file
from agentos_lsp.domain.command import allowlist

RULE = """
[[rule]]
name = "no-print"
action = "review"
pattern = '\\bprint\\('
paths = ["src/*.py"]
message = "Use the logger."
match = ["print(x)"]
not_match = ["pprint(x)"]
"""


def problems(text):
    return [(one.place.line, one.message) for one in policy_file.parse(text.encode()).problems]


def test_a_file_with_everything_in_it_becomes_a_policy():
    text = f"""
[rules]
secret = "review"
file-size = "note"
[commit]
protected_paths = ["deploy/*"]
max_file_bytes = 10
max_files = 3
generated_paths = ["gen/*"]
[message]
subject_length = 72
[git]
protected_branches = ["release"]
[commands]
allow = [["make", "test"]]
[[licence]]
text = "SPDX-License-Identifier: MIT"
paths = ["*.py"]
[[check]]
name = "tests"
run = "make test"
timeout_s = 60
{RULE}"""
    parsed = policy_file.parse(text.encode())
    assert parsed.problems == ()
    found = policy_file.loosened(policy.Policy(), parsed.file, vouched=True)
    base = policy.Policy()
    assert found == policy.Policy(
        actions={**policy.BUILT_IN, "secret": "review", "file-size": "note"},
        protected_paths=(*base.protected_paths, "deploy/*"),
        protected_branches=("main", "master", "release"),
        max_file_bytes=10,
        max_files=3,
        generated_paths=("gen/*",),
        licences=(policy.LicenceHeader("SPDX-License-Identifier: MIT", ("*.py",)),),
        subject_length=72,
        own=found.own,
        checks=(policy.Check("tests", "make test", 60.0, (), vouched=True),),
        allow=(allowlist.TokenPrefix(("make", "test")),),
    )
    assert [(one.name, one.action, one.paths) for one in found.own] == [("no-print", "review", ("src/*.py",))]


def test_everything_that_is_wrong_is_found_at_its_line():
    text = "[rules]\nsecret = 'off'\nsecrets = 'note'\n[commit]\nprotected_paths = [\n  'a',\n  3,\n]\n"
    assert problems(text) == [
        (1, "rules.secret: Input should be 'refuse', 'review' or 'note'"),
        (2, "rules.secrets: there is no such key"),
        (6, "commit.protected_paths.1: Input should be a valid string"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('match = ["print(x)"]', 'match = ["pprint(x)"]', 7, "finds nothing in its own example 'pprint(x)'"),
        ('not_match = ["pprint(x)"]', 'not_match = [\n  "a",\n  "print(1)"]', 10, "speaks against its own example"),
        ("'\\bprint\\('", "'print('", 4, "the expression cannot be used"),
        ("pattern = '\\bprint\\('", "", 1, "a rule needs a `pattern`"),
        ('"no-print"', '"secret"', 2, "a built-in rule has the name secret"),
        ('"no-print"', '"No Print"', 2, "should match pattern"),
    ],
)
def test_a_rule_of_ones_own_is_checked_with_its_examples(old, new, line, words):
    ((at, message),) = problems(RULE.replace(old, new, 1))
    assert (at, words in message) == (line, True), message


@pytest.mark.parametrize(
    ("given", "line", "words"),
    [
        ('tokens = ["npm", "test"]\nmatch = ["npm test -s"]\nnot_match = ["npm run x", "cd .. && npm test"]', None, ""),
        ('tokens = ["npm", "test"]\nfolder = "web"\nmatch = ["npm test"]\nnot_match = ["cd .. && npm test"]', None, ""),
        (
            'tokens = ["npm", "test"]\nmatch = ["npm run test"]',
            0,
            "does not let its own example `npm run test` through",
        ),
        ('tokens = ["npm", "test"]\nnot_match = ["npm test"]', 0, "`npm test` is let through, which `not_match` says"),
        ('tokens = ["rm"]\nmatch = ["rm -rf /"]', 0, "does not let its own example `rm -rf /` through"),
        ('tokens = ["python3"]', 0, "python3 runs any code it is given"),
        ('tokens = ["make", "x"]\nfolder = "/etc"', 2, "should match pattern"),
    ],
)
def test_an_allowed_prefix_is_held_to_what_it_says_of_itself(given, line, words):
    found = problems(f"[[commands.prefix]]\n{given}\n")
    assert [at for at, _ in found] == ([] if line is None else [line])
    assert all(words in message for _, message in found), found


def test_a_bare_prefix_that_must_not_be_stored_is_named_at_its_line():
    ((at, message),) = problems('[commands]\nallow = [\n  ["make", "test"],\n  ["bash"],\n]\n')
    assert (at, "commands.allow.1" in message) == (3, True)
    assert "bash runs any command it is given" in message


def test_two_rules_or_checks_of_one_name_are_told_apart():
    assert [line for line, _ in problems(RULE + RULE)] == [RULE.count("\n") + 2]
    check = '[[check]]\nname = "a"\nrun = "x"\n'
    assert problems(check + check) == [(4, "check.1.name: another check of this file has the name a")]


def test_an_example_of_every_subject_is_understood():
    for on, match, not_match in (
        ("line", "secret = 1", "x = 1"),
        ("file", "a\nsecret\nb", "a\nb"),
        ("path", "src/secret.py", "src/a.py"),
        ("subject", "secret: x", "x\n\nsecret"),
        ("message", "x\n\nsecret", "x"),
    ):
        text = f'[[rule]]\nname = "r"\non = "{on}"\npattern = "secret"\n'
        assert problems(f"{text}match = [{json.dumps(match)}]\nnot_match = [{json.dumps(not_match)}]\n") == []


def test_the_schema_describes_every_key():
    made = policy_file.schema()
    tables = {"": made, **made["$defs"]}
    for name, table in tables.items():
        assert table["additionalProperties"] is False, name
        for key, value in table["properties"].items():
            named = tables.get(value.get("$ref", "").rpartition("/")[2], value) if "$ref" in value else value
            assert named.get("description"), (name, key)
    assert set(tables["RulesTable"]["properties"]) == set(policy.BUILT_IN)
    json.dumps(made)


@given(st.binary(max_size=80) | st.text("[]=\"'\n {}abcules123.", max_size=80).map(str.encode))
def test_no_bytes_at_all_stop_the_reader(content):
    parsed = policy_file.parse(content)
    assert (parsed.file is None) == bool(parsed.problems)


@pytest.mark.parametrize("value", [b"1" * 5000, b"[" * 50_000])
def test_a_number_or_nesting_beyond_what_python_reads_is_a_problem(value):
    assert policy_file.parse(b"x = " + value).problems
