//! CREATE, ALTER and TRUNCATE TABLE.

mod alter;
mod column;
mod create;
mod existing;
pub(super) mod foreign;
pub(super) mod index;
mod like;
mod truncate;

pub(super) use alter::alter;
pub(super) use create::create;
pub(super) use truncate::truncate;
