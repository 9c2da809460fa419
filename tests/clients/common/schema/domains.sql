CREATE SCHEMA bounds;
CREATE DOMAIN bounds.positive AS int CHECK (value > 0);
CREATE TABLE bounds.stock (item text, count bounds.positive NOT NULL);
