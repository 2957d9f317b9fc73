# shellcheck shell=bash disable=SC2154 # name, dir, ns, idx, addr: cluster.sh's, which sources this file
# The node of one cluster: containerd with runc, a bridge network for pods, images made here, and the kubelet.

# A machine that is itself a container has its processes in the root of its cgroup2 tree, where no
# controller can then be handed down. Moving them one level lower frees the root (as container-in-container tools do).
free_cgroup_root() {
  local root=/sys/fs/cgroup
  [[ -f $root/cgroup.type && -s $root/cgroup.procs ]] || return 0 # the real root, or cgroup v1
  mkdir -p "$root/init"
  xargs -rn1 <"$root/cgroup.procs" >"$root/init/cgroup.procs" 2>/dev/null || true
  sed 's/ / +/g;s/^/+/' "$root/cgroup.controllers" >"$root/cgroup.subtree_control" || true
}

make_rootfs() { # $dir/image/l/layer.tar: busybox and a link for each of its applets
  local image=$dir/image applet
  mkdir -p "$image/rootfs/bin" "$image/rootfs/etc" "$image/rootfs/tmp" "$image/l"
  cp /bin/busybox "$image/rootfs/bin/"
  for applet in $(/bin/busybox --list); do
    [[ $applet == busybox ]] || ln -sf busybox "$image/rootfs/bin/$applet"
  done
  echo 'root:x:0:0:root:/:/bin/sh' >"$image/rootfs/etc/passwd"
  echo 'root:x:0:' >"$image/rootfs/etc/group"
  tar -C "$image/rootfs" -cf "$image/l/layer.tar" .
}
import_image() { # REFERENCE ENTRYPOINT-JSON
  local image=$dir/image diff config
  diff=$(sha256sum "$image/l/layer.tar" | cut -d' ' -f1)
  jq -nc --argjson entrypoint "$2" --arg diff "sha256:$diff" --arg arch "$(dpkg --print-architecture)" \
    '{architecture: $arch, os: "linux", config: {Entrypoint: $entrypoint, Env: ["PATH=/bin"]},
      rootfs: {type: "layers", diff_ids: [$diff]}, history: [{created: "2026-01-01T00:00:00Z"}]}' >"$image/config"
  config=$(sha256sum "$image/config" | cut -d' ' -f1).json
  mv "$image/config" "$image/$config"
  jq -nc --arg config "$config" --arg tag "$1" '[{Config: $config, RepoTags: [$tag], Layers: ["l/layer.tar"]}]' >"$image/manifest.json"
  tar -C "$image" -cf "$image/image.tar" manifest.json "$config" l/layer.tar
  ctr -a "$dir/ctr/c.sock" -n k8s.io images import --snapshotter "$snapshotter" "$image/image.tar" >/dev/null
}

write_node_config() {
  mkdir -p "$dir/ctr" "$dir/cni" "$dir/node"
  cat >"$dir/ctr/config.toml" <<C
version = 2
root = "$dir/ctr/root"
state = "$dir/ctr/state"
[grpc]
  address = "$dir/ctr/c.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/library/pause:e2e"
  restrict_oom_score_adj = true   # a negative oom_score_adj is refused in some sandboxes
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "$snapshotter"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$dir/cni"
[plugins."io.containerd.internal.v1.opt"]
  path = "$dir/ctr/opt"
C
  cat >"$dir/cni/10-bridge.conflist" <<C
{"cniVersion":"0.3.1","name":"$ns","plugins":[{"type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":false,
"ipam":{"type":"host-local","dataDir":"$dir/cni-data","subnet":"10.202.$idx.0/24","routes":[{"dst":"0.0.0.0/0"}]}}]}
C
  cat >"$dir/kubelet.yaml" <<C
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $dir/ca.crt}}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
cgroupRoot: /
cgroupsPerQOS: false
enforceNodeAllocatable: []
failSwapOn: false
evictionHard: {}
imageGCHighThresholdPercent: 100
nodeStatusUpdateFrequency: 2s
clusterDNS: [10.203.$idx.10]
resolvConf: ""
volumePluginDir: $dir/node/volume-plugins
C
}

# containerd and the kubelet share a mount namespace of their own: what they mount for pods never shows on the machine,
# and the folders whose place is fixed in them are the cluster's own, so that clusters do not meet there. A process that
# only waits holds it. (Pinning it to a file instead fails now and then on recent kernels when this machine is itself a
# container.)
fixed_folders=(/var/log/pods /var/log/containers /var/lib/cni /var/lib/kubelet /run/containerd)
start_mount_namespace() {
  local folder
  for folder in "${fixed_folders[@]}"; do mkdir -p "$folder" "$dir/own$folder"; done
  # Shared below, so that a pod may ask for mount propagation; still only a slave of the machine.
  # shellcheck disable=SC2016 # the inner shell's
  define mounts -- unshare --mount --propagation slave bash -ec '
    own=$1
    shift
    mount --make-rshared /
    for folder; do mount --bind "$own$folder" "$folder"; done
    touch "$own/ready"
    exec tail -n 0 -f "$own/ready"' mounts "$dir/own" "${fixed_folders[@]}"
  start_component mounts
  wait_until 10 test -f "$dir/own/ready" || give_up mounts "no mount namespace"
}

start_node() {
  local snapshotter=overlayfs
  # An overlay cannot lie on an overlay, which is what a container's own root is.
  [[ $(stat -fc %T "$dir") == overlay* ]] && snapshotter=native
  [[ -x $KUBE_BIN/kubelet ]] || die "no kubelet in $KUBE_BIN: use --nodes 0"
  free_cgroup_root
  write_node_config
  start_mount_namespace
  local mount_ns
  mount_ns=--mount=/proc/$(component_pid mounts)/ns/mnt
  define containerd "$mount_ns" -- containerd -c "$dir/ctr/config.toml"
  define kubelet "$mount_ns" -- "$KUBE_BIN/kubelet" --kubeconfig "$dir/admin.kubeconfig" --config "$dir/kubelet.yaml" \
    --container-runtime=remote --container-runtime-endpoint="unix://$dir/ctr/c.sock" \
    --hostname-override="$name-node-1" --root-dir="$dir/node" --cert-dir="$dir/node/pki" --node-ip="$addr"
  start_component containerd
  make_rootfs
  wait_until 30 ctr -a "$dir/ctr/c.sock" version || give_up containerd "containerd does not answer after 30 s"
  import_image docker.io/library/busybox:e2e null
  import_image docker.io/library/pause:e2e '["/bin/sleep","infinity"]'
  rm -rf "$dir/image"
  start_component kubelet
  wait_until 120 node_ready || give_up kubelet "the node is not Ready after 120 s"
}
