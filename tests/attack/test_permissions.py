"""A connection does what it was granted and nothing else, whatever it sends; no answer names a place on disk."""

import pytest

from agentos_lsp.server import protocol
from tests.server import runtime_support
from tests.server.runtime_support import OVERVIEW, page

OBSERVES = {"trusted": True, "permissions": ["observe"]}
UNTRUSTED = {"permissions": list(protocol.PERMISSIONS), "bell": True}
FIRST_LINE = {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 0}}
NOTHING = {"trusted": True, "permissions": []}

ALL = {name: spec.permission for name, spec in protocol.COMMANDS.items()}
OPAQUE = "x" * 300_000


def arguments(house, session, data):
    """Returns for each command an argument that would do something."""
    one = {"session": session}
    return {
        "agentos.session.start": {"task": "t", "script": house.script("ls"), "workspace": str(house.repository)},
        "agentos.session.list": {},
        "agentos.session.show": one,
        "agentos.session.files": one,
        "agentos.session.open": {**one, "document": "page"},
        "agentos.session.prompt": {**one, "text": "go on"},
        "agentos.session.model": {**one, "model": "local"},
        "agentos.session.pause": one,
        "agentos.session.resume": one,
        "agentos.session.stop": one,
        "agentos.session.merge": one,
        "agentos.session.discard": {**one, "confirm": True},
        "agentos.session.previewMerge": one,
        "agentos.session.undoMerge": one,
        "agentos.checkpoint.take": one,
        "agentos.checkpoint.list": one,
        "agentos.checkpoint.diff": {**one, "older": 0},
        "agentos.session.commit": one,
        "agentos.session.keep": one,
        "agentos.conflict.open": {**one, "path": "a.txt"},
        "agentos.checkpoint.restore": {**one, "checkpoint": 0},
        "agentos.approval.decide": {**data, "outcome": "approved"},
        "agentos.orphan.list": {},
        "agentos.orphan.recover": {"orphan": session},
        "agentos.orphan.remove": {"orphan": session},
        "agentos.command.check": {**one, "line": "ls"},
        "agentos.provider.pull": {"model": "m"},
        "agentos.provider.diagnose": {"latency": False},
        **{
            f"agentos.{what}.{verb}": {**one, "path": "a.txt", "digest": "0" * 16, **more}
            for what in ("hunk", "file")
            for verb, more in (("accept", {}), ("reject", {}), ("ask", {"comment": "c"}), ("mark", {}), ("show", {}))
        },
        "agentos.policy.show": {},
        "agentos.policy.trust": {"digest": "0" * 64},
        "agentos.policy.untrust": {"workspace": "/nowhere"},
        "agentos.policy.open": {**one, "rule": "policy.secret"},
        "agentos.finding.waive": {**one, "digest": "0" * 32, "reason": "r"},
        "agentos.finding.mend": {**one, "digest": "0" * 32},
    }


@pytest.mark.parametrize(
    ("options", "granted"),
    [(OBSERVES, {"observe"}), (UNTRUSTED, {"observe"}), ({}, {"observe"}), (None, {"observe"}), (NOTHING, set())],
)
async def test_every_other_command_is_refused_and_nothing_is_recorded(tmp_path, options, granted):
    async with runtime_support.sitting(tmp_path) as (house, owner):
        session = await owner.start(house, "touch x")
        data = (await owner.approval(session))["data"]
        sent = arguments(house, session, data)
        assert set(sent) == set(ALL)
        before = await house.events(session)
        async with runtime_support.connected(house, options={} if options is None else options) as other:
            for name, argument in sent.items():
                if ALL[name] in granted:
                    await other.command(name, argument)
                    continue
                error = await other.refusal(name, argument)
                assert (error.code, error.data["kind"]) == (-32803, "user"), (name, error)
                assert error.message == f"This connection may not {ALL[name]}."
                # The permission is asked before the argument is looked at.
                assert (await other.refusal(name, {"no": "such"})).code == -32803
            assert await house.events(session) == before
            assert len(house.runtime.states()) == 1
            if "observe" in granted:
                shown = await other.approval(session)
                line = shown["range"]["start"]["line"]
                assert await other.actions(page(session), line) == []
                assert await other.about("codeLens", page(session)) == []
                assert "touch x" in await other.content(page(session))
            assert other.bells == []
        assert not (house.repository / "x").exists()


@pytest.mark.parametrize("permission", ["steer", "approve", "merge"])
async def test_each_permission_opens_its_own_commands_only(tmp_path, permission):
    options = {"trusted": True, "permissions": [permission]}
    async with runtime_support.sitting(tmp_path, options=options) as (house, screen):
        sent = arguments(house, "no-such", {"session": "no-such", "approval": "a", "digest": "d"})
        for name, needed in ALL.items():
            if needed == permission and name not in {"agentos.session.start", "agentos.provider.diagnose"}:
                error = await screen.refusal(name, sent[name])
                assert "may not" not in error.message, (name, error)
            elif needed != permission:
                assert (await screen.refusal(name, sent[name])).message == f"This connection may not {needed}."


async def test_a_connection_without_observe_is_shown_and_told_nothing(tmp_path):
    async with (
        runtime_support.sitting(tmp_path) as (house, owner),
        runtime_support.connected(house, options={**NOTHING, "events": True, "virtualDocuments": True}) as other,
    ):
        session = await owner.start(house, "touch x")
        await owner.approval(session)
        where = {"position": {"line": 0, "character": 0}}
        for method, params in (
            ("workspace/textDocumentContent", {"uri": page(session)}),
            ("textDocument/hover", {"textDocument": {"uri": page(session)}, **where}),
            ("textDocument/documentSymbol", {"textDocument": {"uri": page(session)}}),
            ("textDocument/foldingRange", {"textDocument": {"uri": page(session)}}),
            ("textDocument/documentLink", {"textDocument": {"uri": page(session)}}),
            ("textDocument/semanticTokens/full", {"textDocument": {"uri": page(session)}}),
            ("textDocument/semanticTokens/range", {"textDocument": {"uri": page(session)}, "range": FIRST_LINE}),
        ):
            assert (await other.fails(method, params)).message == "This connection may not observe."
        assert await other.about("codeLens", page(session)) == []
        seen = (other.published, other.events, other.refreshed, other.progress, other.creations, other.bells)
        assert not any(seen)


@pytest.mark.parametrize(
    "options",
    [
        {"permissions": ["observe", "root"]}, {"permissions": "approve"}, {"permissions": None}, {"trusted": "yes"},
        {"trusted": 1}, {"bell": []}, [], "trusted", 7, {"permissions": [["approve"]]}, {"permissions": [OPAQUE]},
    ],
)  # fmt: skip
async def test_options_that_are_not_understood_grant_nothing(tmp_path, options):
    async with runtime_support.opened(tmp_path) as house, runtime_support.connected(house) as screen:
        # The connection exists already, so a second `initialize` is refused whatever it says.
        assert (await screen.fails("initialize", {"capabilities": {}, "initializationOptions": options})).code == -32600
    with pytest.raises(ExceptionGroup) as caught:
        async with runtime_support.opened(tmp_path) as house, runtime_support.connected(house, options=options):
            """Is not reached."""
    (error,) = leaves(caught.value)
    assert error.code == -32602
    assert "initializationOptions" in error.message
    assert OPAQUE not in error.message


def leaves(group):
    found = []
    for error in group.exceptions:
        found += leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


FORGED = {
    "agentos.session.start": [
        {}, {"task": ""}, {"task": "  \n"}, {"task": 5}, {"task": "t", "extra": 1}, {"task": OPAQUE},
        {"task": "t", "agent": "no such agent"}, {"task": "t", "agent": OPAQUE}, {"task": "t", "script": "no/such"},
        {"task": "t", "script": "/no/such"}, {"task": "t", "workspace": "https://example.invalid/"},
        {"task": "t", "workspace": "agentos://x"}, {"task": "t", "workspace": ["/"]},
    ],
    "agentos.session.list": [{"session": "x"}, {"": 1}],
    "agentos.session.show": [
        {}, {"session": None}, {"session": ["x"]}, {"session": "../x"}, {"session": "UPPER"}, {"session": "a" * 100},
        {"session": OPAQUE}, {"session": "x\n"}, {"session": "no-such"}, {"session": "x", "extra": 1}, {"session": ""},
    ],
    "agentos.session.open": [{"document": "/etc/passwd"}, {"session": "..", "document": "page"}, {"document": 1}],
    "agentos.session.prompt": [{"session": "no-such"}, {"session": "no-such", "text": 1}, {"text": "x"}],
    "agentos.session.merge": [
        {"session": "no-such", "strategy": "force"}, {"session": "no-such", "into": 1}, {"session": "no-such"},
    ],
    "agentos.session.previewMerge": [{"session": "no-such"}, {"session": "no-such", "strategy": "force"}],
    "agentos.session.undoMerge": [{"session": "no-such"}, {"session": "../x"}],
    "agentos.checkpoint.take": [{"session": "no-such"}, {"session": "no-such", "note": OPAQUE}],
    "agentos.session.commit": [{"session": "no-such"}, {"session": "no-such", "message": 1, "confirm": "yes"}],
    "agentos.session.keep": [{"session": "no-such", "confirm": True}, {"session": "no-such", "confirm": "yes"}],
    "agentos.conflict.open": [{"session": "no-such", "path": "a.txt"}, {"session": "no-such", "path": "../x"}],
    "agentos.checkpoint.diff": [{"session": "no-such", "older": 0}, {"session": "x", "older": -1}, {"older": "0"}],
    "agentos.checkpoint.restore": [{"session": "no-such", "checkpoint": 1 << 80}, {"session": "x", "checkpoint": -1}],
    "agentos.session.discard": [{"session": "no-such", "confirm": "yes"}, {"session": "no-such", "confirm": 1}],
    "agentos.approval.decide": [
        {"session": "no-such", "approval": "a", "digest": "d", "outcome": "yes to everything"},
        {"session": "no-such", "approval": "a", "digest": "d", "outcome": "approved", "scope": "always"},
        {"session": "no-such", "approval": OPAQUE, "digest": "d", "outcome": "approved"},
        {"session": "no-such", "approval": "a", "outcome": "approved"},
        {"session": "no-such", "approval": "a", "digest": "d", "outcome": "approved", "by": "somebody else"},
    ],
    "agentos.command.check": [{}, {"line": None}, {"line": OPAQUE}, {"line": "ls", "session": "no-such"}],
    "agentos.session.delete": [{}],
    "": [{}],
}  # fmt: skip


async def test_forged_arguments_are_answered_in_words(tmp_path):
    async with runtime_support.sitting(tmp_path) as (_, screen):
        for name, values in FORGED.items():
            for value in values:
                error = await screen.refusal(name, value)
                assert error.code in {-32602, -32803}, (name, str(value)[:80], error)
                assert len(error.message) < 1000, (name, error.message[:200])
                assert str(tmp_path) not in f"{error.message}{error.data}".replace(str(value), "")
        for raw in ([], None, [{}, {}], ["x"], [None], {"session": "x"}):
            params = {"command": "agentos.session.list", "arguments": raw}
            assert (await screen.fails("workspace/executeCommand", params)).code == -32602
        assert await screen.command("agentos.session.list") == {"sessions": []}


FOREIGN = [
    "agentos://../..", "agentos://../../etc/passwd", "agentos:///../sessions.md", "agentos://", "agentos:", "", ":",
    "file:///etc/passwd", "/etc/passwd", "agentos://%2e%2e/session.md", "agentos://x/../../state/events.db",
    "agentos://sessions.md/../x", "agentos://sessions.md?x", "agentos://no-such/session.md",
    "agentos://no-such/trace.md", "agentos://no-such/changes.diff",
    "agentos://no-such/base/a.txt", "agentos://no-such/base/../../etc/passwd",
    "agentos://no-such/output/1.txt", "agentos://x/", "agentos://x", "agentos://X/session.md", "agentos://x/base/",
    "agentos://x/base/\ud800", "agentos://x/output/\ud800.txt", "https://example.invalid/", OPAQUE,
    "agentos://" + OPAQUE, "untitled:Untitled-1", "agentos://x\0/session.md", "agentos://x/session.md\n",
]  # fmt: skip


@pytest.mark.parametrize("uri", FOREIGN, ids=lambda uri: repr(uri[:40]))
async def test_a_foreign_address_leads_nowhere(tmp_path, uri):
    async with runtime_support.sitting(tmp_path) as (_, screen):
        error = await screen.fails("workspace/textDocumentContent", {"uri": uri})
        assert (error.code, error.data["kind"]) == (-32803, "user"), error
        assert len(error.message) < 300
        assert str(tmp_path) not in f"{error.message}{error.data}"
        assert "root:" not in error.message


@pytest.mark.parametrize(
    "uri", ["file:///etc/passwd", "agentos://../..", "untitled:Untitled-1", "", "agentos://x/base/\ud800"]
)
async def test_what_an_editor_asks_of_every_document_has_no_answer_for_a_foreign_one(tmp_path, uri):
    async with runtime_support.sitting(tmp_path) as (_, screen):
        assert await screen.about("hover", uri, position={"line": 0, "character": 0}) is None
        assert await screen.actions(uri, 0) == []
        for method in ("codeLens", "documentSymbol", "foldingRange", "documentLink"):
            assert await screen.about(method, uri) == []


async def test_lines_beyond_a_document_have_no_answer(tmp_path):
    async with runtime_support.sitting(tmp_path) as (_, screen):
        last = (1 << 31) - 1
        assert await screen.about("hover", OVERVIEW, position={"line": last, "character": last}) is None
        assert await screen.actions(OVERVIEW, last) == []
