//! Files as upkeep leaves them, and tenants' files beside each other.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_cleaned_and_unused_files_go() {
    use std::time::Duration;
    let relation = relation(vec![
        column(1, "a", SqlType::Int4),
        column(2, "i", SqlType::Interval),
    ]);
    let mut world = World::new(&relation).await;
    for value in 0..6 {
        let none = new_null_array(&SqlType::Interval.arrow(&utc()), 1);
        world
            .insert(&relation, &batch(&relation, vec![ints([value]), none]))
            .await;
    }
    let part = world.part;
    world.storage.checkpoint(part, 4).await.unwrap();
    world.reload().await;
    let old = world.storage.load_version(part, 2, 5, "t").await.unwrap();
    assert_eq!(old.rows(), 3);
    assert!(
        world
            .storage
            .clean_log(part, 5, Duration::ZERO)
            .await
            .unwrap()
            > 0
    );
    world.reload().await;
    assert_eq!(
        text(
            world
                .frame(&relation)
                .aggregate(vec![], vec![max(col("a"))])
                .unwrap()
        )
        .await,
        ["5"]
    );
    let error = world
        .storage
        .load_version(part, 2, 5, "t")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NoSuchVersion { .. }), "{error:?}");

    let compaction = world
        .storage
        .compact(part, &relation, &world.snapshot)
        .await
        .unwrap();
    assert_eq!((compaction.added.len(), compaction.removed.len()), (1, 6));
    let before: Vec<_> = world.snapshot.files.clone();
    world
        .commit(&relation, &compaction.added, &compaction.removed)
        .await;
    world.reload().await;
    assert_eq!(world.snapshot.files.len(), 1);
    let frame = world.frame(&relation).sort_by(vec![col("a")]).unwrap();
    let found = text(frame.select(vec![col("a")]).unwrap()).await;
    assert_eq!(found, ["0", "1", "2", "3", "4", "5"]);
    let again = world
        .storage
        .compact(part, &relation, &world.snapshot)
        .await
        .unwrap();
    assert!(again.added.is_empty() && again.removed.is_empty());

    let keep = world
        .snapshot
        .files
        .iter()
        .map(|file| file.path.clone())
        .collect();
    let hour = Duration::from_secs(3600);
    assert_eq!(world.storage.vacuum(part, &keep, hour).await.unwrap(), 0);
    assert_eq!(
        world
            .storage
            .vacuum(part, &keep, Duration::ZERO)
            .await
            .unwrap(),
        before.len()
    );
    assert_eq!(rows(world.frame(&relation)).await.num_rows(), 6);
    world
        .storage
        .erase(crate::storage::Erase::Space(part.space))
        .await
        .unwrap();
    assert!(!world.folder.path().join("tenants").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn compaction_keeps_the_defaults_of_before() {
    let mut relation = relation(vec![column(1, "a", SqlType::Int4)]);
    let mut world = World::new(&relation).await;
    for value in [1, 2] {
        world
            .insert(&relation, &batch(&relation, vec![ints([value])]))
            .await;
    }
    let interval = column(2, "i", SqlType::Interval);
    let missing_default = Some("interval '1 day'".to_owned());
    table(&mut relation).columns.push(Column {
        missing_default,
        ..interval
    });
    table(&mut relation).schema_version = 2;
    world.reload().await;
    let left = world
        .storage
        .compact(world.part, &relation, &world.snapshot)
        .await
        .unwrap();
    assert!(left.removed.is_empty());
    let defaults = HashMap::from([(2, ScalarValue::new_interval_mdn(0, 1, 0))]);
    let joined = world
        .storage
        .compact_with(world.part, &relation, &world.snapshot, &defaults);
    let joined = joined.await.unwrap();
    world
        .commit(&relation, &joined.added, &joined.removed)
        .await;
    world.reload().await;
    let frame = world.frame(&relation).sort_by(vec![col("a")]).unwrap();
    assert_eq!(text(frame).await, ["1|1days", "2|1days"]);
    let null = new_null_array(&SqlType::Interval.arrow(&utc()), 1);
    world
        .insert(&relation, &batch(&relation, vec![ints([3]), null]))
        .await;
    world.reload().await;
    let again = world
        .storage
        .compact(world.part, &relation, &world.snapshot)
        .await
        .unwrap();
    assert_eq!(
        again.removed.len(),
        2,
        "files that have the column need no default"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_rolled_and_read_in_parallel() {
    let relation = relation(vec![column(1, "a", SqlType::Int4)]);
    let mut world = World::new(&relation).await;
    let options = WriteOptions {
        file_bytes: 1 << 20,
        group_rows: 100_000,
        ..WriteOptions::default()
    };
    let mut writer = world
        .storage
        .writer_with(world.part, &relation, options)
        .unwrap();
    // Numbers without a pattern, so that the files are not tiny.
    let mut seed = 1u32;
    let mut total = 0i64;
    for _ in 0..100 {
        let values: Vec<i32> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 1) as i32
        })
        .take(10_000)
        .collect();
        total += values.iter().map(|value| i64::from(*value)).sum::<i64>();
        writer
            .write(&batch(&relation, vec![ints(values)]))
            .await
            .unwrap();
    }
    let files = writer.finish().await.unwrap();
    assert!(files.len() >= 3, "{}", files.len());
    world.commit(&relation, &files, &[]).await;
    world.reload().await;
    let sum = datafusion::functions_aggregate::expr_fn::sum(col("a"));
    let frame = world.frame(&relation).aggregate(vec![], vec![sum]).unwrap();
    let plan = plan(frame.clone()).await;
    assert!(plan.contains("2 groups"), "{plan}");
    assert_eq!(text(frame).await, [total.to_string()]);
    let mut writer = world.storage.writer(world.part, &relation).unwrap();
    writer
        .write(&batch(&relation, vec![ints([1])]))
        .await
        .unwrap();
    writer.abort().await;
    let mut writer = world.storage.writer(world.part, &relation).unwrap();
    let wrong = batch(
        &self::relation(vec![column(1, "b", SqlType::Text)]),
        vec![Arc::new(StringViewArray::from(vec!["no number"]))],
    );
    let error = writer.write(&wrong).await.unwrap_err();
    assert!(matches!(error, Error::Unstorable(_)), "{error}");
    writer
        .write(&batch(&relation, vec![ints([1])]))
        .await
        .unwrap();
    let error = writer.finish().await.unwrap_err();
    assert!(matches!(error, Error::Unstorable(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_rows_are_united_with_their_names() {
    let tenant = Column {
        physical: String::new(),
        nullable: false,
        ..column(1, TENANT_COLUMN, SqlType::Text)
    };
    let relation = relation(vec![tenant, column(2, "a", SqlType::Int4)]);
    let mut worlds = Vec::new();
    let mut world = World::new(&relation).await;
    for (index, name) in ["acme", "globex", "initech"].into_iter().enumerate() {
        world.part.space = Space::Tenant(TenantId::generate());
        world.snapshot = Snapshot::empty();
        world
            .insert(&relation, &batch(&relation, vec![ints([index as i32])]))
            .await;
        worlds.push((
            Arc::<str>::from(name),
            world.part,
            world.snapshot.files.clone(),
        ));
    }
    let mut own = world.options(&relation);
    assert!(
        PartTable::new(PartTableOptions {
            tenant_name: None,
            ..own
        })
        .is_err()
    );
    own = world.options(&relation);
    own.tenant_name = Some(Arc::from("initech"));
    own.memory = vec![batch(&relation, vec![ints([20])])];
    let frame = world.frame_of(own).sort_by(vec![col("a")]).unwrap();
    assert_eq!(text(frame).await, ["initech|2", "initech|20"]);

    let opened = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let files: HashMap<Part, Vec<Arc<DataFile>>> = worlds
        .iter()
        .map(|(_, part, files)| (*part, files.clone()))
        .collect();
    let log = Arc::clone(&opened);
    let open: OpenBranch = Arc::new(move |part| {
        log.lock().push(part);
        let files = files[&part].clone();
        Box::pin(async move {
            Ok(BranchRows {
                files,
                memory: Vec::new(),
            })
        })
    });
    let branches = worlds
        .iter()
        .map(|(name, part, _)| UnionBranch {
            tenant_name: Arc::clone(name),
            part: *part,
        })
        .collect();
    let union = UnionTable::new(UnionTableOptions {
        relation: Arc::new(relation.clone()),
        branches,
        open,
        zone: utc(),
        defaults: HashMap::new(),
        statistics: true,
    });
    let union = Arc::new(union.unwrap());
    for pushdown in [false, true] {
        world.pushdown = pushdown;
        let frame = || world.session().read_table(Arc::clone(&union) as _).unwrap();
        let sorted = |frame: DataFrame| text(frame.sort_by(vec![col("a")]).unwrap());
        assert_eq!(sorted(frame()).await, ["acme|0", "globex|1", "initech|2"]);
        opened.lock().clear();
        let one = frame()
            .filter(col(TENANT_COLUMN).eq(lit("globex")))
            .unwrap();
        assert_eq!(sorted(one).await, ["globex|1"]);
        assert_eq!(*opened.lock(), [worlds[1].1]);
        opened.lock().clear();
        let wanted = col(TENANT_COLUMN)
            .in_list(vec![lit("acme"), lit("nobody")], false)
            .or(col(TENANT_COLUMN).eq(lit("initech")));
        assert_eq!(
            sorted(frame().filter(wanted).unwrap()).await,
            ["acme|0", "initech|2"]
        );
        assert_eq!(*opened.lock(), [worlds[0].1, worlds[2].1]);
        let both = frame().filter(col("a").gt(lit(0))).unwrap();
        assert_eq!(sorted(both).await, ["globex|1", "initech|2"]);
        let names = frame()
            .aggregate(vec![col(TENANT_COLUMN)], vec![count(lit(1i64))])
            .unwrap();
        let names = names.sort_by(vec![col(TENANT_COLUMN)]).unwrap();
        assert_eq!(text(names).await, ["acme|1", "globex|1", "initech|1"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spaces_are_apart() {
    let relation = relation(vec![column(1, "a", SqlType::Int4)]);
    let mut world = World::new(&relation).await;
    world
        .insert(&relation, &batch(&relation, vec![ints([1])]))
        .await;
    let other = world.storage.store(Space::Tenant(TenantId::generate()));
    let own = crate::storage::file_path(world.part, &world.snapshot.files[0].path);
    other.get(&own).await.unwrap_err();
    let prefix = world.part.space.prefix();
    let id = prefix.trim_start_matches("tenants/");
    for path in [
        format!("../{id}/{own}"),
        format!("{prefix}/{own}"),
        format!("/{prefix}/{own}"),
    ] {
        other.get(&Path::from(path)).await.unwrap_err();
    }
    let read_only = world.storage.read_only_store(world.part.space);
    assert!(read_only.get(&own).await.is_ok());
    read_only.put(&own, "x".into()).await.unwrap_err();
    read_only.delete(&own).await.unwrap_err();
    assert!(read_only.get(&own).await.is_ok());
}
