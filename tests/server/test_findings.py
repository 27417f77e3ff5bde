"""A finding stands on the page, in the worktree and on the person's own file, with what may be done about it."""

from agentos_lsp.server import finding_actions
from tests.server import runtime_support, support
from tests.server.runtime_support import SECRET, TRUSTED, page

LINES = [f"line {number}\n" for number in range(8)]
FILES = {"k.py": "".join(LINES)}
CHANGED = "".join([*LINES[:4], f"KEY = '{SECRET}'\n", *LINES[4:]])
STEPS = [{"write": {"path": "k.py", "text": CHANGED}}, {"commit": "Add keys"}]


async def found(house, screen, *turns):
    """Plays a commit that is refused; returns the session, and the finding on the person's own file."""
    session = await screen.start(house, STEPS, *turns)
    await house.until(session, lambda now: now.turn is None and now.notice == "Done.")
    own = (house.repository / "k.py").as_uri()
    await screen.until(lambda: told(screen, own))
    return session, own


def told(screen, uri):
    """What is said of findings; the hunks that a person may review stand there too."""
    return [one for one in screen.diagnostics.get(uri, []) if one["code"] not in {"hunk", "file"}]


async def acts(screen, uri, line, **more):
    """What is offered for findings; what may be done with a hunk is offered there too."""
    offered = await screen.actions(uri, line, **more)
    names = [str(one["command"]["arguments"][1:] or one["command"]["command"]) for one in offered]
    return [one for one, name in zip(offered, names, strict=True) if ".hunk." not in name and ".file." not in name]


def title(action):
    return action["title"]


async def test_a_finding_stands_in_three_places(tmp_path):
    async with runtime_support.sitting(tmp_path, files=FILES) as (house, screen):
        session, own = await found(house, screen)
        now = await house.runtime.state(session)
        theirs = f"file://{now.worktree.folder}/k.py"
        (on_page,) = screen.diagnostics[page(session)]
        (in_worktree,) = screen.diagnostics[theirs]
        (on_own,) = told(screen, own)
        assert [one["code"] for one in (on_page, in_worktree, on_own)] == ["policy.secret"] * 3
        assert [one["severity"] for one in (on_page, in_worktree, on_own)] == [1, 1, 3]
        assert [one["range"]["start"]["line"] for one in (in_worktree, on_own)] == [4, 4]
        assert on_own["message"].startswith(f"In the change of {session}: k.py:5 looks like an AWS access key")


async def test_it_follows_the_persons_own_edits(tmp_path):
    async with runtime_support.sitting(tmp_path, files=FILES) as (house, screen):
        _, own = await found(house, screen)
        text = (house.repository / "k.py").read_text()
        document = {"uri": own, "languageId": "python", "version": 1, "text": text}
        screen.notify("textDocument/didOpen", {"textDocument": document})
        change = {"textDocument": {"uri": own, "version": 2}, "contentChanges": [{"text": "new\nnew\n" + text}]}
        screen.notify("textDocument/didChange", change)
        await screen.until(lambda: told(screen, own)[0]["range"]["start"]["line"] == 6)


async def test_what_may_be_done_is_offered_where_it_stands(tmp_path):
    async with runtime_support.sitting(tmp_path, files=FILES, options={**TRUSTED, "askText": True}) as (house, screen):
        session, own = await found(house, screen)
        expected = [
            "Ask the agent to mend this",
            *(f"Waive once: {reason}" for reason in finding_actions.REASONS),
            "Waive once, and say why",
            "Open the rule",
        ]
        assert [title(one) for one in await acts(screen, own, 4)] == expected
        line = screen.diagnostics[page(session)][0]["range"]["start"]["line"]
        assert [title(one) for one in await screen.actions(page(session), line)] == expected
        assert await acts(screen, own, 3) == []
        assert await acts(screen, own, 4, only=["refactor"]) == []


async def test_a_waiver_clears_the_finding_everywhere_and_the_commit_is_made(tmp_path):
    async with runtime_support.sitting(tmp_path, files=FILES) as (house, screen):
        session, own = await found(house, screen, [{"commit": "Add keys", "expect": "ok"}])
        waive = next(one for one in await acts(screen, own, 4) if title(one) == "Waive once: it is test data")
        assert await screen.choose(waive) == {"waived": True}
        await screen.until(lambda: not any(told(screen, uri) for uri in screen.diagnostics))
        assert "(waived: it is test data)" in await screen.content(page(session))
        again = await screen.refusal(waive["command"]["command"], waive["command"]["arguments"][0])
        assert "no longer stands" in again.message
        await screen.command("agentos.session.prompt", {"session": session, "text": "Again"})
        await house.until(session, lambda now: len(now.commits) == 1)


async def test_the_agent_is_asked_to_mend_it(tmp_path):
    async with runtime_support.sitting(tmp_path, files=FILES) as (house, screen):
        session, own = await found(house, screen, ["ls"])
        mend = next(one for one in await acts(screen, own, 4) if title(one) == "Ask the agent to mend this")
        assert await screen.choose(mend) == {"asked": True}
        await house.until(session, lambda now: len(now.calls) == 3 and now.turn is None)
        prompts = [one.prompt for one in await house.events(session) if one.type == "turn.started"]
        assert prompts[1].startswith("Mend this finding of the workspace policy (policy.secret): k.py:5 looks like")


async def test_the_rule_is_opened_at_its_line(tmp_path):
    policy = '[[rule]]\nname = "no-line"\naction = "note"\npattern = "line 9"\n'
    async with runtime_support.sitting(tmp_path, files=FILES, policy=policy) as (house, screen):
        session, own = await found(house, screen)
        rule = next(one for one in await acts(screen, own, 4) if title(one) == "Open the rule")
        opened = await screen.choose(rule)
        assert (opened["uri"], opened["shown"]) == (f"agentos://{session}/policy.md", True)
        text = (await screen.content(opened["uri"])).split("\n")
        assert text[opened["line"]] == "### secret: refuse"
        (shown,) = [one for one in screen.documents if one["uri"] == opened["uri"]]
        assert shown["selection"]["start"] == {"line": opened["line"], "character": 0}
        own_rule = await screen.command("agentos.policy.open", {"session": session, "rule": "policy.no-line"})
        assert text[own_rule["line"]] == "### no-line: note"
        assert f"- {house.user_policy}: counts in full" in text


async def test_an_editor_that_may_only_observe_is_offered_no_act(tmp_path):
    async with runtime_support.sitting(tmp_path, files=FILES) as (house, owner):
        _, own = await found(house, owner)
        async with runtime_support.connected(house, options={}) as other:
            await other.until(lambda: told(other, own))
            assert [title(one) for one in await acts(other, own, 4)] == ["Open the rule"]


async def test_the_conversation_of_a_waiver(tmp_path):
    async with runtime_support.opened(tmp_path, files=FILES) as house:
        texts = {str(house.tmp_path): "$TMP"}
        ids = {"S": r"do-it-\d{4}", "F": r"(?<=\")[0-9a-f]{32}(?=\")"}
        transcript = support.Transcript(texts, ids)
        async with runtime_support.connected(house, capabilities={}, transcript=transcript) as screen:
            _, own = await found(house, screen)
            begin = len(transcript.lines)
            (*_, waive, _) = await acts(screen, own, 4)
            await screen.choose(waive)
            await screen.until(lambda: not any(told(screen, uri) for uri in screen.diagnostics))
            lines = transcript.text(begin).splitlines()
    sent = '{"digest": "$F1", "reason": "it is meant to be so", "session": "$S1"}'
    named = '"command": "agentos.finding.waive", "title": "Waive once: it is meant to be so"'
    command = f'"command": {{"arguments": [{sent}], {named}}}'
    assert lines[0].startswith("-> textDocument/codeAction #")
    # What is told of the change of a page comes before or after; what counts is that the answer and the ends are there.
    offered = next(line for line in lines if line.startswith("<- result"))
    assert command in offered
    rest = [line for line in lines[1:] if line is not offered]
    assert {line.split(" {")[0].split(" #")[0] for line in rest} == {
        "-> workspace/executeCommand",
        "<- result",
        "<- textDocument/publishDiagnostics",
    }
    ends = [line for line in rest if "publishDiagnostics" in line and '"code": "policy.secret"' not in line]
    assert len({line.rpartition('"uri": ')[2] for line in ends}) == 3
