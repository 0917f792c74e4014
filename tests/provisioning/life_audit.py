"""A witness in the database: every change of a resource's row, and whether the table of states allows it.

A trigger writes down what each `UPDATE` did, whoever made it, so that nothing in between two looks escapes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

_INSTALL = """
create table life_audit (
    id bigserial primary key, resource bigint, old_state text, new_state text, old_attempt int, new_attempt int,
    old_id text, new_id text, verified boolean);
create function life_audit_note() returns trigger language plpgsql as $$ begin
    insert into life_audit (resource, old_state, new_state, old_attempt, new_attempt, old_id, new_id, verified)
    values (new.id, old.state, new.state, old.attempt, new.attempt, old.external_id, new.external_id,
            new.verified_at is not null and new.deleted_at is not null);
    return null; end $$;
create trigger life_audit after update on provisioning_resource for each row execute function life_audit_note();
"""
_REMOVE = """
drop trigger life_audit on provisioning_resource; drop function life_audit_note; drop table life_audit;
"""

# The states a row may go to. `ready` fails where the vendor has lost the thing.
ALLOWED: dict[str, set[str]] = {
    "planned": {"creating", "failed", "deleting"},
    "creating": {"ready", "failed", "unknown", "planned", "deleting"},
    "unknown": {"ready", "failed", "planned", "deleting"},
    "ready": {"failed", "planned", "deleting"},
    "failed": {"planned", "deleting"},
    "deleting": {"gone", "stuck"},
    "stuck": {"gone", "deleting"},
    "gone": set(),
}
_UNWANTED = {"deleting", "stuck", "gone"}


@contextmanager
def witnessed() -> Iterator[None]:
    """Keep the record while the block runs; synchronous database code."""
    with connection.cursor() as cursor:
        cursor.execute(_INSTALL)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(_REMOVE)


def check(after: int) -> int:
    """Assert that every change since the record `after` was allowed; returns the newest record's number."""
    with connection.cursor() as cursor:
        cursor.execute("select * from life_audit where id > %s order by id", [after])
        changes = cursor.fetchall()
    for number, resource, old, new, before, attempt, had, has, verified in changes:
        told = f"row {resource}: {old} {before} {had!r} -> {new} {attempt} {has!r}"
        assert new == old or new in ALLOWED[old], told
        claimed = (old, new) == ("planned", "creating")
        taken_over = old in {"creating", "unknown"} and new == "unknown" and attempt == before + 1
        assert attempt == before + (claimed or taken_over), f"i2, i3: only a claim raises the attempt: {told}"
        assert has == had or new != "ready" or old != "ready", f"what is ready does not change its id: {told}"
        assert not (had and not has) or new not in _UNWANTED, f"i9: what is to be destroyed keeps its id: {told}"
        assert new != "ready" or has, f"i5: ready without an id: {told}"
        assert new != "gone" or verified, f"i7: gone without a proof: {told}"
        after = number
    return after
