//! What the query engine sees of a table: its files, scanned by DataFusion's own Parquet source.
