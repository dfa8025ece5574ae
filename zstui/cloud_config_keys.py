"""The keys of a cloud-config and what each takes: what cloud-init's own schema says of the modules in use.

The source is `cloudinit/config/schemas/schema-cloud-config-v1.json` of cloud-init 22.4 to 24.4, which is 150 kB of JSON
and would need a validator that is no dependency here. Old names that it has with a dash are left out: there is a
name with an underscore for each. Modules that few people use are known by their name only.

A shape is one of these:

- kinds and words, with `|` between: `text`, `truth`, `whole` (a number), `null`, `any`; `=auto` is the word itself
- `[shape]`: a list, each of whose items is of that shape
- `{key: shape}`: keys with values; one that ends in `!` must be there, `*` stands for any other
- `(shape, shape)`: either
"""

from __future__ import annotations

from typing import Any

TEXT, TRUTH = "text", "truth"
TEXTS = [TEXT]
MAP = {"*": "any"}
COMMANDS = [("text", ["text|whole"])]

USER = {
    "name": "text", "snapuser": "text", "doas": TEXTS, "expiredate": "text", "gecos": "text",
    "groups": ("text", TEXTS, {"*": "null"}), "homedir": "text", "inactive": "text", "lock_passwd": TRUTH,
    "no_create_home": "truth", "no_log_init": "truth", "no_user_group": "truth", "passwd": TEXT,
    "hashed_passwd": TEXT, "plain_text_passwd": TEXT, "create_groups": "truth", "primary_group": "text",
    "selinux_user": "text", "shell": "text", "ssh_authorized_keys": TEXTS, "ssh_import_id": TEXTS,
    "ssh_redirect_user": "truth", "system": "truth", "sudo": ("text|null|truth", ["text|null"]),
    "uid": "whole|text",
}  # fmt: skip
GROUPS = ("text", [("text", {"*": ("text", TEXTS)})], {"*": ("text", TEXTS)})
PASSWORDS = {
    "expire": "truth",
    "users": [{"name!": "text", "password": TEXT, "type": "=hash|=text|=RANDOM"}],
    "list": ("text", TEXTS),
}
FILE = {
    "path!": "text", "content": "text", "owner": "text", "permissions": "text", "append": "truth", "defer": "truth",
    "source": {"uri!": "text", "headers": MAP},
    "encoding": "=gz|=gzip|=gz+base64|=gzip+base64|=gz+b64|=gzip+b64|=b64|=base64|=text/plain",
}  # fmt: skip
MIRRORS = [
    {
        "arches!": TEXTS, "uri": "text", "search": TEXTS, "search_dns": "truth", "keyid": "text", "key": "text",
        "keyserver": "text",
    }
]  # fmt: skip
APT = {
    "preserve_sources_list": "truth", "disable_suites": TEXTS, "primary": MIRRORS, "security": MIRRORS,
    "add_apt_repo_match": "text", "debconf_selections": {"*": "text"}, "sources_list": "text", "conf": "text",
    "proxy": "text", "http_proxy": "text", "https_proxy": "text", "ftp_proxy": "text",
    "sources": {"*": {"source": "text", "keyid": "text", "key": "text", "keyserver": "text", "filename": "text",
                      "append": "truth"}},
}  # fmt: skip
DISK = {
    "table_type": "=mbr|=gpt",
    "layout": ("=remove|truth", [("whole", ["whole|text"])]),
    "overwrite": "truth",
}
FILE_SYSTEM = {
    "label": "text", "filesystem": "text", "device": "text", "partition": "text|whole", "overwrite": "truth",
    "replace_fs": "text", "extra_opts": ("text", TEXTS), "cmd": ("text", TEXTS),
}  # fmt: skip
NTP = {
    "pools": TEXTS, "servers": TEXTS, "peers": TEXTS, "allow": TEXTS, "ntp_client": "text", "enabled": "truth",
    "config": {"confpath": "text", "check_exe": "text", "packages": TEXTS, "service_name": "text", "template": "text"},
}  # fmt: skip
POWER = {
    "mode!": "=poweroff|=reboot|=halt", "delay": "text|whole", "message": "text", "timeout": "whole",
    "condition": ("text|truth", TEXTS),
}  # fmt: skip
RSYSLOG = {
    "config_dir": "text", "config_filename": "text", "configs": [("text", {"content!": "text", "filename": "text"})],
    "remotes": {"*": "text"}, "service_reload_command": ("text", TEXTS), "install_rsyslog": "truth",
    "check_exe": "text", "packages": TEXTS,
}  # fmt: skip

BY_NAME = (
    "ansible", "chef", "fan", "landscape", "lxd", "mcollective", "puppet", "rh_subscription", "salt_minion",
    "spacewalk", "ubuntu_advantage", "ubuntu_pro", "ubuntu_drivers", "drivers", "wireguard", "system_info", "reporting",
    "vendor_data", "updates",
)  # fmt: skip
OF_ANY_SHAPE = (
    "cloud_init_modules", "cloud_config_modules", "cloud_final_modules", "merge_how", "merge_type", "merge_strategy",
    "datasource", "datasource_list", "output", "autoinstall", "grub_dpkg",
)  # fmt: skip

KEYS: dict[str, Any] = {
    # users and how they come in
    "users": ("text", [("text", USER, TEXTS)], MAP), "user": ("text", USER), "groups": GROUPS,
    "chpasswd": PASSWORDS, "password": TEXT, "ssh_pwauth": "truth|=unchanged", "ssh_authorized_keys": TEXTS,
    "ssh_import_id": TEXTS, "disable_root": "truth", "disable_root_opts": "text", "allow_public_ssh_keys": "truth",
    "ssh": {"emit_keys_to_console": "truth"}, "ssh_keys": {"*": "text"}, "ssh_deletekeys": "truth",
    "ssh_genkeytypes": ["=rsa|=ecdsa|=ed25519|=dsa"], "ssh_quiet_keygen": "truth", "no_ssh_fingerprints": "truth",
    "ssh_publish_hostkeys": {"enabled": "truth", "blacklist": TEXTS}, "authkey_hash": "text",
    "ssh_key_console_blacklist": TEXTS, "ssh_fp_console_blacklist": TEXTS,
    # packages, files and commands
    "packages": [("text", TEXTS, {"*": [("text", TEXTS)]})], "package_update": "truth", "package_upgrade": "truth",
    "package_reboot_if_required": "truth", "apt": APT, "apt_pipelining": "whole|truth|=none|=unchanged|=os",
    "apt_preserve_sources_list": "truth", "write_files": [FILE], "runcmd": [("text|null", ["text|whole"])],
    "bootcmd": COMMANDS, "snap": {"assertions": (TEXTS, MAP), "commands": (COMMANDS, MAP)},
    "ca_certs": {"remove_defaults": "truth", "trusted": TEXTS},
    "yum_repos": {"*": MAP}, "yum_repo_dir": "text", "zypper": MAP, "apk_repos": MAP,
    # disks
    "disk_setup": {"*": (DISK, "text")}, "fs_setup": [FILE_SYSTEM], "device_aliases": {"*": "text"},
    "mounts": [["text|null"]], "mount_default_fields": ["text|null"],
    "swap": {"filename": "text", "size": "whole|text", "maxsize": "whole|text"}, "resize_rootfs": "truth|=noblock",
    "growpart": {"mode": "=auto|=growpart|=gpart|=off|=false", "devices": TEXTS, "ignore_growroot_disabled": "truth"},
    # name, place and time
    "hostname": "text", "fqdn": "text", "prefer_fqdn_over_hostname": "truth", "preserve_hostname": "truth",
    "create_hostname_file": "truth", "manage_etc_hosts": "truth|=localhost|=template", "locale": "text|truth",
    "locale_configfile": "text", "timezone": "text", "ntp": (NTP, "null"),
    "keyboard": {"layout!": "text", "model": "text", "variant": "text", "options": "text"},
    # network
    "manage_resolv_conf": "truth", "disable_ec2_metadata": "truth", "network": MAP,
    "resolv_conf": {"nameservers": TEXTS, "searchdomains": TEXTS, "domain": "text", "sortlist": TEXTS, "options": MAP},
    # the end
    "power_state": POWER, "final_message": "text", "rsyslog": RSYSLOG,
    "phone_home": {"url!": "text", "post": ("=all", TEXTS), "tries": "whole"},
    "random_seed": {"file": "text", "data": "text", "encoding": "=raw|=base64|=b64|=gzip|=gz", "command": TEXTS,
                    "command_required": "truth"},
    "byobu_by_default": "text",
    **dict.fromkeys(BY_NAME, MAP), **dict.fromkeys(OF_ANY_SHAPE, "any"),
}  # fmt: skip
