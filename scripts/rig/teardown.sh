# shellcheck shell=bash disable=SC2154 # name, dir, ns, idx, fixed_folders: cluster.sh's and node.sh's, which sources this file
# Taking one cluster down, from whatever state it is in, and proof that nothing of it is left.

stop_component() { # COMPONENT TERM|KILL: returns when the process is gone
  local pid
  pid=$(component_pid "$1") || return 0
  kill -s "$2" "$pid" 2>/dev/null || true
  wait_until 10 component_gone "$1" && return
  kill -s KILL "$pid" 2>/dev/null || true
  wait_until 10 component_gone "$1"
}
component_gone() { ! component_pid "$1"; }

# Processes of this cluster, by pid: those in its network namespace (all components), the shims, which carry the
# address of its containerd, and those in its pods' network namespaces (all containers).
cluster_pids() {
  {
    local p inode
    if [[ -e /run/netns/$ns ]]; then ip netns pids "$ns"; fi
    for p in $(pgrep -f containerd-shim); do
      tr '\0' '\n' <"/proc/$p/cmdline" 2>/dev/null | grep -qxF -- "$dir/ctr/c.sock" && echo "$p"
    done
    for inode in "${pod_inodes[@]}"; do
      for p in /proc/[0-9]*; do [[ $(readlink "$p/ns/net") != "net:[$inode]" ]] || echo "${p#/proc/}"; done
    done
    for p in "${COMPONENTS[@]}"; do component_pid "$p" && echo; done
  } 2>/dev/null | sed '/^$/d' | sort -un
}
# The pods' network namespaces, named in the runtime's bundles. Readable only while those and the cluster's mount
# namespace exist, so this comes before anything is stopped.
pod_namespaces=() pod_inodes=()
find_pod_namespaces() {
  local holder n
  mapfile -t pod_namespaces < <(cat "$dir"/ctr/state/io.containerd.runtime.v2.task/k8s.io/*/config.json 2>/dev/null |
    jq -r '.linux.namespaces[]? | select(.type == "network") | .path // empty | sub(".*/"; "") | select(startswith("cni-"))' | sort -u)
  holder=$(component_pid mounts) || return 0
  for n in "${pod_namespaces[@]}"; do
    pod_inodes+=("$(nsenter --mount="/proc/$holder/ns/mnt" stat -c %i "/run/netns/$n" 2>/dev/null || echo none)")
  done
}
cluster_mounts() { awk -v d="$dir/" 'index($2, d) == 1 {print $2}' /proc/mounts | sort -r; }

stop_containers() { # while containerd lives it can end them tidily; the kubelet must not make them anew
  local id pid_list=()
  stop_component kubelet TERM
  [[ -S $dir/ctr/c.sock ]] && component_pid containerd >/dev/null || return 0
  mapfile -t pid_list < <(timeout 10 ctr -a "$dir/ctr/c.sock" -n k8s.io tasks ls -q 2>/dev/null)
  for id in "${pid_list[@]}"; do
    [[ -n $id ]] && timeout 20 ctr -a "$dir/ctr/c.sock" -n k8s.io tasks rm -f "$id" >/dev/null 2>&1 &
  done
  wait
}
# What the last cluster leaves empty: the mount that `ip netns add` made, cgroups, fixed folders.
remove_shared_rest() {
  # Not while any cluster lives: removing a folder undoes the mounts that others have on it.
  compgen -G '/run/netns/vkb-*' >/dev/null ||
    rmdir /sys/fs/cgroup/k8s.io /sys/fs/cgroup/*/k8s.io "${fixed_folders[@]}" 2>/dev/null || true
  if mountpoint -q /run/netns && [[ -z $(ls -A /run/netns) ]]; then umount /run/netns; fi
}

tear_down() {
  local n p
  find_pod_namespaces
  if [[ -d $dir ]]; then stop_containers; fi
  for p in kcm scheduler apiserver containerd mounts etcd; do stop_component "$p" TERM; done
  for p in $(cluster_pids); do kill -KILL "$p" 2>/dev/null || true; done
  wait_until 10 no_pids || true # check_clean names those that are left
  cluster_mounts | xargs -r umount -l
  for n in "${pod_namespaces[@]}"; do ip netns del "$n" 2>/dev/null || true; done
  if [[ -n $idx ]]; then ip link del "vkb-$idx" 2>/dev/null || true; fi
  ip netns del "$ns" 2>/dev/null || true
  rm -rf "$dir"
  with_netns_lock remove_shared_rest
}
no_pids() { [[ -z $(cluster_pids) ]]; }

# Says what is left of the cluster, and fails if anything is.
check_clean() {
  local left=() p
  for p in $(cluster_pids); do left+=("process $p: $(tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null | cut -c1-100)"); done
  for p in $(cluster_mounts); do left+=("mount $p"); done
  for p in "${pod_namespaces[@]}"; do [[ -e /run/netns/$p ]] && left+=("network namespace $p"); done
  [[ -e /run/netns/$ns ]] && left+=("network namespace $ns")
  [[ -n $idx && -e /sys/class/net/vkb-$idx ]] && left+=("link vkb-$idx")
  [[ -e $dir ]] && left+=("folder $dir")
  ((${#left[@]} == 0)) && return
  printf '   left of cluster %s: %s\n' "$name" "${left[@]}" >&2
  return 1
}
