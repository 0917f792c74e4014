"""The daemon that runs inside a local sandbox: processes and files over Connect RPC, as E2B's envd serves them.

It depends on the standard library and aiohttp only, and imports nothing else of this repository, so that its directory
can be mounted read-only at any path of a sandbox. Started as a script::

    python <this directory>/__main__.py --fd N [--map SHOWN=REAL ...] [--die-with-stdin]

* ``--fd``: a unix stream socket that listens already; HTTP/1.1 is spoken on it.
* ``--map /app=/real/app``: where a path the client names really lies; needed only without a mount namespace.
* ``--die-with-stdin``: end when standard input reaches its end, i.e. when whoever started it is gone, however it went.

Its own environment is the base environment of every process (``HOME`` names the home directory, and the default cwd).
However it ends in order, everything it started ends with it, including what has left its session.

Access control is not here: whoever reaches the socket may do anything the sandbox's user may.
"""

from __future__ import annotations
