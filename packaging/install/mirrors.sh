
# The one place where a mirror's host stands: the sources of a distribution on one. What comes from there is signed
# by the distribution, so that HTTP will do, which the smallest Debian can.
mirror_lines() {
    local base
    case $MIRROR in
    163) base=http://mirrors.163.com ;;
    aliyun) base=http://mirrors.aliyun.com ;;
    http://?* | https://?* | file:/?*)
        printf 'deb %s %s main\n' "${MIRROR%/}" "$OS_CODENAME"
        return
        ;;
    *) return 1 ;;
    esac
    printf 'deb %s/%s %s%s main\n' "$base" "$1" "$OS_CODENAME" "" "$base" "$1" "$OS_CODENAME" -updates
    case $1 in
    debian) printf 'deb %s/debian-security %s-security main\n' "$base" "$OS_CODENAME" ;;
    *) printf 'deb %s/%s %s-security main\n' "$base" "$1" "$OS_CODENAME" ;;
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
    local options=() scratch='' code
    [ -n "$MISSING" ] || return 0
    [ -z "$PROXY" ] || options+=(-o "Acquire::http::Proxy=$PROXY" -o "Acquire::https::Proxy=$PROXY")
    if [ -n "$MIRROR" ]; then
        scratch=$(mktemp -d) && mkdir -p "$scratch/lists/partial" &&
            mirror_lines "$OS_ID" >"$scratch/sources.list" && chmod -R a+rX "$scratch" || return 1
        options+=(-o "Dir::Etc::SourceList=$scratch/sources.list" -o Dir::Etc::SourceParts=-)
        options+=(-o "Dir::State::Lists=$scratch/lists")
    fi
    apt_install "${options[@]}"
    code=$?
    [ -z "$scratch" ] || rm -rf "$scratch"
    [ "$code" = 0 ] || return 1
    [ -z "$MIRROR" ] ||
        note "packages came from $(mirror_lines "$OS_ID" | sed -n '1s/^deb \([^ ]*\).*/\1/p'), this once; the system's own sources are as they were"
}

# apt_install OPTION …: what is missing.
apt_install() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get "$@" update -q ||
        because "apt-get update failed; see $LOG" || return 1
    # shellcheck disable=SC2086 # one word a package
    apt-get "$@" install -y -q --no-install-recommends $MISSING ||
        because "apt-get could not install ${MISSING% }; see $LOG"
}
