//! Credit risk of one borrower: Altman's Z, Merton's distance to default, expected loss, Basel's capital.

use crate::math::distribution::{normal_probability, normal_quantile};

/// The loss that is expected: `pd · lgd · ead`.
pub fn expected_loss(pd: f64, lgd: f64, ead: f64) -> f64 {
    pd * lgd * ead
}

/// Capital for unexpected loss of a corporate exposure under the internal-ratings-based approach, in the unit of
/// `ead`: `ead · K` of the Basel framework, CRE31.4 to 31.5 (the year 2023; K without the scaling factor 1.06).
///
/// With R = 0.12 w + 0.24 (1 - w), w = (1 - e^(-50 pd)) / (1 - e^(-50)), b = (0.11852 - 0.05478 ln pd)²:
/// K = lgd (Φ((Φ⁻¹(pd) + √R Φ⁻¹(0.999)) / √(1 - R)) - pd) (1 + (M - 2.5) b) / (1 - 1.5 b).
/// NaN outside 0 < pd < 1; a pd of 0 needs none, and one of 1 has its loss expected already.
pub fn irb_capital(pd: f64, lgd: f64, ead: f64, maturity: f64) -> f64 {
    if pd == 0.0 || pd == 1.0 {
        return 0.0;
    }
    let weight = (-50.0 * pd).exp_m1() / (-50.0f64).exp_m1();
    let correlation = 0.12 * weight + 0.24 * (1.0 - weight);
    let b = (0.11852 - 0.05478 * pd.ln()).powi(2);
    let stressed = normal_quantile(pd) + correlation.sqrt() * normal_quantile(0.999);
    let loss = normal_probability(stressed / (1.0 - correlation).sqrt()) - pd;
    ead * lgd * loss * (1.0 + (maturity - 2.5) * b) / (1.0 - 1.5 * b)
}

/// A firm's figures, in one currency.
#[derive(Debug, Clone, Copy)]
pub struct Firm {
    pub working_capital: f64,
    pub retained_earnings: f64,
    pub ebit: f64,
    /// The market's value of equity, or the book's for firms that are not listed.
    pub equity: f64,
    pub sales: f64,
    pub total_assets: f64,
    pub total_liabilities: f64,
}

/// Which of Altman's models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Altman {
    /// Z, listed manufacturers (1968): distress below 1.81, safe above 2.99.
    Public,
    /// Z′, firms that are not listed (1983): distress below 1.23, safe above 2.9.
    Private,
    /// Z″, other industries and emerging markets (1995), without a constant: distress below 1.1, safe above 2.6.
    NonManufacturer,
}

/// Altman's Z-score; higher is safer. NaN without assets or liabilities.
pub fn altman_z(firm: &Firm, model: Altman) -> f64 {
    let per_asset = |x: f64| x / firm.total_assets;
    let [x1, x2, x3] = [firm.working_capital, firm.retained_earnings, firm.ebit].map(per_asset);
    let x4 = firm.equity / firm.total_liabilities;
    let x5 = per_asset(firm.sales);
    match model {
        Altman::Public => 1.2 * x1 + 1.4 * x2 + 3.3 * x3 + 0.6 * x4 + 0.999 * x5,
        Altman::Private => 0.717 * x1 + 0.847 * x2 + 3.107 * x3 + 0.42 * x4 + 0.998 * x5,
        Altman::NonManufacturer => 6.56 * x1 + 3.26 * x2 + 6.72 * x3 + 1.05 * x4,
    }
}

/// A firm seen as an option on its assets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Merton {
    pub asset_value: f64,
    pub asset_volatility: f64,
    pub distance_to_default: f64,
    pub probability: f64,
}

/// Merton's (1974) model: finds the asset value V and volatility σ for which equity is the call on V with strike
/// `debt`, E = V Φ(d₁) - D e^(-rT) Φ(d₂), and σ_E E = Φ(d₁) σ V. The distance to default is d₂ at the rate `rate`, the
/// probability of default Φ(-d₂). None for figures that are not positive, or where nothing is found.
pub fn merton(equity: f64, volatility: f64, debt: f64, rate: f64, years: f64) -> Option<Merton> {
    let positive = [equity, volatility, debt, years]
        .iter()
        .all(|x| *x > 0.0 && x.is_finite());
    if !positive || !rate.is_finite() {
        return None;
    }
    let discounted = debt * (-rate * years).exp();
    let root = years.sqrt();
    // For a volatility of the assets, the value that makes the call worth the equity is found by Newton's method,
    // which cannot fail: the call is increasing and convex in it. The volatility is then bisected.
    let value_for = |sigma: f64| {
        let mut value = equity + discounted;
        for _ in 0..100 {
            let (d1, d2) = d(value, debt, rate, sigma, years);
            let call = value * normal_probability(d1) - discounted * normal_probability(d2);
            let step = (call - equity) / normal_probability(d1);
            value -= step;
            if step.abs() <= 1e-14 * value {
                break;
            }
        }
        value
    };
    let excess = |sigma: f64| {
        let value = value_for(sigma);
        let (d1, _) = d(value, debt, rate, sigma, years);
        normal_probability(d1) * sigma * value - volatility * equity
    };
    let (mut low, mut high) = (1e-6 * volatility, volatility);
    if !(excess(low) <= 0.0 && excess(high) >= 0.0) {
        return None;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if excess(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    let sigma = 0.5 * (low + high);
    let value = value_for(sigma);
    let distance = ((value / debt).ln() + (rate - 0.5 * sigma * sigma) * years) / (sigma * root);
    Some(Merton {
        asset_value: value,
        asset_volatility: sigma,
        distance_to_default: distance,
        probability: normal_probability(-distance),
    })
}

fn d(value: f64, debt: f64, rate: f64, sigma: f64, years: f64) -> (f64, f64) {
    let spread = sigma * years.sqrt();
    let d1 = ((value / debt).ln() + (rate + 0.5 * sigma * sigma) * years) / spread;
    (d1, d1 - spread)
}
