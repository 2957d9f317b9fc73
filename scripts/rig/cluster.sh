#!/usr/bin/env bash
# One real Kubernetes cluster in a network namespace of its own: etcd, kube-apiserver, controller manager,
# scheduler and, with --nodes 1, a kubelet with containerd and runc that runs real containers.
#
# Usage: cluster.sh up NAME INDEX [--nodes 0|1]   start it; a healthy one is kept, a broken one made anew
#        cluster.sh down NAME                     stop it; no process, mount, namespace or link is left
#        cluster.sh status [NAME]                 what runs
#        cluster.sh check-clean NAME              exit 1 and a list if anything of NAME is left
#        cluster.sh stop|kill|start NAME COMPONENT  etcd apiserver kcm scheduler containerd kubelet, one at a time
#        cluster.sh cut|heal NAME                 a partition: packets to and from it vanish; its end
#        cluster.sh save NAME FOLDER              a copy of etcd's data, for which etcd is stopped for a moment
#        cluster.sh restore NAME [FOLDER]         back to such a copy, of this cluster or of another; without FOLDER to
#                                                 nothing: a new cluster under the old address and certificates
#        cluster.sh kubeconfig NAME               path of the admin's kubeconfig
#
# INDEX 1..200 picks the networks: hosts 10.201.INDEX.0/24 (the API server is 10.201.INDEX.2:6443), pods
# 10.202.INDEX.0/24 (routed from the host), services 10.203.INDEX.0/24. Images in a cluster with a node:
# busybox:e2e, made from this machine's busybox, so no registry is needed.
#
# Env: KUBE_BIN (default: build-kube.sh's folder), ETCD_BIN, RIG_DIR (/var/lib/vk-bridge-rig), APISERVER_FLAGS,
# KCM_FLAGS. The controller managers run with Kubernetes' own timings. Needs root.
set -euo pipefail
RIG=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$RIG/../lib.sh"
KUBE_BIN=${KUBE_BIN:-$VKB_CACHE/kube-1.20.2}
ETCD_BIN=${ETCD_BIN:-etcd}
RIG_DIR=${RIG_DIR:-/var/lib/vk-bridge-rig}
COMPONENTS=(etcd apiserver kcm scheduler mounts containerd kubelet) # in the order they start
# shellcheck source=scripts/rig/control-plane.sh
. "$RIG/control-plane.sh"
# shellcheck source=scripts/rig/node.sh
. "$RIG/node.sh"
# shellcheck source=scripts/rig/teardown.sh
. "$RIG/teardown.sh"

# Everything below works on one cluster: name, dir, ns (network namespace), idx, nodes.
select_cluster() {
  name=${1:?}
  [[ $name =~ ^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$ ]] || usage_error "cluster name '$name' is not a short DNS label"
  dir=$RIG_DIR/$name ns=vkb-$name
  idx=$(cat "$dir/index" 2>/dev/null || true)
  nodes=$(cat "$dir/nodes" 2>/dev/null || echo 0)
}
# Locks lie outside RIG_DIR: names of network namespaces are the machine's, whatever RIG_DIR is.
lock_file() {
  mkdir -p /run/lock
  printf '/run/lock/vk-bridge-rig-%s' "$1"
}
lock_cluster() { # one `up` or `down` of a cluster at a time; components do not inherit the lock
  exec {lock_fd}>"$(lock_file "$name")"
  flock -w 300 "$lock_fd" || die "another command has worked on cluster $name for 5 minutes"
}
find_kubectl() { # kept with the cluster: later commands need not know its KUBE_BIN
  local bin=$KUBE_BIN/kubectl
  [[ -x $bin ]] || bin=$VKB_CACHE/kube-1.20.2/kubectl
  [[ -x $bin ]] || bin=$(type -P kubectl) || die "no kubectl in KUBE_BIN or PATH"
  ln -sfn "$bin" "$dir/kubectl"
}
kubectl() {
  "$dir/kubectl" --kubeconfig "$dir/admin.kubeconfig" --request-timeout=10s "$@"
}

# The pid file's process, if it is still ours: a reused pid does not have the cluster's folder in its command.
component_pid() {
  local pid
  pid=$(cat "$dir/pid/$1" 2>/dev/null) || return 1
  [[ -n $pid && -r /proc/$pid/cmdline ]] || return 1
  tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$dir/" || return 1
  printf '%s' "$pid"
}
# define COMPONENT NSENTER-OPTION… -- COMMAND…: how to start it, kept in a file so that it can be started again alone.
# nsenter, not `ip netns exec`: the latter remounts /sys and hides the cgroup hierarchy from the kubelet.
define() {
  local id=$1
  shift
  printf '#!/bin/bash\nexec nsenter --net=/run/netns/%q' "$ns" >"$dir/cmd/$id"
  printf ' %q' "$@" >>"$dir/cmd/$id"
  echo >>"$dir/cmd/$id"
}
# A session of its own: Ctrl-C in the terminal that started the rig is not for the components.
start_component() {
  [[ -f $dir/cmd/$1 ]] || die "cluster $name has no $1"
  component_pid "$1" >/dev/null && return
  setsid bash "$dir/cmd/$1" >>"$dir/$1.log" 2>&1 </dev/null {lock_fd}>&- &
  echo $! >"$dir/pid/$1"
}
api_ready() { kubectl get --raw /readyz; }
node_ready() {
  [[ $(kubectl get node "$name-node-1" -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null) == True ]]
}
give_up() { # COMPONENT SENTENCE: with the end of the log that says why
  tail -n 25 "$dir/$1.log" >&2 || true
  die "cluster $name: $2 (log: $dir/$1.log)"
}

# What a running cluster was made from; if it differs, the cluster is made anew.
spec() {
  printf '%s\n' "index=$idx nodes=$nodes kube=$KUBE_BIN etcd=$ETCD_BIN flags=${APISERVER_FLAGS:-} ${KCM_FLAGS:-}"
  stat -Lc '%s %Y' "$KUBE_BIN/kube-apiserver"
  sha256sum "$RIG/control-plane.sh" "$RIG/node.sh" | cut -c1-16
}
healthy() {
  local c
  [[ -f $dir/spec && $(spec) == "$(cat "$dir/spec")" ]] || return 1
  for c in "$dir"/cmd/*; do component_pid "${c##*/}" >/dev/null || return 1; done
  heal 2>/dev/null || return 1
  api_ready >/dev/null 2>&1 || return 1
  [[ $nodes == 0 ]] || wait_until 10 node_ready
}

# `ip netns add` makes /run/netns a mount, which the last `down` undoes. (The dot is in no cluster's name.)
with_netns_lock() {
  local lock
  exec {lock}>"$(lock_file .all)"
  flock "$lock"
  "$@"
  exec {lock}>&-
}
make_network() {
  local host=10.201.$idx.1
  ip link show "vkb-$idx" >/dev/null 2>&1 && die "index $idx is in use: link vkb-$idx exists (cluster.sh status shows whose)"
  with_netns_lock ip netns add "$ns"
  ip link add "vkb-$idx" type veth peer name eth0 netns "$ns"
  ip addr add "$host/24" dev "vkb-$idx"
  ip link set "vkb-$idx" up
  ip -n "$ns" addr add "$addr/24" dev eth0
  ip -n "$ns" link set eth0 up
  ip -n "$ns" link set lo up
  ip -n "$ns" route add default via "$host"
  ip route replace "10.202.$idx.0/24" via "$addr"
  forward
}
# Pods of one cluster reach the others' API servers: a delegate may be one of home's clients.
forward() {
  echo 1 >"/proc/sys/net/ipv4/conf/vkb-$idx/forwarding"
}
# A cut takes the cluster's end of the link down, not the machine's: then the route stays, and packets vanish without
# an answer as in a real partition, instead of leaving by the machine's default route.
heal() {
  ip -n "$ns" link set eth0 up
  ip -n "$ns" route replace default via "10.201.$idx.1"
  forward
}

up() {
  local started=$EPOCHSECONDS want=$1
  nodes=$2
  [[ $want =~ ^([1-9]|[1-9][0-9]|1[0-9][0-9]|200)$ ]] || usage_error "INDEX is a number from 1 to 200"
  [[ $nodes == [01] ]] || usage_error "--nodes is 0 or 1"
  for c in kube-apiserver kube-controller-manager kube-scheduler; do
    [[ -x $KUBE_BIN/$c ]] || die "no $c in $KUBE_BIN: run scripts/rig/build-kube.sh, or set KUBE_BIN"
  done
  local old=$idx
  idx=$want addr=10.201.$want.2
  if healthy; then
    note "cluster $name is up already ($(kubectl get --raw /version | jq -r .gitVersion), $dir/admin.kubeconfig)"
    return
  fi
  idx=$old
  tear_down
  idx=$want
  mkdir -p "$dir/pid" "$dir/cmd"
  chmod 755 "$RIG_DIR" "$dir"
  echo "$idx" >"$dir/index"
  echo "$nodes" >"$dir/nodes"
  find_kubectl
  # From here on a failure leaves the logs, and the next `up` or `down` cleans up.
  make_network
  make_certificates
  start_control_plane
  [[ $nodes == 0 ]] || start_node
  spec >"$dir/spec"
  note "cluster $name is up: $(kubectl get --raw /version | jq -r .gitVersion), $nodes node(s), $(human_time $((EPOCHSECONDS - started))), $dir/admin.kubeconfig"
}

status_one() {
  local c pid state
  for c in "${COMPONENTS[@]}"; do
    [[ -f $dir/cmd/$c ]] || continue
    pid=$(component_pid "$c") && state="running, pid $pid" || state=stopped
    printf '%-20s %-12s %s\n' "$name" "$c" "$state"
  done
  printf '%-20s %-12s %s\n' "$name" link "vkb-$idx $(cat "/sys/class/net/vkb-$idx/operstate" 2>/dev/null || echo missing)"
  api_ready >/dev/null 2>&1 && state=ready || state='not ready'
  printf '%-20s %-12s %s\n' "$name" API "$state ($dir/admin.kubeconfig)"
}

save() {
  local folder=$1
  [[ ! -e $folder ]] || usage_error "$folder is there already"
  stop_component etcd TERM
  cp -a "$dir/etcd" "$folder"
  start_component etcd
  wait_until 60 api_ready || give_up apiserver "the API server is not ready again after 60 s"
}
# All components begin anew, as after every restore: what they knew may never have been.
restore() {
  local c folder=${1:-}
  [[ -z $folder || -d $folder/member ]] || usage_error "$folder is no copy of etcd's data"
  for c in kubelet scheduler kcm apiserver etcd; do stop_component "$c" TERM; done
  rm -rf "$dir/etcd"
  [[ -z $folder ]] || cp -a "$folder" "$dir/etcd"
  start_component etcd
  start_component apiserver
  wait_until 90 api_ready || give_up apiserver "the API server is not ready after 90 s"
  for c in kcm scheduler; do start_component "$c"; done
  [[ $nodes == 0 ]] || start_component kubelet
  wait_until 60 kubectl -n default get serviceaccount default ||
    give_up kcm "the controller manager made no service account in 60 s"
}

main() {
  local command=${1:-} want_nodes=1 args=()
  [[ $command == -h || $command == --help || $command == help ]] && print_help
  [[ -n $command ]] || usage_error "what shall be done"
  need_root "$@"
  shift
  while (($#)); do
    case $1 in
      --nodes) want_nodes=${2:?} && shift 2 ;;
      --nodes=*) want_nodes=${1#*=} && shift ;;
      -h | --help) print_help ;;
      -*) usage_error "unknown option $1" ;;
      *) args+=("$1") && shift ;;
    esac
  done
  if [[ $command == status && ${#args[@]} == 0 ]]; then
    for d in "$RIG_DIR"/*/; do [[ -f $d/index ]] && select_cluster "$(basename "$d")" && status_one; done
    return
  fi
  ((${#args[@]})) || usage_error "which cluster"
  select_cluster "${args[0]}"
  [[ $command == up || $command == down ]] || exec {lock_fd}>/dev/null # what starts a component expects one
  case $command in
    up)
      lock_cluster
      up "${args[1]:-$idx}" "$want_nodes"
      ;;
    down)
      lock_cluster
      tear_down
      check_clean
      rmdir "$RIG_DIR" 2>/dev/null || true # the last one
      ;;
    check-clean) check_clean ;;
    status) status_one ;;
    stop) stop_component "${args[1]:?component}" TERM ;;
    kill) stop_component "${args[1]:?component}" KILL ;;
    start) start_component "${args[1]:?component}" ;;
    cut) ip -n "$ns" link set eth0 down ;;
    heal) heal ;;
    save) save "${args[1]:?folder}" ;;
    restore) restore "${args[1]:-}" ;;
    kubeconfig) echo "$dir/admin.kubeconfig" ;;
    *) usage_error "unknown command $command" ;;
  esac
}
main "$@"
