
# What is done, one step after the other. Up to the transition nothing that runs is touched.

unpack() {
    local folder=$ROOT/versions/$NAME scratch
    mkdir -p "$ROOT/versions" && chmod 755 "$ROOT/versions" || return 1
    [ ! -d "$folder" ] || { keep_script "$folder"; return; }
    scratch=$folder.part
    rm -rf "$scratch"
    mkdir "$scratch" && unpack_into "$scratch" || return 1
    # Hosts get the agent packed; in the payload it is not, since so it takes less of that.
    gzip -6n "$scratch"/_internal/agent/*.tar || return 1
    keep_script "$scratch" && chmod -R go=u-w "$scratch" && sync -f "$scratch" && mv -T "$scratch" "$folder" &&
        sync "$ROOT/versions"
}

unpack_into() {
    set -o pipefail
    if command -v xz >/dev/null; then
        payload_bytes | xz -dc | tar -x -C "$1" --no-same-owner
    else
        unxz_bytes | gzip -dc >"$1/busybox" && chmod 700 "$1/busybox" &&
            payload_bytes | "$1/busybox" unxz -c | tar -x -C "$1" --no-same-owner
    fi
    # shellcheck disable=SC2181 # of either way
    [ $? = 0 ] || because "the payload could not be unpacked; see $LOG" || return 1
    rm -f "$1/busybox"
}

# try_program FOLDER: the program in it runs here, and is what it should be.
try_program() {
    local said
    said=$("$1/zstui" --version 2>&1) ||
        because "zstui does not run here: $(cause <<<"$said")" || return 1
    [ "$said" = "zstui $VERSION" ] || because "the program says that it is $said, and not zstui $VERSION"
}

# check_reach FOLDER: the words of the program in it on how it is to be reached. Nothing has changed yet.
check_reach() {
    local said found
    said=$("$1/zstui" --serve --check --data "$DATA" --listen "$LISTEN" "${SERVE[@]}" 2>&1) && return
    printf '%s\n' "$said"
    VERDICT=$REFUSED
    found=$(sed -n 's/^zstui: //p' <<<"$said" | paste -sd ' ')
    because "${found:-the program of $NAME fails: $(cause <<<"$said")}"
}

# The script alone, beside the program that it came with: it launches, supervises, rolls back and uninstalls.
keep_script() {
    head -c "$SCRIPT_BYTES" "$SELF" >"$1/share/installer.new" && place "$1/share/installer"
}

# What has its last name is whole.
set_store_aside() {
    [ -n "$ASIDE" ] || return 0
    mv -T "$DATA" "$ASIDE.part" && mv -T "$ASIDE.part" "$ASIDE" && note "what was in $DATA is in $ASIDE now"
}

make_data() {
    set_store_aside && claim "$DATA" 700 || return 1
    [ -e "$DATA/store.db" ] || return 0
    # A store that is kept becomes one of this version, or is refused, before anything runs on it.
    "$ROOT/versions/$NAME/zstui" --data "$DATA" migrate && STORE_KEPT=yes
}

install_fresh() {
    step "Unpack zstui $VERSION" unpack &&
        step "Try the program" try_program "$ROOT/versions/$NAME" &&
        step "Check how it is to be reached" check_reach "$ROOT/versions/$NAME" &&
        step "Write the installation down" begin_fresh &&
        step "Prepare the data folder" make_data &&
        step "Make $VERSION the current version" switch_to "$NAME" &&
        start_and_check
}

# Whose store is not there yet finds its own when it is repeated: `unfinished` names the folder until the end.
# Whoever undoes it reads in the settings where the data is.
begin_fresh() {
    local was=
    ASIDE=
    if [ ! -e "$DATA/store.db" ]; then
        printf '%s' "$DATA" >"$ROOT/unfinished" || return 1
        if [ ! -e "$DATA" ]; then was=none; elif is_free "$DATA"; then was=$(stat -c %a "$DATA"); fi
    elif [ -n "$DROP" ]; then
        ASIDE=$DATA.dropped-$(date -u +%Y%m%d-%H%M%S)
        [ ! -e "$ASIDE" ] && [ ! -e "$ASIDE.part" ] || because "$ASIDE is there already" || return 1
    fi
    UNUSED=yes
    settings_save && transition_write "" "$NAME" "" stopping "$ASIDE" "$was" && guard_start
}

end_fresh() { transition_end && rm -f "$ROOT/unfinished"; }

switch_to() { point_to "$1" && script_place "$1" && service_install; }

# finish COMMAND: what is done from here on is not taken back when somebody interrupts it.
finish() {
    trap '' INT TERM HUP
    "$@"
}

start_and_check() {
    if [ -n "$START" ]; then
        step "Start zstui" service_start && step "Wait until zstui answers" service_wait || return 1
    fi
    step "Finish" finish end_fresh
}

# change TO HOW …: stop, back up, let HOW change the store, switch, start, look after the hosts.
change() {
    local to=$1
    shift
    BACKUP=$DATA/backups/before-$to-$(date -u +%Y%m%d-%H%M%S).db
    HOSTS_BEFORE=
    [ -z "$(appliance_pid)" ] || HOSTS_BEFORE=$(connected_hosts 2>>"$LOG")
    step "Write down the way back" begin_change "$to" &&
        step "Stop zstui" service_stop &&
        step "Check that the address is free" port_is_free &&
        step "Back up the store" "$ROOT/versions/$FROM/zstui" --data "$DATA" backup "$BACKUP" &&
        step "Prepare the store" change_store "$to" "$@" &&
        step "Make $to the current version" switch_to "$to" || return 1
    if [ -n "$START" ]; then
        step "Start zstui" service_start &&
            step "Wait until zstui answers" service_wait &&
            step "Wait for the hosts, with their agents renewed" hosts_wait || return 1
    fi
}

begin_change() {
    local each script=$ROOT/versions/$FROM/share/installer
    for each in settings previous; do
        rm -f "$ROOT/$each.before"
        [ ! -f "$ROOT/$each" ] || copy "$ROOT/$each" "$ROOT/$each.before" || return 1
    done
    # An older installer has kept its script for the installation alone.
    [ -f "$script" ] || copy "$ROOT/installer" "$script" || return 1
    transition_write "$FROM" "$1" "" stopping && guard_start && settings_save
}

change_store() {
    transition_write "$FROM" "$1" "$BACKUP" changing || return 1
    "$ROOT/versions/$1/zstui" --data "$DATA" "${@:2}"
}

# What --rollback needs is on disk before the transition ends.
end_change() {
    if [ "$ACTION" = upgrade ]; then
        # How it was reached goes back, too.
        { printf 'NAME=%q\nBEFORE=%q\n' "$FROM" "$BACKUP" && grep -v ^DATA= "$ROOT/settings.before"; } \
            >"$ROOT/previous.new" && place "$ROOT/previous" || return 1
    else
        rm -f "$ROOT/previous"
    fi
    transition_end || return 1
    drop_versions "$FROM" || note "not all that is old could be deleted; see $LOG"
}

# What is installed already is to be reached otherwise.
reach() {
    FROM=$NAME
    step "Try the program" try_program "$ROOT/versions/$NAME" &&
        step "Check how it is to be reached" check_reach "$ROOT/versions/$NAME" &&
        step "Write down the way back" begin_change "$NAME" &&
        step "Stop zstui" service_stop &&
        step "Check that the address is free" port_is_free || return 1
    if [ -n "$START" ]; then
        step "Start zstui" service_start && step "Wait until zstui answers" service_wait || return 1
    fi
    step "Finish" finish transition_end
}

upgrade() {
    FROM=$(current_name)
    step "Unpack zstui $VERSION beside $FROM" unpack &&
        step "Try the program" try_program "$ROOT/versions/$NAME" &&
        step "Check how it is to be reached" check_reach "$ROOT/versions/$NAME" &&
        change "$NAME" migrate &&
        step "Finish" finish end_change
}

check_previous() {
    local before
    before=$(before_name) || because "$ROOT/previous is not as zstui wrote it" || return 1
    [ -n "$before" ] && [ "$before" != "$(current_name)" ] ||
        because "there is no version to go back to in $ROOT" || return 1
    [ -x "$ROOT/versions/$before/zstui" ] ||
        because "$before, the version to go back to, is not in $ROOT/versions any more; stay with $(current_name)"
}

# What the version before makes of its backup, in a folder that goes again. It looks at all that is in it.
try_backup() {
    local NAME='' BEFORE='' LISTEN='' SERVE=() said code
    load "$ROOT/previous" NAME BEFORE LISTEN SERVE || return 1
    [ -f "$BEFORE" ] ||
        because "$BEFORE, the store that $NAME goes back to, is gone; put it there again, or stay with $(current_name)" || return 1
    check_free "${TMPDIR:-/tmp}" $(($(stat -c %s "$BEFORE") * 2 / 1048576 + 1)) TMPDIR && make_scratch || return 1
    said=$("$ROOT/versions/$NAME/zstui" --data "$SCRATCH/data" restore "$BEFORE" 2>&1)
    code=$?
    drop_scratch
    [ "$code" = 0 ] && return
    printf '%s\n' "$said"
    # It says of a store what is so of the backup.
    said=$(cause <<<"$said" | sed 's/^zstui: //; s/^the store is damaged (\(.*\)); .*/\1/; s/^the copy of the store is .*kept: //')
    because "$BEFORE, the store that $NAME goes back to, cannot be restored: ${said:-it does not say why}; put a sound one in its place, or stay with $(current_name)"
}

rollback() {
    local BEFORE=''
    FROM=$(current_name)
    load "$ROOT/previous" NAME BEFORE LISTEN SERVE || return 1
    say "going back to $NAME, with its store and settings from before the upgrade; what was done since is kept in a backup"
    change "$NAME" restore "$BEFORE" && step "Finish" finish end_change
}

uninstall() {
    step "Stop zstui" service_stop && step "Take the service away" service_remove || return 1
    if [ -n "$DROP" ]; then
        step "Delete $DATA, with all that is in it" delete_data || return 1
    else
        [ ! -e "$DATA" ] || say "the data stays in $DATA; hosts keep their guests"
    fi
    step "Delete $ROOT" delete_root
}

# By name, what the installer made: anything else is somebody's. Who is cut off in it can be repeated: the mark, and
# where the data is, go last.
delete_root() {
    local each left
    for each in "$ROOT"/versions/*-????????????{,.part} "$ROOT"/{installer,settings,previous,transition,current}.new \
        "$ROOT"/{settings,previous}.before{,.new} "$ROOT"/{current,previous,transition,unfinished,undoing} \
        "$ROOT"/supervisor.{lock,pid}; do
        remove "$each" || return 1
    done
    [ ! -d "$ROOT/versions" ] || [ -n "$(content "$ROOT/versions")" ] || rmdir "$ROOT/versions"
    rm -f "$ROOT/installer" "$ROOT/lock" "$ROOT/$MARK" "$ROOT/settings"
    left=$(content "$ROOT" | sed 's|.*/||' | sort | head -n 5 | tr '\n' ' ')
    if [ -n "$left" ]; then
        note "$ROOT stays: what is in it is not the installer's: ${left% }"
    elif is_mounted "$ROOT"; then
        note "$ROOT stays: it is a disk of its own"
    else
        rmdir "$ROOT"
    fi
}

host_only() {
    step "Install what a host needs" fetch_packages &&
        step "Check libvirt again" check_libvirt &&
        step "Start sshd and libvirt" start_host_services || return 1
    say "this machine is ready: AddKVMHost clusterUuid=… name=$(hostname) managementIp=… username=root password=…"
    [ "$(sshd -T 2>/dev/null | sed -n 's/^permitrootlogin //p')" = yes ] ||
        say "its sshd lets root in by key only: give a user with sudo that asks for no password, or PermitRootLogin yes until it is added"
}

start_host_services() {
    if has_systemd; then
        systemctl enable --now ssh.service libvirtd.service
    else
        note "there is no systemd here: start sshd and libvirtd by this system's own means"
    fi
}
