"""The checkpoint of a learner on disk: the last three are kept, and no other file is overwritten."""

from pathlib import Path

from polo_ros.files import write_atomically

# the newest checkpoint and those before it
KEPT_CHECKPOINTS = 3

# device, inode, size and time of the last change
Identity = tuple[int, int, int, int]


def numbered(path: Path, name: object) -> Path:
    """A file beside another: `learner.safetensors` and 1 make `learner.1.safetensors`."""
    return path.with_suffix(f".{name}{path.suffix}")


def write_rotating(path: Path, content: bytes) -> None:
    """Write a checkpoint and keep the last ones as `<name>.1.<suffix>` (newer) and `<name>.2.<suffix>`.

    Raises:
      PoloError: the file could not be written; the previous ones are untouched.
    """
    write_atomically(path, content, [numbered(path, age) for age in range(1, KEPT_CHECKPOINTS)])


class CheckpointFile:
    """The checkpoint of one learner on disk.

    A file that this learner neither read nor wrote is not overwritten: the learner's own state then goes to
    a file beside it.

    Args:
      path: of the file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._own: dict[Path, Identity] = {}

    def exists(self) -> bool:
        """Whether there is a file to load."""
        return self.path.exists()

    def identity(self) -> Identity | None:
        """What tells the present file from any other; None where there is none."""
        return _identity(self.path)

    def accept(self, identity: Identity | None) -> None:
        """The learner has loaded the file of this identity, so that it may be replaced."""
        if identity is not None:
            self._own[self.path] = identity

    def write(self, content: bytes, reason: str = "") -> Path:
        """Write the learner's state.

        Args:
          content: all of the file.
          reason: why the state must not replace the checkpoint, as a word of the file's name; empty where
            it may.

        Returns:
          The file that was written: `path`, or one beside it.

        Raises:
          PoloError: the file could not be written; existing files are untouched.
        """
        if not reason and not self._may_replace(self.path):
            reason = "aside"
        if reason:
            path = self._free_path(reason)
            write_atomically(path, content)
        else:
            path = self.path
            write_rotating(path, content)
        identity = _identity(path)
        if identity is not None:
            self._own[path] = identity
        return path

    def _may_replace(self, path: Path) -> bool:
        identity = _identity(path)
        return identity is None or identity == self._own.get(path)

    def _free_path(self, reason: str) -> Path:
        """The first file beside the checkpoint that this learner may write."""
        number = 1
        while True:
            path = numbered(self.path, reason if number == 1 else f"{reason}{number}")
            if self._may_replace(path):
                return path
            number += 1


def _identity(path: Path) -> Identity | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
