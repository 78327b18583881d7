#!/bin/bash
# deps.sh KIND...: makes sure that the packages of conf/debian-packages for these kinds are there.
# As root it installs what is missing; as another user it names what is missing and fails.
set -eu
cd "$(dirname "$0")/.."
wanted=()
for kind in "$@"; do
    mapfile -t -O "${#wanted[@]}" wanted < <(awk -v k="$kind" '$1 == k { print $2 }' conf/debian-packages)
done
missing=()
for p in "${wanted[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
    echo "These Debian packages are missing; as root: apt-get install ${missing[*]}" >&2
    exit 1
fi
echo "Installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# Daemons that come with packages (the test peers) must not start: they would take port 53.
policy=/usr/sbin/policy-rc.d
made_policy=
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made_policy=yes
fi
cleanup() { if [ -n "$made_policy" ]; then rm -f "$policy"; fi; }
trap cleanup EXIT
install() { apt-get install -y --no-install-recommends "${missing[@]}"; }
log=$(mktemp)
if ! { install >"$log" 2>&1 || { apt-get update >"$log" 2>&1 && install >"$log" 2>&1; }; }; then
    tail -20 "$log" >&2
    echo "Installing packages failed; the whole log is $log" >&2
    exit 1
fi
rm -f "$log"
