"""What is on disk about a target that runs in containers, so that another process can drive it and take it down."""

from pathlib import Path

import msgspec

from harness.errors import TargetError


class DockerState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How it was started. `containers` is service → container id, empty while it is starting."""

    engine: str
    project: str
    compose_command: tuple[str, ...]
    compose_file: str
    variables: dict[str, str]
    loopback: str
    defect: str | None
    containers: dict[str, str] = {}


class DockerFolder:
    """The files of one such target; the processes runtime keeps other files in the same folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._path = self.folder / "docker.json"

    def log(self, service: str) -> Path:
        return self.folder / "logs" / f"{service}.log"

    def write(self, state: DockerState) -> None:
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.touch(mode=0o600)  # variables may hold secrets
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(state)))
        fresh.replace(self._path)

    def read(self) -> DockerState | None:
        """None where nothing is up."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=DockerState)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise TargetError(f"{self._path} is damaged: {error}. Is it from another version?") from error

    def end(self) -> None:
        self._path.unlink(missing_ok=True)
