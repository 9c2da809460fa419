//! Bytes that compare as the numbers do: equal for 1.0 and 1.00, NaN last.
//!
//! A number is a byte for its kind, and if it is neither zero nor special the power of ten of its
//! leading digit in three bytes, and its digits in pairs, each pair plus one so that none is zero.
//! The bytes of a negative number are turned over, with a byte behind them that is above all pairs.

const NEGATIVE_INFINITY: u8 = 0x00;
const NEGATIVE: u8 = 0x10;
const ZERO: u8 = 0x20;
const POSITIVE: u8 = 0x30;
const INFINITY: u8 = 0x40;
const NAN: u8 = 0x50;

/// What makes every power of ten of a leading digit positive.
const EXPONENT_OFFSET: i32 = 1 << 22;

/// Appends the key of a number as this module's parent writes it.
pub(crate) fn key_of_text(text: &[u8], out: &mut Vec<u8>) {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    match digits.first() {
        Some(b'N') => return out.push(NAN),
        Some(b'I') if negative => return out.push(NEGATIVE_INFINITY),
        Some(b'I') => return out.push(INFINITY),
        _ => {}
    }
    let point = digits
        .iter()
        .position(|byte| *byte == b'.')
        .unwrap_or(digits.len());
    let counts = |byte: &u8| (b'1'..=b'9').contains(byte);
    let (Some(first), Some(last)) = (
        digits.iter().position(counts),
        digits.iter().rposition(counts),
    ) else {
        return out.push(ZERO);
    };
    let exponent = if first < point {
        point - first - 1
    } else {
        first - point
    } as i32;
    let exponent = if first < point { exponent } else { -exponent };
    out.push(if negative { NEGATIVE } else { POSITIVE });
    let start = out.len();
    let [_, bytes @ ..] = (exponent + EXPONENT_OFFSET).to_be_bytes();
    out.extend_from_slice(&bytes);
    let mut high = None;
    for byte in digits[first..=last].iter().filter(|byte| **byte != b'.') {
        let digit = byte - b'0';
        match high.take() {
            Some(tens) => out.push(tens * 10 + digit + 1),
            None => high = Some(digit),
        }
    }
    if let Some(tens) = high {
        out.push(tens * 10 + 1);
    }
    if negative {
        for byte in &mut out[start..] {
            *byte = !*byte;
        }
        out.push(u8::MAX);
    }
}
