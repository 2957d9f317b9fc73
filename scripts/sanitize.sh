#!/usr/bin/env bash
# Unit tests under the sanitizers: all layers with AddressSanitizer and UndefinedBehaviorSanitizer, the layers
# with threads (base, net, kube, node, kubelet, conformance) with ThreadSanitizer.
#
# Usage: sanitize.sh [asan|tsan] [-R REGEX]     both without a name; -R is ctest's
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
concurrent=(base net kube node kubelet conformance)
which=() select=()
while (($#)); do
  case $1 in
    -h | --help) print_help ;;
    asan | tsan) which+=("$1") && shift ;;
    -R) select+=(-R "${2:?}") && shift 2 ;;
    *) usage_error "unknown argument $1" ;;
  esac
done
((${#which[@]})) || which=(asan tsan)
"$VKB_ROOT/scripts/install-deps.sh" build test
logs=$(log_dir)

# Kernels that randomise more address bits than GCC 12's sanitizers expect make them refuse to start.
plain=()
setarch -R true 2>/dev/null && plain=(setarch -R)
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1:suppressions=$VKB_ROOT/scripts/tsan.supp}

for preset in "${which[@]}"; do
  section "$preset"
  build=$VKB_ROOT/build/$preset targets=() only=()
  (cd "$VKB_ROOT" && moving "Configuring" "$logs/$preset-configure.log" cmake --preset "$preset" -DVKB_TESTS=ON -DVKB_E2E=OFF)
  if [[ $preset == tsan ]]; then
    for layer in "${concurrent[@]}"; do
      [[ -d $VKB_ROOT/tests/$layer ]] && targets+=("test_$layer")
    done
    only=(-L "^unit$") # cases of binaries that are not built here have no label
    moving "Compiling" "$logs/$preset-build.log" cmake --build "$build" -j "$(nproc)" --target "${targets[@]}"
  else
    moving "Compiling" "$logs/$preset-build.log" cmake --build "$build" -j "$(nproc)"
  fi
  # An instrumented seed costs 20 times one of the release build, which runs them all; what is missed without a
  # protection is no question of memory.
  SIM_SEEDS=40 "${plain[@]}" ctest --test-dir "$build" -E '^mutations\.' -j "$(nproc)" --timeout 600 --output-on-failure --no-tests=error "${only[@]}" "${select[@]}"
done
