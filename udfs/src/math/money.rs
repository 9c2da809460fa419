//! The value of money over time: present and internal rates, annuities; as spreadsheets compute them.
//!
//! Rates are decimals per period, outflows negative. What is not defined is `None`.

/// Rates are looked for between these, per period.
const LEAST_RATE: f64 = -0.999_999_999;
const MOST_RATE: f64 = 1e6;

/// Σ flow_i / (1 + rate)^(i + first).
pub fn npv(rate: f64, flows: &[f64], first: f64) -> Option<f64> {
    let factor = 1.0 + rate;
    if factor == 0.0 || flows.is_empty() {
        return None;
    }
    // Horner from the last flow on: no power is formed but the first.
    let sum = flows
        .iter()
        .rev()
        .fold(0.0, |sum, flow| sum / factor + flow);
    Some(sum / factor.powf(first))
}

/// Σ flow_i / (1 + rate)^(days_i / 365), days counted from the first flow's: a year's rate.
pub fn xnpv(rate: f64, flows: &[f64], days: &[f64]) -> Option<f64> {
    let start = *days.first()?;
    if rate <= -1.0 {
        return None;
    }
    let log = rate.ln_1p();
    let terms = flows
        .iter()
        .zip(days)
        .map(|(flow, day)| flow * (-(day - start) / 365.0 * log).exp());
    Some(terms.sum())
}

/// All rates at which flows are worth nothing now, ascending.
///
/// The sign of their value is taken on a grid that is even in ln(1 + rate), and each change of it followed by
/// bisection and secants (Brent). A double root, where the value only touches zero, is not seen.
pub fn rates(value: impl Fn(f64) -> f64) -> Vec<f64> {
    const STEPS: u32 = 4000;
    let (low, high) = (LEAST_RATE.ln_1p(), MOST_RATE.ln_1p());
    let rate = |step: u32| (low + (high - low) * f64::from(step) / f64::from(STEPS)).exp_m1();
    let mut found = Vec::new();
    let mut before = (rate(0), value(rate(0)));
    for step in 1..=STEPS {
        let now = (rate(step), value(rate(step)));
        if before.1 == 0.0 {
            found.push(before.0);
        } else if before.1.is_finite() && now.1.is_finite() && before.1 * now.1 < 0.0 {
            found.push(root(&value, before, now));
        }
        before = now;
    }
    found
}

/// The root between two places with values of different signs.
fn root(value: &impl Fn(f64) -> f64, mut a: (f64, f64), mut b: (f64, f64)) -> f64 {
    for _ in 0..200 {
        let secant = b.0 - b.1 * (b.0 - a.0) / (b.1 - a.1);
        let middle = 0.5 * (a.0 + b.0);
        let inside = secant > a.0.min(b.0) && secant < a.0.max(b.0);
        for at in [if inside { secant } else { middle }, 0.5 * (a.0 + b.0)] {
            let c = (at, value(at));
            if c.1 == 0.0 {
                return at;
            }
            let within = c.0 > a.0.min(b.0) && c.0 < a.0.max(b.0);
            if !within {
                continue;
            }
            if (c.1 < 0.0) == (a.1 < 0.0) {
                a = c;
            } else {
                b = c;
            }
        }
        if (b.0 - a.0).abs() <= 1e-15 * (1.0 + a.0.abs()) {
            break;
        }
    }
    if a.1.abs() < b.1.abs() { a.0 } else { b.0 }
}

/// The internal rates of return of flows one period apart.
pub fn internal_rates(flows: &[f64]) -> Vec<f64> {
    if !changes_sign(flows) {
        return Vec::new();
    }
    // Scaled so that neither end of the range overflows.
    rates(|rate| {
        let factor = 1.0 + rate;
        if factor >= 1.0 {
            flows
                .iter()
                .rev()
                .fold(0.0, |sum, flow| sum / factor + flow)
        } else {
            // Worth at the end instead: the same roots.
            flows.iter().fold(0.0, |sum, flow| sum * factor + flow)
        }
    })
}

/// The same of dated flows: rates of a year of 365 days.
pub fn dated_rates(flows: &[f64], days: &[f64]) -> Vec<f64> {
    let (Some(first), Some(last)) = (days.first(), days.last()) else {
        return Vec::new();
    };
    if !changes_sign(flows) || first == last {
        return Vec::new();
    }
    rates(|rate| {
        let log = rate.ln_1p();
        let from = if rate < 0.0 { last } else { first };
        let terms = flows
            .iter()
            .zip(days)
            .map(|(flow, day)| flow * (-(day - from) / 365.0 * log).exp());
        terms.sum()
    })
}

fn changes_sign(flows: &[f64]) -> bool {
    flows.iter().any(|flow| *flow > 0.0) && flows.iter().any(|flow| *flow < 0.0)
}

/// The rate nearest to a guess, as spreadsheets answer where there are several.
pub fn nearest(rates: &[f64], guess: f64) -> Option<f64> {
    rates
        .iter()
        .copied()
        .min_by(|a, b| (a - guess).abs().total_cmp(&(b - guess).abs()))
}

/// The modified internal rate: outflows financed at one rate, inflows invested at another.
///
/// (FV(inflows, reinvest) / −PV(outflows, finance))^(1 / (n − 1)) − 1.
pub fn mirr(flows: &[f64], finance: f64, reinvest: f64) -> Option<f64> {
    if !changes_sign(flows) || finance <= -1.0 || reinvest <= -1.0 {
        return None;
    }
    let last = flows.len() as i32 - 1;
    let dated = |sign: f64, of: &dyn Fn(i32) -> f64| -> f64 {
        let counted = (0..).zip(flows).filter(|(_, flow)| *flow * sign > 0.0);
        counted.map(|(i, flow)| flow * of(i)).sum()
    };
    let worth = dated(1.0, &|i| (1.0 + reinvest).powi(last - i));
    let cost = -dated(-1.0, &|i| (1.0 + finance).powi(-i));
    Some((worth / cost).powf(1.0 / f64::from(last)) - 1.0)
}

/// An annuity: what is paid each period, at the end of each or at the beginning.
#[derive(Debug, Clone, Copy)]
pub struct Annuity {
    pub rate: f64,
    pub periods: f64,
    pub at_beginning: bool,
}

impl Annuity {
    /// (1 + rate)^periods, and what a payment of one each period has become by then.
    fn growth(&self) -> (f64, f64) {
        if self.rate == 0.0 {
            return (1.0, self.periods);
        }
        let growth = (self.periods * self.rate.ln_1p()).exp();
        let paid = (self.periods * self.rate.ln_1p()).exp_m1() / self.rate;
        (
            growth,
            if self.at_beginning {
                paid * (1.0 + self.rate)
            } else {
                paid
            },
        )
    }

    /// The payment: pv (1 + r)^n + pmt s + fv = 0.
    pub fn payment(&self, present: f64, future: f64) -> Option<f64> {
        let (growth, paid) = self.growth();
        finite(-(present * growth + future) / paid)
    }

    /// The future value.
    pub fn future(&self, payment: f64, present: f64) -> Option<f64> {
        let (growth, paid) = self.growth();
        finite(-(present * growth + payment * paid))
    }

    /// The present value.
    pub fn present(&self, payment: f64, future: f64) -> Option<f64> {
        let (growth, paid) = self.growth();
        finite(-(payment * paid + future) / growth)
    }
}

/// How many periods a payment takes.
pub fn periods(
    rate: f64,
    payment: f64,
    present: f64,
    future: f64,
    at_beginning: bool,
) -> Option<f64> {
    if rate == 0.0 {
        return finite(-(present + future) / payment);
    }
    let due = payment * if at_beginning { 1.0 + rate } else { 1.0 } / rate;
    finite(((due - future) / (present + due)).ln() / rate.ln_1p())
}

/// The rate of an annuity, the one nearest to the guess.
pub fn rate(
    periods: f64,
    payment: f64,
    present: f64,
    future: f64,
    at_beginning: bool,
    guess: f64,
) -> Option<f64> {
    if periods <= 0.0 {
        return None;
    }
    let found = rates(|rate| {
        let annuity = Annuity {
            rate,
            periods,
            at_beginning,
        };
        let (growth, paid) = annuity.growth();
        // Over the growth, which would overflow alone.
        if growth > 1.0 {
            present + payment * paid / growth + future / growth
        } else {
            present * growth + payment * paid + future
        }
    });
    nearest(&found, guess)
}

/// (last / first)^(1 / periods) − 1.
pub fn compound_growth(first: f64, last: f64, periods: f64) -> Option<f64> {
    let ratio = last / first;
    if periods <= 0.0 || ratio.is_nan() || ratio < 0.0 {
        return None;
    }
    finite(ratio.powf(1.0 / periods) - 1.0)
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: Option<f64>, expected: f64) {
        let found = found.unwrap();
        assert!(
            (found - expected).abs() <= 1e-9 * expected.abs().max(1.0),
            "{found} {expected}"
        );
    }

    /// The examples of Excel's manual pages for NPV, IRR, MIRR, XNPV, XIRR, to the digits that they print.
    #[test]
    fn flows_agree_with_the_spreadsheets_manual() {
        let flows = [-10_000.0, 3000.0, 4200.0, 6800.0];
        assert!((npv(0.1, &flows, 1.0).unwrap() - 1188.44).abs() < 0.005);
        let flows = [-70_000.0, 12_000.0, 15_000.0, 18_000.0, 21_000.0, 26_000.0];
        let found = internal_rates(&flows);
        assert!(
            found.len() == 1 && (found[0] - 0.0866).abs() < 5e-5,
            "{found:?}"
        );
        close(npv(found[0], &flows, 0.0).map(|v| v / 70_000.0), 0.0);
        let flows = [-120_000.0, 39_000.0, 30_000.0, 21_000.0, 37_000.0, 46_000.0];
        assert!((mirr(&flows, 0.1, 0.12).unwrap() - 0.1261).abs() < 5e-5);
        let flows = [-10_000.0, 2750.0, 4250.0, 3250.0, 2750.0];
        let days = [39_448.0, 39_508.0, 39_751.0, 39_859.0, 39_904.0];
        assert!((xnpv(0.09, &flows, &days).unwrap() - 2086.65).abs() < 0.005);
        assert!((dated_rates(&flows, &days)[0] - 0.373_362_535).abs() < 1e-8);
    }

    /// PMT, FV, PV, NPER and RATE of the same manual.
    #[test]
    fn annuities_agree_with_the_spreadsheets_manual() {
        let loan = |rate, periods, at_beginning| Annuity {
            rate,
            periods,
            at_beginning,
        };
        assert!(
            (loan(0.08 / 12.0, 10.0, false)
                .payment(10_000.0, 0.0)
                .unwrap()
                + 1037.03)
                .abs()
                < 0.005
        );
        assert!(
            (loan(0.06 / 12.0, 10.0, true)
                .future(-200.0, -500.0)
                .unwrap()
                - 2581.40)
                .abs()
                < 0.005
        );
        assert!(
            (loan(0.08 / 12.0, 240.0, false).present(500.0, 0.0).unwrap() + 59_777.15).abs()
                < 0.005
        );
        assert!(
            (periods(0.01, -100.0, -1000.0, 10_000.0, true).unwrap() - 59.673_865_7).abs() < 1e-6
        );
        assert!((rate(48.0, -200.0, 8000.0, 0.0, false, 0.1).unwrap() - 0.007_701_47).abs() < 1e-8);
        close(loan(0.0, 10.0, false).payment(1000.0, 0.0), -100.0);
        close(compound_growth(100.0, 121.0, 2.0), 0.1);
        assert_eq!(compound_growth(0.0, 1.0, 2.0), None);
    }

    /// −100 + 230 / v − 132 / v²: by hand the roots are 10 % and 20 %.
    #[test]
    fn several_rates_are_all_found_and_none_is_none() {
        let found = internal_rates(&[-100.0, 230.0, -132.0]);
        assert_eq!(found.len(), 2);
        close(found.first().copied(), 0.1);
        close(found.last().copied(), 0.2);
        close(nearest(&found, 0.5), 0.2);
        assert!(internal_rates(&[1.0, 2.0]).is_empty());
        assert!(internal_rates(&[-1.0, 1.0, -1.0]).is_empty());
        assert!(internal_rates(&[]).is_empty());
        assert_eq!(npv(-1.0, &[1.0], 1.0), None);
    }
}
