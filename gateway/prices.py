"""What a call to the model costs, and which models may be called at all.

Prices are the vendor's list prices in US dollars per million tokens, as the coding agent's own catalogue has them
(Claude Code 2.1.330). A model without a price cannot be held to a budget, so it is not let through unless the operator
named it himself (`MK0R_MODEL`); then it counts at the highest price known here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from sessions_app.agent.model import main_model
from sessions_app.state import is_loopback

# What the agent uses on the side, for titles and summaries of pages it fetched.
SIDE_MODELS = frozenset(
    {"claude-haiku-5-5", "claude-haiku-4-5", "claude-haiku-4-5-20251001", "claude-3-5-haiku-20241022"}
)
_MILLION = Decimal(1_000_000)
_WEB_SEARCH_USD = Decimal("0.01")
_LONG_PROMPT = 100_000


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens. `long` is the factor for prompts above 100,000 tokens."""

    input: Decimal
    output: Decimal
    cache_read: Decimal
    long: int = 1


def _price(input_usd: str, output_usd: str, cache_read: str | None = None, long: int = 1) -> Price:
    base = Decimal(input_usd)
    return Price(base, Decimal(output_usd), Decimal(cache_read) if cache_read else base / 10, long)


# The longest matching prefix wins.
PRICES = {
    "claude-3-5-haiku": _price("0.8", "4"),
    "claude-haiku-4-5": _price("1", "5"),
    "claude-haiku-5-5": _price("0.1", "0.5", long=5),
    "claude-3-5-sonnet": _price("3", "15"),
    "claude-3-7-sonnet": _price("3", "15"),
    "claude-sonnet-4": _price("3", "15"),
    "claude-sonnet-5": _price("2", "10"),
    "claude-sonnet-5-5": _price("2", "10", "0.1"),
    "claude-opus-4": _price("15", "75"),
    "claude-opus-4-5": _price("5", "25"),
    "claude-opus-4-6": _price("5", "25"),
    "claude-opus-4-7": _price("5", "25"),
    "claude-opus-4-8": _price("5", "25"),
    "claude-opus-5": _price("5", "25"),
    "claude-opus-5-5": _price("4", "20", "0.2"),
}
_DEAREST = max(PRICES.values(), key=lambda price: price.output)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call as the upstream counted them."""

    input: int = 0
    output: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    web_searches: int = 0

    def updated(self, reported: object) -> Usage:
        """This usage with what `reported` (a `usage` object of the Messages API) says; it counts up, never down."""
        if not isinstance(reported, dict):
            return self
        written = reported.get("cache_creation")
        split = written if isinstance(written, dict) else {}
        one_hour = _count(split, "ephemeral_1h_input_tokens")
        five_minutes = max(_count(reported, "cache_creation_input_tokens") - one_hour, 0)
        tools = reported.get("server_tool_use")
        return Usage(
            input=max(self.input, _count(reported, "input_tokens")),
            output=max(self.output, _count(reported, "output_tokens")),
            cache_write_5m=max(self.cache_write_5m, five_minutes),
            cache_write_1h=max(self.cache_write_1h, one_hour),
            cache_read=max(self.cache_read, _count(reported, "cache_read_input_tokens")),
            web_searches=max(
                self.web_searches, _count(tools if isinstance(tools, dict) else {}, "web_search_requests")
            ),
        )


def _count(data: dict[str, Any], name: str) -> int:
    """A token count that fits its column, whatever the upstream wrote there."""
    value = data.get(name)
    return min(value, 1_000_000_000) if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def admitted(asked: str) -> str | None:
    """The model a request for `asked` goes to, or None when it is refused.

    With `MK0R_MODEL` set every other model but a known side model of the vendor's own is answered by that one: a local
    model server knows only its own names.
    """
    plain = re.sub(r"\[[12]m\]$", "", asked)
    if plain == main_model():
        return plain
    if settings.MK0R_MODEL:
        return plain if plain in SIDE_MODELS and _is_vendor() else settings.MK0R_MODEL
    return plain if plain in SIDE_MODELS or is_stand_in() else None


def is_stand_in() -> bool:
    """Whether the upstream is on this machine, where a call costs nothing."""
    return is_loopback(settings.ANTHROPIC_BASE_URL)


def _is_vendor() -> bool:
    return (urlsplit(settings.ANTHROPIC_BASE_URL).hostname or "").endswith("anthropic.com")


def price_of(model: str) -> Price:
    """The list price of `model`; the dearest known where it is not in the list."""
    best = max((prefix for prefix in PRICES if _is_or_extends(model, prefix)), key=len, default=None)
    return PRICES[best] if best else _DEAREST


def _is_or_extends(model: str, prefix: str) -> bool:
    return model == prefix or model.startswith(prefix + "-")


def cost_usd(model: str, usage: Usage) -> Decimal:
    """Dollars of one call; 0 when the upstream is on this machine."""
    if is_stand_in():
        return Decimal(0)
    price = price_of(model)
    prompt = usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h
    factor = price.long if prompt > _LONG_PROMPT else 1
    tokens = (
        usage.input * price.input
        + usage.cache_write_5m * price.input * Decimal("1.25")
        + usage.cache_write_1h * price.input * 2
        + usage.cache_read * price.cache_read
        + usage.output * price.output
    )
    total = tokens * factor / _MILLION + usage.web_searches * _WEB_SEARCH_USD
    return min(total.quantize(Decimal("0.000001")), Decimal(99_999))
