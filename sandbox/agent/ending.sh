# Prints the agent's exit status (nothing when it was killed), an empty line, and the end of its complaints.
dir="$HOME/.mk0r/turns/$MK0R_TURN"
cat "$dir/exit" 2>/dev/null
echo
tail -c 2000 "$dir/complaints" 2>/dev/null
exit 0
