//! Two tenants and the system, seen by several roles.

mod answers;
mod bed;
mod border;
mod large;
mod whole;
