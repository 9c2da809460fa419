CREATE SCHEMA links;
CREATE TABLE links.country (code char(2) PRIMARY KEY);
CREATE TABLE links.city (
    id int PRIMARY KEY,
    country char(2) REFERENCES links.country (code) ON DELETE CASCADE,
    twin int CONSTRAINT city_twin REFERENCES links.city (id)
);
