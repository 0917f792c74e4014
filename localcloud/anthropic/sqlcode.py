"""The SQL of an app: its table, columns added later, values carried over. Running any of it twice harms nothing.

Table and column names are `[a-z][a-z0-9_]*` by construction (`names`), so they stand in SQL unquoted.
"""

from __future__ import annotations

from localcloud.anthropic import fieldcode as per_field
from localcloud.anthropic.quoting import fill, sql
from localcloud.anthropic.spec import AppSpec, Field


def migration(spec: AppSpec) -> str:
    """SQL that makes the table, whatever was there before."""
    columns = ",\n".join(f"  {item.name} {per_field.column(item)}" for item in spec.fields) + ","
    values = {
        "TABLE": spec.table,
        "COLUMNS": columns,
        "ADDED": _added(spec.table, spec.fields),
        "CHECKS": checks(spec.table, spec.fields),
    }
    return fill("app/migration.sql", values)


def _added(table: str, fields: tuple[Field, ...]) -> str:
    """Columns a table lacks; the same column may be there with another type, from a version that was undone."""
    types = ", ".join(f"({sql(item.name)}, {sql(per_field.stored_as(item))})" for item in fields)
    aside = fill("app/aside.sql", {"TABLE": table, "TYPES": types})
    return aside + "".join(
        f"alter table {table} add column if not exists {item.name} {per_field.column(item)};\n" for item in fields
    )


def checks(table: str, fields: tuple[Field, ...]) -> str:
    """SQL that limits each choice to its options, replacing an earlier limit; old rows stay as they are."""
    return "".join(
        f"alter table {table} drop constraint if exists {table}_{item.name}_choice;\n"
        f"alter table {table} add constraint {table}_{item.name}_choice check ({item.name} "
        f"in ({per_field.options_sql(item)})) not valid;\n"
        for item in fields
        if item.type == "choice"
    )


def add_columns(table: str, fields: tuple[Field, ...]) -> str:
    """SQL that adds columns to a table that exists."""
    return _added(table, fields) + checks(table, fields)


_PATTERNS = {
    "number": r"^-?\d+(\.\d+)?$",
    "money": r"^-?\d+(\.\d+)?$",
    "date": r"^\d{4}-\d{2}-\d{2}$",
    "time": r"^\d{2}:\d{2}",
}
_AS = {"number": "numeric", "money": "numeric", "date": "date", "time": "time"}


def carry_over(table: str, old: Field, new: Field) -> str:
    """SQL that copies what fits from the column of one type to that of another; the old column stays."""
    if new.type == "boolean":
        truths = "'^(true|t|yes|y|1|ja|oui|si)$'"
        copied, fits = f"{old.name}::text ~* {truths}", f"{old.name} is not null"
    elif new.type in _AS:
        copied = f"{old.name}::text::{_AS[new.type]}"
        fits = f"{new.name} is null and {old.name}::text ~ '{_PATTERNS[new.type]}'"
    else:
        copied, fits = f"{old.name}::text", f"{new.name} is null"
    return f"update {table} set {new.name} = {copied} where {fits};\n"  # noqa: S608 - names by construction


def settings_migration() -> str:
    """SQL for the table of settings."""
    return fill("app/settings.sql", {})
