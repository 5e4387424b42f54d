"""Granted: what a role may really do in its database, and how that differs from its rights.

Whatever a role may do beyond them, by a grant to itself, to everybody or to a role that it belongs
to, somebody who takes the gateway over may do as well.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg

from kernel.clock import Deadline
from kernel.finding import Finding
from kernel.grants import Right, quoted

_VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
_WHO = """
SELECT current_user::text, r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolreplication,
       r.rolbypassrls, has_schema_privilege('public', 'CREATE'),
       (SELECT datdba = r.oid FROM pg_database WHERE datname = current_database()),
       (SELECT nspowner = r.oid FROM pg_namespace WHERE nspname = 'public')
FROM pg_roles r WHERE r.rolname = current_user
"""
_MEMBER = """
SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
WHERE m.member = (SELECT oid FROM pg_roles WHERE rolname = current_user) ORDER BY 1
"""
_OWNED = """
SELECT c.relname::text FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname = ANY(%s)
AND c.relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user) ORDER BY 1
"""
_THERE = "SELECT 1 WHERE to_regclass(format('public.%%I', %s::text)) IS NOT NULL"
_MAY = """
SELECT t, v FROM unnest(%s::text[]) t, unnest(%s::text[]) v
WHERE has_table_privilege(format('public.%%I', t), v)
"""
_UPDATES = """
SELECT c.table_name::text, c.column_name::text FROM information_schema.columns c
WHERE c.table_schema = 'public' AND c.table_name = ANY(%s)
AND has_column_privilege(format('public.%%I', c.table_name), c.column_name::text, 'UPDATE')
"""


@dataclass(frozen=True, slots=True)
class _Found:
    """What was asked of the server about one role."""

    who: str
    connection: psycopg.Connection[tuple[Any, ...]]
    rights: Sequence[Right]

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self.connection.execute(query.encode(), values).fetchall()


def granted(url: str, rights: Sequence[Right], deadline: Deadline) -> Iterator[Finding]:
    """Yield what the role of a URL has too much or too little; raises `psycopg.Error` where it
    cannot be asked."""
    with closing(
        psycopg.connect(url, autocommit=True, connect_timeout=max(2, int(deadline.left())))
    ) as connection:
        connection.execute("SET statement_timeout = '5s'")
        ((who, *powers, creates, owns_database, owns_schema),) = connection.execute(
            _WHO.encode()
        ).fetchall()
        there = [right for right in rights if connection.execute(_THERE, (right.table,)).fetchone()]
        found = _Found(who, connection, there)
        yield from _powers(found, powers)
        if powers[0]:
            return  # who may do everything may do this too
        owned = [table for (table,) in found.rows(_OWNED, [right.table for right in there])]
        yield from _owned(found, owned, creates=creates, owns=owns_database or owns_schema)
        others = _Found(who, connection, [one for one in there if one.table not in owned])
        yield from _tables(others)
        yield from _columns(others)


def _powers(found: _Found, powers: Sequence[bool]) -> Iterator[Finding]:
    names = ("SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS")
    for name, has in zip(names, powers, strict=True):
        if has:
            yield Finding(
                f"the role {found.who} is {name}", f"ALTER ROLE {quoted(found.who)} NO{name};"
            )
    for (group,) in found.rows(_MEMBER):
        yield Finding(
            f"the role {found.who} is a member of {group}, and may do whatever that may",
            f"REVOKE {quoted(group)} FROM {quoted(found.who)};",
        )


def _owned(found: _Found, owned: Sequence[str], *, creates: bool, owns: bool) -> Iterator[Finding]:
    if owned:
        yield Finding(
            f"the role {found.who} owns {', '.join(owned)}, and may undo every limit there",
            "give each to the migrator: ALTER TABLE … OWNER TO …; then migrate again",
        )
    if owns:
        yield Finding(
            f"the role {found.who} owns the database or its schema",
            "ALTER DATABASE … OWNER TO …; ALTER SCHEMA public OWNER TO …; as the migrator",
        )
    elif creates:
        yield Finding(
            f"the role {found.who} may create tables",
            f"REVOKE CREATE ON SCHEMA public FROM PUBLIC, {quoted(found.who)};",
        )


def _tables(found: _Found) -> Iterator[Finding]:
    named = [right.table for right in found.rights]
    may = set(found.rows(_MAY, named, list(_VERBS)))
    lacking = []
    excess: dict[tuple[str, ...], list[str]] = {}
    for right in found.rights:
        has = {verb for verb in _VERBS if (right.table, verb) in may}
        if right.verbs - has:
            lacking.append(right.table)
        if more := tuple(sorted(has - right.verbs)):
            excess.setdefault(more, []).append(right.table)
    for verbs, tables in excess.items():
        yield _excess(found, tables, ", ".join(verbs))
    if lacking:
        yield Finding(
            f"the role {found.who} lacks what it needs on {', '.join(sorted(lacking))}",
            "python -m gateway migrate",
        )


def _excess(found: _Found, tables: Sequence[str], verbs: str) -> Finding:
    named = ", ".join(map(quoted, tables))
    return Finding(
        f"the role {found.who} may {verbs} on {', '.join(tables)}",
        f"REVOKE {verbs} ON {named} FROM {quoted(found.who)}, PUBLIC;",
    )


def _columns(found: _Found) -> Iterator[Finding]:
    """Yield the columns beyond those named, where the whole table is not too much already."""
    named = {right.table: right for right in found.rights}
    whole = {table for table, _ in found.rows(_MAY, list(named), ["UPDATE"])}
    has: dict[str, set[str]] = {table: set() for table in named}
    for table, column in found.rows(_UPDATES, list(named)):
        has[table].add(column)
    lacking = []
    for table, right in named.items():
        if table in whole:
            continue
        if right.columns - has[table]:
            lacking.append(table)
        if excess := sorted(has[table] - right.columns):
            columns = ", ".join(map(quoted, excess))
            yield Finding(
                f"the role {found.who} may UPDATE {', '.join(excess)} of {table}",
                f"REVOKE UPDATE ({columns}) ON {quoted(table)} FROM {quoted(found.who)}, PUBLIC;",
            )
    if lacking:
        yield Finding(
            f"the role {found.who} may not update what it needs on {', '.join(sorted(lacking))}",
            "python -m gateway migrate",
        )
