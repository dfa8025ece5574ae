
check_root() { [ "$(id -u)" = 0 ] || because "this has to run as root; $(id -un) is not"; }

# What --check asks, too, and does not write.
check_log() {
    [ -f "$LOG" ] && [ -w "$LOG" ] || { [ ! -e "$LOG" ] && [ -w "$(dirname "$LOG")" ]; } ||
        because "$LOG, to which all is written that is done, cannot be written"
}

check_system() {
    local found PRETTY_NAME='a system without /etc/os-release' ID='' VERSION_CODENAME=''
    # In a shell of its own: os-release sets VERSION, too.
    if [ -r /etc/os-release ]; then
        # shellcheck disable=SC1091
        IFS='|' read -r PRETTY_NAME ID VERSION_CODENAME <<<"$(. /etc/os-release &&
            printf '%s|%s|%s' "${PRETTY_NAME:-$NAME}" "${ID:-}" "${VERSION_CODENAME:-}")"
    fi
    OS_ID=$ID OS_CODENAME=$VERSION_CODENAME OS_NAME=$PRETTY_NAME
    [ "$(uname -m)" = x86_64 ] || because "$OS_NAME runs on $(uname -m) here; zstui needs x86_64" || return 1
    found=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/.* //')
    [ -n "$found" ] || because "$OS_NAME has no glibc; zstui needs glibc $GLIBC" || return 1
    at_least "$found" "$GLIBC" ||
        because "$OS_NAME has glibc $found; zstui needs $GLIBC or newer, as in Debian 12"
}

check_libvirt() {
    local found=''
    if command -v libvirtd >/dev/null; then
        found=$(libvirtd --version | sed 's/.* //')
    elif command -v virtqemud >/dev/null; then
        found=$(virtqemud --version | sed 's/.* //')
    fi
    if [ -z "$found" ]; then
        note "no libvirt here: other machines can be hosts; this one after --host-only"
        return 0
    fi
    at_least "$found" "$LIBVIRT" ||
        because "$OS_NAME has libvirt $found; a host of zstui needs $LIBVIRT or newer, as in Debian 12"
}

# The script itself, but for the line that says this.
check_script() {
    [ "$(head -c "$SCRIPT_BYTES" "$SELF" | sed '/^SCRIPT_SHA256=/d' | sha256sum)" = "$SCRIPT_SHA256  -" ] ||
        because "$SELF is damaged: the checksum of its script is another; download it again"
}

# What an installation keeps is the script alone, which brings nothing.
check_what_it_brings() { [ "$(stat -Lc %s "$SELF")" = $((SCRIPT_BYTES)) ] || check_file; }

check_file() {
    [ "$(stat -Lc %s "$SELF")" = $((SCRIPT_BYTES + UNXZ_BYTES + PAYLOAD_BYTES)) ] ||
        because "$SELF has $(stat -Lc %s "$SELF") bytes and should have $((SCRIPT_BYTES + UNXZ_BYTES + PAYLOAD_BYTES)); download it again" || return 1
    [ "$(unxz_bytes | sha256sum) $(payload_bytes | sha256sum)" = "$UNXZ_SHA256  - $PAYLOAD_SHA256  -" ] ||
        because "$SELF is damaged: its checksum is another; download it again"
}

# Neither reader ends before its writer, which would count as a failure of the pipe.
unxz_bytes() { head -c $((SCRIPT_BYTES + UNXZ_BYTES)) "$SELF" | tail -c "$UNXZ_BYTES"; }
payload_bytes() { tail -c "$PAYLOAD_BYTES" "$SELF"; }

check_space() { check_free "$ROOT" 300 -r && check_free "$DATA" 50 --data; }

# check_free FOLDER MEGABYTES OPTION
check_free() {
    local place=$1 free
    while [ ! -d "$place" ]; do place=$(dirname "$place"); done
    free=$(df -Pk "$place" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge $(($2 * 1024)) ] ||
        because "$place has $((free / 1024)) MB free, and $1 needs $2 MB; make room, or give another folder with $3"
}

# The addresses of this machine, by the kernel's own list of what is local.
own_addresses() { awk '$1 ~ /--$/ { address = $2 } / host LOCAL/ { print address }' /proc/net/fib_trie | sort -u; }

# The first IPv4 address of an interface, in NUMBER. The smallest Debian has no ip; the program that unpacks has one.
interface_address() {
    local ip=(ip)
    if ! command -v ip >/dev/null; then
        make_scratch && unxz_bytes | gzip -dc >"$SCRATCH/busybox" && chmod 700 "$SCRATCH/busybox" || return 1
        ip=("$SCRATCH/busybox" ip)
    fi
    NUMBER=$("${ip[@]}" -4 -o address show dev "$1" | sed -n '1s/.* inet \([0-9.]*\).*/\1/p')
    drop_scratch
}

is_port() { [[ $1 =~ ^[1-9][0-9]{0,4}$ ]] && [ "$1" -le 65535 ]; }

is_ipv4() {
    local each
    [[ $1 =~ ^[0-9]{1,3}(\.[0-9]{1,3}){3}$ ]] || return 1
    for each in ${1//./ }; do [ "$each" -le 255 ] || return 1; done
}

# -I ADDRESS, INTERFACE, or either with :PORT, as ADDRESS:PORT.
check_address() {
    local host=$WANTED_LISTEN port=8080 before=$LISTEN
    check_ssh || return 1
    [ -n "$host" ] || return 0
    case $host in
    *:*:*) because "-I $host: give an IPv4 address or an interface with one, and a :PORT at most" || return 1 ;;
    *:*) port=${host##*:} host=${host%:*} ;;
    esac
    is_port "$port" || because "-I $WANTED_LISTEN: $port is no port; ports are 1 to 65535" || return 1
    case $host in
    *[!0-9.]*)
        interface_address "$host" || return 1
        [ -n "$NUMBER" ] ||
            because "-I $WANTED_LISTEN: $host is neither an IPv4 address nor an interface with one" || return 1
        host=$NUMBER
        ;;
    esac
    is_ipv4 "$host" || because "-I $WANTED_LISTEN: $host is no IPv4 address" || return 1
    case $host in 0.0.0.0 | 127.*) ;; *)
        own_addresses | grep -qFx "$host" || because "-I $host is no address of this machine" || return 1
        ;;
    esac
    CHOSEN_LISTEN=$host:$port LISTEN=$host:$port
    # What is installed has its own port; one that it has not is free, or cannot become it.
    [ -z "$(current_name)" ] || [ "${before##*:}" = "$port" ] || port_is_free
}

# --ssh as zstui takes it, but for port 0.
check_ssh() {
    local each before=
    for each in "${SERVE[@]}"; do
        [ "$before" != --ssh ] || [ "$each" = none ] || { [[ $each == ?*:* ]] && is_port "${each##*:}"; } ||
            because "--ssh: '$each' is not ADDRESS:PORT, with a port from 1 to 65535" || return 1
        before=$each
    done
}

port_is_free() {
    local host=${LISTEN%:*}
    [ "$host" != 0.0.0.0 ] || host=127.0.0.1
    if (exec 7<>"/dev/tcp/$host/${LISTEN##*:}") 2>/dev/null; then
        because "something listens on $LISTEN already; stop it, or choose another with -I ADDRESS:PORT"
    fi
}

# schema_of NAME: the version of the store that what is installed keeps.
schema_of() { find "$ROOT/versions/$1/_internal/appliance/store/migrations" -name '[0-9]*.sql' | wc -l; }

# check_newer NAME: neither what is installed nor its store is newer than this. The same version may be made anew.
check_newer() {
    local there=${1%-*} schema why=
    schema=$(schema_of "$1")
    if [ "$there" != "$VERSION" ] && at_least "$there" "$VERSION"; then
        why="$1 is installed, and zstui $VERSION is older"
    elif [ "$schema" -gt "$SCHEMA" ]; then
        why="$1 keeps a store of version $schema, and zstui $VERSION knows versions up to $SCHEMA"
    fi
    [ -z "$why" ] || because "$why; $(way_back "$schema")"
}

# way_back SCHEMA: how an older version comes in the place of what is installed and keeps a store of that version.
way_back() {
    local option='-D, which sets its store aside'
    if check_previous && try_backup >/dev/null; then
        printf 'use --rollback to go back to %s' "$(before_name)"
        return
    fi
    [ "$1" -gt "$SCHEMA" ] || option='-k, which keeps its store'
    printf 'to have this one, run bash %s/installer --uninstall, then this with -r %s --data %s %s' \
        "$ROOT" "$ROOT" "$DATA" "$option"
}

# The version of the store that was left, where SQLite keeps it in a file; nothing of what is no such file.
store_version() {
    [ "$(head -c 15 "$DATA/store.db")" != "SQLite format 3" ] ||
        od -An -tu1 -j60 -N4 "$DATA/store.db" | awk '{ print (($1 * 256 + $2) * 256 + $3) * 256 + $4 }'
}

# What an installation that is not there any more has left.
check_left() {
    local there=
    [ -n "$DROP" ] || [ ! -e "$DATA/store.db" ] || there=$(store_version)
    [ "${there:-0}" -le "$SCHEMA" ] ||
        because "$DATA has a store of version $there, and zstui $VERSION knows versions up to $SCHEMA; install a later zstui with -k, or set that store aside with -D" || return 1
    [ ! -e "$DATA/store.db" ] || [ -n "$KEEP$DROP" ] || [ "$(cat "$ROOT/unfinished" 2>/dev/null)" = "$DATA" ] ||
        because "$DATA has a store from before; keep it with -k, or set it aside with -D" || return 1
    [ -z "$DROP" ] || [ ! -e "$DATA/store.db" ] || ! is_mounted "$DATA" ||
        because "$DATA is a disk of its own, which -D cannot set aside; move what is on it, or give another folder with --data"
}

# What an installation finds: nothing, itself, another version, or a store without one.
check_installed() {
    local found
    found=$(current_name)
    [ -z "$found" ] || [ -z "$DROP" ] ||
        because "$found is installed in $ROOT; -D sets aside the store of one that is not there any more" || return 1
    case $ACTION in
    install)
        [ -n "$found" ] || { check_left && port_is_free; return; }
        [ "$found" = "$NAME" ] || { check_newer "$found" &&
            because "$found is installed in $ROOT; upgrade it with -u, or take it away with --uninstall"; }
        ;;
    upgrade)
        [ -n "$found" ] || because "nothing is installed in $ROOT; install without -u" || return 1
        check_newer "$found"
        ;;
    esac
}

# What lies on another disk is deleted by who has put that there.
check_mounts() {
    local inside
    inside=$(mounts "$DATA" | grep -vFx "$(readlink -m "$DATA")" | head -n 1)
    [ -z "$inside" ] || because "$inside is mounted in $DATA, and -D would delete what is on it; unmount it first"
}

# Data of an installation that is not there any more is its owner's to delete.
what_is_left() {
    [ -z "$DROP" ] || [ ! -e "$DATA" ] || printf '; %s, which is left, is yours to delete' "$DATA"
}

check_versions() {
    is_ours "$ROOT" || because "nothing is installed in $ROOT$(what_is_left)" || return 1
    [ -z "$WANTED_DATA" ] || [ "$WANTED_DATA" = "$DATA" ] ||
        because "the data of what is installed is in $DATA, and not in $WANTED_DATA; leave --data out" || return 1
    [ "$ACTION$DROP" != uninstallyes ] || check_mounts || return 1
    [ "$ACTION$DROP" != uninstallyes ] || { { is_data "$DATA" || is_free "$DATA"; } && ! is_shared "$DATA"; } ||
        because "$DATA is no folder of zstui's own, and -D would delete it; leave -D out"
}

all_checks() {
    step "Check that this is root" check_root &&
        step "Check the system" check_system &&
        step "Check libvirt" check_libvirt &&
        step "Check the paths" check_path &&
        step "Check for another installation" check_alone &&
        step "Check this file" check_file &&
        step "Check the address" check_address &&
        step "Check the space on the disk" check_space &&
        step "Check what is installed" check_installed
}

host_checks() {
    step "Check that this is root" check_root &&
        step "Check the system" check_system &&
        step "Check this file" check_what_it_brings &&
        step "Check libvirt" check_libvirt &&
        step "Check for apt" check_apt &&
        step "Look for missing packages" check_missing
}

check_missing() {
    MISSING=$(missing_packages)
    [ -z "$MISSING" ] || [ -z "$OFFLINE" ] ||
        because "these packages are missing, and -o fetches nothing: ${MISSING% }"
}

check_apt() { command -v apt-get || because "$OS_NAME has no apt-get; --host-only prepares Debian and its kin"; }
