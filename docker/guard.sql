-- Run once, by the superuser, on the second server: the guard has a database of its own, so that
-- whoever restores the first one does not restore this one with it.
\set ON_ERROR_STOP on
\set guard `cat /run/secrets/guard_password`

CREATE ROLE causeway_guard LOGIN PASSWORD :'guard';
CREATE DATABASE guard OWNER causeway_guard TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
REVOKE ALL ON DATABASE guard FROM PUBLIC;

\connect guard
ALTER SCHEMA public OWNER TO causeway_guard;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
