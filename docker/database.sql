-- Run once, by the superuser, on an empty server: who may do what. The tables come with `migrate`,
-- and with them what the writer and the eraser may do to each.
\set ON_ERROR_STOP on
\set migrator `cat /run/secrets/migrator_password`
\set writer `cat /run/secrets/writer_password`
\set eraser `cat /run/secrets/eraser_password`

CREATE ROLE causeway_migrator LOGIN PASSWORD :'migrator' CONNECTION LIMIT 8;
CREATE ROLE causeway_writer LOGIN PASSWORD :'writer';
CREATE ROLE causeway_eraser LOGIN PASSWORD :'eraser' CONNECTION LIMIT 8;

CREATE DATABASE causeway OWNER causeway_migrator TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
REVOKE ALL ON DATABASE causeway FROM PUBLIC;
GRANT CONNECT ON DATABASE causeway TO causeway_writer, causeway_eraser;

\connect causeway
ALTER SCHEMA public OWNER TO causeway_migrator;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO causeway_writer, causeway_eraser;
