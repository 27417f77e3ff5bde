"""Builders, test runners, linters, formatters and compilers: they run the project's own code or configuration.

Source: the help pages of the programs; a project's configuration may name programs for each of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.domain.command.effects import Executes
from agentos_lsp.domain.command.families import rows, verbs
from agentos_lsp.domain.command.invocation import Known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Invocation

_TABLE = """
pytest py.test tox nox unittest nose2 behave robot coverage hypothesis stestr ward mutmut trial | * | runs |
gmake bmake ninja meson cmake ctest cpack scons waf bazel bazelisk buck buck2 pants please ant mvn mvnw gradle
  gradlew sbt lein boot
  just task rake invoke inv doit earthly dagger nx turbo lerna rush grunt gulp bake xmake premake5 autoconf automake
  autoreconf
  aclocal configure libtool qmake xcodebuild xcrun msbuild | * | runs |
jest vitest mocha ava tap jasmine karma cypress playwright wdio nightwatch c8 nyc storybook ng vue-cli-service
  react-scripts next nuxt
  vite webpack rollup parcel esbuild swc tsc tsup tsdown babel astro remix svelte-kit eslint prettier stylelint biome
  oxlint standard xo
  nodemon pm2 forever concurrently lint-staged husky commitlint semantic-release changeset markdownlint
  markdownlint-cli2 typedoc | * | runs |
ruff mypy pyright basedpyright pyre flake8 pylint black isort autopep8 yapf bandit vulture radon pyflakes pycodestyle
  pydocstyle
  pyupgrade docformatter interrogate semgrep pre-commit djlint sphinx-build mkdocs lint-imports import-linter cython
  mypyc ty
  codespell deptry refurb xenon pyproject-build | * | runs |
gcc g++ cc c++ clang clang++ cpp ld ld.lld lld gold mold as ar ranlib strip objcopy tcc icc nvcc rustc ghc ocamlc
  ocamlopt ocamlfind dune javac
  kotlinc scalac gfortran fpc gnatmake dmd ldc2 swiftc swift-build zig emcc protoc buf flatc thrift bison yacc flex
  lex swig tinygo
  gdc nasm yasm clang-format clang-tidy cppcheck clangd goimports golangci-lint staticcheck gopls rustfmt
  cargo-nextest | * | runs |
shellcheck shfmt hadolint yamllint actionlint tflint checkov trivy bats shunit2 phpunit phpcs phpstan psalm pest
  rspec rubocop
  minitest cucumber brakeman standardrb ktlint detekt swiftlint swiftformat dart flutter busted luacheck stylua credo
  elm elm-test
  purs spago alembic flask django-admin manage.py gunicorn uvicorn hypercorn celery streamlit jupyter jupyter-lab
  jupyter-notebook
  ipykernel papermill rails puma foreman overmind hivemind honcho | * | runs |
latex pdflatex xelatex lualatex latexmk tectonic bibtex biber pandoc asciidoctor doxygen typst mdbook hugo jekyll
  zola dot plantuml
  mmdc ffmpeg ffprobe convert magick identify inkscape gs pdftotext qpdf exiftool | * | runs |
sqlite3 duckdb | * | runs |
entr watchexec watchman fswatch inotifywait reflex air modd hyperfine perf valgrind heaptrack py-spy flamegraph gprof
  | * | runs |
claude codex gemini aider opencode cursor-agent goose llm | * | tool |
code-insiders codium subl open xdg-open start explorer say notify-send pbcopy pbpaste xclip xsel wl-copy wl-paste
  screencapture scrot | * | runs |
"""


def _make(invocation: Invocation) -> Iterator[Effect]:
    """`make` runs recipes; a variable on its line, `--eval` and a makefile from elsewhere run what they say.

    Source: make(1), GNU make 4.4.
    """
    dangers: list[str] = []
    words = list(invocation.arguments)
    for i, word in enumerate(words):
        text = rows.text_of(word)
        name, equals, _ = text.partition("=")
        following = words[i + 1] if i + 1 < len(words) else Known("")
        if text.startswith(("--eval", "-E")) or (equals and not text.startswith("-")):
            dangers.append(
                f"{text} changes what the recipes run" if equals and name.isupper() else f"{text} is code for make"
            )
        if text in ("-f", "--file", "--makefile", "-C", "--directory", "-I"):
            yield from rows.read(invocation, following)
        elif text.startswith(("-C", "-f")) and not text.startswith("--") and len(text) > 2:
            yield from rows.read(invocation, Known(text[2:]))
        elif text.startswith(("--directory=", "--file=", "--makefile=")):
            yield from rows.read(invocation, Known(text.partition("=")[2]))
    yield Executes("make runs the project's recipes", danger=tuple(dangers))


ROWS = {**verbs.table(_TABLE), **rows.special("make", _make)}
