"""Seed lines of the shell, and random changes of them: by token and by character."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

_SEEDS = Path(__file__).with_name("seeds.txt")
_TOKEN = re.compile(r"\\\n|\s+|\w+|&&|\|\||;;|<<|>>|\$\(|\$\{|.", re.DOTALL)
_DICTIONARY = (
    *(
        " ",
        "\n",
        "\t",
        ";",
        "&",
        "|",
        "&&",
        "||",
        "|&",
        ";;",
        ";&",
        ";;&",
        "(",
        ")",
        "((",
        "))",
        "{",
        "}",
        "[[",
        "]]",
        "!",
    ),
    *("<", ">", ">>", "<<", "<<-", "<<<", "<&", ">&", "<>", ">|", "&>", "&>>", "2>", "2>&1", "<(", ">(", ">&-", "&-"),
    *(
        "$",
        "$(",
        "${",
        "$((",
        "$'",
        '$"',
        "$[",
        "`",
        "'",
        '"',
        "\\",
        "\\\n",
        "\\\\",
        "#",
        " #",
        "~",
        "*",
        "?",
        "[",
        "]",
    ),
    *(
        "if",
        "then",
        "elif",
        "else",
        "fi",
        "for",
        "while",
        "until",
        "do",
        "done",
        "case",
        "esac",
        "in",
        "function",
        "time",
    ),
    *(
        " if ",
        " then ",
        " fi",
        " do ",
        " done",
        " esac",
        " in ",
        "; do ",
        "; done",
        "; fi",
        "; then ",
        ";; esac",
        "time ",
    ),
    *(
        "a",
        "b=",
        "b+=",
        "a[0]=",
        "a[",
        "x",
        "1",
        "22",
        "-",
        "--",
        "-p",
        "-f",
        "-eq",
        "=~",
        "==",
        "=",
        "+",
        ":",
        ",",
        "@",
    ),
    *(
        "EOF",
        "\nEOF\n",
        "<<EOF",
        "<<'EOF'",
        "EO",
        "$x",
        "${x}",
        "${x:-",
        "${x#",
        "$(ls)",
        "`ls`",
        "$((1))",
        '"$x"',
        "'a'",
    ),
    *(
        "f()",
        "f() {",
        " }",
        "; }",
        "{ ",
        "a=(",
        "(a)",
        "( a )",
        "é",
        "::",
        "/",
        "%",
        "^",
        "()",
        "coproc",
        "select",
        "''",
        '""',
    ),
)
_CHARACTERS = " \n\t;&|()<>{}[]!#$'\"`\\=~*?-+,.:/@%^_abx019é"


def seeds() -> list[str]:
    """The seed lines, in the order of the file."""
    return _SEEDS.read_text(encoding="utf-8").removesuffix("\n").split("\n%%\n")


def mutated(lines: list[str], chance: random.Random) -> str:
    """Changes one of the lines, by up to five changes."""
    line = chance.choice(lines)
    if chance.random() < 0.15:
        line += chance.choice((" ", ";", "\n", " && ", " | ", " & ", "")) + chance.choice(lines)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5))):
        line = _by_token(line, lines, chance) if chance.random() < 0.65 else _by_character(line, chance)
    return line


def _by_token(line: str, lines: list[str], chance: random.Random) -> str:
    tokens = _TOKEN.findall(line)
    if not tokens:
        return chance.choice(_DICTIONARY)
    at = chance.randrange(len(tokens))
    match chance.randrange(7):
        case 0:
            del tokens[at]
        case 1:
            tokens.insert(at, tokens[chance.randrange(len(tokens))])
        case 2:
            other = chance.randrange(len(tokens))
            tokens[at], tokens[other] = tokens[other], tokens[at]
        case 3:
            tokens[at] = chance.choice(_DICTIONARY)
        case 4 | 5:
            tokens.insert(at, chance.choice(_DICTIONARY))
        case _:
            donor = _TOKEN.findall(chance.choice(lines))
            begin = chance.randrange(len(donor))
            tokens[at:at] = donor[begin : begin + chance.randrange(1, 6)]
    return "".join(tokens)


def _by_character(line: str, chance: random.Random) -> str:
    at = chance.randrange(len(line) + 1)
    character = chance.choice(_CHARACTERS)
    match chance.randrange(4):
        case 0:
            return line[:at] + line[at + 1 :]
        case 1:
            return line[:at] + character + line[at + 1 :]
        case 2:
            return line[:at] + line[at : at + 1] + line[at:]
        case _:
            return line[:at] + character + line[at:]
