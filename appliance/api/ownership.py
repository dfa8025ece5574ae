"""Ownership: whose a resource is, who else may use it, and what can be asked about that."""

from __future__ import annotations

from appliance.api.account import JAVA, Account
from appliance.api.message import Message, arg
from appliance.api.resource import Join, Resource, Timestamp, column

OWNED = frozenset({
    "DiskOffering", "Eip", "Image", "InstanceOffering", "L2Network", "L3Network", "LoadBalancer",
    "PortForwardingRule", "SecurityGroup", "Vip", "VmInstance", "Volume", "VolumeBackup",
})  # fmt: skip
"""Resources that belong to an account. One without an `AccountResourceRef` belongs to the admin."""

PART_OF = {
    "ImageBackupStorageRef": ("image_uuid", "Image"),
    "IpRange": ("l3_network_uuid", "L3Network"),
    "L3NetworkDns": ("l3_network_uuid", "L3Network"),
    "LoadBalancerListener": ("load_balancer_uuid", "LoadBalancer"),
    "LoadBalancerListenerVmNicRef": ("listener_uuid", "LoadBalancerListener"),
    "LocalStorageResourceRef": ("resource_uuid", "Volume"),
    "NetworkServiceL3NetworkRef": ("l3_network_uuid", "L3Network"),
    "RecycleBinItem": ("resource_uuid", "VmInstance"),  # or a volume or an image: each is owned by its uuid
    "SecurityGroupL3NetworkRef": ("security_group_uuid", "SecurityGroup"),
    "SecurityGroupRule": ("security_group_uuid", "SecurityGroup"),
    "UsedIp": ("l3_network_uuid", "L3Network"),
    "UserGroupPolicyRef": ("group_uuid", "UserGroup"),
    "UserGroupUserRef": ("group_uuid", "UserGroup"),
    "UserPolicyRef": ("user_uuid", "User"),
    "UserdataFetch": ("vm_instance_uuid", "VmInstance"),
    "VmNic": ("vm_instance_uuid", "VmInstance"),
    "VmNicSecurityGroupRef": ("security_group_uuid", "SecurityGroup"),
    "VolumeSnapshot": ("volume_uuid", "Volume"),
    "VolumeSnapshotTree": ("volume_uuid", "Volume"),
}
"""Resources that belong to whom another one belongs to, and by which column."""

MADE_WITH = {"Volume": ("vm_instance_uuid", "VmInstance"), "VolumeBackup": ("volume_uuid", "Volume")}
"""Resources that belong, when they are made for another, to whom that belongs to."""

ACCOUNTS_OWN = {
    "AccessToken": "account_uuid",
    "Account": "uuid",
    "LongJob": "account_uuid",
    "Policy": "account_uuid",
    "Quota": "identity_uuid",
    "Session": "account_uuid",
    "User": "account_uuid",
    "UserGroup": "account_uuid",
}
"""Resources that say by a column of their own whose they are."""


class AccountResourceRef(Resource, java=JAVA, primary="resource_uuid"):
    """A resource belongs to an account."""

    account_uuid: str = column("The account that has it.", indexed=True)
    owner_account_uuid: str = column("The account that it belongs to.")
    resource_uuid: str = column("The resource.")
    resource_type: str = column("What kind that is, as ZStack names it.")
    permission: int = column("Always 2: may read and write.", default=2)
    is_shared: bool = column("Whether others may use it, too.", default=False)
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class SharedResource(Resource):
    """An account, or every account, may use a resource of another."""

    joins = (Join("account", "Account", "owner_account_uuid"),)

    uuid: str = column("Identity.", private=True)
    owner_account_uuid: str = column("Whose it is.", indexed=True)
    receiver_account_uuid: str | None = column("Who may use it; nobody in particular when all may.",
                                               default=None, indexed=True)  # fmt: skip
    to_public: bool = column("Whether every account may use it.", default=False)
    resource_uuid: str = column("The resource.", indexed=True)
    resource_type: str = column("What kind that is, as ZStack names it.")
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class ShareResource(Message, java=JAVA):
    """Let other accounts use resources of the caller; they can see and use them, and not change them."""

    resource_uuids: list[str] = arg("The resources.")
    account_uuids: list[str] = arg("The accounts that may use them.", default=[], ref=Account)
    to_public: bool = arg("Whether every account may use them.", default=False)


class RevokeResourceSharing(Message, java=JAVA):
    """Let other accounts use resources no more; what they made of them stays."""

    resource_uuids: list[str] = arg("The resources.")
    to_public: bool = arg("Take back what every account was given.", default=False)
    account_uuids: list[str] = arg("The accounts to take them back from.", default=[], ref=Account)
    all: bool = arg("Take them back from everybody.", default=False)
