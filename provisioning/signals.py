"""What provisioning announces. Whoever keeps the event log listens; provisioning itself never imports it.

Every signal is sent from synchronous database code, inside the transaction that changes the row it speaks of, so that a
receiver which writes to the same database commits or rolls back together with that change.

    resource_changed   session_id, provider, kind, name, state, elapsed_ms, url, error, and starts_in_ms while the leg
                       waits for its place in the vendor's queue, else None
    env_written        session_id, names
    env_unwritten      session_id
    sandbox_changed    session_id, state (booting, running, paused, lost, gone)
    preview_ready      session_id, url
    credential_rotated slug, provider, kind, name, names (of what was replaced), by, where, reason: new values have been
                       stored, and whoever keeps a log of who did what writes it in the same commit
    resource_given     slug, provider, kind, name, to, by, where, reason: it belongs to somebody else from now on
    work_wanted        session_id: its rows ask for more than anybody is at work on, so a job has to converge it

`sandbox_fresh` is the exception: it is sent asynchronously, outside any transaction, and awaited, before the preview of
a new sandbox is asked for. Whoever has files to lay down in it does so then; what a receiver raises is logged.

    sandbox_fresh      session_id
"""

from __future__ import annotations

from django.dispatch import Signal

resource_changed = Signal()
env_written = Signal()
env_unwritten = Signal()
sandbox_changed = Signal()
preview_ready = Signal()
credential_rotated = Signal()
resource_given = Signal()
work_wanted = Signal()
sandbox_fresh = Signal()
