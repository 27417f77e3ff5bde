import pytest

from agentos_lsp.domain import policy
from agentos_lsp.domain.command import allowlist
from agentos_lsp.domain.errors import ConfigError
from agentos_lsp.effects import config


def test_without_files_the_built_in_policy_is_in_force(tmp_path):
    assert config.load_policy(None, tmp_path / "missing.toml") == policy.Policy()


def test_the_users_file_may_loosen_and_the_repositorys_may_only_tighten(tmp_path):
    mine = tmp_path / "policy.toml"
    mine.write_text('[commit]\nmax_files = 5000\n[rules]\nsecret = "review"\n[commands]\nallow = [["make", "test"]]\n')
    theirs = (
        b'[commit]\nmax_files = 9999\nmax_file_bytes = 10\n[rules]\nsecret = "note"\n[commands]\nallow = [["rm"]]\n'
    )
    found = config.load_policy(theirs, mine)
    assert (found.max_files, found.max_file_bytes, found.actions["secret"]) == (5000, 10, "review")
    assert found.allow == (allowlist.TokenPrefix(("make", "test")),)


def test_a_trusted_repositorys_file_may_loosen_too(tmp_path):
    theirs = b'[commit]\nmax_files = 9999\n[rules]\nsecret = "note"\n[commands]\nallow = [["make", "test"]]\n'
    theirs += b'[[check]]\nname = "t"\nrun = "make test"\n'
    found = config.load_policy(theirs, None, trusted=True)
    assert (found.max_files, found.actions["secret"], found.allow) == (
        9999,
        "note",
        (allowlist.TokenPrefix(("make", "test")),),
    )
    assert [check.vouched for check in found.checks] == [True]
    assert [check.vouched for check in config.load_policy(theirs, None).checks] == [False]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (b"[commit]\nmax_files = \n", 1, "Invalid value"),
        (b"[commit]\nmax_file = 3\n", 1, "commit.max_file: there is no such key"),
        (b"\n\n[commit]\n\nmax_files = 0\n", 4, "greater than or equal to 1"),
        (b'[rules]\nsecret = "off"\n', 1, "'refuse', 'review' or 'note'"),
        (b"[commits]\n", 0, "commits: there is no such key"),
        (b"# caf\xe9\n[commit]\n", 0, "not UTF-8"),
        (b"x = 1\n" * 200_000, 0, "larger than a policy"),
    ],
)
def test_a_broken_file_is_named_with_its_line(text, line, words):
    with pytest.raises(ConfigError) as caught:
        config.load_policy(text, None)
    assert (caught.value.file, caught.value.line) == (config.REPOSITORY_FILE, line)
    assert words in caught.value.message
