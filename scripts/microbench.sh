#!/usr/bin/env bash
# Builds the release benchmarks of tests/bench, runs each in a process of its own, and prints each figure beside its
# target. Exits 1 when one is missed. Pods are of 6 KB: two containers, 30 variables, 4 volumes, managedFields.
#
# Usage: microbench.sh [--repeat N]    the best of N runs counts (3): other work on the machine only ever makes a figure
#                                      worse
#
# GETs are counted by the client's own CPU time: client and server have a core each, and the server (its own process)
# is not what is measured; the rate by the clock is shown beside it. Relist and events go from a TLS socket through
# client, reflector and informer to a handler. The store is what the process grew by after a list and a relist.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
repeat=3
while (($#)); do
  case $1 in
    -h | --help) print_help ;;
    --repeat) repeat=${2:?} && shift 2 ;;
    *) usage_error "unknown argument $1" ;;
  esac
done
[[ $repeat =~ ^[1-9][0-9]*$ ]] || usage_error "--repeat takes a whole number"

"$VKB_ROOT/scripts/install-deps.sh" build test bench
logs=$(log_dir) build=$VKB_ROOT/build/release
section "Benchmarks"
(cd "$VKB_ROOT" && moving "Configuring" "$logs/bench-configure.log" cmake --preset release -DVKB_TESTS=ON -DVKB_BENCH=ON)
moving "Compiling" "$logs/bench-build.log" cmake --build "$build" -j "$(nproc)" --target microbench

# counter BENCHMARK KEY FILE: a counter of a run's CSV.
counter() {
  awk -F, -v name="$1" -v key="\"$2\"" '
    /^name,/ { for (i = 1; i <= NF; i++) if ($i == key) column = i; next }
    column && index($1, "\"" name) == 1 { print $column }' "$3"
}
missed=0
# judge TITLE BENCHMARK least|most TARGET FORMAT UNIT
judge() {
  local title=$1 name=$2 kind=$3 target=$4 format=$5 unit=$6 best='' value wall='' i csv verdict=reached sign='≥'
  [[ $kind == least ]] || sign='≤'
  for ((i = 1; i <= repeat; i++)); do
    csv=$logs/bench-$name-$i.csv
    "$build/microbench" --benchmark_filter="^$name" --benchmark_format=csv >"$csv" 2>"$logs/bench-$name.err" ||
      die "$name failed: $(cat "$logs/bench-$name.err")"
    value=$(counter "$name" figure "$csv")
    [[ -n $value ]] || die "$name gave no figure; see $csv and $logs/bench-$name.err"
    if [[ -z $best ]] || awk -v a="$value" -v b="$best" -v k="$kind" 'BEGIN { exit !(k == "least" ? a > b : a < b) }'; then
      best=$value wall=$(counter "$name" wall "$csv")
    fi
  done
  awk -v a="$best" -v b="$target" -v k="$kind" 'BEGIN { exit !(k == "least" ? a >= b : a <= b) }' ||
    { verdict=MISSED && missed=1; }
  # shellcheck disable=SC2059 # the formats are this script's own
  printf "   %-44s %12s   %s %-9s %-14s %s%s\n" "$title" "$(printf "$format" "$best")" "$sign" "$target" "$unit" "$verdict" \
    "${wall:+ ($(printf '%.0f' "$wall") by the clock)}"
}
printf '   %-44s %12s   %-11s %-14s %s\n' benchmark figure target unit ''
judge "pooled GETs over TLS, one core" pooled_gets_per_cpu_s least 15000 %.0f "/s of CPU"
judge "decoding a PodList" decode_podlist_MB_per_s least 150 %.0f MB/s
judge "store of 10,000 pods, resident" store_10000_pods_MB most 50 %.1f MB
judge "relist of 10,000 pods" relist_10000_pods_cpu_s most 0.6 %.2f "s of CPU"
judge "20,000 watch events" watch_20000_events_cpu_s most 2 %.2f "s of CPU"
((missed)) && die "a target was missed"
note "every target reached"
