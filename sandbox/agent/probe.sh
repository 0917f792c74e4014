# Tells what this sandbox has, one `name=value` a line. Wants MK0R_TURN and MK0R_AGENT_SESSION.
echo "home=$HOME"
command -v claude >/dev/null && echo "claude=yes"
for browser in "${MK0R_CHROMIUM:-}" chromium chromium-browser google-chrome; do
  if [ -n "$browser" ] && found=$(command -v "$browser"); then echo "chromium=$found"; break; fi
done
for server in playwright-mcp mcp-server-playwright; do
  if found=$(command -v "$server"); then echo "browser_server=$found"; break; fi
done
for log in "$HOME"/.claude/projects/*/"$MK0R_AGENT_SESSION.jsonl"; do
  [ -f "$log" ] && echo "resumable=yes" && break
done
[ -f "$HOME/.mk0r/turns/$MK0R_TURN/pid" ] && echo "started=yes"
for pid in "$HOME"/.mk0r/turns/*/pid; do
  turn=${pid%/pid}
  [ -f "$pid" ] && [ "${turn##*/}" != "$MK0R_TURN" ] && [ ! -e "$turn/exit" ] || continue
  # A killed agent's number may be somebody else's by now.
  ps -o args= -p "$(cat "$pid")" 2>/dev/null | grep -q '/\.mk0r/mcp\.json' && echo "left=$(cat "$pid")"
done
exit 0
