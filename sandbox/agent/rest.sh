# Prints at most MK0R_LINES of the agent's log from line MK0R_FROM on; exit code 7: process MK0R_PID is still alive.
kill -0 "$MK0R_PID" 2>/dev/null && code=7 || code=0
tail -n "+$MK0R_FROM" "$HOME/.mk0r/turns/$MK0R_TURN/log" 2>/dev/null | head -n "$MK0R_LINES"
exit $code
