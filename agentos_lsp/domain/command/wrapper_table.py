"""The tables of wrappers: programs whose words, after their own options, are another command."""

# ruff: noqa: E501 - one row of a table per line

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


# name(s) | operands before the command | options, as in `options.grammar`
# Source: the manual pages of sudo 1.9, doas, util-linux 2.39, GNU coreutils 9 and time 1.9, strace 6, and of each tool.
_TABLE = """
sudo | 0 | -A,--askpass -b,--background -B,--bell -C,--close-from= -D,--chdir= -E,--preserve-env? -g,--group= -H,--set-home -h,--host=
  -i,--login -K -k -l,--list -n,--non-interactive -P,--preserve-groups -p,--prompt= -R,--chroot= -r,--role= -S,--stdin -s,--shell -t,--type=
  -T,--command-timeout= -U,--other-user= -u,--user= -V -v -N
doas | 0 | -C= -L -n -s -u= -a=
pkexec | 0 | --user= --disable-internal-agent --keep-cwd
gosu su-exec setuidgid chpst softlimit | 1 |
run0 | 0 | -u,--user= -g,--group= -D,--chdir= --unit= --property= --slice= --nice= --setenv= --background= --pipe --pty
nohup unbuffer chronic caffeinate gtimeout-less setarch linux32 linux64 catchsegv eatmydata fakeroot tsocks torify torsocks | 0 | -disum -t= -w= -p
proxychains proxychains4 | 0 | -q -f=
env genv | 0 | -i,--ignore-environment -0,--null -u,--unset= -C,--chdir= -S,--split-string= -v,--debug --block-signal? --default-signal?
  --ignore-signal? --list-signal-handling -P= -a,--argv0=
nice gnice | 0 | -# -n,--adjustment=
ionice | 0 | -c,--class= -n,--classdata= -p,--pid= -P -t,--ignore -u
chrt | 1 | -a -b -d -f -i -m -o -p -r -R -T= -P= -D= -v --batch --deadline --fifo --idle --other --rr --reset-on-fork
taskset | 1 | -a,--all-tasks -p,--pid -c,--cpu-list
stdbuf gstdbuf | 0 | -i,--input= -o,--output= -e,--error=
setsid | 0 | -c,--ctty -f,--fork -w,--wait
timeout gtimeout | 1 | -k,--kill-after= -s,--signal= --foreground --preserve-status -v,--verbose -p -f
time gtime | 0 | -a,--append -f,--format= -o,--output= -p,--portability -v,--verbose -q,--quiet -l -h
chroot | 1 | --groups= --userspec= --skip-chdir -u= -g= -G=
strace | 0 | -# -A -c -C -d -D -f -F -h -i -k -n -q -r -t -T -v -V -w -x -y -Y -z -Z -a= -b= -e= -E= -I= -o= -O= -p= -P= -s= -S= -u= -U= -X=
  --follow-forks --output= --trace= --string-limit= --signal= --attach= --summary --summary-only --quiet?
ltrace | 0 | -a= -A= -D= -e= -F= -l= -n= -o= -p= -s= -u= -w= -x= -X= -b -c -C -f -h -i -L -r -S -t -T -V
valgrind | 0 | -v -q --tool= --leak-check= --log-file= --error-exitcode= --suppressions= --track-origins= --show-leak-kinds= --num-callers=
perf-stat numactl | 0 | -N= -m= -C= -i= -l -p= --cpunodebind= --membind= --interleave= --physcpubind= --localalloc
unshare | 0 | -C -f -i -m -n -p -r -T -U -u -c --fork --mount-proc? --map-root-user --user? --net? --pid? --mount? -R,--root= -w,--wd= -S= -G=
nsenter | 0 | -a -C? -F -i? -m? -n? -p? -r? -T? -t,--target= -U? -u? -w? -S= -G= --all --net? --mount? --pid?
setpriv | 0 | --reuid= --regid= --clear-groups --init-groups --keep-groups --groups= --inh-caps= --ambient-caps= --bounding-set= --no-new-privs --reset-env
prlimit cgexec systemd-inhibit choom schedtool rlwrap xvfb-run dbus-run-session dbus-launch firejail bwrap hyperfine-less faketime entr | 0 | -a -c -r -s -d -z -p -n= -g= --what= --who= --why=
  --mode= --auto-servernum -q --quiet
systemd-run | 0 | --user --scope --unit= -p,--property= -t,--pty -P,--pipe --wait -G,--collect -q,--quiet --uid= --gid= --slice= -d,--same-dir --working-directory=
  -E,--setenv= --on-active= --on-calendar= --description=
command | 0 | -p
builtin nocorrect noglob | 0 |
exec | 0 | -a= -c -l
busybox toybox | 0 |
xargs gxargs | 0 | -# -0,--null -a,--arg-file= -d,--delimiter= -E= -e,--eof? -I= -i,--replace? -J= -L,--max-lines= -l? -n,--max-args= -P,--max-procs=
  -p,--interactive -R= -r,--no-run-if-empty -s,--max-chars= -S= -t,--verbose -x,--exit -o,--open-tty --process-slot-var= --show-limits
ssh slogin autossh | 1 | -# -46AaCfGgKkMNnqsTtVvXxYy -B= -b= -c= -D= -E= -e= -F= -I= -i= -J= -L= -l= -m= -O= -o= -P= -p= -Q= -R= -S= -W= -w=
npx bunx pnpx | 0 | -y,--yes --no -p,--package= -c,--call= -q,--quiet --no-install --prefer-offline --bun --ignore-existing --shell-auto-fallback? -w,--workspace=
  --registry= --cache=
uvx | 0 | -q,--quiet -v --from= --with= --with-requirements= --with-editable= -p,--python= --isolated --no-cache --refresh --index-url= --index= --offline
  --no-progress --directory= --prerelease= -U
doppler-run op-run envdir with-contenv dotenvx | 0 |
flock | 1 | -s,--shared -x,-e,--exclusive -u,--unlock -n,--nb,--nonblock -w,--timeout= -o,--close -E,--conflict-exit-code= -F,--no-fork -c,--command= --verbose
watch | 0 | -b,--beep -c,--color -C,--no-color -d,--differences? -e,--errexit -g,--chgexit -q,--equexit= -n,--interval= -p,--precise -t,--no-title -w,--no-wrap
  -x,--exec -r,--no-rerun
"""


# Wrappers that do nothing of their own but start the command, so that one that only reads needs no review in them.
PLAIN = ("timeout", "gtimeout", "nice", "gnice", "stdbuf", "gstdbuf", "time", "gtime", "xargs", "gxargs")
# Programs that run a command for all that they find below a folder.
SWEEPING = frozenset(("find", "gfind", "fd", "fdfind"))
FINDING = frozenset(("find", "gfind"))

# Subcommands of package runners and containers after which a command stands: words | operands before it | options
_VERBS = """
uv run | 0 | -q -v -s,--script -m,--module= --with= --with-requirements= --with-editable= -p,--python= --extra= --group= --no-group= --only-group= --all-extras --no-sync
  --frozen --locked --isolated --no-project --directory= --project= --env-file= --no-dev --dev --offline --active --package= --all-packages
uv tool run | 0 | --from= --with= -q,--quiet -p,--python=
poetry run | 0 | -q -n -v
pipenv run | 0 |
pdm run | 0 | -s,--site-packages -g,--global -p,--project=
rye run | 0 |
hatch run | 0 |
hatch shell | 0 |
pixi run | 0 | -e,--environment=
conda run | 0 | -n,--name= -p,--prefix= --no-capture-output --live-stream --cwd= -v
mamba run | 0 | -n,--name= -p,--prefix=
pipx run | 0 | --spec= --no-cache --python= --pip-args= --verbose --with=
bundle exec | 0 | --keep-file-descriptors --gemfile=
mise exec | 0 | -c,--command= -C,--cd= -j=
mise x | 0 | -c,--command= -C,--cd=
asdf exec | 0 |
rbenv exec | 0 |
pyenv exec | 0 |
direnv exec | 1 |
volta run | 0 | --node= --npm= --yarn=
rustup run | 1 | --install
npm exec | 0 | -y,--yes -p,--package= -c,--call= --no -w,--workspace=
npm x | 0 | -y,--yes -p,--package= -c,--call=
pnpm exec | 0 | -r -c,--shell-mode --filter= --parallel
pnpm dlx | 0 | --package= -c,--shell-mode
yarn exec | 0 |
yarn dlx | 0 | -p,--package= -q,--quiet
bun x | 0 | --bun -p,--package=
docker exec | 1 | -d,--detach -e,--env= --env-file= -i,--interactive -t,--tty -u,--user= -w,--workdir= --privileged --detach-keys=
podman exec | 1 | -d,--detach -e,--env= --env-file= -i,--interactive -t,--tty -u,--user= -w,--workdir= --privileged -l,--latest
nerdctl exec | 1 | -d,--detach -e,--env= -i,--interactive -t,--tty -u,--user= -w,--workdir=
docker run | 1 | -d,--detach -e,--env= --env-file= -i,--interactive -t,--tty -u,--user= -v,--volume= -w,--workdir= --rm --name= --network= --net= -p,--publish= --privileged
  --entrypoint= --mount= --platform= --pid= --ipc= --cap-add= --cap-drop= --security-opt= --init -h,--hostname= -l,--label= -m,--memory= --cpus= --gpus= --pull= --restart=
  --add-host= --tmpfs= --shm-size= --user= --ulimit= --link= -P --read-only --device= --log-driver= --ip= --dns= -a,--attach= --userns= --cgroupns=
podman run | 1 | -d,--detach -e,--env= -i,--interactive -t,--tty -u,--user= -v,--volume= -w,--workdir= --rm --name= --network= -p,--publish= --privileged --entrypoint= --mount=
  --security-opt= --userns= --pid= --platform= --pull= --replace
docker compose exec | 1 | -d,--detach -e,--env= -T,--no-TTY -u,--user= -w,--workdir= --index= --privileged
docker compose run | 1 | -d,--detach -e,--env= -T,--no-TTY -u,--user= -w,--workdir= --rm --name= --no-deps --entrypoint= -v,--volume= -p,--publish= --build
docker-compose exec | 1 | -d,--detach -e,--env= -T -u,--user= -w,--workdir= --index= --privileged
docker-compose run | 1 | -d,--detach -e,--env= -T -u,--user= -w,--workdir= --rm --name= --no-deps --entrypoint= -v,--volume= -p,--publish=
kubectl exec | 1 | -c,--container= -i,--stdin -t,--tty -n,--namespace= -q,--quiet --context= --pod-running-timeout=
oc exec | 1 | -c,--container= -i,--stdin -t,--tty -n,--namespace=
lxc exec | 1 | --env= --user= --cwd= -t -T
vagrant ssh | 0 | -c,--command=
nix develop | 99 | -c,--command=
nix shell | 99 | -c,--command=
git bisect run | 0 |
perf stat | 0 | -e= -r= -a -d -p= -o= -x= --
perf record | 0 | -F= -g -e= -o= -p= -a --call-graph=
coverage run | 99 | -m=
cross-env | 0 |
tmux new-session | 0 | -A -d -D -E -P -X -c= -e= -f= -F= -n= -s= -t= -x= -y=
tmux new | 0 | -A -d -c= -e= -n= -s= -t= -x= -y=
tmux new-window | 0 | -a -b -d -k -P -S -c= -e= -F= -n= -t=
tmux neww | 0 | -a -d -c= -e= -n= -t=
tmux split-window | 0 | -b -d -f -h -I -v -P -Z -c= -e= -l= -t= -F=
tmux run-shell | 0 | -b -C -c= -d= -t=
"""


def _rows(text: str) -> Iterator[tuple[str, int, str]]:
    lines: list[str] = []
    for line in text.strip().splitlines():
        if line.startswith(" "):
            lines[-1] += line
        else:
            lines.append(line)
    for line in lines:
        names, skipped, spec = (cell.strip() for cell in line.split("|", 2))
        yield names, int(skipped), spec


PREFIXES = {name: (skipped, spec) for names, skipped, spec in _rows(_TABLE) for name in names.split()}


SUBCOMMANDS = {tuple(words.split()): (skipped, spec) for words, skipped, spec in _rows(_VERBS)}


# The same, by program.
VERBS_OF = {
    head: tuple((words, *row) for words, row in SUBCOMMANDS.items() if words[0] == head)
    for head in {words[0] for words in SUBCOMMANDS}
}
HEADS = frozenset(VERBS_OF)
SHELLS = frozenset("bash sh zsh dash ksh ash mksh rbash posh yash osh brush fish rzsh lksh pdksh ksh93".split())  # noqa: SIM905 - a table reads better
RUNNERS = frozenset("make gmake npm yarn pnpm bun just task rake".split())  # noqa: SIM905 - a table reads better
# Programs that may run what is among their words, or a line given as one of them.
STEERING = frozenset(
    "gdb lldb watchexec nodemon screen tmux entr reflex air modd onchange chokidar powershell pwsh cmd cmd.exe wsl"  # noqa: SIM905 - a table reads better
    " powershell.exe".split(),
)
# Programs with a reader of their own in `wrappers`.
SPECIAL = STEERING | frozenset(
    "eval source . trap su runuser script watch ssh slogin autossh flock command xargs gxargs parallel find gfind fd fdfind git nix-shell"  # noqa: SIM905 - a table reads better
    " concurrently hyperfine at batch alias".split(),
)
NAMES: frozenset[str] = frozenset((*PREFIXES, *HEADS, *SHELLS, *SPECIAL, *RUNNERS))
