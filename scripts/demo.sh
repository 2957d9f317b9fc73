#!/usr/bin/env bash
# Shows vk-bridge at work on this machine, from a fresh clone on Debian 12: installs what is missing, builds,
# starts a home and a target cluster (real Kubernetes; the target runs real containers), joins the target and
# runs a Deployment of 3 and a Job on it through the home cluster. Run again it reuses what is up.
#
# Usage: demo.sh            set everything up and show it
#        demo.sh --down     stop all of it; no process, mount, namespace or link is left
#
# The first run takes about 15 minutes on 2 cores, most of it for building Kubernetes once. Needs root (or sudo).
# Env: VKB_DEMO_DIR (/var/lib/vk-bridge-demo): the bridge's state folder, log and pid.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
rig=$VKB_ROOT/scripts/rig build=$VKB_ROOT/build/release
home=demo-home target=demo-target node=target-1
demo=${VKB_DEMO_DIR:-/var/lib/vk-bridge-demo}
command=up
for arg in "$@"; do
  case $arg in
    -h | --help) print_help ;;
    --down) command=down ;;
    *) usage_error "unknown argument $arg" ;;
  esac
done
need_root "$@"
unset KUBE_BIN ETCD_BIN # the demo is of what the machine has by itself

# The bridge of this demo, if it runs: a pid that is another's by now does not have the state folder in its command.
bridge_pid() {
  local pid
  pid=$(cat "$demo/run.pid" 2>/dev/null) || return 1
  [[ -n $pid ]] && tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF -- "$demo/state" && printf '%s' "$pid"
}
bridge_gone() { ! bridge_pid >/dev/null; }
stop_bridge() {
  local pid
  pid=$(bridge_pid) || return 0
  kill -TERM "$pid"
  if ! wait_until 60 bridge_gone; then
    warn "vk-bridge (pid $pid) did not end in 60 s and is killed; its log is $demo/run.log"
    kill -KILL "$pid"
    wait_until 10 bridge_gone
  fi
}

take_down() {
  local rc=0 home_pid
  section "Taking the demo down"
  stop_bridge
  note "vk-bridge: stopped"
  "$rig/cluster.sh" down "$home" &
  home_pid=$!
  "$rig/cluster.sh" down "$target" || rc=1
  wait "$home_pid" || rc=1
  rm -rf "$demo"
  ((rc == 0)) || die "something is left, see above; run it again"
  note "clusters $home and $target: gone; nothing is left but packages, $build and $VKB_CACHE"
}
if [[ $command == down ]]; then
  take_down
  exit
fi

logs=$(log_dir)
section "Packages"
"$VKB_ROOT/scripts/install-deps.sh" build rig

section "Kubernetes"
"$rig/build-kube.sh"
kube=$VKB_CACHE/kube-1.20.2

section "vk-bridge"
# Tests stay out of this build; one that has them already keeps them and builds the program alone.
tests=()
[[ -f $build/CMakeCache.txt ]] || tests=(-DVKB_TESTS=OFF)
(cd "$VKB_ROOT" && moving "Configuring" "$logs/configure.log" cmake --preset release "${tests[@]}")
moving "Compiling" "$logs/build.log" cmake --build "$build" -j "$(nproc)" --target vk-bridge

section "Clusters"
clusters_up() {
  local home_pid rc=0
  "$rig/cluster.sh" up "$home" 11 --nodes 0 &
  home_pid=$!
  "$rig/cluster.sh" up "$target" 12 || rc=1
  wait "$home_pid" || rc=1
  return "$rc"
}
moving "Home and target cluster" "$logs/demo-clusters.log" clusters_up
cat "$logs/demo-clusters.log"
home_config=$("$rig/cluster.sh" kubeconfig "$home") target_config=$("$rig/cluster.sh" kubeconfig "$target")
at_home() { "$kube/kubectl" --kubeconfig "$home_config" "$@"; }
at_target() { "$kube/kubectl" --kubeconfig "$target_config" "$@"; }
vkb=("$build/vk-bridge")
vkb_common=(--home-kubeconfig "$home_config" --state-dir "$demo/state")

section "Joining $node"
mkdir -p "$demo"
# A state folder belongs to its two clusters; made anew, they are others.
uid() { "$1" get namespace kube-system -o jsonpath='{.metadata.uid}'; }
identity="$(uid at_home) $(uid at_target)"
if [[ $(cat "$demo/clusters" 2>/dev/null) != "$identity" ]]; then
  stop_bridge
  rm -rf "$demo/state" "$demo/run.log"
  echo "$identity" >"$demo/clusters"
fi
"${vkb[@]}" join "$node" --kubeconfig "$target_config" "${vkb_common[@]}"

section "Running the bridge"
give_up() {
  tail -n 40 "$demo/run.log" >&2
  die "$1; the bridge's log is $demo/run.log"
}
pid=$(bridge_pid) || pid=''
if [[ -n $pid && ! $build/vk-bridge -ef /proc/$pid/exe ]]; then
  note "the program was built anew: restarting the bridge"
  stop_bridge
  pid=''
fi
if [[ -z $pid ]]; then
  # A session of its own: it goes on when this script or its terminal ends.
  setsid "${vkb[@]}" run "${vkb_common[@]}" >>"$demo/run.log" 2>&1 </dev/null &
  pid=$!
  disown "$pid"
  echo "$pid" >"$demo/run.pid"
  wait_until 5 bridge_pid || give_up "vk-bridge run has ended"
fi
node_exists() { bridge_gone || at_home get node "$node"; }
wait_until 60 node_exists || give_up "no node $node in the home cluster after 60 s"
bridge_gone && give_up "vk-bridge run has ended"
at_home wait --for=condition=Ready "node/$node" --timeout=60s >/dev/null || give_up "node $node is not Ready after 60 s"
note "vk-bridge run: pid $pid, log $demo/run.log"
at_home get nodes -o wide

section "A Deployment of 3 and a Job"
at_home apply -f "$VKB_ROOT/scripts/demo/workload.yaml"
rollout() {
  at_home -n demo rollout status deployment/hello --timeout=120s &&
    at_home -n demo wait --for=condition=Complete job/count --timeout=120s
}
moving "Waiting for them" "$logs/demo-workload.log" rollout || {
  at_home -n demo get pods,events -o wide >&2 || true
  give_up "the workload is not there"
}

section "Home cluster: kubectl get pods -n demo -o wide"
at_home get pods -n demo -o wide
section "Target cluster: kubectl get pods -n demo -o wide"
at_target get pods -n demo -o wide
section "vk-bridge status"
"${vkb[@]}" status "${vkb_common[@]}"

section "Play on"
as='' # who came here through sudo needs it for the state folder
[[ -z ${SUDO_UID:-} || ${SUDO_UID:-} == 0 ]] || as='sudo '
ip=$(at_home get pods -n demo -l app=hello -o jsonpath='{.items[0].status.podIP}' || true)
cat <<T

   export PATH=$kube:$build:\$PATH
   export HOME_CLUSTER=$home_config
   export TARGET_CLUSTER=$target_config

   kubectl --kubeconfig \$HOME_CLUSTER -n demo scale deployment hello --replicas=6
   kubectl --kubeconfig \$HOME_CLUSTER -n demo get pods -o wide --watch
   kubectl --kubeconfig \$TARGET_CLUSTER -n demo get pods -o wide
   busybox wget -qO- http://$ip:8080          # a pod's own address answers on this machine
   $as$build/vk-bridge status --home-kubeconfig \$HOME_CLUSTER --state-dir $demo/state
   ${as}tail -f $demo/run.log

   Take it down: ${as}$VKB_ROOT/scripts/demo.sh --down
T
