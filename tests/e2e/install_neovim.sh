#!/usr/bin/env bash
# Leaves a Neovim of at least 0.12 at DIR/nvim: the one on PATH if that is new enough, else Debian's, beside the host's.
# Nothing is installed on the host: Debian's own apt verifies the archive's signature and every package's checksum, the
# packages (libc included) are unpacked into DIR/root, and DIR/nvim starts them by their own loader.
# usage: install_neovim.sh DIR
set -euo pipefail
SUITE=forky
FLOOR=0.12
dir=$(realpath -m "${1:?usage: install_neovim.sh DIR}")

new_enough() { # program
    local version
    version=$("$1" --version 2>/dev/null | sed -n '1s/^NVIM v\([0-9.]*\).*/\1/p') || return 1
    [[ -n $version && $(printf '%s\n' "$FLOOR" "$version" | sort -V | head -n 1) == "$FLOOR" ]]
}

give_up() { # why
    echo "No Neovim $FLOOR or newer: $1" >&2
    echo "Put one on PATH (https://github.com/neovim/neovim/blob/master/INSTALL.md), then run \`make e2e\` again." >&2
    exit 1
}

mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9

new_enough "$dir/nvim" && exit 0
if host=$(command -v nvim) && new_enough "$host"; then
    ln -sfn "$host" "$dir/nvim"
    exit 0
fi

for tool in apt-get dpkg; do
    command -v "$tool" >/dev/null || give_up "this machine has none on PATH, and no $tool to fetch Debian's with."
done
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[[ -r $keyring ]] || give_up "this machine has none on PATH, and without $keyring Debian's cannot be verified."
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
# The archive that the host itself uses, mirror or not.
mapfile -t sites < <(apt-get update --print-uris 2>/dev/null | sed -n "s|^'\(.*\)/dists/$codename/InRelease'.*|\1|p")
((${#sites[@]})) || give_up "apt names no archive for ${codename:-this system}."

apt=$dir/apt root=$dir/root
options=(
    -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
    -o "Dir::State=$apt" -o "Dir::State::Lists=$apt/lists" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache"
    -o APT::Install-Recommends=false -o Acquire::Languages=none -o "APT::Sandbox::User=$(id -un)"
    -o Debug::NoLocking=true -o Acquire::Retries=3
)
fetched=
for site in "${sites[@]}"; do
    rm -rf "$apt" "$root" "$dir/nvim"
    mkdir -p "$root" "$apt"/{lists/partial,cache/archives/partial}
    : >"$apt/status" # An empty system: everything that Neovim needs is fetched with it.
    echo "deb [signed-by=$keyring] $site $SUITE main" >"$apt/sources.list"
    if apt-get "${options[@]}" -qq --error-on=any update >"$apt/log" 2>&1 &&
        apt-get "${options[@]}" -qq -y --download-only install neovim >>"$apt/log" 2>&1; then
        fetched=yes
        break
    fi
done
[[ -n $fetched ]] || { cat "$apt/log" >&2; give_up "Debian $SUITE could not be fetched."; }
for package in "$apt"/cache/archives/*.deb; do dpkg -x "$package" "$root"; done

loader=$(find "$root" -name 'ld-linux*.so.*' -print -quit)
libraries=$(dirname "$(find "$root" -name 'libc.so.6' -print -quit)")
cat >"$dir/nvim" <<WRAPPER
#!/bin/sh
# Started by the loader it cannot tell where it lies, so it is told where its runtime files and its parsers are.
VIMRUNTIME='$root/usr/share/nvim/runtime' exec '$loader' --library-path '$libraries' '$root/usr/bin/nvim' \\
    --cmd "let &runtimepath .= ',' .. escape('$root/usr/lib/nvim', '\\\\,')" "\$@"
WRAPPER
chmod +x "$dir/nvim"
rm -rf "$apt"
new_enough "$dir/nvim" || give_up "Debian $SUITE has an older one, or it does not start here."
"$dir/nvim" --version | head -n 1
