"""A policy file in an editor: errors at their line while typing, explanations, suggestions, and the act of trust."""

import pytest

from tests.server import runtime_support

THEIRS = '# é😀\n[rules]\nsecret = "note"\n[commands]\nallow = [["touch"]]\n'
FILES = {"a.txt": "one\n", ".agentos/policy.toml": THEIRS}


class Typing:
    """A person who edits a file."""

    def __init__(self, screen, file):
        self.screen = screen
        self.uri = file.as_uri()
        self.version = 0

    def open(self, text):
        document = {"uri": self.uri, "languageId": "toml", "version": self.version, "text": text}
        self.screen.notify("textDocument/didOpen", {"textDocument": document})

    def write(self, text):
        self.version += 1
        document = {"uri": self.uri, "version": self.version}
        self.screen.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})

    def close(self):
        self.screen.notify("textDocument/didClose", {"textDocument": {"uri": self.uri}})

    async def shown(self, *codes):
        """Waits until the diagnostics have these codes, and returns them."""

        def found():
            rows = self.screen.diagnostics.get(self.uri, [])
            return rows or True if [one["code"] for one in rows] == list(codes) else None

        return await self.screen.until(found)

    async def at(self, method, line, character):
        return await self.screen.about(method, self.uri, position={"line": line, "character": character})


def theirs(house):
    return house.repository / ".agentos" / "policy.toml"


def where(one):
    start, end = one["range"]["start"], one["range"]["end"]
    return (start["line"], start["character"], end["line"], end["character"])


@pytest.mark.parametrize("whose", ["the repository's", "the person's"])
async def test_errors_stand_at_their_line_while_typing_and_go_when_they_are_mended(tmp_path, whose):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        typing = Typing(screen, theirs(house) if whose == "the repository's" else house.user_policy)
        typing.open("[rules]\nsecret = 'é😀'\n[commit]\nmax = 1\n")
        wrong, unknown = await typing.shown("policy-file", "policy-file")
        assert (where(wrong), wrong["severity"]) == ((1, 9, 1, 14), 1)
        assert wrong["message"] == "rules.secret: Input should be 'refuse', 'review' or 'note'"
        assert (where(unknown), unknown["message"]) == ((3, 0, 3, 3), "commit.max: there is no such key")
        typing.write("[rules]\nsecret = \n")
        (broken,) = await typing.shown("policy-file")
        assert where(broken)[0] == 1
        typing.write("[rules]\nsecret = 'note'\n[commit]\nmax = 1\n")
        await typing.shown("policy-file")
        typing.close()
        await typing.shown()


async def test_what_would_loosen_is_told_and_can_be_trusted_where_it_stands(tmp_path):
    async with runtime_support.sitting(tmp_path, files=FILES) as (house, screen):
        typing = Typing(screen, theirs(house))
        typing.open(THEIRS)
        secret, allow = await typing.shown("policy-passed-over", "policy-passed-over")
        assert (where(secret), where(allow)) == ((2, 9, 2, 15), (4, 8, 4, 19))
        assert secret["severity"] == 3
        (action,) = await screen.actions(typing.uri, 2)
        assert action["title"] == "Trust this policy: it may loosen your own"
        assert (await screen.choose(action))["passedOver"] == []
        await typing.shown()
        (back,) = await screen.actions(typing.uri, 0)
        assert back["title"] == "Take back the trust in this policy"
        await screen.choose(back)
        await typing.shown("policy-passed-over", "policy-passed-over")


async def test_a_text_that_is_not_saved_cannot_be_trusted(tmp_path):
    async with runtime_support.sitting(tmp_path, files=FILES) as (house, screen):
        typing = Typing(screen, theirs(house))
        typing.open(THEIRS + "# more\n")
        await typing.shown("policy-passed-over", "policy-passed-over")
        assert await screen.actions(typing.uri, 2) == []


async def test_keys_are_explained_and_suggested(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        typing = Typing(screen, theirs(house))
        typing.open('[rules] # 😀\nsecret = ""\n\n[r]\n')
        hover = await typing.at("hover", 1, 3)
        assert hover["contents"]["value"].startswith("**rules.secret**")
        assert hover["range"] == {"start": {"line": 1, "character": 0}, "end": {"line": 1, "character": 6}}
        assert await typing.at("hover", 2, 0) is None
        values = await typing.at("completion", 1, 10)
        assert [one["label"] for one in values] == ['"refuse"', '"review"', '"note"']
        edit = values[0]["textEdit"]
        assert edit["range"] == {"start": {"line": 1, "character": 9}, "end": {"line": 1, "character": 11}}
        keys = await typing.at("completion", 2, 0)
        assert "dependency" in [one["label"] for one in keys]
        tables = await typing.at("completion", 3, 2)
        assert {"[rules]", "[[rule]]"} <= {one["label"] for one in tables}
        assert tables[0]["textEdit"]["range"]["end"] == {"line": 3, "character": 3}


async def test_another_file_is_no_policy_whatever_it_holds(tmp_path):
    async with runtime_support.sitting(tmp_path) as (house, screen):
        typing = Typing(screen, house.repository / "policy.toml")
        typing.open("[rules]\nsecret = 'x'\n")
        assert await typing.at("completion", 1, 0) == []
        assert await typing.at("hover", 1, 0) is None
        assert typing.uri not in screen.diagnostics


async def test_an_editor_that_may_not_observe_is_told_nothing(tmp_path):
    options = {"trusted": True, "permissions": []}
    async with runtime_support.sitting(tmp_path, options=options) as (house, screen):
        typing = Typing(screen, theirs(house))
        typing.open("[rules]\nsecret = 'x'\n")
        params = {"textDocument": {"uri": typing.uri}, "position": {"line": 1, "character": 0}}
        assert (await screen.fails("textDocument/completion", params)).message == "This connection may not observe."
        assert typing.uri not in screen.diagnostics
