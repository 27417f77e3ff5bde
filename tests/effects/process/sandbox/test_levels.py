"""The right level is chosen and said where something is missing: user namespaces, Landlock, or both; and without root.

Each machine is simulated in a process of its own, which first takes from itself what that machine lacks.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentos_lsp.effects.process.sandbox import backends, landlock
from tests.effects.process.sandbox.conftest import working

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the kernels are those of Linux"),
    pytest.mark.skipif("own" not in working(), reason="nothing can be taken away where namespaces are missing already"),
    pytest.mark.skipif(not landlock.abi(), reason="Landlock cannot be taken away where it is missing already"),
]

LOOK = """\
import ctypes, json, os, struct, sys
from pathlib import Path
from agentos_lsp.effects.process.sandbox import backends, kernel, standing

def without_namespaces():
    uid, gid = os.geteuid(), os.getegid()
    kernel.unshare(kernel.NEW_USER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    kernel.drop_capabilities()

def without_landlock():
    # Source: seccomp(2); the call is answered as by a kernel that does not know it.
    kernel.forbid_new_privileges()
    rows = [(0x20, 0, 0, 0), (0x15, 0, 1, 444), (6, 0, 0, 0x00050000 | 38), (6, 0, 0, 0x7FFF0000)]
    code = b"".join(struct.pack("<HBBI", *row) for row in rows)
    held = ctypes.create_string_buffer(code)
    program = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(rows), ctypes.addressof(held)))
    kernel.prctl(22, 2, ctypes.cast(program, ctypes.c_void_p))

for one in sys.argv[2:]:
    {"namespaces": without_namespaces, "landlock": without_landlock}[one]()
found = standing.look(Path(sys.argv[1]), backends.candidates())
chosen = standing.choose("best-effort", found)
demanded = standing.choose("enforced", found)
print(json.dumps({
    "level": chosen.level, "by": chosen.by, "missing": chosen.missing, "passed": found.passed_over,
    "refusal": demanded.refusal,
}))
"""


def look(folder, *missing, **user):
    program = folder / "look.py"
    program.write_text(LOOK)
    canaries = folder / "canaries"
    canaries.mkdir(mode=0o777)
    canaries.chmod(0o777)
    python = sys.executable if not user else "/usr/bin/python3"
    done = subprocess.run(
        [python, str(program), str(canaries), *missing],
        env={**os.environ, "PYTHONPATH": str(Path(backends.__file__).parents[4]), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        **user,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_where_user_namespaces_are_forbidden_it_is_landlock_and_the_page_says_what_does_not_hold(tmp_path):
    found = look(tmp_path, "namespaces")
    assert (found["level"], found["by"]) == ("best-effort", "Landlock, seccomp")
    assert {"UDP", "sockets with a path"} & set(found["missing"])
    assert [row for row in found["passed"] if row.startswith("namespaces")]
    assert "cannot hold it" in found["refusal"]


def test_on_a_kernel_without_landlock_namespaces_hold_all_and_landlock_is_not_named(tmp_path):
    found = look(tmp_path, "landlock")
    assert (found["level"], found["by"], found["refusal"]) == ("enforced", "namespaces, seccomp", "")


def test_without_both_nothing_holds_and_that_is_said(tmp_path):
    found = look(tmp_path, "namespaces", "landlock")
    assert (found["level"], found["by"]) == ("best-effort", "nothing")
    assert found["missing"] == ["everything: commands run with your rights"]
    assert any("no Landlock" in row for row in found["passed"])
    assert "cannot hold it" in found["refusal"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_gets_what_root_gets(tmp_path_factory):
    folder = Path("/tmp") / f"agentos-levels-{os.getpid()}"
    reachable = [Path("/usr/bin/python3"), Path(backends.__file__)]
    if not all(parent.stat().st_mode & 0o001 for one in reachable for parent in one.resolve().parents):
        pytest.skip("the package is in a folder that others may not enter")
    folder.mkdir(mode=0o755)
    try:
        found = look(folder, user=65534, group=65534, extra_groups=[])
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=True)
    assert (found["level"], found["refusal"]) == ("enforced", "")
