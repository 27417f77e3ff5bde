"""What other tools' files offer, and that no file, however broken, offers more than text."""

import pytest

from agentos_lsp.domain import conventions

CODEX = ".codex/environments/environment.toml"


@pytest.mark.parametrize(
    ("file", "text", "lines"),
    [
        (
            "conductor.json",
            '{"scripts": {"setup": "npm ci\\n# why\\ncp a b", "run": "npm start"}}',
            ("npm ci", "cp a b"),
        ),
        (".cursor/worktrees.json", '{"setup-worktree": ["npm ci", "make"]}', ("npm ci", "make")),
        (".cursor/worktrees.json", '{"setup-worktree-unix": "u.sh", "setup-worktree": ["w"]}', ("u.sh",)),
        (CODEX, 'version = 1\n[setup]\nscript = """\npip install -e .\n"""\n', ("pip install -e .",)),
        ("conductor.json", '{"scripts": {"setup": 7}}', ()),
        ("conductor.json", '{"scripts": []}', ()),
        ("conductor.json", "[1]", ()),
        ("conductor.json", "{", ()),
        ("conductor.json", "[" * 100_000, ()),
        (CODEX, "setup = 3", ()),
        (CODEX, "= 3", ()),
    ],
)
def test_lines_are_read_and_nothing_else(file, text, lines):
    found = conventions.offers({file: text.encode()}.get)
    assert found == ((conventions.Offer(file, lines),) if lines else ())


def test_bytes_that_are_no_text_and_endless_lists_offer_little():
    assert conventions.offers({"conductor.json": b"\xff\xfe"}.get) == ()
    many = '{"setup-worktree": [' + ", ".join('"make"' for _ in range(1000)) + "]}"
    assert len(conventions.offers({".cursor/worktrees.json": many.encode()}.get)[0].lines) == conventions.LINES
