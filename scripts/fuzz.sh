#!/usr/bin/env bash
# Builds the fuzz targets of tests/fuzz with clang and libFuzzer and runs them, two at a time. What a run finds new is
# kept in build/fuzz/corpus and helps the next one. Exits 1 when an input crashes, hangs or breaks a promise of the
# code, and names the file that holds it; `build/fuzz/fuzz_TARGET FILE` runs it again.
#
# Usage: fuzz.sh [--seconds N] [TARGET…]    N seconds each (30); all targets without a name
#   http_head    heads of HTTP answers and the bodies behind them
#   kubeconfig   kubeconfig files
#   kubelet_request  heads of requests to the kubelet API, and where they lead
#   list         LIST answers and single objects
#   quantity     resource quantities
#   watch        bodies of watches: chunks, lines, events
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
seconds=30 known=() targets=()
for file in "$VKB_ROOT"/tests/fuzz/*.cpp; do known+=("$(basename "$file" .cpp)"); done
while (($#)); do
  case $1 in
    -h | --help) print_help ;;
    --seconds) seconds=${2:?} && shift 2 ;;
    -*) usage_error "unknown argument $1" ;;
    *)
      [[ " ${known[*]} " == *" $1 "* ]] || usage_error "no target $1; there are: ${known[*]}"
      targets+=("$1") && shift
      ;;
  esac
done
[[ $seconds =~ ^[1-9][0-9]*$ ]] || usage_error "--seconds takes a whole number"
((${#targets[@]})) || targets=("${known[@]}")

"$VKB_ROOT/scripts/install-deps.sh" build fuzz
logs=$(log_dir) build=$VKB_ROOT/build/fuzz
section "Fuzz targets: ${targets[*]}"
(cd "$VKB_ROOT" && moving "Configuring" "$logs/fuzz-configure.log" cmake --preset fuzz)
moving "Compiling" "$logs/fuzz-build.log" cmake --build "$build" -j "$(nproc)" --target "${targets[@]/#/fuzz_}"

symbolizer=$(command -v llvm-symbolizer-14 || true)
export ASAN_OPTIONS=${ASAN_OPTIONS:-strict_string_checks=1} UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export ASAN_SYMBOLIZER_PATH=${ASAN_SYMBOLIZER_PATH:-$symbolizer}
# fuzz_one TARGET: writes into its folder of the corpus what it finds new; seeds and samples are only read.
# shellcheck disable=SC2317 # called through job
fuzz_one() {
  local corpus=$build/corpus/$1 crashes=$build/crashes/$1 inputs=("$VKB_ROOT/tests/fuzz/seeds/$1")
  mkdir -p "$corpus" "$crashes"
  [[ $1 != kubeconfig ]] || inputs+=("$VKB_ROOT/kubeconfigs")
  "$build/fuzz_$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=1 \
    -dict="$VKB_ROOT/tests/fuzz/$1.dict" -artifact_prefix="$crashes/" "$corpus" "${inputs[@]}"
}
failed=()
end_pair() { # waits for what runs and says how it went
  local target log runs
  for target in "${!running[@]}"; do
    log=$logs/fuzz-$target.log
    wait "${running[$target]}" || failed+=("$target")
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    note "$(printf '%-12s %9s runs' "$target" "${runs:-0}")"
  done
  running=()
}
declare -A running=()
for target in "${targets[@]}"; do
  job fuzz_one "$target" >"$logs/fuzz-$target.log" 2>&1
  running[$target]=$job_pid
  ((${#running[@]} < 2)) || end_pair
done
end_pair
((${#failed[@]})) || { note "nothing found" && exit 0; }
for target in "${failed[@]}"; do
  input=$(sed -n 's/.*Test unit written to //p' "$logs/fuzz-$target.log" | tail -n 1)
  warn "$target: ${input:+the input is $input; }see $logs/fuzz-$target.log"
done
exit 1
