"""Make the installer: one file that is a shell script with everything that zstui is behind it.

`python packaging/installer.py` prints the path of `dist/zstui-installer-VERSION.bin`. What is frozen is kept
in `build/appliance` under a hash of what it is made of. The same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import lzma
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from agent import pack_plain
from appliance import freeze, inputs_hash, needed_glibc

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "packaging" / "install"
ORDER = ("head", "mirrors", "places", "journal", "checks", "service", "steps", "main")
"""The parts of the script. Each only defines, but the last, which runs."""

DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md", "LICENSE", "NOTICE", "docs")
UNXZ = Path("/bin/busybox")
"""A smallest Debian has no xz. The program that the tiny image is made with has, and needs no library."""

DICTIONARY_BYTES = 64 << 20
"""How far back the packed archive finds what it has had before, and what unpacking takes of memory; busybox refuses
more. The agent has much that the appliance has, and the tiny image has the agent's kernel."""

LAST = ("_internal/agent", "_internal/tiny")
"""What stands at the archive's end, so that it is no further than that from what it has in common."""

MIGRATIONS = Path("_internal", "appliance", "store", "migrations")
LIMIT = 60_000_000


def main() -> int:
    """Build what is missing and print where it is."""
    arguments = _arguments()
    folder = arguments.folder or frozen_folder(ROOT / "build" / "appliance")
    version = (folder / "_internal" / "VERSION").read_text().strip()
    payload = compressed(folder, arguments.preset)
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    made = output / f"zstui-installer-{version}.bin"
    whole = assemble(
        payload,
        VERSION=version,
        GLIBC=needed_glibc(folder),
        LIBVIRT=needed_libvirt(folder),
        SCHEMA=str(len(list((folder / MIGRATIONS).glob("[0-9]*.sql")))),
    )
    if len(whole) > LIMIT and arguments.folder is None:
        print(f"{made.name} would have {len(whole)} bytes; the budget is {LIMIT}", file=sys.stderr)
        return 1
    part = made.with_suffix(".part")
    part.write_bytes(whole)
    part.chmod(0o755)
    part.replace(made)
    digest = hashlib.sha256(whole).hexdigest()
    made.with_name(made.name + ".sha256").write_text(f"{digest}  {made.name}\n")
    print(made)
    return 0


def frozen_folder(build: Path) -> Path:
    """The appliance with agent, tiny image and documents in it, made unless it is there for these inputs."""
    agent, tiny = _agent(), ROOT / "build" / "tiny" / "zstui-tiny.qcow2"
    documents = [path for name in DOCUMENTS for path in _files(ROOT / name)]
    seen = hashlib.sha256(inputs_hash().encode() + agent.name.encode() + Path(__file__).read_bytes())
    for path in [tiny, ROOT / "pyproject.toml", SCRIPTS / "zstui.service", *documents]:
        seen.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    folder = build / f"zstui-{seen.hexdigest()[:16]}"
    if folder.is_dir():
        return folder
    frozen = freeze(build / "work")
    inside = frozen / "_internal"
    (inside / "VERSION").write_text(_version() + "\n")
    _lay_open(agent, tiny, inside)
    for path in documents:
        target = frozen / "share" / "doc" / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    shutil.copyfile(SCRIPTS / "zstui.service", frozen / "share" / "zstui.service")
    for older in build.glob("zstui-*"):
        shutil.rmtree(older) if older.is_dir() else older.unlink()
    frozen.rename(folder)
    shutil.rmtree(build / "work")
    return folder


def _lay_open(agent: Path, tiny: Path, inside: Path) -> None:
    """Put agent and tiny image into the frozen folder as they are before they are packed, each in its own way.

    Packed as one with the appliance they take far less. The installer packs the agent again, as hosts get it.
    """
    for place in ("agent", "tiny"):
        (inside / place).mkdir()
    (inside / "agent" / agent.stem).write_bytes(gzip.decompress(agent.read_bytes()))
    words = ["qemu-img", "convert", "-f", "qcow2", "-O", "qcow2", "-o", "compat=1.1"]
    subprocess.run([*words, tiny, inside / "tiny" / tiny.name], check=True, timeout=120)


def compressed(folder: Path, preset: int) -> bytes:
    """The packed folder, kept beside it: a folder that has a name never changes."""
    kept = folder.with_name(f"{folder.name}.{preset}.tar.xz")
    if not kept.is_file():
        part = kept.with_suffix(".part")
        part.write_bytes(compress(folder, preset))
        part.replace(kept)
    return kept.read_bytes()


def compress(folder: Path, preset: int) -> bytes:
    """A folder as a packed archive with no trace of when and by whom it was made."""
    packed = pack_plain(folder, last=LAST)
    filters = [{"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": DICTIONARY_BYTES}]
    # busybox knows this check, and not every other; what counts is the SHA-256 of the whole.
    return lzma.compress(packed, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, filters=filters)


def needed_libvirt(folder: Path) -> str:
    """The oldest libvirt that the agent runs with: the newest version of a symbol it asks for."""
    (archive,) = (folder / "_internal" / "agent").glob("zstui-agent-*.tar")
    with tarfile.open(archive) as tar:
        found = [
            tuple(map(int, version.split(b".")))
            for member in tar
            if "libvirtmod" in member.name and (file := tar.extractfile(member))
            for version in re.findall(rb"\0LIBVIRT_(\d+\.\d+\.\d+)(?=\0)", file.read())
        ]
    return ".".join(map(str, max(found)))


def assemble(payload: bytes, **known: str) -> bytes:
    """The script with what it knows of the payload, the program that unpacks where none is, and the payload."""
    unxz = gzip.compress(UNXZ.read_bytes(), mtime=0)
    text = "".join((SCRIPTS / f"{part}.sh").read_text() for part in ORDER)
    known |= {
        "BUILD": hashlib.sha256(payload).hexdigest()[:12],
        "PAYLOAD_BYTES": str(len(payload)),
        "PAYLOAD_SHA256": hashlib.sha256(payload).hexdigest(),
        "UNXZ_BYTES": str(len(unxz)),
        "UNXZ_SHA256": hashlib.sha256(unxz).hexdigest(),
    }
    for name, value in known.items():
        text = text.replace(f"@{name}@", value)
    # The script's own length stands in the script, in a place of a known length. So does its checksum, in a line
    # that is left out of it.
    length = len(text.encode()) - len("@SCRIPT_BYTES@") + 8 - len("@SCRIPT_SHA256@") + 64
    text = text.replace("@SCRIPT_BYTES@", f"{length:<8}")
    digest = hashlib.sha256(text.replace("SCRIPT_SHA256=@SCRIPT_SHA256@\n", "", 1).encode()).hexdigest()
    text = text.replace("@SCRIPT_SHA256@", digest)
    return text.encode() + unxz + payload


def _version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def _agent() -> Path:
    note = json.loads((ROOT / "build" / "agent" / "built.json").read_text())
    return ROOT / "build" / "agent" / str(note["archive"])


def _files(path: Path) -> list[Path]:
    return (
        sorted(each for each in path.rglob("*") if each.is_file())
        if path.is_dir()
        else [path][: path.exists()]
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="folder for the installer")
    parser.add_argument("--preset", type=int, default=6, help="how hard to compress, 0 to 9")
    parser.add_argument("--folder", type=Path, help="pack this frozen folder instead of freezing one")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
