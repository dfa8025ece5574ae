"""What an account or a user may ask for: which messages are the admin's, and what a policy's actions name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from appliance.api.message import Message, QueryMessage
from appliance.api.pattern import full_match

CATEGORIES = {
    "configuration": """ChangeDiskOfferingState ChangeInstanceOfferingState CreateDiskOffering
        CreateInstanceOffering DeleteDiskOffering DeleteInstanceOffering QueryDiskOffering
        QueryInstanceOffering UpdateDiskOffering UpdateInstanceOffering""",
    "console": "RequestConsoleAccess",
    "eip": """AttachEip ChangeEipState CreateEip DeleteEip DetachEip GetEipAttachableVmNics QueryEip
        UpdateEip""",
    "identity": """AddUserToGroup AttachPolicyToUser AttachPolicyToUserGroup CreateAccessToken
        CreatePolicy CreateUser CreateUserGroup DeleteAccessToken DeleteAccount DeletePolicy DeleteSession DeleteUser
        DeleteUserGroup DetachPolicyFromUser DetachPolicyFromUserGroup QueryAccessToken QueryPolicy QueryQuota
        QuerySession QueryUser QueryUserGroup RemoveUserFromGroup RevokeResourceSharing ShareResource
        UpdateAccount UpdateUser""",
    "image": """AddImage ChangeImageState CreateDataVolumeTemplateFromVolume
        CreateRootVolumeTemplateFromRootVolume CreateRootVolumeTemplateFromVolumeSnapshot DeleteImage
        ExportImageFromBackupStorage QueryImage UpdateImage""",
    "instance": """AttachIsoToVmInstance AttachL3NetworkToVm CreateVmInstance DestroyVmInstance
        DetachIsoFromVmInstance DetachL3NetworkFromVm GetVmAttachableDataVolume GetVmAttachableL3Network
        GetVmBootOrder GetVmMigrationCandidateHosts MigrateVm PreviewUserdata QueryUserdataFetch
        QueryVmInstance QueryVmNic RebootVmInstance SetVmBootOrder StartVmInstance StopVmInstance
        UpdateVmInstance""",
    "job": "CancelLongJob QueryLongJob",
    "l2Network": "GetNetworkServiceProvider QueryL2Network",
    "l3Network": """AddDnsToL3Network AddIpRange AddIpRangeByNetworkCidr AttachNetworkServiceToL3Network
        ChangeL3NetworkState CheckIpAvailability CreateL3Network DeleteIpRange DeleteL3Network
        DetachNetworkServiceFromL3Network GetFreeIp GetIpAddressCapacity GetL3NetworkTypes
        GetNetworkServiceTypes QueryIpRange QueryL3Network QueryNetworkServiceL3NetworkRef
        QueryNetworkServiceProvider RemoveDnsFromL3Network UpdateIpRange UpdateL3Network""",
    "loadBalancer": """AddVmNicToLoadBalancer CreateLoadBalancer CreateLoadBalancerListener
        DeleteLoadBalancer DeleteLoadBalancerListener QueryLoadBalancer QueryLoadBalancerListener
        RefreshLoadBalancer RemoveVmNicFromLoadBalancer""",
    "monitoring": "GetAllMetricMetadata GetMetricData",
    "portForwarding": """AttachPortForwardingRule ChangePortForwardingRuleState CreatePortForwardingRule
        DeletePortForwardingRule DetachPortForwardingRule GetPortForwardingAttachableVmNics
        QueryPortForwardingRule UpdatePortForwardingRule""",
    "recycleBin": "QueryRecycleBinItem",
    "securityGroup": """AddSecurityGroupRule AddVmNicToSecurityGroup AttachSecurityGroupToL3Network
        ChangeSecurityGroupState CreateSecurityGroup DeleteSecurityGroup DeleteSecurityGroupRule
        DeleteVmNicFromSecurityGroup DetachSecurityGroupFromL3Network GetCandidateVmNicForSecurityGroup
        QuerySecurityGroup QuerySecurityGroupRule QueryVmNicInSecurityGroup UpdateSecurityGroup""",
    "tag": """CreateSystemTag CreateUserTag DeleteTag QuerySystemTag QueryTag QueryUserTag
        UpdateSystemTag""",
    "vip": "ChangeVipState CreateVip DeleteVip QueryVip UpdateVip",
    "virtualRouter": """CreateVirtualRouterOffering QueryVirtualRouterOffering QueryVirtualRouterVm
        ReconnectVirtualRouter UpdateVirtualRouterOffering""",
    "volume": """AttachDataVolumeToVm BackupDataVolume ChangeVolumeState CreateDataVolume
        CreateDataVolumeFromVolumeSnapshot CreateDataVolumeFromVolumeTemplate DeleteDataVolume
        DetachDataVolumeFromVm GetDataVolumeAttachableVm GetVolumeFormat LocalStorageMigrateVolume
        QueryVolume ResizeDataVolume ResizeRootVolume UpdateVolume""",
    "volumeBackup": """CreateDataVolumeFromVolumeBackup CreateRootVolumeTemplateFromVolumeBackup CreateVmBackup
        CreateVolumeBackup DeleteVolumeBackup
        QueryVolumeBackup RevertVolumeFromVolumeBackup""",
    "volumeSnapshot": """BackupVolumeSnapshot CreateVolumeSnapshot DeleteVolumeSnapshot
        DeleteVolumeSnapshotFromBackupStorage QueryVolumeSnapshot QueryVolumeSnapshotTree
        RevertVolumeFromSnapshot UpdateVolumeSnapshot""",
}
"""The messages that are not the admin's alone, by ZStack's categories; `job` and `monitoring` are ours."""

CATEGORY_OF = {name: category for category, names in CATEGORIES.items() for name in names.split()}

ACCOUNT_ONLY = frozenset(CATEGORIES["identity"].split()) - {
    "CreateAccessToken", "DeleteAccessToken", "QueryAccessToken", "QueryPolicy", "QueryQuota", "QueryUser",
    "QueryUserGroup", "RevokeResourceSharing", "ShareResource",
    "UpdateUser",
}  # fmt: skip
"""Messages that an account sends, and no user of it."""

_NOT_READ = ("GetEipAttachableVmNics", "GetPortForwardingAttachableVmNics")
"""Questions that ZStack does not count as reading."""


@dataclass(frozen=True)
class Action:
    """How policies name a message: its own names, and `CATEGORY:read` when it only asks."""

    names: tuple[str, ...]
    account_only: bool


@dataclass(frozen=True)
class Statement:
    """One statement of a policy: `Allow` or `Deny`, and the actions it is about."""

    effect: str
    actions: tuple[str, ...]


def action_of(message: type[Message]) -> Action | None:
    """How policies name a message; None when only the admin may send it."""
    name = message.__name__
    category = CATEGORY_OF.get(name)
    if category is None:
        return None
    own = (f"{category}:API{name}Msg", f"{category}:{message.java}")
    asks = issubclass(message, QueryMessage) or name.startswith(("Get", "Preview"))
    read = (f"{category}:read",) if asks and name not in _NOT_READ else ()
    return Action((*own, *read), name in ACCOUNT_ONLY)


def statements_of(policy: list[dict[str, Any]]) -> list[Statement]:
    """A policy's statements, out of what is stored."""
    return [Statement(str(each["effect"]), tuple(map(str, each["actions"]))) for each in policy]


def decide(action: Action, policies: Sequence[Sequence[Statement]]) -> str | None:
    """`Allow` or `Deny`, or None when no policy speaks of the action.

    `Deny` wins, wherever it stands: neither statements nor policies have an order.
    """
    effects = {each.effect for policy in policies for each in policy if _names(each, action)}
    return "Deny" if "Deny" in effects else next(iter(effects), None)


def _names(statement: Statement, action: Action) -> bool:
    return any(full_match(pattern, name) for pattern in statement.actions for name in action.names)
