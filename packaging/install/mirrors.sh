
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
    local code
    [ -n "$MISSING" ] || return 0
    make_scratch && apt_settings "$SCRATCH" || return 1
    # What it starts may stay.
    apt_install --config-file="$SCRATCH/apt.conf" 6<&-
    code=$?
    drop_scratch
    [ "$code" = 0 ] || return 1
    [ -z "$MIRROR" ] ||
        note "packages came from $(mirror_lines "$OS_ID" | sed -n '1s/^deb \([^ ]*\).*/\1/p'), this once; the system's own sources are as they were"
}

# apt_settings FOLDER: what apt is told for now, in a file: what is on its command line it remembers for all to read.
apt_settings() {
    if [ -n "$MIRROR" ]; then
        mkdir -p "$1/lists/partial" && mirror_lines "$OS_ID" >"$1/sources.list" && chmod -R a+rX "$1" || return 1
    fi
    {
        [ -z "$PROXY" ] || printf 'Acquire::%s::Proxy "%s";\n' http "$PROXY" https "$PROXY"
        [ -z "$MIRROR" ] || printf 'Dir::%s "%s";\n' \
            Etc::SourceList "$1/sources.list" Etc::SourceParts - State::Lists "$1/lists"
    } >"$1/apt.conf"
}

# apt_install OPTION …: what is missing. apt calls it no failure to fetch no lists, until it finds no package in them.
apt_install() {
    local begun
    begun=$(wc -c <"$LOG")
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 # one word a package
    apt-get "$@" update -q && apt-get "$@" install -y -q --no-install-recommends $MISSING && return
    REASON=$(tail -c "+$((begun + 1))" "$LOG" | sed -n 's/^[WE]: Failed to fetch //p; s/^E: //p' | head -n 1)
    because "apt-get could not install what is missing: ${REASON:-it says nothing}; another mirror can be given with -R, a proxy with -y; see $LOG"
}
