//! Tessera: a multi-tenant analytics server that any PostgreSQL client can use.
