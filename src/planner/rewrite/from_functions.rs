//! Functions in FROM: a sub-query whose select list calls them, which may look at what stands to its left.
//!
//! `FROM t, unnest(t.a) WITH ORDINALITY AS u (x, n)` becomes
//! `FROM t, LATERAL (SELECT unnest(t.a) AS x, … AS n) AS u`. Left alone are the functions that have an
//! operator of their own: relation functions, the catalogs' and series of constants.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName,
    Query, SelectItem, SetExpr, Statement, TableAlias, TableAliasColumnDef, TableFactor,
    TableWithJoins, UnaryOperator, Value, Visitor, VisitorMut,
};
use tessera_catalog::sql_type::SqlType;
use tessera_udfs::pg::sets;

use super::alike::is_untyped;
use super::functions::{called, strip_schema};
use super::output_names::numbered;
use super::spelling::parsed_query;
use crate::error::{Error, Result};
use crate::planner::UserTypes;
use crate::planner::scope::Scope;
use crate::planner::types::written_type;
use tessera_udfs::walk::{walk, walk_mut};

/// The call that tells a row's place among those of a set-returning function.
pub(in crate::planner) const PLACE_OF_ROW: &str = "place_of_row";

/// The call that `ROWS FROM (…)` is read as.
pub(in crate::planner) const ROWS_FROM: &str = "rows_from";

/// Functions whose only column has a name of its own.
const NAMED: [&str; 4] = [
    "json_array_elements",
    "json_array_elements_text",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
];

/// The record that a function of several columns gives, inside its sub-query.
const RECORD: &str = "\u{5}record";

/// Makes sub-queries of the functions in a statement's FROM clauses.
///
/// # Errors
/// A record function without its columns' definitions.
pub(in crate::planner) fn to_subqueries(statement: &mut Statement, scope: &Scope) -> Result<()> {
    match walk_mut(statement, &mut FromFunctions { scope }) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct FromFunctions<'a> {
    scope: &'a Scope,
}

/// A call in FROM.
struct Call {
    name: ObjectName,
    arguments: Vec<Expr>,
    alias: Option<TableAlias>,
    with_ordinality: bool,
}

impl VisitorMut for FromFunctions<'_> {
    type Break = Error;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        let Some(call) = self.call_of(factor) else {
            narrow_arguments(factor);
            return ControlFlow::Continue(());
        };
        match self.subquery(call) {
            Ok(derived) => *factor = derived,
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

/// Whole numbers that stand in a call are `integer` where they fit, as everywhere; the engine hands them to
/// its functions as `bigint`, and the function could not tell them from those that are.
fn narrow_arguments(factor: &mut TableFactor) {
    let args = match factor {
        TableFactor::Table {
            args: Some(args), ..
        } => &mut args.args,
        TableFactor::Function { args, .. } => args,
        _ => return,
    };
    for arg in args {
        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg
            && is_small_number(expr)
        {
            *expr = Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(expr.clone()),
                data_type: DataType::Integer(None),
                array: false,
                format: None,
            };
        }
    }
}

fn is_small_number(expr: &Expr) -> bool {
    match expr {
        Expr::UnaryOp {
            op: UnaryOperator::Minus | UnaryOperator::Plus,
            expr,
        } => is_small_number(expr),
        Expr::Value(value) => {
            matches!(&value.value, Value::Number(digits, _) if digits.to_string().parse::<i32>().is_ok())
        }
        _ => false,
    }
}

impl FromFunctions<'_> {
    /// The call that a factor is, unless it has an operator of its own.
    fn call_of(&self, factor: &TableFactor) -> Option<Call> {
        let (name, args, alias, with_ordinality) = match factor {
            TableFactor::Table {
                name,
                args: Some(args),
                alias,
                with_ordinality,
                ..
            } => (name, args.args.as_slice(), alias, *with_ordinality),
            TableFactor::Function {
                name,
                args,
                alias,
                with_ordinality,
                ..
            } => (name, args.as_slice(), alias, *with_ordinality),
            TableFactor::UNNEST {
                alias,
                array_exprs,
                with_ordinality,
                ..
            } => {
                return Some(Call {
                    name: ObjectName::from(vec![Ident::new("unnest")]),
                    arguments: array_exprs.clone(),
                    alias: alias.clone(),
                    with_ordinality: *with_ordinality,
                });
            }
            _ => return None,
        };
        let mut name = name.clone();
        strip_schema(&mut name);
        let known = last(&name)?;
        let arguments: Option<Vec<Expr>> = args.iter().map(plain).collect();
        let own_operator = tessera_udfs::table_functions().get(&known).is_some()
            || (args.is_empty() && self.scope.session.system_rows(&known).is_some())
            || (self.scope.state.table_functions().contains_key(&known)
                && !with_ordinality
                && arguments
                    .as_ref()?
                    .iter()
                    .all(|argument| is_constant(argument) && !is_untyped(argument)));
        if own_operator {
            return None;
        }
        Some(Call {
            name,
            arguments: arguments?,
            alias: alias.clone(),
            with_ordinality,
        })
    }

    fn subquery(&self, call: Call) -> Result<TableFactor> {
        let name = last(&call.name).unwrap_or_default();
        let lateral = call.arguments.iter().any(names_columns);
        let mut alias = call.alias.unwrap_or_else(|| TableAlias {
            explicit: true,
            name: Ident::with_quote('"', &name),
            columns: Vec::new(),
            at: None,
        });
        let columns = std::mem::take(&mut alias.columns);
        let rows = Rows {
            name: &name,
            call: call.name.clone(),
            arguments: call.arguments,
            with_ordinality: call.with_ordinality,
            table: &alias.name,
            columns: &columns,
        };
        let query = if let Some((_, fields)) = RECORDS.iter().find(|(known, _)| *known == name) {
            rows.of_records(fields)?
        } else if let Some(function) = TYPED_RECORDS.iter().find(|f| f.name == name) {
            rows.of_typed_records(function, self.scope)?
        } else {
            rows.of_values()?
        };
        Ok(TableFactor::Derived {
            lateral,
            subquery: query,
            alias: Some(alias),
            sample: None,
        })
    }
}

/// Functions whose rows have several columns, and these columns.
const RECORDS: [(&str, &[&str]); 5] = [
    sets::RECORDS[0],
    sets::RECORDS[1],
    sets::RECORDS[2],
    sets::RECORDS[3],
    ("_pg_expandarray", &["x", "n"]),
];

/// A function whose rows have the columns that the query defines.
struct TypedRecord {
    name: &'static str,
    /// What gives its rows; `None` if it gives one.
    elements: Option<&'static str>,
    /// Whether its first argument is a NULL of a table's type.
    of_table: bool,
}

const fn typed(name: &'static str, elements: Option<&'static str>, of_table: bool) -> TypedRecord {
    TypedRecord {
        name,
        elements,
        of_table,
    }
}

const TYPED_RECORDS: [TypedRecord; 8] = [
    typed("json_to_record", None, false),
    typed("jsonb_to_record", None, false),
    typed("json_to_recordset", Some("json_array_elements"), false),
    typed("jsonb_to_recordset", Some("jsonb_array_elements"), false),
    typed("json_populate_record", None, true),
    typed("jsonb_populate_record", None, true),
    typed("json_populate_recordset", Some("json_array_elements"), true),
    typed(
        "jsonb_populate_recordset",
        Some("jsonb_array_elements"),
        true,
    ),
];

/// The rows of one call.
struct Rows<'a> {
    name: &'a str,
    call: ObjectName,
    arguments: Vec<Expr>,
    with_ordinality: bool,
    table: &'a Ident,
    columns: &'a [TableAliasColumnDef],
}

impl Rows<'_> {
    /// The name of the column at this place: the alias's, or the function's own.
    fn column(&self, place: usize, own: &str) -> Ident {
        match self.columns.get(place) {
            Some(column) => column.name.clone(),
            None => Ident::with_quote('"', own),
        }
    }

    fn too_many(&self, available: usize) -> Result<()> {
        let available = available + usize::from(self.with_ordinality);
        if self.columns.len() > available {
            return Err(Error::Function {
                sqlstate: "42P10",
                message: format!(
                    "table \"{}\" has {available} columns available but {} columns specified",
                    self.table.value,
                    self.columns.len()
                ),
                hint: None,
                detail: None,
            });
        }
        Ok(())
    }

    fn place(&self, place: usize) -> Option<(Expr, Ident)> {
        self.with_ordinality.then(|| {
            let call = called(PLACE_OF_ROW, Vec::new());
            (call, self.column(place, "ordinality"))
        })
    }

    /// One column, or one for each array of `unnest` or call of ROWS FROM.
    fn of_values(&self) -> Result<Box<Query>> {
        let called = |arguments: Vec<Expr>| {
            let mut call = called(self.name, arguments);
            if let Expr::Function(call) = &mut call {
                call.name = self.call.clone();
            }
            call
        };
        let calls: Vec<Expr> = match self.name {
            "unnest" => self
                .arguments
                .iter()
                .map(|array| called(vec![array.clone()]))
                .collect(),
            ROWS_FROM => self.arguments.clone(),
            _ => vec![called(self.arguments.clone())],
        };
        self.too_many(calls.len())?;
        let count = calls.len();
        let mut items = Vec::with_capacity(count + 1);
        for (place, call) in calls.into_iter().enumerate() {
            let function = match &call {
                Expr::Function(call) => last(&call.name).unwrap_or_default(),
                _ => String::new(),
            };
            // An alias of a single nameless column names it too.
            let own = match (place, count) {
                _ if NAMED.contains(&function.as_str()) => "value".to_owned(),
                (0, 1) => folded(self.table),
                (0, _) => function,
                _ => numbered(&function, place + 1),
            };
            items.push((call, self.column(place, &own)));
        }
        items.extend(self.place(count));
        select(items, None)
    }

    fn of_records(&self, fields: &[&str]) -> Result<Box<Query>> {
        self.too_many(fields.len())?;
        let record = Ident::with_quote('"', RECORD);
        let field = |name: &str| {
            let name = Expr::Value(Value::SingleQuotedString(name.to_owned()).into());
            called("get_field", vec![Expr::Identifier(record.clone()), name])
        };
        let mut items: Vec<(Expr, Ident)> = fields
            .iter()
            .enumerate()
            .map(|(place, name)| (field(name), self.column(place, name)))
            .collect();
        let mut call = called(self.name, self.arguments.clone());
        if let Expr::Function(call) = &mut call {
            call.name = self.call.clone();
        }
        let mut inner = vec![(call, record.clone())];
        if let Some((place, name)) = self.place(fields.len()) {
            inner.push((place, name.clone()));
            items.push((Expr::Identifier(name.clone()), name));
        }
        select(items, Some(select(inner, None)?))
    }

    fn of_typed_records(&self, function: &TypedRecord, scope: &Scope) -> Result<Box<Query>> {
        let columns = if function.of_table {
            self.columns_of_table(scope)?
        } else {
            self.defined_columns()?
        };
        let json = self.arguments.get(usize::from(function.of_table));
        let Some(json) = json.cloned() else {
            return Err(Error::NoSuchFunction(format!(
                "function {} does not exist",
                self.name
            )));
        };
        let json = Expr::Cast {
            kind: CastKind::DoubleColon,
            expr: Box::new(Expr::Nested(Box::new(json))),
            data_type: if self.name.starts_with("jsonb") {
                DataType::JSONB
            } else {
                DataType::JSON
            },
            array: false,
            format: None,
        };
        let record = Ident::with_quote('"', RECORD);
        let value = match function.elements {
            Some(elements) => called(elements, vec![json]),
            None => json,
        };
        let mut inner = vec![(value, record.clone())];
        let mut items = Vec::with_capacity(columns.len() + 1);
        for (name, data_type) in columns {
            items.push((
                member(&record, &name, data_type, &scope.user_types())?,
                name,
            ));
        }
        if self.with_ordinality {
            let name = Ident::new("ordinality");
            inner.push((called(PLACE_OF_ROW, Vec::new()), name.clone()));
            items.push((Expr::Identifier(name.clone()), name));
        }
        select(items, Some(select(inner, None)?))
    }

    fn defined_columns(&self) -> Result<Vec<(Ident, DataType)>> {
        let defined: Option<Vec<_>> = self
            .columns
            .iter()
            .map(|column| Some((column.name.clone(), column.data_type.clone()?)))
            .collect();
        match defined {
            Some(defined) if !defined.is_empty() => Ok(defined),
            _ => Err(Error::Syntax {
                message: "a column definition list is required for functions returning \"record\""
                    .to_owned(),
                position: None,
            }),
        }
    }

    /// The columns of the table of whose type the first argument is a NULL.
    fn columns_of_table(&self, scope: &Scope) -> Result<Vec<(Ident, DataType)>> {
        let table = match self.arguments.first() {
            Some(Expr::Cast {
                expr,
                data_type: DataType::Custom(name, _),
                ..
            }) if matches!(expr.as_ref(), Expr::Value(v) if v.value == Value::Null) => name,
            _ => {
                return Err(Error::Unsupported(format!(
                    "{} with a first argument that is not NULL of a table's type",
                    self.name
                )));
            }
        };
        let mut parts: Vec<String> = table
            .0
            .iter()
            .filter_map(|part| part.as_ident())
            .map(folded)
            .collect();
        let name = parts.pop().unwrap_or_default();
        let found = scope.relation(parts.pop().as_deref(), &name)?;
        let Some(table) = found.relation.table() else {
            return Err(Error::Unsupported(format!("{} of a view", self.name)));
        };
        table
            .live_columns()
            .enumerate()
            .map(|(place, column)| {
                let name = self.column(place, &column.name);
                Ok((name, written_type(&column.sql_type)?))
            })
            .collect()
    }
}

/// `CAST(record ->> 'name' AS type)`; JSON in JSON stays as it is.
fn member(
    record: &Ident,
    name: &Ident,
    data_type: DataType,
    user_types: &UserTypes,
) -> Result<Expr> {
    let sql_type = crate::planner::types::sql_type(&data_type, user_types)?;
    let json = matches!(sql_type, SqlType::Json | SqlType::Jsonb);
    let key = Expr::Value(Value::SingleQuotedString(folded(name)).into());
    let value = Expr::Nested(Box::new(Expr::BinaryOp {
        left: Box::new(Expr::Identifier(record.clone())),
        op: if json {
            BinaryOperator::Arrow
        } else {
            BinaryOperator::LongArrow
        },
        right: Box::new(key),
    }));
    let value = match &sql_type {
        // The elements of these hold no brackets, so that the two notations differ in theirs alone.
        SqlType::Array(element) if holds_no_brackets(element) => {
            let text = |text: &str| Expr::Value(Value::SingleQuotedString(text.to_owned()).into());
            called("translate", vec![value, text("[]"), text("{}")])
        }
        SqlType::Array(_) => {
            return Err(Error::Unsupported(format!(
                "reading {sql_type} from an array in JSON"
            )));
        }
        _ => value,
    };
    Ok(Expr::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(value),
        data_type,
        array: false,
        format: None,
    })
}

fn holds_no_brackets(element: &SqlType) -> bool {
    matches!(
        element,
        SqlType::Bool
            | SqlType::Int2
            | SqlType::Int4
            | SqlType::Int8
            | SqlType::Float4
            | SqlType::Float8
            | SqlType::Numeric(_)
            | SqlType::Date
            | SqlType::Timestamp
            | SqlType::Timestamptz
            | SqlType::Uuid
    )
}

/// `SELECT items [FROM (from)]`.
fn select(items: Vec<(Expr, Ident)>, from: Option<Box<Query>>) -> Result<Box<Query>> {
    let text = match from {
        Some(_) => "SELECT 1 FROM (SELECT 1) AS rows_of_call",
        None => "SELECT 1",
    };
    let broken = || Error::internal("a template that does not parse");
    let mut query = parsed_query(text).ok_or_else(broken)?;
    let SetExpr::Select(select) = query.body.as_mut() else {
        return Err(broken());
    };
    select.projection = items
        .into_iter()
        .map(|(expr, alias)| SelectItem::ExprWithAlias { expr, alias })
        .collect();
    if let (Some(inner), Some(TableWithJoins { relation, .. })) = (from, select.from.first_mut())
        && let TableFactor::Derived { subquery, .. } = relation
    {
        *subquery = inner;
    }
    Ok(query)
}

fn plain(argument: &FunctionArg) -> Option<Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    }
}

fn folded(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

fn last(name: &ObjectName) -> Option<String> {
    Some(folded(name.0.last()?.as_ident()?))
}

/// Whether an expression is made of literals alone.
fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => !matches!(value.value, Value::Placeholder(_)),
        Expr::TypedString(_) => true,
        Expr::Interval(interval) => is_constant(&interval.value),
        Expr::Cast { expr, .. } | Expr::Nested(expr) | Expr::UnaryOp { expr, .. } => {
            is_constant(expr)
        }
        Expr::BinaryOp { left, right, .. } => is_constant(left) && is_constant(right),
        _ => false,
    }
}

/// Whether an expression names columns, which may be those of a relation to its left.
pub(super) fn names_columns(expr: &Expr) -> bool {
    struct Names;
    impl Visitor for Names {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    walk(expr, &mut Names).is_break()
}
