#!/usr/bin/env bash
# Measures the bridge between two real API servers, beside what this machine can do without one, and prints each figure
# beside its target. Exits 1 when a target is missed. Brings everything up and takes it down again; needs root.
#
# Usage: bench.sh [--quick] [--pods N,…] [--targets T] [--rtt MS] [--rate N] [--big N] [--rounds N] [--only PHASE,…] [--json FILE]
#   --pods N,…     loads of so many pods (1000,5000); the first one is also that of the phases requests and rtt
#   --targets T    idle targets, served from memory over TLS (50)
#   --rtt MS       round trip of the relay to the target (100)
#   --rate N       pods a second of the phase steady (100)
#   --big N        running pods for memory, idle cost and restart (10000)
#   --rounds N     rounds of each load and restart; medians count (3)
#   --only PHASE,… of: requests life steady rtt big targets
#   --json FILE    every figure of every round, for plots
#   --quick        one round with 300 pods, 1,000 running ones, 20 targets: under 4 minutes, and no verdict on big loads
# All of it takes about an hour where the pair floor of 1,000 pods takes 16 s.
#
# Pods are of 6 KB: two containers, 30 variables, 4 volumes. The target has 200 nodes in memory (vk-mock-node) with 5,000
# pods of others, of which 5 a second are replaced. The pair floor is N pods made at the same moment at home, bound to a
# node in memory, and in the target, placed by its scheduler, without any bridge. CPU is that of the whole process life
# of a load; the API servers' is shown beside it, because they share the machine with everything else.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

pods=1000,5000 targets=50 rtt=100 rate=100 big=10000 rounds=3 only=requests,life,steady,rtt,big,targets json='' foreign=5000
steady_seconds=20 idle_seconds=60 unmeasured=''
[[ " $* " != *" --help "* && " $* " != *" -h "* ]] || print_help
need_root "$@"
while (($#)); do
  case $1 in
    --quick) pods=300 targets=20 big=1000 rounds=1 foreign=1000 steady_seconds=8 idle_seconds=20 && shift ;;
    --pods) pods=${2:?} && shift 2 ;;
    --targets) targets=${2:?} && shift 2 ;;
    --rtt) rtt=${2:?} && shift 2 ;;
    --rate) rate=${2:?} && shift 2 ;;
    --big) big=${2:?} && shift 2 ;;
    --rounds) rounds=${2:?} && shift 2 ;;
    --only) only=${2:?} && shift 2 ;;
    --json) json=${2:?} && shift 2 ;;
    *) usage_error "unknown argument $1" ;;
  esac
done
for number in ${pods//,/ } "$targets" "$rtt" "$rate" "$big" "$rounds"; do
  [[ $number =~ ^[1-9][0-9]*$ ]] || usage_error "$number is not a whole number"
done
for phase in ${only//,/ }; do
  [[ " requests life steady rtt big targets " == *" $phase "* ]] || usage_error "there is no phase $phase"
done
wanted() { [[ ,$only, == *,$1,* ]]; }
first=${pods%%,*}

build=$VKB_ROOT/build/release logs=$(log_dir)/bench
rig=$VKB_ROOT/scripts/rig/cluster.sh rig_dir=${RIG_DIR:-/var/lib/vk-bridge-rig}
home=bhome target=btarget # of the rig
home_config=$rig_dir/$home/admin.kubeconfig target_config=$rig_dir/$target/admin.kubeconfig
listen=127.0.0.1:10913
# shellcheck source=scripts/bench/measure.sh
. "$VKB_ROOT/scripts/bench/measure.sh"
# shellcheck source=scripts/bench/phases.sh
. "$VKB_ROOT/scripts/bench/phases.sh"

"$VKB_ROOT/scripts/install-deps.sh" build test rig
rm -rf "$logs"
mkdir -p "$logs"
section "Building"
(cd "$VKB_ROOT" && moving "Configuring" "$logs/configure.log" cmake --preset release -DVKB_TESTS=ON)
moving "Compiling" "$logs/build.log" cmake --build "$build" -j "$(nproc)" --target vk-bridge vk-mock-node vk-load
"$VKB_ROOT/scripts/rig/build-kube.sh"

work=$(mktemp -d /tmp/vk-bridge-bench.XXXXXX)
at_exit "rm -rf '$work'"
at_exit "'$rig' down $home; '$rig' down $target"
figures=$logs/figures.jsonl
: >"$figures"

if wanted requests; then phase_requests; fi
if wanted life || wanted steady || wanted rtt || wanted big || wanted targets; then
  clusters_up ''
  if wanted life; then phase_life; fi
  if wanted steady; then phase_steady; fi
  if wanted rtt; then phase_rtt; fi
  if wanted big; then phase_big; fi
  if wanted targets; then phase_targets; fi
fi

section "Figures"
note "$(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(free -g | awk '/^Mem/ { print $2 }') GB; API servers $("$rig_dir/$home/kubectl" version --client --short 2>/dev/null | awk '{ print $NF }'); rounds: $rounds"
rc=0
"$build/vk-load" report "$figures" ${json:+--json "$json"} || rc=$?
[[ -z $unmeasured ]] || warn "not measured:$unmeasured"
((rc == 0)) || die "a target was missed (logs: $logs)"
[[ -z $unmeasured ]] || die "no verdict without these (logs: $logs)"
note "every target reached"
