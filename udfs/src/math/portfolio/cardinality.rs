//! Portfolios of at most so many assets, by branch and bound.
//!
//! A branch fixes which assets are held and which are not; the others may have any weight, which gives the bound. With a
//! limit on the number of assets a lower bound above zero binds only the assets that are held, unless it is the asset's own.
//! Beyond [`MAX_NODES`] portfolios the best one found is returned with the gap that is left.

use super::problem::{Assets, Mandate, Objective, Portfolio, solve};
use super::refusal::Refusal;

/// The portfolios that a search looks at.
const MAX_NODES: usize = 2_000;
/// The same for many assets: the work of a node grows with them.
const MAX_WORK: usize = 200_000;
/// A branch that can't gain more than this, relatively, is not followed.
const GAIN: f64 = 1e-8;
/// A weight below this is none.
const DUST: f64 = 1e-7;

#[derive(Clone)]
struct Node {
    /// Some(true): held, Some(false): not.
    choice: Vec<Option<bool>>,
    bound: f64,
    weights: Vec<f64>,
}

struct Search<'a> {
    assets: &'a Assets<'a>,
    objective: &'a Objective,
    mandate: &'a Mandate,
    most: usize,
}

/// The best portfolio of at most `most` assets.
///
/// # Errors
/// When there is none.
pub(super) fn search(
    assets: &Assets<'_>,
    objective: &Objective,
    mandate: &Mandate,
    most: usize,
) -> Result<Portfolio, Refusal> {
    let search = Search {
        assets,
        objective,
        mandate,
        most,
    };
    let count = mandate.lower.len();
    let root = search.node(vec![None; count])?;
    let limit = MAX_NODES.min(MAX_WORK / count.max(1)).max(50);
    let mut best: Option<(f64, Vec<f64>)> = None;
    if let Ok((loss, weights)) = search.rounded(&root) {
        best = Some((loss, weights));
    }
    let mut open = vec![root];
    let mut looked = 0;
    while let Some(node) = take_lowest(&mut open) {
        if let Some((least, _)) = &best
            && node.bound >= least - GAIN * least.abs()
        {
            // The lowest bound is no better: neither is any other.
            open.clear();
            break;
        }
        if looked >= limit {
            open.push(node);
            break;
        }
        if search.fits(&node) {
            best = Some((node.bound, node.weights));
            continue;
        }
        let Some(asset) = search.branching(&node) else {
            continue;
        };
        for held in [true, false] {
            let mut choice = node.choice.clone();
            choice[asset] = Some(held);
            looked += 1;
            if let Ok(child) = search.node(choice) {
                if let Ok((loss, weights)) = search.rounded(&child)
                    && best.as_ref().is_none_or(|(least, _)| loss < *least)
                {
                    best = Some((loss, weights));
                }
                open.push(child);
            }
        }
    }
    let Some((loss, weights)) = best else {
        return Err(Refusal::Conflict(vec![format!("cardinality upper {most}")]));
    };
    let bound = open.iter().map(|node| node.bound).fold(loss, f64::min);
    Ok(Portfolio {
        weights,
        gap: (loss - bound) / loss.abs().max(f64::MIN_POSITIVE),
    })
}

fn take_lowest(open: &mut Vec<Node>) -> Option<Node> {
    let lowest = (0..open.len()).min_by(|a, b| open[*a].bound.total_cmp(&open[*b].bound))?;
    Some(open.swap_remove(lowest))
}

impl Search<'_> {
    /// The best portfolio of a branch, which is a bound for all below it.
    fn node(&self, mut choice: Vec<Option<bool>>) -> Result<Node, Refusal> {
        if choice.iter().filter(|c| **c == Some(true)).count() >= self.most {
            choice
                .iter_mut()
                .filter(|c| c.is_none())
                .for_each(|c| *c = Some(false));
        }
        let mut mandate = Mandate {
            cardinality: None,
            ..self.mandate.clone()
        };
        for (asset, choice) in choice.iter().enumerate() {
            let forced = self.forced(asset);
            match choice {
                Some(false) if forced => {
                    return Err(Refusal::Conflict(Vec::new()));
                }
                Some(false) => (mandate.lower[asset], mandate.upper[asset]) = (0.0, 0.0),
                None if !forced => {
                    mandate.lower[asset] = mandate.lower[asset].min(0.0);
                    mandate.upper[asset] = mandate.upper[asset].max(0.0);
                }
                _ => {}
            }
        }
        let weights = solve(self.assets, self.objective, &mandate)?;
        let bound = self.objective.loss(self.assets, self.mandate, &weights);
        Ok(Node {
            choice,
            bound,
            weights,
        })
    }

    /// Whether a bound of the asset's own keeps it from zero.
    fn forced(&self, asset: usize) -> bool {
        let own = self.mandate.own.iter().any(|own| own.asset == asset);
        own && (self.mandate.lower[asset] > 0.0 || self.mandate.upper[asset] < 0.0)
    }

    fn fits(&self, node: &Node) -> bool {
        let held = (0..node.weights.len()).filter(|i| node.weights[*i].abs() > DUST);
        let within = |i: usize| {
            node.weights[i] >= self.mandate.lower[i] - DUST
                && node.weights[i] <= self.mandate.upper[i] + DUST
        };
        let mut count = 0;
        for asset in held {
            count += 1;
            if !within(asset) {
                return false;
            }
        }
        count <= self.most
    }

    /// The asset of the greatest weight that is not decided.
    fn branching(&self, node: &Node) -> Option<usize> {
        let open = (0..node.weights.len()).filter(|i| node.choice[*i].is_none());
        open.filter(|i| node.weights[*i].abs() > DUST)
            .max_by(|a, b| node.weights[*a].abs().total_cmp(&node.weights[*b].abs()))
    }

    /// The best portfolio of the assets with the greatest weights.
    fn rounded(&self, node: &Node) -> Result<(f64, Vec<f64>), Refusal> {
        let mut order: Vec<usize> = (0..node.weights.len()).collect();
        let rank = |i: usize| match node.choice[i] {
            Some(true) => f64::INFINITY,
            _ if self.forced(i) => f64::MAX,
            Some(false) => -1.0,
            None => node.weights[i].abs(),
        };
        order.sort_by(|a, b| rank(*b).total_cmp(&rank(*a)));
        let mut choice = vec![Some(false); order.len()];
        order
            .iter()
            .take(self.most)
            .for_each(|asset| choice[*asset] = Some(true));
        let node = self.node(choice)?;
        Ok((node.bound, node.weights))
    }
}
