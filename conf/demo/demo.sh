#!/bin/bash
# The main job, end to end, on loopback: data and logs under ./run, nothing left running.
# demo.sh BIN: BIN holds authd, syncd and zonectl.
set -eu
cd "$(dirname "$0")/../.."
bin=$1
run=$PWD/run
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

for tool in knotd knotc dig git ss; do
    command -v "$tool" >/dev/null || PATH=$PATH:/usr/sbin:/sbin
    command -v "$tool" >/dev/null || fail "$tool is missing; 'make demo' as root installs it"
done
rm -rf "$run"
mkdir -p "$run/primary" "$run/node"
primary_port=$(free_port)
node_port=$(free_port)
zonectl() { "$bin/zonectl" -c "$run/node/zoneledger.conf" "$@"; }
ask() { dig +short +time=1 +tries=1 -p "$node_port" @127.0.0.1 "$@"; }
serial_is() { [ "$(ask "$zone" SOA | cut -d' ' -f3)" = "$1" ]; }
primary_zone() { # SERIAL ADDRESS-OF-WWW [more records]
    cat >"$run/primary/$zone.zone" <<ZONE
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
    chmod 644 "$run/primary/$zone.zone"
}

step "1. A primary (knot) has $zone; a Zoneledger node is its secondary"
# Knot wants a user of its own when root starts it; here it stays who we are.
head -c 32 /dev/urandom | base64 -w0 >"$run/node/transfer.key"
chmod 600 "$run/node/transfer.key"
primary_zone 1 192.0.2.80
cat >"$run/primary/knot.conf" <<CONF
server:
    rundir: $run/primary
    listen: 127.0.0.1@$primary_port
    user: $(id -un)
database:
    storage: $run/primary
log:
  - target: stderr
    any: warning
key:
  - id: transfer.demo
    algorithm: hmac-sha256
    secret: $(cat "$run/node/transfer.key")
remote:
  - id: node
    address: 127.0.0.1@$node_port
    key: transfer.demo
acl:
  - id: node
    key: transfer.demo
    action: transfer
zone:
  - domain: $zone
    storage: $run/primary
    file: $zone.zone
    notify: node
    acl: node
    journal-content: none
    zonefile-load: whole
CONF
cat >"$run/node/zoneledger.conf" <<CONF
node = "demo-node"
data-dir = "$run/node/data"
run-dir = "$run/node"
authd { listen = {"127.0.0.1@$node_port"} workers = 1 }
key "transfer.demo" { algorithm = "hmac-sha256" secret-file = "$run/node/transfer.key" }
primary "knot" { address = "127.0.0.1@$primary_port" key = "transfer.demo" }
zone "$zone" { primaries = {"knot"} }
CONF
knotd -c "$run/primary/knot.conf" 2>"$run/primary.log" >&2 & pids+=($!)
"$bin/syncd" -c "$run/node/zoneledger.conf" 2>"$run/syncd.log" & pids+=($!)
"$bin/authd" -c "$run/node/zoneledger.conf" 2>"$run/authd.log" & pids+=($!)
wait_for 20 serial_is 1 || fail "the first transfer did not arrive"
show dig @node $zone SOA +short
ask $zone SOA
show dig @node www.$zone A +short
ask www.$zone A

step "2. The primary changes the zone; NOTIFY brings it at once"
primary_zone 2 192.0.2.81 "new  TXT \"hello from version 2\""
knotc -c "$run/primary/knot.conf" zone-reload "$zone" >/dev/null
began=$(date +%s%N)
wait_for 20 serial_is 2 || fail "the change did not arrive"
echo "serial 2 is served $((($(date +%s%N) - began) / 1000000)) ms after the primary loaded it"
show dig @node www.$zone A +short
ask www.$zone A

step "3. A bad change: the web address is gone"
primary_zone 3 192.0.2.255
knotc -c "$run/primary/knot.conf" zone-reload "$zone" >/dev/null
wait_for 20 serial_is 3 || fail "the second change did not arrive"
journaled() { zonectl status --json | grep -q '"behind": 0'; }
wait_for 20 journaled || fail "the journal did not follow"
show zonectl log $zone
zonectl log $zone
show zonectl diff $zone 2 3
zonectl diff $zone 2 3

step "4. Undo it: serve version 2 again, and hold it there"
show zonectl rollback $zone --to 2 --reason "'web site unreachable'"
zonectl rollback $zone --to 2 --reason "web site unreachable"
wait_for 20 serial_is 2 || fail "the rollback was not served"
show dig @node www.$zone A +short
ask www.$zone A

step "5. Restore the primary from the history; the secondary follows it again"
show zonectl show $zone@v2 "| sed 's/ 2 3600/ 4 3600/' > the primary's zone file"
zonectl show "$zone@v2" | sed 's/ 2 3600/ 4 3600/' >"$run/primary/$zone.zone"
knotc -c "$run/primary/knot.conf" zone-reload "$zone" >/dev/null
waiting() { zonectl show "$zone@waiting" | grep -q ' 4 3600'; }
wait_for 20 waiting || fail "serial 4 was not fetched while held"
show zonectl diff $zone current waiting
zonectl diff "$zone" current waiting
show zonectl release $zone
zonectl release $zone
wait_for 20 serial_is 4 || fail "the release was not served"
show dig @node $zone SOA +short
ask $zone SOA

step "6. A zone of our own: import, change, roll back; its serial goes forward"
printf '$TTL 300\n@ SOA ns hostmaster 10 3600 600 86400 300\n@ NS ns\nns A 192.0.2.1\napi A 192.0.2.10\n' >"$run/own.zone"
show zonectl import own.example own.zone
zonectl import own.example "$run/own.zone"
sed -i 's/192.0.2.10$/192.0.2.66/' "$run/own.zone"
zonectl import own.example "$run/own.zone" --reason "move the API"
zonectl rollback own.example --to v1 --reason "the new API host is not ready"
own_is() { [ "$(ask api.own.example A)" = "$1" ]; }
wait_for 20 own_is 192.0.2.10 || fail "our own zone was not rolled back"
show dig @node own.example SOA +short
ask own.example SOA

step "7. The history is plain git"
wait_for 20 journaled || fail "the journal did not follow"
show git --git-dir="$run/node/data/journal.git" log --format="'%h %an: %s'" $zone
git --git-dir="$run/node/data/journal.git" log --format='%h %an: %s' "$zone"

step "8. Store, journal and what authd serves agree"
show zonectl verify
zonectl verify
echo
bold "Done: transfer, change by NOTIFY, history, diff, rollback, hold and release. Data and logs: ./run"
