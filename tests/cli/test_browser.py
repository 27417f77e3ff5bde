"""The demo's server as a page in a browser has it: without the libraries that cannot be had there, over messages."""

import json
import subprocess
import sys

import pytest

from agentos_lsp.cli import browser

# A process that has lost everything a browser has not. A wheel of pydantic-core is to be had there, so it stays.
DRIVEN = """
import asyncio, json, sys

GONE = set(sys.argv[1].split())

class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in GONE:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Gone())
from agentos_lsp.cli import browser
browser.absent()

async def main():
    answers, news, numbers = {}, asyncio.Queue(), iter(range(1, 10_000))
    def send(text):
        message = json.loads(text)
        if "method" not in message:
            answers.pop(message["id"]).set_result(message)
        elif message["method"] == "agentos/event":
            news.put_nowait(message["params"])
        elif "id" in message:
            page.hear(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": None}))
    page = browser.Page(send, 0)
    async def ask(method, params):
        number = next(numbers)
        answers[number] = asyncio.get_running_loop().create_future()
        page.hear(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        answer = await answers[number] if number in answers else None
        if "error" in answer:
            raise SystemExit(json.dumps(answer["error"]))
        return answer["result"]
    async def command(name, **argument):
        return await ask("workspace/executeCommand", {"command": name, "arguments": [argument]})
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(page.serve())
        options = {"trusted": True, "virtualDocuments": True, "events": True,
            "permissions": ["observe", "steer", "approve", "merge"]}
        await ask("initialize", {"processId": None, "rootUri": None, "capabilities": {},
            "clientInfo": {"name": "page"}, "initializationOptions": options})
        page.hear(json.dumps({"jsonrpc": "2.0", "method": "initialized", "params": {}}))
        session = (await command("agentos.session.start", task="Mend it", workspace="file:///demo"))["session"]
        while (event := await news.get())["type"] != "turn.finished":
            if event["type"] == "approval.requested":
                given = {name: event[name] for name in ("session", "approval", "digest")}
                await command("agentos.approval.decide", **given, outcome="approved")
        seen = {"summary": event["summary"], "diagnosed": await command("agentos.provider.diagnose")}
        uri = f"agentos://{session}/changes.diff"
        seen["diff"] = (await ask("workspace/textDocumentContent", {"uri": uri}))["text"]
        seen["merged"] = await command("agentos.session.merge", session=session)
        seen["loaded"] = sorted(GONE & {name.partition(".")[0] for name, one in sys.modules.items()
            if getattr(one, "__file__", None)})
        await ask("shutdown", None)
        page.hear(json.dumps({"jsonrpc": "2.0", "method": "exit"}))
        seen["code"] = await serving
    print(json.dumps(seen))

asyncio.run(main())
"""


def test_a_whole_session_needs_none_of_the_libraries_that_a_browser_has_not():
    gone = " ".join(sorted({name.partition(".")[0] for name in browser.ABSENT}))
    done = subprocess.run([sys.executable, "-c", DRIVEN, gone], capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout)
    assert "adds again" in seen["summary"]
    assert "+    return one + two" in seen["diff"]
    assert seen["merged"]["merged"]
    assert [one["standing"] for one in seen["diagnosed"]["providers"]] == ["ok", "wrong", "wrong"]
    assert (seen["loaded"], seen["code"]) == ([], 0)


def test_a_library_that_is_absent_may_be_named_and_not_used():
    nothing = browser._Nothing("pygit2")
    assert isinstance(nothing.enums.DiffOption.A | nothing.B, browser._Nothing)
    with pytest.raises(NotImplementedError, match=r"The demo has no pygit2\.Repository"):
        nothing.Repository("/x")
    with pytest.raises(AttributeError):
        _ = nothing.__wrapped__
