"""A real runtime on a repository of its own, and editors on it that keep what a person would see."""

import asyncio
import contextlib
import functools
import itertools
import os
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from agentos_lsp.cli import wiring
from agentos_lsp.domain import ids
from agentos_lsp.effects import store, trust
from agentos_lsp.runtime import models, policies, supervisor
from agentos_lsp.server import connection, protocol, rpc
from tests import repositories
from tests.runtime import support as house
from tests.server import support

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OVERVIEW = "agentos://sessions.md"
# The file is made up, and so is the secret, which is in two pieces so that no scanner finds one here.
SECRET = "AKIA" + "Z7Q2M4N6P8R1S3T5"

TRUSTED = {"trusted": True, "permissions": list(protocol.PERMISSIONS)}
SHOWS = {"window": {"workDoneProgress": True, "showDocument": {"support": True}}}


def page(session):
    return f"agentos://{session}/session.md"


class House:
    """A repository, a runtime, and what a test may do with them."""

    def __init__(self, tmp_path: Path, name: str = "repo") -> None:
        self.tmp_path = tmp_path
        self.repository = tmp_path / name
        self.state_folder = tmp_path / "state"
        self.user_policy = tmp_path / "policy.toml"
        self.runtime: supervisor.Runtime
        # A second house on the same folder must not give the names of the first again.
        self._numbers = itertools.count(5001 if self.state_folder.exists() else 1)
        self._seconds = itertools.count()

    def git(self, *words):
        done = subprocess.run(["git", *words], cwd=self.repository, check=True, capture_output=True)
        return done.stdout.decode().rstrip("\n")

    def make_repository(self, files=None):
        self.repository.mkdir()
        repositories.make(self.repository, files or {"a.txt": "one\ntwo\n", "dir ü/naïve é.txt": "é\n"})

    def parts(self):
        known = models.Models(self.tmp_path / "settings.toml", {}, lambda: T0)
        return supervisor.Parts(
            store=store.Store(self.state_folder),
            state_folder=self.state_folder,
            agent=functools.partial(wiring.agent, known=known),
            models=known,
            policies=policies.Policies(self.user_policy, trust.Trust(self.state_folder), lambda: T0),
            now=lambda: T0 + timedelta(seconds=next(self._seconds)),
            new_id=lambda: f"{next(self._numbers):04d}",
            environment=dict(os.environ),
            confiner=house.confiner(),
        )

    def script(self, *steps):
        """Writes a script of one turn; a plain text is a command to run. Several lists are several turns."""
        turns = steps if steps and isinstance(steps[0], list) else [list(steps)]
        rows = [
            {"summary": "Done.", "steps": [{"run": step} if isinstance(step, str) else step for step in turn]}
            for turn in turns
        ]
        file = self.tmp_path / f"script-{next(self._numbers)}.yaml"
        file.write_text(yaml.safe_dump({"turns": rows}, allow_unicode=True), encoding="utf-8")
        return str(file)

    async def until(self, session, condition):
        """Waits until a session's state is as a test wants it, and returns it."""
        changed = asyncio.Event()
        stop = self.runtime.subscribe(lambda _event, _now: changed.set(), lambda _progress: None)
        try:
            async with asyncio.timeout(support.TIMEOUT_S):
                # What happens after the state was made, and before it is here, must wake this up again.
                while not condition(now := await self.runtime.state(ids.SessionId(session))):
                    await changed.wait()
                    changed.clear()
        except TimeoutError:
            raise AssertionError(f"{session} is still {now.status}, and says: {now.notice!r}") from None
        finally:
            stop()
        return now

    async def server_of(self, screen):
        """Returns the server of the editor that connected last, once it listens."""
        await screen.command("agentos.session.list")
        return self.runtime._telling._listeners[-1].__self__

    async def done(self, session):
        """Waits for the end of a turn that went as its script says."""
        return await self.until(session, lambda now: now.turn is None and now.notice == "Done.")

    async def events(self, session):
        return await self.runtime.trace(ids.SessionId(session))


class Screen(support.Editor):
    """An editor that answers what the server asks of any editor, and keeps what a person would see."""

    def __init__(self, reader, writer, transcript=None):
        super().__init__(reader, writer, transcript)
        self.diagnostics: dict[str, list[dict]] = {}
        self.published: list[tuple[str, list[dict]]] = []
        self.refreshed: list[str] = []
        self.events: list[dict] = []
        self.streamed: list[dict] = []
        self.bells: list[dict] = []
        self.documents: list[dict] = []
        self.told: list[str] = []
        self.creations: list[dict] = []
        self.answers_creations = True
        self.answers_refreshes = True
        self.progress: list[tuple[str, dict]] = []

    def _sort(self, message):
        params = message.get("params")
        match message.get("method"):
            case "textDocument/publishDiagnostics":
                self.diagnostics[params["uri"]] = params["diagnostics"]
                self.published.append((params["uri"], params["diagnostics"]))
            case "workspace/codeLens/refresh":
                self.reply(message)
            case "workspace/textDocumentContent/refresh":
                self.refreshed.append(params["uri"])
                if self.answers_refreshes:
                    self.reply(message)
            case "agentos/event":
                self.events.append(params)
            case "agentos/stream":
                self.streamed.append(params)
            case "window/showMessageRequest":
                self.bells.append(message)
            case "window/showDocument":
                self.documents.append(params)
                self.reply(message, {"success": True})
            case "window/showMessage":
                self.told.append(params["message"])
            case "window/workDoneProgress/create":
                self.creations.append(message)
                if self.answers_creations:
                    self.reply(message)
            case "$/progress":
                self.progress.append((params["token"], params["value"]))
            case _:
                super()._sort(message)

    async def until(self, found):
        """Reads until `found` returns something, and returns it."""
        while not (what := found()):
            self._sort(await self._read())
        return what

    async def start(self, house, *steps, task="Do it"):
        answer = await self.command("agentos.session.start", {"task": task, "script": house.script(*steps)})
        assert answer["page"] == page(answer["session"])
        return answer["session"]

    async def content(self, uri):
        return (await self.request("workspace/textDocumentContent", {"uri": uri}))["text"]

    async def about(self, method, uri, **params):
        """Asks a `textDocument/…` request about a document."""
        return await self.request(f"textDocument/{method}", {"textDocument": {"uri": uri}, **params})

    async def actions(self, uri, line, only=None):
        where = {"line": line, "character": 0}
        shown = [one for one in self.diagnostics.get(uri, []) if one["range"]["start"]["line"] == line]
        context = {"diagnostics": shown} if only is None else {"diagnostics": shown, "only": only}
        return await self.about("codeAction", uri, range={"start": where, "end": where}, context=context)

    async def approval(self, session, after=None):
        """Waits for the diagnostic of an approval on a session's page, other than `after`, and returns it."""
        known = None if after is None else after["data"]
        return await self.until(
            lambda: next(
                (
                    one
                    for one in self.diagnostics.get(page(session), [])
                    if one["code"] == "approval" and one["data"] != known
                ),
                None,
            )
        )

    async def refusal(self, name, argument):
        """Returns the error with which a command is answered."""
        return await self.fails("workspace/executeCommand", {"command": name, "arguments": [argument]})

    async def choose(self, action):
        """Does what an editor does with a code action or lens: carries out its command."""
        command = action["command"]
        return await self.request(
            "workspace/executeCommand", {"command": command["command"], "arguments": command["arguments"]}
        )


@contextlib.asynccontextmanager
async def opened(tmp_path, name="repo", policy="", files=None):
    """Yields a house whose runtime runs; a second one on the same `tmp_path` finds what the first left."""
    house = House(tmp_path, name)
    if not house.repository.exists():
        house.make_repository(files)
    if policy:
        house.user_policy.write_text(policy)
    parts = house.parts()
    with contextlib.closing(parts.store):
        async with supervisor.Runtime(parts) as house.runtime:
            yield house


@contextlib.asynccontextmanager
async def connected(*houses, options=None, capabilities=None, name="test", transcript=None):
    """Connects a trusted editor that sees the house's repository as its folder."""
    (house,) = houses
    ours, theirs = socket.socketpair()
    server_streams = await asyncio.open_connection(sock=theirs)
    reader, writer = await asyncio.open_connection(sock=ours, limit=1 << 22)
    screen = Screen(reader, writer, transcript)
    uri = house.repository.as_uri()
    try:
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(rpc.serve_connection(*server_streams, connection.builder(house.runtime)))
            params = {
                "processId": None,
                "rootUri": uri,
                "workspaceFolders": [{"uri": uri, "name": house.repository.name}],
                "clientInfo": {"name": name},
                "capabilities": SHOWS if capabilities is None else capabilities,
                "initializationOptions": TRUSTED if options is None else options,
            }
            await screen.request("initialize", params)
            screen.notify("initialized", {})
            yield screen
            if not screen.is_finished:
                await screen.finish()
            async with asyncio.timeout(support.TIMEOUT_S):
                await serving
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def sitting(tmp_path, *, options=None, capabilities=None, policy="", files=None):
    """Yields a house and an editor in it."""
    async with (
        opened(tmp_path, policy=policy, files=files) as house,
        connected(house, options=options, capabilities=capabilities) as screen,
    ):
        yield house, screen
