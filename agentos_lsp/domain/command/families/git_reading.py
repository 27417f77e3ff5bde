"""git's reading commands, with the options that keep them so.

Source: the manual page of each subcommand, git 2.51; diff-options and rev-list-options are shared by many.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import options, secrets
from agentos_lsp.domain.command.effects import ChangesRepository, Reads, ReadsOnly, Unrecognised
from agentos_lsp.domain.command.families import rows
from agentos_lsp.domain.command.invocation import Known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Argument, Invocation

_DIFF = """
 -# -p,-u,--patch -s,--no-patch -U,--unified= --output=w --output-indicator-new= --output-indicator-old=
 --output-indicator-context=
 --raw --patch-with-raw --indent-heuristic --no-indent-heuristic --minimal --patience --histogram --anchored=
 --diff-algorithm=
 --stat? --stat-width= --stat-name-width= --stat-count= --compact-summary --numstat --shortstat -X,--dirstat?
 --cumulative
 --dirstat-by-file? --summary --patch-with-stat -z --name-only --name-status --submodule? --color? --no-color
 --color-moved?
 --no-color-moved --color-moved-ws= --word-diff? --word-diff-regex= --color-words? --no-renames --rename-empty
 --no-rename-empty --check
 --ws-error-highlight= --full-index --binary --abbrev? --no-abbrev -B,--break-rewrites? -M,--find-renames?
 -C,--find-copies?
 --find-copies-harder -D,--irreversible-delete -l= --diff-filter= -S= -G= --find-object= --pickaxe-all
 --pickaxe-regex -O=r
 --skip-to= --rotate-to= -R --relative? --no-relative -a,--text --ignore-cr-at-eol --ignore-space-at-eol
 -b,--ignore-space-change
 -w,--ignore-all-space --ignore-blank-lines -I,--ignore-matching-lines= --inter-hunk-context= -W,--function-context
 --exit-code --quiet --ext-diff!x --no-ext-diff --textconv!x --no-textconv --ignore-submodules? --src-prefix=
 --dst-prefix=
 --no-prefix --default-prefix --line-prefix= --ita-invisible-in-index --ita-visible-in-index --cached --staged
 --merge-base --no-index
 -1 -2 -3 -0 --base --ours --theirs -c --cc --combined-all-paths -r -t -m --root -v --pretty? --stdin --no-commit-id
"""
_LOG = """
 -n,--max-count= --skip= --since= --after= --until= --before= --since-as-filter= --author= --committer=
 --grep-reflog= --grep=
 --all-match --invert-grep -i,--regexp-ignore-case --basic-regexp -E,--extended-regexp -F,--fixed-strings
 -P,--perl-regexp
 --remove-empty --merges --no-merges --min-parents= --max-parents= --no-min-parents --no-max-parents --first-parent
 --exclude-first-parent-only --not --all --branches? --tags? --remotes? --glob= --exclude= --exclude-hidden= --reflog
 --alternate-refs --single-worktree --ignore-missing --bisect --cherry-mark --cherry-pick --left-only --right-only
 --cherry
 -g,--walk-reflogs --merge --boundary --use-bitmap-index --simplify-by-decoration --show-pulls --full-history --dense
 --sparse
 --simplify-merges --ancestry-path? --date-order --author-date-order --topo-order --reverse --no-walk? --do-walk
 --pretty?
 --format= --abbrev-commit --no-abbrev-commit --oneline --encoding= --expand-tabs? --no-expand-tabs --notes?
 --no-notes
 --show-notes? --show-signature!x --relative-date --date= --parents --children --left-right --graph --no-graph
 --show-linear-break?
 --follow --no-decorate --decorate? --decorate-refs= --decorate-refs-exclude= --clear-decorations --source --mailmap
 --use-mailmap
 --no-mailmap --full-diff --log-size -L= --diff-merges= --no-diff-merges --dd --remerge-diff --count --timestamp
 --header --objects
 --objects-edge --unpacked --disk-usage? --quiet -q
"""
_VERBS_TABLE = f"""
status | -s,--short -b,--branch --show-stash --porcelain? --long -v,--verbose -u,--untracked-files?
  --ignore-submodules?
  --ignored? -z --column? --no-column --ahead-behind --no-ahead-behind --renames --no-renames --find-renames?
diff | {_DIFF}
diff-tree diff-index diff-files | {_DIFF} {_LOG}
log show whatchanged reflog-show rev-list | {_DIFF} {_LOG}
range-diff | {_DIFF} --creation-factor= --no-dual-color --left-only --right-only --no-notes --notes?
shortlog | {_LOG} -s,--summary -e,--email -c -w? --group= -n,--numbered
blame annotate | -b --root --show-stats -L= -l -t -S=r --reverse? -p,--porcelain --line-porcelain --incremental
  --encoding= --contents=r
  --date= -M? -C? --ignore-rev= --ignore-revs-file=r --color-lines --color-by-age -h -c --score-debug -f,--show-name
  -n,--show-number
  -s -e,--show-email -w --abbrev? --progress --no-progress --first-parent
rev-parse | --parseopt --sq-quote --keep-dashdash --stop-at-non-option --stuck-long --revs-only --no-revs --flags
  --no-flags --default=
  --prefix= --verify -q,--quiet --sq --short? --not --abbrev-ref? --symbolic --symbolic-full-name
  --output-object-format= --all
  --branches? --tags? --remotes? --glob= --exclude= --exclude-hidden= --disambiguate= --local-env-vars --path-format=
  --git-dir
  --git-common-dir --resolve-git-dir= --git-path= --show-toplevel --show-superproject-working-tree
  --shared-index-path --absolute-git-dir
  --is-inside-git-dir --is-inside-work-tree --is-bare-repository --is-shallow-repository --show-cdup --show-prefix
  --show-object-format?
  --show-ref-format --since= --after= --until= --before=
describe | --dirty? --broken? --all --tags --contains --abbrev= --candidates= --exact-match --debug --long --match=
  --exclude= --always
  --first-parent
ls-files | -c,--cached -d,--deleted -m,--modified -o,--others -i,--ignored -s,--stage -u,--unmerged -k,--killed
  --resolve-undo --directory
  --no-empty-directory --eol --deduplicate -z -x,--exclude= -X,--exclude-from=r --exclude-per-directory=
  --exclude-standard -t -v -f
  --full-name --recurse-submodules --abbrev? --debug --format= --sparse --error-unmatch --with-tree=
ls-tree | -d -r -t -l,--long -z --name-only --name-status --object-only --full-name --full-tree --abbrev? --format=
cat-file | -t -s -e -p --allow-unknown-type --batch? --batch-check? --batch-command? --batch-all-objects --buffer
  --unordered --follow-symlinks
  --path= --textconv!x --filters!x -Z -z --mailmap --no-mailmap --use-mailmap
merge-base | -a,--all --octopus --independent --is-ancestor --fork-point
name-rev | --tags --refs= --exclude= --all --annotate-stdin --name-only --no-undefined --always
for-each-ref | --count= --sort= --format= --shell --perl --python --tcl --points-at= --merged? --no-merged?
  --contains? --no-contains?
  --ignore-case --omit-empty --exclude= --include-root-refs --stdin --color?
show-ref | --head --branches --heads --tags -d,--dereference -s,--hash? --verify --exists --abbrev? -q,--quiet
  --exclude-existing?
show-branch | -r,--remotes -a,--all --current --topo-order --date-order --sparse --more? --list --merge-base
  --independent --no-name --sha1-name
  --topics -g,--reflog? --color? --no-color
grep | -# --cached --untracked --no-index --no-exclude-standard --exclude-standard --recurse-submodules -a,--text
  --textconv!x
  --no-textconv -i,--ignore-case -I --max-depth= -r,--recursive --no-recursive -w,--word-regexp -v,--invert-match -h
  -H --full-name
  -E,--extended-regexp -G,--basic-regexp -P,--perl-regexp -F,--fixed-strings -n,--line-number --column
  -l,--files-with-matches,--name-only
  -L,--files-without-match -O,--open-files-in-pager?x -z,--null -o,--only-matching -c,--count --color? --no-color
  --break --heading
  -p,--show-function -C,--context= -A,--after-context= -B,--before-context= -W,--function-context -m,--max-count=
  --threads= -f=r -e= --and
  --or --not --all-match -q,--quiet
count-objects | -v,--verbose -H,--human-readable
cherry | -v --abbrev?
var | -l
check-ignore | -q,--quiet -v,--verbose --stdin -z -n,--non-matching --no-index
check-attr | -a,--all --cached --stdin -z --source=
check-ref-format | --branch --normalize --allow-onelevel --no-allow-onelevel --refspec-pattern
check-mailmap | --stdin
diff-pairs stripspace column patch-id get-tar-commit-id verify-pack | -v -s -z -c --stable --unstable --mode=
version | --build-options
archive | -l,--list -v,--verbose --format= --prefix= --add-file=r --add-virtual-file= -o,--output=w
  --worktree-attributes --mtime= -#
  --remote=x --exec=x
fsck | --tags --root --unreachable --cache --no-reflogs --full --no-full --strict --verbose --dangling --no-dangling
  --progress --no-progress
  --connectivity-only --name-objects --lost-found!w
"""
# Commands that read or change, by what stands first: `verb/subverb`, or `verb/` for the bare form.
_LISTING_TABLE = """
branch | -a,--all -r,--remotes -v,--verbose -vv -l,--list --show-current --contains? --no-contains? --merged?
  --no-merged? --sort= --format=
  --points-at= --color? --no-color --column? --no-column --abbrev? --no-abbrev -i,--ignore-case --omit-empty
  -q,--quiet
tag | -l,--list -n? --contains? --no-contains? --merged? --no-merged? --sort= --format= --points-at= --color?
  --column? --no-column
  -i,--ignore-case --omit-empty
stash/list | -# -p,--patch --stat? --oneline --format= --pretty? --date= -n,--max-count= --name-only --name-status
stash/show | -p,--patch -u,--include-untracked --only-untracked --stat? --name-only --name-status --no-patch
  --numstat --no-ext-diff
remote/ | -v,--verbose
remote/get-url | --push --all
worktree/list | -v,--verbose --porcelain -z
reflog/ | -# --date= --all --oneline --format= --pretty? -n,--max-count= --no-abbrev
reflog/show | -# --date= --all --oneline --format= --pretty? -n,--max-count= --stat? --no-abbrev
reflog/list |
reflog/exists |
notes/list |
notes/show |
notes/ |
bisect/log |
config/list | -z,--null --name-only --local --global --system --worktree --show-origin --show-scope --includes
  --no-includes
config/get | --all --regexp --value= --fixed-value --default= --url= -z,--null --type= --local --global --system
  --worktree --show-origin
  --show-scope --show-names --name-only
config | --get --get-all --get-regexp --get-color --get-colorbool -l,--list -z,--null --name-only
  --local --global --system --worktree
  --show-origin --show-scope --includes --no-includes --type= --bool --int --path --default=
symbolic-ref | -q,--quiet --short --recurse --no-recurse
bundle/verify | -q,--quiet
bundle/list-heads |
sparse-checkout/list |
lfs/ls-files | -l,--long -s,--size -a,--all -n,--name-only
lfs/status | -p,--porcelain -j,--json
lfs/env |
"""


def _compile(table: str) -> dict[str, str]:
    """Reads a table of `verbs | options`."""
    lines = ("\n".join(line for line in table.splitlines() if line.strip())).replace("\n ", " ").splitlines()
    pairs = (line.split("|", 1) for line in lines)
    return {name: spec for names, spec in pairs for name in names.split()}


# What shows the contents of files by itself, and what lets the others do so.
_SHOWS = frozenset(
    {
        "archive",
        "range-diff",
        "show",
        "cat-file",
        "blame",
        "annotate",
        "diff",
        "grep",
        "diff-tree",
        "diff-index",
        "diff-files",
    }
)
_PATCHES = (
    *("--patch", "--unified", "--patch-with-raw", "--patch-with-stat", "-L", "-c", "--cc", "--word-diff"),
    *("--color-words", "--binary", "--remerge-diff", "--dd"),
)

# Keys of configuration in whose values a token may stand.
_TELLING = re.compile(r"(?i)http|url|credential|remote\..*url|sendemail|.*(?:token|pass|secret|key)")
_SPECS = _compile(_VERBS_TABLE)
_LISTINGS = _compile(_LISTING_TABLE)
VERBS = frozenset(_SPECS)


def effects(verb: str, arguments: tuple[Argument, ...], invocation: Invocation, _call: object) -> Iterator[Effect]:
    """Says what a reading command would do: nothing but read, with the options that are known."""
    spec = _SPECS[verb]
    parsed = options.parse(options.grammar(spec), arguments)
    yield ReadsOnly()
    yield from _rest(verb, parsed, invocation, spec)


def listing(form: str, arguments: tuple[Argument, ...], invocation: Invocation) -> tuple[Effect, ...] | None:
    """Says what `form` (`branch`, `stash/list`) does if it only lists; None if it may change something."""
    spec = _LISTINGS.get(form)
    if spec is None:
        return None
    parsed = options.parse(options.grammar(spec), arguments)
    if parsed.strange or parsed.unsure or parsed.globbed:
        return None
    if form == "config":
        asked = parsed.has("--get", "--get-all", "--get-regexp", "--list", "--get-color", "--get-colorbool")
        lists = (asked or len(parsed.operands) == 1) and not _shows_credentials(form, parsed)
    elif form in ("branch", "tag"):
        patterned = parsed.has("--list", "--contains", "--no-contains", "--merged", "--no-merged", "--points-at", "-n")
        lists = not parsed.operands or patterned
    elif form in ("config/list", "config/get"):
        lists = not _shows_credentials(form, parsed)
    elif form == "symbolic-ref":
        lists = len(parsed.operands) == 1
    else:
        lists = True
    return (ReadsOnly(), *_rest(form, parsed, invocation, spec)) if lists else None


def _shows_credentials(form: str, parsed: options.Parsed) -> bool:
    """Tells whether configuration is shown in which tokens may stand. Source: git-config(1): http.extraHeader, url."""
    if form == "config/list" or parsed.has("--list", "--get-regexp", "--regexp", "--all") or not parsed.operands:
        return True
    return _TELLING.match(rows.text_of(parsed.operands[0])) is not None


def _rest(verb: str, parsed: options.Parsed, invocation: Invocation, spec: str) -> Iterator[Effect]:
    yield from rows.of_options(parsed, invocation, f"git {verb}")
    yield from rows.doubts(parsed, f"git {verb}", careful=rows.has_dangers(spec))
    if verb == "fsck" and parsed.has("--lost-found"):
        yield ChangesRepository("writes lost objects", loses_work=False)
    if verb in ("diff", "grep"):
        for operand in parsed.operands[verb == "grep" :]:
            # Outside the repository, or with --no-index, these read any file.
            yield Reads(rows.target(invocation, operand))
    fed = invocation.stdin if verb == "cat-file" and parsed.has("--batch", "--batch-command") else ""
    if fed is None:
        yield Unrecognised(f"what git {verb} is told to show cannot be known")
    if verb in _SHOWS or parsed.has(*_PATCHES) or (verb == "status" and parsed.has("--verbose")):
        # A commit has the contents of a file too: `COMMIT:PATH`, `-L RANGE:PATH`, or a path whose patches are shown.
        for operand in (*parsed.operands, *parsed.values("-L"), *map(Known, (fed or "").split())):
            path = rows.text_of(operand).rpartition(":")[2]
            if secrets.is_named(path):
                yield Reads(rows.target(invocation, Known(path)))
    if parsed.unsure and not rows.has_dangers(spec):
        yield Unrecognised(f"an argument of git {verb} cannot be known")
