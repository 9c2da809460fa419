//! What filters, statistics and own rows make of a scan.

use super::samples::every_type;
use super::*;

/// Whatever the reader and the statistics do with a filter, it means what it means in memory.
#[tokio::test(flavor = "multi_thread")]
async fn filters_mean_the_same_on_files() {
    let (relation, batch) = every_type();
    let mut world = World::new(&relation).await;
    for row in 0..batch.num_rows() {
        world.insert(&relation, &batch.slice(row, 1)).await;
    }
    let memory = MemoryTable::new(&relation, std::slice::from_ref(&batch), &utc()).unwrap();
    let memory = Arc::new(memory);
    let mut filters = Vec::new();
    for (index, field) in batch.schema().fields().iter().enumerate() {
        let name = || ident(field.name());
        filters.push(name().is_null());
        filters.push(name().is_not_null());
        if matches!(field.data_type(), DataType::List(_)) {
            continue;
        }
        for row in 0..3 {
            let value = ScalarValue::try_from_array(batch.column(index), row).unwrap();
            let value = || lit(value.clone());
            filters.push(name().eq(value()));
            if row == 1 {
                filters.push(name().gt(value()));
                filters.push(name().not_eq(value()).or(ident("c1").is_null()));
            }
        }
    }
    let wanted = [ident("c5"), ident("c6"), ident("c39"), ident("c22")];
    let read = |frame: DataFrame, filter: &Expr| {
        let frame = frame.filter(filter.clone()).unwrap();
        let frame = frame.select(wanted.to_vec()).unwrap();
        text(frame.sort_by(wanted.to_vec()).unwrap())
    };
    let mut expected = Vec::new();
    for filter in &filters {
        let frame = world
            .session()
            .read_table(Arc::clone(&memory) as _)
            .unwrap();
        expected.push(read(frame, filter).await);
    }
    for reloaded in [false, true] {
        if reloaded {
            world.reload().await;
        }
        world.pushdown = !reloaded;
        for (filter, expected) in filters.iter().zip(&expected) {
            let found = read(world.frame(&relation), filter).await;
            assert_eq!(found, *expected, "{filter}, reloaded {reloaded}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_answer_and_prune_only_where_they_may() {
    let relation = relation(vec![
        column(1, "a", SqlType::Int4),
        column(2, "x", SqlType::Float8),
        column(3, "s", SqlType::Text),
    ]);
    let mut world = World::new(&relation).await;
    for file in 0..3 {
        let floats = vec![
            Some(f64::from(file)),
            if file == 2 { Some(f64::NAN) } else { None },
        ];
        let long = format!("{}{file}", "s".repeat(100));
        let rows = batch(
            &relation,
            vec![
                ints([file * 10, file * 10 + 5]),
                Arc::new(Float64Array::from(floats)),
                Arc::new(StringViewArray::from(vec![Some(long.as_str()), Some("a")])),
            ],
        );
        world.insert(&relation, &rows).await;
    }
    for reloaded in [false, true] {
        if reloaded {
            world.reload().await;
        }
        let extremes = || {
            let aggregate = vec![count(lit(1i64)), min(col("a")), max(col("a"))];
            world.frame(&relation).aggregate(vec![], aggregate).unwrap()
        };
        assert_eq!(text(extremes()).await, ["6|0|25"]);
        let plan_text = plan(extremes()).await;
        assert!(!plan_text.contains("DataSourceExec"), "{plan_text}");
        let options = PartTableOptions {
            statistics: false,
            ..world.options(&relation)
        };
        let hidden = world.frame_of(options);
        let aggregate = vec![count(lit(1i64)), min(col("a")), max(col("a"))];
        let hidden = hidden.aggregate(vec![], aggregate).unwrap();
        assert_eq!(text(hidden.clone()).await, ["6|0|25"]);
        assert!(
            plan(hidden).await.contains("DataSourceExec"),
            "read from files"
        );
        // Cut strings and NaN are no answers.
        let aggregate = vec![max(col("s")), min(col("s"))];
        let frame = world.frame(&relation).aggregate(vec![], aggregate).unwrap();
        assert_eq!(text(frame).await, [format!("{}2|a", "s".repeat(100))]);
        let frame = world
            .frame(&relation)
            .filter(col("x").gt(lit(1.5)))
            .unwrap();
        assert_eq!(
            text(frame.select(vec![col("x")]).unwrap()).await,
            ["2.0", "NaN"]
        );
        let pruned = world
            .frame(&relation)
            .filter(col("a").gt_eq(lit(20)))
            .unwrap();
        let plan = plan(pruned.clone()).await;
        assert_eq!(plan.matches(".parquet").count(), 1, "{plan}");
        assert_eq!(rows(pruned).await.num_rows(), 2);
        let all = world.frame(&relation).limit(0, Some(1)).unwrap();
        assert_eq!(rows(all).await.num_rows(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dynamic_filters_reach_the_files() {
    let mut relation = relation(vec![
        column(1, "a", SqlType::Int4),
        column(2, "b", SqlType::Text),
    ]);
    table(&mut relation).columns[0].physical = "p1".to_owned();
    let mut world = World::new(&relation).await;
    for file in 0..4 {
        let texts = Arc::new(StringViewArray::from(vec!["x", "y"]));
        let rows = batch(&relation, vec![ints([file * 2, file * 2 + 1]), texts]);
        world.insert(&relation, &rows).await;
    }
    world.pushdown = true;
    let top = world
        .frame(&relation)
        .sort(vec![col("a").sort(false, false)])
        .unwrap();
    let top = top.limit(0, Some(1)).unwrap();
    let plan_text = plan(top.clone()).await;
    assert!(plan_text.contains("DynamicFilter"), "{plan_text}");
    assert_eq!(text(top).await, ["7|y"]);
    // The name differs from the file's, and yet nothing stands between scan and filter.
    let filtered = world.frame(&relation).filter(col("a").gt(lit(5))).unwrap();
    let plan_text = plan(filtered.clone()).await;
    assert!(!plan_text.contains("FilterExec"), "{plan_text}");
    assert!(!plan_text.contains("ProjectionExec"), "{plan_text}");
    assert_eq!(
        text(filtered.sort_by(vec![col("a")]).unwrap()).await,
        ["6|x", "7|y"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn own_rows_are_seen_with_those_in_files() {
    let relation = relation(vec![column(1, "a", SqlType::Int4)]);
    let mut world = World::new(&relation).await;
    let empty = PartTableOptions {
        statistics: false,
        ..world.options(&relation)
    };
    assert_eq!(rows(world.frame_of(empty)).await.num_rows(), 0);
    assert_eq!(rows(world.frame(&relation)).await.num_rows(), 0);
    world
        .insert(&relation, &batch(&relation, vec![ints([1, 2])]))
        .await;
    for statistics in [false, true] {
        let memory = vec![batch(&relation, vec![ints([3])])];
        let options = PartTableOptions {
            memory,
            statistics,
            ..world.options(&relation)
        };
        let frame = world.frame_of(options);
        assert_eq!(
            text(frame.clone().sort_by(vec![col("a")]).unwrap()).await,
            ["1", "2", "3"]
        );
        let counted = frame.aggregate(vec![], vec![count(lit(1i64))]).unwrap();
        assert_eq!(text(counted.clone()).await, ["3"]);
        assert_eq!(plan(counted).await.contains("DataSourceExec"), !statistics);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_columns_counts_its_rows() {
    let relation = relation(Vec::new());
    let mut world = World::new(&relation).await;
    let options = RecordBatchOptions::new().with_row_count(Some(3));
    let schema = Arc::new(Schema::empty());
    let rows = RecordBatch::try_new_with_options(schema, Vec::new(), &options).unwrap();
    world.insert(&relation, &rows).await;
    world.reload().await;
    let options = PartTableOptions {
        statistics: false,
        ..world.options(&relation)
    };
    let counted = world
        .frame_of(options)
        .aggregate(vec![], vec![count(lit(1i64))])
        .unwrap();
    assert_eq!(text(counted).await, ["3"]);
}
