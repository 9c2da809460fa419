//! Who may do what: `guard` for plans, `check` for commands. There is no third door.
//!
//! [`GuardedPlan`] has one constructor, and execution takes nothing else. Tables are opened only
//! here, after the rights were checked.

mod columns;
mod functions;
mod guard;
mod rights;

pub use guard::{GuardedPlan, Opener, guard, guard_changed, guard_own};
pub use rights::{Caller, Granted, Object, check, check_columns, whole};
