"""A visitor without a browser: one session over the REST API, by its key."""

from __future__ import annotations

from typing import Any

import httpx

from tests.fixtures.installation import Installation


class Visitor:
    """Begins a session; every call carries its key."""

    def __init__(self, product: Installation) -> None:
        self.base = f"http://127.0.0.1:{product.web_port}/api/sessions"
        body = httpx.post(self.base, timeout=30).raise_for_status().json()
        self.slug, self.headers = body["slug"], {"Authorization": f"Bearer {body['key']}"}

    def get(self, path: str = "") -> Any:
        """A JSON answer, or None while the product does not answer."""
        try:
            answer = httpx.get(f"{self.base}/{self.slug}{path}", headers=self.headers, timeout=30)
        except httpx.HTTPError:
            return None
        return answer.json() if answer.status_code == 200 else None

    def post(self, path: str, body: object = None) -> None:
        httpx.post(f"{self.base}/{self.slug}{path}", headers=self.headers, json=body, timeout=30).raise_for_status()

    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while page := self.get(f"/events?after={found[-1]['seq'] if found else 0}"):
            found += page
        return found

    def all_live(self) -> bool:
        state = self.get()
        return bool(state) and {leg["state"] for leg in state["resources"]} == {"ready"} and len(state["env"]) >= 12

    def turn_state(self, number: int = 1) -> str:
        state = self.get()
        return str(state["turns"][number - 1]["state"]) if state else ""
