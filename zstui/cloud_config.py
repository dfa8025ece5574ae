"""What can be said of user data while it is typed: warnings that never keep it from being saved, and its colours.

The keys and kinds are a small set declared here, of the modules that cloud-init has had since 22.4; a key that
is not among them may still be right for a newer one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from appliance.api.userdata import served
from zstui.i18n import tr

KEYS = {
    "any": """cloud_init_modules cloud_config_modules cloud_final_modules merge_how merge_type merge_strategy
        system_info datasource datasource_list output reporting vendor_data power_state manage_etc_hosts
        resize_rootfs ssh_authorized_keys groups autoinstall""",
    "map": """ansible apt apk_repos ca_certs ca-certs chef chpasswd disk_setup fan growpart keyboard landscape
        lxd mcollective network ntp phone_home puppet random_seed resolv_conf rh_subscription rsyslog
        salt_minion snap spacewalk ssh ssh_keys swap ubuntu_advantage ubuntu_pro wireguard yum_repos zypper""",
    "list": """bootcmd runcmd fs_setup mounts mount_default_fields packages ssh_import_id users write_files""",
    "text": """byobu_by_default final_message fqdn hostname locale locale_configfile
        ssh_fp_console_blacklist timezone password user""",
    "truth": """allow_public_ssh_keys apt_preserve_sources_list create_hostname_file disable_ec2_metadata
        disable_root disable_root_opts manage_resolv_conf no_ssh_fingerprints package_reboot_if_required
        package_update package_upgrade prefer_fqdn_over_hostname preserve_hostname ssh_deletekeys ssh_pwauth
        ssh_quiet_keygen""",
}
KIND_OF = {key: kind for kind, keys in KEYS.items() for key in keys.split()}
MIXED = frozenset({"users", "mounts", "disable_root_opts", "ssh_pwauth", "user"})
"""Those that several kinds are right for."""

HEAD = "#cloud-config"
OTHER_HEADS = ("#include", "#cloud-", "#part-handler", "#upstart-job")

TRUTHS = frozenset({"true", "false", "yes", "no", "on", "off"})


@dataclass(frozen=True)
class Doubt:
    """Something that cloud-init may not take as it is meant: the line, from 1 on, and what."""

    line: int
    text: str


def warnings_of(text: str) -> list[Doubt]:
    """What looks wrong in what a guest is served as cloud-config, by lines of the text; nothing for other kinds."""
    body = served(text).lstrip("\ufeff")
    if not is_kind(body, HEAD):
        return _without_header(body)
    before = 0 if is_kind(text.lstrip("\ufeff"), HEAD) else 1
    return [Doubt(max(1, each.line - before), each.text) for each in _of_cloud_config(body)]


def is_kind(body: str, head: str) -> bool:
    """Whether cloud-init takes a text for what begins so: case and leading space are no difference to it."""
    return body.lstrip().lower().startswith(head.lower())


def _of_cloud_config(body: str) -> list[Doubt]:
    try:
        root = yaml.compose(body, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = tr("this is no YAML: {problem}", problem=error.problem or error.context or "")
        return [Doubt(mark.line + 1 if mark is not None else 1, said)]
    except (yaml.YAMLError, RecursionError) as error:
        return [Doubt(1, tr("this is no YAML: {problem}", problem=str(error).split("\n")[0]))]
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        return [Doubt(root.start_mark.line + 1, tr("a cloud-config is keys with values, and this is none"))]
    return _of_keys(root)


def _without_header(body: str) -> list[Doubt]:
    """Text that looks like a cloud-config and is none, since it begins with another comment."""
    if re.match(r"#(?:[^!#]|$)", body.lstrip()) and not body.lstrip().startswith(OTHER_HEADS):
        keys = re.findall(r"^([A-Za-z_-]+):(?:\s|$)", body, re.MULTILINE)
        if KIND_OF.keys() & set(keys):
            return [Doubt(1, tr("cloud-init ignores this: its first line must be #cloud-config"))]
    return []


def _of_keys(root: yaml.MappingNode) -> list[Doubt]:
    found: list[Doubt] = []
    seen: set[str] = set()
    for key, value in root.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in seen:
            found.append(Doubt(line, tr("{key} stands here twice; only the last one counts", key=name)))
        seen.add(name)
        kind = KIND_OF.get(name)
        if kind is None:
            found.append(Doubt(line, tr("{key} is no key that is known here", key=name)))
        elif name not in MIXED and not _fits(kind, value):
            found.append(Doubt(line, _expected(name, kind)))
    return found


def _fits(kind: str, value: yaml.Node) -> bool:
    if kind == "any":
        return True
    if kind == "map":
        return isinstance(value, yaml.MappingNode)
    if kind == "list":
        return isinstance(value, yaml.SequenceNode)
    if not isinstance(value, yaml.ScalarNode):
        return False
    return kind == "text" or str(value.value).lower() in TRUTHS


def _expected(key: str, kind: str) -> str:
    words = {
        "map": tr("keys with values"),
        "list": tr("a list"),
        "text": tr("a text"),
        "truth": tr("true or false"),
    }
    return tr("{key} should be {kind}", key=key, kind=words[kind])


def minified(text: str) -> str:
    """User data on one line, as it is written in a command: each line feed as two characters."""
    return text.replace("\n", "\\n")


# --- colours ---------------------------------------------------------------------------------------------

Paint = tuple[int, int, str]
"""From, to, and a name: key, text, value, mark or note."""

KEY = re.compile(
    r"""^\s*(?:-\s+)*((?:"[^"]*"|'[^']*'|[^\s#'"\[\]{},&*!|>%@`-][^#:]*?|[\w.-]+)\s*:)(?=\s|$)"""
)
TOKEN = re.compile(
    r"""(?P<note>(?:(?<=\s)|^)\#.*$)|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')"""
    r"""|(?P<mark>(?:(?<=\s)|^)(?:-(?=\s|$)|[|>][+-]?\d?(?=\s*$)|[&*][\w-]+))"""
    r"""|(?P<value>(?<![\w.-])(?:true|false|yes|no|on|off|null|~|-?\d+(?:\.\d+)?)(?![\w.:-]))"""
)


def painted(line: str) -> list[Paint]:
    """The parts of a line of YAML that have a colour of their own."""
    if line.startswith("#"):
        return [(0, len(line), "note")]
    key = KEY.match(line)
    found = [(key.start(1), key.end(1), "key")] if key is not None else []
    begin = key.end(1) if key is not None else 0
    tokens = (each for each in TOKEN.finditer(line) if each.start() >= begin or each.lastgroup == "mark")
    return found + [(each.start(), each.end(), str(each.lastgroup)) for each in tokens]
