"""What is mounted on the machine after a session's start: on most machines mounts spread, into cages too."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.effects.process.sandbox.conftest import working

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root mounts, on Linux"),
    pytest.mark.skipif(not Path("/srv").is_dir(), reason="there is no /srv to mount on"),
]

# All of it in a mount namespace of its own, which is made as most machines are: `/` is shared.
SCRIPT = """\
import asyncio, json, sys
from pathlib import Path
from agentos_lsp.effects.process.sandbox import kernel
from tests.effects.process.sandbox.conftest import Jail, working

SHARED = 1 << 20

async def main(folder, name):
    kernel.unshare(kernel.NEW_NS)
    kernel.mount("none", "/", None, kernel.MS_PRIVATE | kernel.MS_REC)
    kernel.mount("none", "/", None, SHARED | kernel.MS_REC)
    jail = Jail(Path(folder), working()[name])
    try:
        await jail.run("true")
        kernel.mount("canary", "/srv", "tmpfs", 0, "size=1m,mode=1777")
        Path("/srv/late").write_text("late")
        told = await jail.run("cat /srv/late; echo x > /srv/written")
        print(json.dumps({"told": told[1], "there": sorted(one.name for one in Path("/srv").iterdir())}))
    finally:
        await jail.processes.stop_all()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("name", ["own", "bubblewrap"])
def test_what_is_mounted_later_cannot_be_written(tmp_path, name):
    if name not in working():
        pytest.skip(f"this machine cannot make a cage: {name}")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), name],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["there"] == ["late"]
    assert ("No such file" in found["told"]) == (name == "own")
