import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos_lsp.domain.inspection import secrets


@pytest.mark.parametrize("kind", secrets.KINDS, ids=lambda kind: kind.name)
def test_each_kind_keeps_to_its_own_examples(kind):
    for example in kind.finds:
        assert secrets.secret_in(f"x = '{example}';") == kind.name
    for example in kind.passes:
        assert secrets.secret_in(example) == ""


@pytest.mark.parametrize(
    ("line", "path", "expected"),
    [
        ('api_key = "q7Gx2LmP9vRt4WzK8nBs"', "", "a secret value"),
        ("'db_password': 'q7Gx2LmP9vRt4WzK8nBs',", "", "a secret value"),
        ('api_key = "your_api_key_goes_here_1"', "", ""),
        ('api_key = os.environ["SERVICE_API_KEY_1"]', "", ""),
        ('token = "aaaaaaaaaaaaaaaaaaaa1"', "", ""),
        ('token_name = "authorization.header.name"', "", ""),
        ("API_TOKEN=q7Gx2LmP9vRt4WzK8nBs", ".env.local", "a secret value"),
        ("export API_TOKEN=q7Gx2LmP9vRt4WzK8nBs", "deploy/prod.env", "a secret value"),
        ("  password: q7Gx2LmP9vRt4WzK8nBs", "values.yaml", "a secret value"),
        ("API_TOKEN=q7Gx2LmP9vRt4WzK8nBs", "notes.md", ""),
        ("API_TOKEN=${TOKEN_FROM_VAULT_12345}", ".env", ""),
        ("password = get_password(name_of_user1)", "a.cfg", ""),
    ],
)
def test_a_random_value_under_a_telling_name_is_a_secret(line, path, expected):
    assert secrets.secret_in(line, path) == expected


def test_marks_of_other_scanners_count_as_marks():
    line = secrets.KINDS[3].finds[0]
    for mark in ("agentos: allow-secret", "pragma: allowlist secret", "gitleaks:allow"):
        assert list(secrets.search([(7, f"{line} # {mark}")])) == [
            (7, secrets.Secret("an AWS access key", marked=True))
        ]


@given(st.lists(st.text(max_size=40), max_size=5), st.integers(0, 4))
def test_a_secret_is_found_at_its_line_whatever_stands_around_it(others, at):
    lines = [line.replace("\n", " ") for line in others]
    lines.insert(at, "x = '" + secrets.KINDS[3].finds[0].removeprefix("key = ") + "'")
    index = min(at, len(lines) - 1)
    assert index in [number for number, _ in secrets.search(enumerate(lines))]
