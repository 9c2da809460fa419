-- The time step of the newest one-time code that each role with a second factor has logged in with; a code of
-- that step or an earlier one is a replay.
CREATE TABLE code_step (
    database_id TEXT   NOT NULL,
    role_oid    BIGINT NOT NULL,
    step        BIGINT NOT NULL,
    PRIMARY KEY (database_id, role_oid)
);
