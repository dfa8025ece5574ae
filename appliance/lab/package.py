"""The Debian packages that a lab needs, and their installation where one is missing."""

import shutil
from collections.abc import Callable
from pathlib import Path

from appliance.lab.command import ENVIRONMENT, LabError, run

_DRIVERS = "/usr/lib/x86_64-linux-gnu/libvirt/connection-driver"

# Each package with a file or command by which it is recognised.
PACKAGES = {
    "dnsmasq-base": "dnsmasq",
    "ethtool": "ethtool",
    "ipxe-qemu": "/usr/lib/ipxe/qemu/efi-virtio.rom",
    "iproute2": "ip",
    "iputils-ping": "ping",
    "libvirt-clients": "virsh",
    "libvirt-daemon": "virtlogd",
    "libvirt-daemon-driver-qemu": f"{_DRIVERS}/libvirt_driver_qemu.so",
    "libvirt-daemon-system": "/etc/libvirt/qemu.conf",
    "nftables": "nft",
    "openssh-client": "ssh-keygen",
    "openssh-server": "sshd",
    "openssl": "openssl",
    "procps": "sysctl",
    "qemu-system-x86": "qemu-system-x86_64",
    "qemu-utils": "qemu-img",
    "sudo": "sudo",
}


def missing() -> list[str]:
    """The packages that are not on this machine."""
    return [package for package, sign in PACKAGES.items() if not _present(sign)]


async def install(progress: Callable[[str], None]) -> None:
    """Install what is missing with apt-get; LabError says what could not be had."""
    wanted = missing()
    if not wanted:
        return
    progress(f"installing {', '.join(wanted)}")
    if shutil.which("apt-get") is None:
        raise LabError(f"no apt-get here: install what the lab needs by hand, {', '.join(wanted)}")
    apt = ["apt-get", "-y", "-o", "DPkg::Lock::Timeout=300"]
    command = [*apt, "--no-install-recommends", "install", *wanted]
    first = await run(command, timeout_seconds=900, check=False)
    if first.returncode != 0:
        await run([*apt, "update"], timeout_seconds=300)
        await run(command, timeout_seconds=900)
    still = missing()
    if still:
        raise LabError(f"apt-get has installed them, yet not found on this machine: {', '.join(still)}")


def _present(sign: str) -> bool:
    if sign.startswith("/"):
        return Path(sign).exists()
    return shutil.which(sign, path=ENVIRONMENT["PATH"]) is not None
