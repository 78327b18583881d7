#!/bin/sh
# An example of a guard command: the names given as arguments must not lose their addresses.
#
#     guard-command = {"/etc/zoneledger/guard-example.sh", "www", "mail"}
#
# In the environment: ZONE (with its last dot), OLD_SERIAL (empty if no version is served yet),
# NEW_SERIAL, and three files. OLD_FILE and NEW_FILE are whole zones, one record a line as
# "OWNER TTL IN TYPE RDATA"; DIFF_FILE has "-RECORD" and "+RECORD".
# Exit code 0: the version is served. Any other: it is quarantined, and the first line that was
# printed is the reason that the operator sees.
set -eu

has_address() { # OWNER FILE
    awk -v owner="$1" 'tolower($1) == tolower(owner) && ($4 == "A" || $4 == "AAAA") { found = 1; exit }
                       END { exit !found }' "$2"
}

[ -n "$OLD_SERIAL" ] || exit 0 # a first version: nothing to compare with

for name in "$@"; do
    if has_address "$name.$ZONE" "$OLD_FILE" && ! has_address "$name.$ZONE" "$NEW_FILE"; then
        echo "$name.$ZONE has no address any more (serial $OLD_SERIAL to $NEW_SERIAL)"
        exit 1
    fi
done
