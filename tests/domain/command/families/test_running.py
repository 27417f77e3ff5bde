"""Programs that run code: interpreters, builders, archives, containers, the shell's own commands, the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentos_lsp.domain.command.families import environment, interpreters

if TYPE_CHECKING:
    from collections.abc import Callable


def test_inline_code_is_shown_with_what_looks_dangerous(check: Callable[[str], None]) -> None:
    check("""
        python -c 'print(1)'         => runs python print(1)
        python3.12 -Ic 'print(1)'    => runs python print(1)
        python -cprint(1)            => runs python print(1)
        python -W ignore -c 1        => runs python 1
        python -c 'os.system(x)'     => runs python os.system(x) (danger)
        python -c ~~x~~              => runs python ~~x~~ (danger)
        node -e 'fs.rmSync(1)'       => runs javascript fs.rmSync(1) (danger)
        node --eval=1                => runs javascript 1
        node -p 1                    => runs javascript 1
        perl -pi -e s/a/b/ f         => runs perl s/a/b/
        perl -ne 'unlink' f          => runs perl unlink (danger)
        ruby -e 'puts 1'             => runs ruby puts 1
        php -r 'echo 1;'             => runs php echo 1;
        deno eval 1                  => runs javascript 1
        bash -lc ls                  => runs sh ls
        python --version             => reads only
        node -v                      => reads only
    """)


def test_scripts_modules_and_input(check: Callable[[str], None]) -> None:
    check("""
        python x.py -c 1             => reads worktree /code/tree/x.py & runs
        python ~~x~~                 => reads unknown None & not known
        python -m pytest -q          => runs
        python -m http.server        => may connect to None & runs
        node -r ./x y.js             => reads worktree /code/tree/y.js & runs
        node --require ./x           => runs
        bash x.sh                    => reads worktree /code/tree/x.sh & runs
        python -                     => runs python
        bun install                  => may connect to None
        bun test                     => runs
    """)


def test_code_from_a_here_document_or_a_pipe_is_looked_at(told: Callable[..., tuple[str, ...]]) -> None:
    assert told("python", stdin="import socket") == ("runs python import socket (danger)",)
    assert told("python -", stdin="1") == ("runs python 1",)
    assert told("sh", reads_pipe=True) == ("runs sh (danger)",)


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("import subprocess", "programs"),
        ("require('child_process')", "programs"),
        ("shutil.rmtree('/')", "deletes"),
        ("fetch('http://x')", "network"),
        ("os.kill(1, 9)", "signals"),
        ("exec(base64.b64decode('x'))", "hides"),
        ("open('/etc/passwd')", "outside"),
        ("x" * 20000, "more code"),
    ],
)
def test_dangers_are_named(code: str, word: str) -> None:
    assert any(word in danger for danger in interpreters.dangers(code))


def test_harmless_code_has_no_danger() -> None:
    assert interpreters.dangers("import json, sys; print(json.load(sys.stdin)['a'])") == ()


def test_builders_and_runners_run_the_project(check: Callable[[str], None]) -> None:
    check("""
        pytest -q                    => runs
        pytest -p no:randomly -q     => runs
        pytest -p evil               => runs & runs (danger)
        pytest /other                => runs & reads outside /other
        npm test                     => runs
        npm run build                => runs
        npm -v                       => reads only
        npm --prefix x test          => may connect to None & runs (danger)
        cargo test --all             => runs
        cargo test --config a=b      => runs & runs (danger)
        go test ./...                => runs
        go test -exec ./x            => runs & runs (danger)
        go version                   => reads only
        make test                    => runs
        make CC=x                    => runs (danger)
        make -C ../x                 => reads outside /code/x & runs
        ./gradlew build              => runs & runs
        tsc --noEmit                 => runs
        pytest --version             => runs
        ruff --version               => reads only
        pytest --help                => runs
        cargo --help                 => reads only
    """)


def test_archives_write_where_they_unpack(check: Callable[[str], None]) -> None:
    check("""
        tar tf a.tar                 => reads only & reads worktree /code/tree/a.tar
        tar xzf a.tgz                => reads worktree /code/tree/a.tgz & writes root /code/tree
        tar xfC a.tar /etc           => reads worktree /code/tree/a.tar & writes outside /etc
        tar -xf a.tar -P             => reads worktree /code/tree/a.tar & writes root /code/tree & writes outside /
        tar cf b.tar src             => writes worktree /code/tree/b.tar & reads worktree /code/tree/src
        tar cf b.tar --remove-files src
            => writes worktree /code/tree/b.tar & reads worktree /code/tree/src
            & deletes the tree worktree /code/tree/src
        tar tf a --checkpoint-action=exec=x => runs & reads worktree /code/tree/a
        tar tf a -I x                => runs & reads worktree /code/tree/a
        tar xf a --to-command x      => runs & reads worktree /code/tree/a & writes root /code/tree
        unzip -l a.zip               => reads worktree /code/tree/a.zip & reads only
        unzip a.zip -d /etc          => writes outside /etc & reads worktree /code/tree/a.zip
        zip -r a.zip src             => writes worktree /code/tree/a.zip & reads worktree /code/tree/src
        zip a.zip b -T -TT date
            => runs sh date (danger) & writes worktree /code/tree/a.zip & reads worktree /code/tree/b
            & reads worktree /code/tree/date
        gzip a
            => reads worktree /code/tree/a & writes worktree /code/tree/a & deletes worktree /code/tree/a
        gzip -dc a                   => reads worktree /code/tree/a & reads only
    """)


def test_containers_and_clouds(check: Callable[[str], None]) -> None:
    check("""
        docker run --rm x            => may connect to None & escalates
        docker run -v /:/host x      => may connect to None & escalates & writes outside /
        docker run --privileged x    => may connect to None & escalates & escalates
        docker run -v/var/run/docker.sock:/s x
            => may connect to None & escalates & writes outside /var/run/docker.sock & escalates
        docker exec x date           => escalates
        docker ps                    => runs
        podman stop x                => runs
        docker cp x:/a /etc/a        => writes outside /etc/a
        rclone sync x:y /etc         => may connect to None & deletes the tree outside /etc
    """)


def test_commands_of_the_shell(check: Callable[[str], None]) -> None:
    check("""
        cd src                       => reads only & reads worktree /code/tree/src
        cd /etc                      => reads only & reads outside /etc
        pwd                          => reads only
        export CI=1                  => reads only
        export PATH=x                => runs (danger)
        export LD_PRELOAD=x CI=1     => runs (danger)
        export A=1                   => not known
        export                       => not known
        declare -i x=1               => runs & not known
        set -euo pipefail            => reads only
        set -f                       => runs
        eval date                    => runs sh date (danger)
        source x.sh                  => reads worktree /code/tree/x.sh & runs
        alias ls=rm                  => runs
        read -r line                 => reads only
        read PATH                    => runs (danger)
        command -v ls                => reads only
        command ls                   => runs
        hash -p ./x ls               => runs
        jobs -x date                 => not known
    """)


def test_programs_that_change_the_machine(check: Callable[[str], None]) -> None:
    check("""
        sudo date                    => escalates
        crontab x                    => persists
        at now                       => persists
        useradd x                    => persists
        sysctl -w a=b                => persists
        mount /dev/sda1 /mnt         => escalates
        ssh-keygen -t rsa            => persists
        nsenter -t 1                 => escalates
        tmux new                     => runs
        gdb -p 1                     => runs
        env                          => not known
        lsof -i :80                  => not known
        frobnicate                   => not known
        ./frobnicate                 => not known & runs
        /opt/x/ls                    => reads root /code/tree & runs
        /usr/bin/ls                  => reads only & reads root /code/tree
        node_modules/.bin/ls         => reads root /code/tree & runs
    """)


@pytest.mark.parametrize(
    "name", ["CI", "NODE_ENV", "NO_COLOR", "LC_ALL", "TZ", "PYTHONDONTWRITEBYTECODE", "RUST_BACKTRACE"]
)
def test_harmless_variables(name: str) -> None:
    assert environment.judge(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "PATH", "LD_PRELOAD", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "BASH_ENV", "ENV", "PYTHONSTARTUP",
        "PYTHONPATH",
        "NODE_OPTIONS", "GIT_SSH_COMMAND", "GIT_DIR", "GIT_EXTERNAL_DIFF", "PAGER", "MANPAGER", "EDITOR", "LESSOPEN",
        "PERL5OPT", "RUBYOPT", "JAVA_TOOL_OPTIONS", "IFS", "PS4", "PROMPT_COMMAND", "RUSTFLAGS", "MAKEFLAGS", "CC",
        "http_proxy", "HOME", "BASH_FUNC_ls%%", "TAR_OPTIONS", "RIPGREP_CONFIG_PATH",
    ],
)  # fmt: skip
def test_dangerous_variables(name: str) -> None:
    judged = environment.judge(name)
    assert judged is not None
    assert getattr(judged, "danger", ()) != ()


def test_other_variables_are_not_known(check: Callable[[str], None]) -> None:
    check("""
        FOO=1 ls                     => reads root /code/tree & not known
        CI=1 ls                      => reads only & reads root /code/tree
        PATH=x ls                    => reads root /code/tree & runs (danger)
    """)


def test_the_rest_of_what_runs(check: Callable[[str], None]) -> None:
    check("""
        deno run x.ts => runs
        make -f ../x --eval=a => reads outside /code/x & runs (danger)
        make -C../x => reads outside /code/x & runs
        make --directory=../x => reads outside /code/x & runs
        tar --file=h:a.tar -x => may connect to None & reads worktree /code/tree/h:a.tar & writes root /code/tree
        tar -xOf a.tar => reads worktree /code/tree/a.tar & reads only
        tar -xf a --recursive-unlink
            => reads worktree /code/tree/a & writes root /code/tree & deletes the tree root /code/tree
        unzip a.zip => reads worktree /code/tree/a.zip & writes root /code/tree
        zip -m a.zip b
            => writes worktree /code/tree/a.zip & reads worktree /code/tree/b & deletes the tree worktree /code/tree/b
        7z x a.7z -o/etc => reads worktree /code/tree/a.7z & writes root /code/tree & writes outside /etc & runs
        php -l a.php => reads worktree /code/tree/a.php & runs
        export ~~x~~ => not known
        export a[1]=2 => runs & not known
        read ~x~ => not known
        read a[1] => runs
        mapfile -C date a => runs
        set => not known
        trap date EXIT => runs sh date (danger)
        suspend => runs
        history => runs
        clear => reads only
        clear -x => not known
        npm ~~x~~ => may connect to None & not known
        uv => may connect to None
        python -m json.tool a b => runs & reads worktree /code/tree/a & writes worktree /code/tree/b
        python -m ~~x~~ => runs
        docker cp a x:/b => runs
    """)
