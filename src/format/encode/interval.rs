//! Intervals as text, in each of `IntervalStyle`'s forms.

use arrow::datatypes::IntervalMonthDayNano;

use super::datetime::{fraction, two};
use super::{IntervalStyle, number};

/// An interval in the fields that PostgreSQL writes.
struct Fields {
    years: i64,
    months: i64,
    days: i64,
    hours: i64,
    minutes: i64,
    seconds: i64,
    micros: i64,
}

/// Appends an interval.
pub fn interval(value: &IntervalMonthDayNano, style: IntervalStyle, out: &mut Vec<u8>) {
    let micros = value.nanoseconds / 1000;
    let fields = Fields {
        years: i64::from(value.months / 12),
        months: i64::from(value.months % 12),
        days: i64::from(value.days),
        hours: micros / 3_600_000_000,
        minutes: micros / 60_000_000 % 60,
        seconds: micros / 1_000_000 % 60,
        micros: micros % 1_000_000,
    };
    match style {
        IntervalStyle::Postgres => postgres(&fields, out),
        IntervalStyle::PostgresVerbose => verbose(&fields, out),
        IntervalStyle::SqlStandard => sql_standard(&fields, out),
        IntervalStyle::Iso8601 => iso_8601(&fields, out),
    }
}

impl Fields {
    fn time_is_negative(&self) -> bool {
        self.hours < 0 || self.minutes < 0 || self.seconds < 0 || self.micros < 0
    }

    fn has_time(&self) -> bool {
        self.hours != 0 || self.minutes != 0 || self.seconds != 0 || self.micros != 0
    }

    fn has_date(&self) -> bool {
        self.years != 0 || self.months != 0 || self.days != 0
    }

    /// `HH:MM:SS.ffffff` without a sign; `width` digits of hours at least.
    fn clock(&self, pad_hours: bool, out: &mut Vec<u8>) {
        let hours = self.hours.unsigned_abs();
        if pad_hours && hours < 100 {
            two(hours as u32, out);
        } else {
            number::integer(hours, out);
        }
        out.push(b':');
        two(self.minutes.unsigned_abs() as u32, out);
        out.push(b':');
        two(self.seconds.unsigned_abs() as u32, out);
        fraction(self.micros.abs(), out);
    }
}

/// `1 year 2 mons -3 days +04:05:06`.
fn postgres(fields: &Fields, out: &mut Vec<u8>) {
    let mut first = true;
    let mut before_negative = false;
    for (value, unit) in [
        (fields.years, "year"),
        (fields.months, "mon"),
        (fields.days, "day"),
    ] {
        if value == 0 {
            continue;
        }
        if !first {
            out.push(b' ');
        }
        if before_negative && value > 0 {
            out.push(b'+');
        }
        number::integer(value, out);
        out.push(b' ');
        out.extend_from_slice(unit.as_bytes());
        if value != 1 {
            out.push(b's');
        }
        before_negative = value < 0;
        first = false;
    }
    if first || fields.has_time() {
        if !first {
            out.push(b' ');
        }
        if fields.time_is_negative() {
            out.push(b'-');
        } else if before_negative {
            out.push(b'+');
        }
        fields.clock(true, out);
    }
}

/// `@ 1 year 2 mons 3 days 4 hours 5 mins 6 secs ago`.
fn verbose(fields: &Fields, out: &mut Vec<u8>) {
    out.push(b'@');
    let mut first = true;
    let mut negative = false;
    for (value, unit) in [
        (fields.years, "year"),
        (fields.months, "mon"),
        (fields.days, "day"),
        (fields.hours, "hour"),
        (fields.minutes, "min"),
    ] {
        if value == 0 {
            continue;
        }
        if first {
            negative = value < 0;
        }
        let shown = if negative { -value } else { value };
        out.push(b' ');
        number::integer(shown, out);
        out.push(b' ');
        out.extend_from_slice(unit.as_bytes());
        if shown != 1 {
            out.push(b's');
        }
        first = false;
    }
    if fields.seconds != 0 || fields.micros != 0 {
        let below_zero = fields.seconds < 0 || fields.micros < 0;
        if first {
            negative = below_zero;
        }
        out.push(b' ');
        if below_zero != negative {
            out.push(b'-');
        }
        number::integer(fields.seconds.abs(), out);
        fraction(fields.micros.abs(), out);
        let one = fields.seconds.abs() == 1 && fields.micros == 0;
        out.extend_from_slice(if one { b" sec" } else { b" secs" });
        first = false;
    }
    if first {
        out.extend_from_slice(b" 0");
    }
    if negative {
        out.extend_from_slice(b" ago");
    }
}

/// `1-2`, `3 4:05:06` or `+1-2 -3 +4:05:06`.
fn sql_standard(fields: &Fields, out: &mut Vec<u8>) {
    let all = [
        fields.years,
        fields.months,
        fields.days,
        fields.hours,
        fields.minutes,
        fields.seconds,
        fields.micros,
    ];
    let negative = all.iter().any(|value| *value < 0);
    let positive = all.iter().any(|value| *value > 0);
    let has_months = fields.years != 0 || fields.months != 0;
    let has_rest = fields.days != 0 || fields.has_time();
    let mixed = (negative && positive) || (has_months && has_rest);
    if !negative && !positive {
        out.push(b'0');
        return;
    }
    if mixed {
        let sign = |below: bool| if below { b'-' } else { b'+' };
        out.push(sign(fields.years < 0 || fields.months < 0));
        number::integer(fields.years.abs(), out);
        out.push(b'-');
        number::integer(fields.months.abs(), out);
        out.push(b' ');
        out.push(sign(fields.days < 0));
        number::integer(fields.days.abs(), out);
        out.push(b' ');
        out.push(sign(fields.time_is_negative()));
        fields.clock(false, out);
        return;
    }
    if negative {
        out.push(b'-');
    }
    if has_months {
        number::integer(fields.years.abs(), out);
        out.push(b'-');
        number::integer(fields.months.abs(), out);
    } else if fields.days != 0 {
        number::integer(fields.days.abs(), out);
        out.push(b' ');
        fields.clock(false, out);
    } else {
        fields.clock(false, out);
    }
}

/// `P1Y2M3DT4H5M6.7S`.
fn iso_8601(fields: &Fields, out: &mut Vec<u8>) {
    if !fields.has_date() && !fields.has_time() {
        out.extend_from_slice(b"PT0S");
        return;
    }
    let part = |value: i64, unit: u8, out: &mut Vec<u8>| {
        if value != 0 {
            number::integer(value, out);
            out.push(unit);
        }
    };
    out.push(b'P');
    part(fields.years, b'Y', out);
    part(fields.months, b'M', out);
    part(fields.days, b'D', out);
    if fields.has_time() {
        out.push(b'T');
        part(fields.hours, b'H', out);
        part(fields.minutes, b'M', out);
        if fields.seconds != 0 || fields.micros != 0 {
            if fields.seconds < 0 || fields.micros < 0 {
                out.push(b'-');
            }
            number::integer(fields.seconds.abs(), out);
            fraction(fields.micros.abs(), out);
            out.push(b'S');
        }
    }
}
