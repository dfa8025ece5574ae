"""KVM or TCG: decided by starting a real kernel, since a /dev/kvm that opens proves nothing."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import msgspec

from agent.facts import boot_id
from agent.paths import Paths
from agent.protocol import Accelerator, ProbeAccelerator, ProbedAccelerator
from agent.run import clean_environment
from agent.version import frozen_folder

TRIAL_SECONDS = 5.0
KERNEL_SAYS = b"Linux version"
FORCED = "forced"


class _Remembered(msgspec.Struct, frozen=True):
    boot_id: str
    found: ProbedAccelerator


class AcceleratorProbe:
    """Tries KVM once per boot of the host and remembers what it found."""

    def __init__(self, paths: Paths, device: Path = Path("/dev/kvm"), kernel: Path | None = None) -> None:
        self._path = paths.state / "accelerator.json"
        self._device = device
        self._kernel = kernel or _kernel()
        self._lock = asyncio.Lock()

    def known(self) -> Accelerator | None:
        """What was found since the host booted; None when nothing was tried."""
        remembered = self._remembered()
        return remembered.accelerator if remembered else None

    async def probe(self, request: ProbeAccelerator) -> ProbedAccelerator:
        """Decide, by trial unless forced or found before."""
        async with self._lock:
            found: ProbedAccelerator | None
            if request.forced is not None:
                found = ProbedAccelerator(accelerator=request.forced, reason=FORCED)
            else:
                # Forcing holds until somebody asks for a trial.
                found = self._remembered()
                if found is None or found.reason == FORCED:
                    found = await self._try()
            self._remember(found)
            return found

    def _remembered(self) -> ProbedAccelerator | None:
        try:
            remembered = msgspec.json.decode(self._path.read_bytes(), type=_Remembered)
        except (FileNotFoundError, ValueError):
            return None
        return remembered.found if remembered.boot_id == boot_id() else None

    def _remember(self, found: ProbedAccelerator) -> None:
        part = self._path.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(_Remembered(boot_id(), found)))
        part.replace(self._path)

    async def _try(self) -> ProbedAccelerator:
        if not self._device.exists():
            return _tcg(f"{self._device} is not there")
        if self._kernel is None or not self._kernel.is_file():
            return _tcg("there is no kernel beside the agent to try KVM with; force kvm if you know it works")
        try:
            said = await _boot(self._kernel)
        except FileNotFoundError:
            return _tcg("qemu-system-x86_64 is not installed")
        for line in said.splitlines():
            if KERNEL_SAYS in line:
                return ProbedAccelerator(
                    accelerator="kvm", reason=line.decode(errors="replace").strip()[:200]
                )
        last = said.strip().splitlines()[-1:] or [b"the guest said nothing"]
        return _tcg(f"a guest under KVM did not boot within {TRIAL_SECONDS:g} s: {_shown(last[0])}")


async def _boot(kernel: Path) -> bytes:
    """What a kernel prints under KVM until it says its name, ends, or its time is over."""
    process = await asyncio.create_subprocess_exec(
        # Were the agent killed now, `timeout` would still end the guest.
        *("timeout", "--signal=KILL", f"{TRIAL_SECONDS + 2:g}"),
        *(
            "qemu-system-x86_64",
            "-accel",
            "kvm",
            "-machine",
            "pc",
            "-m",
            "128",
            "-nodefaults",
            "-no-user-config",
        ),
        *("-no-reboot", "-display", "none", "-serial", "stdio", "-kernel", str(kernel)),
        *("-append", "console=ttyS0 earlyprintk=ttyS0 panic=-1"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=clean_environment(),
        start_new_session=True,
    )
    said = b""
    try:
        async with asyncio.timeout(TRIAL_SECONDS):
            while process.stdout is not None and (chunk := await process.stdout.read(4096)):
                said += chunk
                if KERNEL_SAYS in said and b"\n" in said.split(KERNEL_SAYS)[1]:
                    break
    except TimeoutError:
        return said
    finally:
        _kill_group(process.pid)
        await process.wait()
    return said


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _kernel() -> Path | None:
    named = os.environ.get("ZSTUI_AGENT_KERNEL")
    if named:
        return Path(named)
    folder = frozen_folder()
    return folder / "vmlinuz" if folder else None


def _tcg(reason: str) -> ProbedAccelerator:
    return ProbedAccelerator(accelerator="tcg", reason=reason)


def _shown(line: bytes) -> str:
    return "".join(c for c in line.decode(errors="replace") if c.isprintable())[:200]
