# Ends the agent, process group MK0R_PID, and all it started: asked first, made to within a second and a half.
alive() { kill -0 -- "-$MK0R_PID" 2>/dev/null; }
wait_for() { for _ in $(seq "$1"); do alive || return 0; sleep 0.05; done; return 1; }
kill -INT -- "-$MK0R_PID" 2>/dev/null
wait_for 14 || { kill -TERM -- "-$MK0R_PID" 2>/dev/null; wait_for 8; } || kill -KILL -- "-$MK0R_PID" 2>/dev/null
# Commands of the agent may have process groups of their own; they share its session.
command -v pkill >/dev/null && pkill -KILL -s "$MK0R_PID" 2>/dev/null
exit 0
