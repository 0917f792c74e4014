#!/usr/bin/env python
"""Entry point for every command of mk0r: `python manage.py help` lists them."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the management command named on the command line."""
    if sys.argv[1:] in (["up"], ["stop"]):
        # These run before there is a database, or a secret, that Django's settings could be made of.
        from mk0r.local import up

        sys.exit(up.main() if sys.argv[1] == "up" else up.stop())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mk0r.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)  # as for a bad option: nothing was done


if __name__ == "__main__":
    main()
