# Ends the agent, process group MK0R_PID, and all it started: asked first, made to within a second.
alive() { # what is dead but not yet buried does not count
  if command -v ps >/dev/null; then ps -A -o pgid= -o stat= | grep -Eq "^ *$MK0R_PID +[^Z]"; else kill -0 -- "-$MK0R_PID"; fi
} 2>/dev/null
tell() { kill "-$1" -- "-$MK0R_PID" 2>/dev/null; }
tell INT
(sleep 0.5; tell TERM; sleep 0.3; tell KILL) >/dev/null 2>&1 &
insist=$!
for _ in $(seq 40); do alive || break; sleep 0.05; done
kill "$insist" 2>/dev/null
# Commands of the agent may have process groups of their own; they share its session.
command -v pkill >/dev/null && pkill -KILL -s "$MK0R_PID" 2>/dev/null
exit 0
