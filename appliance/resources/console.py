"""What requests about consoles mean: where one listens, and a way to it through the appliance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.protocol import AdmitToConsole, ConsoleSeen, ObserveConsole, OpenSerial, SerialDoor
from appliance.api.console import RequestConsoleAccess
from appliance.api.errors import OperationFailed
from appliance.api.host import Host
from appliance.api.message import Message
from appliance.api.vm import GetVmConsoleAddress, GetVmConsolePassword, VmInstance
from appliance.hosts.fleet import Target
from appliance.hosts.link import Pipe
from appliance.hosts.vnc import ENTER_SECONDS, WrongPassword, entered
from appliance.plans.vm_spec import console_listen
from appliance.reconcile.context import target_of
from appliance.reconcile.vm_state import placed_on
from appliance.resources.console_tokens import Ticket
from appliance.resources.registry import Caller, Live, asks_host
from appliance.resources.vm_allowed import allowed
from appliance.store.snapshot import Snapshot

LOOPBACK = "127.0.0.1"

PASSWORD_SECONDS = 60
"""How long a password that was given out is good."""

ENTRIES = 3
"""Tries to enter a console: one more viewer that comes at the same time has another password take the place."""


@dataclass(frozen=True)
class OpenConsole:
    """The stream of a console, and the host that it comes from. `framed` says that it is a serial line's frames."""

    pipe: Pipe
    target: Target
    framed: bool


@asks_host(GetVmConsoleAddress)
async def get_vm_console_address(live: Live, request: GetVmConsoleAddress, caller: Caller) -> dict[str, Any]:
    """What the running domain really has, asked of its host."""
    host, console = await _console(live, request.uuid, request)
    return {"hostIp": host.management_ip, "port": console.port, "protocol": console.protocol}


@asks_host(GetVmConsolePassword)
async def get_vm_console_password(
    live: Live, request: GetVmConsolePassword, caller: Caller
) -> dict[str, Any]:
    """A password that its host has the console take."""
    host = await _host(live, request.uuid, request)
    console = await _admitted(live, host, request.uuid, PASSWORD_SECONDS)
    return {"consolePassword": console.password, "validSeconds": PASSWORD_SECONDS}


@asks_host(RequestConsoleAccess)
async def request_console_access(live: Live, request: RequestConsoleAccess, caller: Caller) -> dict[str, Any]:
    """A token for one connection, and where to take it."""
    if request.console == "serial":
        await _host(live, request.vm_instance_uuid, request)
    else:
        await _vnc(live, request.vm_instance_uuid, request)
    address = live.consoles.address
    where = {"scheme": address.scheme, "hostname": address.hostname, "port": address.port} if address else {}
    return {"inventory": {**where, "token": live.consoles.give(Ticket(request, caller))}}


async def open_console(live: Live, request: RequestConsoleAccess) -> OpenConsole:
    """The stream of a console: where the VM has it now, not where it had it then.

    Raises what asking the VM's host raises.
    """
    if request.console == "serial":
        return await _open_serial(live, request)
    tries_left = ENTRIES
    while True:
        tries_left -= 1
        try:
            return await _enter_vnc(live, request)
        except WrongPassword:
            if not tries_left:
                raise


async def _enter_vnc(live: Live, request: RequestConsoleAccess) -> OpenConsole:
    host, _ = await _vnc(live, request.vm_instance_uuid, request)
    console = await _admitted(live, host, request.vm_instance_uuid, ENTER_SECONDS)
    pipe = await live.fleet.dialer.pipe(target_of(host), console_listen(host.management_ip), console.port)
    return OpenConsole(await entered(pipe, console.password), target_of(host), framed=False)


async def _open_serial(live: Live, request: RequestConsoleAccess) -> OpenConsole:
    target = target_of(await _host(live, request.vm_instance_uuid, request))
    door = await live.fleet.link(target).ask(OpenSerial(vm_uuid=request.vm_instance_uuid), SerialDoor)
    pipe = await live.fleet.dialer.pipe(target, LOOPBACK, door.port)
    pipe.write(f"{door.key}\n".encode())
    return OpenConsole(pipe, target, framed=True)


async def _admitted(live: Live, host: Host, vm_uuid: str, seconds: float) -> ConsoleSeen:
    wanted = AdmitToConsole(vm_uuid=vm_uuid, valid_seconds=int(seconds))
    return await live.fleet.link(target_of(host)).ask(wanted, ConsoleSeen)


async def _vnc(live: Live, vm_uuid: str, request: Message) -> tuple[Host, ConsoleSeen]:
    host, console = await _console(live, vm_uuid, request)
    if console.protocol != "vnc":
        raise OperationFailed(
            f"the console of VM[uuid:{vm_uuid}] speaks {console.protocol}; set kvm.vm.consoleMode to vnc and "
            f"start the VM again, or use GetVmConsoleAddress with a client for {console.protocol}"
        )
    return host, console


async def _console(live: Live, vm_uuid: str, request: Message) -> tuple[Host, ConsoleSeen]:
    host = await _host(live, vm_uuid, request)
    link = live.fleet.link(target_of(host))
    return host, await link.ask(ObserveConsole(vm_uuid=vm_uuid), ConsoleSeen)


async def _host(live: Live, vm_uuid: str, request: Message) -> Host:
    """The host that a VM runs on, if its state allows the request."""

    def look(snapshot: Snapshot) -> Host:
        vm = allowed(snapshot, snapshot.get(VmInstance, vm_uuid), request)
        host_uuid = placed_on(snapshot, vm)
        if host_uuid is None:
            raise OperationFailed(f"VM {vm.name}[uuid:{vm.uuid}] is on no host")
        return snapshot.get(Host, host_uuid)

    return await live.database.read(look)
