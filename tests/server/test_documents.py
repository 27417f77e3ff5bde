"""Addresses are read as they were written."""

import hypothesis
import pytest
from hypothesis import strategies

from agentos_lsp.domain import ids
from agentos_lsp.domain.errors import UserError
from agentos_lsp.server import documents

SESSION = ids.SessionId("fix-it-ab12")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (documents.OVERVIEW, documents.Overview()),
        ("agentos:sessions.md", documents.Overview()),
        ("agentos:///sessions.md", documents.Overview()),
        ("AGENTOS://sessions.md", documents.Overview()),
        (documents.page(SESSION), documents.SessionDocument(SESSION, "session.md")),
        (documents.changes(SESSION), documents.SessionDocument(SESSION, "changes.diff")),
        (documents.trace(SESSION), documents.SessionDocument(SESSION, "trace.md")),
        (f"agentos:/{SESSION}/trace.md", documents.SessionDocument(SESSION, "trace.md")),
        (documents.output(SESSION, "c1"), documents.Output(SESSION, ids.CallId("c1"))),
        (f"agentos://{SESSION}/base/a%2Fb.txt", documents.Base(SESSION, "a/b.txt")),
        (f"agentos://{SESSION}/base/é b.txt", documents.Base(SESSION, "é b.txt")),
        (documents.present(SESSION, "a/é b.txt"), documents.Present(SESSION, "a/é b.txt")),
    ],
)
def test_an_address_names_a_document(uri, expected):
    assert documents.parse(uri) == expected


NAMES = strategies.binary(min_size=1).map(lambda raw: raw.decode("utf-8", "surrogateescape"))


@hypothesis.given(NAMES)
def test_any_name_of_a_file_goes_into_an_address_and_comes_back(name):
    uri = documents.base(SESSION, name)
    assert uri.isascii()
    assert uri.isprintable()
    assert documents.parse(uri) == documents.Base(SESSION, name)


@hypothesis.given(strategies.text() | strategies.text().map(lambda text: f"agentos://{text}"))
def test_any_text_is_a_document_or_a_refusal(text):
    try:
        document = documents.parse(text)
    except UserError:
        return
    assert text.lower().startswith("agentos:")
    assert isinstance(document, documents.Overview) or ids.SESSION_ID.fullmatch(document.session)


def test_a_refusal_says_where_to_begin():
    with pytest.raises(UserError, match=r"^There is no such document\. Open agentos://sessions\.md; it leads"):
        documents.parse("file:///etc/passwd")
