"""libvirt's own event loop, in a thread of its own."""

from __future__ import annotations

import threading

import libvirt

_thread: threading.Thread | None = None


def run_event_loop() -> None:
    """Start libvirt's own event loop, once in a process, before the first connection."""
    global _thread
    if _thread is not None:
        return
    libvirt.registerErrorHandler(lambda *_: None, None)
    libvirt.virEventRegisterDefaultImpl()

    def turn() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    _thread = threading.Thread(target=turn, name="libvirt-events", daemon=True)
    _thread.start()
