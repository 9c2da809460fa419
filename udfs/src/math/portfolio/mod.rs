//! Portfolios: estimates from returns, and the weights that are best by them.
//!
//! ```text
//! estimate    covariances and expected returns of a year
//! views       …corrected by opinions (Black and Litterman)
//! path        objectives of mean and variance along the efficient frontier
//! frontier    …under bounds
//! restricted  …under groups, turnover and costs of trades
//! conic       …under any constraints
//! parity, hierarchy, tail    the other objectives
//! cardinality at most so many assets
//! problem     which of them it takes
//! simulation  what that would have earned
//! shares      how many shares it is
//! ```

mod cardinality;
mod conic;
pub mod estimate;
pub mod frontier;
pub mod hierarchy;
pub mod parity;
pub mod path;
pub mod problem;
pub mod refusal;
mod restricted;
pub mod shares;
pub mod simulation;
pub mod tail;
pub mod views;

#[cfg(test)]
mod tests;
