-- The audit: one chain of records for the server. A record's hash covers the one before it, its number
-- and its body; the other columns repeat what the body says, for those who look for it.
CREATE TABLE audit (
    number      BIGINT NOT NULL PRIMARY KEY,
    database_id TEXT   NOT NULL,
    -- Microseconds since 1970.
    at          BIGINT NOT NULL,
    kind        TEXT   NOT NULL,
    login       TEXT   NOT NULL,
    -- 1 for operators.
    operator    BIGINT NOT NULL,
    body        TEXT   NOT NULL,
    hash        TEXT   NOT NULL
);
CREATE INDEX audit_by_database ON audit (database_id, number);
CREATE INDEX audit_by_login ON audit (kind, database_id, login, at);

-- Where the chain ends (head), and where what is left of it begins (pruned); sealed with the server's key,
-- so that nobody without it can move them.
CREATE TABLE audit_anchor (
    name   TEXT   NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,
    hash   TEXT   NOT NULL,
    seal   TEXT   NOT NULL
);
