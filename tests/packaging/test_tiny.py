"""The tiny image is small, boots fast under emulation and does what a cloud guest is asked to do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = [sys.executable, str(REPOSITORY / "packaging" / "tiny" / "build.py")]
LIMIT = 22_000_000  # bytes
BOOT_LIMIT = 10.0  # seconds from power-on to the address, under TCG, on a machine that does nothing else
PATIENCE = 60.0  # seconds for what nobody promised a time for
STOPPING = "zstui-tiny: stopping"  # at times behind the prompt that came back before it
METADATA = "169.254.169.254"
GUEST = "10.91.0.5"
MAC = "52:54:00:91:00:05"
SCRIPT = "#!/bin/bash\necho words of the user data\ndate +%s%N >>/root/ran\nexit 3\n"

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def out() -> Path:
    """Return the folder of the image, built if it is not there for these inputs."""
    folder = REPOSITORY / "build" / "tiny"
    done = subprocess.run(
        [*BUILD, "--out", str(folder)], capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stderr
    return folder


def command(*words: str | Path) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


class Guest:
    """A running QEMU: its serial line, its monitor and ssh into it."""

    def __init__(self, lab: Lab, process: asyncio.subprocess.Process) -> None:
        self.lab, self.process, self.started = lab, process, time.monotonic()
        self.text, self._seen = "", 0
        self._news = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while data := await self.process.stdout.read(4096):
            self.text += data.decode(errors="replace")
            self._news.set()
        self._news.set()

    async def expect(self, pattern: str, limit: float) -> re.Match[str]:
        """Wait for a pattern in what the serial line says from here on; return its match."""
        try:
            async with asyncio.timeout(limit):
                while True:
                    self._news.clear()
                    if found := re.compile(pattern, re.MULTILINE).search(self.text, self._seen):
                        self._seen = found.end()
                        return found
                    assert not self._reader.done(), f"the guest ended before {pattern!r}:\n{self.text}"
                    await self._news.wait()
        except TimeoutError:
            pytest.fail(f"no {pattern!r} within {limit} s on the serial line:\n{self.text}")

    async def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        await self.process.stdin.drain()

    async def ssh(self, line: str, key: Path | None = None, limit: float = 20) -> tuple[int, str]:
        """Run a line in the guest; return its exit code and all its words."""
        words = [
            "ip",
            "netns",
            "exec",
            self.lab.namespace,
            "ssh",
            "-F",
            "/dev/null",
            "-i",
            str(key or self.lab.key),
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "BatchMode=yes",
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "LogLevel=ERROR",
            "-o",
            "ConnectTimeout=10",
            f"root@{GUEST}",
            line,
        ]
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(limit):
                said, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        assert process.returncode is not None
        return process.returncode, said.decode()

    async def press_power_button(self) -> None:
        reader, writer = await asyncio.wait_for(asyncio.open_unix_connection(str(self.lab.monitor)), 5)
        await asyncio.wait_for(reader.readline(), 5)
        for request in ("qmp_capabilities", "system_powerdown"):
            writer.write(json.dumps({"execute": request}).encode())
            answer = b""
            while b'"return"' not in answer:
                answer = await asyncio.wait_for(reader.readline(), 5)
                assert b'"error"' not in answer
                assert answer, "QEMU closed its monitor"
        writer.close()
        await writer.wait_closed()

    async def ended(self, limit: float) -> int:
        """Wait for the end of QEMU; return its exit code."""
        return await asyncio.wait_for(self.process.wait(), limit)

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        await self._reader


class Lab:
    """A network of its own with DHCP and a metadata service, into which guests are booted."""

    def __init__(self, folder: Path, image: Path) -> None:
        self.folder, self.image = folder, image
        self.namespace = f"zstui-tiny{os.getpid()}"
        self.key, self.monitor, self.tree = folder / "key", folder / "qmp", folder / "tree"
        self._servers: list[subprocess.Popen[bytes]] = []

    def open(self) -> None:
        command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key)
        command("ip", "netns", "add", self.namespace)
        inside = ("ip", "-n", self.namespace)
        command(*inside, "link", "set", "dev", "lo", "up")
        command(*inside, "tuntap", "add", "dev", "zstui-tap", "mode", "tap")
        command(*inside, "address", "add", "10.91.0.1/24", "dev", "zstui-tap")
        command(*inside, "address", "add", f"{METADATA}/32", "dev", "zstui-tap")
        command(*inside, "link", "set", "dev", "zstui-tap", "up")
        self._serve(
            "dnsmasq",
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--port=0",
            "--pid-file=",
            "--log-facility=-",
            "--bind-interfaces",
            "--interface=zstui-tap",
            "--dhcp-authoritative",
            f"--dhcp-leasefile={self.folder / 'leases'}",
            "--dhcp-range=10.91.0.0,static,255.255.255.0,10m",
            f"--dhcp-host={MAC},{GUEST},dhcp-name",
            "--dhcp-option=3,10.91.0.9",
            "--dhcp-option=6,10.91.0.1",
            "--dhcp-option=15,lab.test",
            "--dhcp-option=26,1380",
            f"--dhcp-option=121,{METADATA}/32,10.91.0.1,0.0.0.0/0,10.91.0.1",
        )
        self.tree.mkdir()
        self._serve(
            sys.executable, "-m", "http.server", "--bind", METADATA, "--directory", str(self.tree), "80"
        )

    def _serve(self, *words: str) -> None:
        log = (self.folder / f"{Path(words[0]).name}.log").open("wb")
        with log:
            self._servers.append(
                subprocess.Popen(
                    ["ip", "netns", "exec", self.namespace, *words],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )

    def close(self) -> None:
        for server in self._servers:
            server.terminate()
            server.wait(10)
        subprocess.run(["ip", "netns", "del", self.namespace], capture_output=True, check=False, timeout=20)

    def log(self, program: str) -> str:
        return (self.folder / f"{program}.log").read_text()

    def publish(self, **leaves: str) -> None:
        """Serve these: instance_id, local_hostname, key, user_data; what is not given is not there."""
        places = {
            "instance_id": "meta-data/instance-id",
            "local_hostname": "meta-data/local-hostname",
            "key": "meta-data/public-keys/0/openssh-key",
            "user_data": "user-data",
        }
        for name, text in leaves.items():
            path = self.tree / "latest" / places[name]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if "key" in leaves:
            (self.tree / "latest/meta-data/public-keys/index.html").write_text("0=lab")

    @contextlib.asynccontextmanager
    async def boot(self, machine: str) -> AsyncIterator[Guest]:
        disk = self.folder / "disk.qcow2"
        command("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", self.image, disk, "1G")
        process = await asyncio.create_subprocess_exec(
            "ip",
            "netns",
            "exec",
            self.namespace,
            "qemu-system-x86_64",
            "-machine",
            f"{machine},accel=tcg",
            "-m",
            "192",
            "-nodefaults",
            "-display",
            "none",
            "-serial",
            "stdio",
            "-vga",
            "std",
            "-drive",
            f"file={disk},if=virtio,format=qcow2",
            "-netdev",
            "tap,id=net,ifname=zstui-tap,script=no,downscript=no",
            "-device",
            f"virtio-net-pci,netdev=net,mac={MAC}",
            "-qmp",
            f"unix:{self.monitor},server=on,wait=off",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        guest = Guest(self, process)
        try:
            yield guest
        finally:
            await guest.kill()


@pytest.fixture
def lab(out: Path, tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path, out / "zstui-tiny.qcow2")
    try:
        made.open()
        yield made
    finally:
        made.close()


def test_the_image_is_small_and_comes_with_its_kernel(out: Path) -> None:
    assert (out / "zstui-tiny.qcow2").stat().st_size <= LIMIT
    facts = json.loads(command("qemu-img", "info", "--output=json", out / "zstui-tiny.qcow2"))
    assert facts["format"] == "qcow2"
    assert "backing-filename" not in facts
    assert (out / "vmlinuz").read_bytes()[0x202:0x206] == b"HdrS"
    assert re.search(r"^linux-image-\S+-cloud-amd64 6\.", (out / "VERSION").read_text(), re.MULTILINE)


def test_a_second_build_does_nothing(out: Path) -> None:
    before = (out / "zstui-tiny.qcow2").stat().st_mtime_ns
    assert "up to date" in command(*BUILD, "--out", out)
    assert (out / "zstui-tiny.qcow2").stat().st_mtime_ns == before


@pytest.mark.alone
async def test_a_guest_takes_its_address_name_key_and_script(lab: Lab) -> None:
    lab.publish(
        instance_id="i-91",
        local_hostname="web-1",
        key=lab.key.with_suffix(".pub").read_text(),
        user_data=SCRIPT,
    )
    async with lab.boot("pc") as guest:
        await guest.expect("Linux version 6", BOOT_LIMIT)
        await guest.expect(rf"^zstui-tiny: address {GUEST}/24 on eth0\r?$", BOOT_LIMIT)
        took = time.monotonic() - guest.started
        assert took < BOOT_LIMIT
        await guest.expect(r"^zstui-tiny: hostname web-1\r?$", PATIENCE)
        await guest.expect(r"^words of the user data\r?$", PATIENCE)
        await guest.expect(r"^zstui-tiny: user data ran, exit 3\r?$", PATIENCE)
        await guest.expect(r"^zstui-tiny: ready\r?$", PATIENCE)
        await check_the_lease(guest)
        await check_the_serial_console(guest)
        await check_a_reboot_keeps_what_was_written(guest)
        await guest.press_power_button()
        await guest.expect(STOPPING, PATIENCE)
        await guest.expect("reboot: Power down", PATIENCE)
        assert await guest.ended(PATIENCE) == 0


async def check_the_lease(guest: Guest) -> None:
    code, said = await guest.ssh(
        "hostname; cat /sys/class/net/eth0/mtu /etc/resolv.conf; ip route; df -k / | tail -1"
    )
    assert code == 0, said
    assert said.startswith("web-1\n1380\nsearch lab.test\nnameserver 10.91.0.1\n")
    assert "default via 10.91.0.1 " in said
    assert "10.91.0.9" not in said, "option 121 overrides option 3"
    assert f"{METADATA} via 10.91.0.1 " in said
    assert int(said.splitlines()[-1].split()[1]) > 900_000, "the root file system has grown with its disk"
    requests = guest.lab.log("dnsmasq").count("DHCPREQUEST")
    code, said = await guest.ssh("kill -USR1 $(cat /run/udhcpc.eth0.pid) && usleep 500000 && ip address")
    assert code == 0, said
    assert f"inet {GUEST}/24" in said
    assert guest.lab.log("dnsmasq").count("DHCPREQUEST") > requests, "the lease was renewed"
    assert await guest.ssh("hostname") == (0, "web-1\n"), "a renewed lease leaves the metadata's name"


async def check_the_serial_console(guest: Guest) -> None:
    await guest.expect("web-1 login: ", PATIENCE)
    await guest.type("root")
    await guest.expect("# ", PATIENCE)
    await guest.type("echo $((6 * 7)) by $(whoami)")
    await guest.expect(r"^42 by root\r?$", PATIENCE)
    stranger = guest.lab.folder / "stranger"
    command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stranger)
    code, said = await guest.ssh("true", key=stranger)
    assert code == 255
    assert "Permission denied (publickey)" in said


async def check_a_reboot_keeps_what_was_written(guest: Guest) -> None:
    code, before = await guest.ssh("cat /root/ran; md5sum /etc/dropbear/*; reboot")
    assert code in {0, 255}, before
    await guest.expect(STOPPING, PATIENCE)
    await guest.expect("Linux version 6", PATIENCE)
    await guest.expect(r"^zstui-tiny: user data ran at an earlier boot of i-91\r?$", PATIENCE)
    await guest.expect(r"^zstui-tiny: ready\r?$", PATIENCE)
    code, after = await guest.ssh("cat /root/ran; md5sum /etc/dropbear/*")
    assert code == 0, after
    assert len(before.splitlines()) == 2, "the script ran once, there is one host key"
    assert after == before


async def test_a_cloud_config_gives_its_keys_on_q35(lab: Lab) -> None:
    public = lab.key.with_suffix(".pub").read_text().strip()
    lab.publish(
        instance_id="i-92",
        user_data=f"#cloud-config\npackages:\n  - x\nssh_authorized_keys:\n"
        f'  - "{public}"\nruncmd:\n  - touch /root/no\n',
    )
    async with lab.boot("q35") as guest:
        await guest.expect(rf"^zstui-tiny: address {GUEST}/24 on eth0\r?$", PATIENCE)
        await guest.expect(r"^zstui-tiny: hostname dhcp-name\r?$", PATIENCE)
        await guest.expect(r"^zstui-tiny: user data is a cloud-config", PATIENCE)
        await guest.expect(r"^zstui-tiny: ready\r?$", PATIENCE)
        assert await guest.ssh("cat /root/.ssh/authorized_keys; ls /root") == (0, public + "\n")
        await guest.press_power_button()
        await guest.expect(STOPPING, PATIENCE)
        assert await guest.ended(PATIENCE) == 0


async def test_a_guest_without_metadata_still_opens_its_console(lab: Lab) -> None:
    async with lab.boot("pc") as guest:
        await guest.expect(r"^zstui-tiny: no metadata at http://169.254.169.254/latest: .*404", PATIENCE)
        await guest.expect(r"^zstui-tiny: ready\r?$", PATIENCE)
        await guest.expect("dhcp-name login: ", PATIENCE)
        await guest.type("root")
        await guest.expect("# ", PATIENCE)
        await guest.type("poweroff")
        await guest.expect(STOPPING, PATIENCE)
        assert await guest.ended(PATIENCE) == 0
