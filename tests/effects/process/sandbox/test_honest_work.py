"""Builds, tests and git go on in a cage as they do outside."""

import shutil
import subprocess
import sys

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

PROJECTS = {
    "python": (
        {
            "calculator.py": "def add(one, two):\n    return one + two\n",
            "test_calculator.py": (
                "from calculator import add\n\n\n"
                "def test_add(tmp_path):\n    (tmp_path / 'made').write_text('x')\n    assert add(1, 2) == 3\n"
            ),
        },
        f"{sys.executable} -m pytest -q -p no:cacheprovider -c /dev/null --rootdir . .",
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
    "sh": ({"run.sh": SCRIPT}, "sh run.sh"),
}

NEEDED = {"gcc": "gcc make", "node": "node npm", "cargo": "cargo rustc"}


@pytest.mark.parametrize("name", list(PROJECTS))
async def test_a_project_is_built_and_tested(jail, name):
    files, line = PROJECTS[name]
    if not all(shutil.which(program) for program in NEEDED.get(name, "sh").split()):
        pytest.skip(f"{name} is not installed here")
    for path, text in files.items():
        file = jail.worktree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    # Outside, as a measure: what does not work there is no test of the cage.
    outside = jail.folder / "copy"
    shutil.copytree(jail.worktree, outside)
    done = subprocess.run(  # noqa: ASYNC221 - nothing else waits
        ["bash", "-c", line], cwd=outside, env=jail.environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"{name} does not work outside either: {(done.stdout + done.stderr).strip()[-200:]}")

    code, printed = await jail.run(line, seconds=50)

    assert (code, printed if code else "") == (0, "")
