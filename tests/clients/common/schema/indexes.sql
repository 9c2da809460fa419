CREATE SCHEMA finds;
CREATE TABLE finds.event (id int PRIMARY KEY, kind text, at timestamptz, data text);
CREATE INDEX event_kind_at ON finds.event (kind, at DESC);
CREATE UNIQUE INDEX event_lower ON finds.event (lower(data)) WHERE data IS NOT NULL;
