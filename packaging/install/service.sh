
# How the appliance is kept running: by systemd where it is, else by a supervisor of ours.

has_systemd() { [ -d /run/systemd/system ]; }

how_to_start() {
    if has_systemd; then
        echo "systemctl start zstui.service"
    else
        echo "setsid bash $ROOT/installer --supervise -r $ROOT &"
    fi
}

# The unit comes first and goes last: it tells whose the other two are.
service_install() {
    ! has_systemd || unit_place || return 1
    how_to_start >"$DATA/service.new" && place "$DATA/service" || return 1
    ln -sfn "$ROOT/current/zstui" "$COMMAND.new" && mv -fT "$COMMAND.new" "$COMMAND" || return 1
    ! has_systemd || systemctl enable zstui.service
}

# Which installations the command and the unit are of.
command_root() {
    local found
    found=$(readlink "$COMMAND") || return 0
    case $found in */current/zstui) printf '%s\n' "${found%/current/zstui}" ;; esac
}

unit_root() {
    ! has_systemd || sed -n 's|^ExecStart=/bin/bash \(.*\)/installer --launch .*|\1|p' "$UNIT" 2>/dev/null
}

# Another installation than this. What one that was deleted by hand has left is nobody's.
other_root() {
    local each
    for each in $(unit_root) $(command_root); do
        is_root "$each" || [ ! -L "$each/current" ] || { printf '%s' "$each" && return; }
    done
}

# One machine has one installation: unit and command are of this, or of none.
check_alone() {
    local other
    other=$(other_root)
    [ -z "$other" ] ||
        because "zstui is installed in $other; uninstall that first, or give -r $other" || return 1
    [ ! -e "$COMMAND" ] || [ -n "$(command_root)" ] ||
        because "$COMMAND is not zstui's; take it away first" || return 1
    ! has_systemd || [ ! -e "$UNIT" ] || [ -n "$(unit_root)" ] ||
        because "$UNIT is not zstui's; take it away first"
}

unit_text() { sed -e "s|@PATH@|$ROOT|g" -e "s|@DATA@|$DATA|g" "$ROOT/current/share/zstui.service"; }

# The unit of the current version. It is not written again: who is run by the unit cannot.
unit_place() {
    unit_text | cmp -s - "$UNIT" ||
        { unit_text >"$UNIT.new" && chmod 644 "$UNIT.new" && place "$UNIT"; } || return 1
    systemctl daemon-reload
}

# Another installation, or somebody else, may have put theirs there.
command_remove() { ! is_root "$(command_root)" || rm -f "$COMMAND"; }

unit_is_ours() { has_systemd && is_root "$(unit_root)"; }

# systemd is told the same by every installation.
start_remove() {
    if has_systemd; then unit_is_ours; else [ "$(cat "$DATA/service" 2>/dev/null)" = "$(how_to_start)" ]; fi || return 0
    rm -f "$DATA/service"
}

# By whatever name.
is_root() { [ -n "$1" ] && [ "$(readlink -m "$1")" = "$(readlink -m "$ROOT")" ]; }

service_remove() {
    command_remove && start_remove || return 1
    ! unit_is_ours || { systemctl disable zstui.service && rm -f "$UNIT" && systemctl daemon-reload; }
}

service_start() {
    ! has_systemd || systemctl reset-failed zstui.service
    ENDS=$(ends)
    if has_systemd; then
        BEGINNING=$(date +%s)
        systemctl start zstui.service
        return
    fi
    BEGINNING=$(stat -c %s "$DATA/appliance.log" 2>/dev/null || echo 0)
    # While something is undone signals are ignored, and bash cannot trap what it was born to ignore.
    setsid env --default-signal=INT,TERM,HUP bash "$ROOT/installer" --supervise -r "$ROOT" \
        </dev/null >>"$LOG" 2>&1 3>&- 4>&- 9>&- &
    let_go
}

service_stop() {
    local pid
    if has_systemd; then
        ! unit_is_ours || systemctl stop zstui.service || because "systemd could not stop zstui" || return 1
    elif ! (flock -n 8) 8>>"$ROOT/supervisor.lock"; then
        pid=$(cat "$ROOT/supervisor.pid")
        kill -TERM "$pid" 2>/dev/null
        # One that has only just begun has not said yet which process it is.
        (flock -w 40 8) 8>>"$ROOT/supervisor.lock" ||
            because "the supervisor, process $pid, does not end" || return 1
    fi
    # One that a face has started, or whose supervisor was killed.
    pid=$(appliance_pid)
    [ -z "$pid" ] || kill -TERM "$pid" 2>/dev/null || :
    [ -z "$pid" ] || ended "$pid" || because "the appliance, process $pid, does not end"
}

# The process that has the data folder, if it is one of this installation's.
appliance_pid() {
    local pid
    [ -f "$DATA/lock" ] && read -r pid _ <"$DATA/lock" || return 0
    case $(readlink "/proc/$pid/exe" 2>/dev/null) in "$(readlink -f "$ROOT")"/versions/*) printf '%s' "$pid" ;; esac
}

ended() {
    local left=400
    while kill -0 "$1" 2>/dev/null && [ "$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -c 1)" != Z ]; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        sleep 0.1
    done
}

# Before a start: undo what an installer that was cut off has left, unless one is at work.
settle() {
    is_ours "$ROOT" || because "$ROOT is not zstui's, or others can write to it" || return 1
    if lock_take -n; then
        settings_load && transition_undo && rm -f "$ROOT/undoing" || return 1
    elif [ -e "$ROOT/undoing" ]; then
        because "an installer undoes in $ROOT what another has begun" || return 1
    fi
    exec 9>&-
}

# The same, for the unit's condition: its locks would keep the unit itself and the command from going back. Ends
# with 1 where nothing is left to start, and with 255 when it has to be tried again.
undo() {
    settle || {
        printf '%s\n' "$REASON" >&2
        exit 255
    }
    something_to_start || exit 1
}

something_to_start() {
    [ -n "$(current_name)" ] || {
        printf 'the installation in %s was cut off, and is undone; install zstui again\n' "$ROOT" >&2
        return 1
    }
}

# Run the appliance in the place of this process.
launch() {
    settle || refuse
    something_to_start || exit 0
    settings_load && mkdir -p "$DATA" || exit 1
    unset ZSTUI_START_NONE
    exec "$ROOT/current/zstui" --serve --data "$DATA" --listen "$LISTEN" "${SERVE[@]}"
}

# Keep the appliance running until told to stop.
supervise() {
    local child='' pause=1 begun code
    exec 8>>"$ROOT/supervisor.lock"
    flock -n 8 || exit 0
    echo $$ >"$ROOT/supervisor.pid"
    trap '[ -z "$child" ] || { kill -TERM "$child"; wait "$child"; }; exit 0' TERM INT
    mkdir -p "$DATA"
    while :; do
        begun=$SECONDS
        bash "$ROOT/installer" --launch -r "$ROOT" >>"$DATA/appliance.log" 2>&1 8>&- &
        child=$!
        wait "$child"
        code=$?
        printf '%s the appliance ended with %d\n' "$(date -u +%FT%TZ)" "$code" >>"$DATA/appliance.log"
        child=
        [ -n "$(current_name)" ] || exit 0
        [ $((SECONDS - begun)) -lt 60 ] || pause=1
        # It outlives a supervisor that is stopped meanwhile, and must not keep its lock from the next.
        sleep "$pause" 8>&- &
        wait $!
        pause=$((pause < 30 ? pause * 2 : 30))
    done
}

# How often the appliance has ended, by whoever keeps it running.
ends() {
    if has_systemd; then
        systemctl show --property NRestarts --value zstui.service
    else
        grep -c '^[^ ]* the appliance ended with' "$DATA/appliance.log" 2>/dev/null
    fi
}

# Wait until the version that is current answers, and nothing else does. One that cannot serve is started over and
# over, with a pause that grows: it is not waited for.
service_wait() {
    local until=$((SECONDS + SECONDS_TO_START)) said count
    while [ "$SECONDS" -lt "$until" ]; do
        if [ -S "$DATA/appliance.sock" ] && [ -n "$(appliance_pid)" ]; then
            said=$("$ROOT/current/zstui" --data "$DATA" call GetVersion) &&
                case $said in *"\"$(cat "$ROOT/current/_internal/VERSION")\""*) return 0 ;; esac
        fi
        count=$(($(ends) - ENDS))
        [ "$count" -lt 4 ] ||
            because "zstui ended $count times, and did not answer; $(last_words)" || return 1
        sleep 0.3
    done
    because "zstui did not answer within $SECONDS_TO_START s; $(last_words)"
}

# What was said since the last start, by the appliance and by what keeps it running.
words_since_the_start() {
    if has_systemd; then
        journalctl -u zstui.service --since "@$BEGINNING" -o cat
    else
        tail -c "+$((BEGINNING + 1))" "$DATA/appliance.log"
    fi
}

# All of it goes to the log of this installation, too: the appliance's own is not there any more when it is undone.
last_words() {
    local found
    found=$(words_since_the_start | tail -n 1000 | tee -a "$LOG" | cause)
    printf 'its last words: %s; %s has all of them' "${found:-none}" "$LOG"
}

# connected_hosts CONDITION …: the uuids of those that are, and meet the conditions.
connected_hosts() {
    "$ROOT/current/zstui" --data "$DATA" call QueryHost status=Connected "$@" fields=uuid limit=100000 |
        sed -n 's/.*"uuid": "\([0-9a-f]*\)".*/\1/p' | sort
}

# Those with this version's agent on them. Simulated ones have none.
renewed_hosts() {
    local build
    build=$(tar -xzOf "$ROOT"/current/_internal/agent/zstui-agent-*.tar.gz build) || return 1
    connected_hosts "agentVersion~=%+$build"
    connected_hosts hypervisorType=Simulator
}

# Every host that was connected is again, with this version's agent on it. They get it one after the other, and are
# connected by the one that they have until then: each that is done gives the next as long again.
hosts_wait() {
    local until=$((SECONDS + SECONDS_TO_START)) missing left least=
    while :; do
        missing=$(comm -23 <(printf '%s\n' "$HOSTS_BEFORE") <(renewed_hosts | sort) | tr '\n' ' ')
        [ -n "${missing// /}" ] || return 0
        left=$(wc -w <<<"$missing")
        if [ "$left" -lt "${least:-$((left + 1))}" ]; then
            least=$left until=$((SECONDS + SECONDS_TO_START))
        fi
        [ "$SECONDS" -lt "$until" ] || break
        sleep 1
    done
    "$ROOT/current/zstui" --data "$DATA" call QueryHost 'status!=Connected' fields=name,uuid,status,statusReason >>"$LOG"
    because "these hosts were connected before, and are not by this version's agent now: ${missing% }; $LOG says why"
}
