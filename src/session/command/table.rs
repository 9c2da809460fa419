//! CREATE, ALTER and TRUNCATE TABLE.

mod add_column;
mod alter;
mod anew;
pub(super) mod column;
mod constraint;
mod create;
mod existing;
pub(super) mod foreign;
pub(super) mod index;
mod like;
pub(super) mod materialized;
mod retype;
mod truncate;

pub(super) use alter::alter;
pub(super) use create::create;
pub(super) use truncate::truncate;
