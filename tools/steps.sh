# Shared by the scripts that prepare a machine; read with `.`, POSIX sh.

# say TEXT...: one line for the person in front of it. Standard output stays free for results.
say() {
  printf '%s\n' "$*" >&2
}

# fail WHAT WHY FIX
fail() {
  printf 'weft: %s\n  why: %s\n  fix: %s\n' "$1" "$2" "$3" >&2
  exit 1
}

# step LABEL COMMAND...: runs a command quietly; shows that it is at work once it takes over a second, and what it
# printed when it fails.
step() {
  label=$1
  shift
  log=$(mktemp "${TMPDIR:-/tmp}/weft-step.XXXXXX")
  began=$(date +%s)
  tick "$label" &
  ticker=$!
  trap 'kill "$ticker" 2>/dev/null; rm -f "$log"; exit 130' INT TERM
  status=0
  "$@" >"$log" 2>&1 </dev/null || status=$?
  trap - INT TERM
  kill "$ticker" 2>/dev/null || :
  wait "$ticker" 2>/dev/null || :
  took=$(($(date +%s) - began))
  if [ -t 2 ]; then printf '\r\033[K' >&2; fi
  if [ "$took" -ge 1 ]; then say "$label… $took s"; fi
  if [ "$status" -ne 0 ]; then complaints "$log" | sed 's/^/  | /' >&2; fi
  rm -f "$log"
  return "$status"
}

# What a tool said went wrong, which need not be what it said last.
complaints() {
  grep -iE '^(npm error|error|e:|.*\berror:)' "$1" | grep -vE '^npm error *$' | head -n 8 | grep . || tail -n 12 "$1"
}

# The sleeps let go of stderr: whoever reads it must not wait for the last of them.
tick() {
  sleep 1 >/dev/null 2>&1
  [ -t 2 ] || say "$1…"
  [ -t 2 ] || return 0
  n=1
  while [ "$n" -lt 3600 ]; do
    printf '\r%s… %3d s' "$1" "$n" >&2
    sleep 1 >/dev/null 2>&1
    n=$((n + 1))
  done
}

# locked FILE COMMAND...: one process at a time. The lock goes with its holder, however that ends. Where there is no
# flock (not on Debian), two first runs at once may do the same work twice.
locked() {
  lock=$1
  shift
  if ! command -v flock >/dev/null; then
    "$@"
    return
  fi
  (
    if ! flock -n 9; then
      say 'waiting for another weft that does the same…'
      flock -w 900 9 || fail 'could not start' "$lock is held for 15 minutes" 'end the other weft, or remove that file'
    fi
    "$@" 9>&-
  ) 9>"$lock"
}
