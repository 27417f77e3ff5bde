"""The terminal's own editor ends well when the server ends first."""

import asyncio
import json
import os

import pytest

from agentos_lsp.cli.editor import Editor
from agentos_lsp.domain.errors import UserError
from agentos_lsp.server import framing


class Closed:
    """The server's input, which it does not read any more."""

    def write(self, data):
        assert data

    async def drain(self):
        raise ConnectionResetError("Connection lost")


async def test_a_request_of_a_server_that_takes_no_answer_any_more_is_no_failure(tmp_path):
    editor = Editor(tmp_path, tmp_path / "state", tmp_path / "log", dict(os.environ))
    output = asyncio.StreamReader()
    asked = {"jsonrpc": "2.0", "id": "r1", "method": "workspace/codeLens/refresh"}
    output.feed_data(framing.frame(json.dumps(asked).encode()))
    output.feed_eof()
    editor._ends = (output, Closed())
    waiting = editor._waiting[1] = asyncio.get_running_loop().create_future()
    await editor._listen()
    with pytest.raises(UserError, match="server ended"):
        await waiting
