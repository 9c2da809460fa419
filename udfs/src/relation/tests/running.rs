//! Calls at work: partitions, memory, the end of a stream.

use super::*;

#[tokio::test]
async fn partitions_change_no_bit() {
    let batch = readings(5000);
    let mut results: Vec<Vec<(String, u64)>> = Vec::new();
    for (partitions, pieces) in [(1, 1), (2, 1), (4, 3), (16, 7)] {
        let server = Server::with(partitions, vec![Arc::new(Probe::default())], usize::MAX);
        register(&server, &batch, pieces);
        let batches = server.run(PER_SENSOR).await;
        let rows = batches.iter().flat_map(|batch| {
            let totals = batch.column(2).as_primitive::<Float64Type>();
            let sensors = batch.column(0).as_string::<i32>();
            sensors
                .iter()
                .zip(totals.values())
                .map(|(s, t)| (s.unwrap().to_owned(), t.to_bits()))
                .collect::<Vec<_>>()
        });
        results.push(rows.collect());
    }
    assert_eq!(results[0].len(), 97);
    assert!(results.iter().all(|result| *result == results[0]));
}

#[tokio::test]
async fn a_group_too_large_for_memory_is_an_error() {
    let server = Server::with(1, vec![Arc::new(Probe::default())], 400_000);
    register(&server, &readings(20_000), 1);
    let whole = "SELECT rows FROM probe((SELECT at, x FROM readings), at => at, x => x)";
    let error = server.try_run(whole).await.unwrap_err();
    assert!(
        matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)),
        "{error}"
    );
}

#[tokio::test]
async fn dropping_the_stream_stops_the_work() {
    let probe = Probe {
        runs: Arc::default(),
        delay: Duration::from_millis(10),
    };
    let runs = Arc::clone(&probe.runs);
    let server = Server::with(2, vec![Arc::new(probe)], usize::MAX);
    register(&server, &readings(5000), 2);
    let frame = server
        .frame(&PER_SENSOR.replace("ORDER BY sensor", ""))
        .await
        .unwrap();
    let mut stream = frame.execute_stream().await.unwrap();
    // Rows come before all groups are done.
    assert!(stream.next().await.unwrap().unwrap().num_rows() > 0);
    drop(stream);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let stopped = runs.load(Ordering::SeqCst);
    assert!(stopped < 97, "{stopped}");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(runs.load(Ordering::SeqCst), stopped);
}

#[tokio::test]
async fn long_work_lets_others_run() {
    let probe = Probe {
        runs: Arc::default(),
        delay: Duration::from_millis(10),
    };
    let server = Server::with(1, vec![Arc::new(probe)], usize::MAX);
    register(&server, &readings(2000), 1);
    // On this runtime of one thread a timer fires only when the query yields.
    let query = server.try_run(PER_SENSOR);
    let result = tokio::time::timeout(Duration::from_millis(100), query).await;
    assert!(result.is_err());
}
