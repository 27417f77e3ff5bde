"""Programs that read files and print: harmless with the options listed here.

Source: the manual pages of GNU coreutils 9, diffutils 3, util-linux 2.39, file 5, less 643, jq 1.7, and their BSD kin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.domain.command import options
from agentos_lsp.domain.command.effects import Executes, ReadsOnly, Unrecognised, Writes
from agentos_lsp.domain.command.families import rows
from agentos_lsp.domain.command.invocation import Known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Invocation

_TABLE = """
cat | safe | read | -A,--show-all -b,--number-nonblank -e -E,--show-ends -n,--number -s,--squeeze-blank -t
  -T,--show-tabs -u
  -v,--show-nonprinting -l
bat batcat | safe | read | -A,--show-all -p,--plain -l,--language= -n,--number -r,--line-range= -H,--highlight-line=
  --color= --paging=x --pager=x --style= --theme= --decorations= -P,--no-pager --tabs= --wrap= --file-name= -d,--diff
  --list-themes
head | safe | read | -# -c,--bytes= -n,--lines= -q,--quiet,--silent -v,--verbose -z,--zero-terminated
tail | safe | read | -# -c,--bytes= -f,--follow? -F --lines,-n,--lines= --max-unchanged-stats=
  -q,--quiet,--silent --retry
  -s,--sleep-interval= -v,--verbose -z,--zero-terminated -r
wc | safe | look | -c,--bytes -m,--chars -l,--lines -L,--max-line-length -w,--words --files0-from=r --total= -h
uniq | safe | read+write | -c,--count -d,--repeated -D,--all-repeated? -f,--skip-fields= --group? -i,--ignore-case
  -s,--skip-chars= -u,--unique -w,--check-chars= -z,--zero-terminated -#
sort | safe | read | -b,--ignore-leading-blanks -d,--dictionary-order -f,--ignore-case -g,--general-numeric-sort
  -i,--ignore-nonprinting -M,--month-sort -h,--human-numeric-sort -n,--numeric-sort -R,--random-sort --random-source=r
  -r,--reverse --sort= -V,--version-sort --batch-size= -c,--check? -C --compress-program=x --debug --files0-from=r
  -k,--key=
  -m,--merge -o,--output=w -s,--stable -S,--buffer-size= -t,--field-separator= -T,--temporary-directory=w --parallel=
  -u,--unique -z,--zero-terminated
cut | safe | read | -b,--bytes= -c,--characters= -d,--delimiter= -f,--fields= -n --complement -s,--only-delimited
  --output-delimiter= -z,--zero-terminated -w
tr | safe | inert | -c,-C,--complement -d,--delete -s,--squeeze-repeats -t,--truncate-set1 -u
comm | safe | read | -123 -i --check-order --nocheck-order --output-delimiter= --total -z,--zero-terminated
cmp | safe | read | -b,--print-bytes -i,--ignore-initial= -l,--verbose -n,--bytes= -s,--quiet,--silent -x -z -h
diff colordiff | safe | read | -# -q,--brief -s,--report-identical-files -c -C,--context= -u -U,--unified= -e,--ed
  -n,--rcs
  -y,--side-by-side -W,--width= --left-column --suppress-common-lines -p,--show-c-function -F,--show-function-line=
  --label=
  -t,--expand-tabs -T,--initial-tab --tabsize= --suppress-blank-empty -r,--recursive --no-dereference -N,--new-file
  --unidirectional-new-file --ignore-file-name-case -x,--exclude= -X,--exclude-from=r -S,--starting-file=
  --from-file=r
  --to-file=r -i,--ignore-case -E,--ignore-tab-expansion -Z,--ignore-trailing-space -b,--ignore-space-change
  -w,--ignore-all-space -B,--ignore-blank-lines -I,--ignore-matching-lines= -a,--text --strip-trailing-cr -D,--ifdef=
  -d,--minimal
  --horizon-lines= --speed-large-files --color? --palette= -L= -P --normal
diff3 | safe | read | -AeExX3m -i -T,--initial-tab -L,--label= -a,--text --strip-trailing-cr --diff-program=x
  -A,--show-all -e,--ed
sdiff | safe | read | -bBdEilstW -o,--output=w -w,--width= --diff-program=x -a,--text -i,--ignore-case
nl | safe | read | -b,--body-numbering= -d,--section-delimiter= -f,--footer-numbering= -h,--header-numbering=
  -i,--line-increment=
  -l,--join-blank-lines= -n,--number-format= -p,--no-renumber -s,--number-separator= -v,--starting-line-number=
  -w,--number-width=
tac | safe | read | -b,--before -r,--regex -s,--separator=
rev | safe | read | -0,--zero
column | safe | read | -t,--table -s,--separator= -o,--output-separator= -c,--output-width= -n -N,--table-columns=
  -x,--fillrows
  -J,--json -R,--table-right= -H,--table-hide= -T,--table-truncate= -e,--table-header-repeat -L,--keep-empty-lines
fold | safe | read | -b,--bytes -s,--spaces -w,--width= -c,--characters -#
fmt | safe | read | -c,--crown-margin -p,--prefix= -s,--split-only -t,--tagged-paragraph -u,--uniform-spacing
  -w,--width= -g,--goal= -#
expand unexpand | safe | read | -i,--initial -t,--tabs= -a,--all --first-only -#
paste | safe | read | -d,--delimiters= -s,--serial -z,--zero-terminated
join | safe | read | -a= -e= -i,--ignore-case -j= -o= -t= -v= -1= -2= --check-order --nocheck-order --header
  -z,--zero-terminated
look | safe | first+read | -adf -t,--terminate= -a,--alternative
tsort | safe | read | -w
pr | safe | read | -# -a,--across -c,--show-control-chars -d,--double-space -D,--date-format= -e? -F,-f,--form-feed
  -h,--header=
  -i? -J,--join-lines -l,--length= -m,--merge -n? -N,--first-line-number= -o,--indent= -r,--no-file-warnings -s? -S?
  -t,--omit-header -w,--width=
numfmt | safe | inert | --debug -d,--delimiter= --field= --format= --from= --from-unit= --grouping --header?
  --invalid= --padding=
  --round= --suffix= --to= --to-unit= -z,--zero-terminated
iconv | safe | read | -f,--from-code= -t,--to-code= -l,--list -c -s,--silent -o,--output=w --verbose
split | | read | -a,--suffix-length= -b,--bytes= -C,--line-bytes= -d,--numeric-suffixes? -x,--hex-suffixes?
  -e,--elide-empty-files
  --filter=x -l,--lines= -n,--number= -t,--separator= -u,--unbuffered --verbose --additional-suffix=
od hexdump hd | safe | read | -A,--address-radix= -j,--skip-bytes= -N,--read-bytes= -S,--strings? -t,--format=
  -v,--output-duplicates
  -w,--width? -abcCdfhiloOsx -n,--length= -e= -f=r --endian= --traditional
xxd | safe | read+write | -a,-autoskip -b,-bits -c,-cols= -E,-EBCDIC -e -g,-groupsize= -i,-include -l,-len= -n,-name=
  -o= -p,-ps,-postscript,-plain
  -r,-revert -s,-seek= -u -d -R=
strings | safe | read | -a,--all -d,--data -f,--print-file-name -n,--bytes= -o -t,--radix= -e,--encoding=
  -w,--include-all-whitespace
  -s,--output-separator= -U,--unicode= -#
base64 base32 basenc | safe | read | -d,-D,--decode -i,--ignore-garbage -w,--wrap= --base64 --base64url --base32
  --base32hex --base16
  --base2msbf --base2lsbf --z85 -b,--break= --input=r --output=w
md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum shasum cksum sum md5 crc32 | safe | look |
  -a,--algorithm= -b,--binary -c,--check --tag
  -t,--text -z,--zero --ignore-missing --quiet --status --strict -w,--warn -l,--length= -U,--UNIVERSAL -0,--01 -q -r
  -s --untagged --raw --base64
stat | safe | look | -L,--dereference -f,--file-system -c,--format= --printf= -t,--terse --cached= -n -q -r -s -x -F
file | safe | look | -b,--brief -C,--compile!w --checking-printout -e,--exclude= --exclude-quiet= -f,--files-from=r
  -F,--separator=
  -h,--no-dereference -i,--mime --mime-type --mime-encoding --extension -k,--keep-going -l,--list -L,--dereference
  -m,--magic-file=x -N,--no-pad -n,--no-buffer -p,--preserve-date!w -r,--raw -s,--special-files -v,--version
  -z,--uncompress!x
  -Z,--uncompress-noreport!x -0,--print0 -I -S,--no-sandbox -P,--parameter= --apple -d -E
ls dir vdir | safe | list | -# -a,--all -A,--almost-all --author -b,--escape --block-size= -B,--ignore-backups -c -C
  --color? -d,--directory
  -D,--dired -f -F,--classify? --file-type --format= --full-time -g --group-directories-first -G,--no-group
  -h,--human-readable
  --si -H,--dereference-command-line --dereference-command-line-symlink-to-dir --hide= --hyperlink? -i,--inode
  -I,--ignore=
  --indicator-style= -k,--kibibytes -l -L,--dereference -m -n,--numeric-uid-gid -N,--literal -o -p
  -q,--hide-control-chars
  --show-control-chars -Q,--quote-name --quoting-style= -r,--reverse -R,--recursive -s,--size -S --sort= -t --time=
  --time-style=
  -T,--tabsize? -u -U -v -w,--width= -x -X -Z,--context --zero -@eOW
eza exa lsd | safe | list | -1,--oneline -l,--long -G,--grid -x,--across -R,--recurse -T,--tree -F,--classify?
  --color= --colour= --icons?
  -a,--all -A,--almost-all -d,--list-dirs -L,--level= -r,--reverse -s,--sort= --group-directories-first
  -D,--only-dirs -f,--only-files
  --git-ignore -b,--binary -B,--bytes -g,--group -h,--header -H,--links -i,--inode -m,--modified -S,--blocksize
  -t,--time=
  -u,--accessed -U,--created --no-permissions --no-filesize --no-user --no-time --git --depth= --time-style=
  -I,--ignore-glob=
tree | safe | list | -adflxpsugDNqSnACJXQUtcrivFh -L= -R= -P= -I= -H= -T= -o=w --dirsfirst --noreport --prune
  --gitignore
  --filelimit= --charset= --du --si --inodes --device --sort= --fromfile --matchdirs --timefmt= --filesfirst --info
  --nolinks --ignore-case
du | safe | list | -0,--null -a,--all --apparent-size -B,--block-size= -b,--bytes -c,--total -D,--dereference-args
  -d,--max-depth=
  --files0-from=r -H -h,--human-readable --inodes -k -L,--dereference -l,--count-links -m -P,--no-dereference
  -S,--separate-dirs --si
  -s,--summarize -t,--threshold= --time? --time-style= -X,--exclude-from=r --exclude= -x,--one-file-system -gnrA -I=
df | safe | inert | -a,--all -B,--block-size= -h,--human-readable -H,--si -i,--inodes -k -l,--local --no-sync
  --output? -P,--portability
  --total -t,--type= -T,--print-type -x,--exclude-type= -v -gm
basename | safe | inert | -a,--multiple -s,--suffix= -z,--zero
dirname | safe | inert | -z,--zero
realpath | safe | look | -e,--canonicalize-existing -m,--canonicalize-missing -L,--logical -P,--physical -q,--quiet
  --relative-to=
  --relative-base= -s,--strip,--no-symlinks -z,--zero -E
readlink | safe | look | -f,--canonicalize -e,--canonicalize-existing -m,--canonicalize-missing -n,--no-newline
  -q,--quiet
  -s,--silent -v,--verbose -z,--zero
which | safe | inert | -a,--all -s --skip-alias --skip-functions --skip-dot --skip-tilde --show-dot --show-tilde
  --tty-only
whereis | safe | inert | -bmsulg
seq | safe | inert | -# -f,--format= -s,--separator= -w,--equal-width -t=
yes | safe | inert |
factor nproc arch | safe | inert | --all --ignore= -h,--exponents
expr true false | safe | inert |
sleep | safe | inert |
uname | safe | inert | -a,--all -s,--kernel-name -n,--nodename -r,--kernel-release -v,--kernel-version -m,--machine
  -p,--processor
  -i,--hardware-platform -o,--operating-system
whoami logname tty groups hostid | safe | inert | -s,--silent,--quiet
id | safe | inert | -a -Z,--context -g,--group -G,--groups -n,--name -r,--real -u,--user -z,--zero -Pp
uptime | safe | inert | -p,--pretty -s,--since
free | safe | inert | -bkmgh -b,--bytes -k,--kibi -m,--mebi -g,--gibi -h,--human --si -l,--lohi -t,--total
  -s,--seconds= -c,--count= -w,--wide
who w users last lastlog | safe | inert | -abdHilmpqrstTuwf -#
cal ncal | safe | inert | -13jmsyYhMbew -A= -B= -d= -#
date | safe | inert | -d,--date= --debug -f,--file=r -I,--iso-8601? -R,--rfc-email --rfc-3339= -r,--reference=r
  -s,--set=x
  -u,--utc,--universal --resolution -jn -v= -z=
ps | safe | inert | -AaCdeFfGgHhjlLmMNnOopPqrSsTtuUVvwwXxyZc -C= -G= -g= -o= -O= -p= -q= -s= -t= -u= -U= --pid=
  --ppid= --sort= --forest
  --format= --no-headers --headers --user= --group= --tty= --cols= --width= --rows= --cumulative --deselect -e -f -k=
pgrep pidof | safe | inert | -acflnovxiSq -d,--delimiter= -l,--list-name -a,--list-full -c,--count -f,--full
  -g,--pgroup= -G,--group= -i,--ignore-case
  -n,--newest -o,--oldest -O,--older= -P,--parent= -s,--session= -t,--terminal= -u,--euid= -U,--uid= -v,--inverse
  -x,--exact -r,--runstates=
lscpu lsblk lsmod lspci lsusb | safe | inert | -aefhJlnOpPrSstxbdDikmvx -o,--output= --json --all
cloc tokei scc | safe | list | --json --by-file --quiet --vcs= -f,--files -s,--sort= --include-lang= --exclude-dir=
  --exclude= -e= -t= -o,--output= --csv --md --yaml
nm | safe | read | -AaBCDegnoprSuPvXlfh -t= --demangle? --defined-only --extern-only --size-sort --numeric-sort
  --format= --radix= --no-sort
objdump | safe | read | -aCdDfFghprRsStTxwzl -j= -M= -b= -m= --demangle? --section= --no-show-raw-insn --disassemble?
  --start-address= --stop-address=
readelf | safe | read | -aHhlSgtesnrudVADIcWTp -x= -p= -R= -w? --wide --headers --symbols --sections --segments
  --dynamic --notes --relocs
size | safe | read | -ABdox --format= --radix= --totals
"""


def _echo(_: Invocation) -> Iterator[Effect]:
    yield ReadsOnly()


_LESS = """
 -# -a -A -b= -B -c -C -d -D= -e -E -f -F -g -G -h= -i -I -j= -J -K -L -m -M -n -N -p= -P= -q -Q -r -R -s -S -u
 -U -w -W -x= -X -y= -z= -k=x --lesskey-file=x --lesskey-src=x -o,--log-file=w -O,--LOG-FILE=w -t=x --tag=x -T=r
 --chop-long-lines --RAW-CONTROL-CHARS --quit-if-one-screen --no-init --LINE-NUMBERS --ignore-case
"""


def _pager(invocation: Invocation) -> Iterator[Effect]:
    """`less` runs programs at its prompt, by `+!cmd` and by LESSOPEN; without a terminal it only copies.

    Source: less(1), options -k, -o, -O, -t and +, `LESSSECURE`.
    """
    row = rows.Row(invocation.name, "safe", "read", _LESS)
    for argument in invocation.arguments:
        if isinstance(argument, Known) and argument.text.startswith("+"):
            yield Executes(f"{invocation.name} {argument.text} runs a command of the pager")
    yield from rows.effects(row, invocation)
    yield Unrecognised(f"{invocation.name} may start other programs from its prompt")


def _test(invocation: Invocation) -> Iterator[Effect]:
    """`test -v 'a[$(cmd)]'` and arithmetic comparisons evaluate subscripts.

    Source: bash(1), CONDITIONAL EXPRESSIONS.
    """
    yield ReadsOnly()
    for argument in invocation.arguments:
        if "$(" in rows.text_of(argument) or "`" in rows.text_of(argument):
            yield Executes(f"{invocation.name} may evaluate {rows.text_of(argument)}")


_MAN = """
 -k,--apropos -f,--whatis -a,--all -w,--where,--path -K,--global-apropos -P,--pager=x -H,--html?x
 -C,--config-file=x -s,--sections= -S= -L,--locale= -E,--encoding= -M,--manpath=x -l,--local-file!x
 -p,--preprocessor=x -X,--gxditview?x -T,--troff-device?x -t,--troff!x -B=x -r,--prompt=x -7,--ascii
 -i,--ignore-case -I,--match-case --regex --wildcard --names-only
"""


def _man(invocation: Invocation) -> Iterator[Effect]:
    yield from rows.effects(rows.Row(invocation.name, "safe", "inert", _MAN), invocation)
    yield Unrecognised(f"{invocation.name} starts a pager")


def _listed(invocation: Invocation) -> Iterator[Effect]:
    """`--files0-from` and `file -f` name a list of files, and so any file. Source: wc(1), sort(1), du(1), file(1)."""
    row = _PLAIN[invocation.name if invocation.name in _PLAIN else invocation.name.casefold()]
    yield from rows.effects(row, invocation)
    parsed = options.parse(options.grammar(row.spec), invocation.arguments)
    if parsed.has("--files0-from", "--files-from"):
        yield Unrecognised(f"{invocation.name} reads the files that a list names")


def _ps(invocation: Invocation) -> Iterator[Effect]:
    """`ps e` and `-o environ` show the environment of processes, secrets among it. Source: ps(1), procps-ng 4."""
    yield from rows.effects(_PLAIN["ps"], invocation)
    for argument in invocation.arguments:
        text = rows.text_of(argument)
        if "environ" in text or (not text.startswith("-") and "e" in text):
            yield Unrecognised("ps may show the environment of processes")


def _date(invocation: Invocation) -> Iterator[Effect]:
    """An operand that is no format sets the clock. Source: date(1)."""
    yield from rows.effects(_PLAIN["date"], invocation)
    parsed = options.parse(options.grammar(_PLAIN["date"].spec), invocation.arguments)
    if not all(rows.text_of(operand).startswith("+") for operand in parsed.operands):
        yield Unrecognised("date may set the clock")


def _tree(invocation: Invocation) -> Iterator[Effect]:
    """`-R` with `-H` and `-L` writes a page into every folder. Source: tree(1)."""
    row = _PLAIN["tree"]
    yield from rows.effects(row, invocation)
    if options.parse(options.grammar(row.spec), invocation.arguments).has("-R"):
        yield Writes(rows.target(invocation, Known(".")))


def _env(invocation: Invocation) -> Iterator[Effect]:
    """Printing the environment may show secrets: it is never harmless."""
    yield Unrecognised(f"{invocation.name} may print secrets of the environment")


_PLAIN = rows.table(_TABLE)
ROWS = {
    **_PLAIN,
    **rows.special("wc sort du file", _listed),
    **rows.special("tree", _tree),
    **rows.special("ps", _ps),
    **rows.special("date", _date),
    **rows.special("echo", _echo),
    **rows.special("less more most zless zmore", _pager),
    **rows.special("test [", _test),
    **rows.special("man apropos whatis info", _man),
    **rows.special("env printenv", _env),
}
