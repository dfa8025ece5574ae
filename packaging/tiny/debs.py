"""Which Debian packages the tiny image is made of, and how their files are fetched and read."""

from __future__ import annotations

import hashlib
import io
import posixpath
import subprocess
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

KERNEL_METAPACKAGE = "linux-image-cloud-amd64"

# The kernel's own package has a version in its name, so it is found through the metapackage.
PACKAGES = (
    "acpid",
    "busybox-static",
    "dropbear-bin",
    "e2fsprogs",
    "isolinux",
    "libblkid1",
    "libc6",
    "libcom-err2",
    "libcrypt1",
    "libext2fs2",
    "libgmp10",
    "libtomcrypt1",
    "libtommath1",
    "libuuid1",
    "syslinux-common",
    "zlib1g",
)


class BuildError(Exception):
    """The image cannot be built; the text says why and what to do."""


@dataclass(frozen=True, order=True)
class Package:
    """One exact version of one Debian package, as the archive's index names it."""

    name: str
    version: str
    architecture: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The name under which apt-get stores the package."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"


def run(command: Sequence[str | Path], **environment: str) -> str:
    """Run a program to its end and return what it printed; raise BuildError with its words if it fails."""
    done = subprocess.run(
        command,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if done.returncode != 0:
        words = " ".join(map(str, command))
        raise BuildError(f"'{words}' ended with {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def _stanza(text: str) -> dict[str, str]:
    """Return the fields of one paragraph of an apt-cache answer."""
    fields = (line.partition(": ") for line in text.splitlines() if line[:1].isalpha())
    return {name: value for name, _, value in fields}


def resolve() -> list[Package]:
    """Ask apt which version of every needed package it would install; BuildError if it knows none."""
    try:
        depends = run(["apt-cache", "depends", KERNEL_METAPACKAGE])
        kernel = next(line.split()[1] for line in depends.splitlines() if "Depends: linux-image-" in line)
        answer = run(["apt-cache", "show", "--no-all-versions", kernel, *PACKAGES])
        stanzas = {s["Package"]: s for s in map(_stanza, answer.strip().split("\n\n"))}
        chosen = [stanzas[name] for name in (kernel, *PACKAGES)]
        return [Package(s["Package"], s["Version"], s["Architecture"], s["SHA256"]) for s in chosen]
    except (BuildError, StopIteration, KeyError) as error:
        raise BuildError(
            f"apt does not know every package of the tiny image ({error}); it needs the package lists of "
            "Debian 12 (bookworm) for amd64: run 'apt-get update' as root and try again"
        ) from error


def fetch(package: Package, cache: Path) -> Path:
    """Return the package's file in the cache folder, downloaded if it is not there yet and always checked."""
    path = cache / package.file_name
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        command = [
            "apt-get",
            "-qq",
            "-o",
            "APT::Sandbox::User=root",
            "-o",
            "Acquire::http::Timeout=30",
            "download",
            f"{package.name}={package.version}",
        ]
        done = subprocess.run(command, cwd=cache, capture_output=True, text=True, check=False, timeout=600)
        if done.returncode != 0 or not path.exists():
            raise BuildError(
                f"cannot download {package.file_name}: {done.stderr.strip()}; run 'apt-get update'"
            )
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != package.sha256:
        raise BuildError(
            f"{path} has SHA-256 {found}, its archive says {package.sha256}: delete it, try again"
        )
    return path


class Contents:
    """The files of a set of packages, readable by their path with links between them followed."""

    def __init__(self, debs: Iterable[Path]) -> None:
        self._files: dict[str, bytes] = {}
        self._links: dict[str, str] = {}
        for deb in debs:
            self._read(deb)

    def _read(self, deb: Path) -> None:
        packed = subprocess.run(
            ["dpkg-deb", "--fsys-tarfile", deb], capture_output=True, check=True, timeout=120
        )
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
            for member in archive:
                path = posixpath.normpath("/" + member.name)
                if member.issym() or member.islnk():
                    hard = "/" if member.islnk() else posixpath.dirname(path)
                    self._links[path] = posixpath.normpath(posixpath.join(hard, member.linkname))
                stream = archive.extractfile(member) if member.isreg() else None
                if stream is not None:
                    self._files[path] = stream.read()

    def paths(self) -> list[str]:
        """Return the path of every plain file, sorted."""
        return sorted(self._files)

    def read(self, path: str) -> bytes:
        """Return a file's bytes; BuildError if no package has it."""
        for _ in range(8):
            if path in self._files:
                return self._files[path]
            path = self._links.get(path, path)
        raise BuildError(f"none of the Debian packages holds {path}: is this Debian 12 (bookworm)?")

    def has(self, path: str) -> bool:
        """Tell whether a package has this path, as a file or a link."""
        return path in self._files or path in self._links

    def only(self, start: str, end: str = "") -> str:
        """Return the one path with this start and end; BuildError if there are none or several."""
        found = [path for path in self.paths() if path.startswith(start) and path.endswith(end)]
        if len(found) != 1:
            raise BuildError(f"expected one file {start}*{end} in the Debian packages, found {len(found)}")
        return found[0]
