//! Values as text, both ways, in PostgreSQL's forms.
