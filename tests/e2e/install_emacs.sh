#!/usr/bin/env bash
# Leaves an Emacs with eglot at DIR/emacs: the one on PATH if that has it, else Debian's, beside the host's.
# usage: install_emacs.sh DIR
set -euo pipefail
SUITE=forky
dir=$(realpath -m "${1:?usage: install_emacs.sh DIR}")
. "$(dirname "$0")/debian.sh"

has_eglot() { # program
    "$1" --batch --eval "(require 'eglot)" >/dev/null 2>&1
}

give_up() { # why
    echo "No Emacs with eglot: $1" >&2
    echo "Put Emacs 29 or newer on PATH, then run \`make e2e\` again." >&2
    exit 1
}

mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9

has_eglot "$dir/emacs" && exit 0
if host=$(command -v emacs) && has_eglot "$host"; then
    ln -sfn "$host" "$dir/emacs"
    exit 0
fi

rm -f "$dir/emacs"
unpack emacs-nox
version=$(basename "$(dirname "$(find "$root/usr/share/emacs" -path '*/[0-9]*/lisp' -prune -print -quit)")")
share=$root/usr/share/emacs/$version
dump=$(find "$root/usr/libexec" -name '*.pdmp' -print -quit)
cat >"$dir/emacs" <<WRAPPER
#!/bin/sh
# Started by the loader it cannot tell where it lies, so it is told where its parts are.
EMACSLOADPATH='$share/lisp' EMACSDATA='$share/etc' EMACSDOC='$share/etc' EMACSPATH='$(dirname "$dump")' \\
    exec '$loader' --library-path '$libraries' '$root/usr/bin/emacs-nox' --dump-file='$dump' "\$@"
WRAPPER
chmod +x "$dir/emacs"
has_eglot "$dir/emacs" || give_up "Debian $SUITE has an older one, or it does not start here."
"$dir/emacs" --version | head -n 1
