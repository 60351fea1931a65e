# The runtime of a script outside a worker. Every line of flow() becomes a process that waits for its inputs, runs and
# reports. A task holds the writing end of a FIFO of its name as long as it lives: whoever waits for it reads the end of
# that file, so nobody polls, and a task that is killed wakes its dependants as well.
set -uo pipefail

command -v wavedeck >/dev/null || {
  echo "this script needs the command wavedeck on the PATH (activate the environment that has it)" >&2
  exit 127
}
run=$(mktemp -d "${TMPDIR:-/tmp}/wavedeck.XXXXXX") || exit 1
pids=()

task() {
  local name=$1 alive
  mkfifo "$run/$name" || exit 1
  exec {alive}<>"$run/$name"
  wavedeck task --run "$run" "$@" &
  pids+=($!)
  exec {alive}>&-
}

# shellcheck disable=SC2329 # the trap calls it
on_exit() {
  local status=$?
  trap - EXIT INT TERM
  if ((${#pids[@]})); then kill "${pids[@]}" 2>/dev/null; fi
  wait
  rm -rf "$run"
  exit "$status"
}
trap on_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

flow
failed=0
for pid in "${pids[@]}"; do
  wait "$pid" || failed=1
done
pids=()
exit "$failed"
