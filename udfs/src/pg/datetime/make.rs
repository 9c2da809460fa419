//! `make_date`, `make_time`, `make_timestamp`, `make_timestamptz`, `make_interval`, `timezone` and `to_timestamp(double)`.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::Result;

use super::super::calendar::{
    DAY, HOUR, MINUTE, Parts, SECOND, checked_date, checked_timestamp, days_in_month,
};
use super::super::error::{PgError, PgResult};
use super::super::function::{Call, Overload, Planned, Ret, Spec};
use super::super::types::Ty;
use super::super::value::{
    Interval, Memo, Reader, Time, Timestamp, Timestamptz, Timetz, map1, map2, map3, rows,
};
use super::super::zone::Zone;

pub(crate) const MAKE_DATE: Spec = Spec::immutable(
    "make_date",
    &[Overload::new(
        &[Ty::Int4, Ty::Int4, Ty::Int4],
        Ty::Date,
        |call| {
            map3(call, |year: i32, month: i32, day: i32| {
                let out_of_range = || {
                    PgError::DatetimeOverflow(format!(
                        "date field value out of range: {year}-{month:02}-{day:02}"
                    ))
                };
                let parts = civil(year, month, day).ok_or_else(out_of_range)?;
                checked_date(parts.days()).map_err(|_| {
                    PgError::DatetimeOverflow(format!(
                        "date out of range: {year}-{month:02}-{day:02}"
                    ))
                })
            })
        },
    )],
);

pub(crate) const MAKE_TIME: Spec = Spec::immutable(
    "make_time",
    &[Overload::new(
        &[Ty::Int4, Ty::Int4, Ty::Float8],
        Ty::Time,
        |call| {
            map3(call, |hour: i32, minute: i32, second: f64| {
                time_of_day(hour, minute, second).map(Time)
            })
        },
    )],
);

pub(crate) const MAKE_TIMESTAMP: Spec = Spec::immutable(
    "make_timestamp",
    &[Overload::new(
        &[Ty::Int4, Ty::Int4, Ty::Int4, Ty::Int4, Ty::Int4, Ty::Float8],
        Ty::Timestamp,
        |call| {
            let fields = WallClock::of(call)?;
            rows(call, |row| fields.get(row))
        },
    )],
);

pub(crate) const MAKE_TIMESTAMPTZ: Spec = Spec::stable(
    "make_timestamptz",
    &[
        Overload::new(
            &[Ty::Int4, Ty::Int4, Ty::Int4, Ty::Int4, Ty::Int4, Ty::Float8],
            Ty::Timestamptz,
            |call| {
                let fields = WallClock::of(call)?;
                let zone = Zone::of_type(call.zone())?;
                rows(call, |row| {
                    fields.get(row)?.map(|wall| zone.moment(wall)).transpose()
                })
            },
        ),
        Overload::new(
            &[
                Ty::Int4,
                Ty::Int4,
                Ty::Int4,
                Ty::Int4,
                Ty::Int4,
                Ty::Float8,
                Ty::Text,
            ],
            Ty::Timestamptz,
            |call| {
                let fields = WallClock::of(call)?;
                let zones = Reader::<&str>::of(call, 6)?;
                let mut memo = Memo::new();
                rows(call, |row| {
                    let (Some(wall), Some(zone)) = (fields.get(row)?, zones.get(row)?) else {
                        return Ok(None);
                    };
                    // Here, unlike in AT TIME ZONE, an offset is written as ISO 8601 has it.
                    memo.get(zone, Zone::of_type)?.moment(wall).map(Some)
                })
            },
        ),
    ],
);

const MAKE_INTERVAL_ARGS: &[Ty] = &[
    Ty::Int4,
    Ty::Int4,
    Ty::Int4,
    Ty::Int4,
    Ty::Int4,
    Ty::Int4,
    Ty::Float8,
];

macro_rules! make_interval_up_to {
    ($($count:literal),+) => {
        &[$(Overload::new(MAKE_INTERVAL_ARGS.split_at($count).0, Ty::Interval, make_interval)),+]
    };
}

/// Trailing arguments may be left out.
pub(crate) const MAKE_INTERVAL: Spec = Spec::immutable(
    "make_interval",
    make_interval_up_to!(0, 1, 2, 3, 4, 5, 6, 7),
);

fn make_interval(call: &Call<'_>) -> Result<ArrayRef> {
    let count = call.args.len();
    let whole = (0..count.min(6))
        .map(|index| Reader::<i32>::of(call, index))
        .collect::<Result<Vec<_>>>()?;
    let seconds = if count > 6 {
        Some(Reader::<f64>::of(call, 6)?)
    } else {
        None
    };
    rows(call, |row| {
        let mut values = [0_i64; 6];
        for (value, reader) in values.iter_mut().zip(&whole) {
            match reader.get(row)? {
                Some(given) => *value = i64::from(given),
                None => return Ok(None),
            }
        }
        let second = match &seconds {
            Some(reader) => match reader.get(row)? {
                Some(second) => second,
                None => return Ok(None),
            },
            None => 0.0,
        };
        if !second.is_finite() {
            return Err(PgError::interval_range());
        }
        let [years, months, weeks, days, hours, minutes] = values;
        let narrow = |value: i64| i32::try_from(value).map_err(|_| PgError::interval_range());
        let micros = (second * 1e6).round_ties_even() as i64;
        Ok(Some(Interval {
            months: narrow(years * 12 + months)?,
            days: narrow(weeks * 7 + days)?,
            micros: hours * HOUR + minutes * MINUTE + micros,
        }))
    })
}

/// A date whose year is as people write it: negative years are BC, there is no year 0.
fn civil(year: i32, month: i32, day: i32) -> Option<Parts> {
    let astronomical = match year {
        0 => return None,
        year if year < 0 => year + 1,
        year => year,
    };
    let valid = (1..=12).contains(&month) && day >= 1 && day <= days_in_month(astronomical, month);
    (valid && astronomical.abs() < 6_000_000).then_some(Parts {
        year: astronomical,
        month,
        day,
        time: 0,
    })
}

fn time_of_day(hour: i32, minute: i32, second: f64) -> PgResult<i64> {
    let seconds_valid = (0.0..=60.0).contains(&second);
    let micros = i64::from(hour) * HOUR
        + i64::from(minute) * MINUTE
        + (second * 1e6).round_ties_even() as i64;
    let valid =
        (0..=24).contains(&hour) && (0..60).contains(&minute) && seconds_valid && micros <= DAY;
    if valid {
        return Ok(micros);
    }
    let mut shown = second.to_string();
    if (0.0..10.0).contains(&second) {
        shown.insert(0, '0');
    }
    Err(PgError::DatetimeOverflow(format!(
        "time field value out of range: {hour}:{minute:02}:{shown}"
    )))
}

/// The six fields of a timestamp.
struct WallClock<'a> {
    whole: Vec<Reader<'a, i32>>,
    second: Reader<'a, f64>,
}

impl<'a> WallClock<'a> {
    fn of(call: &'a Call<'_>) -> Result<Self> {
        let whole = (0..5)
            .map(|index| Reader::<i32>::of(call, index))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            whole,
            second: Reader::of(call, 5)?,
        })
    }

    fn get(&self, row: usize) -> PgResult<Option<Timestamp>> {
        let mut values = [0_i32; 5];
        for (value, reader) in values.iter_mut().zip(&self.whole) {
            match reader.get(row)? {
                Some(given) => *value = given,
                None => return Ok(None),
            }
        }
        let Some(second) = self.second.get(row)? else {
            return Ok(None);
        };
        let [year, month, day, hour, minute] = values;
        let out_of_range = || {
            PgError::DatetimeOverflow(format!(
                "date field value out of range: {year}-{month:02}-{day:02}"
            ))
        };
        let parts = civil(year, month, day).ok_or_else(out_of_range)?;
        let time = time_of_day(hour, minute, second)?;
        let micros = parts
            .days()
            .checked_mul(DAY)
            .and_then(|days| days.checked_add(time));
        micros
            .ok_or_else(PgError::timestamp_range)
            .and_then(checked_timestamp)
            .map(Some)
    }
}

/// `timezone(zone, value)`, which `AT TIME ZONE` is.
pub(crate) const TIMEZONE: Spec = Spec::stable(
    "timezone",
    &[
        Overload::new(&[Ty::Text, Ty::Timestamptz], Ty::Timestamp, |call| {
            let mut memo = Memo::new();
            map2(call, |zone: &str, moment: Timestamptz| {
                Ok(memo.get(zone, Zone::named)?.local(moment))
            })
        }),
        Overload::returning(
            &[Ty::Text, Ty::Timestamp],
            Ret::By(session_timestamptz),
            |call| {
                let mut memo = Memo::new();
                map2(call, |zone: &str, wall: Timestamp| {
                    memo.get(zone, Zone::named)?.moment(wall)
                })
            },
        ),
        Overload::new(&[Ty::Text, Ty::Timetz], Ty::Timetz, |call| {
            let mut memo = Memo::new();
            let now = super::zoned::now();
            map2(call, |zone: &str, time: Timetz| {
                Ok(time.in_zone(memo.get(zone, Zone::named)?, now))
            })
        }),
        Overload::new(&[Ty::Interval, Ty::Timetz], Ty::Timetz, |call| {
            let now = super::zoned::now();
            map2(call, |zone: Interval, time: Timetz| {
                Ok(time.in_zone(&interval_zone(zone)?, now))
            })
        }),
        Overload::new(&[Ty::Interval, Ty::Timestamptz], Ty::Timestamp, |call| {
            map2(call, |zone: Interval, moment: Timestamptz| {
                Ok(interval_zone(zone)?.local(moment))
            })
        }),
        Overload::returning(
            &[Ty::Interval, Ty::Timestamp],
            Ret::By(session_timestamptz),
            |call| {
                map2(call, |zone: Interval, wall: Timestamp| {
                    interval_zone(zone)?.moment(wall)
                })
            },
        ),
    ],
);

fn session_timestamptz(planned: &Planned<'_>) -> Result<Field> {
    Ok(Field::new(
        "timezone",
        DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(planned.zone))),
        true,
    ))
}

fn interval_zone(zone: Interval) -> PgResult<Zone> {
    if zone.months != 0 || zone.days != 0 {
        let mut text = String::new();
        super::super::output::write_interval(&mut text, zone);
        return Err(PgError::InvalidParameter(format!(
            "interval time zone \"{text}\" must not include months or days"
        )));
    }
    Ok(Zone::fixed(
        i32::try_from(zone.micros / SECOND).unwrap_or(0),
    ))
}

/// Seconds since 1970 as a timestamp with zone.
pub(crate) fn from_epoch(call: &Call<'_>) -> Result<ArrayRef> {
    map1(call, |seconds: f64| {
        if seconds.is_nan() {
            return Err(PgError::DatetimeOverflow(
                "timestamp cannot be NaN".to_owned(),
            ));
        }
        if seconds.is_infinite() {
            return Ok(Timestamptz(if seconds > 0.0 { i64::MAX } else { i64::MIN }));
        }
        let micros = (seconds * 1e6).round_ties_even();
        let out_of_range =
            || PgError::DatetimeOverflow(format!("timestamp out of range: \"{}\"", shown(seconds)));
        if micros.abs() >= 9.3e18 {
            return Err(out_of_range());
        }
        checked_timestamp(micros as i64)
            .map(|moment| Timestamptz(moment.0))
            .map_err(|_| out_of_range())
    })
}

fn shown(seconds: f64) -> String {
    let mut text = String::new();
    super::super::output::write_f64(&mut text, seconds);
    text
}
