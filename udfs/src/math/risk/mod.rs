//! Market risk on slices of returns: per period, as decimals; a loss is positive.

pub mod assess;
pub mod backtest;
pub mod credit;
pub mod drawdown;
pub mod garch;
pub mod portfolio;
pub mod quantile;
pub mod scorecard;
pub mod student_fit;
pub mod value_at_risk;
