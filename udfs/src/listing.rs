//! What the catalogs tell of our functions: names, arguments and results, from the declarations.

use arrow::datatypes::{DataType, Field};

use crate::function::{Declaration, Role, Takes};
use crate::relation::{Class, Constant, Kind, Signature, ValueType};

/// A function as `\df` shows it.
#[derive(Debug)]
pub struct Listed {
    pub name: &'static str,
    /// As in `pg_proc.prokind`: function, aggregate or window function.
    pub kind: char,
    pub arguments: Vec<ListedArgument>,
    /// None for a set of records.
    pub result: Option<DataType>,
}

/// An argument of a function.
#[derive(Debug)]
pub struct ListedArgument {
    pub name: &'static str,
    pub shape: Shape,
    /// As SQL; none if a call must give it.
    pub default: Option<String>,
}

/// What an argument takes.
#[derive(Debug)]
pub enum Shape {
    Value(DataType),
    /// A value of any type.
    Any,
    /// A table or a sub-query.
    Relation,
}

/// Every function with named arguments.
pub fn listing() -> Vec<Listed> {
    let rows = crate::declarations().map(of_rows);
    let tables = crate::table_functions()
        .signatures()
        .into_iter()
        .map(of_relations);
    rows.chain(tables).collect()
}

fn of_rows(declaration: &Declaration) -> Listed {
    let arguments = declaration
        .parameters
        .iter()
        .map(|parameter| ListedArgument {
            name: parameter.name,
            shape: match parameter.takes {
                Takes::Value(Class::Any) | Takes::OrderKey => Shape::Any,
                Takes::Value(class) => Shape::Value(of_class(class)),
                Takes::Option(value) => Shape::Value(of_option(value)),
            },
            default: (!parameter.required).then(|| default(parameter.default)),
        });
    Listed {
        name: declaration.name,
        kind: match declaration.role {
            Role::Scalar => 'f',
            Role::Aggregate | Role::OrderedAggregate => 'a',
            Role::Window | Role::Framed => 'w',
        },
        arguments: arguments.collect(),
        result: Some((declaration.returns)()),
    }
}

fn of_relations(signature: &'static Signature) -> Listed {
    let mut arguments: Vec<ListedArgument> = Vec::new();
    for argument in signature.arguments {
        if arguments.iter().any(|listed| listed.name == argument.name) {
            continue;
        }
        let (shape, by_itself) = match argument.kind {
            Kind::Relation { .. } => (Shape::Relation, None),
            // Columns are given by name.
            Kind::Ids | Kind::Column { .. } => (Shape::Value(DataType::Utf8View), None),
            Kind::Option { value, default } => (Shape::Value(of_option(value)), default),
        };
        arguments.push(ListedArgument {
            name: argument.name,
            shape,
            default: (!argument.required).then(|| default(by_itself)),
        });
    }
    Listed {
        name: signature.name,
        kind: 'f',
        arguments,
        result: None,
    }
}

fn of_class(class: Class) -> DataType {
    match class {
        Class::Number => DataType::Float64,
        Class::Text | Class::Key | Class::Any => DataType::Utf8View,
        Class::Time => DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None),
    }
}

fn of_option(value: ValueType) -> DataType {
    match value {
        ValueType::Numbers => list(DataType::Float64),
        ValueType::Texts(_) => list(DataType::Utf8View),
        other => other.parameter_type(),
    }
}

fn list(item: DataType) -> DataType {
    DataType::List(std::sync::Arc::new(Field::new_list_field(item, true)))
}

fn default(constant: Option<Constant>) -> String {
    match constant {
        None => "NULL".to_owned(),
        Some(Constant::Boolean(value)) => value.to_string(),
        Some(Constant::Integer(value)) => value.to_string(),
        Some(Constant::Number(value)) => value.to_string(),
        Some(Constant::Text(value)) => format!("'{value}'"),
    }
}
