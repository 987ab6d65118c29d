#!/bin/sh
# Runs the suites that use real parts, one after the other: sh tools/e2e.sh [FILE...]
set -eu
root=$(cd "$(dirname "$0")/.." && pwd -P)
cd "$root"
ENVOY_PATH=$(sh tools/setup.sh --test)
export ENVOY_PATH
cache="${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/weft"
export PATH="$root/node_modules/.bin:$PATH:$cache/debian/usr/bin:/usr/sbin:/sbin"
node tools/gen.ts
node tools/build.ts
if [ $# -eq 0 ]; then set -- 'test/**/*.test.ts'; fi
exec node --test --test-concurrency=1 --test-timeout=600000 "$@"
