//! Sums and averages of decimals, exact and quick: in 128 bits as long as these hold them, and in as
//! many digits as it takes beyond.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array, LargeStringArray,
    LargeStringBuilder,
};
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::super::error::PgError;
use super::super::numeric::{Decimal, Numeric};
use super::super::types::EXACT;
use super::super::value::ascii;
use super::few_groups::{self, CHUNK, FEW};

const MAX_DIGITS: u8 = 38;

/// What is asked of the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Sum,
    Average,
}

/// The columns of a state: what 128 bits hold, what went beyond them, how many numbers.
pub(super) fn state_fields(name: &str, scale: i8) -> Vec<FieldRef> {
    let field =
        |part: &str, data_type| Arc::new(Field::new(format!("{name}[{part}]"), data_type, true));
    vec![
        field("sum", DataType::Decimal128(MAX_DIGITS, scale)),
        field("beyond", EXACT),
        field("count", DataType::Int64),
    ]
}

/// One sum.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    total: i128,
    count: i64,
}

/// The sums of many groups.
#[derive(Debug)]
pub(super) struct DecimalSums {
    asked: Asked,
    scale: i8,
    sums: Vec<Sum>,
    /// What 128 bits did not hold, by group.
    beyond: HashMap<usize, Decimal>,
}

impl DecimalSums {
    pub(super) fn new(asked: Asked, scale: i8) -> Self {
        Self {
            asked,
            scale,
            sums: Vec::new(),
            beyond: HashMap::new(),
        }
    }

    fn grow(&mut self, groups: usize) {
        self.sums.resize(groups, Sum::default());
    }

    #[inline]
    fn add(&mut self, group: usize, value: i128, count: i64) -> Result<()> {
        let sum = &mut self.sums[group];
        sum.count += count;
        match sum.total.checked_add(value) {
            Some(total) => sum.total = total,
            None => self.carry(group, value)?,
        }
        Ok(())
    }

    fn add_all(&mut self, values: &[i128], groups: &[usize]) -> Result<()> {
        for (group, value) in groups.iter().zip(values) {
            self.add(*group, *value, 1)?;
        }
        Ok(())
    }

    fn add_to_few(&mut self, values: &[i128], groups: &[usize]) -> Result<()> {
        for (values, groups) in values.chunks(CHUNK).zip(groups.chunks(CHUNK)) {
            let Some(sums) = few_groups::sums(values, groups) else {
                self.add_all(values, groups)?;
                continue;
            };
            for (group, (total, count)) in sums.into_iter().enumerate() {
                if count > 0 {
                    self.add(group, total, count)?;
                }
            }
        }
        Ok(())
    }

    /// Moves a sum to where there is room, and begins anew with a value.
    #[cold]
    fn carry(&mut self, group: usize, value: i128) -> Result<()> {
        let total = std::mem::replace(&mut self.sums[group].total, value);
        let more = Decimal::new(total, i32::from(self.scale));
        self.add_beyond(group, &more)
    }

    fn add_beyond(&mut self, group: usize, more: &Decimal) -> Result<()> {
        let none = || Decimal::new(0, i32::from(self.scale));
        let beyond = self.beyond.entry(group).or_insert_with(none);
        *beyond = beyond.add(more)?;
        Ok(())
    }

    /// The answer for a group; none for no numbers.
    fn answer(&self, sum: Sum, beyond: Option<&Decimal>) -> Result<Option<Decimal>, PgError> {
        if sum.count == 0 {
            return Ok(None);
        }
        let within = Decimal::new(sum.total, i32::from(self.scale));
        let total = match beyond {
            Some(beyond) => beyond.add(&within)?,
            None => within,
        };
        Ok(Some(match self.asked {
            Asked::Sum => total,
            Asked::Average => total.divide(&Decimal::new(i128::from(sum.count), 0))?,
        }))
    }

    /// Takes the first groups out.
    fn take(&mut self, emit_to: EmitTo) -> (Vec<Sum>, HashMap<usize, Decimal>) {
        let sums = emit_to.take_needed(&mut self.sums);
        let mut beyond = std::mem::take(&mut self.beyond);
        if !beyond.is_empty() {
            let taken = sums.len();
            let rest = beyond.extract_if(|group, _| *group >= taken);
            self.beyond = rest.map(|(group, sum)| (group - taken, sum)).collect();
        }
        (sums, beyond)
    }
}

fn beyond_column(groups: usize, beyond: &HashMap<usize, Decimal>) -> LargeStringArray {
    if beyond.is_empty() {
        return LargeStringArray::new_null(groups);
    }
    let text = |group| {
        beyond
            .get(&group)
            .cloned()
            .map(|sum| Numeric::Finite(sum).to_string())
    };
    (0..groups).map(text).collect()
}

impl GroupsAccumulator for DecimalSums {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        self.grow(groups);
        let values = values[0].as_primitive::<Decimal128Type>();
        if filter.is_none() && values.null_count() == 0 {
            return match groups <= FEW {
                true => self.add_to_few(values.values(), group_indices),
                false => self.add_all(values.values(), group_indices),
            };
        }
        for (row, group) in group_indices.iter().enumerate() {
            if counts(values, filter, row) {
                self.add(*group, values.value(row), 1)?;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (sums, beyond) = self.take(emit_to);
        let mut answers = LargeStringBuilder::with_capacity(sums.len(), sums.len() * 20);
        let mut text = Vec::with_capacity(48);
        for (group, sum) in sums.into_iter().enumerate() {
            let Some(answer) = self.answer(sum, beyond.get(&group))? else {
                answers.append_null();
                continue;
            };
            text.clear();
            answer.write(&mut text);
            answers.append_value(ascii(&text));
        }
        Ok(Arc::new(answers.finish()))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (sums, beyond) = self.take(emit_to);
        let beyond = beyond_column(sums.len(), &beyond);
        let totals: Decimal128Array = sums.iter().map(|sum| Some(sum.total)).collect();
        let totals = totals.with_precision_and_scale(MAX_DIGITS, self.scale)?;
        let counts = Int64Array::from_iter_values(sums.iter().map(|sum| sum.count));
        Ok(vec![Arc::new(totals), Arc::new(beyond), Arc::new(counts)])
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        group_indices: &[usize],
        groups: usize,
    ) -> Result<()> {
        self.grow(groups);
        let totals = states[0].as_primitive::<Decimal128Type>();
        let beyond = states[1].as_string::<i64>();
        let counts = states[2].as_primitive::<Int64Type>();
        for (row, group) in group_indices.iter().enumerate() {
            self.add(*group, totals.value(row), counts.value(row))?;
            if beyond.is_valid(row) {
                self.add_text(*group, beyond.value(row))?;
            }
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = values[0].as_primitive::<Decimal128Type>();
        let rows = 0..values.len();
        let counted = |row: usize| counts(values, filter, row);
        let totals: Decimal128Array = rows
            .clone()
            .map(|row| Some(if counted(row) { values.value(row) } else { 0 }))
            .collect();
        let totals = totals.with_precision_and_scale(MAX_DIGITS, self.scale)?;
        let beyond = LargeStringArray::new_null(values.len());
        let counts: Int64Array = rows.map(|row| Some(i64::from(counted(row)))).collect();
        Ok(vec![Arc::new(totals), Arc::new(beyond), Arc::new(counts)])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<Sum>()
            + self.beyond.capacity() * 2 * size_of::<(usize, Decimal)>()
    }
}

impl DecimalSums {
    fn add_text(&mut self, group: usize, text: &str) -> Result<()> {
        match Numeric::parse(text)? {
            Numeric::Finite(more) => self.add_beyond(group, &more),
            Numeric::NaN | Numeric::Infinity | Numeric::NegativeInfinity => Ok(()),
        }
    }
}

/// Whether a row's value is to be counted.
fn counts(values: &Decimal128Array, filter: Option<&BooleanArray>, row: usize) -> bool {
    values.is_valid(row) && filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

/// One sum by itself, which a window may move on.
#[derive(Debug)]
pub(super) struct DecimalSum {
    sums: DecimalSums,
}

impl DecimalSum {
    pub(super) fn new(asked: Asked, scale: i8) -> Self {
        let mut sums = DecimalSums::new(asked, scale);
        sums.grow(1);
        Self { sums }
    }
}

impl Accumulator for DecimalSum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in values[0].as_primitive::<Decimal128Type>().iter().flatten() {
            self.sums.add(0, value, 1)?;
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in values[0].as_primitive::<Decimal128Type>().iter().flatten() {
            match value.checked_neg() {
                Some(value) => self.sums.add(0, value, -1)?,
                None => {
                    let less = Decimal::new(value, i32::from(self.sums.scale)).negated();
                    self.sums.add_beyond(0, &less)?;
                    self.sums.add(0, 0, -1)?;
                }
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let answer = self
            .sums
            .answer(self.sums.sums[0], self.sums.beyond.get(&0))?;
        let text = answer.map(|answer| Numeric::Finite(answer).to_string());
        Ok(ScalarValue::LargeUtf8(text))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.sums.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sum = self.sums.sums[0];
        let beyond = self.sums.beyond.get(&0).cloned();
        Ok(vec![
            ScalarValue::Decimal128(Some(sum.total), MAX_DIGITS, self.sums.scale),
            ScalarValue::LargeUtf8(beyond.map(|sum| Numeric::Finite(sum).to_string())),
            ScalarValue::Int64(Some(sum.count)),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let groups = vec![0; states[0].len()];
        self.sums.merge_batch(states, &groups, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimals(values: &[Option<i128>]) -> ArrayRef {
        let values: Decimal128Array = values.iter().copied().collect();
        Arc::new(values.with_precision_and_scale(38, 2).unwrap())
    }

    fn answers(sums: &mut DecimalSums, emit_to: EmitTo) -> Vec<Option<String>> {
        let answers = sums.evaluate(emit_to).unwrap();
        let answers = answers.as_string::<i64>();
        answers.iter().map(|text| text.map(str::to_owned)).collect()
    }

    const LARGE: i128 = 99_999_999_999_999_999_999_999_999_999_999_999_999;

    #[test]
    fn sums_go_on_beyond_128_bits() {
        let mut sums = DecimalSums::new(Asked::Sum, 2);
        let values = decimals(&[Some(LARGE), Some(150), Some(LARGE), None, Some(LARGE)]);
        sums.update_batch(&[values], &[0, 1, 0, 1, 0], None, 3)
            .unwrap();
        // 3 × (10^38 − 1) hundredths, by hand.
        let three = "2999999999999999999999999999999999999.97";
        assert_eq!(
            answers(&mut sums, EmitTo::First(1)),
            [Some(three.to_owned())]
        );
        assert_eq!(
            answers(&mut sums, EmitTo::All),
            [Some("1.50".to_owned()), None]
        );
    }

    #[test]
    fn few_groups_and_many_have_the_same_sums() {
        let many = FEW + 1;
        for (rows, large) in [(0, 0), (1, 0), (3, 0), (9_000, 0), (9_000, LARGE)] {
            let values: Vec<i128> = (0..rows)
                .map(|row: i128| {
                    if row == 4_500 {
                        large
                    } else {
                        row * 37 - 1_000
                    }
                })
                .collect();
            let groups: Vec<usize> = (0..values.len()).map(|row| row * row % 7).collect();
            let column = decimals(&values.iter().copied().map(Some).collect::<Vec<_>>());
            let sums = [FEW, many].map(|groups_in_all| {
                let mut sums = DecimalSums::new(Asked::Average, 2);
                let column = Arc::clone(&column);
                sums.update_batch(&[column], &groups, None, groups_in_all)
                    .unwrap();
                answers(&mut sums, EmitTo::First(7))
            });
            assert_eq!(sums[0], sums[1]);
            assert_eq!(sums[0][0].is_some(), rows > 0);
        }
    }

    #[test]
    fn states_carry_what_went_beyond() {
        let mut parts = DecimalSums::new(Asked::Average, 2);
        let values = decimals(&[Some(LARGE), Some(LARGE), Some(-1)]);
        parts.update_batch(&[values], &[1, 1, 0], None, 2).unwrap();
        let state = parts.state(EmitTo::All).unwrap();
        let mut whole = DecimalSums::new(Asked::Average, 2);
        whole.merge_batch(&state, &[0, 1], 2).unwrap();
        whole.merge_batch(&state, &[0, 1], 2).unwrap();
        let average = "999999999999999999999999999999999999.99";
        let answers = answers(&mut whole, EmitTo::All);
        assert_eq!(answers[0].as_deref(), Some("-0.01000000000000000000"));
        assert!(
            answers[1].as_ref().unwrap().starts_with(average),
            "{answers:?}"
        );
    }

    #[test]
    fn a_window_takes_away_what_it_added() {
        let mut sum = DecimalSum::new(Asked::Sum, 2);
        sum.update_batch(&[decimals(&[Some(LARGE), Some(LARGE), Some(7)])])
            .unwrap();
        sum.retract_batch(&[decimals(&[Some(LARGE), Some(LARGE)])])
            .unwrap();
        assert_eq!(
            sum.evaluate().unwrap(),
            ScalarValue::LargeUtf8(Some("0.07".to_owned()))
        );
        sum.retract_batch(&[decimals(&[Some(7)])]).unwrap();
        assert_eq!(sum.evaluate().unwrap(), ScalarValue::LargeUtf8(None));
    }
}
