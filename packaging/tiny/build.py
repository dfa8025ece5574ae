"""Make the tiny image of a guest from Debian packages: python packaging/tiny/build.py --out DIR.

DIR then holds zstui-tiny.qcow2 (at most 22 MB), zstui-tiny.iso (its installer), vmlinuz (its kernel alone)
and VERSION (what they were made of). Nothing is done if they are there already for the same inputs.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import disk
import iso
from debs import BuildError, Contents, Package, fetch, resolve, run
from tree import Tree

# What the build itself runs; also printed by --system-packages, so that this is the only list of it.
SYSTEM_PACKAGES = {
    "apt": "apt-get",
    "dpkg": "dpkg-deb",
    "e2fsprogs": "debugfs",
    "mtools": "mcopy",
    "qemu-utils": "qemu-img",
    "syslinux": "syslinux",
    "xorriso": "xorriso",
}

LIMIT = 22_000_000  # bytes of the image
IMAGE = "zstui-tiny.qcow2"
INSTALLER = "zstui-tiny.iso"
HERE = Path(__file__).resolve().parent
GUEST = HERE / "guest"
DEFAULT_CACHE = HERE.parent.parent / "build" / "tiny" / "debs"

# loglevel=6 keeps the kernel's banner and warnings on the serial console and drops its chatter, which
# costs a second where every character is emulated. The rest spares a guest without hardware
# virtualization work that protects nothing there.
COMMAND_LINE = (
    "console=tty0 console=ttyS0,115200 loglevel=6 panic=10 rcupdate.rcu_expedited=1 "
    "mitigations=off no_timer_check tsc=reliable random.trust_cpu=on memhp_default_state=online"
)

EARLY_MODULES = ("virtio_pci", "virtio_blk")  # in the initramfs: they reach the root partition
SCSI_MODULES = ("virtio_scsi", "sd_mod")  # in the initramfs, loaded if there is no virtio-blk disk
CDROM_MODULES = ("ata_piix", "sr_mod", "isofs")  # loaded by who wants the drive
LATE_MODULES = ("virtio_net", "button", "virtio_balloon", "virtio_rng", "virtio_console")
EARLY_APPLETS = ("sh", "mount", "insmod", "switch_root", "sleep", "dd", "blockdev")
INSTALLER_APPLETS = (*EARLY_APPLETS, "gunzip", "sync", "reboot")

LIBRARIES = (
    "libc.so.6",
    "libcrypt.so.1",
    "libtomcrypt.so.1",
    "libtommath.so.1",
    "libz.so.1",
    "libgmp.so.10",
    "libe2p.so.2",
    "libext2fs.so.2",
    "libcom_err.so.2",
    "libblkid.so.1",
    "libuuid.so.1",
)
LIBRARY_FOLDERS = ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu")
LOADER = "/lib64/ld-linux-x86-64.so.2"
PROGRAMS = ("/usr/sbin/dropbear", "/usr/bin/dropbearkey", "/usr/sbin/acpid", "/sbin/resize2fs")


def _module_paths(contents: Contents) -> dict[str, str]:
    """Return the path of every kernel module by the name the kernel gives it."""
    found = [path for path in contents.paths() if path.endswith(".ko")]
    return {Path(path).stem.replace("-", "_"): path for path in found}


def load_order(wanted: tuple[str, ...], paths: dict[str, str], contents: Contents) -> list[str]:
    """Return the modules to load for the wanted ones, each after those it depends on."""
    order: list[str] = []
    for name in wanted:
        if name not in paths:
            raise BuildError(f"the kernel package has no module '{name}'")
        stated = re.search(rb"\0depends=([^\0]*)\0", contents.read(paths[name]))
        needs = stated.group(1).decode().replace("-", "_") if stated else ""
        below = load_order(tuple(n for n in needs.split(",") if n), paths, contents)
        order += [module for module in (*below, name) if module not in order]
    return order


def _add_modules(tree: Tree, contents: Contents, lists: dict[str, list[str]]) -> None:
    """Add modules and, for every list, the file /lib/modules/LIST which names them in load order."""
    paths = _module_paths(contents)
    for title, names in lists.items():
        for name in names:
            tree.file(f"/lib/modules/{name}.ko", contents.read(paths[name]))
        tree.file(f"/lib/modules/{title}", "".join(f"{name}\n" for name in names).encode())


def _overlay(tree: Tree, source: Path) -> None:
    """Add the guest's own files; those that start with #! can be run."""
    for path in sorted(source.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            rights = 0o755 if data.startswith(b"#!") else 0o600 if path.name == "shadow" else 0o644
            tree.file("/" + path.relative_to(source).as_posix(), data, rights)


def _lists(contents: Contents, **wanted: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the lists of modules by title, each without what those before it load."""
    paths = _module_paths(contents)
    lists: dict[str, list[str]] = {}
    for title, names in wanted.items():
        there = [name for names in lists.values() for name in names]
        lists[title] = [name for name in load_order(names, paths, contents) if name not in there]
    return lists


def _early(contents: Contents, own: str, applets: tuple[str, ...], lists: dict[str, list[str]]) -> Tree:
    """Return an initramfs: busybox, modules, and the guest's own files."""
    tree = Tree()
    for folder in ("/dev", "/proc", "/sys", "/root", "/mnt"):
        tree.folder(folder)
    tree.file("/bin/busybox", contents.read("/bin/busybox"), 0o755)
    for applet in applets:
        tree.link(f"/bin/{applet}", "busybox")
    _add_modules(tree, contents, lists)
    _overlay(tree, GUEST / "shared")
    _overlay(tree, GUEST / own)
    return tree


def initramfs(contents: Contents) -> Tree:
    """Return the tree which loads the disk's driver, grows and mounts the root partition and goes there."""
    lists = _lists(contents, early=EARLY_MODULES, scsi=SCSI_MODULES)
    return _early(contents, "initramfs", EARLY_APPLETS, lists)


def installer(contents: Contents) -> Tree:
    """Return the tree which copies the packed disk from the CD-ROM to the first disk."""
    lists = _lists(contents, early=EARLY_MODULES, cdrom=CDROM_MODULES, scsi=SCSI_MODULES)
    return _early(contents, "installer", INSTALLER_APPLETS, lists)


def _applets(contents: Contents, scratch: Path) -> list[str]:
    """Return the absolute paths under which this busybox wants to be found."""
    program = scratch / "busybox"
    program.write_bytes(contents.read("/bin/busybox"))
    program.chmod(0o755)
    return [f"/{line}" for line in run([program, "--list-full"]).split()]


def root(contents: Contents, scratch: Path) -> Tree:
    """Return the tree of the root partition."""
    tree = Tree()
    for folder in (
        "/dev",
        "/proc",
        "/sys",
        "/run",
        "/tmp",
        "/mnt",
        "/home",
        "/var/log",
        "/var/lib/zstui-tiny",
    ):
        tree.folder(folder)
    tree.folder("/root", 0o700)
    tree.folder("/root/.ssh", 0o700)
    tree.folder("/etc/dropbear", 0o700)
    for applet in _applets(contents, scratch):
        tree.link(applet, "/bin/busybox")
    tree.link("/var/run", "/run")
    tree.nodes.pop("/sbin/acpid", None)  # Debian's acpid hears the button without an input device
    tree.file("/bin/busybox", contents.read("/bin/busybox"), 0o755)
    for program in PROGRAMS:
        tree.file(program, contents.read(program), 0o755)
    for library in LIBRARIES:
        where = next((f for f in LIBRARY_FOLDERS if contents.has(f"{f}/{library}")), LIBRARY_FOLDERS[0])
        tree.file(f"{LIBRARY_FOLDERS[0]}/{library}", contents.read(f"{where}/{library}"), 0o755)
    tree.file(LOADER, contents.read(LOADER), 0o755)
    lists = _lists(contents, early=EARLY_MODULES, late=LATE_MODULES, cdrom=CDROM_MODULES)
    del lists["early"]  # which the initramfs has loaded
    _add_modules(tree, contents, lists)
    _overlay(tree, GUEST / "shared")
    _overlay(tree, GUEST / "root")
    return tree


def check_linking(tree: Tree, scratch: Path) -> None:
    """Raise BuildError if a program of the tree needs a library which the tree does not hold."""
    for library in (LOADER, *PROGRAMS, *(f"{LIBRARY_FOLDERS[0]}/{name}" for name in LIBRARIES)):
        (scratch / Path(library).name).write_bytes(tree.nodes[library].data)
    loader = scratch / Path(LOADER).name
    loader.chmod(0o755)
    for program in PROGRAMS:
        path = scratch / Path(program).name
        listed = run([loader, "--inhibit-cache", "--library-path", scratch, "--list", path])
        strange = [
            line.strip() for line in listed.splitlines() if "=>" in line and f"=> {scratch}" not in line
        ]
        if strange:
            raise BuildError(f"{program} would not run in the tiny image: {'; '.join(strange)}")


def make(packages: list[Package], cache: Path, out: Path, version: str) -> None:
    """Write the output files; VERSION comes last, so that it vouches for the others."""
    contents = Contents(fetch(package, cache) for package in packages)
    kernel = contents.read(contents.only("/boot/vmlinuz-"))
    out.mkdir(parents=True, exist_ok=True)
    (out / "VERSION").unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        scratch = Path(folder)
        raw, part = scratch / "disk", scratch / "root"
        tree = root(contents, scratch)
        check_linking(tree, scratch)
        tree.ext4(part, disk.ROOT_SIZE)
        with raw.open("wb") as file:
            file.write(disk.partition_table(contents.read("/usr/lib/syslinux/mbr/mbr.bin")))
            file.truncate(disk.DISK_SIZE)
        menu = disk.MENU.format(command_line=COMMAND_LINE).encode()
        boot = {"vmlinuz": kernel, "initrd.gz": initramfs(contents).cpio(), "syslinux.cfg": menu}
        disk.write_boot_partition(raw, boot, scratch)
        disk.splice(raw, part, disk.ROOT_START)
        disk.to_qcow2(raw, out / IMAGE)
        menu = iso.MENU.format(command_line=COMMAND_LINE).encode()
        boot = {"vmlinuz": kernel, "initrd.gz": installer(contents).cpio(), "isolinux.cfg": menu}
        iso.write_iso(contents, boot, raw, out / INSTALLER, scratch)
    (out / "vmlinuz").write_bytes(kernel)
    size = (out / IMAGE).stat().st_size
    if size > LIMIT:
        raise BuildError(f"{out / IMAGE} has {size} bytes, more than the {LIMIT} it may have")
    (out / "VERSION").write_text(version)


def describe(packages: list[Package]) -> str:
    """Return the text of VERSION: a digest of the recipe, then every package with its version and digest."""
    recipe = hashlib.sha256()
    for path in sorted([*HERE.glob("*.py"), *(p for p in GUEST.rglob("*") if p.is_file())]):
        recipe.update(path.relative_to(HERE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    lines = [f"{p.name} {p.version} {p.sha256}" for p in sorted(packages)]
    return "\n".join([f"zstui-tiny {recipe.hexdigest()}", *lines, ""])


def build(out: Path, cache: Path = DEFAULT_CACHE) -> bool:
    """Make the image in the folder out unless it is there for the same inputs; True if it was made now."""
    missing = [package for package, command in SYSTEM_PACKAGES.items() if shutil.which(command) is None]
    if missing:
        raise BuildError(f"the build needs more programs: apt-get install {' '.join(missing)}")
    packages = resolve()
    version = describe(packages)
    done = out / "VERSION"
    whole = all((out / name).exists() for name in (IMAGE, INSTALLER, "vmlinuz"))
    if whole and done.exists() and done.read_text() == version:
        return False
    make(packages, cache, out, version)
    return True


def main() -> int:
    """Read the command line, build, and say what came out; the exit code is 1 if it could not be built."""
    parser = argparse.ArgumentParser(description="Make the tiny image of a guest from Debian packages.")
    parser.add_argument("--out", type=Path, help="folder for what is made")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder for downloaded packages")
    parser.add_argument("--system-packages", action="store_true", help="print what the build needs, and stop")
    options = parser.parse_args()
    if options.system_packages:
        print(*SYSTEM_PACKAGES)
        return 0
    if options.out is None:
        parser.error("--out DIR is needed")
    try:
        made = build(options.out.resolve(), options.cache.resolve())
    except (BuildError, subprocess.SubprocessError, OSError) as error:
        print(f"the tiny image was not built: {error}", file=sys.stderr)
        return 1
    size = (options.out / IMAGE).stat().st_size
    print(f"{options.out / IMAGE}: {size / 1e6:.1f} MB, {'made now' if made else 'up to date'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
