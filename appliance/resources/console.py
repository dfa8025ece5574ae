"""What requests about consoles mean: where one listens, and a way to it through the appliance."""

from __future__ import annotations

from typing import Any

from agent.protocol import ConsoleSeen, ObserveConsole
from appliance.api.console import RequestConsoleAccess
from appliance.api.errors import NotAllowed, OperationFailed
from appliance.api.host import Host
from appliance.api.message import Message
from appliance.api.vm import GetVmConsoleAddress, VmInstance
from appliance.hosts.link import Wire
from appliance.plans.vm_spec import console_listen
from appliance.reconcile.context import target_of
from appliance.reconcile.vm_state import placed_on
from appliance.resources.registry import Caller, Live, asks_host
from appliance.resources.vm_allowed import allowed
from appliance.store.snapshot import Snapshot


@asks_host(GetVmConsoleAddress)
async def get_vm_console_address(live: Live, request: GetVmConsoleAddress, caller: Caller) -> dict[str, Any]:
    """What the running domain really has, asked of its host."""
    host, console = await _console(live, request.uuid, request)
    return {"hostIp": host.management_ip, "port": console.port, "protocol": console.protocol}


@asks_host(RequestConsoleAccess)
async def request_console_access(live: Live, request: RequestConsoleAccess, caller: Caller) -> dict[str, Any]:
    """A token for one connection, and where to take it."""
    await _vnc(live, request.vm_instance_uuid, request)
    address = live.consoles.address
    if address is None:
        raise OperationFailed(
            "this appliance listens on no address that a browser could reach; start it with --listen ADDR:PORT"
        )
    token = live.consoles.give(request.vm_instance_uuid)
    return {
        "inventory": {
            "scheme": address.scheme, "hostname": address.hostname, "port": address.port, "token": token,
        }
    }  # fmt: skip


async def open_console(live: Live, token: str) -> Wire:
    """The stream of the console that a token is for: where the VM has it now, not where it had it then.

    Raises `NotAllowed` for a token that opens nothing, and what asking the VM's host raises.
    """
    vm_uuid = live.consoles.take(token)
    if vm_uuid is None:
        raise NotAllowed("this console token is unknown, used or too old; get one with RequestConsoleAccess")
    request = RequestConsoleAccess(vm_instance_uuid=vm_uuid)
    host, console = await _vnc(live, vm_uuid, request)
    return await live.fleet.dialer.pipe(target_of(host), console_listen(host.management_ip), console.port)


async def _vnc(live: Live, vm_uuid: str, request: Message) -> tuple[Host, ConsoleSeen]:
    host, console = await _console(live, vm_uuid, request)
    if console.protocol != "vnc":
        raise OperationFailed(
            f"the console of VM[uuid:{vm_uuid}] speaks {console.protocol}; set kvm.vm.consoleMode to vnc and "
            f"start the VM again, or use GetVmConsoleAddress with a client for {console.protocol}"
        )
    return host, console


async def _console(live: Live, vm_uuid: str, request: Message) -> tuple[Host, ConsoleSeen]:
    def look(snapshot: Snapshot) -> Host:
        vm = allowed(snapshot.get(VmInstance, vm_uuid), request)
        host_uuid = placed_on(snapshot, vm)
        if host_uuid is None:
            raise OperationFailed(f"VM {vm.name}[uuid:{vm.uuid}] is on no host")
        return snapshot.get(Host, host_uuid)

    host = await live.database.read(look)
    link = live.fleet.link(target_of(host))
    return host, await link.ask(ObserveConsole(vm_uuid=vm_uuid), ConsoleSeen)
