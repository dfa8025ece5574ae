"""Freeze the appliance, with the full screen and the command line, into one folder that needs no Python.

`freeze(work, inputs)` makes the folder; `packaging/installer.py` puts agent, tiny image and documents into
it and packs it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import frozen

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = (
    *("aiohttp", "aiosqlite", "argon2-cffi", "asyncssh", "babel", "cryptography", "msgspec", "pysqlite3"),
    *("pyte", "pyyaml", "textual", "textual-serve", "rich", "pyinstaller"),
)
SOURCES = ("appliance", "zstui", "agent")
SUFFIXES = (".py", ".sql", ".txt", ".tcss", ".po", ".html", ".js", ".css")
LOCALES = ("root", "en", "zh")
"""What is kept of Babel's data: that of the languages of the screens."""

NOTES_OF_PIP = ("direct_url.json", "RECORD", "INSTALLER", "REQUESTED")
"""What is left out of a package's metadata: the first names the checkout, and RECORD has its checksum."""

# Found through optional imports, and never used here.
EXCLUDED_MODULES = (
    *("tkinter", "pydoc", "doctest", "pdb", "lib2to3", "setuptools", "pip", "pytest", "_pytest"),
    *(
        "PIL",
        "resvg_py",
        "hypothesis",
        "_testcapi",
        "libvirt",
        "libvirtmod",
        "uvloop",
        "IPython",
    ),
    # GNU readline would put all that it is linked with under the GPL.
    *("readline", "rlcompleter", "cmd", "code"),
    *("tree_sitter", "brotli", "brotlicffi", "aiodns", "mypy", "ruff", "PyInstaller", "xmlrpc"),
    "textual.demo",
)


def inputs_hash() -> str:
    """A name for everything that the frozen folder is made of."""
    seen = hashlib.sha256()
    found = [path for room in SOURCES for path in (ROOT / room).rglob("*") if path.suffix in SUFFIXES]
    for path in [*sorted(found), Path(__file__).resolve(), Path(frozen.__file__).resolve()]:
        seen.update(f"{path.relative_to(ROOT)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    for library in LIBRARIES:
        seen.update(f"{library}={importlib.metadata.version(library)}\0".encode())
    seen.update(sys.version.encode())
    return seen.hexdigest()[:16]


def freeze(work: Path) -> Path:
    """Run PyInstaller and return the folder it made."""
    made = frozen.freeze(
        work,
        "zstui",
        "zstui.__main__",
        excluded=EXCLUDED_MODULES,
        options=(
            *(f"--hidden-import={name}" for name in _modules()),
            *("--collect-submodules=textual.widgets", "--hidden-import=pysqlite3.dbapi2"),
            *(
                "--hidden-import=textual_serve",
                "--collect-data=textual_serve",
                "--copy-metadata=textual-serve",
            ),
            *(f"--add-data={source}:{place}" for source, place in _data()),
        ),
    )
    for path in made.rglob("babel/locale-data/*.dat"):
        if path.stem.partition("_")[0] not in LOCALES:
            path.unlink()
    forget_checkout(made)
    return made


def forget_checkout(folder: Path) -> None:
    """Drop what the installation of a package says of this machine: where it came from, and what pip did."""
    for path in folder.rglob("*.dist-info/*"):
        if path.name in NOTES_OF_PIP:
            path.unlink()


def needed_glibc(folder: Path) -> str:
    """The oldest glibc that everything in a folder runs with: the newest version of a symbol it asks for."""
    newest = (2, 17)
    for path in folder.rglob("*"):
        if path.is_file() and path.open("rb").read(4) == b"\x7fELF":
            found = re.findall(rb"\0GLIBC_(\d+)\.(\d+)(?=[.\0])", path.read_bytes())
            newest = max([newest, *((int(major), int(minor)) for major, minor in found)])
    return f"{newest[0]}.{newest[1]}"


def _modules() -> list[str]:
    """Every module of ours: some are found by their folder when they run, which no import says."""
    names = []
    for room in ("appliance", "zstui"):
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def _data() -> list[tuple[Path, Path]]:
    """Files that are read beside the modules, and the folders they are in."""
    found = [
        path
        for room in SOURCES
        for path in sorted((ROOT / room).rglob("*"))
        if path.suffix in SUFFIXES and path.suffix != ".py"
    ]
    return [(path, path.parent.relative_to(ROOT)) for path in found]
