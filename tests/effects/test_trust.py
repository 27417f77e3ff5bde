from datetime import UTC, datetime

import pytest

from agentos_lsp.domain.errors import EffectError
from agentos_lsp.effects import trust

T0 = datetime(2026, 1, 2, tzinfo=UTC)
DIGEST = trust.digest_of(b"a")


def test_only_the_very_bytes_that_were_trusted_count(tmp_path):
    one = trust.Trust(tmp_path)
    assert not one.covers("/repo", b"a")
    one.add("/repo", DIGEST, "me", T0)
    assert trust.Trust(tmp_path).covers("/repo", b"a")
    assert not one.covers("/repo", b"b")
    assert not one.covers("/other", b"a")


def test_new_trust_takes_the_place_of_the_old_and_can_be_taken_back(tmp_path):
    one = trust.Trust(tmp_path)
    one.add("/repo", DIGEST, "me", T0)
    one.add("/other \udcff", DIGEST, "me", T0)
    one.add("/repo", trust.digest_of(b"b"), "you", T0)
    assert [(row.repository, row.by) for row in one.all()] == [("/other \udcff", "me"), ("/repo", "you")]
    assert one.remove("/repo")
    assert not one.remove("/repo")
    assert [row.repository for row in one.all()] == ["/other \udcff"]


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"repository": "x"}]', "\x00", "[" * 100_000])
def test_a_file_that_cannot_be_read_trusts_nothing(tmp_path, text):
    (tmp_path / trust.FILE).write_text(text)
    one = trust.Trust(tmp_path)
    assert one.all() == ()
    one.add("/repo", DIGEST, "me", T0)
    assert one.covers("/repo", b"a")


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "locks").write_text("in the way")
    with pytest.raises(EffectError):
        trust.Trust(tmp_path).add("/repo", DIGEST, "me", T0)


def test_the_file_is_for_the_person_alone(tmp_path):
    trust.Trust(tmp_path).add("/repo", DIGEST, "me", T0)
    assert (tmp_path / trust.FILE).stat().st_mode & 0o777 == 0o600
