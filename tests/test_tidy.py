"""The house is tidy: what the architecture, the style and the documentation promise is held against the code."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

import importlinter.api  # noqa: F401 - registers the readers and contract types that the use case needs
import pytest
from importlinter.application import use_cases

from agentos_lsp.domain import errors, events, policy_file
from agentos_lsp.domain.inspection import inspect as inspection

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "agentos_lsp"
DOCS = ROOT / "docs"
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

TOP_LEVEL = {"pyproject.toml", "README.md", "agentos_lsp", "editors", "tests", "docs", "LICENSE", "Makefile"}
SYSTEM_FOLDERS = {
    *("bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "media", "mnt", "opt", "proc", "root", "run"),
    *("sbin", "snap", "srv", "sys", "tmp", "usr", "var"),
    *("Applications", "Library", "System", "Users", "Volumes", "private"),
}
"""First components that exist on any machine of their kind; `home`, `root` and `Users` have a test of their own."""

EXAMPLE_PEOPLE = {"dev", "user", "person", "me", "you"}
"""Home folders of nobody."""

EXAMPLE_LINES = {ROOT / "tests" / "policy", ROOT / "tests" / "domain", ROOT / "tests" / "attack"}
"""Where command lines and paths are the material, those of any home among them."""


def listed() -> list[Path]:
    """Returns every file that belongs to the project, tracked or about to be."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, check=True, capture_output=True).stdout.decode().split("\0")
    return sorted({ROOT / name for name in names if name and (ROOT / name).is_file()})


FILES = listed()
MODULES = [file for file in FILES if file.suffix == ".py" and file.is_relative_to(PACKAGE)]


def relative(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@functools.cache
def text(file: Path) -> str:
    """Returns a file's text, empty for a binary one."""
    content = file.read_bytes()
    return "" if b"\0" in content else content.decode("utf-8", "replace")


@dataclass(frozen=True)
class Module:
    """What is asked about a module, so that it is read once for all tests and its tree need not be kept."""

    docstring: str
    calls: tuple[str, ...]
    imports: frozenset[str]
    """Every module that this one names in an import, wherever it stands."""
    strings: tuple[str, ...]
    """Its strings, but not the pieces that stand behind a value in a formatted one."""
    runs_a_shell: bool


@functools.cache
def module(file: Path) -> Module:
    tree = ast.parse(text(file), relative(file))
    calls: list[str] = []
    imports: set[str] = set()
    strings: list[ast.Constant] = []
    behind: set[int] = set()
    runs_a_shell = False
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=called):
                calls.append(dotted(called))
            case ast.Import(names=names):
                imports.update(alias.name for alias in names)
            case ast.ImportFrom(module=str(source), names=names):
                imports.update([source, *(f"{source}.{alias.name}" for alias in names)])
            case ast.JoinedStr(values=pieces):
                behind.update(id(piece) for piece in pieces[1:])
            case ast.Constant(value=str()):
                strings.append(node)
            case ast.keyword(arg="shell", value=ast.Constant(value=True)):
                runs_a_shell = True
            case _:
                pass
    return Module(
        ast.get_docstring(tree) or "",
        tuple(calls),
        frozenset(imports),
        tuple(str(node.value) for node in strings if id(node) not in behind),
        runs_a_shell,
    )


def dotted(node: ast.expr) -> str:
    """Returns `a.b.c` for such an expression, and what is known of its end for any other."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{dotted(value)}.{name}".lstrip(".")
        case _:
            return ""


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def rows(name: str) -> dict[str, str]:
    """Returns a page's table rows by the code in their first cell: | `key` | rest |."""
    return dict(re.findall(r"^\| `([^`]+)` \|(.*)$", page(name), re.MULTILINE))


# The code.


def test_every_import_contract_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    kept = use_cases.lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None, no_logo=True)
    assert kept, capsys.readouterr().out


def test_every_module_begins_with_a_sentence_that_says_what_it_is() -> None:
    scripts = [file for file in FILES if file.parent == ROOT / ".ci" and file.suffix == ".py"]
    silent = [
        relative(file)
        for file in [*MODULES, *scripts]
        if not re.match(r"\S[^\n]*(\n[^\n]+)*[.:?](\s|$)", module(file).docstring)
    ]
    assert silent == []


def test_no_file_is_longer_than_500_lines() -> None:
    sources = [file for file in FILES if file.suffix in {".py", ".lua", ".ts"}]
    assert {relative(file): count for file in sources if (count := text(file).count("\n")) > 500} == {}


@pytest.mark.parametrize("floor", ["domain", "effects", "runtime", "server"])
def test_nothing_prints_on_the_floor_whose_output_may_be_the_wire(floor: str) -> None:
    printing = [
        relative(file) for file in MODULES if file.is_relative_to(PACKAGE / floor) and "print" in module(file).calls
    ]
    assert printing == []


def test_the_proof_that_a_line_was_cleared_is_made_in_one_place() -> None:
    makers = {
        relative(file): count
        for file in MODULES
        if (count := sum(name.rpartition(".")[2] == "Cleared" for name in module(file).calls))
    }
    assert makers == {"agentos_lsp/runtime/tool_call.py": 1}


def test_only_the_door_to_processes_spawns() -> None:
    spawning = re.compile(
        r"(os\.(system|popen|fork|forkpty|posix_spawnp?|spawn\w+|exec\w+))|asyncio\.create_subprocess_\w+|\w+\.subprocess_\w+"
    )
    doors = {"subprocess", "multiprocessing", "pty", "concurrent.futures.ProcessPoolExecutor"}
    found = {
        relative(file)
        for file in MODULES
        if module(file).imports & doors or any(spawning.fullmatch(name) for name in module(file).calls)
    }
    # `cli` is a person's terminal: the tour starts a server there, as an editor would.
    assert {
        name for name in found if not name.startswith(("agentos_lsp/effects/process/", "agentos_lsp/cli/"))
    } == set()


def test_no_line_runs_through_an_unnamed_shell() -> None:
    mentioning = [file for file in FILES if file.suffix == ".py" and "shell" in text(file)]
    assert [relative(file) for file in mentioning if module(file).runs_a_shell] == []


def test_every_exception_from_the_checkers_names_its_rule_and_its_reason() -> None:
    bare = re.compile(r"#\s*noqa(?!: [A-Z]+\d+(, [A-Z]+\d+)* +([-#] )?\w)|#\s*type:\s*ignore(?!\[[a-z, -]+\])")
    found = [
        f"{relative(file)}:{number}"
        for file in FILES
        if file.suffix == ".py" and (file.is_relative_to(PACKAGE) or file.parent.name == ".ci")
        for number, line in enumerate(text(file).splitlines(), start=1)
        if bare.search(line)
    ]
    assert found == []


# The folders.


def test_the_top_level_holds_only_what_the_architecture_names() -> None:
    top = {file.relative_to(ROOT).parts[0] for file in FILES}
    assert {name for name in top if not name.startswith(".")} - TOP_LEVEL == set()


def test_no_file_names_a_place_on_the_machine_it_was_written_on() -> None:
    people = re.compile(rf"(?<!\w)/(?:home|Users)/(?!(?:{'|'.join(EXAMPLE_PEOPLE)})\b)\w|(?<!\w)/root/\w")
    found = [
        f"{relative(file)}:{number}: {line.strip()[:80]}"
        for file in FILES
        for number, line in enumerate(text(file).splitlines(), start=1)
        if f"{ROOT}/" in line or (people.search(line) and EXAMPLE_LINES.isdisjoint(file.parents))
    ]
    assert found == []


def test_an_absolute_path_in_the_code_is_one_that_every_machine_has() -> None:
    found = {
        f"{relative(file)}: {string[:60]}"
        for file in MODULES
        for string in module(file).strings
        if (start := re.match(r"/([A-Za-z][\w.-]*)/\w", string)) and start[1] not in SYSTEM_FOLDERS
    }
    assert found == set()


# The words.


def test_every_command_is_described_with_its_permission() -> None:
    protocol = importlib.import_module("agentos_lsp.server.protocol")
    described = {name: rest for name, rest in rows("protocol.md").items() if name in protocol.COMMANDS}
    expected = {name: spec.permission for name, spec in protocol.COMMANDS.items()}
    assert {
        name: permission for name, permission in expected.items() if f"`{permission}`" in described.get(name, "")
    } == expected


def test_no_page_describes_a_command_that_does_not_exist() -> None:
    protocol = importlib.import_module("agentos_lsp.server.protocol")
    named = {
        (relative(file), name)
        for file in FILES
        if file.suffix in {".md", ".txt", ".lua"}
        for name in re.findall(
            r"\bagentos\.(?:session|approval|command|policy|finding|hunk|file|checkpoint)\.[A-Za-z_]+\b", text(file)
        )
    }
    assert {(file, name) for file, name in named if name not in protocol.COMMANDS} == set()


def test_every_event_is_described_and_no_other() -> None:
    assert set(rows("events.md")) == set(events.EVENT_TYPES)


def test_every_error_is_described() -> None:
    classes = {
        name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.AgentosError)
    }
    words = "\n".join(text(file) for file in DOCS.rglob("*.md"))
    assert {name for name in classes if f"`{name}`" not in words} == set()


def test_every_rule_of_the_policy_is_described_as_the_code_has_it() -> None:
    described = dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", page("policy.md"), re.MULTILINE))
    assert described == {rule.name: f"{rule.action} | {rule.says}" for rule in inspection.RULES}


def test_every_key_of_a_policy_file_is_described() -> None:
    tables = [policy_file.schema(), *policy_file.schema()["$defs"].values()]
    keys = {key for table in tables for key in table["properties"]} - {rule.name for rule in inspection.RULES}
    guide = page("policy.md")
    assert {key for key in keys if f"`{key}`" not in guide and f"[{key}]" not in guide} == set()


def requirements() -> set[str]:
    """Returns the names of what the project asks for, to run and to work on it."""
    project = CONFIGURATION["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    return {re.split(r"[<>=!~;\[ ]", line)[0].lower() for line in lines}


def test_every_dependency_is_described_and_no_other() -> None:
    assert set(rows("dependencies.md")) == requirements() | set(CONFIGURATION["build-system"]["requires"])


def test_every_dependency_is_pinned_to_one_version() -> None:
    lines = (ROOT / ".ci" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in pins if not re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9_.]*", line)] == []
    pinned = {re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in pins}
    assert requirements() - pinned == set()


def test_the_architecture_names_every_folder_of_the_package() -> None:
    folders = {file.parent.relative_to(PACKAGE) for file in MODULES} - {Path()}
    drawing = page("architecture.md")
    assert {folder.as_posix() for folder in folders if f"{folder.name}/" not in drawing} == set()


def test_every_promise_of_the_security_page_names_a_test_that_exists() -> None:
    tables = re.findall(r"^\| promise \|.*\n\|[ -|]+\|\n((?:\|.*\n)+)", page("security.md"), re.MULTILINE)
    promises = [row for table in tables for row in table.splitlines()]
    assert len(promises) >= 17
    for row in promises:
        shown = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row.rstrip("| ").rpartition(" | ")[2])
        assert shown, row
        for file, name in shown:
            assert re.search(rf"^(async )?def {name}\(", text(ROOT / file), re.MULTILINE), f"{file}::{name}"


def test_the_changelog_has_a_place_for_the_next_change() -> None:
    assert re.search(r"^## \[?Unreleased\]?$", page("changelog.md"), re.MULTILINE)


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(file.name[:4]) for file in (DOCS / "decisions").glob("[0-9][0-9][0-9][0-9]-*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers


def test_every_link_between_pages_leads_somewhere() -> None:
    found = [
        f"{relative(file)}: {target}"
        for file in FILES
        if file.suffix == ".md" and file.parent in {ROOT, DOCS, DOCS / "decisions"}
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text(file))
        if "://" not in target and not (file.parent / target).exists()
    ]
    assert found == []


def test_the_help_file_of_neovim_describes_every_subcommand() -> None:
    plugin = text(ROOT / "editors" / "nvim" / "lua" / "agentos" / "command.lua")
    subcommands = set(re.findall(r"^subcommands\.(\w+) =", plugin, re.MULTILINE))
    described = set(re.findall(r"\*:AgentOS-(\w+)\*", text(ROOT / "editors" / "nvim" / "doc" / "agentos.txt")))
    assert subcommands
    assert described == subcommands
