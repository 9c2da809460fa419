//! A tenant with very many tables.

use std::sync::Arc;

use datafusion::physical_plan::{ExecutionPlan, collect};

use super::bed::*;
use crate::id::{DatabaseId, Oid};
use crate::model::{Change, Database, KeyKind, Scope};
use crate::system::*;

/// A tenant of 5,000 tables of ten columns with a primary key each.
fn large() -> Scene {
    let (system, tenant, _) = system();
    let mut database = Database::empty(DatabaseId::Tenant(tenant.id), &tenant.name);
    for change in Database::birth_of_tenant() {
        database.apply(&change);
    }
    for n in 0..5_000 {
        let oid = Oid(Oid::FIRST_OF_TENANT + 2 * n);
        let columns = (1..=10)
            .map(|n| column(n, &format!("c{n}"), "integer"))
            .collect();
        let name = format!("t{n}");
        let mut table = table_of(
            oid,
            Oid::PUBLIC_SCHEMA,
            &name,
            Oid::TENANT_ADMIN,
            Scope::Own,
            columns,
        );
        let primary = key(
            Oid(oid.0 + 1),
            &format!("{name}_pkey"),
            KeyKind::Primary,
            &[1],
        );
        table_mut(&mut table).keys.push(primary);
        database.apply(&Change::PutRelation(table));
    }
    Scene::new(system, Arc::new(database), Oid::TENANT_ADMIN)
}

/// Rows that the scans of a plan made.
fn rows_made(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let children = plan.children();
    let own = plan.metrics().filter(|_| children.is_empty());
    let own = own.and_then(|metrics| metrics.output_rows()).unwrap_or(0);
    own + children.into_iter().map(rows_made).sum::<usize>()
}

#[tokio::test]
async fn joins_make_the_rows_that_they_ask_for() {
    let context = context(large());
    let oid = Oid::FIRST_OF_TENANT + 2 * 4711;
    let sql = format!(
        "SELECT c2.relname FROM pg_class c, pg_class c2, pg_index i \
         WHERE c.oid = '{oid}' AND c.oid = i.indrelid AND i.indexrelid = c2.oid"
    );
    let state = context.state();
    let plan = state.create_logical_plan(&sql).await.unwrap();
    let plan = state.create_physical_plan(&plan).await.unwrap();
    let found = collect(Arc::clone(&plan), context.task_ctx())
        .await
        .unwrap();
    assert_eq!(lines(&found), ["t4711_pkey"]);
    // Of more than 10,000 in each of the two tables.
    assert!(rows_made(&plan) < 10, "{}", rows_made(&plan));
}

#[tokio::test]
async fn a_large_tenant_is_described_in_time() {
    let context = context(large());
    let started = std::time::Instant::now();
    let sql = "SELECT c.oid, n.nspname, c.relname FROM pg_class c \
               LEFT JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE c.relname ~ '^(t4711)$' AND pg_table_is_visible(c.oid) ORDER BY 2, 3";
    let oid = Oid::FIRST_OF_TENANT + 2 * 4711;
    assert_eq!(
        lines(&batches(&context, sql).await.unwrap()),
        [format!("{oid}|public|t4711")]
    );
    println!("by name: {:?}", started.elapsed());
    let sql = format!(
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod), col_description(a.attrelid, a.attnum) \
         FROM pg_attribute a WHERE a.attrelid = '{oid}' AND a.attnum > 0 ORDER BY a.attnum"
    );
    assert_eq!(batches(&context, &sql).await.unwrap()[0].num_rows(), 10);
    println!("and its columns: {:?}", started.elapsed());
    let sql = "SELECT count(*), count(a.attname) FROM pg_attribute a JOIN pg_class c ON a.attrelid = c.oid \
               WHERE c.relkind = 'r' AND relnamespace = 2200 AND pg_table_is_visible(c.oid)";
    assert_eq!(
        lines(&batches(&context, sql).await.unwrap()),
        ["50003|50003"]
    );
    println!("and all columns: {:?}", started.elapsed());
    let sql = "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public'";
    assert_eq!(lines(&batches(&context, sql).await.unwrap()), ["50003"]);
    println!("and information_schema: {:?}", started.elapsed());
    // Far above what an optimised build needs.
    assert!(started.elapsed().as_secs() < 20);
}
