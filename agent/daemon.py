"""The daemon: puts the agent's parts together and runs them until it is told to retire."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from dataclasses import dataclass

from agent.accelerator import AcceleratorProbe
from agent.attach import start_supervisor
from agent.backup import Backups
from agent.builds import tidy
from agent.domain import Domains
from agent.doorway import Doorway
from agent.download import Downloads
from agent.ending import end_of
from agent.hypervisor import URI, Hypervisor
from agent.lane import Lanes
from agent.ledger import Ledger
from agent.logs import log_to
from agent.migrate import Migrations
from agent.paths import Paths
from agent.pidfile import PidFile
from agent.ports import BridgesPort, Emit, NetworksPort, NicsPort
from agent.serial import Serials
from agent.server import Server
from agent.snapshot import Overlays
from agent.storage import StorageRoots
from agent.supervisor import retired_mark
from agent.verbs import HostVerbs
from agent.version import version
from agent.volume import Volumes

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NetworkHalf:
    """The parts that make guests reachable."""

    bridges: BridgesPort
    networks: NetworksPort
    nics: NicsPort


def serve(paths: Paths) -> int:
    """Be the daemon of this host until it retires. Returns at once when there is one already."""
    paths.make()
    os.umask(0o022)
    if not PidFile(paths.run / "daemon.pid").take():
        return 0
    log_to(paths.state / "daemon.log")
    log.info("agent %s starts as %d", version(), os.getpid())
    tidy()
    asyncio.run(_run(paths))
    log.info("agent %d ends", os.getpid())
    logging.shutdown()
    # A thread may hang in a call to a libvirtd that hangs; nothing of ours is unfinished here.
    os._exit(0)


def network_half(paths: Paths, emit: Emit) -> NetworkHalf:
    """The real network half."""
    from agent.bridge import Bridges
    from agent.network import Networks
    from agent.nic import Nics

    networks = Networks(paths)
    return NetworkHalf(Bridges(paths), networks, Nics(paths, networks, emit))


async def _run(paths: Paths) -> None:
    retired = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, retired.set)
    server = Server(Ledger(paths.state))
    network = network_half(paths, server.emit)
    storage = StorageRoots(paths)
    lanes = Lanes(paths, storage)
    hypervisor = Hypervisor(server.emit, os.environ.get("ZSTUI_AGENT_LIBVIRT", URI))
    serials = Serials(hypervisor)
    domains = Domains(hypervisor, storage, network.nics.guarded)
    verbs = HostVerbs(
        network.bridges,
        network.networks,
        network.nics,
        storage=storage,
        volumes=Volumes(storage),
        overlays=Overlays(storage),
        downloads=Downloads(storage),
        backups=Backups(paths, storage, domains),
        lanes=lanes,
        hypervisor=hypervisor,
        domains=domains,
        migrations=Migrations(hypervisor, lanes, domains.expect),
        serials=serials,
        accelerator=AcceleratorProbe(paths),
    )
    hypervisor.scan_host = verbs.observe_host
    # The door opens first, so that whoever attaches waits for answers and not for the socket.
    doorway = Doorway(paths.socket, server, retired.set)
    doorway.start()
    keeper = asyncio.create_task(_keep_supervisor(paths, network, retired))
    await _start(network, hypervisor)
    server.start(verbs)
    await retired.wait()
    retired_mark(paths).touch()
    keeper.cancel()
    doorway.stop()
    await server.stop()
    for part in (serials, network.nics, network.networks, network.bridges):
        await part.stop()
    hypervisor.stop()


async def _start(network: NetworkHalf, hypervisor: Hypervisor) -> None:
    """Make the network hold again first: guests have been without their services since we died."""
    for part in (network.bridges, network.networks, network.nics):
        try:
            await part.start()
        except Exception:
            # A host whose network cannot be restored must still be reachable, to be repaired.
            log.exception("%s could not be restored", type(part).__name__)
    hypervisor.start()


async def _keep_supervisor(paths: Paths, network: NetworkHalf, retired: asyncio.Event) -> None:
    """Start a supervisor whenever there is none, and have each know what to keep for the next daemon."""
    supervisor = PidFile(paths.run / "supervisor.pid")
    told: int | None = None
    while not retired.is_set():
        pid = supervisor.holder()
        if pid is None:
            log.info("no supervisor; starting one")
            await asyncio.to_thread(start_supervisor)
            await asyncio.sleep(0.2)
        else:
            if told != pid and await network.networks.have_kept():
                told = pid
            await end_of(pid)
