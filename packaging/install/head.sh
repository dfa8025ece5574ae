#!/usr/bin/env bash
# The installer of zstui @VERSION@: a script, with everything that zstui is behind it.
# `bash FILE --help` says what it can do.
set -u
umask 077
export LC_ALL=C
# A question that outlives this script must not start the version that is being undone.
export ZSTUI_START_NONE=1
PATH=$PATH:/usr/sbin:/sbin
# Nothing is done before the last line, which takes this away.
trap 'printf "%s\n" "$0 is cut off; download it again" >&2; exit 2' EXIT

VERSION=@VERSION@
BUILD=@BUILD@
GLIBC=@GLIBC@
LIBVIRT=@LIBVIRT@
SCHEMA=@SCHEMA@
SCRIPT_BYTES=@SCRIPT_BYTES@
SCRIPT_SHA256=@SCRIPT_SHA256@
UNXZ_BYTES=@UNXZ_BYTES@
UNXZ_SHA256=@UNXZ_SHA256@
PAYLOAD_BYTES=@PAYLOAD_BYTES@
PAYLOAD_SHA256=@PAYLOAD_SHA256@

SELF=$0
ROOT=/opt/zstui
DATA=/var/lib/zstui
LISTEN=127.0.0.1:8080
LOG=/var/log/zstui-install.log
COMMAND=/usr/local/bin/zstui
UNIT=/etc/systemd/system/zstui.service

# What exit codes mean.
USAGE=1 REFUSED=2 FAILED=3 INTERRUPTED=130

STEP=0
# How a step that fails before anything has changed ends all of it.
VERDICT=$FAILED
REASON=
QUIET=
OFFLINE=
MIRROR=
PROXY=
SECONDS_TO_START=300
START=yes
KEEP=
DROP=
STORE_KEPT=
WANTED_LISTEN=
CHOSEN_LISTEN=
WANTED_DATA=
ACTION=install
# The option that said so, and all others that were given.
CHOSEN=
GIVEN=()
CHECK=
MISSING=
SCRATCH=
# Whether this holds the lock of the installation, and may have begun something.
BEGUN=
# Whether a first installation that is undone was never used, since who undoes it has begun it.
UNUSED=
# How often the appliance had ended before the last start, and where its words since then begin.
ENDS=0
BEGINNING=0
OS_ID=
OS_CODENAME=
# Options of zstui --serve, besides the address: what is remembered, and what was given now.
SERVE=()
WANTED_SERVE=()

usage() {
    cat <<TEXT
zstui $VERSION: installs the private cloud in one file.

  bash $(basename "$SELF") [OPTIONS]

What to do, unless it is to install:
  -u             upgrade what is installed; guests and what serves them go on
  --rollback     go back to the version before the last upgrade, with its store and settings
  --uninstall    take zstui away; its data stays, unless -D is given
  --host-only    make this machine ready to be added as a KVM host
  --check        with any of these, or alone: tell what would be done, and what is in the way; change nothing
Options:
  -r PATH        where to install (default $ROOT)
  --data PATH    where the appliance keeps its data (default $DATA)
  -I ADDRESS     what to listen on: an address or interface of this machine, and a :PORT if not 8080
                 (default 127.0.0.1; with anything else, the listener speaks TLS)
  --plain-http, --ssh ADDRESS:PORT, --name HOST, --certificate FILE, --key FILE
                 as those of zstui --serve
                 -I and these are remembered; whoever gives one of these or -I gives all of these anew.
                 They may be given again to what is installed, which is then started anew
  -k             keep the store that an earlier installation has left
  -D             set that store aside and begin anew; with --uninstall: delete the data, too,
                 with all that is in its folder
  -z             do not start zstui after it was installed or upgraded
  -t SECONDS     how long zstui may take to start (default $SECONDS_TO_START)
  -o             offline: fetch nothing; names the packages that are missing
  -R MIRROR      take packages from a mirror this once: 163, aliyun, or the URL of an archive
  -y URL         take packages through an HTTP proxy: http://HOST:PORT
  -q             quiet: say only what fails, and the end
  -h, --help     this text

Only --host-only fetches anything. What is done stands in $LOG.
Exit codes: 0 done, $USAGE wrong usage, $REFUSED refused and nothing changed, $FAILED failed and undone, unless it
says otherwise, $INTERRUPTED interrupted and undone.
TEXT
}

say() { printf '%s\n' "$*" >&3; }

# Names what is wrong, for the step that fails of it.
because() {
    REASON=$*
    return 1
}

# Something to know of a step that passes.
note() { NOTE=$*; }

# What a program said last that says why: neither what keeps it running nor what it is packed with does.
cause() {
    local said
    said=$(grep -v '^[[:space:]]*$')
    {
        grep -v -e '^[^ ]* the appliance ended with ' -e '^\[PYI-[0-9]*:ERROR\] Failed to execute script' \
            -e '^zstui\.service: ' -e '^\(Starting\|Started\|Stopping\|Stopped\) zstui\.service' <<<"$said" ||
            printf '%s\n' "$said"
    } | tail -n 1
}

# step TITLE COMMAND …: run a command, and say how it went. Its output goes to the log.
step() {
    local title=$1
    shift
    STEP=$((STEP + 1)) REASON='' NOTE=''
    printf '%d. %s: ' "$STEP" "$title" >&3
    printf '%s %d. %s\n' "$(date -u +%FT%TZ)" "$STEP" "$title" >>"$LOG"
    if "$@" >>"$LOG" 2>&1; then
        say "... PASS"
        [ -z "$NOTE" ] || say "   $NOTE"
        return 0
    fi
    say "... FAIL"
    [ -n "$REASON" ] || REASON=$(tail -n 100 "$LOG" | cause)
    printf '   Reason: %s\n' "$REASON" >&3
    [ -z "$QUIET" ] || printf '%d. %s: FAIL\n   Reason: %s\n' "$STEP" "$title" "$REASON" >&2
    printf 'FAIL: %s\n' "$REASON" >>"$LOG"
    return 1
}

# Whether a version is at least another: 2.36 is newer than 2.4.
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }
