#!/usr/bin/env bash
# Checks the form of what changed: format, layers, file sizes, shell scripts, and clang-tidy.
#
# Usage: lint.sh [--all] [--fast] [--fix]
#   --all    every file, not only those that differ from origin/main (or, without one, from HEAD)
#   --fast   every file, all but clang-tidy: seconds
#   --fix    let clang-format write
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
all='' tidy=1 fix=''
for arg in "$@"; do
  case $arg in
    -h | --help) print_help ;;
    --all) all=1 ;;
    --fast) all=1 tidy='' ;;
    --fix) fix=1 ;;
    *) usage_error "unknown argument $arg" ;;
  esac
done
"$VKB_ROOT/scripts/install-deps.sh" lint ${tidy:+build test}
cd "$VKB_ROOT"
failed=0
fail() { printf '%s\n' "$*" && failed=1; }

# Tracked and new files; changed ones against where this branch left origin/main.
git=(git -c safe.directory="$VKB_ROOT")
base=$("${git[@]}" merge-base origin/main HEAD 2>/dev/null || "${git[@]}" rev-parse -q --verify HEAD || true)
[[ -n $base ]] || all=1
mapfile -t files < <(
  {
    if [[ -n $all ]]; then "${git[@]}" ls-files; else "${git[@]}" diff --name-only "$base"; fi
    "${git[@]}" ls-files --others --exclude-standard
  } | sort -u | while read -r f; do if [[ -f $f ]]; then echo "$f"; fi; done
)
cpp=() shell=()
for f in "${files[@]}"; do
  case $f in
    *.h | *.cpp) cpp+=("$f") ;;
    *.sh | .ci/run) shell+=("$f") ;;
  esac
done
section "Format, ${#cpp[@]} C++ files"
if ((${#cpp[@]})); then
  if [[ -n $fix ]]; then clang-format -i "${cpp[@]}"; fi
  unformatted=$(clang-format --dry-run "${cpp[@]}" 2>&1 | sed -nE 's/^([^: ]+):[0-9]+:[0-9]+: .*/   \1/p' | sort -u)
  [[ -z $unformatted ]] || fail "Not formatted (scripts/lint.sh --fix does it):"$'\n'"$unformatted"
fi

section "Layers and files"
# A layer includes itself and those before it; the links in src/CMakeLists.txt say the same to the compiler, this says it
# for headers that nothing includes yet.
if ((${#cpp[@]})); then
  awk -v order="base json net kube node mock kubelet state bridge cli" '
    function say(sentence) { print FILENAME ":" FNR ": " sentence; bad = 1 }
    function close_file() {
      if (last && lines > 500) { print last ": more than 500 lines; split it"; bad = 1 }
      if (last ~ /\.h$/ && !once) { print last ": no #pragma once"; bad = 1 }
    }
    BEGIN { n = split(order, name, " "); for (i = 1; i <= n; i++) rank[name[i]] = i }
    FNR == 1 {
      close_file(); last = FILENAME; once = 0
      split(FILENAME, part, "/"); own = part[1] == "src" ? rank[part[2]] : 0
    }
    { lines = FNR }
    /^#pragma once/ { once = 1 }
    /^ *# *include *["<]/ {
      path = $0; sub(/^[^"<]*["<]/, "", path); sub(/[">].*/, "", path); split(path, inc, "/")
      if (own && rank[inc[1]] > own) say("layer " part[2] " may not include " path)
      if (part[1] == "include" && inc[1] in rank) say("a public header may not include " path)
      if (part[1] != "src" && part[1] != "include") next
      if (FILENAME ~ /\.h$/ && path == "nlohmann/json.hpp") say("headers include nlohmann/json_fwd.hpp only")
      if (inc[1] == "CLI" && part[2] != "cli" && FILENAME != "src/mock/main.cpp") say("CLI11 belongs to cli")
      if (inc[1] == "yaml-cpp" && part[2] != "cli" && part[2] != "kube") say("yaml-cpp belongs to kube and cli")
    }
    END { close_file(); exit bad }' "${cpp[@]}" || failed=1
fi

section "Shell, ${#shell[@]} scripts"
if ((${#shell[@]})); then shellcheck -x -P "$VKB_ROOT" "${shell[@]}" || failed=1; fi

if [[ -n $tidy ]]; then
  units=()
  for f in "${cpp[@]}"; do [[ $f == *.cpp ]] && units+=("$f"); done
  section "clang-tidy, ${#units[@]} files"
  if ((${#units[@]})); then
    # Its own build folder: GCC's flags that clang does not know stay out, and no launcher is in the way.
    moving "Configuring" "$(log_dir)/lint-configure.log" cmake --preset dev -B build/lint -DCMAKE_CXX_COMPILER_LAUNCHER=
    printf '%s\n' "${units[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy -p build/lint --quiet --extra-arg=-Wno-unknown-warning-option ||
      fail "clang-tidy found something."
  fi
fi
if ((failed)); then die "something to mend, see above"; fi
note "nothing to mend"
