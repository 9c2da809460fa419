//! Numeric kernels on slices: no Arrow, no DataFusion, no I/O.
//!
//! The SQL functions of the sibling folders turn columns into slices and call these. Everything here is
//! deterministic, refuses bad input by value and never panics.

pub mod anomaly;
pub mod calendar;
pub mod changepoint;
pub mod cholesky;
pub mod distribution;
pub mod exact;
pub mod features;
pub mod forecast;
pub mod interior_point;
pub mod kmeans;
pub mod kpi;
pub mod matrix;
pub mod metrics;
pub mod moments;
pub mod money;
pub mod optimize;
pub mod pca;
pub mod portfolio;
pub mod regression;
pub mod risk;
pub mod rng;
pub mod season;
pub mod sentiment;
pub mod stats;
pub mod stl;
pub mod ziggurat;
