"""Debian 12 disks: as the distribution makes them, as the release notes have users change them, and as a server."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

RELEASE = "bookworm"
MIB = 1 << 20
SECTORS = MIB // 512
BOOT_START, BOOT_MIB, ROOT_MIB = 1, 64, 1500
SERVER_MIB = 4000
FAT16_LBA, LINUX, ACTIVE = 0x0E, 0x83, 0x80
LABEL = "debian-root"
# Where every instruction is emulated, guarding the kernel's memory from processes takes much of a boot.
COMMAND_LINE = f"root=LABEL={LABEL} ro console=tty0 console=ttyS0,115200 mitigations=off"

PACKAGES = (
    "linux-image-cloud-amd64",
    "systemd-sysv",
    "systemd-resolved",
    "dbus",
    "cloud-init",
    # It provides what python3-cryptography asks for by another name, which debootstrap does not resolve.
    "python3-cffi-backend",
    "cloud-guest-utils",
    "e2fsprogs",
    "netplan.io",
    "isc-dhcp-client",
    "iproute2",
    "openssh-server",
    "sudo",
    "ca-certificates",
)
PRUNED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "var/cache/apt",
    "var/lib/apt/lists",
)

RELEASE_NOTES_LINES = "datasource_list:\n  - CloudStack\n"
"""What the release notes of 1.0 tell users to add to /etc/cloud/cloud.cfg."""

MENU = f"DEFAULT linux\nPROMPT 0\nLABEL linux\nKERNEL /vmlinuz\nINITRD /initrd\nAPPEND {COMMAND_LINE}\n"
MBR = Path("/usr/lib/syslinux/mbr/mbr.bin")
CACHE = Path(__file__).resolve().parents[2] / "build"


NETWORK = "[Match]\nName=en* eth*\n[Network]\nDHCP=ipv4\n"


@dataclass(frozen=True)
class Server:
    """What boots a Debian server at once: a kernel, its initrd, a disk, and the key that root opens to."""

    vmlinuz: Path
    initrd: Path
    disk: Path
    key: Path


@dataclass(frozen=True)
class Images:
    """Two qcow2 files: the distribution's own, and the one with the lines of the release notes; and a server."""

    untouched: Path
    release_notes: Path
    server: Server


def build() -> Images:
    """All disks, made now unless they are there from before for the same builder; takes minutes then.

    Raises `RuntimeError` with what was said when a step fails. Needs root.
    """
    key = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    folder = CACHE / f"debian-12-{key}"
    server = Server(*(folder / name for name in ("vmlinuz", "initrd", "server.qcow2", "key")))
    images = Images(folder / "untouched.qcow2", folder / "release-notes.qcow2", server)
    with _alone(CACHE / "debian-12.lock"):
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=CACHE, prefix="debian-") as scratch:
                _make(Path(scratch))
                (Path(scratch) / "done").rename(folder)
    return images


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(scratch: Path) -> None:
    done, tree = scratch / "done", scratch / "tree"
    done.mkdir()
    _run("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", RELEASE, tree, mirror())
    _clean(tree)
    boot = {"vmlinuz": done / "vmlinuz", "initrd": done / "initrd", "syslinux.cfg": scratch / "syslinux.cfg"}
    for name, pattern in (("vmlinuz", "vmlinuz-*"), ("initrd", "initrd.img-*")):
        (found,) = (tree / "boot").glob(pattern)
        shutil.copyfile(found, boot[name])
    boot["syslinux.cfg"].write_text(MENU)
    _disk(tree, boot, scratch / "disk", done / "untouched.qcow2")
    with (tree / "etc/cloud/cloud.cfg").open("a") as settings:
        settings.write(RELEASE_NOTES_LINES)
    _disk(tree, boot, scratch / "disk", done / "release-notes.qcow2")
    _as_server(tree, done / "key")
    _file_system(tree, scratch / "server", SERVER_MIB)
    _run("qemu-img", "convert", "-O", "qcow2", scratch / "server", done / "server.qcow2")


def mirror() -> str:
    """The archive that this machine's apt takes the release's packages from."""
    chosen = ("indextargets", "--format", "$(REPO_URI)", f"Codename: {RELEASE}", "Created-By: Packages")
    found = _run("apt-get", *chosen).split()
    if not found:
        raise LookupError(
            f"apt knows no archive of Debian 12 ({RELEASE}); add one to its sources and apt-get update"
        )
    return found[0]


def _clean(tree: Path) -> None:
    """Leave what the distribution's images have: none of this machine's names, and no identity yet."""
    (tree / "etc/hostname").write_text("localhost\n")
    (tree / "etc/machine-id").write_text("")
    # Without it cloud-init generates a language, out of a package that such images do not have.
    (tree / "etc/default/locale").write_text("LANG=C.UTF-8\n")
    (tree / "etc/fstab").write_text(f"LABEL={LABEL} / ext4 defaults 0 1\n")
    resolver = tree / "etc/resolv.conf"
    resolver.unlink(missing_ok=True)
    resolver.symlink_to("/run/systemd/resolve/stub-resolv.conf")
    for path in PRUNED:
        shutil.rmtree(tree / path, ignore_errors=True)
    for key in (tree / "etc/ssh").glob("ssh_host_*"):
        key.unlink()


def _as_server(tree: Path, key: Path) -> None:
    """What its owner would have typed into it: no cloud, an address by DHCP, and a key for root."""
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    _run("ssh-keygen", "-A", "-f", tree)
    (tree / "etc/cloud/cloud-init.disabled").touch()
    (tree / "etc/systemd/network/80-dhcp.network").write_text(NETWORK)
    _run("systemctl", f"--root={tree}", "enable", "systemd-networkd.service")
    authorized = tree / "root/.ssh/authorized_keys"
    authorized.parent.mkdir(mode=0o700, exist_ok=True)
    shutil.copyfile(key.with_suffix(".pub"), authorized)


def _disk(tree: Path, boot: dict[str, Path], disk: Path, out: Path) -> None:
    """Write an MBR, a FAT partition that syslinux boots from, and the tree as ext4 after it."""
    root_start = BOOT_START + BOOT_MIB
    disk.unlink(missing_ok=True)
    with disk.open("wb") as file:
        file.truncate((root_start + ROOT_MIB) * MIB)
        file.write(MBR.read_bytes()[:440].ljust(446, b"\0"))
        file.write(_partition(FAT16_LBA, BOOT_START, BOOT_MIB, ACTIVE))
        file.write(_partition(LINUX, root_start, ROOT_MIB).ljust(48, b"\0") + b"\x55\xaa")
    drive = f"{disk}@@{BOOT_START}M"
    _run(
        "mformat", "-i", drive, "-T", BOOT_MIB * SECTORS, "-h", 16, "-s", 63, "-H", BOOT_START * SECTORS, "::"
    )
    for name, source in boot.items():
        _run("mcopy", "-i", drive, source, f"::{name}")
    _run("syslinux", "--install", "--offset", BOOT_START * MIB, disk)
    _file_system(tree, disk, ROOT_MIB, root_start * MIB)
    _run("qemu-img", "convert", "-c", "-O", "qcow2", "-o", "compression_type=zstd", disk, out)


def _file_system(tree: Path, disk: Path, size: int, offset: int = 0) -> None:
    """Write a tree as ext4 of some MiB into a file, from an offset in bytes on."""
    options = f"offset={offset},lazy_itable_init=0,nodiscard"
    _run("mke2fs", "-q", "-F", "-t", "ext4", "-L", LABEL, "-d", tree, "-E", options, disk, f"{size}M")


def _partition(kind: int, start: int, size: int, status: int = 0) -> bytes:
    """Return one entry of the partition table, of MiB; cylinders are left at their 'too far' mark."""
    far = b"\xfe\xff\xff"
    return struct.pack("<B3sB3sII", status, far, kind, far, start * SECTORS, size * SECTORS)


def _run(*argv: object, text: str | None = None) -> str:
    """What a program printed; its words are in the error if it fails."""
    done = subprocess.run(
        [str(word) for word in argv],
        env={"PATH": os.defpath + ":/usr/sbin:/sbin", "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive",
             "MTOOLS_SKIP_CHECK": "1"},
        input=text, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(
            f"{argv[0]} ended with {done.returncode}: {done.stdout[-1500:]}{done.stderr[-1500:]}"
        )
    return done.stdout
