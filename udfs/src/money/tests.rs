use crate::testing::Server;

async fn one(sql: &str) -> String {
    Server::new(2).rows(sql).await.join(" ")
}

const LOAN: &str = "(VALUES (1, -70000.0), (2, 12000.0), (3, 15000.0), (4, 18000.0), (5, 21000.0), (6, 26000.0)) AS v(p, f)";

/// Excel's manual: IRR 8.7 %, and of the first five flows −2.1 %.
#[tokio::test]
async fn flows_have_rates() {
    let sql = format!(
        "SELECT round(irr(f ORDER BY p), 4), round(irr(f ORDER BY p) FILTER (WHERE p < 6), 3) FROM {LOAN}"
    );
    assert_eq!(one(&sql).await, "0.0866|-0.021");
    let sql = format!(
        "SELECT round(npv(0.1, f ORDER BY p), 2), round(npv(0.1, f, first => 0 ORDER BY p), 2) FROM {LOAN}"
    );
    assert_eq!(one(&sql).await, "-2439.37|-2683.31");
    let several = "SELECT irr_info(f, guess => 0.5 ORDER BY p) FROM (VALUES (1, -100.0), (2, 230.0), (3, -132.0)) AS v(p, f)";
    let found = one(several).await;
    assert!(
        found.contains("2 rates: the one nearest to the guess"),
        "{found}"
    );
    let none = "SELECT irr(f ORDER BY p) FROM (VALUES (1, 100.0), (2, 230.0)) AS v(p, f)";
    assert_eq!(one(none).await, "");
}

#[tokio::test]
async fn dated_flows_have_rates() {
    let flows = "(VALUES (DATE '2008-10-30', 4250.0), (DATE '2008-01-01', -10000.0), (DATE '2008-03-01', 2750.0),
        (DATE '2009-02-15', 3250.0), (DATE '2009-04-01', 2750.0)) AS v(d, f)";
    let sql = format!("SELECT round(xirr(f, d), 7), round(xnpv(0.09, f, d), 2) FROM {flows}");
    assert_eq!(one(&sql).await, "0.3733625|2086.65");
}

#[tokio::test]
async fn annuities_take_names_and_defaults() {
    assert_eq!(one("SELECT round(pmt(0.08 / 12, 10, 10000), 2), round(pmt(nper => 10, rate => 0.0, pv => 1000), 2)").await, "-1037.03|-100.0");
    assert_eq!(
        one(
            "SELECT round(fv(0.06 / 12, 10, -200, -500, due => 1), 2), round(cagr(100, 121, 2), 9)"
        )
        .await,
        "2581.4|0.1"
    );
    assert_eq!(
        one("SELECT round(rate(48, -200, 8000), 8), nper(0, -100, 1000), pmt(NULL, 1, 1)").await,
        "0.00770147|10.0|"
    );
}

#[tokio::test]
async fn windows_look_back() {
    let sql = "SELECT growth_rate(x) OVER (ORDER BY t), ema(x, alpha => 0.5) OVER (ORDER BY t), moving_average(x, 2) OVER (ORDER BY t)
        FROM (VALUES (1, 10.0), (2, 20.0), (3, NULL), (4, 40.0)) AS v(t, x) ORDER BY t";
    assert_eq!(one(sql).await, "|10.0| 1.0|15.0|15.0 ||20.0 |27.5|40.0");
}
