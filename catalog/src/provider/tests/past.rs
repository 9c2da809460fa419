//! Older versions, columns of before, and other programs.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn columns_come_go_and_are_renamed() {
    let mut relation = relation(vec![
        column(1, "a", SqlType::Int4),
        column(2, "b", SqlType::Text),
        column(3, "c", SqlType::Interval),
    ]);
    let mut world = World::new(&relation).await;
    let day = IntervalMonthDayNano::new(0, 1, 0);
    let old = batch(
        &relation,
        vec![
            ints([1, 2]),
            Arc::new(StringViewArray::from(vec!["x", "y"])),
            Arc::new(IntervalMonthDayNanoArray::from(vec![day, day])),
        ],
    );
    world.insert(&relation, &old).await;
    // "a" goes; "b" becomes "a"; a new "b" of another type comes, and others with and without default.
    {
        let table = table(&mut relation);
        table.columns[0].dropped = true;
        table.columns[1].name = "a".to_owned();
        table.columns[2].name = "age".to_owned();
        let new = |number, name: &str, physical: &str, sql_type| Column {
            physical: physical.to_owned(),
            ..column(number, name, sql_type)
        };
        table.columns.push(new(4, "b", "b_4", SqlType::Int4));
        table.columns.push(new(5, "d", "d", SqlType::Text));
        table.columns.push(new(6, "e", "e", SqlType::Interval));
        table
            .columns
            .push(new(7, "f", "f", SqlType::Array(Box::new(SqlType::Int4))));
        table.columns[3].nullable = false;
        table.schema_version = 2;
    }
    let defaults = HashMap::from([
        (4, ScalarValue::Int32(Some(7))),
        (
            6,
            ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(1, 0, 0))),
        ),
    ]);
    let options = |world: &World, relation: &Relation| PartTableOptions {
        defaults: defaults.clone(),
        ..world.options(relation)
    };
    let new = batch(
        &relation,
        vec![
            Arc::new(StringViewArray::from(vec!["z"])),
            Arc::new(IntervalMonthDayNanoArray::from(vec![day])),
            ints([70]),
            Arc::new(StringViewArray::from(vec!["w"])),
            Arc::new(IntervalMonthDayNanoArray::from(vec![day])),
            list(vec![Some(vec![Some(1), None])]),
        ],
    );
    for pushdown in [false, true] {
        world.pushdown = pushdown;
        let frame = world.frame_of(options(&world, &relation));
        let found = text(frame.sort_by(vec![col("a")]).unwrap()).await;
        assert_eq!(found, ["x|1days|7||1mons|", "y|1days|7||1mons|"]);
    }
    world.insert(&relation, &new).await;
    world.reload().await;
    assert_eq!(world.snapshot.schema_version, 2);
    let expected = [
        "x|1days|7||1mons|",
        "y|1days|7||1mons|",
        "z|1days|70|w|1days|[1,]",
    ];
    for pushdown in [false, true] {
        world.pushdown = pushdown;
        let frame = || world.frame_of(options(&world, &relation));
        assert_eq!(
            text(frame().sort_by(vec![col("a")]).unwrap()).await,
            expected
        );
        let filtered = |filter: Expr| {
            text(
                frame()
                    .filter(filter)
                    .unwrap()
                    .sort_by(vec![col("a")])
                    .unwrap(),
            )
        };
        assert_eq!(filtered(col("b").eq(lit(7))).await, expected[..2]);
        assert_eq!(filtered(col("b").gt(lit(7))).await, expected[2..]);
        assert_eq!(filtered(col("a").eq(lit("y"))).await, expected[1..2]);
        assert_eq!(filtered(col("d").is_null()).await, expected[..2]);
        let month = ScalarValue::new_interval_mdn(1, 0, 0);
        assert_eq!(filtered(col("e").eq(lit(month))).await, expected[..2]);
        let aggregate = vec![
            min(col("b")),
            max(col("b")),
            count(col("d")),
            count(col("b")),
        ];
        assert_eq!(
            text(frame().aggregate(vec![], aggregate).unwrap()).await,
            ["7|70|1|3"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_moments_of_the_past() {
    let relation = relation(vec![column(1, "a", SqlType::Int4)]);
    let mut world = World::new(&relation).await;
    for value in 0..5 {
        world
            .insert(&relation, &batch(&relation, vec![ints([value])]))
            .await;
    }
    let removed = vec![Arc::clone(&world.snapshot.files[0])];
    world.commit(&relation, &[], &removed).await;
    world.reload().await;
    assert_eq!(world.snapshot.rows(), 4);
    let (storage, part) = (&world.storage, world.part);
    assert_eq!(
        storage.load_version(part, 4, 5, "t").await.unwrap().rows(),
        5
    );
    assert_eq!(
        storage.load_version(part, 0, 5, "t").await.unwrap().rows(),
        1
    );
    for version in [-1, 6] {
        let error = storage
            .load_version(part, version, 5, "t")
            .await
            .unwrap_err();
        assert!(matches!(error, Error::NoSuchVersion { .. }), "{error}");
    }
    for (moment, version) in [(1000, 0), (1999, 0), (2000, 1), (99_000, 5)] {
        let snapshot = storage.load_at(part, moment, 5, "t").await.unwrap();
        assert_eq!(snapshot.version, Some(version), "{moment}");
    }
    let snapshot = storage.load_at(part, 99_000, 2, "t").await.unwrap();
    assert_eq!(snapshot.version, Some(2));
    let error = storage.load_at(part, 999, 5, "t").await.unwrap_err();
    assert!(matches!(error, Error::NoSuchVersion { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_program_committed_is_refused() {
    let relation = relation(vec![column(1, "a", SqlType::Int4)]);
    let mut world = World::new(&relation).await;
    world
        .insert(&relation, &batch(&relation, vec![ints([1])]))
        .await;
    let store = world.storage.store(world.part.space);
    let entry = |version: i64| {
        let name = format!("_delta_log/{version:020}.json");
        crate::storage::file_path(world.part, &name)
    };
    let foreign = r#"{"commitInfo":{"timestamp":1,"operation":"WRITE"}}"#;
    store.put(&entry(1), foreign.into()).await.unwrap();
    let (storage, part) = (&world.storage, world.part);
    let error = storage.load(part, 0, "t").await.unwrap_err();
    assert!(matches!(error, Error::ForeignCommit { .. }), "{error}");
    let write = storage.write_log_entry(part, 1, "{}", Uuid::new_v4(), "t");
    let error = write.await.unwrap_err();
    assert!(matches!(error, Error::ForeignCommit { .. }), "{error}");
    store.delete(&entry(1)).await.unwrap();
    storage.load(part, 0, "t").await.unwrap();
    // An entry of ours above the visible version is a commit that runs just now.
    let ours = format!(
        r#"{{"commitInfo":{{"timestamp":1,"tesseraCommit":"{}"}}}}"#,
        Uuid::new_v4()
    );
    store.put(&entry(1), ours.into()).await.unwrap();
    assert_eq!(storage.load(part, 0, "t").await.unwrap().version, Some(0));
    store.put(&entry(0), "{torn".into()).await.unwrap();
    let error = storage.load(part, 0, "t").await.unwrap_err();
    assert!(matches!(error, Error::ForeignCommit { .. }), "{error}");
    store.delete(&entry(0)).await.unwrap();
    store.delete(&entry(1)).await.unwrap();
    let error = storage.load(part, 0, "t").await.unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
}
