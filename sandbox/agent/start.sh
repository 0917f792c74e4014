# Starts the coding agent for one turn, detached from whoever runs this, and prints its process group. Running it again
# starts nothing and prints the same. Wants MK0R_TURN and MK0R_ARGS (one argument a line), the prompt in place, and the
# project as working directory. The agent's stream, its complaints and its exit status lie beside the prompt.
dir="$HOME/.mk0r/turns/$MK0R_TURN"
mkdir -p "$dir" && chmod 700 "$HOME/.mk0r"
set -m # a process group of its own, whose processes do not ignore SIGINT
if mkdir "$dir/started" 2>/dev/null; then
  : >"$dir/log"
  args=()
  while IFS= read -r arg; do args+=("$arg"); done <<<"$MK0R_ARGS"
  export dir
  unset MK0R_ARGS
  run='
    trap : INT TERM
    echo $$ >"$dir/pid.new" && mv "$dir/pid.new" "$dir/pid"
    claude "$@" <"$dir/prompt" >>"$dir/log" 2>"$dir/complaints"
    echo $? >"$dir/exit.new" && mv "$dir/exit.new" "$dir/exit"'
  if command -v setsid >/dev/null; then
    setsid bash -c "$run" agent "${args[@]}" >/dev/null 2>&1 </dev/null &
  else
    bash -c "$run" agent "${args[@]}" >/dev/null 2>&1 </dev/null &
  fi
fi
for _ in $(seq 100); do
  [ -s "$dir/pid" ] && exec cat "$dir/pid"
  sleep 0.05
done
exit 1
