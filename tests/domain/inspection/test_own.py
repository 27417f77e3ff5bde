import pytest

from agentos_lsp.domain import policy
from agentos_lsp.domain.inspection import inspect, patterns, rule


def own(**given):
    fields = {
        "name": "mine",
        "action": "review",
        "on": "line",
        "pattern": r"\bprint\(",
        "expect": "absent",
        "paths": (),
        "message": "Use the logger.",
        **given,
    }
    return policy.Policy(own=(policy.OwnRule(**fields),))


def check(rules, change, expected):
    found = inspect.inspect(change.files, rules, message=change.message)
    assert [(one.rule, one.action, one.path, one.line, one.message) for one in found] == expected


def test_a_rule_on_lines_looks_at_new_lines_of_its_paths():
    rules = own(paths=("src/*.py",))
    change = rule.written("src/a.py", "x = 1", "print(x)")
    check(rules, change, [("policy.mine", "review", "src/a.py", 1, "src/a.py:2: Use the logger.")])
    check(rules, rule.written("docs/a.py", "print(x)"), [])


def test_a_rule_on_paths_may_do_without_an_expression():
    rules = own(on="path", pattern="", paths=("deploy/*",), message="")
    told = "deploy/a: the rule mine of the policy speaks against it"
    check(rules, rule.touched("deploy/a"), [("policy.mine", "review", "deploy/a", None, told)])
    check(rules, rule.touched("src/deploy"), [])


def test_a_rule_on_a_file_may_ask_for_something_to_be_there():
    rules = own(on="file", pattern="(?m)^# Licence", expect="present")
    check(rules, rule.written("a.py", "x"), [("policy.mine", "review", "a.py", None, "a.py: Use the logger.")])
    check(rules, rule.written("a.py", "x", "# Licence: MIT"), [])


@pytest.mark.parametrize(("on", "found"), [("subject", True), ("message", False)])
def test_a_rule_on_the_commits_words(on, found):
    rules = own(on=on, pattern="Refs: #[0-9]+", expect="present")
    change = rule.Change(rule.touched("a").files, "Mend it\n\nRefs: #12")
    told = [("policy.mine", "review", "", None, "the commit message: Use the logger.")]
    check(rules, change, told if found else [])
    check(rules, rule.touched("a"), [])


def test_an_expression_takes_no_longer_than_its_text():
    assert patterns.Pattern("(a+)+$").search("a" * 200_000 + "b") is None


@pytest.mark.parametrize("text", ["(", "(?=x)", r"\1", "x" * 3000, "\udc80"])
def test_an_expression_that_cannot_be_used_says_why(text):
    with pytest.raises(ValueError, match=r"\w"):
        patterns.Pattern(text)


def test_stray_bytes_do_not_move_what_is_found():
    assert patterns.compiled("x+").search("\udc80é\udcffxx") == (3, 5)
