//! The catalog over a real folder.

mod audit;
mod bed;
mod border;
mod conflict;
mod crash;
mod encrypt;
mod group;
mod keep;
mod upkeep;
