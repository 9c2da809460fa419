//! From weights to whole shares.
//!
//! Greedy: first as many shares of each asset as its part of the budget pays, then one share at a time of the asset that lags most
//! behind its weight and can still be paid. This is the greedy method of PyPortfolioOpt 1.6.

/// How near to 1 a sum of weights counts as 1.
const WHOLE: f64 = 1e-6;

/// The shares of each asset, and the cash that is left. Prices are positive. Weights that sum to less than 1 leave the rest in cash;
/// more than 1 is taken as parts of the sum. Assets of negative weight are sold short for as much as their weights say, while the others
/// share the budget.
pub fn allocate(weights: &[f64], prices: &[f64], budget: f64) -> (Vec<i64>, f64) {
    let longs: Vec<f64> = weights.iter().map(|weight| weight.max(0.0)).collect();
    let shorts: Vec<f64> = weights.iter().map(|weight| (-weight).max(0.0)).collect();
    let (long, short): (f64, f64) = (longs.iter().sum(), shorts.iter().sum());
    if short == 0.0 {
        let spent = budget * if long < 1.0 - WHOLE { long } else { 1.0 };
        let (shares, cash) = buy(&longs, prices, spent);
        return (shares, cash + budget - spent);
    }
    let (mut shares, cash) = buy(&longs, prices, if long > 0.0 { budget } else { 0.0 });
    let (sold, left) = buy(&shorts, prices, budget * short);
    shares
        .iter_mut()
        .zip(sold)
        .for_each(|(shares, sold)| *shares -= sold);
    (shares, cash + left)
}

fn buy(weights: &[f64], prices: &[f64], budget: f64) -> (Vec<i64>, f64) {
    let sum: f64 = weights.iter().sum();
    // The heaviest first, as they take the budget in turn.
    let mut order: Vec<usize> = (0..weights.len()).filter(|i| weights[*i] > 0.0).collect();
    order.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]));
    let mut shares = vec![0_i64; weights.len()];
    let mut cash = budget;
    for i in &order {
        let count = (weights[*i] / sum * budget / prices[*i]).floor();
        let paid = count * prices[*i];
        if paid <= cash {
            shares[*i] = count as i64;
            cash -= paid;
        }
    }
    loop {
        let values = order.iter().map(|i| shares[*i] as f64 * prices[*i]);
        let invested: f64 = values.clone().sum();
        let lags = order.iter().zip(values).map(|(i, value)| {
            let share = if invested > 0.0 {
                value / invested
            } else {
                0.0
            };
            (*i, weights[*i] / sum - share)
        });
        let affordable = lags.filter(|(i, lag)| *lag > 0.0 && prices[*i] <= cash);
        let Some((asset, _)) = affordable.reduce(|a, b| if b.1 > a.1 { b } else { a }) else {
            return (shares, cash);
        };
        shares[asset] += 1;
        cash -= prices[asset];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PyPortfolioOpt 1.6, DiscreteAllocation(...).greedy_portfolio().
    #[test]
    fn buys_as_pyportfolioopt_does() {
        let (shares, cash) = allocate(&[0.5, 0.3, 0.2], &[101.0, 33.0, 7.0], 1000.0);
        assert_eq!(shares, [5, 9, 28]);
        assert!((cash - 2.0).abs() < 1e-9, "{cash}");
    }

    #[test]
    fn keeps_in_cash_what_weights_leave_and_sells_short() {
        assert_eq!(allocate(&[0.5], &[10.0], 100.0), (vec![5], 50.0));
        assert_eq!(
            allocate(&[1.2, -0.2], &[10.0, 5.0], 100.0),
            (vec![10, -4], 0.0)
        );
    }

    #[test]
    fn spends_no_more_than_there_is() {
        let (shares, cash) = allocate(&[1.0, 1.0], &[60.0, 500.0], 100.0);
        assert_eq!((shares, cash), (vec![1, 0], 40.0));
        assert_eq!(allocate(&[1.0], &[500.0], 100.0), (vec![0], 100.0));
    }
}
