"""A long list of changes is described only where somebody looks, and is otherwise like any list."""

from unittest import mock

import pytest

from agentos_lsp.domain import change_page, described, diff


def rows(count):
    sides = [diff.Side(0o100644, f"{number}\n".encode()) for number in range(count)]
    return [described.Described(f"{number:05}.txt", None, side, None) for number, side in enumerate(sides)]


def test_it_is_equal_to_the_same_changes_described_at_once():
    changes = described.Changes(rows(5))
    plain = diff.compare([(row.path, row.old, row.new) for row in rows(5)])
    assert changes == plain
    assert plain == changes
    assert changes == described.Changes(rows(5))
    assert changes[1:3] == plain[1:3]
    assert list(changes) == list(plain)
    assert described.Changes() == ()
    assert changes != plain[:4]
    assert hash(changes) == hash(described.Changes(rows(5)))


def test_of_ten_thousand_only_those_that_are_looked_at_are_described():
    changes = described.Changes(rows(10_000))
    with mock.patch.object(diff, "changed", wraps=diff.changed) as comparing:
        assert described.of_path(changes, "07007.txt")[0].path == "07007.txt"
        assert described.of_path(changes, "07007") == ()
        assert comparing.call_count < 40
        first = change_page.page(changes)
        assert comparing.call_count < change_page.FILES + 40
        assert changes[0] is changes[0]
    assert first.text.count("\ndiff --git ") == change_page.FILES - 1
    assert first.text.endswith("\nMore: 9700 files, from page 2 of 34 on\n")


@pytest.mark.parametrize(("files", "pages"), [(0, 1), (1, 1), (300, 1), (301, 2), (601, 3)])
def test_pages_hold_every_file_once(files, pages):
    changes = described.Changes(rows(files))
    assert change_page.count(changes) == pages
    texts = [change_page.page(changes, None, number).text for number in range(1, pages + 1)]
    assert [text.count("diff --git ") for text in texts] == [300] * (pages - 1) + [files - 300 * (pages - 1)]
    assert [change_page.MORE in text for text in texts] == [True] * (pages - 1) + [False]
