"""What an image holds, layer by layer: also what a later layer hides."""

import mmap
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


class SavedImage:
    """An image, written out by the engine."""

    def __init__(self, image: str, path: Path) -> None:
        subprocess.run(["docker", "save", "--output", str(path), image], check=True, capture_output=True, timeout=300)
        self._path = path

    def names(self) -> Iterator[PurePosixPath]:
        """Of everything in every layer, from the root of the file system and without its first slash."""
        with tarfile.open(self._path) as image:
            for member in image:
                layer = _opened(image, member)
                if layer is not None:
                    with layer:
                        yield from (PurePosixPath(one.name) for one in layer)

    def holds(self, text: str) -> bool:
        """Whether the text is in any file or in what the engine knows of the image."""
        with self._path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(text.encode()) >= 0


def _opened(image: tarfile.TarFile, member: tarfile.TarInfo) -> tarfile.TarFile | None:
    """A layer, or None: engines save other files beside them, and under other names than they used to."""
    if not member.isfile():
        return None
    try:
        return tarfile.open(fileobj=image.extractfile(member))
    except tarfile.ReadError:
        return None
