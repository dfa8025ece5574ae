"""A tree of files kept in memory, and its two shapes: an initramfs and an ext4 file system."""

from __future__ import annotations

import gzip
import posixpath
import tempfile
from dataclasses import dataclass
from pathlib import Path

from debs import BuildError, run

EPOCH = 1_700_000_000  # every time stamp in the image, in seconds since 1970
EXT4_UUID = "7a737475-6900-4000-8000-74696e790001"
EXT4_HASH_SEED = "7a737475-6900-4000-8000-74696e790002"
EXT4_LABEL = "zstui-root"

FOLDER, FILE, LINK = 0o040000, 0o100000, 0o120000


@dataclass(frozen=True)
class Node:
    """A folder, a file with its bytes or a link with its target; mode holds the kind and the rights."""

    mode: int
    data: bytes = b""

    @property
    def kind(self) -> int:
        """FOLDER, FILE or LINK."""
        return self.mode & 0o170000


class Tree:
    """Nodes by absolute path; the folders above a node are made with it."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}

    def folder(self, path: str, rights: int = 0o755) -> None:
        """Add a folder, with all above it."""
        self._add(path, Node(FOLDER | rights))

    def _add(self, path: str, node: Node) -> None:
        above = posixpath.dirname(path)
        if above != "/" and above not in self.nodes:
            self.folder(above)
        self.nodes[path] = node

    def file(self, path: str, data: bytes, rights: int = 0o644) -> None:
        """Add a file, or replace what is at its path."""
        self._add(path, Node(FILE | rights, data))

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link, or replace what is at its path."""
        self._add(path, Node(LINK | 0o777, target.encode()))

    def cpio(self) -> bytes:
        """Return the tree as a gzip-packed initramfs, the same bytes for the same tree."""
        packed = bytearray()
        for inode, (path, node) in enumerate(sorted(self.nodes.items()), start=1):
            packed += _cpio_record(inode, path.lstrip("/"), node)
        packed += _cpio_record(0, "TRAILER!!!", Node(0))
        return gzip.compress(bytes(packed), 9, mtime=0)

    def ext4(self, path: Path, size: int) -> None:
        """Write the tree as an ext4 file system of size bytes that can be grown while it is mounted.

        It is written by debugfs, so neither root rights nor a loop device are needed and everything in
        it belongs to root.
        """
        clock = {"E2FSPROGS_FAKE_TIME": str(EPOCH)}
        path.unlink(missing_ok=True)
        with path.open("wb") as disk:
            disk.truncate(size)
        run(
            [
                "mke2fs",
                "-q",
                "-F",
                "-t",
                "ext4",
                "-b",
                "4096",
                "-m",
                "1",
                "-L",
                EXT4_LABEL,
                "-U",
                EXT4_UUID,
                "-E",
                f"hash_seed={EXT4_HASH_SEED},lazy_itable_init=0,lazy_journal_init=0,nodiscard",
                path,
            ],
            **clock,
        )
        with tempfile.TemporaryDirectory() as scratch:
            commands = Path(scratch, "commands")
            commands.write_text(self._debugfs_commands(Path(scratch)))
            run(["debugfs", "-w", "-f", commands, path], **clock)
        run(["e2fsck", "-fn", path], **clock)
        self._verify(path)

    def _debugfs_commands(self, scratch: Path) -> str:
        lines = []
        for number, (path, node) in enumerate(sorted(self.nodes.items())):
            above, name = posixpath.split(path)
            lines.append(f"cd {above}")
            if node.kind == FOLDER:
                lines.append(f"mkdir {name}")
            elif node.kind == LINK:
                lines.append(f"symlink {name} {node.data.decode()}")
            else:
                source = scratch / str(number)
                source.write_bytes(node.data)
                lines.append(f"write {source} {name}")
            if node.kind != LINK:
                lines.append(f"set_inode_field {path} mode 0{node.mode:o}")
        return "\n".join([*lines, ""])

    def _verify(self, path: Path) -> None:
        """Raise BuildError if a file is not in the file system: debugfs reports failures by words only."""
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch, "copy")
            for name, node in self.nodes.items():
                if node.kind != FILE:
                    continue
                copy.unlink(missing_ok=True)
                run(["debugfs", "-R", f"dump {name} {copy}", path])
                if not copy.exists() or copy.read_bytes() != node.data:
                    raise BuildError(f"{name} was not written into the file system {path}")


def _cpio_record(inode: int, name: str, node: Node) -> bytes:
    """Return one record of the 'newc' format, which the kernel unpacks."""
    links = 2 if node.kind == FOLDER else 1
    fields = (inode, node.mode, 0, 0, links, EPOCH, len(node.data), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return _padded(head) + _padded(node.data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
