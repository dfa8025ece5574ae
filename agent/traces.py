"""What libvirt, QEMU and their helpers leave of a domain when libvirt has forgotten it: logs, and saved state."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from agent.serial_log import before_of, last_of
from agent.storage import disk_refused, publish

SERIAL_LOG = "var/log/libvirt/qemu/{name}-serial.log"
PLACES = (
    "var/log/libvirt/qemu/{name}.log",
    SERIAL_LOG,
    "var/log/swtpm/libvirt/qemu/{name}-swtpm.log",
    "var/lib/libvirt/swtpm/{dashed}",
    "var/lib/libvirt/qemu/nvram/{name}_VARS.fd",
    "var/lib/libvirt/qemu/save/{name}.save",
    "var/lib/libvirt/qemu/snapshot/{name}",
    "var/lib/libvirt/qemu/checkpoint/{name}",
    "var/lib/libvirt/qemu/dump/{name}",
    "run/libvirt/qemu/{name}.pid",
    "run/libvirt/qemu/{name}.xml",
    "etc/apparmor.d/libvirt/libvirt-{dashed}",
    "etc/apparmor.d/libvirt/libvirt-{dashed}.files",
)
"""Each is made of the whole uuid of the domain, which is its name as well, so that it is nobody else's."""
ROTATED = ("var/log/libvirt/qemu", "var/log/swtpm/libvirt/qemu")
"""Folders whose files virtlogd and logrotate put aside under longer names: `.0`, `.1.gz`."""


class Traces:
    """The traces of domains below a folder, which is the host's root but in tests."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    def exist(self, vm_uuid: str) -> bool:
        """Whether there are any. Looks at places by name only, however many there are of other domains."""
        return any(place.is_symlink() or place.exists() for place in self._places(vm_uuid))

    def remove(self, vm_uuid: str) -> None:
        """Remove them; where there are none that is fine. Raises `Refused`."""
        for place in [*self._rotated(vm_uuid), *self._places(vm_uuid)]:
            try:
                if place.is_dir() and not place.is_symlink():
                    shutil.rmtree(place)
                else:
                    place.unlink(missing_ok=True)
            except NotADirectoryError:
                continue  # what is no folder has nothing in it
            except OSError as failed:
                raise disk_refused(failed, place) from failed

    def serial_history(self, vm_uuid: str) -> bytes:
        """The last of what a guest wrote to its serial console; nothing where there is no log. Raises `Refused`."""
        place = self._root / SERIAL_LOG.format(name=vm_uuid)
        try:
            return last_of(place)
        except OSError as failed:
            raise disk_refused(failed, place) from failed

    def keep_serial_history(self, vm_uuid: str, data: bytes) -> None:
        """Keep what a guest wrote before its log here began, where nothing is kept yet. Raises `Refused`."""
        place = self._root / SERIAL_LOG.format(name=vm_uuid)
        before = before_of(place)
        try:
            if place.exists() and not before.exists():
                part = before.with_name(f"{before.name}.part")
                part.touch(mode=0o600)
                part.write_bytes(data)
                publish(part, before)
        except OSError as failed:
            raise disk_refused(failed, before) from failed

    def _places(self, vm_uuid: str) -> Iterator[Path]:
        dashed = str(UUID(vm_uuid))
        for place in PLACES:
            yield self._root / place.format(name=vm_uuid, dashed=dashed)

    def _rotated(self, vm_uuid: str) -> Iterator[Path]:
        """Removed before the files that they were: those are what is looked for."""
        for place in self._places(vm_uuid):
            if str(place.parent.relative_to(self._root)) in ROTATED:
                yield from place.parent.glob(f"{place.name}.*")
