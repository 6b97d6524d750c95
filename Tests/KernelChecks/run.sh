#!/usr/bin/env bash
# Checks every operation of the kernels' variants, here and on emulated CPUs.
#
#   run.sh [native] [x86] [arm64] [OPTION...]   without a name, all three
#   native   on this CPU, whole; the only one where --speed means something
#   x86      old CPUs with qemu-x86_64: no SSE4 (core2duo), no AVX2 (SandyBridge), AVX2 (Haswell)
#   arm64    cross-compiled, with qemu-aarch64: without dot products (cortex-a53), with them (neoverse-n1), and all there is (max)
#   swift    the built command `swiftlet` with the small model on old x86 CPUs, if both are there; only when named
#   list     prints the native variants; OPTIONs go to the program, see its --help
#
# Needs clang (that of the Swift toolchain will do). What the emulated runs need beside it is installed with apt when it is missing.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=build.sh
source "$here/build.sh"

runs=() options=()
while [ $# -gt 0 ]; do
  case "$1" in
    native | x86 | arm64 | swift) runs+=("$1") ;;
    *) options+=("$1") ;;
  esac
  shift
done
[ ${#runs[@]} -gt 0 ] || runs=(native x86 arm64)
folder=${KERNEL_CHECKS_BUILD:-$root/.build/kernel-checks}
mkdir -p "$folder"
rm -f "$folder"/*.log

# Installs Debian packages for commands or files that are missing: need PATH_OR_COMMAND PACKAGE...
need() {
  local what=$1
  shift
  command -v "$what" >/dev/null || [ -e "$what" ] && return
  command -v apt-get >/dev/null || { echo "'$what' is missing; on Debian it comes with: $*" >&2; exit 1; }
  local sudo=""
  [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -q >&2
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends "$@" >&2
}

# The lines "NAME COMMAND..." of standard input, as many at once as there are CPUs, each into a log of its own.
emulate() {
  local names=() name command status=0 running=0
  while read -r name command; do
    names+=("$name")
    # One process a line; its exit status is kept beside the log.
    (
      set +e
      eval "$command" >"$folder/$name.log" 2>&1
      echo $? >"$folder/$name.status"
    ) &
    running=$((running + 1))
    if [ $running -ge "$(nproc)" ]; then
      wait -n
      running=$((running - 1))
    fi
  done
  wait
  for name in "${names[@]}"; do
    printf '%-22s %s\n' "$name" "$(tail -n 1 "$folder/$name.log")"
    if [ "$(cat "$folder/$name.status")" != 0 ]; then
      grep -v ' ok ' "$folder/$name.log" || true
      status=1
    fi
  done
  return $status
}

status=0
for run in "${runs[@]}"; do
  case "$run" in
    native)
      build_checks "$folder/native"
      if [ ${#options[@]} -gt 0 ]; then
        "$folder/native" "${options[@]}" || status=1
      else
        echo "native $("$folder/native" >"$folder/native.log" && tail -n 1 "$folder/native.log")" | sed 's/ /'"$(printf '%16s' '')"'/' || true
        grep -q ', 0 failed' "$folder/native.log" || { grep -v ' ok ' "$folder/native.log"; status=1; }
      fi
      ;;
    x86)
      need qemu-x86_64 qemu-user
      build_checks "$folder/x86" --target=x86_64-linux-gnu -static
      # QEMU 7.2 reads 16 bytes for a scalar operand of an FMA instruction: --slack.
      emulate <<EOF || status=1
x86-core2duo qemu-x86_64 -cpu core2duo '$folder/x86' --quick ${options[*]:-}
x86-SandyBridge qemu-x86_64 -cpu SandyBridge '$folder/x86' --quick ${options[*]:-}
x86-Haswell qemu-x86_64 -cpu Haswell '$folder/x86' --quick --slack ${options[*]:-avx2}
EOF
      ;;
    arm64)
      need qemu-aarch64 qemu-user
      need /usr/aarch64-linux-gnu/include/stdio.h gcc-aarch64-linux-gnu libc6-dev-arm64-cross
      build_checks "$folder/arm64" --target=aarch64-linux-gnu -static
      emulate <<EOF || status=1
arm64-cortex-a53 qemu-aarch64 -cpu cortex-a53 '$folder/arm64' --quick ${options[*]:-}
arm64-neoverse-n1 qemu-aarch64 -cpu neoverse-n1 '$folder/arm64' --quick ${options[*]:-}
arm64-max qemu-aarch64 -cpu max '$folder/arm64' --quick ${options[*]:-}
EOF
      ;;
    swift)
      need qemu-x86_64 qemu-user
      command=${SWIFTLET:-$root/.build/release/swiftlet} model=${MODEL:-smollm2}
      question="run $model 'What is the capital of France?' --temperature 0 --max-tokens 8"
      emulate <<EOF || status=1
swift-core2duo qemu-x86_64 -cpu core2duo '$command' $question
swift-Nehalem qemu-x86_64 -cpu Nehalem '$command' $question
EOF
      ;;
  esac
done
exit $status
