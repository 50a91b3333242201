"""The ban file, which an operator can read, and change while the daemon is down."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from chatd.chat.moderation import Ban
from chatd.config.ownfile import read_regular_file, replace_private_file, strip_mark, why
from chatd.errors import ConfigurationError, StoreError

__all__ = ["BanFile"]


class BanFile:
    """The bans, as one JSON list in a file; a missing file has no bans.

    Args:
        path: The file, or None to save no bans.
    """

    def __init__(self, path: str | Path | None) -> None:
        # Links are followed: replacing a link by a file would leave the link's target unchanged.
        self._path = None if path is None else Path(os.path.realpath(path))

    def load(self) -> list[Ban]:
        """Return the bans in the file; none if there is no file or no directory for it.

        The store reports a directory that it cannot use.

        Raises:
            ConfigurationError: The file cannot be read, or it is not a list of bans. An unknown
                field is refused, because a typing error must not lift a ban.
        """
        directory = None if self._path is None else self._path.parent
        if directory is None or not (os.path.isdir(directory) and os.access(directory, os.X_OK)):
            return []
        return self._read() or []

    def load_again(self, in_force: Collection[Ban]) -> list[Ban]:
        """Return the bans in the file, which must be there if bans are in force.

        Args:
            in_force: The bans in force.

        Raises:
            ConfigurationError: See `load`; or the file is missing, which must not lift the bans in
                force.
        """
        bans = self._read()
        if bans is None and in_force:
            raise ConfigurationError(
                f"there is no {self._path}, and bans are in force; put it back, or write [] into "
                "it to lift all bans"
            )
        return bans or []

    def _read(self) -> list[Ban] | None:
        """Return the bans in the file; None if there is no file."""
        if self._path is None:
            return None
        try:
            data, _ = read_regular_file(self._path)
            text = strip_mark(data, f"the ban file {self._path}")
            return _bans_in(text)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"cannot read the bans in {self._path}: {why(error)}"
            ) from error

    def save(self, bans: Iterable[Ban]) -> None:
        """Replace the bans in the file, with mode 0600: all of them, or none.

        It waits for the disk: call it in a thread, one call after the other.

        Raises:
            StoreError: The bans cannot be written, or may not survive a power cut; the file is put
                back as it was, if the disk allows it.
        """
        if self._path is None:
            return
        text = (
            msgspec.json.format(msgspec.json.encode([ban.fields for ban in bans]), indent=2) + b"\n"
        )
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


def _bans_in(text: bytes) -> list[Ban]:
    """Return the bans in the text of a file.

    Raises:
        ValueError: The text is not JSON, or it is not a list of bans.
    """
    try:
        text.decode()  # msgspec's error for other text differs between its versions
        msgspec.json.decode(text)  # first: with a type, an incomplete text has only a wrong type
        return msgspec.json.decode(text, type=list[Ban])
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8 text") from error
    except RecursionError as error:
        raise ValueError("it is not valid JSON: it is nested too deeply") from error
    except msgspec.ValidationError as error:
        raise ValueError(f"it is not a list of bans: {error}") from error
    except msgspec.DecodeError as error:
        fault = str(error).removeprefix("JSON is malformed: ")
        raise ValueError(f"it is not valid JSON: {fault}") from error


def _sync_directory(path: Path) -> None:
    """Wait until the names of the files in a directory are on the disk."""
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
