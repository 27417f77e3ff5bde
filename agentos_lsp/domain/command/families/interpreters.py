"""Interpreters: code on the line, scripts, modules, and code fed by standard input.

Source: python(1), node(1), perlrun(1), ruby(1), php(1), lua(1), Rscript(1), deno and bun help, bash(1) and dash(1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agentos_lsp.domain.command.effects import Connects, Executes, Reads, ReadsOnly, Unrecognised, Writes
from agentos_lsp.domain.command.families import rows, verbs
from agentos_lsp.domain.command.invocation import Known, Prefix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Argument, Invocation


@dataclass(frozen=True, slots=True)
class Language:
    """How an interpreter takes its code: letters that carry code, letters with another value, words that do either."""

    name: str
    code: str
    valued: str
    attached: str
    module: str
    long_code: tuple[str, ...]
    versions: tuple[str, ...]


# names | language | letters with code | letters with a value | letters with a value only if attached
# | letter with a module | long options with code | options that only print a version
_TABLE = """
python python3 python2 pypy pypy3 ipython ipython3 | python | c | WXQ | | m | | -V -VV --version
node nodejs | javascript | ep | rC | | | --eval --print | -v --version
deno | javascript | | c | | | | -V --version
bun | javascript | ep | r | | | --eval --print | -v --version --revision
tsx ts-node | javascript | ep | rPCO | | | --eval --print | -v --version
perl | perl | eE | I | Mm0lFix | | | -v --version
ruby irb jruby | ruby | e | ICEr | FTWxi0K | | | -v --version
php | php | rBREF | cdfztS | | | | -v --version
lua luajit | lua | e | l | | | | -v
Rscript R | r | e | | | | | --version
julia | julia | eE | pLHtC | | | --eval --print | -v --version
elixir iex | elixir | e | r | | | --eval --rpc-eval | -v --version
erl escript | erlang | | | | | -eval | -version
groovy | groovy | e | | | | | --version -v
scala amm | scala | e | | | | | -version --version
ghci runghc runhaskell | haskell | e | | | | | --version
guile racket sbcl clisp gsi csi | lisp | ce | l | | | --eval | --version
clojure clj bb lein-exec | lisp | e | | | | --eval | --version
tclsh wish expect | tcl | c | | | | | -v
osascript | applescript | e | l | | | |
pwsh powershell powershell.exe | powershell | c | | | | -command -encodedcommand | -version
swift kotlin jshell java dotnet-script crystal nim nu | compiled | e | | | | --eval --execute | --version -version
bash sh dash zsh ksh ash fish csh tcsh rbash mksh yash | sh | c | oO | | | --command | --version
"""
# What looks dangerous in code, whatever the language; a regular expression, then words for a person.
_DANGERS = r"""
os\.(?:system|popen|exec\w*|spawn\w*|posix_spawn\w*)|\bcommands\.getoutput | starts programs
\bsubprocess\b|\bpty\.spawn|asyncio\.create_subprocess|child_process|\bexecSync\b|\bspawnSync\b|\bexecFile|
  Deno\.(?:run|Command)|Bun\.(?:spawn|\$) | starts programs
\bsystem\s*[("'`]|\bqx\s*[{(/|!]|\bexec\s*[("'`]|\bpopen\b|\bshell_exec\b|\bpassthru\b|\bproc_open\b|Open3|IO\.popen|
  %x[\[({]|Kernel\.(?:system|exec) | starts programs
os\.execute|io\.popen|Runtime\.getRuntime|ProcessBuilder|do shell script|Process\.Start | starts programs
\bshutil\.(?:rmtree|move)|os\.(?:remove|unlink|rmdir|removedirs|rename|replace|truncate)|\.unlink\(|\brmtree\b|
  \.rmdir\( | deletes or moves files
\bfs\.(?:promises\.)?(?:rm|rmdir|unlink|rename|truncate)\w*|\b(?:rmSync|unlinkSync|rmdirSync)\b|Deno\.remove|
  \brimraf\b | deletes or moves files
FileUtils\.|File\.(?:delete|unlink|rename)|\bunlink\b|\brmdir\b|\bremove_tree\b|Dir\.(?:rmdir|delete)|os\.remove|
  Remove-Item | deletes or moves files
\bsocket\b|\burllib\b|\burlopen\b|\brequests\b|\bhttpx\b|\baiohttp\b|http\.client|\bhttplib\b|\bftplib\b|\bsmtplib\b|
  \btelnetlib\b|\bparamiko\b|xmlrpc | uses the network
\bfetch\s*\(|\bhttps?\.(?:get|request|createServer)|require\(\s*['"](?:node:)?(?:net|tls|dgram|https?|http2|dns)['"]|
  XMLHttpRequest|WebSocket|\baxios\b | uses the network
from\s+['"](?:node:)?(?:net|tls|dgram|https?|http2|dns|child_process)['"]|Net::HTTP|open-uri|\bLWP\b|IO::Socket|
  HTTP::Tiny|TCPSocket|fsockopen|\bcurl_init|file_get_contents\(\s*['"]https? | uses the network
Invoke-WebRequest|Invoke-RestMethod|\biwr\b|\birm\b|Net\.WebClient|/dev/(?:tcp|udp)/ | uses the network
os\.(?:kill|killpg|abort)|process\.kill|signal\.(?:pthread_kill|raise_signal)|\bkill\s*\(|\bkill\b|posix_kill|
  Stop-Process|\bpsutil\b | signals processes
\beval\s*\(|\bexec\s*\(|\bcompile\s*\(|__import__|\bimportlib\b|Function\s*\(|\bInvoke-Expression\b|\biex\b|
  \bloadstring\b | runs code made at run time
b64decode|base64|\batob\b|fromhex|\bunhexlify\b|Buffer\.from\([^)]*(?:hex|base64)|\bmarshal\b|\bpickle\b|
  codecs\.decode|\bzlib\b|\bchr\s*\( | hides what it does
\bctypes\b|\bcffi\b|\bffi\b|\bprocess\.binding\b|\bdlopen\b | calls native code
os\.(?:chmod|chown|setuid|setgid|symlink|link|putenv|environ)|process\.env|\bENV\[|
  \$ENV | changes modes or reads the environment
\b(?:open|Path|readFile\w*|writeFile\w*|appendFile\w*|createWriteStream|file_put_contents|File\.(?:open|write|
  read))\s*\(\s*[rbf]*['"](?:/|~|\.\./) | opens files outside
\.ssh\b|\.aws\b|\.netrc|id_rsa|/etc/(?:passwd|shadow|sudoers)|\.git/(?:hooks|config)|\.bashrc|authorized_keys|
  crontab | touches secrets or start-up files
"""
# Modules of `python -m`. `runs` is the project's code, `tool` includes the network, `serves` opens a port.
_MODULES = """
pytest unittest doctest tox nox coverage cProfile profile pdb timeit trace build sphinx mypy flake8 ruff black isort
  pylint bandit
  pyflakes pycodestyle pydocstyle mkdocs hatch invoke django alembic flask uvicorn gunicorn celery streamlit jupyter
  IPython pre_commit
  twisted behave robot nose nose2 compileall py_compile venv virtualenv maturin setuptools_scm pyright | runs
pip pipx ensurepip uv poetry pdm twine conda pip_audit piptools | tool
http.server smtpd xmlrpc.server wsgiref.simple_server aiohttp.web asyncio | serves
"""


def _compile_dangers() -> tuple[tuple[re.Pattern[str], str], ...]:
    found = []
    for line in _DANGERS.strip().replace("\n  ", "").splitlines():
        pattern, _, why = line.rpartition(" | ")
        found.append((re.compile(pattern), why))
    return tuple(found)


_COMPILED_DANGERS = _compile_dangers()


# Looking through more would take longer than a person waits for a verdict; the verdict is the same.
_MOST_CODE = 8192
_SHOWN = 3
_LOADING = frozenset(
    ("--require", "--import", "--loader", "--experimental-loader", "--init-file", "--rcfile", "--env-file"),
)


def dangers(code: str) -> tuple[str, ...]:
    """Names what looks dangerous in code: each phrase with the text that shows it."""
    found: dict[str, str] = {}
    if len(code) > _MOST_CODE:
        found["is more code than is looked through"] = f"{len(code)} characters"
    for pattern, why in _COMPILED_DANGERS:
        shown = dict.fromkeys(match[0].strip() for match in pattern.finditer(code, 0, _MOST_CODE))
        if shown:
            found[why] = ", ".join([*([found[why]] if why in found else []), *list(shown)[:_SHOWN]])
    return tuple(f"{why} ({shown})" for why, shown in found.items())


def _inline(invocation: Invocation, language: str, argument: Argument) -> Iterator[Effect]:
    code = rows.text_of(argument)
    certain = () if isinstance(argument, Known) else ("part of the code cannot be known",)
    yield Executes(
        f"{invocation.name} runs {language} code given on the line", language, code, (*dangers(code), *certain)
    )


def _module(invocation: Invocation, argument: Argument, rest: tuple[Argument, ...]) -> Iterator[Effect]:
    text = rows.text_of(argument)
    kind = _KINDS.get(text) or _KINDS.get(text.partition(".")[0])
    if not isinstance(argument, Known):
        kind = None
    match kind:
        case "tool":
            yield rows.tool(f"{invocation.name} -m {text}")
        case "serves":
            yield Connects(None, loopback=False, direct=False, by=f"{invocation.name} -m {text}")
            yield Executes(f"{invocation.name} -m {text} opens a port")
        case _:
            yield Executes(f"{invocation.name} -m {text} runs a module")
            yield from verbs.steered(text, text, replace(invocation, arguments=rest))
    if text == "json.tool":
        yield from (Reads(rows.target(invocation, word)) for word in rest[:1])
        yield from (Writes(rows.target(invocation, word)) for word in rest[1:2])


def _reader(language: Language) -> rows.Family:
    def read(invocation: Invocation) -> Iterator[Effect]:
        yield from _arguments(invocation, language)

    return rows.special(language.name, read)


def _arguments(invocation: Invocation, language: Language) -> Iterator[Effect]:
    """Reads options up to the script: everything after it belongs to the script."""
    arguments = invocation.arguments
    if len(arguments) == 1 and rows.text_of(arguments[0]) in language.versions:
        yield ReadsOnly()
        return
    found: list[Effect] = []
    at = 0
    while at < len(arguments):
        argument = arguments[at]
        text = rows.text_of(argument)
        if text == "-":
            break
        if not text.startswith("-") or not isinstance(argument, (Known, Prefix)):
            if not found:
                found.extend(_script(invocation, argument))
            break
        long = text.startswith("--") or text in language.long_code
        at += 1 + (_long if long else _bundle)(invocation, language, arguments[at:], found)
    yield from found or _standard_input(invocation, language)


def _long(invocation: Invocation, language: Language, words: tuple[Argument, ...], found: list[Effect]) -> int:
    """Reads one long option and says how many words its value took."""
    name, equals, given = rows.text_of(words[0]).partition("=")
    value = Known(given) if equals else (*words[1:2], Known(""))[0]
    if name.casefold() in language.long_code:
        found.extend(_inline(invocation, _tongue(language), value))
        return 0 if equals else 1
    if name in _LOADING:
        found.append(Executes(f"{invocation.name} {name} loads {rows.text_of(value)}"))
        return 0 if equals else 1
    return 0


def _bundle(invocation: Invocation, language: Language, words: tuple[Argument, ...], found: list[Effect]) -> int:
    """Reads one word of letters and says how many words their value took."""
    tongue = _tongue(language)
    for i, letter in enumerate(rows.text_of(words[0])[1:], start=2):
        attached = rows.text_of(words[0])[i:]
        # A shell's `-c` is followed by letters, and takes the next word; elsewhere the code may be attached.
        joined = bool(attached) and tongue != "sh"
        value = argument_of(words[0], attached) if joined else (*words[1:2], Known(""))[0]
        if letter in language.code:
            found.extend(_inline(invocation, tongue, value))
        elif letter in language.module:
            found.extend(_module(invocation, value, words[2 - joined :]))
            return len(words)
        elif letter in language.attached:
            return 0
        elif letter not in language.valued:
            continue
        return 0 if joined else 1
    return 0


def argument_of(argument: Argument, text: str) -> Argument:
    """The rest of an argument, as certain as the whole."""
    return Known(text) if isinstance(argument, Known) else Prefix(text, quoted=True)


def _script(invocation: Invocation, argument: Argument) -> Iterator[Effect]:
    where = rows.target(invocation, argument)
    yield Reads(where)
    if isinstance(argument, Known):
        yield Executes(f"{invocation.name} runs the script {argument.text}")
    else:
        yield Unrecognised(f"which script {invocation.name} runs cannot be known")


def _standard_input(invocation: Invocation, language: Language) -> Iterator[Effect]:
    if invocation.stdin is not None:
        yield from _inline(invocation, _tongue(language), Known(invocation.stdin))
    elif invocation.reads_pipe:
        why = "runs code that another command writes"
        yield Executes(f"{invocation.name} runs what comes through the pipe", _tongue(language), "", (why,))
    else:
        yield Executes(f"{invocation.name} reads code from its standard input", _tongue(language))


def _tongue(language: Language) -> str:
    return _TONGUES[language.name]


def _php(invocation: Invocation) -> Iterator[Effect]:
    """`php -S` and `-l` are not code."""
    if invocation.arguments[:1] == (Known("-l"),):
        yield from rows.reads(invocation, invocation.arguments[1:])
        yield Executes("php -l runs the checker with the configuration that it finds")
    else:
        yield from _arguments(invocation, _LANGUAGES["php"])


def _deno(invocation: Invocation) -> Iterator[Effect]:
    """`deno` and `bun` have subcommands before scripts. Source: docs.deno.com and bun.sh, command line references."""
    words = [rows.text_of(argument) for argument in invocation.arguments]
    verb = words[0] if words else ""
    if verb == "eval":
        for argument in invocation.arguments[1:]:
            if not rows.text_of(argument).startswith("-"):
                yield from _inline(invocation, "javascript", argument)
    elif verb in (
        "install",
        "i",
        "add",
        "remove",
        "update",
        "upgrade",
        "create",
        "x",
        "publish",
        "cache",
        "outdated",
        "pm",
        "link",
    ):
        yield rows.tool(f"{invocation.name} {verb}")
    elif verb in ("run", "test", "task", "build", "lint", "fmt", "check", "bench", "compile", "serve", "doc"):
        yield Executes(f"{invocation.name} {verb} runs the project's code")
    else:
        yield from _arguments(invocation, _LANGUAGES[invocation.name])


def _compile() -> tuple[dict[str, Language], dict[str, str]]:
    languages: dict[str, Language] = {}
    tongues: dict[str, str] = {}
    for line in _TABLE.strip().replace("\n  ", " ").splitlines():
        names, tongue, code, valued, attached, module, long_code, versions = (cell.strip() for cell in line.split("|"))
        for name in names.split():
            languages[name] = Language(
                name,
                code,
                valued,
                attached,
                module,
                tuple(long_code.split()),
                tuple(versions.split()),
            )
            tongues[name] = tongue
    return languages, tongues


_LANGUAGES, _TONGUES = _compile()
_KINDS = {
    name: kind.strip()
    for names, kind in (line.split("|") for line in _MODULES.strip().replace("\n  ", " ").splitlines())
    for name in names.split()
}
ROWS: rows.Family = {}
for _language in _LANGUAGES.values():
    ROWS |= _reader(_language)
ROWS |= rows.special("php", _php)
ROWS |= rows.special("deno bun", _deno)
