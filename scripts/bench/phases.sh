# shellcheck shell=bash disable=SC2154 # logs, build, work, …: bench.sh's and measure.sh's, which source this file
# What bench.sh measures, one phase a function.

# Requests per pod life, as the API servers saw them; a run of its own, because the audit log costs them time.
phase_requests() {
  local policy=$work/audit-policy.yaml from to n=$first where counts
  printf 'apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n' >"$policy"
  clusters_up "--audit-policy-file=$policy --audit-log-path=@/audit.log"
  section "Requests a pod life ($n pods, audit log)"
  bridge_up
  bridged --pods 20 >/dev/null
  scrape "$work/before"
  from=$(date -u +%FT%T.%6NZ)
  bridged --pods "$n" --hold 5 >/dev/null
  to=$(date -u +%FT%T.%6NZ)
  scrape "$work/after"
  for where in home target; do
    local rig_name=${!where} cluster=home
    [[ $where == home ]] || cluster=bench
    counts=$(load audit --log "$rig_dir/$rig_name/audit.log" --agent vk-bridge --from "$from" --to "$to")
    jq -r --argjson n "$n" 'to_entries | sort_by(-.value)[] | select(.value * 50 > $n) | "   \(.key): \(.value / $n)"' <<<"$counts"
    figure "requests_$where" "$(jq "[.[]] | add / $n" <<<"$counts")"
    figure "counted_$where" "$(difference "$work/before" "$work/after" rest_client_requests_total "cluster=$cluster" | jq ".grown / $n")"
  done
  bridge_down
  clusters_down
}

# One load without a bridge: plain KEY N ARGUMENT…
plain() {
  local key=$1 n=$2 servers ticks made gone
  shift 2
  # shellcheck disable=SC2046 # pids
  servers=$(cpu_of $(server_pids)) ticks=$(machine_ticks)
  made=$(load life --namespace floor --pods "$n" --only make "$@")
  plain_busy=$(busy_between "$ticks" "$(machine_ticks)")
  sleep 2
  gone=$(load life --namespace floor --pods "$n" --only remove "$@")
  # shellcheck disable=SC2046
  plain_servers=$(calc "1000 * ($(cpu_of $(server_pids)) - $servers) / $n")
  plain_ready=$(field ready_s "$made") plain_deleted=$(field deleted_s "$gone")
  figure "${key}_ready:$n" "$plain_ready"
  figure "${key}_deleted:$n" "$plain_deleted"
  sleep 3
}

round_of_life() {
  local n=$1 cpu servers ticks made gone ready deleted own
  plain direct "$n" --kubeconfig "$target_config"
  begin "$logs/home-nodes.log" "$build/vk-mock-node" --kubeconfig "$home_config" --nodes 4 --name-prefix floor \
    --concurrency 16 --remove-nodes-at-exit
  local nodes_pid=$job_pid
  wait_until 30 home_kubectl get node floor-3
  plain floor "$n" --kubeconfig "$home_config" --node floor-0 --second "$target_config"
  figure "floor_servers_pod:$n" "$plain_servers"
  figure "floor_busy:$n" "$plain_busy"
  end_job "$nodes_pid"
  bridge_up
  bridged --pods 20 >/dev/null
  sleep 2
  # shellcheck disable=SC2046
  cpu=$(cpu_of "$bridge") servers=$(cpu_of $(server_pids)) ticks=$(machine_ticks)
  made=$(bridged --pods "$n" --only make)
  figure "busy:$n" "$(busy_between "$ticks" "$(machine_ticks)")"
  sleep 2
  gone=$(bridged --pods "$n" --only remove)
  own=$(calc "1000 * ($(cpu_of "$bridge") - $cpu) / $n")
  # shellcheck disable=SC2046
  servers=$(calc "1000 * ($(cpu_of $(server_pids)) - $servers) / $n")
  figure "cpu_pod:$n" "$own"
  figure "servers_pod:$n" "$servers"
  figure "cpu_share:$n" "$(calc "100 * $own / $servers")"
  bridge_down
  ready=$(field ready_s "$made") deleted=$(field deleted_s "$gone")
  figure "bridge_ready:$n" "$ready"
  figure "bridge_deleted:$n" "$deleted"
  figure "bridge_rate:$n" "$(calc "$n / $ready")"
  figure "ready_ratio:$n" "$(calc "$ready / $plain_ready")"
  figure "deleted_ratio:$n" "$(calc "$deleted / $plain_deleted")"
  sleep 3
}
phase_life() {
  local n round
  for n in ${pods//,/ }; do
    for ((round = 1; round <= rounds; round++)); do
      section "$n pods, round $round of $rounds"
      round_of_life "$n"
    done
  done
}

# How long an event waits before what it asks for is on its way, at a load that leaves the machine time.
phase_steady() {
  local step key p ticks servers began took made
  section "$rate pods a second for $steady_seconds s"
  bridge_up
  bridged --pods 20 >/dev/null
  scrape "$work/before"
  home_kubectl get --raw /metrics >"$work/home-before"
  target_kubectl get --raw /metrics >"$work/target-before"
  # shellcheck disable=SC2046
  began=$(now) ticks=$(machine_ticks) servers=$(cpu_of $(server_pids))
  made=$(bridged --rate "$rate" --pods $((rate * steady_seconds)) --only make)
  took=$(calc "$(now) - $began")
  figure "steady_busy:$rate" "$(busy_between "$ticks" "$(machine_ticks)")"
  # shellcheck disable=SC2046
  figure "steady_servers:$rate" "$(calc "100 * ($(cpu_of $(server_pids)) - $servers) / $took / $(nproc)")"
  figure "steady_rate:$rate" "$(calc "$rate * $steady_seconds / $(field ready_s "$made")")"
  scrape "$work/after"
  home_kubectl get --raw /metrics >"$work/home-after"
  target_kubectl get --raw /metrics >"$work/target-after"
  for step in create reflect; do
    key=$(difference "$work/before" "$work/after" pod_event_to_request_seconds "request=$step")
    for p in p50 p95 p99; do figure "${step}_$p:$rate" "$(jq ".$p | if . then 1000 * . else empty end" <<<"$key")"; done
  done
  key=$(difference "$work/target-before" "$work/target-after" apiserver_request_duration_seconds verb=POST resource=pods subresource=)
  figure "post_server_p99:$rate" "$(jq '.p99 | if . then 1000 * . else empty end' <<<"$key")"
  key=$(difference "$work/home-before" "$work/home-after" apiserver_request_duration_seconds verb=PATCH resource=pods subresource=status)
  figure "patch_server_p99:$rate" "$(jq '.p99 | if . then 1000 * . else empty end' <<<"$key")"
  bridged --pods $((rate * steady_seconds)) --only remove >/dev/null
  bridge_down
}

# join_bench KUBECONFIG: where the target is reached from now on.
join_bench() {
  "$build/vk-bridge" join bench --kubeconfig "$1" --home-kubeconfig "$home_config" --state-dir "$work/state" >"$logs/join.log" 2>&1 ||
    die "join failed; see $logs/join.log"
}
phase_rtt() {
  local near far round
  section "$first pods through a relay, $rtt ms round trip"
  begin_ready "$logs/relay.log" "$build/vk-load" relay --kubeconfig "$target_config" --out "$work/far.kubeconfig" --rtt "$rtt"
  local relay_pid=$job_pid
  for ((round = 1; round <= rounds; round++)); do
    near=$(one_load "$target_config")
    far=$(one_load "$work/far.kubeconfig")
    figure "rtt_ready:${rtt}ms" "$far"
    figure "rtt_share:${rtt}ms" "$(calc "$near / $far")"
  done
  join_bench "$target_config"
  end_job "$relay_pid"
}
# one_load KUBECONFIG: seconds until the first load's pods are Ready.
one_load() {
  local made
  join_bench "$1"
  bridge_up
  bridged --pods 20 >/dev/null
  made=$(bridged --pods "$first" --only make)
  bridged --pods "$first" --only remove >/dev/null
  bridge_down
  sleep 2
  field ready_s "$made"
}

phase_big() {
  local cpu round
  section "$big running pods"
  bridge_up
  bridged --pods "$big" --only make >/dev/null
  sleep 5
  figure "rss_peak:$big" "$(megabytes "$(memory "$bridge" status VmHWM)")"
  figure "threads:$big" "$(threads_of "$bridge")"
  sleep 35 # threads that idle end, and what they held goes back
  section "$big running pods, $idle_seconds idle seconds"
  cpu=$(cpu_of "$bridge")
  scrape "$work/before"
  sleep "$idle_seconds"
  scrape "$work/after"
  figure "idle_cpu:$big" "$(calc "100 * ($(cpu_of "$bridge") - $cpu) / $idle_seconds")"
  figure "idle_requests:$big" "$(difference "$work/before" "$work/after" rest_client_requests_total | jq ".grown / $idle_seconds")"
  figure "rss_settled:$big" "$(megabytes "$(memory "$bridge" smaps_rollup Rss)")"
  kill -STOP "$bystanders_pid" # so that every write to a pod of the target is the bridge's
  for ((round = 1; round <= rounds; round++)); do restart_big "$round"; done
  kill -CONT "$bystanders_pid"
  bridged --pods "$big" --only remove >/dev/null
  bridge_down
}
# Writes to pods, events and what pods depend on, so far, as both API servers count them.
writes_so_far() {
  { home_kubectl get --raw /metrics && target_kubectl get --raw /metrics; } | awk '
    /^apiserver_request_total\{/ && /verb="(POST|PUT|PATCH|DELETE)"/ &&
    /resource="(pods|events|configmaps|secrets|serviceaccounts|persistentvolumeclaims)"/ { n += $NF } END { print n + 0 }'
}
restart_big() {
  local began writes
  section "Restart with $big running pods, $1 of $rounds"
  bridge_down
  sleep 2
  figure "restart_floor:$big" "$(field listed_s "$(load lists --kubeconfig "$home_config" --node bench --second "$target_config")")"
  writes=$(writes_so_far)
  began=$(now)
  begin "$logs/bridge.log" "$build/vk-bridge" run --home-kubeconfig "$home_config" --state-dir "$work/state" --listen "$listen" \
    --kubelet-port-base 11300
  bridge=$job_pid
  wait_until 120 converged || die "not converged (log: $logs/bridge.log)"
  figure "restart:$big" "$(calc "$(now) - $began")"
  sleep 5
  figure "restart_writes:$big" "$(($(writes_so_far) - writes))"
  figure "restart_rss:$big" "$(megabytes "$(memory "$bridge" status VmHWM)")"
}
# Every pod has had its turn and none waits for another.
converged() {
  scrape "$work/converging" 2>/dev/null || return 1
  awk -v big="$big" '
    /^workqueue_work_duration_seconds_count\{name="pods-bench"/ { handled = $NF }
    /^workqueue_depth\{name="pods-bench"/ { depth = $NF }
    END { exit !(handled >= big && depth == 0) }' "$work/converging"
}

phase_targets() {
  local cpu i folder=$work/fakes
  section "$targets targets"
  mkdir -p "$folder"
  clean_state "$work/many"
  begin_ready "$logs/fake-targets.log" "$build/vk-load" fake-targets --folder "$folder" --count "$targets"
  local fakes_pid=$job_pid
  for ((i = 0; i < targets; i++)); do
    "$build/vk-bridge" join "fake-$i" --kubeconfig "$folder/target-$i.kubeconfig" --home-kubeconfig "$home_config" \
      --state-dir "$work/many" >"$logs/join.log" 2>&1 || die "join failed; see $logs/join.log"
  done
  bridge_up "$work/many"
  sleep 40 # threads that idle end
  cpu=$(cpu_of "$bridge")
  sleep "$idle_seconds"
  figure "targets_cpu:$targets" "$(calc "100 * ($(cpu_of "$bridge") - $cpu) / $idle_seconds")"
  figure "targets_rss:$targets" "$(megabytes "$(memory "$bridge" smaps_rollup Rss)")"
  figure "targets_threads:$targets" "$(threads_of "$bridge")"
  bridge_down
  end_job "$fakes_pid"
}
