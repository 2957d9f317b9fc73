# shellcheck shell=bash disable=SC2034,SC2120,SC2119 # variables and arguments are those of the scripts that source this
# Shared by the scripts of this folder; sourced, never run. Output is calm: a heading a section, a line a
# step with the time it took, and a moving line for whatever takes long.

VKB_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export HOME=${HOME:-/root}
VKB_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/vk-bridge
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # a plain `su` leaves these out
export CCACHE_BASEDIR=$VKB_ROOT CCACHE_NOHASHDIR=1 # one cache serves clones at any path
VKB_T0=${VKB_T0:-$EPOCHSECONDS}

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  _bold=$'\e[1m' _dim=$'\e[2m' _red=$'\e[31m' _off=$'\e[0m'
else
  _bold='' _dim='' _red='' _off=''
fi

# seconds -> "42 s" or "7 min 05 s"
human_time() {
  if (($1 < 60)); then printf '%d s' "$1"; else printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); fi
}
section() { printf '\n%s== %s%s %s(%s)%s\n' "$_bold" "$*" "$_off" "$_dim" "$(human_time $((EPOCHSECONDS - VKB_T0)))" "$_off"; }
note() { printf '   %s\n' "$*"; }
warn() { printf '%s%s%s\n' "$_red" "$*" "$_off" >&2; }
die() {
  warn "${0##*/}: $*"
  exit 1
}
usage_error() {
  warn "${0##*/}: $* (see --help)"
  exit 2
}
# The comment block at the top of the calling script is its help text.
print_help() {
  sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' "$0"
  exit 0
}

# need_root "$@": goes on as root, or starts the script again through sudo with the settings it reads.
need_root() {
  ((EUID == 0)) && return
  command -v sudo >/dev/null || die "needs root: run it as root, or install sudo"
  exec sudo --preserve-env=CI,KUBE_BIN,ETCD_BIN,KUBECTL,APISERVER_FLAGS,KCM_FLAGS,RIG_DIR,VKB_DEMO_DIR,VKB_LOG_DIR,XDG_CACHE_HOME,E2E_HOME_KUBECONFIG,E2E_TARGET_KUBECONFIG,E2E_SCALE,http_proxy,https_proxy,NO_COLOR -- "$0" "$@"
}

# at_exit COMMAND: run when this shell ends, however it ends; the last one first. A subshell has a list of its own:
# what its parent started is not its to end.
_at_exit=() _at_exit_of=$BASHPID
at_exit() {
  [[ $_at_exit_of == "$BASHPID" ]] || _at_exit=() _at_exit_of=$BASHPID
  _at_exit+=("$1")
  trap run_at_exit EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}
run_at_exit() {
  local rc=$? i
  trap - EXIT
  trap '' INT TERM HUP
  for ((i = ${#_at_exit[@]} - 1; i >= 0; i--)); do eval "${_at_exit[i]}" || true; done
  exit "$rc"
}

# job COMMAND…: starts the command as a job of its own and puts its pid into $job_pid. It ends with this shell: a job
# has its own process group, which is signalled as a whole.
job() {
  set -m
  "$@" </dev/null &
  job_pid=$!
  set +m
  at_exit "end_job $job_pid"
}
end_job() { # only while it is a job of this shell: the number may be another's by then
  jobs -pr | grep -qx "$1" || return 0
  kill -TERM -- "-$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

# follow TITLE LOG PID: waits for a job with its output in LOG and shows that it moves: elapsed time and the last
# line of its log, every 2 s on a terminal and every 30 s elsewhere. A failure shows the log's end; returns its exit code.
follow() {
  local title=$1 log=$2 pid=$3 start=$EPOCHSECONDS rc=0 every=30 next last
  [[ -t 1 ]] && every=2
  next=$((start + every))
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    ((EPOCHSECONDS >= next)) || continue
    next=$((EPOCHSECONDS + every))
    last=$(tail -c 400 "$log" | tr '\r' '\n' | sed '/^[[:space:]]*$/d' | tail -n 1 | tr -d "\000-\037" | cut -c1-70 || true)
    if [[ -t 1 ]]; then
      printf '\r\e[K   %s … %s  %s%s%s' "$title" "$(human_time $((EPOCHSECONDS - start)))" "$_dim" "$last" "$_off"
    else
      note "$title … $(human_time $((EPOCHSECONDS - start)))  $last"
    fi
  done
  [[ -t 1 ]] && printf '\r\e[K'
  wait "$pid" || rc=$?
  if ((rc == 0)); then
    note "$title: done in $(human_time $((EPOCHSECONDS - start)))"
  else
    tail -n 60 "$log" >&2
    warn "$title failed after $(human_time $((EPOCHSECONDS - start))) (exit $rc); whole log: $log"
  fi
  return "$rc"
}
# moving TITLE LOG COMMAND…: both in one.
moving() {
  local title=$1 log=$2
  shift 2
  job "$@" >"$log" 2>&1
  follow "$title" "$log" "$job_pid"
}

# wait_until SECONDS COMMAND…: true as soon as the command is.
wait_until() {
  local deadline=$((EPOCHSECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((EPOCHSECONDS < deadline)) || return 1
    sleep 0.2
  done
}

# Where a script keeps the logs of its steps.
log_dir() {
  local dir=${VKB_LOG_DIR:-$VKB_ROOT/build/logs}
  mkdir -p "$dir"
  printf '%s' "$dir"
}

# ensure_packages TITLE PACKAGE…: installs what is missing, by Debian's package names. Without network and at once when
# nothing is; waits for another package manager that is at work.
ensure_packages() {
  local title=$1 missing log
  shift
  command -v dpkg-query >/dev/null || die "needs Debian 12 (no dpkg here); install the equivalents of: $*"
  missing=$(comm -13 <(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p' | sort -u) \
    <(printf '%s\n' "$@" | sort -u))
  [[ -n $missing ]] || return 0
  need_root
  log=$(log_dir)/packages.log
  # shellcheck disable=SC2086 # one word a package
  moving "$title: installing $(wc -w <<<"$missing") package(s)" "$log" install_packages $missing ||
    die "could not install: ${missing//$'\n'/ }"
}
install_packages() {
  local apt=(apt-get -y -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3) try
  export DEBIAN_FRONTEND=noninteractive
  # etcd and containerd come with a service each, which nobody asked for here: they are not started.
  if [[ ! -e /usr/sbin/policy-rc.d ]]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    trap 'exit 143' TERM INT HUP
  fi
  # `update` does not wait for the lock of the lists by itself.
  for try in 1 2 3 4 5 6; do
    "${apt[@]}" update && break
    ((try < 6)) || return 1
    sleep 10
  done
  for try in 1 2 3; do
    "${apt[@]}" install --no-install-recommends "$@" && return
    sleep 10
  done
  return 1
}
