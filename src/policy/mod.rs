//! Who may do what: `guard` for plans, `check` for commands. There is no third door.
//!
//! [`GuardedPlan`] is made here alone, and execution takes nothing else. Tables are opened only
//! here, after the rights were checked and the rows were narrowed to what policies leave. New rows
//! are written only with [`RowChecks`]' word that policies allow them.

mod barrier;
mod checks;
mod columns;
mod functions;
mod guard;
mod leakproof;
mod masks;
mod rights;
mod rows;

pub use barrier::{Barrier, BarrierExec};
pub use checks::{Allowed, CheckedRules, Judged, RowChecks, Runner, row_checks, shows_rows};
pub use functions::check_calls;
pub use guard::{Checked, GuardedPlan, Opener, guard, guard_changed, guard_own};
pub use masks::check_mask;
pub use rights::{COPY_OUT, Caller, Granted, Object, check, check_columns, whole};
pub use rows::{Purpose, Verb};
