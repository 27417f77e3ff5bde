# Unpacks a Debian package and all that it needs beside the host, libc included; sourced by the scripts that install editors.
# Nothing is installed on the host: Debian's own apt verifies the archive's signature and every package's checksum.
# Wants `dir` (where to), `SUITE`, and a function `give_up` that says why and ends. Leaves the files in $dir/root, and the
# way to start a program of them in `loader` and `libraries`.

unpack() { # package
    local tool keyring codename site fetched= sites
    for tool in apt-get dpkg; do
        command -v "$tool" >/dev/null || give_up "this machine has none on PATH, and no $tool to fetch Debian's with."
    done
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    [[ -r $keyring ]] || give_up "this machine has none on PATH, and without $keyring Debian's cannot be verified."
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    # The archive that the host itself uses, mirror or not.
    mapfile -t sites < <(apt-get update --print-uris 2>/dev/null | sed -n "s|^'\(.*\)/dists/$codename/InRelease'.*|\1|p")
    ((${#sites[@]})) || give_up "apt names no archive for ${codename:-this system}."

    local apt=$dir/apt
    root=$dir/root
    local options=(
        -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
        -o "Dir::State=$apt" -o "Dir::State::Lists=$apt/lists" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache"
        -o APT::Install-Recommends=false -o Acquire::Languages=none -o "APT::Sandbox::User=$(id -un)"
        -o Debug::NoLocking=true -o Acquire::Retries=3
    )
    for site in "${sites[@]}"; do
        rm -rf "$apt" "$root"
        mkdir -p "$root" "$apt"/{lists/partial,cache/archives/partial}
        : >"$apt/status" # An empty system: everything that the package needs is fetched with it.
        echo "deb [signed-by=$keyring] $site $SUITE main" >"$apt/sources.list"
        if apt-get "${options[@]}" -qq --error-on=any update >"$apt/log" 2>&1 &&
            apt-get "${options[@]}" -qq -y --download-only install "$1" >>"$apt/log" 2>&1; then
            fetched=yes
            break
        fi
    done
    [[ -n $fetched ]] || { cat "$apt/log" >&2; give_up "Debian $SUITE could not be fetched."; }
    for package in "$apt"/cache/archives/*.deb; do dpkg -x "$package" "$root"; done
    rm -rf "$apt"
    loader=$(find "$root" -name 'ld-linux*.so.*' -print -quit)
    libraries=$(dirname "$(find "$root" -name 'libc.so.6' -print -quit)")
}
