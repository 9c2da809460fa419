//! What a call wants to know of the assets: covariance and expected returns, by which estimator, and with which views.

use crate::error::Result;
use crate::math::matrix::Symmetric;
use crate::math::portfolio::estimate::{self, Covariance, Expected, covariance, expected_returns};
use crate::math::portfolio::views::{View, implied_returns, posterior};
use crate::relation::{Failure, Group, Layout, Options};

use super::names::{Rows, unknown};

/// The estimators of a call.
#[derive(Debug, Clone)]
pub(super) struct Model {
    covariance: Covariance,
    expected: Expected,
    periods_per_year: f64,
    pub(super) risk_free_rate: f64,
    market_risk_aversion: f64,
    tau: f64,
}

/// What a group's further relations say of expected returns.
#[derive(Debug, Clone, Default)]
pub(super) struct Beliefs {
    given: Option<Vec<f64>>,
    market: Option<Vec<f64>>,
    views: Vec<View>,
}

/// What is known of the assets of a group.
#[derive(Debug, Clone)]
pub(super) struct Estimates {
    pub(super) covariance: Symmetric,
    pub(super) expected: Vec<f64>,
}

/// The covariance estimator of a call.
///
/// # Errors
/// When the signature lacks an option.
pub(super) fn covariance_method(options: &Options) -> Result<Covariance> {
    Ok(match options.text("covariance")? {
        "sample" => Covariance::Sample,
        "oas" => Covariance::Oas,
        "ewma" => Covariance::Ewma {
            span: options.number("ewma_span")?,
        },
        _ => Covariance::LedoitWolf,
    })
}

impl Model {
    /// Reads the options.
    ///
    /// # Errors
    /// When the signature lacks one.
    pub(super) fn new(options: &Options) -> Result<Self> {
        Ok(Self {
            covariance: covariance_method(options)?,
            expected: match options.text("expected_returns")? {
                "arithmetic_mean" => Expected::Arithmetic,
                "ema" => Expected::Ema {
                    span: options.number("ema_span")?,
                },
                "capm" => Expected::Capm,
                _ => Expected::Mean,
            },
            periods_per_year: options.number("periods_per_year")?,
            risk_free_rate: options.number("risk_free_rate")?,
            market_risk_aversion: options.number("market_risk_aversion")?,
            tau: options.number("tau")?,
        })
    }

    /// Estimates from returns.
    ///
    /// # Errors
    /// When views contradict each other.
    pub(super) fn estimate(
        &self,
        columns: &[Vec<f64>],
        beliefs: &Beliefs,
    ) -> Result<Estimates, Failure> {
        let covariance = covariance(columns, self.covariance, self.periods_per_year);
        let market = beliefs.market.as_deref();
        let expected = match (&beliefs.given, market) {
            (Some(given), _) => given.clone(),
            (None, Some(market)) if self.expected != Expected::Capm => {
                implied_returns(&covariance, market, self.market_risk_aversion)
            }
            _ => expected_returns(
                columns,
                self.expected,
                self.periods_per_year,
                self.risk_free_rate,
                market,
            ),
        };
        if beliefs.views.is_empty() {
            return Ok(Estimates {
                covariance,
                expected,
            });
        }
        let (expected, covariance) = posterior(&covariance, &expected, &beliefs.views, self.tau)
            .map_err(Failure::refused)?;
        Ok(Estimates {
            covariance,
            expected,
        })
    }
}

impl Beliefs {
    /// Reads the relations of a group.
    ///
    /// # Errors
    /// When they do not fit the assets.
    pub(super) fn read(
        layout: &Layout,
        group: &Group<'_>,
        names: &[String],
    ) -> Result<Self, Failure> {
        let given = match Rows::of(layout, group, "expected_returns") {
            Some(rows) => Some(rows.by_asset(names, "value")?.all(names)?),
            None => None,
        };
        let market = match Rows::of(layout, group, "market_caps") {
            Some(rows) => Some(shares(
                rows.by_asset(names, "market_cap")?.all(names)?,
                "market_caps",
            )?),
            None => None,
        };
        let views = match Rows::of(layout, group, "views") {
            Some(rows) => views(&rows, names)?,
            None => Vec::new(),
        };
        Ok(Self {
            given,
            market,
            views,
        })
    }
}

/// Positive numbers as shares of their sum.
///
/// # Errors
/// When one is negative or all are zero.
pub(super) fn shares(mut values: Vec<f64>, relation: &str) -> Result<Vec<f64>, Failure> {
    let sum: f64 = values.iter().sum();
    if values.iter().any(|value| *value < 0.0) || sum <= 0.0 {
        return Err(Failure::refused(format_args!(
            "{relation} must not be negative, nor all zero"
        )));
    }
    values.iter_mut().for_each(|value| *value /= sum);
    Ok(values)
}

fn views(rows: &Rows<'_>, names: &[String]) -> Result<Vec<View>, Failure> {
    let place = |name: &str| names.iter().position(|other| other == name);
    let (assets, versus) = (rows.texts("asset")?, rows.texts("versus")?);
    let (returns, confidences) = (rows.numbers("view_return")?, rows.numbers("confidence")?);
    let mut views = Vec::new();
    for (((asset, versus), expected), confidence) in
        assets.into_iter().zip(versus).zip(returns).zip(confidences)
    {
        let (Some(asset), Some(expected)) = (asset, expected) else {
            return Err(Failure::refused(
                "views has a row without asset or view_return",
            ));
        };
        if confidence.is_some_and(|confidence| !(0.0..=1.0).contains(&confidence)) {
            return Err(Failure::refused(
                "confidence of a view is not between 0 and 1",
            ));
        }
        let other = versus.as_deref().map(place);
        let (Some(found), None | Some(Some(_))) = (place(&asset), other) else {
            if rows.are_shared() {
                continue;
            }
            let missing = if place(&asset).is_none() {
                &asset
            } else {
                versus.as_ref().unwrap_or(&asset)
            };
            return Err(unknown("views", missing));
        };
        if other.flatten() == Some(found) {
            return Err(Failure::refused(format_args!(
                "views compares asset \"{asset}\" with itself"
            )));
        }
        views.push(View {
            asset: found,
            versus: other.flatten(),
            expected,
            confidence,
        });
    }
    Ok(views)
}

/// Volatility of weights.
pub(super) fn volatility(covariance: &Symmetric, weights: &[f64]) -> f64 {
    covariance.quadratic(weights).max(0.0).sqrt()
}

pub(super) use estimate::correlation;
