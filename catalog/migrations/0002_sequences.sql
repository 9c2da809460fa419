-- How far each sequence has gone, by database: a common table's has its own values in each tenant.
-- The sequence is named by its uuid, which RESTART changes. Values up to the last one may have been
-- given.
CREATE TABLE sequence_value (
    sequence_uuid TEXT   NOT NULL,
    database_id   TEXT   NOT NULL,
    last_value    BIGINT NOT NULL,
    -- 0 when the last value is still to be given.
    is_called     BIGINT NOT NULL,
    PRIMARY KEY (sequence_uuid, database_id)
);
