//! t
#[test]
fn t() {
    let s = crate::harness::Server::start();
    let t = s.tenant();
    let mut c = t.connect();
    assert_eq!(c.value("SELECT 1"), "1");
}
