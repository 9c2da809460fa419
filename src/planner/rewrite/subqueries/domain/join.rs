//! A join for every value of the domain.

use std::sync::Arc;

use datafusion::common::{JoinType, NullEquality, Result as EngineResult};
use datafusion::logical_expr::logical_plan::Join;
use datafusion::logical_expr::{Expr, JoinConstraint, LogicalPlan};

use super::Domain;
use super::plan::{arranged, is_not_distinct, unsupported};

impl Domain<'_> {
    pub(super) fn join(&self, join: &Join) -> EngineResult<LogicalPlan> {
        use JoinType as T;
        let (on_left, on_right) = (self.asks(&join.left)?, self.asks(&join.right)?);
        let keeps_left = matches!(
            join.join_type,
            T::Left | T::LeftSemi | T::LeftAnti | T::LeftMark
        );
        let keeps_right = matches!(join.join_type, T::Right);
        let inner = join.join_type == T::Inner;
        if !(inner || keeps_left || keeps_right) {
            return Err(unsupported(&format!(
                "a reference to an outer query below a {} join",
                join.join_type
            )));
        }
        // Rows that a join keeps alone must have the domain's values.
        let to_left = on_left || keeps_left || (inner && !on_right);
        let to_right = on_right || keeps_right;
        let left = if to_left {
            self.apply(&join.left)?
        } else {
            join.left.as_ref().clone()
        };
        let right = if to_right {
            self.apply(&join.right)?
        } else {
            join.right.as_ref().clone()
        };
        let keys = if to_left && !keeps_right {
            self.keys(&left)
        } else {
            self.keys(&right)
        };
        let mut on = Vec::with_capacity(join.on.len());
        for (l, r) in &join.on {
            on.push((self.inner(l.clone(), &keys)?, self.inner(r.clone(), &keys)?));
        }
        let mut filter = match &join.filter {
            Some(filter) => Some(self.inner(filter.clone(), &keys)?),
            None => None,
        };
        let mut null_equality = join.null_equality;
        if to_left && to_right {
            let pairs = self.keys(&left).into_iter().zip(self.keys(&right));
            if on.is_empty() || null_equality == NullEquality::NullEqualsNull {
                on.extend(pairs);
                null_equality = NullEquality::NullEqualsNull;
            } else {
                let same = pairs.map(|(l, r)| is_not_distinct(l, r));
                filter = same.chain(filter).reduce(Expr::and);
            }
        }
        let (of_left, of_right) = (
            join.left.schema().fields().len(),
            join.right.schema().fields().len(),
        );
        let given_left = left.schema().fields().len();
        let made = Join::try_new(
            Arc::new(left),
            Arc::new(right),
            on,
            filter,
            join.join_type,
            JoinConstraint::On,
            null_equality,
            join.null_aware,
        )?;
        let made = LogicalPlan::Join(made);
        let width = self.width();
        let total = made.schema().fields().len();
        let from_left = to_left && !keeps_right;
        let domain = if from_left {
            of_left..of_left + width
        } else {
            given_left + of_right..given_left + of_right + width
        };
        let own: Vec<usize> = match join.join_type {
            T::LeftSemi | T::LeftAnti => (0..of_left).collect(),
            T::LeftMark => (0..of_left).chain(total - 1..total).collect(),
            _ => (0..of_left)
                .chain(given_left..given_left + of_right)
                .collect(),
        };
        arranged(made, own.into_iter().chain(domain))
    }
}
