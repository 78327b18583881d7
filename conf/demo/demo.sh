#!/bin/bash
# The main job, end to end, on loopback: data and logs under ./run, nothing left running.
# demo.sh BIN [RUN]: BIN holds authd, syncd and zonectl; RUN is used instead of ./run.
set -eu
cd "$(dirname "$0")/../.."
bin=$1
run=${2:-$PWD/run}
zone=demo.example
pids=()

bold() { if [ -t 1 ]; then printf '\033[1m%s\033[0m\n' "$*"; else printf '%s\n' "$*"; fi; }
step() { echo; bold "== $*"; }
show() { echo "\$ $*" | sed "s|$bin/||; s|-c $run/node/zoneledger.conf ||; s|--git-dir=$run/node/data/journal.git|--git-dir=run/node/data/journal.git|"; }
fail() {
    echo "The demo failed: $*" >&2
    for f in "$run"/*.log; do echo "--- $f" >&2; tail -5 "$f" >&2; done
    exit 1
}
cleanup() {
    for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done
    for p in "${pids[@]}"; do wait "$p" 2>/dev/null || true; done
}
trap cleanup EXIT

# Two free ports for UDP and TCP.
free_port() {
    local p
    for _ in $(seq 200); do
        p=$((20000 + RANDOM % 20000))
        ss -Hlntu "sport = :$p" 2>/dev/null | grep -q . || { echo "$p"; return; }
    done
    fail "no free port"
}
# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
    local end=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}

for tool in dig git ss; do
    command -v "$tool" >/dev/null || PATH=$PATH:/usr/sbin:/sbin
    command -v "$tool" >/dev/null || fail "$tool is missing; 'make demo' as root installs it"
done
rm -rf "$run"
mkdir -p "$run/hidden" "$run/node"
hidden_port=$(free_port)
node_port=$(free_port)
zonectl() { "$bin/zonectl" -c "$run/node/zoneledger.conf" "$@"; }
hidden() { "$bin/zonectl" -c "$run/hidden/zoneledger.conf" "$@"; }
ask() { dig +short +time=1 +tries=1 -p "$node_port" @127.0.0.1 "$@"; }
serial_is() { [ "$(ask "$zone" SOA | cut -d' ' -f3)" = "$1" ]; }
primary_zone() { # SERIAL ADDRESS-OF-WWW [more records]
    cat >"$run/hidden/$zone.zone" <<ZONE
\$ORIGIN $zone.
\$TTL 300
@    SOA ns1 hostmaster $1 3600 600 86400 300
@    NS  ns1
@    MX  10 mail
ns1  A   192.0.2.1
mail A   192.0.2.25
www  A   $2
${3:-}
ZONE
}

step "1. Two nodes: 'hidden' has a zone of its own; 'node' has none, but trusts 'hidden' to bring some"
head -c 32 /dev/urandom | base64 -w0 >"$run/transfer.key"
chmod 600 "$run/transfer.key"
cat >"$run/hidden/zoneledger.conf" <<CONF
node = "hidden"
data-dir = "$run/hidden/data"
run-dir = "$run/hidden"
authd { listen = {"127.0.0.1@$hidden_port"} workers = 1 }
key "transfer.demo" { algorithm = "hmac-sha256" secret-file = "$run/transfer.key" }
secondary "node" { address = "127.0.0.1@$node_port" key = "transfer.demo" }
zone "$zone" { secondaries = {"node"} }
CONF
cat >"$run/node/zoneledger.conf" <<CONF
node = "node"
data-dir = "$run/node/data"
run-dir = "$run/node"
authd { listen = {"127.0.0.1@$node_port"} workers = 1 }
key "transfer.demo" { algorithm = "hmac-sha256" secret-file = "$run/transfer.key" }
primary "hidden" { address = "127.0.0.1@$hidden_port" key = "transfer.demo" }
autoprimary "demo" { primaries = {"hidden"} nameservers = {"ns1.$zone"} }
CONF
for node in hidden node; do
    "$bin/syncd" -c "$run/$node/zoneledger.conf" 2>"$run/$node-syncd.log" & pids+=($!)
    "$bin/authd" -c "$run/$node/zoneledger.conf" 2>"$run/$node-authd.log" & pids+=($!)
done
connected() { "$1" status --json | grep -q '"authd_connected": true'; }
wait_for 20 connected hidden || fail "the first node did not start"
wait_for 20 connected zonectl || fail "the second node did not start"
primary_zone 1 192.0.2.80
echo "\$ zonectl import $zone $zone.zone          # on 'hidden', which tells 'node'"
hidden import $zone "$run/hidden/$zone.zone"
wait_for 20 serial_is 1 || fail "the zone did not appear"
echo "\$ zonectl zone list                               # on 'node', where nobody configured it"
zonectl zone list
show dig @node www.$zone A +short
ask www.$zone A

step "2. The zone changes; NOTIFY brings the change at once, as an increment"
primary_zone 2 192.0.2.81 "new  TXT \"hello from version 2\""
hidden import $zone "$run/hidden/$zone.zone"
began=$(date +%s%N)
wait_for 20 serial_is 2 || fail "the change did not arrive"
echo "serial 2 is served by 'node' $((($(date +%s%N) - began) / 1000000)) ms after 'hidden' took it"
show dig @node www.$zone A +short
ask www.$zone A

step "3. A bad change: the web address is gone"
primary_zone 3 192.0.2.255
hidden import $zone "$run/hidden/$zone.zone"
wait_for 20 serial_is 3 || fail "the second change did not arrive"
journaled() { zonectl status --json | grep -q '"behind": 0'; }
wait_for 20 journaled || fail "the journal did not follow"
show zonectl log $zone
zonectl log $zone
show zonectl diff $zone 2 3
zonectl diff $zone 2 3

step "4. Undo it here: serve version 2 again, under a serial that goes forward, and hold it"
show zonectl rollback $zone --to 2 --reason "'web site unreachable'"
zonectl rollback $zone --to 2 --reason "web site unreachable"
wait_for 20 serial_is 4 || fail "the rollback was not served"
show dig @node www.$zone A +short
ask www.$zone A

step "5. Undo it at its origin, too: there the serial goes forward, so that all secondaries follow"
echo "\$ zonectl rollback $zone --to 2 --reason 'web site unreachable'      # on 'hidden'"
hidden rollback $zone --to 2 --reason "web site unreachable"
waiting() { zonectl show "$zone@waiting"; }
wait_for 20 waiting || fail "serial 4 was not fetched while held"
show zonectl diff $zone current waiting
zonectl diff "$zone" current waiting
echo "(nothing: what waits is what is served)"
show zonectl release $zone
zonectl release $zone
wait_for 20 serial_is 5 || fail "the release was not served"
show dig @node $zone SOA +short
ask $zone SOA

step "6. The history is plain git"
wait_for 20 journaled || fail "the journal did not follow"
show git --git-dir="$run/node/data/journal.git" log --format="'%h %an: %s'" $zone
git --git-dir="$run/node/data/journal.git" log --format='%h %an: %s' "$zone"

step "7. Store, journal and what authd serves agree"
show zonectl verify
zonectl verify
echo
bold "Done: a zone that appears by itself, changes by NOTIFY and IXFR, history, diff, rollback, hold, release. Data and logs: ./run"
