# For the scripts beside it: `build_checks PROGRAM FLAG...` compiles the checks with all kernels. `here` and `root` are set.

# A clang: the kernels choose instruction sets by its attributes. CLANG names one; else the Swift toolchain's, or the path's.
find_clang() {
  if [ -n "${CLANG:-}" ]; then
    echo "$CLANG"
  elif command -v "${SWIFT:-swift}" >/dev/null && [ -x "$(dirname "$(readlink -f "$(command -v "${SWIFT:-swift}")")")/clang" ]; then
    echo "$(dirname "$(readlink -f "$(command -v "${SWIFT:-swift}")")")/clang"
  elif command -v clang >/dev/null; then
    echo clang
  else
    echo "No clang found; set CLANG." >&2
    return 1
  fi
}

build_checks() {
  local program=$1 clang sources
  shift
  clang=$(find_clang)
  # These two are no arithmetic.
  mapfile -t sources < <(find "$root/Sources/Kernels" -name '*.c' ! -name mapped_files.c ! -name exchange.c | sort)
  "$clang" -O2 -std=gnu17 -Wall -Wextra -Wno-unused-function -Wno-missing-field-initializers -I "$root/Sources/Kernels/include" "$@" \
    -o "$program" "$here"/*.c "${sources[@]}" -lm
}
