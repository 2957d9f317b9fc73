#!/usr/bin/env bash
# Builds real Kubernetes 1.20.2 binaries (kube-apiserver, kube-controller-manager, kube-scheduler, kubelet,
# kubectl) from Debian 12's own source package, once, into ~/.cache/vk-bridge/kube-1.20.2.
#
# Usage: build-kube.sh [DEST]
# Needs root (or sudo), Debian 12 and apt; 6 to 8 minutes on 2 cores and 4 GiB of disk while it builds.
# A second call at the same time waits for the first; a build that was interrupted leaves nothing behind.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
[[ ${1:-} == -h || ${1:-} == --help ]] && print_help
need_root "$@"
dest=$(realpath -m "${1:-$VKB_CACHE/kube-1.20.2}")
binaries=(kube-apiserver kube-controller-manager kube-scheduler kubelet kubectl)
complete() { for b in "${binaries[@]}"; do [[ -x $dest/$b ]] || return 1; done; }
there() { note "Kubernetes 1.20.2 binaries: $dest"; }
if complete; then there && exit; fi

mkdir -p "$(dirname "$dest")"
exec {lock}>"$dest.lock"
flock -n "$lock" || { note "another build is at work; waiting for it" && flock "$lock"; }
if complete; then there && exit; fi
(($(df -Pk "$(dirname "$dest")" | awk 'NR==2 {print $4}') > 4 * 1024 * 1024)) ||
  die "needs 4 GiB of free disk in $(dirname "$dest"); free some, or set XDG_CACHE_HOME to another disk"

ensure_packages "Go toolchain" golang-1.19-go dpkg-dev make rsync jq gcc libc6-dev golang-github-modern-go-reflect2-dev
work=$(mktemp -d "$dest.build-XXXXXX")
at_exit "rm -rf '$work'"

# deb-src for the suites that are configured already; no other host is named or added.
mkdir -p "$work/parts" "$work/lists/partial"
for file in /etc/apt/sources.list.d/*.sources; do # container and cloud images
  [[ -f $file ]] && grep -q '^Types:.*\bdeb\b' "$file" && sed 's/^Types:.*/Types: deb-src/' "$file" >"$work/parts/${file##*/}"
done
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do # the installer's one-line format
  [[ -f $file ]] && sed -n 's/^deb /deb-src /p' "$file" >"$work/parts/${file##*/}.list"
done
apt=(apt-get -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/parts" -o Dir::State::Lists="$work/lists"
  -o Acquire::Retries=3 -o APT::Sandbox::User=root)
fetch() {
  "${apt[@]}" update
  cd "$work"
  "${apt[@]}" source --download-only kubernetes
  dpkg-source -x kubernetes_*.dsc tree
}
log=$(log_dir)/kube-fetch.log
moving "Kubernetes source package" "$log" fetch

build() {
  cd "$work/tree"
  # The vendored reflect2 1.0.1 crashes ("unexpected fault address") under Go >= 1.18; Debian ships 1.0.2.
  rm -rf vendor/github.com/modern-go/reflect2
  cp -rL /usr/share/gocode/src/github.com/modern-go/reflect2 vendor/github.com/modern-go/reflect2
  rm -f vendor/github.com/modern-go/reflect2/*_test.go
  # GOPATH layout: the module files of this tree predate what Go 1.19 accepts with -mod=vendor.
  mkdir -p .go/src/k8s.io && ln -sfn ../../.. .go/src/k8s.io/kubernetes
  cd .go/src/k8s.io/kubernetes
  export PATH=/usr/lib/go-1.19/bin:$PATH GOPATH=$work/tree/.go GO111MODULE=off CGO_ENABLED=0 HOME=$work
  mkdir "$work/tmp" && export TMPDIR=$work/tmp # gone with the rest if this is interrupted
  export KUBE_GIT_VERSION=v1.20.2 KUBE_GIT_COMMIT=debian KUBE_GIT_TREE_STATE=archive KUBE_GIT_MAJOR=1 KUBE_GIT_MINOR=20
  # -v: a line a package, so that the log moves. By make, because the API server needs generated code.
  GOFLAGS=-v make WHAT="${binaries[*]/#/cmd/}"
}
moving "Building Kubernetes 1.20.2 (6 to 8 minutes, once)" "$(log_dir)/kube-build.log" build

mkdir "$work/bin"
for b in "${binaries[@]}"; do install -m 755 "$work/tree/_output/bin/$b" "$work/bin/$b"; done
rm -rf "$dest" # what an older, interrupted version may have left
mv -T "$work/bin" "$dest"
there
