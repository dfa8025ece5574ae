
# An installation: versions/NAME side by side, each with the script that it came with, `current` that points to one
# of them, `installer`, which is that one's script, `settings`, and while something changes a `transition` that says
# how to go back. Whoever dies in between is undone by the guard, by the next installer, or by the next start.

settings_load() {
    [ -z "$WANTED_DATA" ] || DATA=$WANTED_DATA
    if is_ours "$ROOT" && [ -e "$ROOT/settings" ]; then
        load "$ROOT/settings" DATA LISTEN SERVE || return 1
        [ -z "$WANTED_DATA" ] || [ -n "$(current_name)" ] || [ "$ACTION" = uninstall ] || DATA=$WANTED_DATA
    fi
    [ -z "$CHOSEN_LISTEN" ] || LISTEN=$CHOSEN_LISTEN
    [ -z "$WANTED_LISTEN" ] && [ ${#WANTED_SERVE[@]} = 0 ] || SERVE=("${WANTED_SERVE[@]}")
}

# Its words have neither quotes nor control characters in them.
settings_text() {
    local each words=
    for each in "${SERVE[@]}"; do words+="'$each' "; done
    printf 'DATA=%q\nLISTEN=%q\nSERVE=(%s)\n' "$DATA" "$LISTEN" "${words% }"
}

settings_save() { settings_text >"$ROOT/settings.new" && place "$ROOT/settings"; }

# Put FILE.new in the place of FILE, all at once and for good.
place() { sync "$1.new" && mv -f "$1.new" "$1" && sync "$(dirname "$1")"; }

# copy FILE TO
copy() { cp -p "$1" "$2.new" && place "$2"; }

# script_place NAME: the script that a version came with is the installation's from now on. One that an older
# installer has unpacked has none of its own.
script_place() {
    [ ! -f "$ROOT/versions/$1/share/installer" ] || copy "$ROOT/versions/$1/share/installer" "$ROOT/installer"
}

current_name() { [ ! -L "$ROOT/current" ] || basename "$(readlink "$ROOT/current")"; }

# Make a version the one that runs from now on. One rename: there is no moment without one.
point_to() {
    ln -sfn "versions/$1" "$ROOT/current.new" && mv -fT "$ROOT/current.new" "$ROOT/current" && sync "$ROOT"
}

# transition_write FROM TO BACKUP STAGE [ASIDE WAS]. The script of FROM reads the first four, too.
transition_write() {
    printf 'FROM=%q\nTO=%q\nBACKUP=%q\nSTAGE=%q\n' "${@:1:4}" >"$ROOT/transition.new" &&
        printf '%s' "${5:+ASIDE=$5$'\n'}" "${6:+WAS=$6$'\n'}" >>"$ROOT/transition.new" && place "$ROOT/transition"
}

transition_end() { rm -f "$ROOT/transition" && sync "$ROOT" && rm -f "$ROOT"/{settings,previous}.before; }

# Go back to what was before a transition, but for starting it. May itself be cut off, and is done again then.
transition_undo() {
    local FROM='' TO='' BACKUP='' STAGE='' ASIDE='' WAS=''
    [ -f "$ROOT/transition" ] || return 0
    load "$ROOT/transition" FROM TO BACKUP STAGE ASIDE WAS || return 1
    printf '%s undoing the change from %s to %s\n' "$(date -u +%FT%TZ)" "${FROM:-nothing}" "$TO" >>"$LOG"
    if [ "$STAGE" = changing ] && [ -n "$BACKUP" ]; then
        "$ROOT/versions/$FROM/zstui" --data "$DATA" restore "$BACKUP" >>"$LOG" 2>&1 || return 1
    fi
    if [ -n "$FROM" ]; then change_undo "$FROM"; else fresh_undo "$ASIDE" "$WAS"; fi || return 1
    drop_versions
    transition_end || return 1
    [ -n "$FROM" ] || rm -f "$ROOT/settings"
}

# The version before is run in its own way: the unit goes back before the script that the unit calls.
change_undo() {
    local each
    point_to "$1" || return 1
    for each in settings previous; do
        [ ! -f "$ROOT/$each.before" ] || copy "$ROOT/$each.before" "$ROOT/$each" || return 1
    done
    # Nor is there a way back to itself, in words that its script may not know.
    [ -f "$ROOT/previous.before" ] || [ "$(before_name)" != "$1" ] || rm -f "$ROOT/previous" || return 1
    ! unit_is_ours || unit_place || return 1
    script_place "$1"
}

# Nothing is left that a start of the machine would run.
fresh_undo() { rm -f "$ROOT/current" && service_remove && bring_back "$1" && data_undo "$2"; }

# data_undo WAS: make a data folder that was not there, or was empty with those rights, that again. That is for who
# began it, and its guard; who comes later does not know whether it was used since.
data_undo() {
    [ -n "$UNUSED" ] && [ -n "$1" ] || return 0
    # Who was cut off may not have come to it.
    ! is_ours "$DATA" || if [ "$1" = none ]; then delete_data; else delete_content "$DATA" && chmod "$1" "$DATA"; fi &&
        rm -f "$ROOT/unfinished"
}

# Make the data folder that was set aside what it was; what was begun in its place goes. Who was cut off while
# it was set aside, on a file system that copies where others rename, may have left half of it in either place.
bring_back() {
    local aside=$1 data=${1%.dropped-*}
    [ -n "$aside" ] || return 0
    if [ -e "$aside.part" ]; then
        [ ! -e "$data" ] || because "$data is partly in $aside.part; bring both together" || return 1
        mv -T "$aside.part" "$aside" || return 1
    fi
    [ ! -e "$aside" ] || { rm -rf "$data" && mv -T "$aside" "$data" && sync "$(dirname "$data")"; }
}

# Delete the versions that are neither the current one, nor one to go back to, nor NAME.
drop_versions() {
    local each current kept
    current=$(current_name)
    kept=$(before_name) || return 1
    for each in "$ROOT"/versions/*-????????????{,.part}; do
        case ${each##*/} in "$current" | "$kept" | "${1:-}") ;; *) remove "$each" ;; esac
    done
}

# The version that --rollback would go back to.
before_name() {
    local NAME='' BEFORE=''
    # Who only asks for the name keeps his own settings.
    local LISTEN='' SERVE=()
    [ ! -f "$ROOT/previous" ] || load "$ROOT/previous" NAME BEFORE LISTEN SERVE || return 1
    printf %s "$NAME"
}

# Undo, and bring back what ran before. Whoever calls this holds the installation's lock.
recover() {
    [ -f "$ROOT/transition" ] || return 0
    # Where the data is, is not for the one who has come to undo it to choose.
    [ ! -e "$ROOT/settings" ] || load "$ROOT/settings" DATA LISTEN SERVE || return 1
    # A start that the killed one has asked for may come late: it must not run what is being taken back.
    : >"$ROOT/undoing"
    service_stop && transition_undo && rm -f "$ROOT/undoing" || return 1
    settings_load || return 1
    [ -z "$(current_name)" ] || service_start
}

# Of what was never installed nothing is left, not even an empty folder.
leave_nothing() { [ -n "$(current_name)" ] || [ -e "$ROOT/unfinished" ] || delete_root; }

# The lock is on descriptor 9, which no process that stays may inherit. Who was waited for may have deleted it.
lock_take() {
    is_ours "$ROOT" && exec 9>"$ROOT/lock" && flock "$@" 9 && [ "$ROOT/lock" -ef "/proc/$$/fd/9" ]
}

# Wait for the end of the installer that started this. If it left a transition, it was killed: undo.
guard() {
    exec </dev/null >>"$LOG" 2>&1
    lock_take || exit 1
    UNUSED=yes
    [ ! -f "$ROOT/transition" ] || { recover && leave_nothing; }
}

# What was put into the background goes on without this. One that has ended already is no job any more.
let_go() { disown 2>/dev/null || :; }

guard_start() {
    [ -z "${GUARDED:-}" ] || return 0
    GUARDED=yes
    setsid bash "$SELF" --guard -r "$ROOT" </dev/null >/dev/null 2>&1 3>&- 4>&- 9>&- &
    let_go
}
