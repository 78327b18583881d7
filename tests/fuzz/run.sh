#!/bin/bash
# run.sh BUILD SECONDS: fuzzes each target for so long, from its seeds. New inputs stay in BUILD;
# a finding is left as BUILD/findings/TARGET-* and ends the run with an error.
set -u
cd "$(dirname "$0")/../.."
build=$1
seconds=$2
failed=0
mkdir -p "$build/findings"
for program in "$build"/fuzzers/fuzz_*; do
    name=$(basename "$program")
    seeds=tests/fuzz/corpus/${name#fuzz_}
    mkdir -p "$build/corpus/$name"
    echo "== $name, $seconds s"
    if ! "$program" -max_total_time="$seconds" -print_final_stats=1 -max_len=65535 -timeout=10 \
        -artifact_prefix="$build/findings/$name-" "$build/corpus/$name" "$seeds" >"$build/$name.log" 2>&1; then
        tail -30 "$build/$name.log"
        failed=1
    fi
    grep -E 'number_of_executed_units|average_exec_per_sec' "$build/$name.log"
done
exit $failed
