#!/usr/bin/env bash
# Leaves the page of `agentos-lsp demo --web` in DIR/site: Monaco and Pyodide from npm, wheels for Pyodide from PyPI, and the
# Python code of this clone. What is fetched stays in DIR; the page itself asks no network. Needs node (npm).
# usage: build.sh DIR PYTHON
set -euo pipefail
dir=$(realpath -m "${1:?usage: build.sh DIR PYTHON}")
python=${2:?usage: build.sh DIR PYTHON}
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
root=$(realpath "$here/../..")
export npm_config_cache=$dir/npm npm_config_update_notifier=false

give_up() { # why, and what to do
    printf 'The page cannot be built: %s\n%s\n' "$1" "$2" >&2
    exit 1
}

try_thrice() { # command
    local attempt
    for attempt in 1 2 3; do
        "$@" >"$dir/log" 2>&1 && return 0
        ((attempt == 3)) || sleep 5
    done
    tail -n 20 "$dir/log" >&2
    return 1
}

command -v npm >/dev/null || give_up "there is no npm on PATH." "Install node 20 or newer, and run this again."
mkdir -p "$dir/modules"
exec 9>"$dir/lock"
flock 9

if ! cmp -s "$here/package.json" "$dir/modules/package.json" || [[ ! -d $dir/modules/node_modules/pyodide ]]; then
    cp "$here/package.json" "$here/.npmrc" "$dir/modules"
    try_thrice npm install --prefix "$dir/modules" --ignore-scripts --no-audit --no-fund || {
        rm "$dir/modules/package.json"
        give_up "Monaco and Pyodide could not be fetched from npm." "Look at npm's words above, and run this again."
    }
fi
if ! cmp -s "$here/wheels.txt" "$dir/wheels.txt"; then
    rm -rf "$dir/wheels"
    # Source: PEP 783, wheels for Pyodide; `pyemscripten_2026_0` is the platform of Pyodide 314.
    try_thrice "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --platform pyemscripten_2026_0_wasm32 --python-version 3.14 --implementation cp --abi cp314 --abi none \
        --dest "$dir/wheels" --requirement "$here/wheels.txt" ||
        give_up "the wheels could not be fetched from PyPI." "Look at pip's words above, and run this again."
    cp "$here/wheels.txt" "$dir/wheels.txt"
fi

site=$dir/site.next modules=$dir/modules/node_modules
rm -rf "$site"
mkdir -p "$site/pyodide" "$site/python"
cp "$here"/{index.html,frame.css,worker.js} "$site"
cp "$modules"/pyodide/{pyodide.mjs,pyodide.asm.mjs,pyodide.asm.wasm,python_stdlib.zip,pyodide-lock.json} "$site/pyodide"
cp "$dir"/wheels/*.whl "$site/python"
"$python" - "$root" "$site/python" <<'SCRIPT'
import json, sys, zipfile
from pathlib import Path
root, site = map(Path, sys.argv[1:])
with zipfile.ZipFile(site / "agentos_lsp.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    for file in sorted((root / "agentos_lsp").rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            archive.write(file, file.relative_to(root))
(site / "archives.json").write_text(json.dumps(sorted(one.name for one in site.iterdir())))
SCRIPT
# esbuild finds the modules beside the sources, so these are built from a copy.
cp "$here"/{page.js,client.js} "$dir/modules"
build=("$modules/.bin/esbuild" --bundle --format=esm --target=es2022 --minify --log-level=warning --loader:.ttf=dataurl)
(cd "$dir/modules" && "${build[@]}" page.js --outfile="$site/page.js" &&
    "${build[@]}" node_modules/monaco-editor/esm/vs/editor/editor.worker.js --outfile="$site/editor.worker.js") ||
    give_up "esbuild failed." "Its words are above."
rm -rf "$dir/site"
mv "$site" "$dir/site"
