"""What this host is."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

from agent.protocol import PROTOCOL, Accelerator, HostFacts
from agent.run import run
from agent.version import version

_MODEL = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)
_MHZ = re.compile(r"^cpu MHz\s*:\s*([0-9.]+)", re.MULTILINE)
_QEMU = re.compile(r"version ([0-9.]+)")
_FLAGS = re.compile(r"^flags\s*:(.*)$", re.MULTILINE)
_MEMORY = re.compile(r"^MemTotal:\s*(\d+) kB", re.MULTILINE)


def host_facts(libvirt: str, qemu: str, qemu_img: str, accelerator: Accelerator | None) -> HostFacts:
    """All facts, given the versions of these; one is empty while it cannot be learned."""
    release = os_release(_read("/etc/os-release"))
    return HostFacts(
        protocol=PROTOCOL,
        agent_version=version(),
        boot_id=boot_id(),
        hostname=socket.gethostname(),
        cpu_num=os.cpu_count() or 1,
        cpu_mhz=cpu_mhz(),
        cpu_model=cpu_model(_read("/proc/cpuinfo")),
        memory_bytes=memory_bytes(_read("/proc/meminfo")),
        distribution=release.get("ID", ""),
        release=release.get("VERSION_ID", ""),
        libvirt_version=libvirt,
        qemu_version=qemu,
        accelerator=accelerator,
        interfaces=[name for _, name in socket.if_nameindex() if name != "lo"],
        codename=release.get("VERSION_CODENAME", ""),
        qemu_img_version=qemu_img,
        hvm=hvm_flag(_read("/proc/cpuinfo")),
    )


async def qemu_version(program: str) -> str:
    """The version of one of QEMU's programs. Raises `Refused` when it is not installed."""
    printed = await run(program, "--version", timeout_seconds=5.0)
    found = _QEMU.search(printed)
    return found.group(1) if found else ""


def boot_id() -> str:
    """A name for this boot of the host."""
    return _read("/proc/sys/kernel/random/boot_id").strip()


def cpu_mhz() -> int:
    """The rated speed of the processor; what it runs at now where the kernel does not tell."""
    rated = _read("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq").strip()
    if rated.isdecimal():
        return int(rated) // 1000
    found = _MHZ.search(_read("/proc/cpuinfo"))
    return round(float(found.group(1))) if found else 0


def memory_bytes(meminfo: str) -> int:
    """The memory of a host, from the text of /proc/meminfo."""
    found = _MEMORY.search(meminfo)
    return int(found.group(1)) * 1024 if found else 0


def cpu_model(cpuinfo: str) -> str:
    """The first CPU's name in the text of /proc/cpuinfo; empty where it has none."""
    found = _MODEL.search(cpuinfo)
    return found.group(1).strip() if found else ""


def hvm_flag(cpuinfo: str) -> str:
    """The flag of hardware virtualization in the text of /proc/cpuinfo; empty without one."""
    found = _FLAGS.search(cpuinfo)
    flags = set(found.group(1).split()) if found else set()
    return next((flag for flag in ("vmx", "svm") if flag in flags), "")


def os_release(text: str) -> dict[str, str]:
    """The assignments of an os-release file, without their quotes."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
