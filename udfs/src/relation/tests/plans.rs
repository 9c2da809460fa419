//! What plans tell of a call, and how they are made again.

use super::*;

#[tokio::test]
async fn what_is_described_is_what_comes() {
    let server = Server::with(4, vec![Arc::new(Probe::default())], usize::MAX);
    register(&server, &readings(500), 3);
    let sql = "SELECT * FROM probe((SELECT * FROM readings WHERE at IS NOT NULL), id_cols => sensor, at => at, x => x)";
    let plan = server.plan(sql).await.unwrap();
    let described = plan.schema().as_arrow().clone();
    let sensor = described.field(0);
    assert_eq!(
        (sensor.data_type(), sensor.is_nullable()),
        (&DataType::Utf8, false)
    );
    assert_eq!(
        sensor.metadata().get("tessera.type").map(String::as_str),
        Some("varchar(9)")
    );
    assert_eq!(described.field(described.fields().len() - 1).name(), STATUS);
    for batch in server.run(sql).await {
        assert_eq!(batch.schema().fields(), described.fields());
    }
}

#[tokio::test]
async fn explain_shows_the_call() {
    let server = sales(4).await;
    let sql = "EXPLAIN SELECT * FROM probe(sales, id_cols => region, x => units, limit => 5, tags => ('a', 'b')) WHERE region = 'north'";
    let plan = server.table(sql).await;
    assert!(
        plan.contains("TableFunction: probe(id_cols => (region), at => day, x => units, limit => 5, tags => ('a', 'b'))"),
        "{plan}"
    );
    assert!(
        plan.contains(
            "TableFunctionExec: probe, id_cols=region, at=day, x=units, limit=5, tags=(a, b)"
        ),
        "{plan}"
    );
    // The filter on an id column went below the function.
    let (function, filter) = (plan.find("TableFunction: probe"), plan.find("Filter: "));
    assert!(function.is_some() && filter > function, "{plan}");
    // Only what is needed is read.
    assert!(!plan.contains("projection=[id"), "{plan}");
    let sql = "EXPLAIN SELECT * FROM probe(sales, id_cols => region, x => units) WHERE rows > 1 ORDER BY region";
    let plan = server.table(sql).await;
    assert!(
        plan.find("Filter: ") < plan.find("TableFunction: probe"),
        "{plan}"
    );
}

#[tokio::test]
async fn nodes_are_known_and_compare() {
    let server = sales(1).await;
    let node = async |sql: &str| {
        let plan = server.plan(sql).await.unwrap();
        let mut plan = &plan;
        loop {
            match plan {
                LogicalPlan::Extension(extension) => break Arc::clone(&extension.node),
                other => plan = other.inputs()[0],
            }
        }
    };
    let (one, same) = (
        node("SELECT * FROM probe(northern)").await,
        node("SELECT * FROM probe(northern)").await,
    );
    let other = node("SELECT * FROM probe(northern, limit => 2)").await;
    assert!(crate::is_known_node(one.as_ref()));
    assert!(*one == *same && *one != *other);
    assert_eq!(one.partial_cmp(&same), Some(std::cmp::Ordering::Equal));
    assert_ne!(one.partial_cmp(&other), Some(std::cmp::Ordering::Equal));
}

#[tokio::test]
async fn an_operator_can_be_made_again_from_plain_data() {
    let server = sales(1).await;
    let sql = "SELECT * FROM probe(sales, id_cols => region, x => units, limit => 2)";
    let physical = server
        .frame(sql)
        .await
        .unwrap()
        .create_physical_plan()
        .await
        .unwrap();
    let mut plan = &physical;
    while !plan.is::<TableFunctionExec>() {
        plan = plan.children()[0];
    }
    let exec = plan.downcast_ref::<TableFunctionExec>().unwrap();
    let relations: Vec<(String, Vec<_>)> = exec
        .layout()
        .relations()
        .iter()
        .map(|relation| (relation.name.to_owned(), relation.fields.clone()))
        .collect();
    let function: Arc<dyn TableFunction> = Arc::new(Probe::default());
    let inputs = plan.children().into_iter().cloned().collect();
    let again = TableFunctionExec::try_new(
        &function,
        exec.call().clone(),
        &relations,
        plan.schema(),
        inputs,
    )
    .unwrap();
    assert_eq!(again.call(), exec.call());
    let context = server.context.task_ctx();
    let batches = datafusion::physical_plan::collect(Arc::new(again), context)
        .await
        .unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
}
