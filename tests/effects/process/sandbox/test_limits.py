"""Each limit of the policy holds in a real cage."""

import dataclasses

import pytest

from agentos_lsp.domain import confined
from agentos_lsp.effects.process.sandbox import plan
from agentos_lsp.runtime import confining
from tests.effects.process.sandbox.conftest import Jail

LIMITS = plan.Limits(processes=400, data_bytes=200 << 20, file_bytes=1 << 20, files=70, cpu_s=2, tmp_bytes=1 << 20)

MEMORY = """\
held = []
try:
    while True:
        held.append(bytearray(10 << 20))
        assert len(held) < 100
except MemoryError:
    print(len(held))
"""
FILES = """\
import os
held = []
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
        assert len(held) < 200
except OSError as error:
    print(error.strerror, len(held))
"""
PROCESSES = """\
import os, time
made = 0
try:
    while made < 2000:
        if os.fork() == 0:
            time.sleep(600)
        made += 1
except OSError as error:
    print(error.strerror, made, flush=True)
os._exit(0)
"""


@pytest.fixture
async def tight(backend, tmp_path):
    one = Jail(tmp_path.resolve(), backend, LIMITS)
    yield one
    assert await one.processes.stop_all() == 0


async def test_memory_ends_where_the_policy_says(tight):
    code, printed = await tight.python(MEMORY)
    assert code == 0
    assert 1 <= int(printed) <= 20


async def test_open_files_end_where_the_policy_says(tight):
    code, printed = await tight.python(FILES)
    assert (code, printed[: len("Too many open files")]) == (0, "Too many open files")
    assert int(printed.split()[-1]) < 70


async def test_processor_time_ends_where_the_policy_says(tight):
    finished = await tight.finish("while :; do :; done")
    assert (finished.ended_by, finished.exit_code) == ("itself", None)
    assert finished.signal in {9, 24}


async def test_private_temporary_folders_end_where_the_policy_says(tight):
    for folder in ("/tmp", "/var/tmp"):
        line = f"for n in 1 2 3; do head -c 900000 /dev/zero > {folder}/$n; done; du -xsk {folder} | cut -f1"
        code, printed = await tight.run(line)
        assert code == 0
        assert "No space left on device" in printed
        assert int(printed.split()[-1]) <= 1024


async def test_processes_end_where_the_policy_says_and_the_session_goes_on(tight, backend):
    if "how many processes there are" in backend.gaps:
        pytest.skip("this backend does not count them here, and says so")
    code, printed = await tight.python(PROCESSES)
    assert (code, printed[: len("Resource temporarily unavailable")]) == (0, "Resource temporarily unavailable")
    assert int(printed.split()[-1]) < 400
    assert await tight.run("echo on") == (0, "on\n")


def test_what_the_policy_says_is_what_a_cage_gets():
    wanted = confined.Confinement(processes=20, memory_mb=3, file_mb=4, open_files=70, cpu_s=6, tmp_mb=7)
    assert confining.limits(wanted) == plan.Limits(20, 3 << 20, 4 << 20, 70, 6, 7 << 20)
    assert confining.limits(confined.Confinement()) == plan.Limits()
    named = {one.name for one in dataclasses.fields(confined.Confinement)}
    assert set(confined.LIMITS) <= named
