"""The parts of the tiny image's build, each checked with the program that will read its work."""

from __future__ import annotations

import gzip
import struct
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "packaging" / "tiny"))

import build
import debs
import disk
from tree import EPOCH, Tree

sys.path.pop(0)


def said(*words: str | Path, data: bytes | None = None) -> str:
    done = subprocess.run(words, input=data, capture_output=True, check=True, timeout=30)
    return done.stdout.decode()


@pytest.fixture
def tree() -> Tree:
    made = Tree()
    made.file("/etc/secret", b"s" * 5000, 0o600)
    made.folder("/root", 0o700)
    made.link("/bin/sh", "/bin/busybox")
    return made


WGET = """#!/bin/sh
echo "$(($(cat {folder}/uptime) + 1)) 0" >{folder}/uptime
case $4 in
*/instance-id) echo i-1 >"$3" ;;
*/user-data) {answer} ;;
*) echo "wget: server returned error: HTTP/1.1 404 Not Found" >&2; exit 1 ;;
esac
"""


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ('echo "wget: server returned error: HTTP/1.1 404 Not Found" >&2; exit 1', "no user data"),
        (
            'echo "wget: server returned error: HTTP/1.1 503 Slow Down" >&2; exit 1',
            "user data not fetched: no answer from http://169.254.169.254/latest after 7 tries: "
            "wget: server returned error: HTTP/1.1 503 Slow Down",
        ),
        (
            "exit 143",
            "user data not fetched: no answer from http://169.254.169.254/latest after 7 tries: it was silent",
        ),
    ],
    ids=["404", "503", "silence"],
)
def test_a_guest_tells_a_service_without_user_data_from_one_that_does_not_answer(
    tmp_path: Path, answer: str, wanted: str
) -> None:
    """The client itself, with a clock that goes on by a second a try."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/say").write_text('say() { echo "$*"; }\n')
    (tmp_path / "lib/keys").write_text("")
    (tmp_path / "uptime").write_text("0 0\n")
    made = {
        "bin/wget": WGET.format(folder=tmp_path, answer=answer).replace("$(cat ", "$(cut -d' ' -f1 "),
        "bin/sleep": "#!/bin/sh\n",
        "bin/timeout": '#!/bin/sh\nshift\nexec "$@"\n',
        "lib/sshd": "#!/bin/sh\n",
    }
    for name, text in made.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    client = (build.GUEST / "root/usr/lib/zstui/metadata").read_text()
    places = {
        "/usr/lib/zstui": "lib", "/run/zstui": "run", "/var/lib/zstui-tiny": "var", "/proc/uptime": "uptime",
        "/etc/dropbear": "dropbear",
    }  # fmt: skip
    for place, here in places.items():
        client = client.replace(place, str(tmp_path / here))
    printed = said("env", f"PATH={programs}:/usr/bin:/bin", "sh", "-s", data=client.encode())
    assert printed.splitlines() == ["instance i-1", wanted, "ready"]


def test_the_initramfs_holds_every_node_with_its_rights(tree: Tree) -> None:
    listed = said("cpio", "--quiet", "-tvn", data=gzip.decompress(tree.cpio())).splitlines()
    facts = {line.split()[8]: (line.split()[0], line.split()[2], line.split()[4]) for line in listed}
    assert facts["etc"][0] == "drwxr-xr-x"
    assert facts["etc/secret"] == ("-rw-------", "0", "5000")
    assert facts["root"][0] == "drwx------"
    assert facts["bin/sh"][0] == "lrwxrwxrwx"
    assert tree.cpio() == tree.cpio()


def test_the_file_system_holds_every_node_and_belongs_to_root(tree: Tree, tmp_path: Path) -> None:
    tree.ext4(tmp_path / "root", 16 << 20)
    secret = said("debugfs", "-R", "stat /etc/secret", tmp_path / "root")
    assert "Type: regular    Mode:  0600" in secret
    assert "User:     0   Group:     0" in secret
    assert f"mtime: 0x{EPOCH:x}" in secret
    assert "Mode:  0700" in said("debugfs", "-R", "stat /root", tmp_path / "root")
    assert 'Fast link dest: "/bin/busybox"' in said("debugfs", "-R", "stat /bin/sh", tmp_path / "root")
    first = (tmp_path / "root").read_bytes()
    tree.ext4(tmp_path / "root", 16 << 20)
    assert (tmp_path / "root").read_bytes() == first


def test_a_file_system_too_small_is_an_error(tree: Tree, tmp_path: Path) -> None:
    tree.file("/big", bytes(range(256)) * 4096 * 10)
    with pytest.raises(debs.BuildError, match="was not written into"):
        tree.ext4(tmp_path / "root", 8 << 20)


def test_the_partition_table_has_an_active_boot_and_a_last_root_partition(tmp_path: Path) -> None:
    sector = disk.partition_table(b"\x90" * 440)
    assert len(sector) == 512
    entries = [struct.unpack_from("<B3xB3xII", sector, 446 + 16 * n) for n in range(4)]
    assert entries[0] == (0x80, 0x0E, 2048, disk.BOOT_SIZE // 512)
    status, kind, start, size = entries[1]
    assert (status, kind) == (0, 0x83)
    assert (start + size) * 512 == disk.DISK_SIZE
    assert entries[2:] == [(0, 0, 0, 0)] * 2
    # The guest's first program writes the length of the second entry at this place.
    assert struct.unpack_from("<I", sector, 474) == (size,)
    early = (build.GUEST / "initramfs" / "init").read_text()
    assert "seek=474 " in early


class FakeContents(debs.Contents):
    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__([])
        self._files = files


def test_modules_come_after_those_they_need() -> None:
    contents = FakeContents(
        {
            "/m/a.ko": b"\0depends=b-x,c\0",
            "/m/b-x.ko": b"\0depends=c\0",
            "/m/c.ko": b"\0depends=\0",
        }
    )
    paths = {"a": "/m/a.ko", "b_x": "/m/b-x.ko", "c": "/m/c.ko"}
    assert build.load_order(("c", "a"), paths, contents) == ["c", "b_x", "a"]
    with pytest.raises(debs.BuildError, match="no module 'd'"):
        build.load_order(("d",), paths, contents)


def test_a_damaged_download_is_refused(tmp_path: Path) -> None:
    package = debs.Package("x", "1:2", "amd64", "0" * 64)
    (tmp_path / "x_1%3a2_amd64.deb").write_bytes(b"not the package")
    with pytest.raises(debs.BuildError, match="delete it"):
        debs.fetch(package, tmp_path)
