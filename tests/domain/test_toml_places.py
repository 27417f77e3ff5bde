"""Places are held against tomllib: what stands at a value's place reads as that value."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentos_lsp.domain import toml_places


def cut(text, place):
    lines = text.split("\n")[place.line : place.end_line + 1]
    lines[-1] = lines[-1][: place.end]
    lines[0] = lines[0][place.start :]
    return "\n".join(lines)


def leaves(value, path=()):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves(inner, (*path, number))
    else:
        yield path, value


def check(text):
    known = {place.path: place for place in toml_places.places(text) if place.kind == "value"}
    for path, value in leaves(tomllib.loads(text)):
        assert tomllib.loads(f"x = {cut(text, known[path])}") == {"x": value}, path


@pytest.mark.parametrize(
    "text",
    [
        "a = 1\n",
        "a.b . c = 'x' # not = this\n[t]\nd = [1, # one\n 'two]', [3.5]\n]\n",
        '[[r]]\nn = "a\\"b"\n[[r]]\nn = """\nlong\n[x]\n"""\n[[r.inner]]\nz = 1979-05-27T07:32:00Z\n',
        "[a.\"b.c\".'d']\nx = { y = 1, 'z' = [ { w = true } ] }\n",
        "a = '''x''y'''\nb = \"\"\"x\"\"\"\"\n",
        "# only a comment",
        "\r\n[t]\r\na = 1\r\n",
    ],
)
def test_values_stand_where_their_places_say(text):
    check(text)


KEYS = st.from_regex(r"[a-z][a-z0-9_-]{0,6}", fullmatch=True)
WORDS = st.text("ab \"'#[]{}=,.\\é😀\t", max_size=8)


def spelled(value):
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str() if "'" not in value and len(value) % 2:
            return f"'{value}'"
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"""{escaped}"""' if len(value) % 3 == 0 else f'"{escaped}"'
        case list():
            return "[\n" + "".join(f"  {spelled(inner)}, # é [\n" for inner in value) + "]"
        case _:
            return "{ " + ", ".join(f"{key} = {spelled(inner)}" for key, inner in value.items()) + " }"


VALUES = st.recursive(
    st.booleans() | st.integers(-9, 99) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, st.integers(0, 9), max_size=2),
    max_leaves=6,
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=4)


@settings(max_examples=50)
@given(TABLES, st.dictionaries(KEYS, TABLES, max_size=3), KEYS, st.lists(TABLES, max_size=3))
def test_every_value_of_any_text_stands_where_its_place_says(top, tables, name, rows):
    def lines(table):
        return "".join(f"{key} = {spelled(value)}\n" for key, value in table.items())

    text = lines({key: value for key, value in top.items() if key not in {*tables, name}})
    text += "".join(f"[{key}]\n{lines(table)}" for key, table in tables.items() if key != name)
    text += "".join(f"[[{name}]]\n{lines(row)}" for row in rows)
    check(text)


@given(st.text("ab=[]{}\"'\n#., \\", max_size=60))
def test_no_text_at_all_stops_the_reader(text):
    for place in toml_places.places(text):
        assert (place.line, place.start) <= (place.end_line, place.end)
        cut(text, place)


def test_what_is_not_there_is_found_at_what_is_above_it():
    text = "[commit]\nmax_files = 1\n"
    assert toml_places.find(text, ("commit", "max_files", 3)).line == 1
    assert toml_places.find(text, ("commit", "other")).line == 0
    assert toml_places.find(text, ("nothing",)).line == 0
