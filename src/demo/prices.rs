//! Share prices that no market ever saw: a factor model on a fixed seed.
//!
//! The return of share i of sector s on day t is
//!
//! ```text
//! r(i,t) = drift(i) + beta(i) m(t) + 0.8 f(s,t) + e(i,t)
//! ```
//!
//! with the market m, the sectors f and the share's own part e normal and independent. The market's
//! variance clusters as markets' do, by GARCH(1,1): v(t+1) = 0.03 w + 0.07 m(t)² + 0.90 v(t), whose
//! long-run level is w. Prices are rounded to cents. Only additions, multiplications, divisions and
//! square roots are used, which every machine rounds alike, so the same prices come out everywhere.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, StringArray};
use chrono::{Datelike, NaiveDate, Weekday};

use crate::error::{Error, Result};

/// The first and the last day.
const FIRST_DAY: (i32, u32, u32) = (2021, 1, 4);
const LAST_DAY: (i32, u32, u32) = (2025, 12, 31);
/// What the random numbers start from.
const SEED: u64 = 20_251_231;
/// Long-run variance of the market's daily return: 16 % a year.
const MARKET_VARIANCE: f64 = 0.01 * 0.01;
/// Standard deviation of a sector's daily return.
const SECTOR_DEVIATION: f64 = 0.006;
/// How many sectors there are.
const SECTORS: usize = 4;

/// A share of an invented company.
struct Share {
    asset: &'static str,
    sector: usize,
    beta: f64,
    /// Standard deviation of its own part of the daily return.
    deviation: f64,
    /// Mean of the daily return.
    drift: f64,
    first_price: f64,
}

const fn share(
    asset: &'static str,
    sector: usize,
    beta: f64,
    deviation: f64,
    drift: f64,
    first_price: f64,
) -> Share {
    Share {
        asset,
        sector,
        beta,
        deviation,
        drift,
        first_price,
    }
}

/// Sectors: 0 energy and mining, 1 technology, 2 goods and transport, 3 money and health.
const SHARES: [Share; 12] = [
    share("NRDV", 0, 0.9, 0.011, 0.0004, 48.0),
    share("STRV", 0, 1.2, 0.015, 0.0002, 21.5),
    share("LMCR", 1, 1.4, 0.014, 0.0006, 112.0),
    share("QNTR", 1, 1.5, 0.017, 0.0007, 64.0),
    share("HLXR", 1, 1.1, 0.019, 0.0003, 35.0),
    share("BRKM", 2, 0.5, 0.007, 0.0002, 74.0),
    share("PLSD", 2, 0.8, 0.012, 0.0001, 18.0),
    share("ARGT", 2, 1.0, 0.010, 0.0003, 56.0),
    share("VLMR", 2, 1.3, 0.016, 0.0000, 88.0),
    share("OSPV", 3, 1.1, 0.009, 0.0003, 41.0),
    share("CDRQ", 3, 0.7, 0.008, 0.0003, 66.0),
    share("MRDN", 3, 0.6, 0.010, 0.0004, 93.0),
];

/// The columns day, asset and price.
///
/// # Errors
/// Days that the calendar does not have, which is a bug.
pub(super) fn columns() -> Result<Vec<ArrayRef>> {
    let day = |(year, month, day)| {
        NaiveDate::from_ymd_opt(year, month, day).ok_or_else(|| Error::internal("no such day"))
    };
    let trading = trading_days(day(FIRST_DAY)?, day(LAST_DAY)?);
    let (mut days, mut assets, mut prices) = (Vec::new(), Vec::new(), Vec::new());
    let mut market = Market::new(SEED);
    for day in trading {
        for (share, price) in SHARES.iter().zip(market.next_day()) {
            days.push(day);
            assets.push(share.asset);
            prices.push(price);
        }
    }
    Ok(vec![
        Arc::new(Date32Array::from(days)),
        Arc::new(StringArray::from(assets)),
        Arc::new(Float64Array::from(prices)),
    ])
}

/// Monday to Friday, as days since 1970.
fn trading_days(first: NaiveDate, last: NaiveDate) -> impl Iterator<Item = i32> {
    let epoch = NaiveDate::default();
    first
        .iter_days()
        .take_while(move |day| *day <= last)
        .filter(|day| !matches!(day.weekday(), Weekday::Sat | Weekday::Sun))
        .map(move |day| i32::try_from((day - epoch).num_days()).unwrap_or_default())
}

/// All shares on one day.
struct Market {
    random: Random,
    variance: f64,
    prices: [f64; SHARES.len()],
}

impl Market {
    fn new(seed: u64) -> Self {
        Self {
            random: Random(seed),
            variance: MARKET_VARIANCE,
            prices: std::array::from_fn(|i| SHARES[i].first_price),
        }
    }

    fn next_day(&mut self) -> [f64; SHARES.len()] {
        let market = self.variance.sqrt() * self.random.normal();
        self.variance = 0.03 * MARKET_VARIANCE + 0.07 * market * market + 0.90 * self.variance;
        let sectors: [f64; SECTORS] =
            std::array::from_fn(|_| SECTOR_DEVIATION * self.random.normal());
        for (share, price) in SHARES.iter().zip(&mut self.prices) {
            let own = share.deviation * self.random.normal();
            let change = share.drift + share.beta * market + 0.8 * sectors[share.sector] + own;
            *price = (*price * (1.0 + change) * 100.0).round().max(1.0) / 100.0;
        }
        self.prices
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): a counter and a mixing function.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in 0 … 1, from the upper 53 bits.
    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Nearly normal with mean 0 and variance 1: twelve uniforms less six.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_are_those_of_the_paper() {
        // The first outputs of the reference implementation for the seed 1234567.
        let mut random = Random(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn the_same_prices_come_out_each_time() {
        let (mut a, mut b) = (Market::new(SEED), Market::new(SEED));
        for _ in 0..1_303 {
            let prices = a.next_day();
            assert_eq!(prices, b.next_day());
            assert!(prices.iter().all(|price| (1.0..2_000.0).contains(price)));
        }
    }

    #[test]
    fn there_is_a_price_a_share_and_weekday() {
        let columns = columns().unwrap();
        assert_eq!(columns[0].len(), 1_303 * SHARES.len());
    }
}
