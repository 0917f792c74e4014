"""Django's lists of rows, one module per app whose rows they are."""
