#!/usr/bin/env bash
# Builds vk-bridge and runs its unit tests and the end-to-end tests on two real clusters, from a fresh clone
# on Debian 12: installs what is missing, makes its own clusters and takes them down again.
#
# Usage: test.sh [--unit-only] [--keep] [-R REGEX] [-E REGEX] [-L LABEL] [-LE LABEL]
#   --unit-only   no clusters, no end-to-end tests
#   --keep        leave the clusters up: the next run finds them
#   -R, -E, -L, -LE are ctest's: which tests, by name and label (unit, sim, real, e2e, slow)
#
# Env: E2E_HOME_KUBECONFIG and E2E_TARGET_KUBECONFIG: clusters that exist already (kind, k3s, …) instead of own ones
#      KUBE_BIN, ETCD_BIN: other server binaries for the own clusters. Without a kubelet in KUBE_BIN the target
#      keeps Kubernetes 1.20.2, because it must run containers.
#      KUBECTL: the kubectl to test with.
# The exit code is ctest's, and ctest's summary is the last that is printed. Needs root (or sudo) for the clusters.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
rig=$VKB_ROOT/scripts/rig build=$VKB_ROOT/build/release
unit_only='' keep='' select=()
needed=("$@")
while (($#)); do
  case $1 in
    -h | --help) print_help ;;
    --unit-only) unit_only=1 && shift ;;
    --keep) keep=1 && shift ;;
    -R | -E | -L | -LE) [[ -n ${2:-} ]] || usage_error "$1 needs a value" && select+=("$1" "$2") && shift 2 ;;
    *) usage_error "unknown argument $1" ;;
  esac
done
if [[ -n ${E2E_HOME_KUBECONFIG:-}${E2E_TARGET_KUBECONFIG:-} ]]; then
  own=''
  [[ -n ${E2E_HOME_KUBECONFIG:-} && -n ${E2E_TARGET_KUBECONFIG:-} ]] ||
    die "set both E2E_HOME_KUBECONFIG and E2E_TARGET_KUBECONFIG, or neither"
elif [[ -n $unit_only ]]; then
  own=''
else
  own=1
  need_root "${needed[@]}"
fi
logs=$(log_dir)

section "Packages"
"$VKB_ROOT/scripts/install-deps.sh" build test ${own:+rig}

# Unless the user's own binaries serve for everything.
kube=$VKB_CACHE/kube-1.20.2
if [[ -z $unit_only ]]; then
  if [[ -z $own ]]; then
    KUBECTL=${KUBECTL:-$(type -P kubectl || true)}
  elif [[ -n ${KUBE_BIN:-} && -x $KUBE_BIN/kubectl && -x $KUBE_BIN/kubelet ]]; then
    kube=$KUBE_BIN
  fi
  if [[ -z ${KUBECTL:-} ]]; then
    section "Kubernetes"
    [[ $kube != "$VKB_CACHE/kube-1.20.2" ]] || "$rig/build-kube.sh"
    KUBECTL=$kube/kubectl
  elif [[ -n $own && $kube == "$VKB_CACHE/kube-1.20.2" ]]; then
    "$rig/build-kube.sh"
  fi
  export KUBECTL
fi

home=e2e-home target=e2e-target other=e2e-other
# shellcheck disable=SC2317 # called as a job
clusters_up() {
  local home_pid other_pid rc=0
  KUBE_BIN=${KUBE_BIN:-$kube} "$rig/cluster.sh" up "$home" 21 --nodes 0 &
  home_pid=$!
  # The third takes home's data in: it is of home's version.
  KUBE_BIN=${KUBE_BIN:-$kube} "$rig/cluster.sh" up "$other" 23 --nodes 0 &
  other_pid=$!
  KUBE_BIN=$kube "$rig/cluster.sh" up "$target" 22 || rc=1
  wait "$home_pid" || rc=1
  wait "$other_pid" || rc=1
  return "$rc"
}
# What was up before this run belongs to somebody else, or to an earlier run with --keep, and stays.
# shellcheck disable=SC2317 # called at the end
clusters_down() {
  [[ -n $keep ]] && return
  local name rc=0
  for name in "$home" "$target" "$other"; do
    grep -q "cluster $name is up already" "$logs/clusters.log" && continue
    "$rig/cluster.sh" down "$name" >>"$logs/clusters.log" 2>&1 || rc=1
  done
  ((rc == 0)) || warn "The clusters are not wholly down: see $logs/clusters.log and scripts/rig/cluster.sh check-clean"
  return "$rc"
}
if [[ -n $own ]]; then
  at_exit clusters_down
  job clusters_up >"$logs/clusters.log" 2>&1 # they start while the compiler works
  clusters_pid=$job_pid
fi

section "Build"
(cd "$VKB_ROOT" && moving "Configuring" "$logs/configure.log" cmake --preset release -DVKB_TESTS=ON -DVKB_E2E=ON)
moving "Compiling" "$logs/build.log" cmake --build "$build" -j "$(nproc)"

if [[ -n $own ]]; then
  section "Clusters"
  follow "Home and target clusters" "$logs/clusters.log" "$clusters_pid"
  cat "$logs/clusters.log"
  E2E_HOME_KUBECONFIG=$("$rig/cluster.sh" kubeconfig "$home")
  E2E_TARGET_KUBECONFIG=$("$rig/cluster.sh" kubeconfig "$target")
  # For cases that exchange a cluster's data; unset where the clusters are the user's.
  E2E_OTHER_KUBECONFIG=$("$rig/cluster.sh" kubeconfig "$other")
  export E2E_RIG=$rig/cluster.sh E2E_HOME_NAME=$home E2E_TARGET_NAME=$target E2E_OTHER_NAME=$other E2E_OTHER_KUBECONFIG
fi
[[ -n $unit_only ]] && select+=(-LE 'e2e|real')
export E2E_HOME_KUBECONFIG E2E_TARGET_KUBECONFIG VK_BRIDGE_BIN=$build/vk-bridge VK_MOCK_NODE_BIN=$build/vk-mock-node

section "Tests"
# End-to-end cases are RUN_SERIAL: they have the machine and the clusters to themselves.
# As a job, so that a signal to this script ends the tests too and takes the clusters down at once.
rc=0
job ctest --test-dir "$build" -j "$(nproc)" --output-on-failure --no-tests=error "${select[@]}"
wait "$job_pid" || rc=$?
exit "$rc"
