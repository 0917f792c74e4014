# Prints the agent's log from line MK0R_FROM on, as it grows, and ends soon after process MK0R_PID has. What was written
# at the very last moment may be missing: read the rest once this has ended.
tail -n "+$MK0R_FROM" -F "$HOME/.mk0r/turns/$MK0R_TURN/log" 2>/dev/null &
tail=$!
trap 'kill $tail 2>/dev/null' EXIT
while kill -0 "$MK0R_PID" 2>/dev/null && kill -0 $tail 2>/dev/null; do sleep 0.1; done
sleep 0.1
