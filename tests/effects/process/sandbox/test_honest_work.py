"""Builds, tests and git go on in a cage as they do outside."""

import io
import os
import pwd
import shutil
import subprocess
import sys
import zipfile

import pytest

SQUARES = """\
import multiprocessing


def square(n):
    return n * n


if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        assert pool.map(square, range(4)) == [0, 1, 4, 9]
"""

SERVER = """\
const test = require('node:test');
const assert = require('node:assert');
const http = require('node:http');
test('a server of its own', async () => {
  const server = http.createServer((_, answer) => answer.end('ok')).listen(0, '127.0.0.1');
  await new Promise((ready) => server.on('listening', ready));
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/`);
  assert.strictEqual(await answer.text(), 'ok');
  server.close();
});
"""

SCRIPT = """\
set -e
made=$(mktemp -d)
echo x > $made/a
sort $made/a | uniq -c | grep -q x
tar czf a.tgz run.sh
tar tzf a.tgz | grep -q run.sh
exec 3<>/dev/null
echo x | tee /dev/stderr > /dev/null 2>&1
"""

GIT = """\
set -e
rm -rf one two
export GIT_AUTHOR_NAME=n GIT_AUTHOR_EMAIL=e@example.invalid GIT_COMMITTER_NAME=n GIT_COMMITTER_EMAIL=e@example.invalid
git init -q one && cd one && echo 1 > a && git add a && git commit -qm one
git switch -qc topic && echo 2 > a && git commit -qam two && git switch -q - && git merge -q topic
git clone -q . ../two && git -C ../two log --oneline | grep -c . | grep -q 2
"""


def wheel() -> bytes:
    """A package as it lies in a registry, or in a folder."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as one:
        one.writestr("one.py", "ONE = 1\n")
        one.writestr("one-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: one\nVersion: 1\n")
        one.writestr("one-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        one.writestr("one-1.dist-info/RECORD", "")
    return held.getvalue()


PYTEST = f"env PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 {sys.executable} -m pytest"
"""The plug-ins are those of these tests here, which take longer to load than the project does to be tested."""

PROJECTS = {
    "python": (
        {
            "calculator.py": "def add(one, two):\n    return one + two\n",
            "test_calculator.py": (
                "from calculator import add\n\n\n"
                "def test_add(tmp_path):\n    (tmp_path / 'made').write_text('x')\n    assert add(1, 2) == 3\n"
            ),
        },
        f"{PYTEST} -q -p no:cacheprovider -c /dev/null --rootdir . .",
    ),
    "python in parallel": ({"main.py": SQUARES}, f"{sys.executable} main.py"),
    "gcc": (
        {
            "Makefile": "answer: main.o\n\t$(CC) -o $@ $<\ntest: answer\n\t./answer\n",
            "main.c": '#include <stdio.h>\nint main(void) { return printf("42\\n") == 3 ? 0 : 1; }\n',
        },
        "make -j2 test CC=gcc",
    ),
    "node": (
        {
            "package.json": '{"name": "one", "version": "1.0.0", "scripts": {"test": "node --test"}}',
            "one.test.js": SERVER,
        },
        "npm test --silent",
    ),
    "cargo": (
        {
            "Cargo.toml": '[package]\nname = "one"\nversion = "0.1.0"\nedition = "2021"\n',
            "src/lib.rs": "#[test]\nfn adds() {\n    assert_eq!(1 + 2, 3);\n}\n",
        },
        "cargo test --offline -q",
    ),
    "go": (
        {
            "go.mod": "module example.invalid/one\n\ngo 1.18\n",
            "one.go": "package one\n\nfunc Add(a, b int) int { return a + b }\n",
            "one_test.go": (
                'package one\n\nimport "testing"\n\n'
                "func TestAdd(t *testing.T) {\n\tif Add(1, 2) != 3 {\n\t\tt.Fail()\n\t}\n}\n"
            ),
        },
        "go vet ./... && go test ./...",
    ),
    "pip without a network": (
        {
            "pyproject.toml": '[project]\nname = "one"\nversion = "1"\n',
            "one-1-py3-none-any.whl": wheel(),
            "test_one.py": "import one\n\n\ndef test_one():\n    assert one.ONE == 1\n",
        },
        (
            f"{sys.executable} -m pip install -q --no-index --target installed ./one-1-py3-none-any.whl"
            f" && PYTHONPATH=installed {PYTEST} -q -p no:cacheprovider -c /dev/null --rootdir . ."
        ),
    ),
    "git": (
        {"a.txt": "a\n", "run.sh": GIT},
        "sh run.sh",
    ),
    "sh": ({"run.sh": SCRIPT}, "sh run.sh"),
}

NEEDED = {"gcc": "gcc make", "node": "node npm", "cargo": "cargo rustc", "go": "go"}


SLOW = {"go", "pip without a network"}
ALL = os.environ.get("HONEST_WORK") == "all"
SECONDS = 250 if ALL else 50


@pytest.mark.timeout(SECONDS * 2 + 10)
@pytest.mark.parametrize("name", list(PROJECTS))
async def test_a_project_is_built_and_tested(jail, name):
    files, line = PROJECTS[name]
    if name in SLOW and not ALL:
        pytest.skip(f"{name} takes long; HONEST_WORK=all tries it too")
    if not all(shutil.which(program) for program in NEEDED.get(name, "sh").split()):
        pytest.skip(f"{name} is not installed here")
    # Rustup looks for its toolchains in the home folder, and tests have one of their own.
    jail.environment.setdefault("RUSTUP_HOME", f"{pwd.getpwuid(os.getuid()).pw_dir}/.rustup")
    for path, text in files.items():
        file = jail.worktree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    # Outside, as a measure: what does not work there is no test of the cage.
    outside = jail.folder / "copy"
    shutil.copytree(jail.worktree, outside)
    done = subprocess.run(  # noqa: ASYNC221 - nothing else waits
        ["bash", "-c", line], cwd=outside, env=jail.environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"{name} does not work outside either: {(done.stdout + done.stderr).strip()[-200:]}")

    code, printed = await jail.run(line, seconds=SECONDS)

    assert (code, printed if code else "") == (0, "")
