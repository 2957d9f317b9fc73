#!/usr/bin/env bash
# Installs, by Debian 12's package names, what is needed to build, test and run vk-bridge. Does nothing, and
# needs no network, when all of it is there.
#
# Usage: install-deps.sh [--build-only] [GROUP…]
#   build   compiler, CMake, libraries
#   test    GoogleTest
#   bench   Google Benchmark
#   fuzz    clang with libFuzzer and the sanitizers' runtime
#   rig     what the two clusters of demo.sh and test.sh run on: etcd, containerd, runc, …
#   lint    clang-format, clang-tidy, shellcheck
# Without a group: all of them. --build-only is the group build.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

group_packages() {
  case $1 in
    build) echo build-essential cmake ninja-build ccache libpoco-dev nlohmann-json3-dev libcli11-dev libsqlite3-dev \
      libyaml-cpp-dev libexpected-dev prometheus-cpp-dev libsimdjson-dev liblz4-dev libssl-dev libjemalloc-dev ;;
    test) echo libgtest-dev libgmock-dev ;;
    bench) echo libbenchmark-dev ;;
    fuzz) echo clang-14 libclang-rt-14-dev llvm-14 ;;
    rig) echo etcd-server containerd runc containernetworking-plugins busybox-static iproute2 iptables conntrack \
      openssl jq util-linux procps ca-certificates ;;
    lint) echo git clang-format clang-tidy shellcheck ;;
  esac
}

groups=()
for arg in "$@"; do
  case $arg in
    -h | --help) print_help ;;
    --build-only) groups+=(build) ;;
    build | test | bench | fuzz | rig | lint) groups+=("$arg") ;;
    *) usage_error "unknown argument $arg" ;;
  esac
done
((${#groups[@]})) || groups=(build test bench fuzz rig lint)
need_root "$@"
packages=()
for group in "${groups[@]}"; do
  # shellcheck disable=SC2207 # one word a package
  packages+=($(group_packages "$group"))
done
ensure_packages "Packages" "${packages[@]}"
note "packages for ${groups[*]}: all there"
