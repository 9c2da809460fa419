//! `sentiment_analyze(text, categories => ARRAY[…], model => 'lexicon' | 'finance')`: a label, and the feeling towards
//! each category.
//!
//! The result is `struct(label, score, positive, negative, neutral, categories)`: labels are positive, negative, neutral,
//! mixed and unknown; the score is from -1 to 1; the three shares sum to 1. A category is judged by the sentences (and
//! sides of a "but") that hold one of its words; its label is unknown where none does. `lexicon` is VADER;
//! `finance` reads movements with what moves, see [`math::sentiment`](crate::math::sentiment).

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Float64Builder, ListArray, StringBuilder, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::Result;

use crate::error::Error;
use crate::function::{Declaration, Parameter, Role, ScalarSpec};
use crate::math::sentiment::{Feelings, Finance, Label, Vader, mentions, parts};
use crate::pg::function::{Call, Overload, Ret, Spec};
use crate::pg::types::Ty;
use crate::relation::{Class, Constant, ValueType};

/// VADER's own bounds: compound scores between them are neutral.
const NEUTRAL: f64 = 0.05;

pub(super) static ANALYZE: ScalarSpec = ScalarSpec {
    declaration: Declaration {
        name: "sentiment_analyze",
        role: Role::Scalar,
        parameters: &[
            Parameter::value("text", Class::Text),
            Parameter::option("categories", ValueType::Texts(&[])),
            Parameter::option("model", ValueType::Choice(&["lexicon", "finance"]))
                .or(Constant::Text("lexicon")),
        ],
        returns: || DataType::Struct(fields()),
    },
    function: Spec::immutable(
        "sentiment_analyze",
        &[Overload::returning(
            &[Ty::Text, Ty::Array, Ty::Text],
            Ret::By(|_| {
                Ok(Field::new(
                    "sentiment_analyze",
                    DataType::Struct(fields()),
                    true,
                ))
            }),
            analyze,
        )],
    ),
};

fn fields() -> Fields {
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    let item = Field::new_list_field(DataType::Struct(category_fields()), true);
    Fields::from(vec![
        Field::new("label", DataType::Utf8, true),
        number("score"),
        number("positive"),
        number("negative"),
        number("neutral"),
        Field::new("categories", DataType::List(Arc::new(item)), true),
    ])
}

fn category_fields() -> Fields {
    Fields::from(vec![
        Field::new("name", DataType::Utf8, true),
        Field::new("sentiment", DataType::Utf8, true),
        Field::new("score", DataType::Float64, true),
    ])
}

/// What a model says of a text.
struct Verdict {
    label: Label,
    score: f64,
    shares: [f64; 3],
}

/// A model with its buffers.
enum Model {
    Lexicon(Vader),
    Finance(Finance),
}

impl Model {
    fn new(name: &str) -> Result<Self> {
        match name {
            "lexicon" => Ok(Self::Lexicon(Vader::new())),
            "finance" => Ok(Self::Finance(Finance::default())),
            other => Err(Error::InvalidValue {
                argument: "model".to_owned(),
                value: other.to_owned(),
                hint: "Allowed are: lexicon, finance.".to_owned(),
            }
            .into()),
        }
    }

    fn judge(&mut self, text: &str) -> Verdict {
        match self {
            Self::Finance(finance) => of_feelings(&finance.feelings(text)),
            Self::Lexicon(vader) => of_scores(vader, text),
        }
    }

    /// None where no part speaks of the subject.
    fn judge_about(&mut self, text: &str, subject: &str) -> Option<Verdict> {
        match self {
            Self::Finance(finance) => finance
                .about(text, subject)
                .map(|found| of_feelings(&found)),
            Self::Lexicon(vader) => {
                let of_it: Vec<&str> = parts(text).filter(|part| mentions(part, subject)).collect();
                (!of_it.is_empty()).then(|| of_scores(vader, &of_it.join(". ")))
            }
        }
    }
}

fn of_feelings(feelings: &Feelings) -> Verdict {
    let (good, bad) = (feelings.positive, feelings.negative);
    let words = (feelings.words as f64).max(good + bad);
    let shares = match words > 0.0 {
        true => [good / words, bad / words, 1.0 - (good + bad) / words],
        false => [0.0; 3],
    };
    Verdict {
        label: feelings.label(),
        score: feelings.score,
        shares,
    }
}

fn of_scores(vader: &mut Vader, text: &str) -> Verdict {
    let found = vader.scores(text);
    let shares = [found.positive, found.negative, found.neutral];
    let label = match found.compound {
        _ if shares == [0.0; 3] => Label::Unknown,
        score if score >= NEUTRAL => Label::Positive,
        score if score <= -NEUTRAL => Label::Negative,
        _ if found.positive > 0.0 && found.negative > 0.0 => Label::Mixed,
        _ => Label::Neutral,
    };
    Verdict {
        label,
        score: found.compound,
        shares,
    }
}

#[derive(Default)]
struct Columns {
    valid: Vec<bool>,
    labels: StringBuilder,
    numbers: [Float64Builder; 4],
    lengths: Vec<usize>,
    names: StringBuilder,
    sentiments: StringBuilder,
    scores: Float64Builder,
}

impl Columns {
    fn push(&mut self, verdict: &Verdict) {
        self.valid.push(true);
        self.labels.append_value(verdict.label.as_str());
        let [positive, negative, neutral] = verdict.shares;
        for (column, x) in self
            .numbers
            .iter_mut()
            .zip([verdict.score, positive, negative, neutral])
        {
            column.append_value(x);
        }
    }

    fn push_null(&mut self) {
        self.valid.push(false);
        self.labels.append_null();
        self.numbers
            .iter_mut()
            .for_each(Float64Builder::append_null);
        self.lengths.push(0);
    }

    fn push_category(&mut self, name: &str, verdict: Option<&Verdict>) {
        self.names.append_value(name);
        self.sentiments
            .append_value(verdict.map_or(Label::Unknown, |v| v.label).as_str());
        self.scores
            .append_option(verdict.map(|verdict| verdict.score));
    }

    fn finish(mut self) -> Result<ArrayRef> {
        let categories = StructArray::try_new(
            category_fields(),
            vec![
                Arc::new(self.names.finish()),
                Arc::new(self.sentiments.finish()),
                Arc::new(self.scores.finish()),
            ],
            None,
        )?;
        let item = Field::new_list_field(DataType::Struct(category_fields()), true);
        let lists = ListArray::try_new(
            Arc::new(item),
            OffsetBuffer::from_lengths(self.lengths),
            Arc::new(categories),
            None,
        )?;
        let mut columns: Vec<ArrayRef> = vec![Arc::new(self.labels.finish())];
        for mut numbers in self.numbers {
            let numbers: Float64Array = numbers.finish();
            columns.push(Arc::new(numbers));
        }
        columns.push(Arc::new(lists));
        Ok(Arc::new(StructArray::try_new(
            fields(),
            columns,
            Some(NullBuffer::from(self.valid)),
        )?))
    }
}

fn analyze(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.args[0].array.as_string_view();
    let mut columns = Columns::default();
    let mut models: Vec<(String, Model)> = Vec::new();
    for row in 0..call.rows {
        let Some((text, name)) = call.at(0, row).zip(call.at(2, row)) else {
            columns.push_null();
            continue;
        };
        let (text, name) = (
            texts.value(text),
            call.args[2].array.as_string_view().value(name),
        );
        let place = match models.iter().position(|(known, _)| known == name) {
            Some(place) => place,
            None => {
                models.push((name.to_owned(), Model::new(name)?));
                models.len() - 1
            }
        };
        let model = &mut models[place].1;
        columns.push(&model.judge(text));
        let categories = match call.at(1, row) {
            Some(place) => cast(
                &call.args[1].array.as_list::<i32>().value(place),
                &DataType::Utf8,
            )?,
            None => arrow::array::new_empty_array(&DataType::Utf8),
        };
        let names = categories.as_string::<i32>();
        for name in names.iter().flatten() {
            columns.push_category(name, model.judge_about(text, name).as_ref());
        }
        columns.lengths.push(names.len() - names.null_count());
    }
    columns.finish()
}
