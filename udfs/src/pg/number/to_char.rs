//! `to_char` of integers, floats and numerics.

use arrow::array::ArrayRef;
use datafusion::common::Result;

use super::super::datetime::template::Case;
use super::super::datetime::to_char::ordinal_suffix;
use super::super::error::PgResult;
use super::super::function::Call;
use super::super::numeric::{Decimal, Numeric};
use super::super::output::put;
use super::super::value::{FromColumn, Memo, text2};
use super::picture::{Picture, Piece, SignAt};

/// The most significant digits of a float, as C's `DBL_DIG` and `FLT_DIG`.
const F64_DIGITS: usize = 15;
const F32_DIGITS: usize = 6;

fn each<'a, V: FromColumn<'a>>(
    call: &'a Call<'_>,
    digits: impl Fn(V, &Picture) -> PgResult<Digits>,
) -> Result<ArrayRef> {
    let mut memo = Memo::new();
    text2(call, |value: V, template: &str, out| {
        let picture = memo.get(template, Picture::compile)?;
        let digits = digits(value, picture)?;
        Run::new(picture, &digits).write(out);
        Ok(())
    })
}

pub(crate) fn int4(call: &Call<'_>) -> Result<ArrayRef> {
    each(call, |value: i32, picture| {
        of_numeric(
            Numeric::new(i128::from(value), 0),
            picture,
            f64::from(value),
        )
    })
}

pub(crate) fn int8(call: &Call<'_>) -> Result<ArrayRef> {
    each(call, |value: i64, picture| {
        of_numeric(Numeric::new(i128::from(value), 0), picture, value as f64)
    })
}

pub(crate) fn numeric(call: &Call<'_>) -> Result<ArrayRef> {
    each(call, |value: Numeric, picture| {
        of_numeric(value, picture, f64::NAN)
    })
}

pub(crate) fn float4(call: &Call<'_>) -> Result<ArrayRef> {
    each(call, |value: f32, picture| {
        of_float(f64::from(value), picture, F32_DIGITS)
    })
}

pub(crate) fn float8(call: &Call<'_>) -> Result<ArrayRef> {
    each(call, |value: f64, picture| {
        of_float(value, picture, F64_DIGITS)
    })
}

/// A number ready for its template: digits without sign, or a text that stands for all of it.
struct Digits {
    text: String,
    negative: bool,
    /// Positions of the template before the first digit.
    spaces: usize,
    /// Digits after the point that the template may fill.
    fraction: usize,
}

fn of_numeric(value: Numeric, picture: &Picture, integer: f64) -> PgResult<Digits> {
    if picture.roman {
        let whole = value.to_whole("integer").unwrap_or(0);
        return Ok(roman(i32::try_from(whole).unwrap_or(0)));
    }
    if picture.exponent {
        let text = if integer.is_nan() {
            scientific_numeric(&value, picture.fraction)
        } else {
            scientific(integer, picture.fraction)
        };
        return Ok(Digits {
            text,
            negative: false,
            spaces: 0,
            fraction: 0,
        });
    }
    let Numeric::Finite(mut value) = value else {
        return of_float(value.to_f64(), picture, F64_DIGITS);
    };
    if picture.multiply {
        let factor = super::super::numeric::power_of_ten(picture.shift as i32)?;
        value = value.multiply(&Decimal::new(factor, 0))?;
    }
    let wanted = picture.fraction;
    let shown = value.scale().max(0) as usize;
    let mut text = value.round(wanted.min(shown) as i32).to_string();
    // More digits than a numeric holds are zeros.
    if wanted > shown {
        if shown == 0 {
            text.push('.');
        }
        text.extend(std::iter::repeat_n('0', wanted - shown));
    }
    let negative = text.starts_with('-');
    Ok(aligned(
        text.trim_start_matches('-').to_owned(),
        negative,
        picture,
        wanted,
    ))
}

fn of_float(value: f64, picture: &Picture, significant: usize) -> PgResult<Digits> {
    if picture.roman {
        let rounded = value.round_ties_even();
        return Ok(roman(if rounded.is_finite() {
            rounded as i32
        } else {
            0
        }));
    }
    if picture.exponent {
        if !value.is_finite() {
            let mut text = String::from(" ");
            text.extend(std::iter::repeat_n(
                '#',
                picture.whole + picture.fraction + 5,
            ));
            text.insert(picture.whole + 1, '.');
            text.truncate(picture.whole + picture.fraction + 6);
            return Ok(Digits {
                text,
                negative: false,
                spaces: 0,
                fraction: 0,
            });
        }
        return Ok(Digits {
            text: scientific(value, picture.fraction),
            negative: false,
            spaces: 0,
            fraction: 0,
        });
    }
    let value = if picture.multiply {
        value * 10_f64.powi(picture.shift as i32)
    } else {
        value
    };
    let magnitude = value.abs();
    let plain = if magnitude.is_nan() {
        "NaN".to_owned()
    } else if magnitude.is_infinite() {
        "Infinity".to_owned()
    } else {
        format!("{magnitude:.0}")
    };
    let fraction = match plain.len() {
        length if length >= significant => 0,
        length if length + picture.fraction > significant => significant - length,
        _ => picture.fraction,
    };
    let text = if magnitude.is_finite() {
        format!("{magnitude:.fraction$}")
    } else {
        plain
    };
    let negative = value.is_sign_negative() && !value.is_nan();
    Ok(aligned(text, negative, picture, fraction))
}

/// Puts the whole part under the template's digits; too many of them give `#`.
fn aligned(text: String, negative: bool, picture: &Picture, fraction: usize) -> Digits {
    let length = text.find('.').unwrap_or(text.len());
    let whole = picture.whole + picture.shift as usize;
    if length <= whole {
        return Digits {
            text,
            negative,
            spaces: whole - length,
            fraction,
        };
    }
    let mut marks = "#".repeat(whole);
    marks.push('.');
    marks.extend(std::iter::repeat_n('#', fraction));
    Digits {
        text: marks,
        negative,
        spaces: 0,
        fraction,
    }
}

/// `1.23e+04` with a blank for the sign.
fn scientific(value: f64, fraction: usize) -> String {
    let text = format!("{value:.fraction$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    signed_scientific(mantissa, exponent)
}

fn signed_scientific(mantissa: &str, exponent: i32) -> String {
    let mut out = String::new();
    if !mantissa.starts_with('-') {
        out.push(' ');
    }
    put!(
        &mut out,
        "{mantissa}e{}{:02}",
        if exponent < 0 { '-' } else { '+' },
        exponent.abs()
    );
    out
}

fn scientific_numeric(value: &Numeric, fraction: usize) -> String {
    let Numeric::Finite(value) = value else {
        return scientific(value.to_f64(), fraction);
    };
    let digits = value.whole_digits();
    let mut exponent = digits.len() as i32 - 1 - value.scale();
    if value.is_zero() {
        exponent = 0;
    }
    // Rounded half away from zero to the template's digits.
    let mut kept: Vec<u8> = digits.bytes().take(fraction + 1).collect();
    kept.resize(fraction + 1, b'0');
    if digits
        .as_bytes()
        .get(fraction + 1)
        .is_some_and(|next| *next >= b'5')
    {
        let mut at = kept.len();
        loop {
            if at == 0 {
                kept.insert(0, b'1');
                kept.pop();
                exponent += 1;
                break;
            }
            at -= 1;
            if kept[at] < b'9' {
                kept[at] += 1;
                break;
            }
            kept[at] = b'0';
        }
    }
    let mut mantissa = String::from(if value.signum() < 0 { "-" } else { "" });
    for (index, digit) in kept.iter().enumerate() {
        if index == 1 {
            mantissa.push('.');
        }
        mantissa.push(char::from(*digit));
    }
    signed_scientific(&mantissa, exponent)
}

fn roman(value: i32) -> Digits {
    const NUMERALS: [(i32, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let mut text = String::new();
    if (1..=3999).contains(&value) {
        let mut rest = value;
        for (amount, numeral) in NUMERALS {
            while rest >= amount {
                text.push_str(numeral);
                rest -= amount;
            }
        }
    } else {
        text.push_str(&"#".repeat(15));
    }
    Digits {
        text,
        negative: false,
        spaces: 0,
        fraction: 0,
    }
}

/// The state of writing one number.
struct Run<'a> {
    picture: &'a Picture,
    digits: &'a [u8],
    /// The next digit.
    at: usize,
    negative: bool,
    spaces: usize,
    sign_written: bool,
    sign_at: SignAt,
    brackets: bool,
    /// Position of the last digit of the fraction that counts, where the template trims zeros.
    last_relevant: Option<usize>,
    /// The template's digit, from 0, of the first `0`.
    zero_start: usize,
    count: i64,
    current: usize,
    inside: bool,
}

impl<'a> Run<'a> {
    fn new(picture: &'a Picture, number: &'a Digits) -> Self {
        let digits = number.text.as_bytes();
        let negative = number.negative;
        let mut sign_at = picture.sign;
        let mut brackets = picture.brackets;
        let sign_written;
        if picture.plus || picture.minus {
            sign_written = !picture.plus || picture.minus;
        } else {
            if !negative && picture.fill {
                brackets = false;
            }
            sign_written = !negative && picture.fill && !picture.has_sign;
            if picture.sign == SignAt::Before && picture.whole == picture.before_sign {
                sign_at = SignAt::After;
            }
        }
        let mut last_relevant = None;
        if let (true, Some(point)) = (
            picture.fill && picture.point,
            digits.iter().position(|byte| *byte == b'.'),
        ) {
            let relevant = (point + 1..digits.len())
                .rev()
                .find(|index| digits[*index] != b'0')
                .unwrap_or(point);
            // A `0` of the template keeps its digit.
            let kept = picture
                .zero_end
                .saturating_sub(number.spaces)
                .min(digits.len() - 1);
            last_relevant = Some(if picture.zero_end > number.spaces {
                relevant.max(kept)
            } else {
                relevant
            });
        }
        let shift = picture.shift as usize;
        let mut count = (number.fraction + picture.whole + shift) as i64 - 1;
        if !sign_written && number.spaces == 0 {
            count += 1;
        }
        Self {
            picture,
            digits,
            at: 0,
            negative,
            spaces: number.spaces,
            sign_written,
            sign_at,
            brackets,
            last_relevant,
            zero_start: picture.zero_start.saturating_sub(1),
            count,
            current: 0,
            inside: false,
        }
    }

    fn write(&mut self, out: &mut String) {
        let text = std::str::from_utf8(self.digits).unwrap_or_default();
        if self.picture.exponent {
            out.push_str(text);
            return;
        }
        for piece in &self.picture.pieces {
            match piece {
                Piece::Char(c) => out.push(*c),
                Piece::Nine | Piece::Zero | Piece::Point if !self.picture.roman => {
                    self.digit(*piece, out)
                }
                Piece::Nine | Piece::Zero | Piece::Point | Piece::Mark => {}
                Piece::Group => match (self.inside, self.picture.fill) {
                    (true, _) => out.push(','),
                    (false, false) => out.push(' '),
                    (false, true) => {}
                },
                Piece::Currency => out.push(' '),
                Piece::Roman { lower } => {
                    let shown = if *lower {
                        text.to_ascii_lowercase()
                    } else {
                        text.to_owned()
                    };
                    if self.picture.fill {
                        out.push_str(&shown);
                    } else {
                        put!(out, "{shown:>15}");
                    }
                }
                Piece::Ordinal { lower } => {
                    if !self.picture.roman
                        && !text.starts_with('#')
                        && !self.negative
                        && !self.picture.point
                    {
                        out.push_str(ordinal_suffix(
                            text,
                            if *lower { Case::Lower } else { Case::Upper },
                        ));
                    }
                }
                Piece::Minus => match (self.negative, self.picture.fill) {
                    (true, _) => out.push('-'),
                    (false, false) => out.push(' '),
                    (false, true) => {}
                },
                Piece::Plus => match (self.negative, self.picture.fill) {
                    (false, _) => out.push('+'),
                    (true, false) => out.push(' '),
                    (true, true) => {}
                },
                Piece::Sign => out.push(if self.negative { '-' } else { '+' }),
            }
        }
    }

    /// A single zero before the point is a blank unless the template has a `0`.
    fn is_blank_zero(&self) -> bool {
        !self.picture.zero
            && self.at == 0
            && self.digits.first() == Some(&b'0')
            && self.fraction_wanted() != 0
    }

    fn fraction_wanted(&self) -> usize {
        self.digits
            .iter()
            .position(|byte| *byte == b'.')
            .map_or(self.picture.fraction, |point| self.digits.len() - point - 1)
    }

    fn only_point_is_relevant(&self) -> bool {
        self.last_relevant
            .is_some_and(|index| self.digits[index] == b'.')
    }

    fn write_sign(&mut self, out: &mut String) {
        let fill = self.picture.fill;
        if self.picture.has_sign {
            if self.sign_at == SignAt::Before {
                out.push(if self.negative { '-' } else { '+' });
                self.sign_written = true;
            }
            return;
        }
        match (self.brackets, self.negative) {
            (true, negative) => out.push(if negative { '<' } else { ' ' }),
            (false, true) => out.push('-'),
            (false, false) if !fill => out.push(' '),
            (false, false) => {}
        }
        self.sign_written = true;
    }

    fn digit(&mut self, piece: Piece, out: &mut String) {
        let (fill, zero) = (self.picture.fill, self.picture.zero);
        self.inside = false;
        let at_number = self.current >= self.spaces || (zero && self.zero_start == self.current);
        if !self.sign_written
            && at_number
            && (!self.is_blank_zero() || self.only_point_is_relevant())
        {
            self.write_sign(out);
        }
        if self.current < self.spaces && (self.zero_start > self.current || !zero) {
            if !fill {
                out.push(' ');
            }
        } else if zero && self.current < self.spaces {
            out.push('0');
            self.inside = true;
        } else {
            self.number_digit(piece, out);
        }
        let mut end = self.count + i64::from(self.spaces > 0) + i64::from(self.picture.point);
        if self.last_relevant.is_some_and(|index| index == self.at) {
            end = self.current as i64;
        }
        if self.current as i64 + 1 == end {
            if self.sign_written && self.brackets {
                out.push(if self.negative { '>' } else { ' ' });
            } else if self.picture.has_sign && self.sign_at == SignAt::After {
                out.push(if self.negative { '-' } else { '+' });
            }
        }
        self.current += 1;
    }

    fn number_digit(&mut self, piece: Piece, out: &mut String) {
        let fill = self.picture.fill;
        match self.digits.get(self.at) {
            Some(b'.') => {
                if !self.only_point_is_relevant() || fill {
                    out.push('.');
                }
            }
            digit => {
                let beyond = self.last_relevant.is_some_and(|index| self.at > index);
                if beyond && piece != Piece::Zero {
                    // A zero that the template trims.
                } else if self.is_blank_zero() {
                    if !fill {
                        out.push(' ');
                    } else if self.only_point_is_relevant() {
                        out.push('0');
                    }
                } else if let Some(digit) = digit {
                    out.push(char::from(*digit));
                    self.inside = true;
                }
            }
        }
        if self.at < self.digits.len() {
            self.at += 1;
        }
    }
}
