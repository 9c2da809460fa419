//! Drawdowns: how far wealth lies below its highest point so far, as a positive fraction of that point.

/// The deepest drawdown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawdown {
    /// As a positive fraction of the peak.
    pub depth: f64,
    /// The observation at whose end wealth peaked before; none for the start.
    pub peak: Option<usize>,
    /// The observation at whose end it was lowest.
    pub trough: usize,
    /// The first observation after the trough at whose end the peak was reached again, if it was.
    pub recovery: Option<usize>,
    /// Observations from the peak to the recovery, or to the end.
    pub length: usize,
}

/// The drawdown after each of a series of returns; wealth starts at one, which counts as a peak.
pub fn drawdowns(returns: &[f64]) -> impl Iterator<Item = f64> {
    returns.iter().scan((1.0f64, 1.0f64), |(wealth, peak), x| {
        *wealth *= 1.0 + x;
        *peak = if *wealth > *peak { *wealth } else { *peak };
        // NaN stays: a series that is broken has no drawdown from there on.
        Some(1.0 - *wealth / *peak)
    })
}

/// The depth of the deepest drawdown of a series of returns; NaN if a return is.
pub fn deepest(returns: &[f64]) -> f64 {
    let deeper = |deepest: f64, x: f64| {
        if x > deepest || x.is_nan() {
            x
        } else {
            deepest
        }
    };
    let mut depths = drawdowns(returns);
    depths
        .try_fold(0.0, |deepest: f64, x| match deeper(deepest, x) {
            x if x.is_nan() => Err(x),
            x => Ok(x),
        })
        .unwrap_or_else(|nan| nan)
}

/// The deepest drawdown of a series of returns, the first of equals; none if wealth never fell, or a return is NaN.
pub fn describe(returns: &[f64]) -> Option<Drawdown> {
    let (mut wealth, mut peak, mut peak_at) = (1.0, 1.0, None);
    let mut found: Option<(f64, f64, Option<usize>, usize)> = None;
    for (index, x) in returns.iter().enumerate() {
        wealth *= 1.0 + x;
        if wealth > peak {
            (peak, peak_at) = (wealth, Some(index));
        }
        let depth = 1.0 - wealth / peak;
        if depth.is_nan() {
            return None;
        }
        if depth > found.map_or(0.0, |(deepest, ..)| deepest) {
            found = Some((depth, peak, peak_at, index));
        }
    }
    let (depth, height, peak, trough) = found?;
    let mut wealth = 1.0;
    let mut recovery = None;
    for (index, x) in returns.iter().enumerate() {
        wealth *= 1.0 + x;
        if index > trough && wealth >= height {
            recovery = Some(index);
            break;
        }
    }
    let start = peak.map_or(0, |peak| peak + 1);
    Some(Drawdown {
        depth,
        peak,
        trough,
        recovery,
        length: recovery.unwrap_or(returns.len() - 1) + 1 - start,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_peak_trough_and_recovery() {
        let returns = [0.5, -0.5, 0.2, 0.8, -0.1];
        let found = describe(&returns);
        assert_eq!(
            found.map(|f| (f.peak, f.trough, f.recovery, f.length)),
            Some((Some(0), 1, Some(3), 3))
        );
        assert!((deepest(&returns) - 0.5).abs() < 1e-15);
    }

    #[test]
    fn the_start_is_a_peak() {
        let found = describe(&[-0.1, -0.1]);
        assert_eq!(
            found.map(|f| (f.peak, f.trough, f.recovery, f.length)),
            Some((None, 1, None, 2))
        );
        assert_eq!(describe(&[0.1, 0.0]), None);
        assert!(deepest(&[0.1, f64::NAN, 0.2]).is_nan());
    }
}
