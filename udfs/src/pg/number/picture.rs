//! The template of a number for `to_char` and `to_number`: `FM999,990.00`, compiled once for a pattern.

use super::super::error::{PgError, PgResult};

/// One piece of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// `9`.
    Nine,
    /// `0`.
    Zero,
    /// `.` or `D`.
    Point,
    /// `,` or `G`.
    Group,
    Currency,
    Roman {
        lower: bool,
    },
    Ordinal {
        lower: bool,
    },
    Minus,
    Plus,
    Sign,
    /// `S`, `PR`, `V`, `B`, `FM`, `EEEE`: no character of their own.
    Mark,
    Char(char),
}

/// Where the sign of `S` goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignAt {
    None,
    Before,
    After,
}

/// A compiled template.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    pub(crate) pieces: Vec<Piece>,
    /// Digits before and after the point.
    pub(crate) whole: usize,
    pub(crate) fraction: usize,
    /// Digits after `V`.
    pub(crate) shift: u32,
    pub(crate) fill: bool,
    pub(crate) point: bool,
    pub(crate) sign: SignAt,
    /// Digits of the whole part that stand before a leading `S`.
    pub(crate) before_sign: usize,
    pub(crate) has_sign: bool,
    pub(crate) brackets: bool,
    pub(crate) minus: bool,
    pub(crate) plus: bool,
    pub(crate) multiply: bool,
    pub(crate) roman: bool,
    pub(crate) exponent: bool,
    blank: bool,
    pub(crate) zero: bool,
    /// The digit, from 1, of the first `0`, and of the last.
    pub(crate) zero_start: usize,
    pub(crate) zero_end: usize,
}

fn syntax(text: &str) -> PgError {
    PgError::Syntax(text.to_owned())
}

impl Picture {
    pub(crate) fn compile(template: &str) -> PgResult<Self> {
        let mut picture = Self {
            pieces: Vec::new(),
            whole: 0,
            fraction: 0,
            shift: 0,
            fill: false,
            point: false,
            sign: SignAt::None,
            before_sign: 0,
            has_sign: false,
            brackets: false,
            minus: false,
            plus: false,
            multiply: false,
            roman: false,
            exponent: false,
            blank: false,
            zero: false,
            zero_start: 0,
            zero_end: 0,
        };
        let mut rest = template;
        while let Some(first) = rest.chars().next() {
            if let Some(after) = picture.pattern(rest)? {
                rest = after;
                continue;
            }
            match first {
                '"' => {
                    let mut chars = rest[1..].chars();
                    while let Some(c) = chars.next() {
                        match c {
                            '"' => break,
                            '\\' => picture.pieces.extend(chars.next().map(Piece::Char)),
                            c => picture.pieces.push(Piece::Char(c)),
                        }
                    }
                    rest = chars.as_str();
                }
                '\\' if rest[1..].starts_with('"') => {
                    picture.pieces.push(Piece::Char('"'));
                    rest = &rest[2..];
                }
                c => {
                    picture.pieces.push(Piece::Char(c));
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
        Ok(picture)
    }

    /// Takes one pattern from the start of the text, if there is one.
    fn pattern<'a>(&mut self, text: &'a str) -> PgResult<Option<&'a str>> {
        let upper = text
            .get(..4.min(text.len()))
            .unwrap_or(&text[..0])
            .to_ascii_uppercase();
        let lower = text.starts_with(|c: char| c.is_ascii_lowercase());
        // Two letters must be of one case.
        let same_case = |length: usize| {
            let own = &text[..length];
            own == own.to_ascii_uppercase() || own == own.to_ascii_lowercase()
        };
        let names = [
            "EEEE", "FM", "MI", "PL", "PR", "RN", "SG", "SP", "TH", ",", ".", "0", "9", "B", "D",
            "G", "L", "S", "V",
        ];
        let Some(name) = names
            .iter()
            .find(|name| upper.starts_with(**name) && same_case(name.len()))
        else {
            return Ok(None);
        };
        if self.exponent && *name != "EEEE" {
            return Err(syntax("\"EEEE\" must be the last pattern used"));
        }
        let piece = match *name {
            "EEEE" => {
                self.scientific()?;
                Piece::Mark
            }
            "9" => self.digit(false)?,
            "0" => self.digit(true)?,
            "." | "D" => {
                if self.point {
                    return Err(syntax("multiple decimal points"));
                }
                if self.multiply {
                    return Err(syntax("cannot use \"V\" and decimal point together"));
                }
                self.point = true;
                Piece::Point
            }
            "," | "G" => Piece::Group,
            "B" => {
                self.blank |= self.whole == 0 && self.fraction == 0 && !self.zero;
                Piece::Mark
            }
            "FM" => {
                self.fill = true;
                Piece::Mark
            }
            "L" => Piece::Currency,
            "S" => {
                self.anchored_sign()?;
                Piece::Mark
            }
            "MI" => {
                self.no_sign_with("MI")?;
                self.minus = true;
                Piece::Minus
            }
            "PL" => {
                self.no_sign_with("PL")?;
                self.plus = true;
                Piece::Plus
            }
            "SG" => {
                self.no_sign_with("SG")?;
                (self.minus, self.plus) = (true, true);
                Piece::Sign
            }
            "PR" => {
                if self.has_sign || self.plus || self.minus {
                    return Err(syntax(
                        "cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together",
                    ));
                }
                self.brackets = true;
                Piece::Mark
            }
            "RN" => {
                self.roman = true;
                Piece::Roman { lower }
            }
            "TH" => Piece::Ordinal { lower },
            "V" => {
                if self.point {
                    return Err(syntax("cannot use \"V\" and decimal point together"));
                }
                self.multiply = true;
                Piece::Mark
            }
            _ => Piece::Mark,
        };
        self.pieces.push(piece);
        Ok(Some(&text[name.len()..]))
    }

    fn digit(&mut self, zero: bool) -> PgResult<Piece> {
        if self.brackets {
            return Err(syntax(if zero {
                "\"0\" must be ahead of \"PR\""
            } else {
                "\"9\" must be ahead of \"PR\""
            }));
        }
        if !zero && self.multiply {
            self.shift += 1;
            return Ok(Piece::Nine);
        }
        if zero && !self.zero && !self.point {
            self.zero = true;
            self.zero_start = self.whole + 1;
        }
        if self.point {
            self.fraction += 1;
        } else {
            self.whole += 1;
        }
        if zero {
            self.zero_end = self.whole + self.fraction;
            return Ok(Piece::Zero);
        }
        Ok(Piece::Nine)
    }

    fn anchored_sign(&mut self) -> PgResult<()> {
        if self.has_sign {
            return Err(syntax("cannot use \"S\" twice"));
        }
        if self.plus || self.minus || self.brackets {
            return Err(syntax(
                "cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together",
            ));
        }
        self.has_sign = true;
        if self.point {
            self.sign = SignAt::After;
        } else {
            self.sign = SignAt::Before;
            self.before_sign = self.whole;
        }
        Ok(())
    }

    fn no_sign_with(&self, name: &str) -> PgResult<()> {
        if self.has_sign {
            Err(PgError::Syntax(format!(
                "cannot use \"S\" and \"{name}\" together"
            )))
        } else {
            Ok(())
        }
    }

    fn scientific(&mut self) -> PgResult<()> {
        if self.exponent {
            return Err(syntax("cannot use \"EEEE\" twice"));
        }
        if self.blank
            || self.fill
            || self.has_sign
            || self.brackets
            || self.minus
            || self.plus
            || self.roman
            || self.multiply
        {
            return Err(syntax("\"EEEE\" is incompatible with other formats"));
        }
        self.exponent = true;
        Ok(())
    }
}
