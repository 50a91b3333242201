"""Who is banned, in a file that an operator can read and change while the daemon is down."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from chatd.chat.moderation import Ban
from chatd.config.ownfile import read_regular_file, replace_private_file, strip_mark, why
from chatd.errors import ConfigurationError, StoreError

__all__ = ["BanFile"]


class BanFile:
    """The bans, as one JSON list in a file; where there is no file, there are none.

    Args:
        path: The file, or None to keep nothing.
    """

    def __init__(self, path: str | Path | None) -> None:
        # With the links followed: a file that is put in a link's place would leave its target old.
        self._path = None if path is None else Path(os.path.realpath(path))

    @property
    def is_kept(self) -> bool:
        """Whether there is a place for bans."""
        return self._path is not None

    def load(self) -> list[Ban]:
        """Return the bans in the file.

        Raises:
            ConfigurationError: It cannot be read, or it holds something else; a field that is not
                known is refused, so that a slip of the pen does not let anybody in.
        """
        if self._path is None:
            return []
        try:
            data, _ = read_regular_file(self._path)
            text = strip_mark(data, f"the ban file {self._path}")
            return msgspec.json.decode(text, type=list[Ban])
        except (FileNotFoundError, NotADirectoryError):  # the latter is told of with the data
            return []
        except (OSError, msgspec.DecodeError, ValueError) as error:  # the last where no UTF-8
            raise ConfigurationError(
                f"cannot read the bans in {self._path}: {why(error)}"
            ) from error

    def save(self, bans: Iterable[Ban]) -> None:
        """Put bans in the place of those in the file, with mode 0600: all of them, or none.

        It waits for the disk: call it in a thread, one call after the other.

        Raises:
            StoreError: They cannot be written, or it is not certain that they outlast a power cut;
                the file is as it was, as far as the disk lets it be.
        """
        if self._path is None:
            return
        text = msgspec.json.format(msgspec.json.encode(list(bans)), indent=2) + b"\n"
        try:
            before = read_regular_file(self._path)[0] if self._path.exists() else None
            replace_private_file(self._path, text)
            try:
                _sync_directory(self._path.parent)
            except OSError:
                self._put_back(before)
                raise
        except OSError as error:
            raise StoreError(f"cannot write the bans to {self._path}: {why(error)}") from error

    def _put_back(self, before: bytes | None) -> None:
        assert self._path is not None
        with suppress(OSError):
            if before is None:
                self._path.unlink()
            else:
                replace_private_file(self._path, before)


def _sync_directory(path: Path) -> None:
    """Have the names of the files in a directory on the disk."""
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
