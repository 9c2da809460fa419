//! A catalog in a folder of its own, and short ways to change it.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Int32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema};
use tempfile::TempDir;

use crate::catalog::shared::Fault;
use crate::catalog::{Catalog, CatalogLimits, CatalogOptions};
use crate::commit::{Commit, DatabaseChange, PartChange};
use crate::error::Result;
use crate::id::{DatabaseId, Oid, Part, Space, TableUuid, TenantId};
use crate::model::{
    Change, Column, Database, Relation, RelationBody, Role, Scope, Table, Tenant, View,
};
use crate::sql_type::SqlType;

pub(super) struct Bed {
    pub(super) folder: TempDir,
    pub(super) catalog: Catalog,
}

impl Bed {
    pub(super) async fn new() -> Self {
        Self::with(limits()).await
    }

    pub(super) async fn with(limits: CatalogLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let catalog = open(folder.path(), limits).await.unwrap();
        Self { folder, catalog }
    }

    /// Stops cleanly and starts again.
    pub(super) async fn reopen(&mut self) {
        self.catalog.close().await;
        self.catalog = open(self.folder.path(), limits()).await.unwrap();
    }

    /// Stops where it stands, as a killed server does, and starts again on what is on disk.
    pub(super) async fn kill(mut self) -> Self {
        *self.catalog.shared.fault.lock() = Some(Fault::Halted);
        let copy = tempfile::tempdir().unwrap();
        copy_folder(self.folder.path(), copy.path());
        self.catalog = open(copy.path(), limits()).await.unwrap();
        self.folder = copy;
        self
    }

    pub(super) async fn put(&self, database: DatabaseId, changes: Vec<Change>) -> Result<()> {
        let base = self.catalog.database(database).await?;
        self.put_from(base, changes).await
    }

    pub(super) async fn put_from(&self, base: Arc<Database>, changes: Vec<Change>) -> Result<()> {
        let databases = vec![DatabaseChange { base, changes }];
        self.catalog
            .commit(Commit {
                databases,
                ..Commit::default()
            })
            .await
    }

    pub(super) async fn tenant(&self, name: &str) -> TenantId {
        let tenant = tenant(&self.catalog, name);
        let id = tenant.id;
        self.catalog
            .commit(birth(&self.catalog, vec![tenant]))
            .await
            .unwrap();
        id
    }

    pub(super) async fn table(
        &self,
        database: DatabaseId,
        name: &str,
        scope: Scope,
    ) -> Arc<Relation> {
        let base = self.catalog.database(database).await.unwrap();
        let relation = table(self.catalog.next_oid(&base), name, scope);
        self.put_from(base, vec![Change::PutRelation(relation.clone())])
            .await
            .unwrap();
        self.newest(database, relation.oid).await
    }

    pub(super) async fn newest(&self, database: DatabaseId, oid: Oid) -> Arc<Relation> {
        Arc::clone(&self.catalog.database(database).await.unwrap().relations[&oid])
    }

    pub(super) async fn insert(&self, change: PartChange) -> Result<()> {
        self.catalog
            .commit(Commit {
                parts: vec![change],
                ..Commit::default()
            })
            .await
    }

    pub(super) async fn rows(&self, part: Part) -> u64 {
        self.catalog.snapshot(part, "t").await.unwrap().rows()
    }

    pub(super) async fn version(&self, part: Part) -> Option<i64> {
        self.catalog.snapshot(part, "t").await.unwrap().version
    }
}

pub(super) fn limits() -> CatalogLimits {
    // What is due is due at once; rounds come when a test asks for them.
    CatalogLimits {
        erase_after: std::time::Duration::ZERO,
        maintenance_interval: std::time::Duration::from_secs(3600),
        ..CatalogLimits::default()
    }
}

pub(super) async fn open(folder: &Path, limits: CatalogLimits) -> Result<Catalog> {
    let key = folder.join("master.key");
    let options = CatalogOptions {
        data: folder.to_owned(),
        master_key: key
            .exists()
            .then_some(crate::encryption::MasterKeySource::File(key)),
        admin_password_verifier: Some("a verifier".to_owned()),
        ..CatalogOptions::default()
    };
    Catalog::open_with(options, limits).await
}

pub(super) fn tenant(catalog: &Catalog, name: &str) -> Tenant {
    Tenant {
        id: TenantId::generate(),
        oid: catalog.next_oid(&catalog.system()),
        name: name.to_owned(),
        suspended: false,
        created_at: 0,
        settings: std::collections::BTreeMap::new(),
        quotas: crate::model::Quotas::default(),
        plan: None,
        encryption: crate::model::Encryption::default(),
        acl: None,
        comment: None,
    }
}

pub(super) fn birth(catalog: &Catalog, tenants: Vec<Tenant>) -> Commit {
    let own = tenants.iter().map(|tenant| DatabaseChange {
        base: Arc::new(Database::empty(DatabaseId::Tenant(tenant.id), &tenant.name)),
        changes: Database::birth_of_tenant(),
    });
    let mut databases: Vec<DatabaseChange> = own.collect();
    let changes = tenants.into_iter().map(Change::PutTenant).collect();
    databases.push(DatabaseChange {
        base: catalog.system(),
        changes,
    });
    Commit {
        databases,
        ..Commit::default()
    }
}

/// A table of one integer, in `public`.
pub(super) fn table(oid: Oid, name: &str, scope: Scope) -> Relation {
    let owner = if oid.is_of_tenant() {
        Oid::TENANT_ADMIN
    } else {
        Oid::OPERATOR
    };
    let body = RelationBody::Table(Table {
        uuid: TableUuid::generate(),
        scope,
        columns: vec![column(1, "a")],
        checks: Vec::new(),
        keys: Vec::new(),
        schema_version: 1,
        query: None,
        sensitive: false,
    });
    Relation {
        oid,
        schema: Oid::PUBLIC_SCHEMA,
        name: name.to_owned(),
        owner,
        acl: None,
        comment: None,
        body,
    }
}

pub(super) fn column(number: i16, name: &str) -> Column {
    Column {
        number,
        name: name.to_owned(),
        physical: format!("c{number}"),
        sql_type: SqlType::Int4,
        nullable: true,
        default: None,
        domain: None,
        fraction: None,
        missing_default: None,
        identity: None,
        generated: None,
        acl: None,
        comment: None,
        dropped: false,
    }
}

pub(super) fn view(oid: Oid, name: &str, target: Oid) -> Relation {
    let body = RelationBody::View(View {
        definition: "SELECT a FROM t".to_owned(),
        bound: "SELECT a FROM r0".to_owned(),
        references: vec![crate::model::Reference {
            relation: target,
            columns: Vec::new(),
        }],
        columns: Vec::new(),
        security_invoker: false,
        security_barrier: false,
    });
    Relation {
        body,
        ..table(oid, name, Scope::Own)
    }
}

/// The relation with one more column.
pub(super) fn wider(relation: &Relation) -> Relation {
    let mut wider = relation.clone();
    if let RelationBody::Table(table) = &mut wider.body {
        table.columns.push(column(2, "b"));
        table.schema_version += 1;
    }
    wider
}

pub(super) fn role(oid: Oid, name: &str) -> Role {
    Role {
        login: true,
        ..Role::new(oid, name)
    }
}

pub(super) fn part(space: Space, relation: &Relation) -> Part {
    Part {
        space,
        table: relation.table().unwrap().uuid,
    }
}

/// An insert of these values into a space's part.
pub(super) fn values(space: Space, relation: &Arc<Relation>, values: &[i32]) -> PartChange {
    let database = match (space, relation.table().unwrap().scope) {
        (Space::Tenant(tenant), Scope::Own) => DatabaseId::Tenant(tenant),
        _ => DatabaseId::System,
    };
    let columns = relation.table().unwrap().columns.len();
    let fields: Vec<Field> = (0..columns)
        .map(|i| Field::new(format!("x{i}"), DataType::Int32, true))
        .collect();
    let arrays = (0..columns)
        .map(|_| Arc::new(Int32Array::from(values.to_vec())) as _)
        .collect();
    let batch = RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), arrays).unwrap();
    PartChange {
        part: part(space, relation),
        database,
        relation: Arc::clone(relation),
        added: Vec::new(),
        rows: vec![batch],
        removed: Vec::new(),
        claims: Vec::new(),
        referred_by: Vec::new(),
        operation: "WRITE",
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            // A file that is being written has another name when it is whole.
            match std::fs::copy(entry.path(), target) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                copied => {
                    copied.unwrap();
                }
            }
        }
    }
}
