"""How a local sandbox is kept apart: namespaces where the machine has them, and sockets that cross them.

`machine` starts and stops a sandbox; `layout` says what is seen where; `stage` (a program) builds the namespaces and
the root; `inner` (a program) is the first process inside; `egress` and `inward` are the only ways out and in;
`processes`
and `leftovers` make sure nothing outlives a sandbox; `detection` finds out what this machine can do.

No byte crosses a namespace through a process inside: `inner` makes sockets in the sandbox's network and hands them out
over its control socket, and localcloud itself listens and connects on them.
"""

from __future__ import annotations
