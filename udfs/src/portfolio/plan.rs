//! What the functions that optimise have in common: the options of a call, and a group made ready for them.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, StringArray, UInt32Array};
use datafusion::arrow::compute::take;

use crate::error::Result;
use crate::math::portfolio::problem::{Assets, Mandate, Objective, Portfolio, optimise};
use crate::math::portfolio::refusal::Refusal;
use crate::relation::{Failure, Group, Layout, Options};

use super::goal;
use super::mandate::Terms;
use super::model::{Beliefs, Estimates, Model};
use super::panel::{Panel, Reader};

/// The status of a portfolio that is as good as can be.
pub(super) const OPTIMAL: &str = "optimal";
/// A gap below this is none.
const PROVEN: f64 = 1e-6;

/// A call.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) layout: Layout,
    pub(super) reader: Reader,
    pub(super) model: Model,
    pub(super) terms: Terms,
    objective: Objective,
}

/// A group of a call.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) panel: Panel,
    pub(super) beliefs: Beliefs,
    pub(super) mandate: Mandate,
    pub(super) objective: Objective,
}

impl Plan {
    /// Checks a call.
    ///
    /// # Errors
    /// When its options do not fit each other.
    pub(super) fn new(layout: &Layout, options: &Options, objective: Objective) -> Result<Self> {
        Ok(Self {
            layout: layout.clone(),
            reader: Reader::new(layout, options)?,
            model: Model::new(options)?,
            terms: Terms::new(layout, options)?,
            objective,
        })
    }

    /// Reads a group.
    ///
    /// # Errors
    /// When its rows do not fit each other.
    pub(super) fn prepare(&self, group: &Group<'_>) -> Result<Prepared, Failure> {
        let panel = self.reader.read(group)?;
        let beliefs = Beliefs::read(&self.layout, group, &panel.names)?;
        let mandate = self.terms.mandate(&self.layout, group, &panel.names)?;
        let objective = goal::of_group(&self.objective, &self.layout, group, &panel.names)?;
        Ok(Prepared {
            panel,
            beliefs,
            mandate,
            objective,
        })
    }
}

impl Prepared {
    /// The best portfolio by some estimates.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn best(
        &self,
        estimates: &Estimates,
        columns: &[Vec<f64>],
    ) -> Result<Portfolio, Failure> {
        let assets = Assets {
            covariance: &estimates.covariance,
            expected: &estimates.expected,
            columns,
        };
        optimise(&assets, &self.objective, &self.mandate).map_err(|refusal| self.refused(&refusal))
    }

    /// A refusal with the asset's name.
    pub(super) fn refused(&self, refusal: &Refusal) -> Failure {
        match refusal {
            Refusal::Constant { asset } => Failure::refused(format_args!(
                "return of asset \"{}\" never changes",
                self.panel.names[*asset]
            )),
            other => Failure::refused(other),
        }
    }
}

/// What to say of a portfolio.
pub(super) fn status(portfolio: &Portfolio) -> String {
    match portfolio.gap > PROVEN {
        true => format!(
            "feasible: at most {:.2} % from the optimum",
            100.0 * portfolio.gap
        ),
        false => OPTIMAL.to_owned(),
    }
}

/// The assets of a panel, those left out at the end, `times` times over.
pub(super) fn repeated(panel: &Panel, times: usize) -> Result<ArrayRef, Failure> {
    if times == 1 {
        return Ok(Arc::clone(&panel.assets));
    }
    let count = u32::try_from(panel.assets.len()).unwrap_or(u32::MAX);
    let rows = UInt32Array::from_iter_values((0..times).flat_map(|_| 0..count));
    Ok(take(&panel.assets, &rows, None)?)
}

/// A status for each asset: one for those that take part, its own for each that does not.
pub(super) fn statuses(panel: &Panel, status: &str) -> ArrayRef {
    let taking_part = std::iter::repeat_n(status, panel.names.len());
    Arc::new(
        taking_part
            .chain(panel.left_out.iter().map(String::as_str))
            .map(Some)
            .collect::<StringArray>(),
    )
}
