//! Parameters and options.

use super::*;

#[tokio::test]
async fn parameters_have_types_and_bind() {
    let server = sales(2).await;
    let sql = "SELECT rows, status FROM probe((SELECT * FROM northern WHERE units < $2), limit => $1, share => $3, steps => (1, $4), on_error => $5)";
    let plan = server.plan(sql).await.unwrap();
    let fields = plan.get_parameter_fields().unwrap();
    let types: HashMap<&str, DataType> = fields
        .iter()
        .filter_map(|(id, field)| Some((id.as_str(), field.as_ref()?.data_type().clone())))
        .collect();
    assert_eq!(types.get("$1"), Some(&DataType::Int64));
    assert_eq!(types.get("$3"), Some(&DataType::Float64));
    assert_eq!(types.get("$4"), Some(&DataType::Int64));
    assert_eq!(types.get("$5"), Some(&DataType::Utf8));

    let bind = async |limit: ScalarValue| {
        let values = vec![
            limit,
            100.0.into(),
            0.5.into(),
            2i64.into(),
            "status".into(),
        ];
        server
            .frame(sql)
            .await?
            .with_param_values(ParamValues::from(values))?
            .collect()
            .await
    };
    for (limit, rows, status) in [
        (ScalarValue::from(3i64), Some(3), None),
        (3i32.into(), Some(3), None),
        (2i16.into(), None, Some("too many rows: 3 > 2")),
        ("2".into(), None, Some("too many rows: 3 > 2")),
    ] {
        let batches = bind(limit).await.unwrap();
        let found = batches[0]
            .column(0)
            .as_primitive::<datafusion::arrow::datatypes::Int64Type>();
        assert_eq!(found.iter().next().unwrap(), rows);
        let found = batches[0].column(1).as_string::<i32>();
        assert_eq!(found.iter().next().unwrap(), status);
    }
    for (limit, message) in [
        (
            ScalarValue::from(0i64),
            "invalid value for argument \"limit\": \"0\"",
        ),
        (
            ScalarValue::Int64(None),
            "argument \"limit\" must not be null",
        ),
        (
            1.5.into(),
            "argument \"limit\" must be an integer, not double precision",
        ),
    ] {
        let error = bind(limit).await.unwrap_err();
        assert_eq!(Error::find(&error).unwrap().to_string(), message);
    }
    let unbound = server.try_run(sql).await.unwrap_err();
    assert!(
        matches!(
            Error::find(&unbound),
            None | Some(Error::NotConstant { .. })
        ),
        "{unbound}"
    );

    server
        .run("PREPARE p(int) AS SELECT rows FROM probe(northern, limit => $1 + 1)")
        .await;
    assert_eq!(server.rows("EXECUTE p(2)").await, ["3"]);
}

#[tokio::test]
async fn options_are_read_from_any_constant() {
    let server = sales(1).await;
    for arguments in [
        "limit => 3",
        "limit => '3'",
        "limit => 1 + 2",
        "limit => 3::smallint",
        "limit => abs(-3)",
        "LIMIT => 3",
        "exact => true",
        "exact => 'on'",
        "tags => 'a'",
        "tags => ('a', 'b')",
        "tags => ARRAY['a']",
        "steps => 'auto'",
        "steps => ARRAY[1, 2]",
        "share => 1",
        "share => 0.5::numeric",
        "on_error => 'ABORT'",
        "limit => (3)",
    ] {
        let sql = format!("SELECT rows FROM probe(northern, {arguments})");
        assert_eq!(server.rows(&sql).await, ["3"], "{arguments}");
    }
}
