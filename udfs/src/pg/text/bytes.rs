//! `get_byte`, `set_byte`, `get_bit` and `set_bit` of a bytea; bits are counted from the lowest of the first byte.

use super::super::error::{PgError, PgResult};
use super::super::function::{Overload, Spec};
use super::super::types::Ty;
use super::super::value::{Bytes, map2, map3};

const BITS: i64 = 8;

/// The place of an index among so many, or PostgreSQL's error.
fn place(index: i64, count: usize) -> PgResult<usize> {
    let found = usize::try_from(index).ok().filter(|place| *place < count);
    found.ok_or_else(|| {
        PgError::ArraySubscript(format!(
            "index {index} out of valid range, 0..{}",
            i64::try_from(count).unwrap_or(i64::MAX) - 1
        ))
    })
}

fn bit(bytes: &[u8], index: i64) -> PgResult<(usize, u8)> {
    place(index, bytes.len() * BITS as usize)?;
    let byte = usize::try_from(index / BITS).unwrap_or(0);
    Ok((byte, 1 << (index % BITS)))
}

pub(super) const SPECS: &[Spec] = &[
    Spec::immutable(
        "get_byte",
        &[Overload::new(&[Ty::Bytea, Ty::Int4], Ty::Int4, |call| {
            map2(call, |bytes: Bytes<'_>, index: i32| {
                Ok(i32::from(bytes[place(i64::from(index), bytes.len())?]))
            })
        })],
    ),
    Spec::immutable(
        "set_byte",
        &[Overload::new(
            &[Ty::Bytea, Ty::Int4, Ty::Int4],
            Ty::Bytea,
            |call| {
                map3(call, |bytes: Bytes<'_>, index: i32, value: i32| {
                    let place = place(i64::from(index), bytes.len())?;
                    let mut bytes = bytes.into_owned();
                    // As C's assignment to a byte: the lowest eight bits.
                    bytes[place] = value.to_le_bytes()[0];
                    Ok(bytes)
                })
            },
        )],
    ),
    Spec::immutable(
        "get_bit",
        &[Overload::new(&[Ty::Bytea, Ty::Int8], Ty::Int4, |call| {
            map2(call, |bytes: Bytes<'_>, index: i64| {
                let (byte, mask) = bit(&bytes, index)?;
                Ok(i32::from(bytes[byte] & mask != 0))
            })
        })],
    ),
    Spec::immutable(
        "set_bit",
        &[Overload::new(
            &[Ty::Bytea, Ty::Int8, Ty::Int4],
            Ty::Bytea,
            |call| {
                map3(call, |bytes: Bytes<'_>, index: i64, value: i32| {
                    let (byte, mask) = bit(&bytes, index)?;
                    if !(0..=1).contains(&value) {
                        return Err(PgError::InvalidParameter(
                            "new bit must be 0 or 1".to_owned(),
                        ));
                    }
                    let mut bytes = bytes.into_owned();
                    if value == 1 {
                        bytes[byte] |= mask;
                    } else {
                        bytes[byte] &= !mask;
                    }
                    Ok(bytes)
                })
            },
        )],
    ),
];
