
# The one place where a mirror's host stands. For one run, nothing is written to the system's sources.
mirror_of() {
    case $1 in
    163) printf 'http://mirrors.163.com/%s' "$2" ;;
    aliyun) printf 'https://mirrors.aliyun.com/%s' "$2" ;;
    http://* | https://* | file:/*) printf '%s' "${1%/}" ;;
    *) return 1 ;;
    esac
}

HOST_PACKAGES="openssh-server libvirt-daemon-system qemu-system-x86 qemu-utils dnsmasq-base nftables iproute2"

missing_packages() {
    local name
    for name in $HOST_PACKAGES; do
        dpkg-query -W -f='${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || printf '%s ' "$name"
    done
}

# Packages by apt, from the system's own sources or, this once, from a mirror.
fetch_packages() {
    local missing sources options=()
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    [ -z "$OFFLINE" ] || because "these packages are missing, and -o fetches nothing: ${missing% }" || return 1
    [ -z "$PROXY" ] || options+=(-o "Acquire::http::Proxy=$PROXY" -o "Acquire::https::Proxy=$PROXY")
    if [ -n "$MIRROR" ]; then
        sources=$(mktemp -d) || return 1
        printf 'deb %s %s main\n' "$(mirror_of "$MIRROR" "$OS_ID")" "$OS_CODENAME" >"$sources/sources.list"
        mkdir -p "$sources/lists/partial" && chmod -R a+rX "$sources"
        options+=(-o "Dir::Etc::SourceList=$sources/sources.list" -o Dir::Etc::SourceParts=-)
        options+=(-o "Dir::State::Lists=$sources/lists")
        note "packages come from $(mirror_of "$MIRROR" "$OS_ID"); the system's own sources stay as they are"
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get "${options[@]}" update -q || because "apt-get update failed; see $LOG" || return 1
    # shellcheck disable=SC2086 # one word a package
    apt-get "${options[@]}" install -y -q --no-install-recommends $missing ||
        because "apt-get could not install ${missing% }; see $LOG"
}
