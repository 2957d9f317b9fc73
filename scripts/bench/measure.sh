# shellcheck shell=bash disable=SC2154 # logs, build, work, listen, figures, …: bench.sh's, which sources this file
# What bench.sh measures with: processes, their CPU and memory, metrics, the clusters.

home_kubectl() { "$rig_dir/$home/kubectl" --kubeconfig "$home_config" "$@"; }
target_kubectl() { "$rig_dir/$target/kubectl" --kubeconfig "$target_config" "$@"; }
load() { "$build/vk-load" "$@"; }

# figure KEY VALUE: one measured figure of one round.
figure() {
  if [[ -z ${2:-} || $2 == null ]]; then
    note "$1: not measured"
    unmeasured+=" $1"
    return
  fi
  printf '{"key":"%s","value":%s}\n' "$1" "$2" >>"$figures"
  note "$1 = $2"
}
calc() { awk "BEGIN { printf \"%.6f\", $1 }"; }
field() { jq -r ".$1" <<<"$2"; }

# Seconds of CPU that the processes have used so far.
cpu_of() {
  local pid
  for pid in "$@"; do sed 's/.*) //' "/proc/$pid/stat"; done | awk -v hz="$(getconf CLK_TCK)" '{ s += $12 + $13 } END { printf "%.2f", s / hz }'
}
# kB that /proc/PID/FILE gives for a name: memory PID status VmHWM, memory PID smaps_rollup Rss
memory() { awk -v name="$3:" '$1 == name { print $2; exit }' "/proc/$1/$2"; }
megabytes() { calc "$1 / 1024"; }
threads_of() { awk '/^Threads:/ { print $2 }' "/proc/$1/status"; }
server_pids() { cat "$rig_dir"/{"$home","$target"}/pid/{apiserver,etcd}; }
# All cores together: "<busy> <all>" in ticks.
machine_ticks() { awk '/^cpu / { all = 0; for (i = 2; i <= 9; i++) all += $i; print all - $5 - $6, all }' /proc/stat; }
busy_between() { awk -v a="$1" -v b="$2" 'BEGIN { split(a, x); split(b, y); printf "%.1f", 100 * (y[1] - x[1]) / (y[2] - x[2]) }'; }
now() { date +%s.%N; }

scrape() { load scrape "$listen" >"$1"; }
# What grew between two scrapes: difference BEFORE AFTER NAME [LABEL…]; prints JSON.
difference() {
  local before=$1 after=$2 name=$3 labels=() label
  shift 3
  for label in "$@"; do labels+=(--label "$label"); done
  load difference --before "$before" --after "$after" --name "$name" "${labels[@]}"
}

# begin LOG COMMAND…: a job that goes on; its pid is in $job_pid.
begin() {
  local log=$1
  shift
  job "$@" >"$log" 2>&1
}
# begin_ready LOG COMMAND…: the same, and waits until it prints "ready".
begin_ready() {
  begin "$@"
  wait_until 300 grep -q '^ready' "$1" || die "not ready: $2 (log: $1)"
}

# clusters_up FLAGS: both clusters with nothing in them but the target's nodes and the pods of others. FLAGS are API
# server flags; @ in them is the cluster's folder.
clusters_up() {
  local what
  section "Clusters"
  for what in "$home 13" "$target 14"; do
    # shellcheck disable=SC2086 # name and index
    APISERVER_FLAGS=${1//@/$rig_dir/${what% *}} moving "cluster ${what% *}" "$logs/rig-${what% *}.log" "$rig" up $what --nodes 0 || die "no cluster"
  done
  begin "$logs/target-nodes.log" "$build/vk-mock-node" --kubeconfig "$target_config" --nodes 200 --name-prefix mock \
    --cpu 64 --memory 256Gi --pods 110
  target_nodes_pid=$job_pid
  for what in home_kubectl target_kubectl; do
    for ns in floor foreign load; do
      [[ $what/$ns == target_kubectl/load ]] || "$what" create namespace "$ns" >/dev/null # the bridge makes that one
    done
    wait_until 30 "$what" -n floor get serviceaccount default
    wait_until 30 "$what" -n foreign get serviceaccount default
  done
  wait_until 60 all_target_nodes || die "not all nodes of the target are there"
  begin_ready "$logs/bystanders.log" "$build/vk-load" bystanders --kubeconfig "$target_config" --nodes 200 --pods "$foreign"
  bystanders_pid=$job_pid
  note "$foreign pods of others on 200 nodes"
  clean_state "$work/state"
  "$build/vk-bridge" join bench --kubeconfig "$target_config" --home-kubeconfig "$home_config" --state-dir "$work/state" \
    >"$logs/join.log" 2>&1 || die "join failed; see $logs/join.log"
}
all_target_nodes() { [[ $(target_kubectl get nodes --no-headers | grep -c ' Ready ') == 200 ]]; }
clusters_down() {
  end_job "$bystanders_pid"
  end_job "$target_nodes_pid"
  "$rig" down "$home"
  "$rig" down "$target"
}
clean_state() {
  rm -rf "$1"
  mkdir -m 700 "$1"
}

# bridge_up [STATE]: started and serving; the pid is in $bridge.
bridge_up() {
  local state=${1:-$work/state}
  begin "$logs/bridge.log" "$build/vk-bridge" run --home-kubeconfig "$home_config" --state-dir "$state" --listen "$listen" \
    --kubelet-port-base 11300
  bridge=$job_pid
  wait_until 60 all_served "$state" || die "the bridge does not serve (log: $logs/bridge.log)"
}
all_served() {
  "$build/vk-bridge" status --home-kubeconfig "$home_config" --state-dir "$1" -o json |
    jq -e '(.clusters | length > 0) and all(.clusters[]; .state == "Ready")'
}
bridge_down() { end_job "$bridge"; }

# life LOG ARGUMENT…: one load through the bridge; prints vk-load's JSON.
bridged() {
  load life --kubeconfig "$home_config" --node bench --namespace load --also-empty "$target_config" "$@"
}
