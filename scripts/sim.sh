#!/usr/bin/env bash
# Runs the simulator over many seeds: whole clusters, the bridge, users, vandals, faults and crashes in memory, and
# the invariants checked at every write (tests/sim/README.md).
#
# Usage: sim.sh --seeds N [--first S] [--jobs J] [--keep I,J,K]
#   --first   the first seed, 1 without it
#   --jobs    processes at once, as many as there are cores without it
#   --keep    of the one seed --first only these actions, as a violation's report says
# Exits 1 at the first violation, with the seed and as few of its actions as suffice.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
seeds='' first=1 jobs=$(nproc) keep=''
while (($#)); do
  case $1 in
    -h | --help) print_help ;;
    --seeds) seeds=${2:-} && shift 2 ;;
    --first) first=${2:-} && shift 2 ;;
    --jobs) jobs=${2:-} && shift 2 ;;
    --keep) keep=${2:-} && seeds=${seeds:-1} && shift 2 ;;
    *) usage_error "unknown argument $1" ;;
  esac
done
[[ $seeds =~ ^[1-9][0-9]*$ ]] || usage_error "--seeds needs a number"
[[ $first =~ ^[0-9]+$ && $jobs =~ ^[1-9][0-9]*$ ]] || usage_error "--first and --jobs need numbers"

"$VKB_ROOT/scripts/install-deps.sh" build test
logs=$(log_dir) build=$VKB_ROOT/build/release
(cd "$VKB_ROOT" && moving "Configuring" "$logs/sim-configure.log" cmake --preset release -DVKB_TESTS=ON)
moving "Compiling" "$logs/sim-build.log" cmake --build "$build" -j "$(nproc)" --target sim
if [[ -n $keep ]]; then exec "$build/sim" --first "$first" --keep "$keep"; fi

# Small pieces, so that memory (programs that were killed stay as they are) is given back and the line moves.
piece=250
# shellcheck disable=SC2016 # the inner shell's variables
run_all() {
  seq "$first" "$piece" $((first + seeds - 1)) |
    xargs -P "$jobs" -I{} bash -c '
      count=$(( $2 + $3 - $1 < $4 ? $2 + $3 - $1 : $4 ))
      if ! "$5" --first "$1" --seeds "$count"; then exit 255; fi # 255 ends xargs
      echo "$count" >>"$6"' _ {} "$first" "$seeds" "$piece" "$build/sim" "$logs/sim-done"
}
: >"$logs/sim-done"
job run_all >"$logs/sim.log" 2>&1
start=$EPOCHSECONDS every=30 next=$EPOCHSECONDS
[[ -t 1 ]] && every=2
finished() { awk '{ n += $1 } END { print n + 0 }' "$logs/sim-done"; }
while kill -0 "$job_pid" 2>/dev/null; do
  sleep 0.2
  ((EPOCHSECONDS >= next)) || continue
  next=$((EPOCHSECONDS + every))
  line="$(finished) of $seeds seeds, $(human_time $((EPOCHSECONDS - start)))"
  if [[ -t 1 ]]; then printf '\r\e[K   %s' "$line"; else note "$line"; fi
done
[[ -t 1 ]] && printf '\r\e[K'
rc=0
wait "$job_pid" || rc=$?
if ((rc)); then
  cat "$logs/sim.log"
  die "a seed broke an invariant, after $(finished) others held"
fi
note "$(finished) seeds hold every invariant ($(human_time $((EPOCHSECONDS - start))))"
