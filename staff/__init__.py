"""The staff console: what members of staff see of mk0r and may do with it, in the browser, the shell and the API."""
