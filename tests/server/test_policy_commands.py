"""A person sees which policy is in force, and trusts a repository's file by the bytes that they saw."""

from tests.server import runtime_support

THEIRS = '[rules]\nsecret = "note"\n[commands]\nallow = [["touch"]]\n'
FILES = {"a.txt": "one\n", ".agentos/policy.toml": THEIRS}


async def test_trust_loosens_a_live_session_and_taking_it_back_tightens_again(tmp_path):
    async with runtime_support.sitting(tmp_path, files=FILES) as (house, screen):
        session = await screen.start(house, ["ls"], ["touch x"], ["touch y"])
        await house.until(session, lambda now: now.turn is None and now.notice == "Done.")
        shown = await screen.command("agentos.policy.show")
        assert shown["file"] == str(house.repository / ".agentos/policy.toml")
        assert [one["trusted"] for one in shown["sources"]] == [False]
        assert shown["passedOver"] == ['rules.secret = "note"', "commands.allow"]
        assert shown["rules"]["secret"] == "refuse"

        trusted = await screen.command("agentos.policy.trust", {"digest": shown["digest"]})
        assert (trusted["rules"]["secret"], trusted["passedOver"]) == ("note", [])
        await screen.command("agentos.session.prompt", {"session": session, "text": "more"})
        await house.until(session, lambda now: len(now.calls) == 2 and now.turn is None)
        log = await house.events(session)
        assert not [one for one in log if one.type == "approval.requested"]

        back = await screen.command("agentos.policy.untrust")
        assert (back["wasTrusted"], back["rules"]["secret"]) == (True, "refuse")
        assert (await screen.command("agentos.policy.untrust"))["wasTrusted"] is False
        await screen.command("agentos.session.prompt", {"session": session, "text": "more"})
        await screen.approval(session)
        log = await house.events(session)
        loaded = [one for one in log if one.type == "policy.loaded"]
        assert [one.sources[0].trusted for one in loaded] == [False, True, False]
        assert [len(one.passed_over) for one in loaded] == [2, 0, 2]
        assert len(screen.told) == 2


async def test_trust_holds_for_the_bytes_that_were_seen_and_for_no_other(tmp_path):
    async with runtime_support.sitting(tmp_path, files=FILES) as (house, screen):
        shown = await screen.command("agentos.policy.show")
        (house.repository / ".agentos/policy.toml").write_text(THEIRS + "# changed\n")
        refused = await screen.refusal("agentos.policy.trust", {"digest": shown["digest"]})
        assert "changed since you saw it" in refused.message
        changed = await screen.command("agentos.policy.show")
        await screen.command("agentos.policy.trust", {"digest": changed["digest"]})
        # A session begins from the commit, whose file is another one.
        session = await screen.start(house, "touch x")
        await screen.approval(session)


async def test_without_a_file_there_is_nothing_to_trust(tmp_path):
    async with runtime_support.sitting(tmp_path) as (_, screen):
        shown = await screen.command("agentos.policy.show")
        assert (shown["digest"], shown["sources"]) == ("", [])
        refused = await screen.refusal("agentos.policy.trust", {"digest": "0" * 64})
        assert "no policy file" in refused.message


async def test_a_connection_without_the_permission_cannot_trust(tmp_path):
    options = {"trusted": False}
    async with runtime_support.sitting(tmp_path, files=FILES, options=options) as (_, screen):
        shown = await screen.command("agentos.policy.show")
        for name, argument in (("trust", {"digest": shown["digest"]}), ("untrust", {})):
            assert "may not approve" in (await screen.refusal(f"agentos.policy.{name}", argument)).message
        assert [one["trusted"] for one in (await screen.command("agentos.policy.show"))["sources"]] == [False]
