# Read by bash before the lines of a page (page-shell.ts). The functions have the names of programs: the lines use them
# without knowing it.

set -Eeuo pipefail
trap 'echo "$PAGE:$LINENO: exit $?: $BASH_COMMAND" >&2' ERR

servers=()

# Fails unless the answer is a 2xx.
curl() {
  local headers status
  headers=$(mktemp)
  command curl --silent --show-error --max-time 30 --dump-header "$headers" "$@" || return
  status=$(awk '/^HTTP/ { status = $2 } END { print status }' "$headers")
  case "$status" in 2??) ;; *)
    echo "curl: the answer was $status" >&2
    return 22 ;;
  esac
}

# Starts a process that does not end, and waits until it is ready. `start` and `api` use the port of those before.
serve() {
  local log pid
  log=$(mktemp)
  case "$*" in *start | *api) stop_servers ;; esac
  # In a process group of its own, because a signal to npm does not reach the process that npm starts.
  set -m
  command "$@" </dev/null >"$log" 2>&1 &
  pid=$!
  set +m
  servers+=("$pid")
  local until=$((SECONDS + 40))
  while kill -0 "$pid" 2>/dev/null && [ "$SECONDS" -lt "$until" ]; do
    if grep -q '^Carillon is ready' "$log"; then return 0; fi
    sleep 0.1
  done
  echo "not ready: $*" >&2
  cat "$log" >&2
  return 1
}

stop_servers() {
  local pid stopping=("${servers[@]}")
  servers=()
  for pid in "${stopping[@]}"; do
    kill -TERM -- "-$pid"
    # npm itself ends with 143 for this signal.
    wait "$pid" || [ $? = 143 ]
    while kill -0 -- "-$pid" 2>/dev/null; do sleep 0.1; done
  done
}
trap stop_servers EXIT
trap 'exit 1' TERM

npm() {
  case "$*" in
    start | 'run api' | 'run worker') serve npm "$@" ;;
    ci | i | install | test | 'run bench'*)
      echo "npm $* does not run here: list it in not-run.ts" >&2
      return 1
      ;;
    # Its limits of latency are for a machine that does nothing else.
    'run load'*) command npm "$@" | tee load.txt || grep -q ': [1-9][0-9]* requests, 0 errors' load.txt ;;
    *) command npm "$@" ;;
  esac
}

carillon() {
  case "$*" in
    start | api | worker) serve node "$ROOT/dist/apps/carillon/src/cli.js" "$@" ;;
    # Without an end, Ctrl+C ends it.
    tail*) timeout --preserve-status --signal=INT 3 node "$ROOT/dist/apps/carillon/src/cli.js" "$@" || [ $? = 130 ] ;;
    *) node "$ROOT/dist/apps/carillon/src/cli.js" "$@" ;;
  esac
}

docker() { node "$ROOT/test/documentation/check-compose.ts" "$@"; }

# Renders what it would install.
helm() {
  local options=()
  for option in "${@:2}"; do if [ "$option" != --wait ]; then options+=("$option"); fi; done
  "$HELM" template --kube-version 1.29.0 "${options[@]}" | grep -q '^kind: Deployment$'
}
