from hypothesis import given, settings
from hypothesis import strategies as st

from agentos_lsp.domain import policy
from agentos_lsp.domain.inspection import inspect, secrets

ACTIONS = st.sampled_from(["refuse", "review", "note"])
OWN = policy.OwnRule("no-print", "review", "line", "print", "absent", (), "Do not print.")
POLICIES = st.builds(
    policy.Policy,
    actions=st.dictionaries(st.sampled_from(sorted(policy.BUILT_IN)), ACTIONS, max_size=6).map(
        lambda given: {**policy.BUILT_IN, **given}
    ),
    protected_paths=st.lists(st.sampled_from(["a/*", "b", "*.lock"])).map(tuple),
    protected_branches=st.lists(st.sampled_from(["main", "release"])).map(tuple),
    max_file_bytes=st.integers(0, 100),
    max_files=st.integers(1, 100),
    generated_paths=st.sampled_from([(), ("a/*",)]),
    subject_length=st.sampled_from([None, 3, 30]),
    own=st.sampled_from([(), (OWN,)]),
    allow=st.lists(st.tuples(st.sampled_from(["make", "npm"]))).map(tuple),
)
FILES = st.lists(
    st.builds(
        policy.ChangedFile,
        path=st.sampled_from(["a/x", "b", "c.lock", "Makefile", ".envrc"]),
        content=st.sampled_from([b"", b"x\0", b"text"]),
        size_bytes=st.integers(0, 100),
        added=st.sampled_from([(), ((0, secrets.KINDS[3].finds[0]),), ((0, "print"),)]),
        mode=st.sampled_from([0o100644, 0o100755, 0o120000, 0o160000]),
    ),
    max_size=4,
)


@settings(max_examples=60)
@given(POLICIES, POLICIES, FILES)
def test_tightening_never_lets_more_through(base, other, files):
    strict = policy.tighten(base, other)
    assert strict.allow == base.allow
    before = inspect.inspect(files, base, message="A message")
    after = inspect.inspect(files, strict, message="A message")
    assert policy.is_refused(after) or not policy.is_refused(before)
    assert policy.is_refused(after) or policy.needs_review(after) or not policy.needs_review(before)


def test_the_stricter_of_two_words_wins():
    base, other = policy.Policy(), policy.Policy(actions={**policy.BUILT_IN, "secret": "note", "binary": "refuse"})
    found = policy.tighten(base, other).actions
    assert (found["secret"], found["binary"]) == ("refuse", "refuse")
