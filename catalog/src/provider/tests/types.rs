//! Values of every type, there and back.

use super::samples::every_type;
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_type_comes_back() {
    let (relation, batch) = every_type();
    let mut world = World::new(&relation).await;
    world.insert(&relation, &batch).await;
    let provider = PartTable::new(world.options(&relation)).unwrap();
    let provider_schema = datafusion::catalog::TableProvider::schema(&provider);
    assert_eq!(provider_schema, batch.schema());
    assert_same(&rows(world.frame(&relation)).await, &batch);
    world.reload().await;
    let found = rows(world.frame(&relation)).await;
    assert_same(&found, &batch);
    for (found, expected) in found.schema().fields().iter().zip(batch.schema().fields()) {
        assert_eq!(SqlType::of(found), SqlType::of(expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_time_zone_changes_the_type_alone() {
    let (relation, batch) = every_type();
    let mut world = World::new(&relation).await;
    world.insert(&relation, &batch).await;
    let zone: Arc<str> = Arc::from("Europe/Paris");
    let memory = vec![batch.clone()];
    let options = PartTableOptions {
        zone: Arc::clone(&zone),
        memory,
        ..world.options(&relation)
    };
    let found = rows(world.frame_of(options)).await;
    assert_eq!(found.num_rows(), 8);
    for (index, column) in relation.table().unwrap().columns.iter().enumerate() {
        assert_eq!(
            *found.column(index).data_type(),
            column.sql_type.arrow(&zone)
        );
    }
}
