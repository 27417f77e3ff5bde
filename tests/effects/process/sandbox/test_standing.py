"""What is claimed is what a canary saw; a policy can demand more than there is, and then nothing starts."""

import dataclasses
import os
import sys
from pathlib import Path

import pytest

from agentos_lsp.domain.errors import ConfigError, UserError
from agentos_lsp.effects import config
from agentos_lsp.effects.process.sandbox import backends, landlock, plan, seatbelt, seccomp, standing
from tests.effects.process.sandbox.conftest import Jail

linux = pytest.mark.skipif(sys.platform != "linux", reason="the cages are those of Linux")


class Leaky:
    """A cage that claims everything and holds nothing but the system call filter."""

    name = "leaky"
    gaps = ("what it says of itself",)

    def cage(self, place):
        wish = plan.wish(plan.Plan(place), place.limits, "nobody", user=False)
        return backends.Cage((), {**wish, "landlock": {}}, sealed=False)


class Missing:
    """A cage that this machine cannot make."""

    name = "missing"
    gaps = ()

    def cage(self, place):
        raise OSError("there is none")


@linux
def test_a_backend_is_believed_only_as_far_as_its_canary_came(tmp_path):
    found = standing.look(tmp_path, [Missing(), Leaky()])

    assert found.backend.name == "leaky"
    assert found.level == "best-effort"
    assert {"writes outside the worktree", "reading secrets", "signals to other processes"} <= set(found.missing)
    assert found.passed_over[0] == "missing: there is none"
    assert list(tmp_path.iterdir()) == []


@linux
@pytest.mark.skipif(
    landlock.abi() < landlock.SCOPED_SINCE, reason="this kernel's Landlock knows files only, or is none"
)
@pytest.mark.parametrize(
    ("around", "user", "governs"),
    [
        ("nobody", False, landlock.EVERYTHING),
        ("keeper", True, landlock.NO_FILES),
        ("wrapper", False, landlock.WRITES),
        ("keeper", False, landlock.WRITES),
    ],
)
def test_files_are_held_by_landlock_where_no_namespace_of_ones_own_holds_them(tmp_path, around, user, governs):
    place = Jail(tmp_path, Leaky()).place
    assert plan.wish(plan.Plan(place), place.limits, around, user=user)["landlock"]["governs"] == governs


@linux
@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes namespaces without one for users")
def test_roots_own_cage_without_a_user_namespace_holds_everything_too(tmp_path):
    found = standing.look(tmp_path, [backends.Namespaces(user=False)])
    if found.backend is None:
        pytest.skip(f"this machine cannot make it: {found.passed_over}")
    assert (found.level, found.passed_over) == ("enforced", ())


def test_a_machine_that_can_hold_nothing_says_so(tmp_path):
    found = standing.look(tmp_path, [Missing()])

    assert found == standing.Standing(None, standing.NOTHING, ("missing: there is none",))
    assert standing.choose("best-effort", found).cage(None) is None


@pytest.mark.parametrize("backend", [None, Leaky()])
def test_a_policy_that_demands_more_than_there_is_lets_nothing_start(backend):
    chosen = standing.choose("enforced", standing.Standing(backend, ("UDP",), ()))

    assert chosen.refusal
    with pytest.raises(UserError, match="cannot hold"):
        chosen.cage(None)


def test_the_best_that_there_is_is_taken_by_default():
    assert standing.choose("best-effort", standing.Standing(Leaky(), (), ())).level == "enforced"
    assert standing.choose("best-effort", standing.Standing(Leaky(), ("UDP",), ())).level == "best-effort"
    assert standing.choose("off", None) == standing.Chosen("off", None, standing.NOTHING)


@pytest.mark.parametrize("trusted", [False, True])
def test_a_repository_tightens_what_is_confined_and_never_loosens_it(tmp_path, trusted):
    user = tmp_path / "policy.toml"
    user.write_text('[confinement]\nlevel = "enforced"\nhidden = ["~/notes"]\nprocesses = 100\n')
    repository = (
        b'[confinement]\nlevel = "off"\nwritable = ["~/.ssh"]\nhidden = ["/data"]\nprocesses = 200\ntmp_mb = 1\n'
    )

    held = config.load_policy(repository, user, trusted=trusted).confinement

    assert (held.level, held.writable, held.hidden) == ("enforced", (), ("~/notes", "/data"))
    assert (held.processes, held.tmp_mb) == (100, 1)


def test_the_persons_own_file_may_turn_it_off(tmp_path):
    user = tmp_path / "policy.toml"
    user.write_text('[confinement]\nlevel = "off"\nwritable = ["~/.cache/pip"]\n')

    held = config.load_policy(None, user).confinement

    assert (held.level, held.writable) == ("off", ("~/.cache/pip",))


@pytest.mark.parametrize("path", ["relative", "/", "~/", "~", "", "//"])
def test_a_path_that_would_grant_everything_or_nothing_is_refused(tmp_path, path):
    user = tmp_path / "policy.toml"
    user.write_text(f'[confinement]\nwritable = ["{path}"]\n')

    with pytest.raises(ConfigError):
        config.load_policy(None, user)


@linux
def test_the_profile_for_macos_says_what_the_plan_says(tmp_path):
    jail = Jail(tmp_path.resolve(), Leaky())

    text = seatbelt.profile(plan.Plan(jail.place))

    rows = text.splitlines()
    assert rows[0] == "(version 1)"
    assert text.count("(") == text.count(")")
    assert "(deny file-write*)" in rows
    written = rows.index(f'(allow file-read* file-write* (subpath "{jail.worktree}"))')
    assert rows.index(f'(deny file-read-data file-write* (subpath "{jail.folder}/state"))') < written
    assert not any(f'(subpath "{jail.home}/.ssh")' in row for row in rows)


@linux
def test_a_plan_shows_what_is_in_the_home_folder_but_no_secret(tmp_path):
    jail = Jail(tmp_path.resolve(), Leaky())
    (jail.home / "project").mkdir()
    (jail.home / ".npmrc").write_text("secret")
    (jail.home / "link").symlink_to("project")

    steps = plan.Plan(jail.place).steps

    at_home = {Path(path).name: what for what, path, _, _ in steps if path.startswith(f"{jail.home}/")}
    assert at_home == {"project": "show", "link": "link", ".cache": "show", ".npm": "show"}
    assert ("seal", str(jail.home), "", 0) in steps


@pytest.mark.skipif(not seccomp.is_known(), reason="no filter is known for this architecture")
def test_the_filter_is_whole_and_ends_by_allowing():
    rows = seccomp.program()

    assert len(rows) % 8 == 0
    assert len(rows) // 8 < 4096
    assert rows[-8:] == b"\x06\0\0\0\0\0\xff\x7f"


@linux
@pytest.mark.parametrize("path", ["{folder}", "~/.config", "{home}", "{folder}/state", "~/.ssh", "{folder}/data"])
async def test_a_grant_that_would_show_what_is_hidden_lets_nothing_start_and_says_so(backend, tmp_path, path):
    jail = Jail(tmp_path.resolve(), backend)
    (jail.home / ".config" / "gh").mkdir(parents=True)
    (jail.folder / "data" / "key").mkdir(parents=True)
    granted = path.format(folder=jail.folder, home=jail.home)
    jail.place = dataclasses.replace(jail.place, granted=(granted,), hidden=(f"{jail.folder}/data/key",))

    with pytest.raises(UserError, match="commands may not see, so none can start") as refusal:
        await jail.run("true")

    assert "Name folders below it under `writable`" in refusal.value.hint
    assert granted.replace("~", str(jail.home)) in refusal.value.message


async def test_a_folder_of_programs_is_found_through_links(backend, tmp_path):
    jail = Jail(tmp_path.resolve(), backend)
    (jail.folder / "tools" / "real" / "bin").mkdir(parents=True)
    program = jail.folder / "tools" / "real" / "bin" / "greet"
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o755)
    (jail.folder / "linked").mkdir()
    (jail.folder / "linked" / "tools").symlink_to(jail.folder / "tools" / "real")
    path = f"{jail.folder}/linked/tools/bin:{jail.environment['PATH']}"
    jail.place = dataclasses.replace(jail.place, path=path)
    jail.environment["PATH"] = path
    try:
        assert await jail.run("greet") == (0, "hello\n")
    finally:
        assert await jail.processes.stop_all() == 0


async def test_a_file_of_a_cage_has_the_size_that_it_may_have(backend, tmp_path):
    jail = Jail(tmp_path.resolve(), backend, plan.Limits(file_bytes=1 << 20, processes=400))
    try:
        code, printed = await jail.run("head -c 3000000 /dev/zero > big; echo $?; ulimit -f; ulimit -c")
    finally:
        assert await jail.processes.stop_all() == 0

    assert (code, printed.splitlines()[-2:]) == (0, ["1024", "0"])
    assert (jail.worktree / "big").stat().st_size == 1 << 20
