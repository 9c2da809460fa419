//! How several relations become one input: a union in which a column tells them apart, so that a group's rows
//! of all of them meet in one partition, and how a group's rows are told apart again.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::Int8Type;
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::union::UnionExec;

use super::layout::Layout;
use super::operator::TableFunctionExec;
use super::rows::canonical;
use super::signature::Rows;

/// Where the columns of the grouped relations stand in the one input that holds them all.
#[derive(Debug)]
pub(super) struct Main {
    ids: usize,
    /// The column that tells the relations apart, if there are several.
    tag: Option<usize>,
    relations: Vec<MainRelation>,
}

#[derive(Debug)]
struct MainRelation {
    /// Which of the call's relations it is.
    relation: usize,
    /// The place of each of its columns.
    columns: Vec<usize>,
    order: Vec<usize>,
}

impl Main {
    pub(super) fn new(layout: &Layout) -> Self {
        let ids = layout.ids().len();
        let grouped = layout
            .relations()
            .iter()
            .filter(|r| r.rows == Rows::Grouped)
            .count();
        let tag = (grouped > 1).then_some(ids);
        let mut next = ids + usize::from(tag.is_some());
        let mut relations = Vec::with_capacity(grouped);
        for (relation, columns) in layout.relations().iter().enumerate() {
            if columns.rows == Rows::Shared {
                continue;
            }
            let others = columns.fields.len() - ids;
            let places: Vec<usize> = (0..ids).chain(next..next + others).collect();
            next += others;
            let order = columns.order.iter().map(|index| places[*index]).collect();
            relations.push(MainRelation {
                relation,
                columns: places,
                order,
            });
        }
        Self {
            ids,
            tag,
            relations,
        }
    }

    /// The order that the input must have.
    pub(super) fn order(&self) -> Vec<usize> {
        let ordering = self
            .relations
            .iter()
            .flat_map(|relation| relation.order.iter().copied());
        (0..self.ids).chain(self.tag).chain(ordering).collect()
    }

    /// A group's rows of each of the call's relations.
    pub(super) fn split(
        &self,
        exec: &TableFunctionExec,
        rows: &RecordBatch,
        shared: &[RecordBatch],
    ) -> Result<Vec<RecordBatch>> {
        let layout = exec.layout();
        let mut shared = shared.iter();
        let mut relations = Vec::with_capacity(layout.relations().len());
        for (index, columns) in layout.relations().iter().enumerate() {
            let place = self
                .relations
                .iter()
                .position(|relation| relation.relation == index);
            match place {
                Some(place) => {
                    let part = self
                        .part(rows, place)
                        .project(&self.relations[place].columns)?;
                    relations.push(match index == 0 && exec.bound.takes_any_order() {
                        true => part,
                        false => canonical(part, self.ids, &columns.order)?,
                    });
                }
                None => match shared.next() {
                    Some(rows) => relations.push(rows.clone()),
                    None => return internal_err!("relation {} was not read", columns.name),
                },
            }
        }
        Ok(relations)
    }

    /// The rows of one relation: the group is ordered by the tag.
    fn part(&self, rows: &RecordBatch, place: usize) -> RecordBatch {
        let Some(tag) = self.tag else {
            return rows.clone();
        };
        let tags = rows.column(tag).as_primitive::<Int8Type>().values();
        let start = tags.partition_point(|tag| usize::try_from(*tag).is_ok_and(|tag| tag < place));
        let end = tags.partition_point(|tag| usize::try_from(*tag).is_ok_and(|tag| tag <= place));
        rows.slice(start, end - start)
    }
}

/// The inputs of the operator: one for all grouped relations, then the shared ones.
pub(super) fn grouped_and_shared(
    layout: &Layout,
    inputs: &[Arc<dyn ExecutionPlan>],
) -> Result<Vec<Arc<dyn ExecutionPlan>>> {
    let main = Main::new(layout);
    let mut grouped = Vec::new();
    let mut shared = Vec::new();
    for (relation, input) in layout.relations().iter().zip(inputs) {
        match relation.rows {
            Rows::Grouped => grouped.push(Arc::clone(input)),
            // A layout has decided which of the two it is.
            Rows::Shared | Rows::Either => shared.push(Arc::clone(input)),
        }
    }
    let first = match grouped.len() {
        1 => grouped.swap_remove(0),
        _ => {
            let tagged = (0..grouped.len())
                .map(|place| tagged(&main, &grouped, place))
                .collect::<Result<Vec<_>>>()?;
            UnionExec::try_new(tagged)?
        }
    };
    Ok(std::iter::once(first).chain(shared).collect())
}

/// A relation with its tag and with NULLs in the columns of the others.
fn tagged(
    main: &Main,
    grouped: &[Arc<dyn ExecutionPlan>],
    place: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    let input = &grouped[place];
    let mut columns: Vec<(Arc<dyn PhysicalExpr>, String)> = Vec::new();
    for (index, field) in input.schema().fields().iter().take(main.ids).enumerate() {
        columns.push((
            Arc::new(Column::new(field.name(), index)),
            field.name().clone(),
        ));
    }
    let tag = ScalarValue::Int8(i8::try_from(place).ok());
    columns.push((Arc::new(Literal::new(tag)), "relation".to_owned()));
    for (other, relation) in grouped.iter().enumerate() {
        for (index, field) in relation.schema().fields().iter().enumerate().skip(main.ids) {
            let name = format!("{other}.{}", field.name());
            let column: Arc<dyn PhysicalExpr> = if other == place {
                Arc::new(Column::new(field.name(), index))
            } else {
                Arc::new(Literal::new(ScalarValue::try_from(field.data_type())?))
            };
            columns.push((column, name));
        }
    }
    Ok(Arc::new(ProjectionExec::try_new(
        columns,
        Arc::clone(input),
    )?))
}
