
wrong() {
    printf '%s; --help says what there is\n' "$1" >&2
    exit "$USAGE"
}

# choose OPTION ACTION
choose() {
    [ -z "$CHOSEN" ] || [ "$CHOSEN" = "$1" ] || wrong "$CHOSEN and $1 cannot be done at once; give one of them"
    CHOSEN=$1 ACTION=$2
}

# What says something other than what to do is refused where it would say nothing.
check_options() {
    local each meant
    case $ACTION in
    install) meant="-r --data -I --plain-http --ssh --name --certificate --key -k -D -z -t -o -R -y" ;;
    upgrade) meant="-r --data -I --plain-http --ssh --name --certificate --key -k -z -t -o -R -y" ;;
    rollback) meant="-r --data -z -t -o -R -y" ;;
    uninstall) meant="-r --data -D -o -R -y" ;;
    host-only) meant="-o -R -y" ;;
    *) return ;;
    esac
    for each in "${GIVEN[@]}"; do
        case " $meant --check -q " in *" $each "*) ;; *) wrong "$each says nothing to ${CHOSEN:-an installation}; leave it out" ;; esac
    done
    [ -z "$KEEP" ] || [ -z "$DROP" ] || wrong "-k keeps the store and -D sets it aside; give one of them"
}

# ZStack's options for fetching are taken, and said to be nothing, where nothing is fetched.
tell_what_is_not_fetched() {
    local each
    [ "$ACTION" != host-only ] || return 0
    for each in "${GIVEN[@]}"; do
        case $each in -o | -R | -y) say "$each changes nothing here: only --host-only fetches anything" ;; esac
    done
}

read_options() {
    while [ $# -gt 0 ]; do
        case $1 in
        -r | -R | -I | -t | -y | --data | --ssh | --name | --certificate | --key)
            [ $# -gt 1 ] || wrong "$1 needs a value"
            ;;
        esac
        case $1 in
        -u | --rollback | --uninstall | --host-only | --launch | --supervise | --guard | --undo) ;;
        *) GIVEN+=("$1") ;;
        esac
        case $1 in
        -u) choose "$1" upgrade ;;
        --rollback | --uninstall | --host-only | --launch | --supervise | --guard | --undo) choose "$1" "${1#--}" ;;
        --check) CHECK=yes ;;
        -r) ROOT=${2%/} && ROOT=${ROOT:-/} && shift ;;
        --data) WANTED_DATA=${2%/} && WANTED_DATA=${WANTED_DATA:-/} && shift ;;
        -I) WANTED_LISTEN=$2 && shift ;;
        --plain-http) WANTED_SERVE+=("$1") ;;
        --ssh | --name)
            case $2 in *[\'[:cntrl:]]*) wrong "$1 $2 has a quote in it" ;; esac
            WANTED_SERVE+=("$1" "$2") && shift
            ;;
        --certificate | --key)
            [ -r "$2" ] || wrong "$1 $2 is no file that can be read"
            case $(readlink -f "$2") in *[\'[:cntrl:]]*) wrong "$1 $2 has a quote in its name" ;; esac
            WANTED_SERVE+=("$1" "$(readlink -f "$2")") && shift
            ;;
        -R)
            MIRROR=$2 && shift
            case $1 in *[[:space:][:cntrl:]]*) wrong "-R $MIRROR is not 163, aliyun or a URL" ;; esac
            mirror_lines debian >/dev/null || wrong "-R $MIRROR is not 163, aliyun or a URL"
            ;;
        -t)
            SECONDS_TO_START=$2 && shift
            [[ $1 =~ ^0*[1-9][0-9]{0,8}$ ]] || wrong "-t $1 is no number of seconds, from 1 on"
            SECONDS_TO_START=$((10#$1))
            ;;
        -y)
            PROXY=$2 && shift
            case $1 in
            *[\"[:space:][:cntrl:]]*) wrong "-y $1 is not http://HOST:PORT" ;;
            http://?* | https://?*) ;;
            *) wrong "-y $1 is not http://HOST:PORT" ;;
            esac
            ;;
        -k) KEEP=yes ;;
        -D) DROP=yes ;;
        -q) QUIET=yes ;;
        -o) OFFLINE=yes ;;
        -z) START='' ;;
        -h | --help) usage && exit 0 ;;
        *) wrong "there is no option $1" ;;
        esac
        shift
    done
    check_options
}

interrupted() {
    trap '' INT TERM HUP
    # A step's words go to the log, and it may be a step that is interrupted.
    exec 2>&4
    printf '\ninterrupted\n' >&2
    [ -n "$BEGUN" ] || exit "$INTERRUPTED"
    if [ "$ACTION" = uninstall ]; then
        printf 'what is taken away already stays so; run it again to end it\n' >&2
    elif recover >>"$LOG" 2>&1; then
        drop_versions
        leave_nothing >>"$LOG" 2>&1
        exit "$INTERRUPTED"
    else
        printf 'undoing what was begun failed; see %s and run this again\n' "$LOG" >&2
    fi
    exit "$FAILED"
}

# Carry an action out; what it has begun and cannot end is undone.
carry_out() {
    local code
    "$@"
    code=$?
    trap '' INT TERM HUP
    [ $code != 0 ] || return 0
    if [ ! -f "$ROOT/transition" ]; then
        [ "$ACTION" = uninstall ] || { drop_versions && leave_nothing >>"$LOG" 2>&1; }
        return "$VERDICT"
    fi
    if recover >>"$LOG" 2>&1; then
        leave_nothing >>"$LOG" 2>&1
        printf 'it failed: %s; everything is as it was before%s\n' "$REASON" "$(what_stays)" >&2
    else
        printf 'it failed, and undoing it did, too; see %s and run this again\n' "$LOG" >&2
    fi
    return "$FAILED"
}

# What an installation that was undone leaves otherwise than it was.
what_stays() {
    if [ -n "$STORE_KEPT" ]; then
        printf ', but for the store that was kept: it is now one of zstui %s' "$VERSION"
    elif [ -e "$ROOT/unfinished" ]; then
        printf ', but for %s and what is in %s, with which the next installation goes on' "$ROOT" "$DATA"
    fi
}

# Whoever is refused here has changed nothing.
refuse() {
    printf '%s\n' "$REASON" >&2
    exit "$REFUSED"
}

take_the_lock() {
    # The guard of one that has just ended looks, for a moment, whether that has left something.
    lock_take -w 5 || {
        printf 'another installer is at work in %s; wait for its end\n' "$ROOT" >&2
        exit "$REFUSED"
    }
    BEGUN=yes
    # One that was killed, and its guard with it.
    recover >>"$LOG" 2>&1 || {
        printf 'an earlier installer was cut off, and what it began cannot be undone; see %s\n' "$LOG" >&2
        exit "$FAILED"
    }
    settings_load || refuse
}

install_or_upgrade() {
    all_checks || exit "$REFUSED"
    claim "$ROOT" 755 || refuse
    take_the_lock
    # Another installer may have ended since, or may have been undone.
    { check_alone && check_installed; } || refuse
    if [ "$(current_name)" = "$NAME" ]; then
        say "zstui $VERSION is installed already"
        carry_out reach_or_restart || exit $?
    elif [ "$ACTION" = upgrade ]; then
        carry_out upgrade || exit $?
    else
        carry_out install_fresh || exit $?
    fi
    tell_the_end
}

reach_or_restart() {
    if [ "$(settings_text)" != "$(cat "$ROOT/settings")" ]; then
        reach
    else
        [ -z "$START" ] || [ -n "$(appliance_pid)" ] || start_and_check
    fi
}

tell_the_end() {
    local scheme=https
    case "$LISTEN ${SERVE[*]}" in 127.* | *--plain-http*) scheme=http ;; esac
    printf 'zstui %s is installed in %s; its data is in %s\n' "$VERSION" "$ROOT" "$DATA"
    ! runs || printf 'it listens on %s://%s; run zstui for the full screen\n' "$scheme" "$LISTEN"
    [ ${#SERVE[@]} = 0 ] || printf 'now and after every start it is run with %s\n' "${SERVE[*]}"
    case "$LISTEN ${SERVE[*]}" in
    127.*) ;;
    *--plain-http*) printf 'passwords and sessions go to %s without TLS\n' "$LISTEN" ;;
    *) ! runs || printf 'who connects from elsewhere trusts %s/certificate.pem\n' "$DATA" ;;
    esac
    tell_how_to_start
    if [ -n "$STORE_KEPT" ]; then
        printf 'accounts and their passwords are those of the store that was kept\n'
    elif [ "$ACTION" = install ] && [ -n "$START" ]; then
        printf 'the first start said the password of admin: %s\n' "$(password_place)"
    fi
}

runs() { [ -n "$(appliance_pid)" ]; }

tell_how_to_start() {
    if ! runs; then
        printf 'it does not run now; start it with: %s\n' "$(how_to_start)"
    elif ! has_systemd; then
        printf 'there is no systemd here: after a reboot, start it with: %s\n' "$(how_to_start)"
    fi
}

password_place() { if has_systemd; then echo "journalctl -u zstui.service"; else echo "$DATA/appliance.log"; fi; }

# --check: what the action would do, and what is in its way.
only_check() {
    case $ACTION in
    install | upgrade)
        [ -z "$(current_name)" ] || ACTION=upgrade
        all_checks && check_program && say "$(what_would_be)"
        ;;
    host-only)
        host_checks && say "this would install: ${MISSING:-nothing, all is here}"
        ;;
    rollback)
        step "Check that this is root" check_root &&
            step "Look for an installation" check_versions &&
            step "Check for another installation" check_alone &&
            step "Look for the version before" check_previous &&
            step "Try the backup of its store" try_backup &&
            say "this would go back from $(current_name) to $(before_name), with its store and settings from before the upgrade"
        ;;
    uninstall)
        step "Check that this is root" check_root &&
            step "Look for an installation" check_versions &&
            say "this would delete zstui in $ROOT${DROP:+, and $DATA with all that is in it}"
        ;;
    esac
}

# What only the program itself can say, from a folder that goes again.
check_program() {
    local code
    step "Unpack zstui $VERSION to try it" unpack_to_try &&
        step "Try the program" try_program "$SCRATCH" &&
        step "Check how it is to be reached" check_reach "$SCRATCH"
    code=$?
    drop_scratch
    return $code
}

unpack_to_try() {
    make_scratch || return 1
    check_runs "$SCRATCH" "name another folder in TMPDIR" && unpack_into "$SCRATCH"
}

# One sentence, of what install or upgrade finds now.
what_would_be() {
    local found
    found=$(current_name)
    if [ -z "$found" ]; then
        echo "this would install zstui $VERSION in $ROOT, with its data in $DATA, listening on $LISTEN"
    elif [ "$found" != "$NAME" ]; then
        echo "$found is installed in $ROOT: with -u this would upgrade it to $NAME"
    elif [ "$(settings_text)" != "$(cat "$ROOT/settings")" ]; then
        echo "zstui $VERSION is installed in $ROOT already: this would start it anew, listening on $LISTEN"
    elif [ -n "$START" ] && [ -z "$(appliance_pid)" ]; then
        echo "zstui $VERSION is installed in $ROOT already: this would start it"
    else
        echo "zstui $VERSION is installed in $ROOT already: this would change nothing"
    fi
}

main() {
    trap - EXIT
    # The script that an installation keeps knows where it is.
    if [ "$(basename "$SELF")" = installer ] && [ -d "$(dirname "$SELF")/versions" ]; then
        ROOT=$(readlink -f "$(dirname "$SELF")")
    fi
    read_options "$@"
    exec 3>&1 4>&2
    [ -z "$QUIET" ] || exec 3>/dev/null
    # What an installation calls by itself does not end of a checksum, or of a log.
    case $ACTION in launch | supervise | guard | undo) ;; *)
        trap drop_scratch EXIT
        trap interrupted INT TERM HUP
        check_script || refuse
        drop_left_scratch
        [ "$(id -u)" != 0 ] || check_log || refuse
        ;;
    esac
    [ "$(id -u)" != 0 ] || settings_load || refuse
    NAME=$VERSION-$BUILD
    tell_what_is_not_fetched
    if [ -n "$CHECK" ]; then
        LOG=/dev/null
        only_check || exit "$REFUSED"
        exit 0
    fi
    check_root || refuse
    : >>"$LOG"
    case $ACTION in
    install | upgrade) install_or_upgrade ;;
    rollback | uninstall)
        check_versions || refuse
        take_the_lock
        [ "$ACTION" != rollback ] || {
            check_alone || refuse
            step "Look for the version before" check_previous &&
                step "Try the backup of its store" try_backup || exit "$REFUSED"
        }
        carry_out "$ACTION" || exit $?
        [ "$ACTION" != rollback ] || { printf 'the current version is %s again\n' "$NAME" && tell_how_to_start; }
        ;;
    host-only)
        host_checks || exit "$REFUSED"
        host_only || exit "$FAILED"
        ;;
    launch | supervise | guard | undo) "$ACTION" ;;
    esac
}

main "$@"
exit
