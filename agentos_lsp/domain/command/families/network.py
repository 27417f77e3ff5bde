"""Direct network clients: which host they talk to, and what else their options do.

Source: curl(1) 8, wget(1) 1.24, nc(1), ncat(1), socat(1), ssh(1), scp(1), rsync(1) 3.2, openssl(1), dig(1), HTTPie 3.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentos_lsp.domain.command import options
from agentos_lsp.domain.command.effects import (
    Connects,
    Deletes,
    Executes,
    Reads,
    ReadsOnly,
    Unrecognised,
    Writes,
)
from agentos_lsp.domain.command.families import rows, services
from agentos_lsp.domain.command.invocation import Known, Prefix, Target, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Argument, Invocation

_CURL = """
 -# -0,--http1.0 -1,--tlsv1 -2,--sslv2 -3,--sslv3 -4,--ipv4 -6,--ipv6 -a,--append -A,--user-agent= -b,--cookie=
 -B,--use-ascii -c,--cookie-jar=w
 -C,--continue-at= -d,--data= -D,--dump-header=w -e,--referer= -E,--cert=r -f,--fail -F,--form= -g,--globoff -G,--get
 -h,--help
 -H,--header= -i,--include -I,--head -j,--junk-session-cookies -J,--remote-header-name!w -k,--insecure -K,--config=x
 -l,--list-only
 -L,--location -m,--max-time= -M,--manual -n,--netrc -N,--no-buffer -o,--output=w -O,--remote-name!w -p,--proxytunnel
 -P,--ftp-port=
 -q,--disable -Q,--quote= -r,--range= -R,--remote-time -s,--silent -S,--show-error -t,--telnet-option=
 -T,--upload-file=r -u,--user=
 -U,--proxy-user= -v,--verbose -V,--version -w,--write-out= -x,--proxy=h -X,--request= -y,--speed-time=
 -Y,--speed-limit= -z,--time-cond=
 -Z,--parallel --next --url= --data-ascii= --data-binary= --data-raw= --data-urlencode= --json= --form-string=
 --url-query= --compressed
 --connect-timeout= --connect-to= --resolve= --preproxy=h --socks4=h --socks4a=h --socks5=h --socks5-hostname=h
 --socks5-gssapi
 --noproxy= --interface= --unix-socket=x --abstract-unix-socket=x --dns-servers=h --doh-url=h --dns-interface=
 --dns-ipv4-addr=
 --retry= --retry-delay= --retry-max-time= --retry-all-errors --retry-connrefused --fail-with-body --fail-early
 --location-trusted
 --max-redirs= --max-filesize= --limit-rate= --create-dirs --output-dir=w --remote-name-all!w --stderr=w --trace=w
 --trace-ascii=w
 --trace-time --trace-ids --libcurl=w --hsts=w --alt-svc=w --etag-save=w --etag-compare=r --netrc-file=r
 --netrc-optional --key=r --key-type=
 --cert-type= --cacert=r --capath=r --ciphers= --tls-max= --tlsv1.0 --tlsv1.1 --tlsv1.2 --tlsv1.3 --ssl --ssl-reqd
 --ssl-no-revoke --http1.1
 --http2 --http2-prior-knowledge --http3 --http3-only --http0.9 --digest --basic --ntlm --negotiate --anyauth
 --oauth2-bearer=
 --aws-sigv4= --proto= --proto-default= --proto-redir= --post301 --post302 --post303 --path-as-is --progress-bar
 --no-progress-meter
 --styled-output --no-styled-output --raw --tr-encoding --no-keepalive --keepalive-time= --tcp-nodelay --tcp-fastopen
 --parallel-max=
 --parallel-immediate --rate= --engine=x --pinnedpubkey= --delegation= --mail-from= --mail-rcpt= --ftp-pasv
 --ftp-create-dirs --no-clobber
 --remove-on-error --variable= --expand-url= --skip-existing --xattr --haproxy-protocol --happy-eyeballs-timeout-ms=
 --pass= --proxy-header=
 --no-location --no-silent --no-verbose --no-buffer --suppress-connect-headers --crlf --local-port= --krb= --sasl-ir
 --login-options=
"""
_WGET = """
 -# -V,--version -h,--help -b,--background -e,--execute=x -o,--output-file=w -a,--append-output=w -d,--debug
 -q,--quiet -v,--verbose
 -nv,--no-verbose --report-speed= -i,--input-file=r --input-metalink=r -F,--force-html -B,--base= --config=x
 --no-config --rejected-log=w
 -t,--tries= --retry-connrefused --retry-on-http-error= -O,--output-document= -nc,--no-clobber --backups?
 -c,--continue --start-pos=
 --progress= --show-progress -N,--timestamping --no-use-server-timestamps -S,--server-response --spider -T,--timeout=
 --dns-timeout=
 --connect-timeout= --read-timeout= -w,--wait= --waitretry= --random-wait --no-proxy -Q,--quota= --bind-address=
 --limit-rate=
 --no-dns-cache --restrict-file-names= --ignore-case -4,--inet4-only -6,--inet6-only --prefer-family= --user=
 --password= --ask-password
 --use-askpass=x --no-iri -nd,--no-directories -x,--force-directories -nH,--no-host-directories --protocol-directories
 -P,--directory-prefix=w --cut-dirs= --default-page= -E,--adjust-extension --http-user= --http-password= --no-cache
 --header= --compression= --max-redirect= --proxy-user= --proxy-password= --referer= --save-headers -U,--user-agent=
 --no-http-keep-alive --no-cookies --load-cookies=r --save-cookies=w --keep-session-cookies --post-data=
 --post-file=r --method= --body-data=
 --body-file=r --content-disposition --content-on-error --trust-server-names --auth-no-challenge --secure-protocol=
 --https-only
 --no-check-certificate --certificate=r --private-key=r --ca-certificate=r --ca-directory=r --ftp-user=
 --ftp-password= -r,--recursive
 -l,--level= --delete-after -k,--convert-links -K,--backup-converted -m,--mirror -p,--page-requisites
 --strict-comments -A,--accept=
 -R,--reject= --accept-regex= --reject-regex= --regex-type= -D,--domains= --exclude-domains= --follow-ftp
 --follow-tags= --ignore-tags=
 -H,--span-hosts -L,--relative -I,--include-directories= -X,--exclude-directories= -np,--no-parent --hsts-file=w
 --warc-file=w
"""
# The options that take a value, for programs whose first operand (or every operand) is a host.
# names | which operands name hosts: `first`, `all`, `remote` (those with a colon), `none` | options
_CLIENTS = """
autossh | first | -fV -M= -46AaCgGkKNnqsTtvXxYy -B= -b= -c= -D= -E=w -F=x -i=r -J=h -L= -l= -m= -O= -o=o -p= -R= -W=
ssh slogin mosh ssh-copy-id | first | -46AaCfGgKkMNnqsTtVvXxYy -B= -b= -c= -D= -E=w -e= -F=x -I=x -i=r -J=h -L= -l= -m=
  -O= -o=o -p= -P= -Q= -R= -S=x -W= -w= --ssh=x
  --client=x --server=x --predict= --port=
scp | remote | -346ABCOpqRrTv -c= -D=x -F=x -i=r -J=h -l= -o=o -P= -S=x -X=
sftp | first | -46AaCfNpqrv -B= -b=r -c= -D=x -F=x -i=r -J=h -l= -o=o -P= -R= -S=x -s= -X=
telnet rlogin rsh rcp | first | -468EFKLacdfrx -S= -X= -b= -e= -k= -l= -n=w
ftp tftp lftp ncftp pftp | first | -46AadefgimnpRtVv -N=r -o=w -P= -q= -r= -s= -T= -u= -w= -c=x -e=x -l= -f=r
nc netcat ncat nc.openbsd nc.traditional | first | -46bCDdFhkNnrStUuvZz -c=x -e=x -g= -G= -I= -i= -l! -L= -M= -m= -O=
  -o=w -P= -p= -q= -s= -T= -V= -W= -w= -X= -x=h
  --exec=x --sh-exec=x --lua-exec=x --proxy=h --output=w --listen --ssl --udp --send-only --recv-only
lwp-request lwp-download lwp-mirror GET HEAD POST | all | -fusSexpPdmU -b= -t= -i= -c= -C= -H= -o=w
gnutls-cli tlsclient | first | -p= --port= --x509certfile=r --insecure
ssh-keyscan | all | -46cDHOqTv -f=r -p= -t= -T=
dig drill kdig delv | all | -46bhimruv -c= -f=r -k=r -p= -q=h -t= -x=h -y=
nslookup host resolvectl getent-hosts dog | all | -aCdilNrsTUvVw -c= -t= -W= -R= -m= -p=
ping ping6 fping hping3 arping | all | -4456AaBbCDdfhHLnOqrRUvV3 -c= -e= -F= -g= -i= -I= -l= -m= -M= -N= -p= -Q= -s=
  -S= -t= -T= -w= -W= -G= -j=
traceroute traceroute6 tracepath mtr | first | -46AbBcdDeFiInorTUVw -f= -g= -m= -N= -p= -q= -s= -t= -z= --report
whois finger rwho | all | -aBbcdFGHIKLlMmQRrSx -h=h -p= -T= -i= -s= -t= -v= -q=
aria2c axel | all | -abcdDeknPqVvh -o=w -d=w -i=r -l=w -j= -s= -x= --on-download-complete=x --conf-path=x --dir=w
  --out=w --all-proxy=h
lynx w3m links elinks links2 browsh | all | -dump -source -nolist -stdin -T= -o= -cols= -width= -cfg=x
  -accept_all_cookies
nmap masscan zmap nping | all | -AFnOPRrsTv46hV -p= -D= -e= -g= -i= -iL=r -o=w -oN=w -oX=w -oG=w -S= -T= --script=x
iperf iperf3 | none | -s!  -c=h -p= -t= -u -P= -b= -i= -R -J -f= -n= -1 -D -V
websocat wscat grpcurl evans vegeta hey ab wrk k6 siege | all | -c= -n= -t= -d= -H= -k -plaintext -s= -m= -C= -T=
  -p=r -proto=r -import-path=r
mail mailx mutt neomutt swaks sendmail msmtp ssmtp | mailed | -s= -a=r -A=r -c=h -b=h -r= -S= -t -v -q= -e -E -i -n -f=
  --to=h --server=h -to=h
nbtscan smbclient rpcclient ldapsearch snmpwalk snmpget rdesktop xfreerdp vncviewer | all | -h=h -H=h -U= -P= -N -L=
  -c=x -p= -v= -x -b= -D= -w=
"""
# Programs that ask the DNS about every operand.
_NAMERS = frozenset("dig drill kdig delv nslookup host dog ping ping6 fping".split())  # noqa: SIM905 - a table reads better
_DOMAIN = re.compile(r"[)}\w]((?:\.[A-Za-z0-9-]+)+\.[A-Za-z]{2,})\"?\Z")
_LOOKS_LIKE_HOST = re.compile(r"(?:[\w-]+@)?(?:[\w-]+\.)+[A-Za-z]{2,}(?::\d+)?|\d+(?:\.\d+){3}(?::\d+)?|\w+://\S+")
_SSH_OPTIONS = re.compile(
    r"(?:proxycommand|localcommand|permitlocalcommand|knownhostscommand|include|proxyjump|match)\b", re.IGNORECASE
)


def _curl(invocation: Invocation) -> Iterator[Effect]:
    """Every operand is a URL; some options name further hosts and files."""
    parsed = options.parse(options.grammar(_CURL), invocation.arguments)
    urls = (*parsed.operands, *parsed.values("--url"))
    for url in urls:
        yield from _url(invocation, url)
    for value in parsed.values("--connect-to", "--resolve"):
        yield rows.connect(_redirected(value), "curl")
    if Known("-") in parsed.values("--config") and invocation.stdin is not None:
        for setting in re.finditer(r"(?m)^\s*-{0,2}(?:url|proxy)\s*[=: ]\s*\"?([^\s\"]+)", invocation.stdin):
            yield rows.connect(Known(setting[1]), "curl")
    for given in parsed.given:
        text = rows.text_of(given.value)
        if given.name in (
            "--data",
            "--data-ascii",
            "--data-binary",
            "--json",
            "--cookie",
            "--header",
            "--write-out",
            "--proxy-header",
        ):
            if text.startswith("@"):
                yield Reads(rows.target(invocation, Known(text[1:])))
        elif given.name in ("--form", "--data-urlencode", "--url-query") and (
            found := re.search(r"[=]?[@<]([^;]*)", text)
        ):
            yield Reads(rows.target(invocation, Known(found[1])))
        elif given.name in ("--expand-url", "--variable"):
            yield Connects(None, loopback=False, direct=True, by="curl")
    yield from _client_rest(
        parsed, invocation, "curl", has_hosts=bool(urls) or parsed.has("--version", "--help", "--manual")
    )


def _url(invocation: Invocation, url: Argument) -> Iterator[Effect]:
    text = rows.text_of(url)
    if text.lower().startswith("file:"):
        yield Reads(rows.target(invocation, Known("/" + text[5:].lstrip("/").removeprefix("localhost/"))))
    else:
        yield rows.connect(url, invocation.name)


def _redirected(value: Argument) -> Argument:
    """The address that `--connect-to HOST1:PORT1:HOST2:PORT2` and `--resolve HOST:PORT:ADDRESS` lead to."""
    parts = rows.text_of(value).split(":", 2)
    if not isinstance(value, Known) or len(parts) < 3:
        return Prefix("", quoted=True)
    return Known(parts[2].partition(",")[0] or parts[0])


def _wget(invocation: Invocation) -> Iterator[Effect]:
    """Writes into the current folder unless told otherwise."""
    two_letters = {
        "-nv": "--no-verbose",
        "-nc": "--no-clobber",
        "-nd": "--no-directories",
        "-nH": "--no-host-directories",
        "-np": "--no-parent",
    }
    arguments = tuple(
        Known(two_letters.get(argument.text, argument.text)) if isinstance(argument, Known) else argument
        for argument in invocation.arguments
    )
    parsed = options.parse(options.grammar(_WGET), arguments)
    for url in parsed.operands:
        yield from _url(invocation, url)
    if parsed.has("--span-hosts", "--input-file"):
        yield Connects(None, loopback=False, direct=True, by="wget")
    for value in parsed.values("--execute"):
        if found := re.search(r"_proxy\s*=\s*(\S+)", rows.text_of(value)):
            yield rows.connect(Known(found[1]), "wget")
    for value in parsed.values("--output-document"):
        yield from rows.write(invocation, value)
    if not parsed.has("--output-document", "--directory-prefix", "--spider", "--version", "--help"):
        yield Writes(rows.target(invocation, Known(".")))
    yield from _client_rest(
        parsed, invocation, "wget", has_hosts=bool(parsed.operands) or parsed.has("--version", "--help")
    )


def _client_rest(parsed: options.Parsed, invocation: Invocation, name: str, *, has_hosts: bool) -> Iterator[Effect]:
    if not has_hosts:
        yield Connects(None, loopback=False, direct=True, by=name)
    yield from rows.of_options(parsed, invocation, name)
    yield from rows.doubts(parsed, name, careful=True)


def _client(role: str, spec: str, name: str) -> rows.Family:
    """A row of the table of clients."""

    def read(invocation: Invocation) -> Iterator[Effect]:
        parsed = options.parse(options.grammar(spec, permutes=role != "first"), invocation.arguments)
        operands = parsed.operands
        if parsed.has("--listen") or (parsed.has("-l") and "nc" in name):
            yield _listening(parsed, invocation.arguments, name)
            operands = ()
        named = {
            "first": operands[:1],
            "all": operands,
            "remote": services.remote(operands),
            "mailed": tuple(operand for operand in operands if "@" in rows.text_of(operand)),
            "none": (),
        }[role]
        for operand in named:
            yield from _asked(operand, name) if name in _NAMERS else (rows.connect(_without_at(operand), name),)
        for operand in operands if role == "remote" else ():
            if operand not in named:
                yield from (
                    rows.write(invocation, operand) if operand is operands[-1] else rows.read(invocation, operand)
                )
        for value in (given.value for given in parsed.given if given.code == "o"):
            yield from _of_ssh_option(value, name)
            if not isinstance(value, Known) or _SSH_OPTIONS.match(value.text):
                yield Executes(
                    f"{name} -o {rows.text_of(value)}", "sh", rows.text_of(value).partition("=")[2], ("runs a command",)
                )
        if not named and not any(given.code == "h" for given in parsed.given):
            yield Connects(None, loopback=False, direct=True, by=name)
        harmless = options.Parsed(
            tuple(given for given in parsed.given if given.code != "o"), (), (), parsed.unsure, False
        )
        yield from rows.of_options(harmless, invocation, name)
        if parsed.unsure and not named:
            yield Unrecognised(f"an argument of {name} cannot be known")

    return rows.special(name, read)


def _listening(parsed: options.Parsed, arguments: tuple[Argument, ...], name: str) -> Effect:
    """A port opened for whoever comes: with a program behind it, that is a door into this machine."""
    words = {rows.text_of(argument) for argument in arguments}
    opens = not words.isdisjoint(("-e", "-c", "--exec", "--sh-exec", "--lua-exec"))
    opens = opens or parsed.has("-e", "-c", "--exec", "--sh-exec", "--lua-exec")
    return Connects("whoever connects" if opens else None, loopback=False, direct=True, by=name)


def _of_ssh_option(value: Argument | None, name: str) -> Iterator[Effect]:
    """`-o HostName=`, `ProxyJump=` and the words of a `ProxyCommand=` name hosts. Source: ssh_config(5)."""
    key, _, rest = rows.text_of(value).replace("=", " ", 1).strip().partition(" ")
    if key.casefold() in ("hostname", "proxyjump"):
        for host in rest.split(","):
            yield rows.connect(Known(host.strip()), name)
    elif key.casefold() == "proxycommand":
        for word in rest.split():
            if _LOOKS_LIKE_HOST.fullmatch(word):
                yield rows.connect(Known(word), name)


def _asked(operand: Argument, name: str) -> Iterator[Effect]:
    """A name looked up: one with a known domain behind an unknown part carries that part to the domain's owner."""
    domain = _DOMAIN.search(operand.raw) if isinstance(operand, Unknown) else None
    if domain is not None:
        yield Connects(f"*{domain[1]}", loopback=False, direct=True, by=name)
    else:
        yield rows.connect(_without_at(operand), name)


def _without_at(operand: Argument) -> Argument:
    """`dig @server` names the server; `nc -U path` is not told apart."""
    text = rows.text_of(operand)
    return Known(text[1:]) if isinstance(operand, Known) and text.startswith("@") else operand


_RSYNC = """
 -# -v,--verbose -q,--quiet --no-motd -c,--checksum -a,--archive -r,--recursive -R,--relative --no-implied-dirs
 -b,--backup --backup-dir=w
 --suffix= -u,--update --inplace --append --append-verify -d,--dirs --old-dirs --mkpath -l,--links -L,--copy-links
 --copy-unsafe-links
 --safe-links --munge-links -k,--copy-dirlinks -K,--keep-dirlinks -H,--hard-links -p,--perms -E,--executability
 --chmod= -A,--acls
 -X,--xattrs -o,--owner -g,--group --devices --copy-devices --write-devices --specials -D -t,--times -U,--atimes
 -N,--crtimes
 -O,--omit-dir-times -J,--omit-link-times --super --fake-super -S,--sparse --preallocate -n,--dry-run -W,--whole-file
 --checksum-choice= -x,--one-file-system -B,--block-size= -e,--rsh=x --rsync-path=x --existing --ignore-existing
 --remove-source-files --del --delete --delete-before --delete-during --delete-delay --delete-after --delete-excluded
 --delete-missing-args --ignore-missing-args --ignore-errors --force --max-delete= --max-size= --min-size=
 --max-alloc= --partial --partial-dir=w
 --delay-updates -m,--prune-empty-dirs --numeric-ids --usermap= --groupmap= --chown= --timeout= --contimeout=
 -I,--ignore-times
 --size-only -@= --modify-window= -T,--temp-dir=w -y,--fuzzy --compare-dest=r --copy-dest=r --link-dest=r
 -z,--compress --compress-choice=
 --compress-level= --skip-compress= -C,--cvs-exclude -f,--filter= -F --exclude= --exclude-from=r --include=
 --include-from=r
 --files-from=r -0,--from0 -s,--secluded-args,--protect-args --old-args --trust-sender --copy-as= --address= --port=
 --sockopts=
 --blocking-io --outbuf= --stats -8,--8-bit-output -h,--human-readable --progress -P -i,--itemize-changes
 -M,--remote-option=x
 --out-format= --log-file=w --log-file-format= --password-file=r --early-input=x --list-only --bwlimit= --stop-after=
 --write-batch=w
 --only-write-batch=w --read-batch=r --protocol= --iconv= -4,--ipv4 -6,--ipv6 --no-perms --no-owner --no-group
 --no-times --no-links
 --daemon --config=x --info= --debug= --no-o --no-g --no-p
"""


def _rsync(invocation: Invocation) -> Iterator[Effect]:
    """`--delete` in any form deletes below the destination, `--remove-source-files` the sources."""
    parsed = options.parse(options.grammar(_RSYNC), invocation.arguments)
    remote = services.remote(parsed.operands)
    for operand in remote:
        yield rows.connect(operand, "rsync")
    local = tuple(operand for operand in parsed.operands if operand not in remote)
    destination = parsed.operands[-1:] if len(parsed.operands) > 1 else ()
    deletes = any(given.name.startswith("--del") for given in parsed.given) or any(
        strange.startswith("--del") for strange in parsed.strange
    )
    for operand in local:
        if operand in destination:
            yield from rows.write(invocation, operand)
            if deletes:
                where = rows.target(invocation, operand)
                yield Deletes(Target(where.path, where.place, under=True, shown=where.shown), recursive=True)
        else:
            yield from rows.read(invocation, operand)
            if parsed.has("--remove-source-files"):
                yield Deletes(rows.target(invocation, operand), recursive=True)
                yield from rows.moves_out(invocation, operand, tuple(goal for goal in destination if goal in local))
    if not parsed.operands or parsed.has("--daemon"):
        yield Connects(None, loopback=False, direct=True, by="rsync")
    yield from rows.of_options(parsed, invocation, "rsync")
    yield from rows.doubts(parsed, "rsync", careful=True)


def _socat(invocation: Invocation) -> Iterator[Effect]:
    """Each operand is an address, `TYPE:parameters,options`. Source: socat(1), ADDRESS TYPES."""
    for argument in invocation.arguments:
        text = rows.text_of(argument)
        kind, _, rest = text.partition(":")
        kind = kind.upper()
        if text.startswith("-") and text != "-":
            continue
        if kind in ("EXEC", "SYSTEM", "SHELL"):
            yield Executes(f"socat {text}", "sh", rest, ("socat runs a command",))
        elif kind in ("OPEN", "FILE", "CREATE", "GOPEN", "PIPE"):
            yield from rows.write(invocation, Known(rest.partition(",")[0]))
        elif "LISTEN" in kind or "RECV" in kind:
            opens = any(re.match(r"(?i)(?:exec|system|shell):", rows.text_of(word)) for word in invocation.arguments)
            yield Connects("whoever connects" if opens else None, loopback=False, direct=True, by="socat")
        elif kind in (
            "STDIO",
            "-",
            "STDIN",
            "STDOUT",
            "STDERR",
            "PTY",
            "FD",
            "UNIX-CONNECT",
            "UNIX",
        ) or not isinstance(argument, Known):
            yield Connects(None, loopback=False, direct=True, by="socat")
        else:
            yield rows.connect(Known(rest), "socat")


def _openssl(invocation: Invocation) -> Iterator[Effect]:
    """`s_client` and `s_time` connect; the other commands read and write files."""
    words = [rows.text_of(argument) for argument in invocation.arguments]
    verb = words[0] if words else ""
    pairs = [pair for pair in zip(words, invocation.arguments[1:], strict=False) if pair[0].startswith("-")]
    if verb in ("s_client", "s_time", "s_server", "ocsp"):
        named = [value for word, value in pairs if word.lstrip("-") in ("connect", "host", "proxy", "url")]
        named += [] if named else [a for a in invocation.arguments[1:] if not rows.text_of(a).startswith("-")][-1:]
        yield from rows.direct(tuple(named), f"openssl {verb}")
    for word, value in pairs:
        if word.lstrip("-") in ("out", "keyout", "writerand", "CAserial"):
            yield from rows.write(invocation, value)
        elif word.lstrip("-") in ("in", "inkey", "key", "CAfile", "config", "cert", "rand"):
            yield from rows.read(invocation, value)
        elif word.lstrip("-") in ("engine", "provider", "provider-path"):
            yield Executes(f"openssl {word} {rows.text_of(value)} loads code")
    if verb in ("version", "list", "ciphers", "help", "rand", "dgst", "x509", "prime"):
        yield ReadsOnly()
    if verb not in ("version", "ciphers"):
        yield Unrecognised(f"openssl {verb} is not known in all its options")


_HTTPIE = """
 -bcdfhjkmpqSsvx -A= -a= -o=w --download --output=w --session=w --session-read-only=r --proxy= --verify= --cert=r
 --cert-key=r --timeout= --follow --check-status --print= --pretty= --style= --json --form --body --headers
 --ignore-stdin --auth= --auth-type= --raw=
"""


def _http(invocation: Invocation) -> Iterator[Effect]:
    """HTTPie: an optional method, a URL (`:3000` is this machine), then items, of which `@` names files."""
    parsed = options.parse(options.grammar(_HTTPIE), invocation.arguments)
    operands = list(parsed.operands)
    if operands and re.fullmatch(r"[A-Za-z]+", rows.text_of(operands[0])) and len(operands) > 1:
        operands.pop(0)
    for operand in operands[:1]:
        text = rows.text_of(operand)
        yield rows.connect(Known(f"localhost{text}") if text.startswith((":", "/")) else operand, invocation.name)
    for operand in operands[1:]:
        if found := re.search(r"@(.+)", rows.text_of(operand)):
            yield Reads(rows.target(invocation, Known(found[1])))
    yield from _client_rest(parsed, invocation, invocation.name, has_hosts=bool(operands))
    for value in parsed.values("--proxy"):
        yield rows.connect(Known(rows.text_of(value).partition(":")[2]), invocation.name)


def _compile() -> rows.Family:
    family: rows.Family = {}
    widened = "\n".join(
        line if line.startswith(" ") else line.replace(" | ", " | | ", 1) for line in _CLIENTS.splitlines()
    )
    for row in rows.table(widened).values():
        family |= _client(row.operands, row.spec, row.name)
    return family


ROWS = {
    **_compile(),
    **rows.special("curl curlie", _curl),
    **rows.special("wget wget2", _wget),
    **rows.special("rsync", _rsync),
    **rows.special("socat", _socat),
    **rows.special("openssl", _openssl),
    **rows.special("http https xh xhs", _http),
    **services.ROWS,
}
