//! Reference values: PostgreSQL 15.

use super::*;

fn number(text: &str) -> Numeric {
    Numeric::parse(text).unwrap()
}

fn key(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    key_of_text(number(text).to_string().as_bytes(), &mut out);
    out
}

#[test]
fn text_is_kept_with_its_scale() {
    for (text, shown) in [
        ("1.10", "1.10"),
        ("-0.0", "0.0"),
        (" 1e2 ", "100"),
        ("1e-5", "0.00001"),
        (".5", "0.5"),
        ("5.", "5"),
        ("+7", "7"),
        ("nan", "NaN"),
        ("-inf", "-Infinity"),
        ("Infinity", "Infinity"),
        (
            "123456789012345678901234567890123456789012345.678901234567890",
            "123456789012345678901234567890123456789012345.678901234567890",
        ),
        ("1e40", "10000000000000000000000000000000000000000"),
    ] {
        assert_eq!(number(text).to_string(), shown, "{text}");
    }
    for text in ["", ".", "1e", "abc", "1.2.3", "--1", "1 2", "infinit"] {
        assert!(Numeric::parse(text).is_err(), "{text}");
    }
    assert!(Numeric::parse("1e200000").is_err());
}

#[test]
fn results_have_postgres_scales() {
    let check = |result: PgResult<Numeric>, wanted: &str| {
        assert_eq!(result.unwrap().to_string(), wanted);
    };
    check(number("1").divide(&number("3")), "0.33333333333333333333");
    check(number("10").divide(&number("4")), "2.5000000000000000");
    check(
        number("123456789.5").divide(&number("0.0003")),
        "411522631666.66666667",
    );
    check(number("1.5").multiply(&number("2.25")), "3.375");
    check(number("7.5").remainder(&number("-2")), "1.5");
    check(
        number("1e30").divide(&number("7")),
        "142857142857142857142857142857",
    );
    check(number("2").power(&number("0.5")), "1.4142135623730950");
    check(number("2").power(&number("3")), "8.0000000000000000");
    check(number("2").sqrt(), "1.414213562373095");
    check(number("1").exp(), "2.7182818284590452");
    check(number("2.0").ln(), "0.6931471805599453");
    check(number("1000.0").log(&number("10")), "3.0000000000000000");
    check(number("inf").subtract(&number("inf")), "NaN");
    check(number("5").divide(&number("inf")), "0");
    assert_eq!(
        number("1").divide(&number("0.00")),
        Err(PgError::DivisionByZero)
    );
}

#[test]
fn keys_compare_as_numbers_do() {
    let rising = [
        "-inf", "-1e50", "-1234.5", "-12.01", "-12", "-1.5", "-0.002", "-0.0015", "0", "1e-20",
        "0.0015", "0.002", "0.9", "1", "1.5", "9.99", "10", "12", "12.01", "1234.5", "1e50", "inf",
        "nan",
    ];
    for pair in rising.windows(2) {
        assert!(key(pair[0]) < key(pair[1]), "{pair:?}");
        assert!(
            number(pair[0]).compare(&number(pair[1])).is_lt(),
            "{pair:?}"
        );
    }
    assert_eq!(key("1.0"), key("1.000"));
    assert_eq!(key("0.00"), key("-0"));
    assert_eq!(key("1200"), key("1.2e3"));
}

#[test]
fn floats_become_numbers_of_the_digits_that_count() {
    assert_eq!(Numeric::of_float(1.5, 15).to_string(), "1.5");
    assert_eq!(Numeric::of_float(f64::from(1.1_f32), 6).to_string(), "1.1");
    assert_eq!(
        Numeric::of_float(1e20, 15).to_string(),
        "100000000000000000000"
    );
    assert_eq!(Numeric::of_float(0.1 + 0.2, 15).to_string(), "0.3");
}
