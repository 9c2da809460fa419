//! The protocol, message by message.

mod cancel;
mod extended;
mod simple;
mod start_up;

pub(crate) use cancel::ENDLESS;
