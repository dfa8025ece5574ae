
# Which folders are zstui's. One that is has a mark, its owner is who runs this, and nobody else can write to it.
MARK=.zstui

# safe FILE-OR-FOLDER: nobody else can have written it.
safe() { [ -n "$(find "$1" -maxdepth 0 -uid "$(id -u)" ! -perm /022 2>/dev/null)" ]; }

# is_ours FOLDER. An installation that is older than the mark is known by the script that it keeps.
is_ours() {
    [ -d "$1" ] && safe "$1/." || return 1
    if [ -f "$1/$MARK" ]; then safe "$1/$MARK"; else
        [ -f "$1/installer" ] && safe "$1/installer" && head -n 2 "$1/installer" | grep -q '^# The installer of zstui '
    fi
}

# A folder of data that is older than the mark is known by its store.
is_data() { is_ours "$1" || { [ -f "$1/store.db" ] && safe "$1/." && safe "$1/store.db"; }; }

# What is in a folder, but for what a new file system has.
content() { find "$1/." -mindepth 1 -maxdepth 1 ! -name lost+found; }

# mounts FOLDER: what is mounted there, and in it.
mounts() {
    awk -v at="$(readlink -m "$1")" '$5 == at || index($5, at "/") == 1 { print $5 }' /proc/self/mountinfo
}

is_mounted() { mounts "$1" | grep -qFx "$(readlink -m "$1")"; }

# The options of the disk that a path is on.
mount_options() {
    awk -v at="$(readlink -m "$1")/" '$5 == "/" || index(at, $5 "/") == 1 {
        if (length($5) >= length(best)) { best = $5; found = $6 "," $NF }
    } END { print found }' /proc/self/mountinfo
}

# check_ground PATH OPTION: what is to be made there can be.
check_ground() {
    local ground=$1
    until [ -e "$ground" ] || [ -L "$ground" ]; do ground=$(dirname "$ground"); done
    [ -d "$ground" ] || because "$1 cannot be: $ground is no folder; give another with $2" || return 1
    case ,$(mount_options "$ground"), in *,ro,*)
        because "$1 cannot be: the disk of $ground can only be read; give another with $2" || return 1
        ;;
    esac
    [ -w "$ground" ] || because "$1 cannot be: $ground cannot be written to; give another with $2"
}

# check_runs FOLDER WAY-OUT: what is executed from there can be.
check_runs() {
    case ,$(mount_options "$1"), in *,noexec,*)
        because "nothing on the disk of $1 may be run (noexec); $2"
        ;;
    esac
}

# Whether a folder can become ours: it is not there, or empty and nobody else's.
is_free() {
    [ -e "$1" ] || [ -L "$1" ] || return 0
    [ -d "$1" ] && safe "$1/." && [ -z "$(content "$1")" ]
}

# claim FOLDER MODE: make it ours. It has its mark before anything else is in it.
claim() {
    is_ours "$1" || is_data "$1" || is_free "$1" ||
        because "$1 is not zstui's" || return 1
    mkdir -p "$1" && : >>"$1/$MARK" && chmod "$2" "$1"
}

# Folders that others share: whoever takes one for himself breaks the system.
is_shared() {
    case $(readlink -m "$1") in
    / | /home | /media | /mnt | /opt | /root | /srv | /tmp | /usr | /usr/local | /var) ;;
    /bin | /boot | /dev | /etc | /lib | /lib32 | /lib64 | /libx32 | /proc | /run | /sbin | /sys) ;;
    /bin/* | /boot/* | /dev/* | /etc/* | /lib/* | /lib32/* | /lib64/* | /libx32/* | /proc/* | /run/* | /sbin/* | /sys/*) ;;
    /usr/bin* | /usr/include* | /usr/lib* | /usr/sbin* | /usr/share* | /usr/src*) ;;
    /usr/local/bin | /usr/local/etc | /usr/local/lib | /usr/local/sbin | /usr/local/share | /usr/local/src) ;;
    /var/backups | /var/cache | /var/lib | /var/local | /var/log | /var/mail | /var/opt | /var/spool | /var/tmp) ;;
    /var/lib/dpkg* | /var/lib/apt* | /var/lib/systemd*) ;;
    *) return 1 ;;
    esac
}

# is_in PATH FOLDER: whether a path is a folder, or in it.
is_in() {
    case $(readlink -m "$1")/ in "$(readlink -m "$2")"/*) ;; *) return 1 ;; esac
}

# check_place FOLDER OPTION OURS: whether a folder is one to begin in, given what tells that it is ours.
check_place() {
    local first
    ! is_shared "$1" || because "$1 belongs to the system; give a folder of zstui's own with $2" || return 1
    ! "$3" "$1" && ! is_free "$1" || return 0
    if [ -f "$1/store.db" ] && ! safe "$1/store.db"; then
        because "$1/store.db is not root's alone to write to; give another folder with $2"
    elif [ -d "$1" ] && safe "$1/."; then
        first=$(content "$1" | sort | head -n 1)
        because "$1 is not zstui's: ${first##*/} is in it; give another folder with $2"
    else
        because "$1 is no folder, or not root's alone to write to; give another with $2"
    fi
}

check_path() {
    local each
    for each in "$ROOT" "$DATA"; do
        case $each in
        *[!A-Za-z0-9/._-]* | *..* | [!/]*)
            because "$each cannot be used: give a whole path of letters, digits, and . _ - /" || return 1
            ;;
        esac
    done
    check_ground "$ROOT" -r && check_runs "$ROOT" "give another folder with -r" && check_ground "$DATA" --data || return 1
    # What is installed already stays where it is.
    if is_ours "$ROOT" && [ -n "$(current_name)" ]; then
        [ -z "$WANTED_DATA" ] || [ "$WANTED_DATA" = "$DATA" ] ||
            because "the data of what is installed is in $DATA; it cannot be moved by --data"
        return
    fi
    check_place "$ROOT" -r is_ours && check_place "$DATA" --data is_data || return 1
    if is_in "$DATA" "$ROOT" || is_in "$ROOT" "$DATA"; then
        because "the programs in $ROOT and the data in $DATA must not be in each other"
    fi
}

# A folder in SCRATCH, which goes with this script. Its lock tells others that this lives, or what this has started.
make_scratch() {
    for _ in 1 2 3; do
        # One that has no lock yet may be taken for one that was left.
        SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/zstui-try.XXXXXXXXXX") && exec 6<"$SCRATCH" && flock -n 6 &&
            [ -d "$SCRATCH" ] && return
        drop_scratch
    done
    because "no folder can be made in ${TMPDIR:-/tmp}; name another in TMPDIR"
}

drop_scratch() {
    [ -z "$SCRATCH" ] || rm -rf "$SCRATCH"
    exec 6<&-
    SCRATCH=
}

# Those that killed ones have left: of that name, only this user's to write to, and with a lock that nobody has.
drop_left_scratch() {
    local each
    for each in "${TMPDIR:-/tmp}"/zstui-try.??????????; do
        [ ! -d "$each" ] || ! safe "$each" || (exec 5<"$each" && flock -n 5 && rm -rf "$each")
    done
}

# load FILE NAME …: set variables from lines NAME=VALUE that this script wrote. Nothing in them is run.
load() {
    local file=$1 line value
    shift
    [ -f "$file" ] && safe "$file" || because "$file is not zstui's, or others can write to it" || return 1
    while IFS= read -r line || [ -n "$line" ]; do
        value=${line#*=}
        case $line in
        SERVE=\(*\)) load_words "${value:1:-1}" && continue ;;
        *=\'\') value='' ;;
        esac
        case " $* " in *" ${line%%=*} "*) ;; *) value=\? ;; esac
        case $value in *[!A-Za-z0-9/._:+-]*)
            because "$file has a line that zstui did not write: $line" || return 1
            ;;
        esac
        printf -v "${line%%=*}" %s "$value"
    done <"$file"
}

# The words of SERVE, each in quotes.
load_words() {
    local rest=$1
    SERVE=()
    while [ -n "$rest" ]; do
        [[ $rest =~ ^\'([^\']*)\'\ ?(.*)$ ]] || return 1
        SERVE+=("${BASH_REMATCH[1]}") rest=${BASH_REMATCH[2]}
    done
}

delete_content() { content "$1" | tr '\n' '\0' | xargs -0r rm -rf; }

# Delete the data, and all else that is with it. Where a disk is mounted, that stays so.
delete_data() {
    if is_mounted "$DATA"; then
        delete_content "$DATA" && note "$DATA stays: it is a disk of its own; what was on it is deleted"
    else
        rm -rf "$DATA"
    fi
}

# Delete what the installer made, but never what has the data in it.
remove() {
    if [ -e "$DATA" ] && is_in "$DATA" "$1"; then
        note "$1 stays: the data is in it"
    else
        rm -rf "$1"
    fi
}
