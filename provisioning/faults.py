"""Named places where a test may kill, stop, slow or break this process: `faults.point("neon.after_http")`.

In production nothing is armed and a point costs one look at an empty tuple. A process is armed by `MK0R_FAULT_POINTS`,
read by `arm_from_environment` at its start, or by `arm`. A rule is `<name or pattern>=<action>[:<probability>]`; rules
are separated by `;`. Actions:

    kill       SIGKILL to this process
    stop       SIGSTOP to this process, until somebody sends SIGCONT
    sleep-<s>  block this process's thread for that many seconds
    raise      raise `Fault`
    cut        raise `Cut`, which nothing of ours handles: the rows are left as a dead process leaves them

The names of a leg begin with its provider (`github.after_http`); those of everything else are
whole (`env.before_write`).
"""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import dataclass
from fnmatch import fnmatchcase

VARIABLE = "MK0R_FAULT_POINTS"

# Where a leg can be cut, in the order it passes them; `after_http` is when the vendor has done it and nobody knows.
CREATE_POINTS = (
    "before_claim",
    "after_claim",
    "before_http",
    "after_http",
    "after_keep",
    "before_finish",
    "after_finish",
    "after_ready",
)
DELETE_POINTS = ("before_delete", "after_delete", "before_gone", "after_gone")
# Where the replacing of a credential can be cut; after `after_rotate` the vendor has done it and nobody knows.
ROTATE_POINTS = ("before_rotate", "after_rotate", "after_rotated", "before_retire", "after_retire")
SWEEP_POINTS = ("after_list", "before_delete", "after_delete")  # whole names: `sweep.after_list`
# Where a turn can be cut, in the order it passes them.
TURN_POINTS = (
    "turn.after_begin",
    "turn.after_start",
    "turn.after_write",
    "turn.before_commit",
    "turn.after_commit",
    "turn.after_push",
    "turn.before_finish",
)
# Where going back to a version can be cut.
RESTORE_POINTS = ("restore.after_files", "restore.after_record", "restore.after_install")


class Fault(Exception):
    """What a point with the action `raise` raises: a fault of our own, from the code's point of view."""


class Cut(BaseException):
    """What a point with the action `cut` raises: work ends at this very place, as if the process did."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens at the points whose name matches."""

    pattern: str
    action: str
    probability: float = 1.0


_rules: tuple[Rule, ...] = ()


def point(name: str) -> None:
    """Do what is armed for this place; nothing in production."""
    if _rules:
        _reach(name)


def arm(text: str) -> None:
    """Put these rules in force instead of all others; an empty text disarms.

    Raises:
        ValueError: a rule cannot be read.
    """
    global _rules
    _rules = tuple(_parse(part) for part in text.split(";") if part.strip())


def arm_from_environment() -> None:
    """Arm what `MK0R_FAULT_POINTS` says."""
    arm(os.environ.get(VARIABLE, ""))


def _parse(text: str) -> Rule:
    pattern, equals, rest = text.strip().partition("=")
    action, _, probability = rest.partition(":")
    known = action in {"kill", "stop", "raise", "cut"} or action.removeprefix("sleep-").replace(".", "", 1).isdigit()
    if not (pattern and equals and known):
        raise ValueError(f"{VARIABLE}: {text!r} is not <name>=<kill|stop|raise|cut|sleep-SECONDS>[:probability]")
    return Rule(pattern, action, float(probability or 1))


def _reach(name: str) -> None:
    for rule in _rules:
        if fnmatchcase(name, rule.pattern) and random.random() < rule.probability:  # noqa: S311
            _act(rule.action, name)


def _act(action: str, name: str) -> None:
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif action == "raise":
        raise Fault(name)
    elif action == "cut":
        raise Cut(name)
    else:
        time.sleep(float(action.removeprefix("sleep-")))
