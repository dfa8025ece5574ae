"""Storage roots: the only folders below which the agent makes, reads and removes files."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from agent.paths import Paths
from agent.protocol import Capacity, DropStorage, EnsureStorage
from agent.refused import Refused
from agent.specs import Specs, sync_folder

TRIES = 5
"""How often a folder is made that others remove meanwhile."""

FOLDER_MODE = 0o711
"""QEMU's own user must pass through to its disks; nobody needs to list them."""

MAX_PATH_BYTES = 1024

SYSTEM_FOLDERS = ("bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "proc", "root", "sbin", "sys", "usr")


class StorageRoots:
    """The registry of storage roots, kept on disk, and the one judge of paths."""

    def __init__(self, paths: Paths) -> None:
        self._own = (paths.state, paths.run)
        self._specs: Specs[EnsureStorage] = Specs(paths.state / "storage", EnsureStorage)

    def roots(self) -> list[Path]:
        """Every root."""
        return [Path(spec.root) for spec in self._specs.all()]

    def ensure(self, request: EnsureStorage) -> Capacity:
        """Make a folder a root, creating it. Raises `Refused` for folders that are not ours to fill."""
        root = clean(request.root)
        if not request.storage_uuid.isalnum():
            raise Refused("storage.uuid", f"{request.storage_uuid!r} is not a uuid")
        if len(root.parts) < 2 or root.parts[1] in SYSTEM_FOLDERS or root in {Path("/var"), Path("/run")}:
            raise Refused("storage.system", f"{root} belongs to the system; name a folder for storage alone")
        for own in self._own:
            if root in [own, *own.parents] or own in root.parents:
                raise Refused("storage.system", f"{root} holds the agent's own files; name another folder")
        _refuse_links(Path("/"), root)
        try:
            make_folders(root)
            capacity = _capacity(root)
        except OSError as failed:
            raise disk_refused(failed, root) from failed
        self._specs.put(request.storage_uuid, request)
        return capacity

    def drop(self, request: DropStorage) -> None:
        """Forget a root; its files stay."""
        self._specs.drop(request.storage_uuid)

    def capacities(self) -> dict[str, Capacity]:
        """Storage uuid to the size of its file system, for each root that is there."""
        found = {}
        for spec in self._specs.all():
            try:
                found[spec.storage_uuid] = _capacity(Path(spec.root))
            except OSError:
                # Unplugged or unmounted: what is not reported is not there.
                continue
        return found

    def resolve(self, path: str) -> Path:
        """The path as given, once it is proved to lie below a root without links on the way.

        Raises `Refused` with `path.bad`, `path.outside` or `path.link`.
        """
        cleaned = clean(path)
        root = self.root_of(cleaned)
        _refuse_links(Path("/"), cleaned)
        if cleaned == root:
            raise Refused("path.outside", f"{path} is a storage root, not a file below one")
        return cleaned

    def root_of(self, path: Path) -> Path:
        """The innermost root above a path. Raises `Refused` with `path.outside`."""
        above = [root for root in self.roots() if path == root or root in path.parents]
        if not above:
            raise Refused(
                "path.outside", f"{path} is below no storage root of this host; add its storage first"
            )
        return max(above, key=lambda root: len(root.parts))

    def drop_file(self, path: str) -> None:
        """Remove a file, finished or not, and the folders above that became empty, up to the root.

        Absent is fine.
        """
        target = self.resolve(path)
        root = self.root_of(target)
        try:
            if target.is_dir():
                raise Refused("path.folder", f"{path} is a folder; only files are removed")
            target.unlink(missing_ok=True)
            part_of(target).unlink(missing_ok=True)
            fetched_of(target).unlink(missing_ok=True)
            for folder in target.parents:
                if folder == root or not _removed(folder):
                    break
        except NotADirectoryError:
            return
        except OSError as failed:
            raise disk_refused(failed, target) from failed


def _removed(folder: Path) -> bool:
    """Remove a folder unless something is in it; whether it is gone."""
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError as failed:
        if failed.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY):  # or a disk is mounted on it
            return False
        raise
    return True


def clean(path: str) -> Path:
    """A path that is absolute and says where it leads without `.` or `..`; refused as `path.bad` else."""
    parts = path.split("/")
    if (
        not path.startswith("/")
        or not path.isprintable()
        or any(part in {".", ".."} for part in parts)
        or len(path.encode(errors="replace")) > MAX_PATH_BYTES
        or any(len(part.encode(errors="replace")) > 255 for part in parts)
    ):
        raise Refused("path.bad", f"{path[:200]!r} is not a plain absolute path")
    # pathlib keeps a leading double slash, which POSIX leaves to the system.
    return Path("/" + path.strip("/"))


def part_of(path: Path) -> Path:
    """Where a file is made before it is complete."""
    return path.with_name(path.name + ".part")


def fetched_of(path: Path) -> Path:
    """Where a file is that another one is made of, before that is complete."""
    return path.with_name(path.name + ".fetched")


def make_folders(folder: Path) -> None:
    """Create a folder and its parents, passable for QEMU's user. Raises `OSError`."""
    for _ in range(TRIES):
        with contextlib.suppress(FileNotFoundError):  # removed as empty by somebody else just now
            for step in reversed([folder, *folder.parents]):
                _make_folder(step)
            return
    _make_folder(folder)


def _make_folder(folder: Path) -> None:
    if folder.exists():
        return
    try:
        folder.mkdir()
    except FileExistsError:
        return  # made by somebody else just now
    folder.chmod(FOLDER_MODE)


def disk_refused(failed: OSError, path: Path) -> Refused:
    """What an error of the file system means to the appliance."""
    codes = {
        "ENOSPC": ("storage.full", "free space on this storage"),
        "EDQUOT": ("storage.full", "free space on this storage"),
        "EROFS": ("storage.read_only", "mount this storage for writing"),
        "ENOENT": ("file.missing", "check that its storage is mounted"),
        "ETXTBSY": ("file.busy", "stop what uses it, or wait"),
        "EBUSY": ("file.busy", "stop what uses it, or wait"),
        "EIO": ("storage.broken", "check the disk"),
    }
    name = _errno_name(failed)
    code, advice = codes.get(name, ("storage.error", "look at the host"))
    return Refused(code, f"{path}: {failed.strerror or name}; {advice}", transient=code == "file.busy")


def publish(part: Path, path: Path) -> None:
    """Give a finished file its name, both on disk when this returns. Raises `OSError`."""
    descriptor = os.open(part, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    part.replace(path)
    sync_folder(path.parent)


def taken_bytes(path: Path) -> int:
    """What a file takes on its disk, whatever its length. Raises `OSError`."""
    return path.stat().st_blocks * 512  # which stat counts in, whatever the file system does


def is_regular(path: Path) -> bool:
    """Whether a path is a plain file, itself and not through a link."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _errno_name(failed: OSError) -> str:
    return errno.errorcode.get(failed.errno or 0, "EIO")


def _refuse_links(base: Path, path: Path) -> None:
    """No component of a path may be a symbolic link: what is checked must be what is used."""
    step = base
    for part in path.relative_to(base).parts:
        step = step / part
        try:
            if stat.S_ISLNK(step.lstat().st_mode):
                raise Refused("path.link", f"{step} is a symbolic link; name the real path")
        except FileNotFoundError:
            return
        except NotADirectoryError as not_a_folder:
            raise Refused("path.bad", f"{step.parent} is not a folder") from not_a_folder


def check_room(folder: Path, wanted_bytes: int, what: str, reserved_bytes: int) -> None:
    """Refuse what would leave less than the reserve of a storage free. Raises `Refused`, or `OSError`."""
    free = _capacity(folder).available_bytes
    if wanted_bytes > free - reserved_bytes:
        raise Refused(
            "storage.full",
            f"{what} takes {wanted_bytes} bytes; {free} are free, of which {reserved_bytes} are kept in reserve; "
            f"make room on this storage, or change the global config reservedCapacity",
        )


def _capacity(root: Path) -> Capacity:
    counted = os.statvfs(root)
    return Capacity(
        total_bytes=counted.f_blocks * counted.f_frsize, available_bytes=counted.f_bavail * counted.f_frsize
    )
