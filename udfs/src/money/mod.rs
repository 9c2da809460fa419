//! Money over time: `npv`, `irr`, `xirr`, `mirr` over cash flows, and the annuity functions `pmt`, `fv`, `pv`, `nper`,
//! `rate`, `cagr`, as spreadsheets compute them; `growth_rate`, `ema` and `moving_average` over windows.
//!
//! Rates are decimals per period (per year of 365 days in `xnpv` and `xirr`); what is paid is negative. NULL flows are
//! left out and NaN gives NaN. What is not defined is NULL: `irr` of flows without both signs, among others. Where several
//! rates are internal, `irr` and `xirr` answer the one nearest to `guess`, and `irr_info` tells them all.
//! Formulas: [`math::money`](crate::math::money). Reference values: Excel's manual.

mod annuity;
mod flows;
mod window;

#[cfg(test)]
mod tests;

pub(crate) use annuity::scalars;
pub(crate) use flows::aggregates;
pub(crate) use window::windows;
