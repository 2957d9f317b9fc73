# shellcheck shell=bash disable=SC2154 # name, dir, ns, idx, addr: cluster.sh's, which sources this file
# The control plane of one cluster: certificates, etcd, API server, controller manager, scheduler.

# EC keys: made at once, where RSA keys would take seconds.
new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }
cert() { # FILE SUBJECT SAN
  new_key "$dir/$1.key"
  openssl req -new -key "$dir/$1.key" -out "$dir/$1.csr" -subj "$2"
  openssl x509 -req -in "$dir/$1.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial -days 365 -out "$dir/$1.crt" \
    -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$3") 2>/dev/null
}
make_certificates() {
  (
    umask 077
    new_key "$dir/ca.key"
    openssl req -x509 -new -key "$dir/ca.key" -out "$dir/ca.crt" -subj "/CN=$name-ca" -days 365
    cert apiserver "/CN=kube-apiserver" \
      "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:$addr,IP:10.203.$idx.1"
    cert admin "/O=system:masters/CN=admin" DNS:admin
    new_key "$dir/sa.key"
    openssl pkey -in "$dir/sa.key" -pubout -out "$dir/sa.pub"
    # Credentials inline: the file can be copied and handed to `vk-bridge join` as it is.
    cat >"$dir/admin.kubeconfig" <<K
apiVersion: v1
kind: Config
clusters:
- name: $name
  cluster:
    server: https://$addr:6443
    certificate-authority-data: $(base64 -w0 "$dir/ca.crt")
users:
- name: admin
  user:
    client-certificate-data: $(base64 -w0 "$dir/admin.crt")
    client-key-data: $(base64 -w0 "$dir/admin.key")
contexts:
- name: $name
  context: {cluster: $name, user: admin}
current-context: $name
K
  )
  [[ -z ${SUDO_UID:-} ]] || chown "$SUDO_UID:${SUDO_GID:-0}" "$dir/admin.kubeconfig" # who called sudo may use it
}

start_control_plane() {
  # --port=0 switches the insecure port off before 1.23 and is an unknown flag from 1.24 on.
  local port0=() client_limits=(--kube-api-qps=2000 --kube-api-burst=4000) flags
  [[ $("$KUBE_BIN/kube-scheduler" --version) =~ v1\.(1[0-9]|2[0-3])\. ]] && port0=(--port=0)
  # The loopback address is the namespace's own, so every cluster's etcd has the usual port.
  define etcd -- "$ETCD_BIN" --data-dir "$dir/etcd" --unsafe-no-fsync=true
  read -ra flags <<<"${APISERVER_FLAGS:-}"
  define apiserver -- "$KUBE_BIN/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 --secure-port=6443 \
    --advertise-address="$addr" --tls-cert-file="$dir/apiserver.crt" --tls-private-key-file="$dir/apiserver.key" \
    --client-ca-file="$dir/ca.crt" --cert-dir="$dir/apiserver" \
    --service-account-key-file="$dir/sa.pub" --service-account-signing-key-file="$dir/sa.key" \
    --service-account-issuer=https://kubernetes.default.svc --api-audiences=https://kubernetes.default.svc \
    --authorization-mode=Node,RBAC --service-cluster-ip-range="10.203.$idx.0/24" --allow-privileged=true \
    --kubelet-client-certificate="$dir/admin.crt" --kubelet-client-key="$dir/admin.key" \
    --kubelet-preferred-address-types=InternalIP \
    --max-requests-inflight=3000 --max-mutating-requests-inflight=1000 "${flags[@]}"
  # Client limits are raised because the defaults (50/s) would hide what is measured; timings are untouched.
  read -ra flags <<<"${KCM_FLAGS:-}"
  define kcm -- "$KUBE_BIN/kube-controller-manager" --kubeconfig "$dir/admin.kubeconfig" \
    --authentication-kubeconfig "$dir/admin.kubeconfig" --authorization-kubeconfig "$dir/admin.kubeconfig" \
    --service-account-private-key-file="$dir/sa.key" --root-ca-file="$dir/ca.crt" \
    --use-service-account-credentials --cert-dir="$dir/kcm" --cluster-signing-cert-file="$dir/ca.crt" \
    --cluster-signing-key-file="$dir/ca.key" "${client_limits[@]}" "${port0[@]}" --leader-elect=false "${flags[@]}"
  define scheduler -- "$KUBE_BIN/kube-scheduler" --kubeconfig "$dir/admin.kubeconfig" --cert-dir="$dir/scheduler" \
    "${client_limits[@]}" "${port0[@]}" --leader-elect=false
  start_component etcd
  start_component apiserver
  wait_until 90 api_ready || give_up apiserver "the API server is not ready after 90 s"
  start_component kcm
  start_component scheduler
  wait_until 60 kubectl -n default get serviceaccount default ||
    give_up kcm "the controller manager made no service account in 60 s"
}
