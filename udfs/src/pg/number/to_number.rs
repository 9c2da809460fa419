//! `to_number(text, template)`.

use arrow::array::ArrayRef;
use datafusion::common::Result;

use super::super::error::{PgError, PgResult};
use super::super::function::{Call, Overload, Spec};
use super::super::numeric::Numeric;
use super::super::types::Ty;
use super::super::value::{Memo, map2};
use super::picture::{Picture, Piece};

pub(crate) const TO_NUMBER: Spec = Spec::stable(
    "to_number",
    &[Overload::new(&[Ty::Text, Ty::Text], Ty::Numeric, to_number)],
);

fn to_number(call: &Call<'_>) -> Result<ArrayRef> {
    let mut memo = Memo::new();
    map2(call, |text: &str, template: &str| {
        if template.is_empty() {
            return Ok(None);
        }
        let picture = memo.get(template, Picture::compile)?;
        read(text, picture).map(Some)
    })
}

/// Reads digits along the template; what the template does not expect is passed over as PostgreSQL does.
fn read(text: &str, picture: &Picture) -> PgResult<Numeric> {
    if picture.exponent {
        return Err(PgError::NotSupported(
            "\"EEEE\" not supported for input".to_owned(),
        ));
    }
    if picture.roman {
        return Err(PgError::NotSupported(
            "\"RN\" not supported for input".to_owned(),
        ));
    }
    let mut number = String::new();
    let mut negative = false;
    let mut signed = false;
    let mut seen_point = false;
    let mut chars = text.chars().peekable();
    for piece in &picture.pieces {
        match piece {
            Piece::Nine | Piece::Zero | Piece::Point => {
                while chars.peek().is_some_and(|c| c.is_whitespace()) {
                    chars.next();
                }
                if !signed && number.is_empty() {
                    match chars.peek() {
                        Some('-') | Some('<') => (negative, signed) = (true, true),
                        Some('+') => signed = true,
                        _ => {}
                    }
                    if signed {
                        chars.next();
                    }
                }
                match chars.peek() {
                    Some(c) if c.is_ascii_digit() && *piece != Piece::Point => {
                        number.extend(chars.next())
                    }
                    Some('.') if !seen_point && picture.point => {
                        seen_point = true;
                        number.push('.');
                        chars.next();
                        if *piece != Piece::Point {
                            // The point came early, and the digit after it belongs to this position.
                            if chars.peek().is_some_and(char::is_ascii_digit) {
                                number.extend(chars.next());
                            }
                        }
                    }
                    _ => {}
                }
            }
            Piece::Group => {
                if chars.peek() == Some(&',') {
                    chars.next();
                }
            }
            Piece::Minus | Piece::Plus | Piece::Sign => match chars.peek() {
                Some('-') => {
                    negative = true;
                    chars.next();
                }
                Some('+' | ' ') => {
                    chars.next();
                }
                _ => {}
            },
            Piece::Currency | Piece::Char(_) => {
                if chars
                    .peek()
                    .is_some_and(|c| !c.is_ascii_digit() && !matches!(c, '.' | '-' | '+' | ','))
                {
                    chars.next();
                }
            }
            Piece::Ordinal { .. } => {
                chars.next();
                chars.next();
            }
            Piece::Roman { .. } | Piece::Mark => {}
        }
    }
    negative |= chars.peek() == Some(&'-') && (picture.has_sign || picture.minus);
    if number.is_empty() || number == "." {
        return Err(PgError::InvalidText(format!(
            "invalid input syntax for type numeric: \"{}\"",
            text.trim()
        )));
    }
    let mut value = Numeric::parse(&number)?;
    if picture.multiply {
        let factor = super::super::numeric::power_of_ten(picture.shift as i32)?;
        value = value.divide(&Numeric::new(factor, 0))?;
    }
    Ok(if negative { value.negated() } else { value })
}
