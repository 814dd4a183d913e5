#!/bin/bash
# Asks the service of this container whether it is ready: exit code 0 or 1. For Docker, whose health checks are commands.
#
#   healthcheck.sh http PORT PATH    wants a 2xx
#   healthcheck.sh redis PORT        wants a PONG
#   healthcheck.sh postgres PORT     wants a server that lets us in
#
# In Bash, because a Python for each question costs 48 ms of CPU instead of 1.3. Whoever waits for a start wants to
# know at once, afterwards nobody is in a hurry; but engines before 25 know one interval only. So the interval is short,
# and once the service has been ready the next question waits here.
PAUSE_S=20
ANSWER_WITHIN_S=2
was_ready=${TMPDIR:-/tmp}/was-ready # on a file system that begins empty with each start of the container

is_ready() {
    [[ $1 == http || $1 == redis || $1 == postgres ]] || {
        echo "usage: healthcheck.sh http|redis|postgres PORT [PATH]" >&2
        return 1
    }
    exec 3<>"/dev/tcp/$HOST/$2" || return 1
    case $1 in
    http)
        printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$3" "$HOST" >&3
        IFS= read -r -t "$ANSWER_WITHIN_S" answer <&3
        [[ $answer == HTTP/1.?' 2'* ]]
        ;;
    redis)
        printf 'PING\r\n' >&3
        IFS= read -r -t "$ANSWER_WITHIN_S" answer <&3
        [[ $answer == +PONG* ]]
        ;;
    postgres) # protocol 3.0: a start-up packet of 41 bytes, to be answered by R (authentication); then X (goodbye)
        printf '\0\0\0\x29\0\3\0\0user\0postgres\0database\0postgres\0\0' >&3
        IFS= read -r -t "$ANSWER_WITHIN_S" -N 1 answer <&3
        printf 'X\0\0\0\4' >&3
        [[ $answer == R ]]
        ;;
    esac
}

[[ -e $was_ready ]] && sleep "$PAUSE_S"
is_ready "$@" && touch "$was_ready"
