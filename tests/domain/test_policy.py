import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos_lsp.domain import policy


def added(path, *lines):
    text = "".join(f"{line}\n" for line in lines).encode()
    return policy.ChangedFile(path, text, len(text), tuple(enumerate(lines)))


def check(files, expected, rules=None):
    found = policy.inspect(files, rules or policy.Policy())
    assert [(finding.rule, finding.action, finding.path, finding.line) for finding in found] == expected


def test_an_ordinary_change_has_no_findings():
    check([added("src/a.py", "x = 1")], [])


@pytest.mark.parametrize("rule", policy.SECRET_RULES, ids=lambda rule: rule.name)
def test_each_secret_rule_keeps_its_own_examples(rule):
    for example in rule.finds:
        assert policy.secret_in(example) == rule.name
    for example in rule.passes:
        assert policy.secret_in(example) == ""


def test_a_secret_is_refused_at_its_line_and_a_marked_one_is_not():
    secret = policy.SECRET_RULES[1].finds[0]
    check([added("a.py", "x = 1", secret)], [("policy.secret", "refuse", "a.py", 1)])
    check([added("a.py", f"{secret}  # {policy.ALLOW_MARK}")], [])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('api_key = "q7Gx2LmP9vRt4WzK8nBs"', "a secret value"),
        ("'db_password': 'q7Gx2LmP9vRt4WzK8nBs',", "a secret value"),
        ('api_key = "your_api_key_goes_here_1"', ""),
        ('api_key = os.environ["SERVICE_API_KEY_1"]', ""),
        ('token = "aaaaaaaaaaaaaaaaaaaa1"', ""),
        ('token_name = "authorization.header.name"', ""),
    ],
)
def test_a_random_value_under_a_telling_name_is_a_secret(line, expected):
    assert policy.secret_in(line) == expected


def test_protected_paths_are_refused_in_any_case():
    check([added(".agentos/policy.toml", "x")], [("policy.protected-path", "refuse", ".agentos/policy.toml", None)])
    check([added(".AgentOS/policy.toml", "x")], [("policy.protected-path", "refuse", ".AgentOS/policy.toml", None)])


def test_size_binaries_and_count():
    rules = policy.Policy(max_file_bytes=10, max_files=1, binaries="review")
    big = policy.ChangedFile("big", b"x" * 11, 11)
    binary = policy.ChangedFile("bin", b"a\0b", 3)
    check(
        [big, binary],
        [
            ("policy.max-files", "refuse", "", None),
            ("policy.max-file-size", "refuse", "big", None),
            ("policy.binary", "review", "bin", None),
        ],
        rules,
    )


ACTIONS = st.sampled_from(["refuse", "review", "note"])
POLICIES = st.builds(
    policy.Policy,
    protected_paths=st.lists(st.sampled_from(["a/*", "b", "*.lock"])).map(tuple),
    protected_branches=st.lists(st.sampled_from(["main", "release"])).map(tuple),
    max_file_bytes=st.integers(0, 100),
    max_files=st.integers(1, 100),
    binaries=ACTIONS,
    secrets=ACTIONS,
    allow=st.lists(st.tuples(st.sampled_from(["make", "npm"]))).map(tuple),
)
FILES = st.lists(
    st.builds(
        policy.ChangedFile,
        path=st.sampled_from(["a/x", "b", "c.lock", "d"]),
        content=st.sampled_from([b"", b"x\0", b"text"]),
        size_bytes=st.integers(0, 100),
        added=st.sampled_from([(), ((0, policy.SECRET_RULES[1].finds[0]),)]),
    ),
    max_size=4,
)


@given(POLICIES, POLICIES, FILES)
def test_tightening_never_lets_more_through(base, other, files):
    strict = policy.tighten(base, other)
    assert strict.allow == base.allow
    before = policy.inspect(files, base)
    after = policy.inspect(files, strict)
    assert policy.is_refused(after) or not policy.is_refused(before)
    assert policy.is_refused(after) or policy.needs_review(after) or not policy.needs_review(before)


@pytest.mark.parametrize("padding", [b"x" * 1_200_000 + b"\n", b"\0" * 10], ids=["very large", "binary"])
def test_a_secret_is_found_where_nobody_could_say_which_lines_are_new(padding):
    content = padding + policy.SECRET_RULES[1].finds[0].encode() + b"\n"
    found = policy.inspect([policy.ChangedFile("a.py", content, len(content))], policy.Policy())
    assert policy.is_refused(found)


def test_lines_that_were_there_before_are_not_searched():
    content = policy.SECRET_RULES[1].finds[0].encode()
    check([policy.ChangedFile("a.py", content, len(content), (), unchanged_lines_known=True)], [])
