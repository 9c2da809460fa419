//! `nextval`, `currval`, `lastval` and `setval`: a session's functions over sequences.
//!
//! A value is drawn where the function is evaluated. Most come from memory; when a block must be made
//! durable first, the evaluating thread says so to its runtime and waits.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result as EngineResult;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use parking_lot::Mutex;
use tessera_catalog::Catalog;
use tessera_catalog::id::{DatabaseId, Oid, TableUuid};
use tessera_catalog::model::{Privilege, Relation, Scope as Reach, Sequence};
use tokio::runtime::Handle;

use crate::error::{Error, Result};
use crate::planner::source::Found;
use crate::policy::Caller;

/// The functions.
pub(super) const FUNCTIONS: [&str; 4] = ["nextval", "currval", "lastval", "setval"];

/// What a session has drawn so far.
#[derive(Debug, Default)]
pub(super) struct Memory {
    last: Option<(Oid, i64)>,
    values: HashMap<(DatabaseId, TableUuid), i64>,
}

impl Memory {
    /// DISCARD SEQUENCES.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// What the functions need to know of their statement.
pub(super) struct Drawing {
    pub(super) catalog: Catalog,
    pub(super) caller: Caller,
    pub(super) search_path: Vec<String>,
    pub(super) memory: Arc<Mutex<Memory>>,
    pub(super) read_only: bool,
}

impl Drawing {
    /// One of [`FUNCTIONS`].
    pub(super) fn function(self: &Arc<Self>, name: &'static str) -> ScalarUDF {
        ScalarUDF::new_from_impl(SequenceFunction {
            name,
            drawing: Arc::clone(self),
            signature: Signature::one_of(
                vec![TypeSignature::Nullary, TypeSignature::VariadicAny],
                Volatility::Volatile,
            ),
        })
    }

    /// The sequence of a name as `regclass` reads it, or of a number.
    fn find(&self, text: &str) -> Result<Found> {
        let found = match text.parse::<u32>() {
            Ok(number) => self.numbered(Oid(number)),
            Err(_) => self.named(text)?,
        };
        let found = found.ok_or_else(|| Error::NoSuchRelation(text.to_owned()))?;
        if found.relation.sequence().is_none() {
            return Err(Error::WrongKind {
                name: found.relation.name.clone(),
                wanted: "sequence",
            });
        }
        Ok(found)
    }

    fn numbered(&self, oid: Oid) -> Option<Found> {
        let (relation, home) = match self.caller.database.relations.get(&oid) {
            Some(own) => (own, self.caller.database.id),
            // A common table's own, whose values each tenant has for itself.
            None => {
                let lent = self.caller.system.relations.get(&oid)?;
                self.common_owner(lent)?;
                (lent, DatabaseId::System)
            }
        };
        Some(self.found(relation, home))
    }

    fn named(&self, text: &str) -> Result<Option<Found>> {
        let mut parts = crate::planner::name_parts(text)?;
        let name = parts.pop().unwrap_or_default();
        let schemas = match parts.pop() {
            Some(schema) => vec![schema],
            None => self.search_path.clone(),
        };
        let databases = [&self.caller.database, &self.caller.system];
        for schema in &schemas {
            for database in databases {
                let Some(schema) = database.schema_named(schema) else {
                    continue;
                };
                let Some(relation) = database.relation_named(schema.oid, &name) else {
                    continue;
                };
                if database.id == self.caller.database.id || self.common_owner(relation).is_some() {
                    return Ok(Some(self.found(relation, database.id)));
                }
            }
        }
        Ok(None)
    }

    fn found(&self, relation: &Arc<Relation>, home: DatabaseId) -> Found {
        Found {
            relation: Arc::clone(relation),
            home,
            schema_name: String::new(),
        }
    }

    /// The common table with which a sequence goes.
    fn common_owner(&self, relation: &Relation) -> Option<&Arc<Relation>> {
        let (owner, _) = relation.sequence()?.owned_by?;
        let owner = self.caller.system.relations.get(&owner)?;
        let is_common = owner.table().is_some_and(|t| t.scope == Reach::Common);
        is_common.then_some(owner)
    }

    /// The table with which a sequence goes and that draws from it by itself: an identity column's,
    /// or a common table's.
    fn drawing_owner(&self, found: &Found) -> Option<Found> {
        if let Some(owner) = self.common_owner(&found.relation) {
            return Some(self.found(owner, DatabaseId::System));
        }
        let (owner, number) = found.relation.sequence()?.owned_by?;
        let owner = self.caller.database.relations.get(&owner)?;
        let mut columns = owner.table()?.columns.iter();
        columns.find(|column| column.number == number)?.identity?;
        Some(self.found(owner, self.caller.database.id))
    }

    /// Checks one of some rights on a sequence.
    fn check(&self, found: &Found, any_of: &[Privilege]) -> Result<()> {
        let holds = self.caller.superuser
            || self.caller.owns(found)
            || {
                let acl = found.relation.acl.as_ref();
                let held = acl.map(|acl| acl.held_by(&self.caller.roles));
                found.home == self.caller.database.id
                    && held.is_some_and(|held| any_of.iter().any(|p| held.contains(*p)))
            }
            // Who may insert may draw.
            || any_of.contains(&Privilege::Usage)
                && self.drawing_owner(found).is_some_and(|owner| {
                let held = self.caller.on_relation(&owner);
                let columns = owner.relation.table().into_iter().flat_map(|t| &t.columns);
                held.contains(Privilege::Insert)
                    || columns
                        .map(|column| self.caller.on_column(&owner, column.number))
                        .any(|held| held.contains(Privilege::Insert))
            });
        if holds {
            return Ok(());
        }
        Err(Error::PermissionDenied {
            kind: "sequence",
            name: found.relation.name.clone(),
        })
    }

    /// The database whose values of a sequence are meant: the named tenant's for an operator who
    /// writes to a common table.
    fn database(&self, found: &Found, tenant: Option<&str>) -> Result<DatabaseId> {
        if !self.caller.is_system() || self.common_owner(&found.relation).is_none() {
            return Ok(self.caller.database.id);
        }
        let Some(tenant) = tenant else {
            return Err(Error::Unsupported(format!(
                "a value of the sequence \"{}\" without a tenant",
                found.relation.name
            )));
        };
        let found = self.caller.system.tenant_named(tenant);
        let tenant = found.ok_or_else(|| {
            Error::InvalidParameterValue(format!("tenant \"{tenant}\" does not exist"))
        })?;
        Ok(DatabaseId::Tenant(tenant.id))
    }

    fn next(&self, name: &str, tenant: Option<&str>, count: usize) -> Result<Vec<i64>> {
        if self.read_only {
            return Err(Error::ReadOnly("nextval()".to_owned()));
        }
        let found = self.find(name)?;
        self.check(&found, &[Privilege::Usage, Privilege::Update])?;
        let sequence = sequence(&found)?;
        let database = self.database(&found, tenant)?;
        let drawn = wait(self.catalog.next_values(database, sequence, count))?;
        let values = drawn.map_err(|error| match error {
            tessera_catalog::Error::SequenceEnd => end(&found.relation.name, sequence),
            other => other.into(),
        })?;
        if let Some(last) = values.last() {
            let mut memory = self.memory.lock();
            memory.last = Some((found.relation.oid, *last));
            memory.values.insert((database, sequence.uuid), *last);
        }
        Ok(values)
    }

    fn current(&self, name: &str) -> Result<i64> {
        let found = self.find(name)?;
        self.check(&found, &[Privilege::Usage, Privilege::Select])?;
        let place = (self.caller.database.id, sequence(&found)?.uuid);
        let memory = self.memory.lock();
        memory.values.get(&place).copied().ok_or_else(|| {
            undefined(format!(
                "currval of sequence \"{}\" is not yet defined in this session",
                found.relation.name
            ))
        })
    }

    fn last(&self) -> Result<i64> {
        let last = self.memory.lock().last;
        let (_, value) = last
            .filter(|(oid, _)| self.numbered(*oid).is_some())
            .ok_or_else(|| undefined("lastval is not yet defined in this session".to_owned()))?;
        Ok(value)
    }

    fn set(&self, name: &str, value: i64, is_called: bool) -> Result<i64> {
        if self.read_only {
            return Err(Error::ReadOnly("setval()".to_owned()));
        }
        let found = self.find(name)?;
        self.check(&found, &[Privilege::Update])?;
        let sequence = sequence(&found)?;
        if !(sequence.min..=sequence.max).contains(&value) {
            return Err(Error::OutOfRange(format!(
                "setval: value {value} is out of bounds for sequence \"{}\" ({}..{})",
                found.relation.name, sequence.min, sequence.max
            )));
        }
        let database = self.database(&found, None)?;
        wait(
            self.catalog
                .set_sequence(database, sequence, (value, is_called)),
        )??;
        if is_called {
            let mut memory = self.memory.lock();
            memory.values.insert((database, sequence.uuid), value);
        }
        Ok(value)
    }
}

fn sequence(found: &Found) -> Result<&Sequence> {
    let sequence = found.relation.sequence();
    sequence.ok_or_else(|| Error::internal("not a sequence"))
}

fn undefined(message: String) -> Error {
    Error::InvalidCursorState(message)
}

fn end(name: &str, sequence: &Sequence) -> Error {
    let (word, bound) = match sequence.increment > 0 {
        true => ("maximum", sequence.max),
        false => ("minimum", sequence.min),
    };
    Error::Function {
        sqlstate: "2200H",
        message: format!("nextval: reached {word} value of sequence \"{name}\" ({bound})"),
        hint: None,
        detail: None,
    }
}

/// Waits where an expression is evaluated, and lets the runtime's other tasks go on meanwhile.
pub(super) fn wait<T>(work: impl Future<Output = T>) -> Result<T> {
    let runtime = Handle::try_current()
        .map_err(|_| Error::internal("a sequence is drawn from outside a runtime"))?;
    Ok(tokio::task::block_in_place(|| runtime.block_on(work)))
}

struct SequenceFunction {
    name: &'static str,
    drawing: Arc<Drawing>,
    signature: Signature,
}

impl std::fmt::Debug for SequenceFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for SequenceFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.drawing, &other.drawing)
    }
}

impl Eq for SequenceFunction {}

impl Hash for SequenceFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for SequenceFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> EngineResult<DataType> {
        let fits = matches!(
            (self.name, arguments.len()),
            ("nextval", 1 | 2) | ("currval", 1) | ("lastval", 0) | ("setval", 2 | 3)
        );
        if fits {
            return Ok(DataType::Int64);
        }
        let count = arguments.len();
        let message = format!(
            "function {} with {count} arguments does not exist",
            self.name
        );
        Err(Error::NoSuchFunction(message).into())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let rows = args.number_rows;
        let mut arguments = args.args.into_iter().map(|value| value.into_array(rows));
        let names = arguments
            .next()
            .transpose()?
            .map(|a| texts(&a))
            .transpose()?;
        let names = names.as_ref().map(|names| names.as_string_view());
        let values: Int64Array = match (self.name, names) {
            ("lastval", _) => match rows {
                0 => Int64Array::new_null(0),
                _ => Int64Array::from_value(self.drawing.last()?, rows),
            },
            ("nextval", Some(names)) => {
                let tenants = arguments
                    .next()
                    .transpose()?
                    .map(|a| texts(&a))
                    .transpose()?;
                let tenants = tenants.as_ref().map(|tenants| tenants.as_string_view());
                self.draw(names, tenants)?
            }
            ("currval", Some(names)) => names
                .iter()
                .map(|name| name.map(|name| self.drawing.current(name)).transpose())
                .collect::<Result<_>>()?,
            (_, Some(names)) => {
                let values = arguments.next().transpose()?;
                let values = values.ok_or_else(|| Error::internal("setval without a value"))?;
                let values = cast(&values, &DataType::Int64)?;
                let called = arguments.next().transpose()?;
                self.set(names, values.as_primitive::<Int64Type>(), called)?
            }
            (_, None) => return Err(Error::internal("a sequence without a name").into()),
        };
        Ok(ColumnarValue::Array(Arc::new(values)))
    }
}

impl SequenceFunction {
    /// A value for each row, runs of the same sequence and tenant at once.
    fn draw(
        &self,
        names: &StringViewArray,
        tenants: Option<&StringViewArray>,
    ) -> Result<Int64Array> {
        let of_row = |row: usize| {
            let tenant = tenants.filter(|t| t.is_valid(row)).map(|t| t.value(row));
            let name = names.is_valid(row).then(|| names.value(row))?;
            Some((name, tenant))
        };
        let mut values = Int64Array::builder(names.len());
        let mut row = 0;
        while row < names.len() {
            let run = (row..names.len())
                .take_while(|other| of_row(*other) == of_row(row))
                .count();
            match of_row(row) {
                Some((name, tenant)) => values.append_slice(&self.drawing.next(name, tenant, run)?),
                None => values.append_nulls(run),
            }
            row += run;
        }
        Ok(values.finish())
    }

    fn set(
        &self,
        names: &StringViewArray,
        values: &Int64Array,
        called: Option<ArrayRef>,
    ) -> Result<Int64Array> {
        let called = called.as_ref().map(|called| called.as_boolean());
        let mut set = Int64Array::builder(names.len());
        for row in 0..names.len() {
            let is_null = names.is_null(row)
                || values.is_null(row)
                || called.is_some_and(|called| called.is_null(row));
            if is_null {
                set.append_null();
                continue;
            }
            let called = called.is_none_or(|called| called.value(row));
            set.append_value(
                self.drawing
                    .set(names.value(row), values.value(row), called)?,
            );
        }
        Ok(set.finish())
    }
}

fn texts(array: &ArrayRef) -> EngineResult<ArrayRef> {
    Ok(cast(array, &DataType::Utf8View)?)
}
