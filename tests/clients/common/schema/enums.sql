CREATE SCHEMA kinds;
CREATE TYPE kinds.mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE kinds.person (name text, mood kinds.mood DEFAULT 'ok');
INSERT INTO kinds.person VALUES ('ann', 'happy'), ('bob', 'sad');
