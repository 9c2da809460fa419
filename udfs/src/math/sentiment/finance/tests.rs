//! Labels of sentences, by hand.

use super::*;

const LABELLED: &str = include_str!("../../../../../tests/data/sentiment/finance_labelled.csv");
const OWN: &str = include_str!("../../../../../tests/data/sentiment/finance_own.csv");

/// The share of the sentences of a file, of one set if it is named, that get their label.
fn agreement(file: &str, set: &str) -> f64 {
    let (mut right, mut all) = (0.0, 0.0);
    for line in file.lines().skip(1).filter(|line| line.starts_with(set)) {
        let (_, rest) = line.split_once(',').unwrap();
        let (text, label) = rest.rsplit_once(',').unwrap();
        let found = match Finance::default().feelings(text.trim_matches('"')).label() {
            Label::Positive => "1",
            Label::Negative => "-1",
            Label::Neutral | Label::Mixed | Label::Unknown => "0",
        };
        all += 1.0;
        right += f64::from(u8::from(found == label));
    }
    right / all
}

#[test]
fn agrees_with_the_labels() {
    for (file, set) in [(LABELLED, ""), (OWN, "a"), (OWN, "b"), (OWN, "c")] {
        let found = agreement(file, set);
        assert!(found >= 0.8, "{set}: {found}");
    }
}

/// By hand.
#[test]
fn figures_are_read_against_those_of_before() {
    for (text, label) in [
        (
            "Profit was EUR 5.2 mn, compared with EUR 3.1 mn a year earlier.",
            Label::Positive,
        ),
        (
            "Profit was EUR 3.1 mn, against EUR 5.2 mn a year earlier.",
            Label::Negative,
        ),
        (
            "The loss was EUR 1.5 mn, compared with EUR 1,200 mn.",
            Label::Positive,
        ),
        ("Sales were down 4.5 percent.", Label::Negative),
        ("Costs were up 4.5 percent.", Label::Negative),
    ] {
        assert_eq!(Finance::default().feelings(text).label(), label, "{text}");
    }
}

#[test]
fn movements_are_read_with_what_moves() {
    for (text, label) in [
        ("Costs fell.", Label::Positive),
        ("Sales fell.", Label::Negative),
        ("Sales did not fall.", Label::Positive),
        ("The firm is in Oslo.", Label::Neutral),
        ("", Label::Unknown),
    ] {
        assert_eq!(Finance::default().feelings(text).label(), label, "{text}");
    }
}
