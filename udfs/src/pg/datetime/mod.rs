//! Functions on dates, times and intervals.

pub(crate) mod age;
pub(crate) mod arithmetic;
pub(crate) mod date_trunc;
pub(crate) mod extract;
pub(crate) mod make;
pub(crate) mod moments;
pub(crate) mod now;
pub(crate) mod template;
pub(crate) mod to_char;
pub(crate) mod to_timestamp;
pub(crate) mod zoned;

use super::function::{Overload, Spec};
use super::number;
use super::types::Ty;

/// `to_char(value, template)` of everything that has a template.
const TO_CHAR: Spec = Spec::stable(
    "to_char",
    &[
        Overload::new(&[Ty::Timestamptz, Ty::Text], Ty::Text, to_char::timestamptz),
        Overload::new(&[Ty::Timestamp, Ty::Text], Ty::Text, to_char::timestamp),
        Overload::new(&[Ty::Interval, Ty::Text], Ty::Text, to_char::interval),
        Overload::new(&[Ty::Time, Ty::Text], Ty::Text, to_char::time),
        Overload::new(&[Ty::Int4, Ty::Text], Ty::Text, number::to_char::int4),
        Overload::new(&[Ty::Int8, Ty::Text], Ty::Text, number::to_char::int8),
        Overload::new(&[Ty::Float4, Ty::Text], Ty::Text, number::to_char::float4),
        Overload::new(&[Ty::Float8, Ty::Text], Ty::Text, number::to_char::float8),
        Overload::new(&[Ty::Numeric, Ty::Text], Ty::Text, number::to_char::numeric),
    ],
);

/// The functions on dates and times.
pub(crate) fn specs() -> Vec<Spec> {
    vec![
        TO_CHAR,
        to_timestamp::TO_TIMESTAMP,
        to_timestamp::TO_DATE,
        extract::EXTRACT,
        extract::DATE_PART,
        date_trunc::DATE_TRUNC,
        date_trunc::DATE_BIN,
        age::AGE,
        age::JUSTIFY_DAYS,
        age::JUSTIFY_HOURS,
        age::JUSTIFY_INTERVAL,
        age::ISFINITE,
        make::MAKE_DATE,
        make::MAKE_TIME,
        make::MAKE_TIMESTAMP,
        make::MAKE_TIMESTAMPTZ,
        make::MAKE_INTERVAL,
        make::TIMEZONE,
        arithmetic::PLUS,
        arithmetic::MINUS,
        arithmetic::TIMES,
        arithmetic::DIVIDE,
        arithmetic::NEGATE,
        arithmetic::LENGTH,
    ]
}
