#!/bin/sh
# Everything a change must pass, also in a fresh clone: packages and tools, the check, and the suites on real parts.
# Says how long each stage took.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd -P)
cd "$root"

stage() {
  name=$1
  shift
  began=$(date +%s)
  printf '== %s\n' "$name"
  status=0
  "$@" || status=$?
  took=$(($(date +%s) - began))
  if [ "$status" -ne 0 ]; then
    printf '== %s: FAILED (%s), %d s\n' "$name" "$status" "$took"
    exit "$status"
  fi
  printf '== %s: passed, %d s\n' "$name" "$took"
}

# Asking for the version installs the npm packages and builds, where that has not been done.
stage packages sh ./weft version
stage tools sh tools/setup.sh --test
PATH="$root/node_modules/.bin:$PATH"
export PATH
stage check npm run -s check
stage e2e sh tools/e2e.sh
