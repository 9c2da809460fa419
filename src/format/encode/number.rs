//! Numbers as PostgreSQL writes them.

use arrow::datatypes::i256;

/// Appends an integer.
#[inline]
pub fn integer<I: itoa::Integer>(value: I, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a decimal with `scale` digits after the point.
#[inline]
pub fn decimal(value: i128, scale: i8, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let magnitude = value.unsigned_abs();
    let digits = match u64::try_from(magnitude) {
        Ok(small) => buffer.format(small),
        Err(_) => buffer.format(magnitude),
    };
    place_point(value < 0, digits, scale, out);
}

/// Appends a decimal of more than 38 digits.
pub fn wide_decimal(value: i256, scale: i8, out: &mut Vec<u8>) {
    let text = value.to_string();
    match text.strip_prefix('-') {
        Some(digits) => place_point(true, digits, scale, out),
        None => place_point(false, &text, scale, out),
    }
}

fn place_point(negative: bool, digits: &str, scale: i8, out: &mut Vec<u8>) {
    if negative {
        out.push(b'-');
    }
    let digits = digits.as_bytes();
    let Ok(scale) = usize::try_from(scale) else {
        out.extend_from_slice(digits);
        if digits != b"0" {
            out.extend(std::iter::repeat_n(b'0', usize::from(scale.unsigned_abs())));
        }
        return;
    };
    if scale == 0 {
        out.extend_from_slice(digits);
    } else if digits.len() > scale {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    } else {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', scale - digits.len()));
        out.extend_from_slice(digits);
    }
}

/// Appends a `double precision`: the shortest digits that read back as the same number, or as many
/// as `extra_float_digits` of zero or less leaves.
pub fn float8(value: f64, extra_digits: i32, out: &mut Vec<u8>) {
    if !value.is_finite() || value == 0.0 {
        special(value, out);
    } else if extra_digits > 0 {
        shortest(ryu::Buffer::new().format_finite(value), 15, out);
    } else {
        rounded(value, (15 + extra_digits).max(1) as usize, out);
    }
}

/// Appends a `real`, as [`float8`] does.
pub fn float4(value: f32, extra_digits: i32, out: &mut Vec<u8>) {
    if !value.is_finite() || value == 0.0 {
        special(f64::from(value), out);
    } else if extra_digits > 0 {
        shortest(ryu::Buffer::new().format_finite(value), 6, out);
    } else {
        rounded(f64::from(value), (6 + extra_digits).max(1) as usize, out);
    }
}

fn special(value: f64, out: &mut Vec<u8>) {
    let text: &[u8] = if value.is_nan() {
        b"NaN"
    } else if value == 0.0 {
        if value.is_sign_negative() {
            b"-0"
        } else {
            b"0"
        }
    } else if value > 0.0 {
        b"Infinity"
    } else {
        b"-Infinity"
    };
    out.extend_from_slice(text);
}

/// Rewrites shortest digits: plain below `10^limit` and from `10^-4`, else with an exponent.
fn shortest(text: &str, limit: i32, out: &mut Vec<u8>) {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().unwrap_or_default()),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = if fraction == "0" { "" } else { fraction };
    // digits × 10^(point - digits.len()), without leading or trailing zeros
    let mut digits = [0u8; 40];
    let mut length = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        digits[length] = byte;
        length += 1;
    }
    let leading = digits[..length]
        .iter()
        .take_while(|byte| **byte == b'0')
        .count();
    let point = whole.len() as i32 + exponent - leading as i32;
    let trailing = digits[leading..length]
        .iter()
        .rev()
        .take_while(|byte| **byte == b'0')
        .count();
    write_digits(
        negative,
        &digits[leading..length - trailing],
        point,
        limit,
        out,
    );
}

/// The value with so many significant digits, without trailing zeros, as C's `%g` writes it.
fn rounded(value: f64, precision: usize, out: &mut Vec<u8>) {
    let text = format!("{:.*e}", precision - 1, value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    let length = digits
        .iter()
        .rposition(|digit| *digit != b'0')
        .map_or(1, |last| last + 1);
    let point = exponent.parse::<i32>().unwrap_or_default() + 1;
    write_digits(value < 0.0, &digits[..length], point, precision as i32, out);
}

/// Writes 0.`digits` × 10^`point`.
fn write_digits(negative: bool, digits: &[u8], point: i32, limit: i32, out: &mut Vec<u8>) {
    if negative {
        out.push(b'-');
    }
    let exponent = point - 1;
    if exponent < -4 || exponent >= limit {
        out.push(digits[0]);
        if digits.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        if exponent.abs() < 10 {
            out.push(b'0');
        }
        integer(exponent.abs(), out);
    } else if point <= 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', point.unsigned_abs() as usize));
        out.extend_from_slice(digits);
    } else {
        let point = point as usize;
        if digits.len() <= point {
            out.extend_from_slice(digits);
            out.extend(std::iter::repeat_n(b'0', point - digits.len()));
        } else {
            out.extend_from_slice(&digits[..point]);
            out.push(b'.');
            out.extend_from_slice(&digits[point..]);
        }
    }
}
