//! What a tenant used in a day or a month.

use crate::id::TenantId;

/// Amounts that only ever grow within a period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    pub queries: u64,
    /// Statements and logins that a quota refused.
    pub rejected: u64,
    pub connections: u64,
    /// Rows that scans of stored tables gave.
    pub rows_read: u64,
    pub bytes_read: u64,
    pub rows_written: u64,
    pub bytes_written: u64,
    pub rows_returned: u64,
    pub cpu_micros: u64,
    /// Memory of statements by the time they held it, in KiB × milliseconds.
    pub memory_kib_ms: u64,
}

impl Used {
    /// Whether nothing was used.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            queries: self.queries + other.queries,
            rejected: self.rejected + other.rejected,
            connections: self.connections + other.connections,
            rows_read: self.rows_read + other.rows_read,
            bytes_read: self.bytes_read + other.bytes_read,
            rows_written: self.rows_written + other.rows_written,
            bytes_written: self.bytes_written + other.bytes_written,
            rows_returned: self.rows_returned + other.rows_returned,
            cpu_micros: self.cpu_micros + other.cpu_micros,
            memory_kib_ms: self.memory_kib_ms + other.memory_kib_ms,
        }
    }
}

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    Day,
    Month,
}

impl Period {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Day, Self::Month];

    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// The period of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.name() == name)
    }

    /// The first day of the period that a day is in, both in days since 1970 (UTC).
    pub fn first_day(self, day: i64) -> i64 {
        use chrono::Datelike;
        match self {
            Self::Day => day,
            Self::Month => {
                let date = chrono::DateTime::from_timestamp(day * 86_400, 0);
                date.map_or(day, |date| day - i64::from(date.day0()))
            }
        }
    }
}

/// What one tenant used in one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    pub tenant: TenantId,
    pub period: Period,
    /// In days since 1970.
    pub first_day: i64,
    pub used: Used,
}

/// Today in days since 1970 (UTC).
pub fn today() -> i64 {
    chrono::Utc::now().timestamp().div_euclid(86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_on_their_first_day() {
        // 2024-02-29 is day 19782, as `date -d 2024-02-29 +%s` over 86400 says.
        assert_eq!(Period::Month.first_day(19_782), 19_782 - 28);
        assert_eq!(Period::Month.first_day(19_783), 19_783);
        assert_eq!(Period::Day.first_day(19_782), 19_782);
    }
}
