"""What the built-in rules find in a change, and what they let pass."""

import pytest

from agentos_lsp.domain import policy
from agentos_lsp.domain.inspection import contents, inspect, paths, rule, secrets

SECRET = secrets.KINDS[3].finds[0]


def added(path, *lines):
    text = "".join(f"{line}\n" for line in lines).encode()
    return policy.ChangedFile(path, text, len(text), tuple(enumerate(lines)))


def check(files, expected, rules=None, message=None):
    found = inspect.inspect(files, rules or policy.Policy(), message=message)
    assert [(finding.rule, finding.action, finding.path, finding.line) for finding in found] == expected


def test_an_ordinary_change_has_no_findings():
    check([added("src/a.py", "x = 1"), added("README.md", "# A"), added("tests/test_a.py", "def test(): pass")], [])


@pytest.mark.parametrize("one", inspect.RULES, ids=lambda one: one.name)
def test_each_rule_keeps_to_its_own_examples(one):
    assert inspect.failures(one) == []
    assert one is inspect.CHECK or (one.finds and one.passes)


def test_a_rule_that_breaks_its_examples_is_named():
    broken = rule.Rule("secret", "Nothing.", of_file=lambda _file, _rules: iter(()), finds=(rule.touched("a"),))
    assert inspect.failures(broken) == ["policy.secret does not find a b'x\\n'"]


def test_every_built_in_word_has_a_rule_and_every_rule_a_word():
    assert sorted(one.name for one in inspect.RULES) == sorted(policy.BUILT_IN)


def test_the_action_of_a_rule_is_what_the_policy_says():
    rules = policy.Policy(actions={**policy.BUILT_IN, "secret": "note"})
    check([added("a.py", SECRET)], [("policy.secret", "note", "a.py", 0)], rules)


def test_a_protected_file_cannot_be_moved_away():
    moved = policy.ChangedFile("x.toml", b"", 0, (), unchanged_lines_known=True, old_path=".agentos/policy.toml")
    check([moved], [("policy.protected-path", "refuse", "x.toml", None)])


def test_size_binaries_and_count():
    rules = policy.Policy(actions={**policy.BUILT_IN, "binary": "review"}, max_file_bytes=10, max_files=1)
    big = policy.ChangedFile("big", b"x" * 11, 11, unchanged_lines_known=True)
    binary = policy.ChangedFile("bin", b"a\0b", 3)
    check(
        [big, binary],
        [
            ("policy.file-count", "refuse", "", None),
            ("policy.file-size", "refuse", "big", None),
            ("policy.binary", "review", "bin", None),
        ],
        rules,
    )


@pytest.mark.parametrize("padding", [b"x" * 1_200_000 + b"\n", b"\0" * 10], ids=["very large", "binary"])
def test_a_secret_is_found_where_nobody_could_say_which_lines_are_new(padding):
    content = padding + SECRET.encode() + b"\n"
    found = inspect.inspect([policy.ChangedFile("a.py", content, len(content))], policy.Policy())
    assert policy.is_refused(found)


def test_lines_that_were_there_before_are_not_searched():
    content = SECRET.encode()
    check([policy.ChangedFile("a.py", content, len(content), (), unchanged_lines_known=True)], [])


def test_a_mark_that_anybody_may_write_asks_a_person_and_does_not_let_pass():
    check(
        [added("a.py", "x", f"{SECRET}  # {secrets.ALLOW_MARKS[0]}")], [("policy.marked-secret", "review", "a.py", 1)]
    )


def test_a_waiver_holds_for_that_finding_on_that_content_and_for_nothing_else():
    rules, file = policy.Policy(), added("a.py", "x = 1", SECRET)
    (found,) = inspect.inspect([file], rules)
    (waived,) = inspect.inspect([file], rules, waived={found.digest})
    assert (waived.action, waived.digest) == ("note", found.digest)
    assert waived.message.endswith("(waived)")
    for other in (added("a.py", "x = 2", SECRET), added("b.py", "x = 1", SECRET), added("a.py", SECRET)):
        assert policy.is_refused(inspect.inspect([other], rules, waived={found.digest}))
    twice = inspect.inspect([added("a.py", SECRET, SECRET)], rules)
    assert len({one.digest for one in twice}) == 2


def test_the_message_is_looked_at_where_there_is_one():
    rules = policy.Policy(subject_length=5)
    check([added("a", "x")], [], rules)
    check([added("a", "x")], [("policy.message", "refuse", "", None)], rules, message="Too long\n\nbody")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".vscode/tasks.json", "policy.tool-settings"),
        ("deep/down/.vscode/settings.json", "policy.tool-settings"),
        (".idea/runConfigurations/a.xml", "policy.tool-settings"),
        (".envrc", "policy.tool-settings"),
        (".ENVRC", "policy.tool-settings"),
        (".exrc", "policy.tool-settings"),
        (".husky/pre-commit", "policy.hook"),
        (".github/workflows/release.yaml", "policy.ci"),
        ("Makefile", "policy.build-script"),
        ("web/yarn.lock", "policy.dependency"),
        (".gitattributes", "policy.git-attributes"),
        ("sub/.git/hooks/pre-commit", "policy.nested-repository"),
    ],
)
def test_what_a_persons_tools_would_execute_is_named(path, found):
    assert found in {one.rule for one in inspect.inspect([added(path, "x")], policy.Policy())}


def test_a_deleted_or_moved_hook_is_found_too():
    gone = policy.ChangedFile(".husky/pre-commit", None, 0, mode=None, old_mode=0o100755)
    moved = policy.ChangedFile("x", b"", 0, mode=0o100644, old_mode=0o100644, old_path=".github/workflows/a.yml")
    check([gone, moved], [("policy.hook", "review", ".husky/pre-commit", None), ("policy.ci", "review", "x", None)])


def test_names_are_not_found_inside_of_other_names():
    for path in ("src/workflows/a.yml", "my.vscode/x", "Makefile.md", "docs/envrc", "package-lock.json.bak"):
        assert inspect.inspect([added(path, "x")], policy.Policy()) == ()


# Such a line is what a hostile file would hold; anything worse than linear in it would meet the limit of a test.
@pytest.mark.parametrize("piece", ["a.", "eyJ", "api_key", "-----BEGIN ", "http://a:", "DO NOT ", "<", "AKIA"])
def test_a_hostile_line_costs_no_more_than_its_length(piece):
    line = piece * (400_000 // len(piece))
    found = inspect.inspect([added("a.env", line), added("package.json", line)], policy.Policy())
    assert {one.rule for one in found} <= {"policy.secret"}


def test_the_lists_name_nothing_twice():
    for names in (paths.HOOKS, paths.CI, paths.TOOL_SETTINGS, paths.BUILD_SCRIPTS, paths.LOCK_FILES, paths.GENERATED):
        assert len(set(names)) == len(names)
    assert contents.HEADER_BYTES < 1 << 20
