"""Freeze the agent into one folder that needs no Python, and pack it under a name that is its content.

`python packaging/agent.py [--vmlinuz PATH] [--output FOLDER]` prints the path of the archive. Nothing is
done when the sources, their libraries and the kernel are those of the archive that is there.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import importlib.metadata
import io
import json
import shutil
import sys
import tarfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import frozen

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = ("aiohttp", "libvirt-python", "msgspec", "pyinstaller")

# Never used on a host. PyInstaller would find some through optional imports.
EXCLUDED_MODULES = (
    *("uvloop", "textual", "rich", "asyncssh", "aiosqlite", "sqlite3", "pysqlite3", "cryptography", "argon2"),
    *("tkinter", "unittest", "pydoc", "doctest", "pdb", "lib2to3", "setuptools", "pip", "curses", "readline"),
    *("brotli", "brotlicffi", "aiodns", "pytest", "PIL", "xmlrpc", "yaml", "bz2", "lzma", "_testcapi"),
    *("_codecs_jp", "_codecs_hk", "_codecs_cn", "_codecs_kr", "_codecs_tw"),
    *("appliance", "zstui"),
)

# The host's libvirt loads its own libraries. A second version of one of them in our folder would be found
# first and could break it, so all shared libraries are the host's but Python's and OpenSSL's TLS half,
# which libvirt has no use for and may not have brought along.
KEPT_LIBRARY_PREFIXES = ("libpython3", "libssl")


def main() -> int:
    """Build what is missing and print where it is."""
    arguments = _arguments()
    output: Path = arguments.output
    kernel: Path | None = arguments.vmlinuz
    output.mkdir(parents=True, exist_ok=True)
    inputs = inputs_hash(kernel)
    note = output / "built.json"
    if note.is_file():
        built = json.loads(note.read_text())
        if built["inputs"] == inputs and (output / built["archive"]).is_file():
            print(output / built["archive"])
            return 0
    folder = freeze(output / "work", inputs)
    if kernel is not None:
        shutil.copy(kernel, folder / "vmlinuz")
    archive = pack(folder, output)
    note.write_text(json.dumps({"inputs": inputs, "archive": archive.name}) + "\n")
    print(archive)
    return 0


def inputs_hash(kernel: Path | None) -> str:
    """A name for everything that the archive is made of."""
    seen = hashlib.sha256()
    sources = [
        *sorted((ROOT / "agent").rglob("*.py")),
        Path(__file__).resolve(),
        Path(frozen.__file__).resolve(),
    ]
    for path in [*sources, *([kernel] if kernel else [])]:
        name = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name
        seen.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    for library in LIBRARIES:
        seen.update(f"{library}={importlib.metadata.version(library)}\0".encode())
    seen.update(sys.version.encode())
    return seen.hexdigest()[:16]


def freeze(work: Path, inputs: str) -> Path:
    """Run PyInstaller and return the folder it made, cleaned of what the host has itself."""
    folder = frozen.freeze(
        work,
        "zstui-agent",
        "agent.__main__",
        excluded=EXCLUDED_MODULES,
        options=(
            "--hidden-import=agent.bridge",
            "--hidden-import=agent.network",
            "--hidden-import=agent.nic",
        ),
    )
    for library in (folder / "_internal").iterdir():
        if is_host_library(library):
            library.unlink()
    (folder / "build").write_text(inputs + "\n")
    return folder


def is_host_library(path: Path) -> bool:
    """Whether a file at the top of the frozen folder is a shared library that the host brings."""
    is_library = path.name.startswith("lib") and ".so" in path.name and ".cpython-" not in path.name
    return is_library and not path.name.startswith(KEPT_LIBRARY_PREFIXES)


def pack_plain(folder: Path, last: tuple[str, ...] = ()) -> bytes:
    """A folder as an archive with no trace of when and by whom it was made; some folders in it come last."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for path in sorted(
            folder.rglob("*"), key=lambda path: (_is_in(path.relative_to(folder), last), path)
        ):
            tar.add(path, arcname=str(path.relative_to(folder)), recursive=False, filter=_anonymous)
    return plain.getvalue()


def _is_in(path: Path, folders: tuple[str, ...]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def pack(folder: Path, output: Path) -> Path:
    """Such an archive, compressed and named by a hash of its content."""
    content = pack_plain(folder)
    archive = output / f"zstui-agent-{hashlib.sha256(content).hexdigest()[:16]}.tar.gz"
    part = archive.with_suffix(".part")
    part.write_bytes(gzip.compress(content, compresslevel=6, mtime=0))
    part.replace(archive)
    for older in output.glob("zstui-agent-*.tar.gz"):
        if older != archive:
            older.unlink()
    return archive


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime = 1
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--vmlinuz", type=Path, help="kernel that the agent tries KVM with")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "build" / "agent", help="folder for the archive"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
