"""Package managers: what installs reaches the network and runs other people's code, what tests runs the project's.

Source: the help pages of pip 25, uv 0.9, poetry 2, npm 11, yarn 4, pnpm 10, cargo 1.90, go 1.25, gem 3.6, composer 2,
apt 2.9, dnf 5, Homebrew 4.
"""

from __future__ import annotations

from agentos_lsp.domain.command.families import verbs

# programs | verbs, `*` for every other one | what they do (see `verbs`) | options, for verbs that only read
_TABLE = """
pip pip3 | install uninstall download wheel index search cache hash lock config debug * | tool |
pipx conda mamba micromamba pixi rye pdm pipenv poetry hatch flit twine | * | tool |
poetry pdm hatch pipenv rye pixi | run shell env build check test fmt version | runs |
uv | run build format | runs |
uv | add remove sync lock pip tool python init publish self cache venv export tree version help auth * | tool |
uvx | * | tool |
npm | test t tst run run-script start stop restart rum urn build | runs |
npm gem bundle composer | -v -V | safe |
go poetry | -V | safe |
npm | exec x init create install i ci add update up outdated view info search publish audit * | tool |
npx pnpx bunx dlx | * | tool |
yarn | test run start build lint workspace workspaces format dev | runs |
yarn | add install remove upgrade up dlx create publish info why npm set * | tool |
pnpm | test t run start build lint exec -r recursive dev format | runs |
pnpm | install i add update up remove rm dlx create publish * | tool |
cargo | test t build b check c clippy fmt run r bench doc d clean rustc rustdoc fix nextest tree metadata expand miri
  llvm-cov | runs |
cargo | install add update fetch publish search login owner yank vendor generate-lockfile remove uninstall new init *
  | tool |
rustup corepack nvm fnm volta pyenv rbenv asdf mise sdk jenv goenv n | * | tool |
go | version env | safe | -json -m -v
go | test build vet run fmt generate tool fix doc list clean | runs |
go | get install mod work download telemetry * | tool |
gem bundle bundler | exec list env check info show config | runs |
gem bundle bundler | install i update add fetch push outdated uninstall * | tool |
rake rspec rubocop rails | * | runs |
composer | test run-script exec validate dump-autoload show | runs |
composer | install require update create-project global * | tool |
mix rebar3 | test compile format run credo dialyzer | runs |
mix rebar3 | deps.get deps.update hex.info archive.install * | tool |
cabal stack opam luarocks cpan cpanm raco dub nimble shards vcpkg conan spack pod carthage tuist | build test run
  exec bench | runs |
cabal stack opam luarocks cpan cpanm raco dub nimble shards vcpkg conan spack pod carthage tuist | * | tool |
dotnet | test build run clean format watch publish pack | runs |
dotnet | restore add tool nuget new workload * | tool |
nuget choco scoop winget | * | tool |
apt apt-get aptitude dpkg apk dnf yum zypper pacman yay paru emerge rpm snap flatpak brew port nix nix-env nix-shell
  nix-build nix-channel
  guix xbps-install pkg pkg_add pkgin apt-key add-apt-repository dnf5 microdnf rpm-ostree eopkg swupd urpmi cask mas
  | * | tool |
"""
ROWS = verbs.table(_TABLE)
