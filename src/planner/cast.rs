//! Casts as PostgreSQL does them, where the engine's own differ.
//!
//! The engine reads and writes text in Arrow's forms, cuts where PostgreSQL rounds, and knows no
//! `varchar(3)`. An analyzer rule, which runs after the engine has added its own casts, replaces
//! those that differ by a function that goes through `format`.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, ListArray, StringViewBuilder,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute;
use datafusion::arrow::datatypes::{DataType, FieldRef, Int32Type, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result as EngineResult, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::{Cast, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use tessera_catalog::sql_type::SqlType;
use tessera_udfs::pg::{
    as_moments, as_times, checked_operator, days_at, is_exact, is_moment, is_time, number_of_float,
    whole_number_of,
};

use super::failure::engine_error;
use crate::error::{Error, Result};
use crate::format::decode::ColumnBuilder;
use crate::format::encode::{Column, Display};

/// Digits of a `real` and of a `double precision` that count when they become exact numbers.
const FLOAT4_DIGITS: usize = 6;
const FLOAT8_DIGITS: usize = 15;

/// A value on its way into a column: cast as in an assignment, where a text that is too long is an
/// error and not cut.
///
/// # Errors
/// A type that cannot become the column's.
pub fn assign(
    expr: Expr,
    schema: &DFSchema,
    sql_type: &SqlType,
    zone: &Arc<str>,
    column: &str,
) -> Result<Expr> {
    let (_, from) = expr.to_field(schema)?;
    let source = SqlType::of(&from);
    let field = sql_type.field("", true, zone);
    if source == *sql_type && from.data_type() == field.data_type() {
        return Ok(expr);
    }
    if !is_assignable(&source, sql_type) {
        return Err(Error::DatatypeMismatch(format!(
            "column \"{column}\" is of type {} but expression is of type {}",
            plain(sql_type),
            plain(&source)
        )));
    }
    let display = Display {
        zone: zone.parse().unwrap_or_default(),
        ..Display::default()
    };
    if differs(&source, from.data_type(), sql_type, field.data_type()) {
        return Ok(call(expr, field, sql_type.clone(), display, true));
    }
    Ok(Expr::Cast(Cast::new_from_field(Box::new(expr), field)))
}

/// A type without its modifier, as messages name it.
fn plain(sql_type: &SqlType) -> SqlType {
    match sql_type {
        SqlType::Numeric(_) => SqlType::Numeric(None),
        SqlType::Varchar(_) => SqlType::Varchar(None),
        other => other.clone(),
    }
}

/// Whether values of a type go into a column without an explicit cast.
fn is_assignable(from: &SqlType, to: &SqlType) -> bool {
    let number = |t: &SqlType| {
        matches!(
            t,
            SqlType::Int2
                | SqlType::Int4
                | SqlType::Int8
                | SqlType::Float4
                | SqlType::Float8
                | SqlType::Numeric(_)
                | SqlType::Oid
        )
    };
    let moment =
        |t: &SqlType| matches!(t, SqlType::Date | SqlType::Timestamp | SqlType::Timestamptz);
    match (from, to) {
        // A text may be an untyped literal, which has every type.
        (from, _) if is_text(from) || *from == SqlType::Unknown => true,
        (_, SqlType::Text | SqlType::Varchar(_) | SqlType::Char(_)) => true,
        (from, to) if number(from) && number(to) => true,
        (from, to) if moment(from) && moment(to) => true,
        (SqlType::Json | SqlType::Jsonb, SqlType::Json | SqlType::Jsonb) => true,
        (SqlType::Timestamp | SqlType::Timestamptz | SqlType::Interval, SqlType::Time) => true,
        (SqlType::Timestamptz | SqlType::Time, SqlType::Timetz) => true,
        (SqlType::Timetz, SqlType::Time) => true,
        (SqlType::Time, SqlType::Interval) => true,
        (SqlType::Array(from), SqlType::Array(to)) => is_assignable(from, to),
        (from, to) => plain(from) == plain(to),
    }
}

fn is_text(sql_type: &SqlType) -> bool {
    matches!(
        sql_type,
        SqlType::Text
            | SqlType::Varchar(_)
            | SqlType::Char(_)
            | SqlType::Name
            | SqlType::InternalChar
    )
}

/// Whether values of this type lie in string arrays.
fn is_string(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::Utf8View)
}

/// Whether values of this type are times with a zone.
fn is_zoned_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Time64(TimeUnit::Nanosecond))
}

/// How many dimensions arrays of this type have.
fn depth(data_type: &DataType) -> usize {
    match data_type {
        DataType::List(item) => 1 + depth(item.data_type()),
        _ => 0,
    }
}

/// What the items of an array are: in one of several dimensions, arrays of the same type.
fn element<'a>(array: &'a SqlType, item: &FieldRef) -> &'a SqlType {
    match array {
        SqlType::Array(element) if !matches!(item.data_type(), DataType::List(_)) => element,
        other => other,
    }
}

/// Whether the engine's own cast does something else than PostgreSQL's.
fn differs(from: &SqlType, held: &DataType, to: &SqlType, wanted: &DataType) -> bool {
    if matches!(held, DataType::Null)
        || matches!(to, SqlType::Unknown | SqlType::Void | SqlType::Record)
    {
        return false;
    }
    if from.enum_oid() != to.enum_oid() {
        return true;
    }
    if let (SqlType::Array(_), SqlType::Array(_), DataType::List(held), DataType::List(wanted)) =
        (from, to, held, wanted)
    {
        let [from, to] = [(from, held), (to, wanted)].map(|(array, item)| element(array, item));
        return differs(from, held.data_type(), to, wanted.data_type());
    }
    let integer = matches!(to, SqlType::Int2 | SqlType::Int4 | SqlType::Int8);
    let float = matches!(from, SqlType::Float4 | SqlType::Float8);
    let fraction = float || matches!(from, SqlType::Numeric(_));
    if is_exact(held) || is_exact(wanted) {
        return held != wanted;
    }
    match (is_string(held), is_string(wanted)) {
        // Text becomes a value: PostgreSQL's forms and errors.
        (true, false) => true,
        // Value becomes text: PostgreSQL's forms, but whole numbers are the same everywhere.
        (false, true) => {
            !matches!(
                from,
                SqlType::Int2 | SqlType::Int4 | SqlType::Int8 | SqlType::Oid
            ) || !matches!(to, SqlType::Text | SqlType::Varchar(None))
        }
        // Text becomes a text of another kind.
        (true, true) => from != to && !matches!(to, SqlType::Text | SqlType::Varchar(None)),
        (false, false) if is_zoned_time(held) || is_zoned_time(wanted) => held != wanted,
        // The engine casts neither into the other.
        (false, false)
            if matches!(
                (from, to),
                (SqlType::Interval, SqlType::Time) | (SqlType::Time, SqlType::Interval)
            ) =>
        {
            true
        }
        // The engine knows no infinite day.
        (false, false) if is_moment(held) && is_moment(wanted) => from != to,
        (false, false) => fraction && integer || float && matches!(to, SqlType::Numeric(_)),
    }
}

/// A cast whose result has the target's type alone: the engine's own keeps what the source's field
/// says beside its Arrow type.
pub(super) fn plainly(expr: Expr, field: FieldRef, zone: &Arc<str>) -> Expr {
    let display = Display {
        zone: zone.parse().unwrap_or_default(),
        ..Display::default()
    };
    let target = SqlType::of(&field);
    call(expr, field, target, display, false)
}

fn call(expr: Expr, field: FieldRef, target: SqlType, display: Display, assignment: bool) -> Expr {
    let function = PostgresCast {
        field,
        target,
        display,
        assignment,
        signature: Signature::any(1, Volatility::Immutable),
    };
    let function = Arc::new(ScalarUDF::new_from_impl(function));
    Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![expr]))
}

/// The rule that puts PostgreSQL's casts in place of the engine's.
#[derive(Debug)]
pub(super) struct PostgresCasts {
    pub(super) display: Display,
}

impl AnalyzerRule for PostgresCasts {
    fn name(&self) -> &str {
        "postgres_casts"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> EngineResult<LogicalPlan> {
        plan.transform_up_with_subqueries(|node| {
            let mut schema = merge_schema(&node.inputs());
            if let LogicalPlan::TableScan(scan) = &node {
                let source = DFSchema::try_from_qualified_schema(
                    scan.table_name.clone(),
                    &scan.source.schema(),
                )?;
                schema.merge(&source);
            }
            let names = NamePreserver::new(&node);
            let node = node.map_expressions(|expr| {
                let name = names.save(&expr);
                let replaced = expr.transform_up(|expr| self.replace(expr, &schema))?;
                Ok(replaced.update_data(|expr| name.restore(expr)))
            })?;
            if !node.transformed {
                return Ok(node);
            }
            Ok(Transformed::yes(node.data.recompute_schema()?))
        })
        .map(|plan| plan.data)
    }
}

impl PostgresCasts {
    fn replace(&self, expr: Expr, schema: &DFSchema) -> EngineResult<Transformed<Expr>> {
        let cast = match expr {
            Expr::Cast(cast) => cast,
            Expr::BinaryExpr(binary) => return Ok(checked(binary, schema)),
            other => return Ok(Transformed::no(other)),
        };
        let Ok((_, from)) = cast.expr.to_field(schema) else {
            return Ok(Transformed::no(Expr::Cast(cast)));
        };
        let (source, target) = (SqlType::of(&from), SqlType::of(&cast.field));
        if !differs(&source, from.data_type(), &target, cast.field.data_type()) {
            return Ok(Transformed::no(Expr::Cast(cast)));
        }
        Ok(Transformed::yes(call(
            *cast.expr,
            cast.field,
            target,
            self.display,
            false,
        )))
    }
}

/// Arithmetic that overflows is an error, and so is division by zero of any number.
fn checked(binary: BinaryExpr, schema: &DFSchema) -> Transformed<Expr> {
    let function = match (binary.left.get_type(schema), binary.right.get_type(schema)) {
        (Ok(left), Ok(right)) if left == right => checked_operator(binary.op, &left),
        _ => None,
    };
    match function {
        Some(function) => Transformed::yes(function.call(vec![*binary.left, *binary.right])),
        None => Transformed::no(Expr::BinaryExpr(binary)),
    }
}

/// A cast through PostgreSQL's text forms and roundings.
#[derive(Debug, PartialEq, Eq)]
struct PostgresCast {
    field: FieldRef,
    target: SqlType,
    display: Display,
    assignment: bool,
    signature: Signature,
}

impl std::hash::Hash for PostgresCast {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.target.hash(state);
        self.assignment.hash(state);
    }
}

impl ScalarUDFImpl for PostgresCast {
    fn name(&self) -> &str {
        "cast"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> EngineResult<DataType> {
        Ok(self.field.data_type().clone())
    }

    fn return_field_from_args(&self, _args: ReturnFieldArgs<'_>) -> EngineResult<FieldRef> {
        Ok(Arc::clone(&self.field))
    }

    /// A day's timestamp compared with a timestamp is a comparison of days, by which files are pruned.
    fn preimage(
        &self,
        args: &[Expr],
        literal: &Expr,
        info: &SimplifyContext,
    ) -> EngineResult<PreimageResult> {
        let ([day], Some(timestamp)) = (args, literal.as_literal()) else {
            return Ok(PreimageResult::None);
        };
        if info.get_data_type(day)? != DataType::Date32
            || timestamp.data_type() != *self.field.data_type()
        {
            return Ok(PreimageResult::None);
        }
        Ok(match days_of(timestamp)? {
            Some(interval) => PreimageResult::Range {
                expr: day.clone(),
                interval: Box::new(interval),
            },
            None => PreimageResult::None,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let source = args.arg_fields.first().map(|field| SqlType::of(field));
        let source = source.unwrap_or(SqlType::Text);
        let Some(value) = args.args.into_iter().next() else {
            return Err(DataFusionError::Internal("a cast of nothing".to_owned()));
        };
        match value {
            ColumnarValue::Scalar(scalar) => {
                let cast = self.cast(&scalar.to_array()?, &source)?;
                single(&cast).map(ColumnarValue::Scalar)
            }
            ColumnarValue::Array(array) => Ok(ColumnarValue::Array(self.cast(&array, &source)?)),
        }
    }
}

/// The value of an array of one row, whose type stays as it is: the engine's own way forgets what the
/// items of lists are in SQL.
pub(super) fn single(array: &ArrayRef) -> EngineResult<ScalarValue> {
    match array.as_list_opt::<i32>() {
        Some(list) => Ok(ScalarValue::List(Arc::new(list.slice(0, 1)))),
        None => ScalarValue::try_from_array(array, 0),
    }
}

/// The days that become a timestamp, and those that become it or a later one.
fn days_of(timestamp: &ScalarValue) -> EngineResult<Option<Interval>> {
    let ScalarValue::TimestampMicrosecond(Some(moment), _) = timestamp else {
        return Ok(None);
    };
    let Some((first, end)) = days_at(*moment, &timestamp.data_type())? else {
        return Ok(None);
    };
    let [first, end] = [first, end].map(|day| ScalarValue::Date32(Some(day)));
    Interval::try_new(first, end).map(Some)
}

impl PostgresCast {
    fn cast(&self, array: &ArrayRef, source: &SqlType) -> Result<ArrayRef> {
        let wanted = self.field.data_type();
        let number = |sql_type: &SqlType| matches!(sql_type, SqlType::Numeric(_));
        let lists = !is_string(array.data_type()) && !is_string(wanted);
        if lists && source.enum_oid() != self.target.enum_oid() {
            // Each word is read as the enum has it.
            let text = self.to_text(array, source)?;
            return self.typed(self.read(&text)?);
        }
        if let (Some(list), DataType::List(item)) = (array.as_list_opt::<i32>(), wanted) {
            return self.each(list, item, source);
        }
        if is_exact(array.data_type()) || (number(&self.target) && !is_string(array.data_type())) {
            return self.typed(self.by_number(array, source)?);
        }
        if is_moment(array.data_type()) && is_moment(wanted) {
            return self.typed(as_moments(array, wanted)?);
        }
        if self.target == SqlType::InternalChar && *source == SqlType::Int4 {
            return self.typed(letters(array)?);
        }
        if self.target == SqlType::Int4 && *source == SqlType::InternalChar {
            return self.typed(codes(array)?);
        }
        if is_time(array.data_type()) && self.target == SqlType::Interval
            || is_time(wanted) && *source == SqlType::Interval
        {
            return self.as_times(array, source);
        }
        let zoned = is_zoned_time(array.data_type()) || is_zoned_time(wanted);
        if zoned && !is_string(array.data_type()) && !is_string(wanted) {
            return self.as_times(array, source);
        }
        if is_string(array.data_type()) && !is_string(wanted) {
            return self.typed(self.read(array)?);
        }
        if is_string(wanted) {
            let text = self.to_text(array, source)?;
            return match &self.target {
                SqlType::Text | SqlType::Varchar(None) => self.typed(text),
                SqlType::Varchar(Some(length)) | SqlType::Char(length) if !self.assignment => {
                    let blanks = matches!(self.target, SqlType::Char(_));
                    self.typed(cut(&text, *length as usize, blanks)?)
                }
                _ => self.typed(self.read(&text)?),
            };
        }
        self.typed(rounded(array, wanted)?)
    }

    /// Casts the items of arrays.
    fn each(&self, list: &ListArray, item: &FieldRef, source: &SqlType) -> Result<ArrayRef> {
        let DataType::List(held) = list.data_type() else {
            return Err(Error::internal("items of no array"));
        };
        let items = Self {
            field: Arc::clone(item),
            target: element(&self.target, item).clone(),
            display: self.display,
            assignment: self.assignment,
            signature: self.signature.clone(),
        };
        // Items that no row has are not looked at.
        let offsets = list.value_offsets();
        let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
        let values = list.values().slice(first as usize, (last - first) as usize);
        let values = items.cast(&values, element(source, held))?;
        let offsets: Vec<i32> = offsets.iter().map(|offset| offset - first).collect();
        let offsets = OffsetBuffer::new(offsets.into());
        let array = ListArray::try_new(Arc::clone(item), offsets, values, list.nulls().cloned());
        Ok(Arc::new(array.map_err(DataFusionError::from)?))
    }

    fn typed(&self, array: ArrayRef) -> Result<ArrayRef> {
        if array.data_type() == self.field.data_type() {
            return Ok(array);
        }
        Ok(compute::cast(&array, self.field.data_type()).map_err(DataFusionError::from)?)
    }

    /// Between times with a zone, times without and moments.
    fn as_times(&self, array: &ArrayRef, source: &SqlType) -> Result<ArrayRef> {
        let known = matches!(
            (source, &self.target),
            (
                SqlType::Time | SqlType::Timetz | SqlType::Timestamptz,
                SqlType::Timetz
            ) | (SqlType::Timetz | SqlType::Interval, SqlType::Time)
                | (SqlType::Time, SqlType::Interval)
        );
        if !known {
            return Err(Error::CannotCoerce(format!(
                "cannot cast type {} to {}",
                plain(source),
                plain(&self.target)
            )));
        }
        let wanted = self.field.data_type();
        Ok(as_times(array, wanted, self.display.zone.name())?)
    }

    /// Reads texts as PostgreSQL's input functions do.
    fn read(&self, array: &ArrayRef) -> Result<ArrayRef> {
        let texts = compute::cast(array, &DataType::Utf8View).map_err(DataFusionError::from)?;
        let texts = datafusion::common::cast::as_string_view_array(&texts)?;
        let mut builder = ColumnBuilder::new(&self.target, &self.display, texts.len())?;
        builder.deepen(depth(self.field.data_type()));
        for text in texts {
            match text {
                Some(text) => builder.append_text(text)?,
                None => builder.append_null(),
            }
        }
        builder.finish()
    }

    /// Between numbers of which one has no precision, by way of its text; a float becomes an exact
    /// number of the digits that count.
    fn by_number(&self, array: &ArrayRef, source: &SqlType) -> Result<ArrayRef> {
        let whole = match self.target {
            SqlType::Int2 | SqlType::Int4 | SqlType::Int8 | SqlType::Oid => true,
            SqlType::Float4 | SqlType::Float8 | SqlType::Numeric(_) => false,
            _ if is_string(self.field.data_type()) => false,
            _ => {
                return Err(Error::CannotCoerce(format!(
                    "cannot cast type {} to {}",
                    plain(source),
                    plain(&self.target)
                )));
            }
        };
        let digits = match source {
            SqlType::Float4 => Some(FLOAT4_DIGITS),
            SqlType::Float8 => Some(FLOAT8_DIGITS),
            _ => None,
        };
        let column = Column::open(array, source)?;
        let mut builder = ColumnBuilder::new(&self.target, &self.display, array.len())?;
        let mut out = Vec::new();
        for row in 0..array.len() {
            if column.is_null(row) {
                builder.append_null();
                continue;
            }
            out.clear();
            column.text(row, &self.display, &mut out);
            let text =
                std::str::from_utf8(&out).map_err(|error| Error::Internal(Box::new(error)))?;
            match digits {
                Some(digits) => builder.append_text(&number_of_float(text, digits))?,
                None if whole => builder.append_text(&whole_number(text, &self.target)?)?,
                None => builder.append_text(text)?,
            }
        }
        builder.finish()
    }

    /// Writes values as PostgreSQL's output functions do.
    fn to_text(&self, array: &ArrayRef, source: &SqlType) -> Result<ArrayRef> {
        let kept = !matches!(source, SqlType::Char(_) | SqlType::Enum(_));
        if is_string(array.data_type()) && kept {
            return Ok(compute::cast(array, &DataType::Utf8View).map_err(DataFusionError::from)?);
        }
        // As text a `char(n)` loses its padding, and true is `true`.
        let source = if matches!(source, SqlType::Char(_)) {
            &SqlType::Text
        } else {
            source
        };
        let column = Column::open(array, source)?;
        let mut builder = StringViewBuilder::with_capacity(array.len());
        let mut out = Vec::new();
        for row in 0..array.len() {
            if column.is_null(row) {
                builder.append_null();
                continue;
            }
            out.clear();
            column.text(row, &self.display, &mut out);
            let text = match (source, out.as_slice()) {
                (SqlType::Bool, b"t") => "true",
                (SqlType::Bool, _) => "false",
                (_, bytes) => {
                    std::str::from_utf8(bytes).map_err(|error| Error::Internal(Box::new(error)))?
                }
            };
            builder.append_value(text);
        }
        Ok(Arc::new(builder.finish()))
    }
}

/// The bytes that whole numbers stand for, as `"char"`; zero is the empty one.
fn letters(array: &ArrayRef) -> Result<ArrayRef> {
    let mut letters = StringViewBuilder::with_capacity(array.len());
    for code in array.as_primitive::<Int32Type>() {
        let Some(code) = code else {
            letters.append_null();
            continue;
        };
        match u8::try_from(code).ok().filter(u8::is_ascii) {
            Some(0) => letters.append_value(""),
            Some(byte) => letters.append_value(char::from(byte).encode_utf8(&mut [0; 4])),
            None if (-128..128).contains(&code) => {
                return Err(Error::Unsupported(
                    "a \"char\" that is not ASCII".to_owned(),
                ));
            }
            None => return Err(Error::OutOfRange("\"char\" out of range".to_owned())),
        }
    }
    Ok(Arc::new(letters.finish()))
}

/// The numbers of bytes of `"char"`.
fn codes(array: &ArrayRef) -> Result<ArrayRef> {
    let letters = compute::cast(array, &DataType::Utf8View).map_err(DataFusionError::from)?;
    let code = |letter: &str| i32::from(letter.bytes().next().unwrap_or(0) as i8);
    let letters = datafusion::common::cast::as_string_view_array(&letters)?.iter();
    let codes: Int32Array = letters.map(|letter| letter.map(code)).collect();
    Ok(Arc::new(codes))
}

/// An explicit cast cuts a text to its length, in characters.
fn cut(texts: &ArrayRef, length: usize, trim: bool) -> Result<ArrayRef> {
    let texts = datafusion::common::cast::as_string_view_array(texts)?;
    let mut builder = StringViewBuilder::with_capacity(texts.len());
    for text in texts {
        builder.append_option(text.map(|text| {
            let end = text
                .char_indices()
                .nth(length)
                .map_or(text.len(), |(byte, _)| byte);
            let cut = &text[..end];
            if trim { cut.trim_end_matches(' ') } else { cut }
        }));
    }
    Ok(Arc::new(builder.finish()))
}

/// The whole number that an exact one is rounded to, as text.
fn whole_number(text: &str, target: &SqlType) -> Result<String> {
    whole_number_of(text, &target.to_string()).map_err(|error| engine_error(error.into()))
}

/// A fraction becomes a whole number: floating point rounds half to even, decimals half away.
fn rounded(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    use datafusion::arrow::array::Float64Array;
    use datafusion::arrow::compute::CastOptions;
    use datafusion::arrow::datatypes::Float64Type;
    let whole = match array.data_type() {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let floats = compute::cast(array, &DataType::Float64).map_err(DataFusionError::from)?;
            let floats = floats.as_primitive::<Float64Type>();
            let rounded: Float64Array = floats.unary(f64::round_ties_even);
            Arc::new(rounded) as ArrayRef
        }
        DataType::Decimal128(precision, _) => {
            let whole = DataType::Decimal128(*precision, 0);
            compute::cast(array, &whole).map_err(DataFusionError::from)?
        }
        _ => Arc::clone(array),
    };
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    compute::cast_with_options(&whole, wanted, &options).map_err(|_| {
        let name = SqlType::from_arrow(wanted);
        Error::OutOfRange(format!("{name} out of range"))
    })
}
