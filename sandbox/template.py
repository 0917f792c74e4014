"""The E2B template: what a sandbox boots from when sandboxes are E2B's.

It holds what a local sandbox has as well, at the same places: the starter project at `/app` with its packages, Node,
git, Chromium, the browser's tool server and the coding agent, user `user` with home `/home/user`, and the dev server.
E2B takes its snapshot once the dev server has answered, so that a new sandbox wakes up with it warm.
"""

from __future__ import annotations

from pathlib import Path

from e2b import AsyncTemplate, wait_for_url
from e2b.template.main import TemplateFinal

ROOT = Path(__file__).resolve().parent
NODE = "24"
PACKAGES = ("git", "ca-certificates", "curl", "procps", "iproute2", "chromium", "fonts-liberation")
CLAUDE = ("@anthropic-ai/claude-code", "2.1.330")
PLAYWRIGHT = ("@playwright/mcp", "0.0.83")
PORT = 5173
CPUS = 2
MEMORY_MB = 2048
IGNORED = ["app/node_modules", "app/dist", "app/.env", "app/.git", "**/*.log"]
# npm may hold back the install script that would put the program in its place.
_LINK = (
    'ln -sf "$(find "$(npm root -g)" -path "*/claude-code-linux-*/claude" -type f | head -n 1)"'
    ' "$(npm prefix -g)/bin/claude" && claude --version'
)
# The agent may end it, and a broken edit may; a preview without a server would stay blank.
_START = (
    'mkdir -p "$HOME/.mk0r" && while :; do npm run dev >> "$HOME/.mk0r/dev-server.log" 2>&1 < /dev/null; sleep 1; done'
)


def template() -> TemplateFinal:
    """The template's definition; nothing is sent anywhere yet."""
    tools = " ".join(f"{name}@{version}" for name, version in (CLAUDE, PLAYWRIGHT))
    return (
        AsyncTemplate(file_context_path=ROOT, file_ignore_patterns=IGNORED)
        .from_node_image(NODE)
        .set_user("root")
        .apt_install(list(PACKAGES), no_install_recommends=True)
        .run_cmd(f"npm install --global --no-audit --no-fund {tools}")
        .run_cmd(_LINK)
        .run_cmd("mkdir -p /app && chown user:user /app")
        .copy("app", "/app", user="user:user")
        .set_user("user")
        .set_workdir("/app")
        .set_envs({"PORT": str(PORT), "npm_config_fund": "false", "npm_config_audit": "false"})
        .run_cmd("npm ci --include=dev")
        .set_start_cmd(_START, wait_for_url(f"http://127.0.0.1:{PORT}/"))
    )
