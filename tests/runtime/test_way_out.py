"""An approval that includes the network gives it to that command, to the policy's hosts, and the trace says all."""

import functools
import http.server
import os
import subprocess
import threading
from pathlib import Path

import pytest

from agentos_lsp.domain import network
from agentos_lsp.runtime import confining
from tests.effects.process.sandbox.conftest import working
from tests.runtime import support

pytestmark = pytest.mark.skipif(not working(), reason="this machine cannot make a cage")


@pytest.fixture
def caged(house):
    backend = next(iter(working().values()))
    house.confiner = confining.Confiner(Path(os.environ["XDG_STATE_HOME"]) / "canaries", lambda: [backend])
    return house


@pytest.fixture
def host(tmp_path):
    """A git host of this test's own, at an address of this machine that no program takes for a loopback's."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    for words in (["init", "-q", "-b", "main"], ["commit", "-qm", "upstream", "--allow-empty"], ["update-server-info"]):
        subprocess.run(["git", *words], cwd=folder, check=True)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.2", 0), functools.partial(Handler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://name:token@127.0.0.2:{server.server_address[1]}/.git"
        server.shutdown()
        thread.join()


async def test_an_approved_fetch_reaches_the_git_host_of_the_policy_and_is_told(caged, host):
    caged.git("remote", "add", "origin", host)
    caged.user_policy.write_text('[confinement]\nnetwork = ["127.0.0.2"]\n')
    async with caged.open(confiner=caged.confiner) as desk:
        name = await desk.begin(
            [{"run": "git fetch -q origin", "expect": "ok"}, {"run": "git log --format=%s -1 origin/main"}]
        )
        asked = await desk.question(name)
        (judged,) = desk.of("command.classified")
        assert network.RULE in [one.rule for one in judged.reasons]
        assert desk.of("network.granted") == []
        await desk.answer(name, asked)
        await desk.event("turn.finished")
        (granted,) = desk.of("network.granted")
        assert granted.hosts == ("127.0.0.2", *network.HOSTS)
        first = await desk.event("network.connection")
        assert (first.call, first.host, first.outcome) == (granted.call, "127.0.0.2", "connected")
        assert "upstream" in desk.of("command.output")[-1].text
        kinds = [one.type for one in desk.events]
        assert kinds.index("network.granted") < kinds.index("command.started")
    support.assert_sound(caged.log(name))


async def test_a_host_that_no_policy_names_is_refused_and_the_refusal_is_in_the_trace(caged, host):
    caged.git("remote", "add", "origin", host)
    async with caged.open(confiner=caged.confiner) as desk:
        name = await desk.begin([{"run": "git fetch -q origin", "expect": "refused"}])
        await desk.answer(name, await desk.question(name))
        await desk.event("turn.finished")
        refused = await desk.event("network.connection")
        assert (refused.host, refused.outcome) == ("127.0.0.2", "refused")
        assert "[confinement] network" in refused.reason


async def test_what_was_not_cleared_for_the_network_gets_none(caged):
    line = "sh -c 'env | grep -i _proxy; echo none'"
    async with caged.open(confiner=caged.confiner) as desk:
        name = await desk.begin([{"run": line}])
        await desk.answer(name, await desk.question(name))
        await desk.event("turn.finished")
        assert desk.of("command.output")[-1].text == "none\n"
        assert desk.of("network.granted") == []


async def test_what_an_allowlist_lets_through_has_the_network_that_it_was_approved_with(caged, host):
    caged.git("remote", "add", "origin", host)
    caged.user_policy.write_text('[confinement]\nnetwork = ["127.0.0.2"]\n')
    async with caged.open(confiner=caged.confiner) as desk:
        name = await desk.begin([{"run": "git fetch -q origin"}, {"run": "git fetch -q origin", "expect": "ok"}])
        await desk.answer(name, await desk.question(name), scope="line")
        await desk.event("turn.finished")
        assert len(desk.of("network.granted")) == 2
        assert len(desk.of("approval.requested")) == 1


@pytest.mark.parametrize("line", ["git fetch -q; python3 x.py", "git fetch -q"])
async def test_an_entry_of_a_policy_gives_no_network_since_nobody_was_asked(caged, line):
    caged.user_policy.write_text('[commands]\nallow = [["git", "fetch"], ["python3", "x.py"]]\n')
    async with caged.open(confiner=caged.confiner) as desk:
        await desk.play([{"run": line}])
        assert (len(desk.of("command.started")), desk.of("network.granted")) == (1, [])


async def test_a_prefix_for_the_network_gives_it_to_no_other_part_of_a_line(caged):
    steps = [{"run": "git fetch -q ."}, {"run": "python3 x.py"}, {"run": "git fetch -q .; python3 x.py"}]
    async with caged.open(confiner=caged.confiner) as desk:
        name = await desk.begin([*steps, {"run": "git fetch -q ."}])
        await desk.answer(name, await desk.question(name), scope="prefix")
        await desk.answer(name, await desk.question(name, 2), scope="prefix")
        await desk.event("turn.finished")
        assert len(desk.of("approval.requested")) == 2
        started = {one.call: one.line for one in desk.of("command.started")}
        assert [started[one.call] for one in desk.of("network.granted")] == ["git fetch -q ."] * 2
