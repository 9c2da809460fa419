//! The next of a few bytes, eight bytes at a time: fields are short, so that what pays for long texts
//! costs more here than it gains.

const WORD: usize = size_of::<u64>();
const LOW: u64 = u64::from_le_bytes([1; WORD]);
const HIGH: u64 = LOW << 7;

/// The bytes at which a plain field stops.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stops {
    bytes: [u8; 4],
    /// Each of them, in every byte of a word.
    spread: [u64; 4],
}

impl Stops {
    pub(super) fn new(bytes: [u8; 4]) -> Self {
        Self {
            bytes,
            spread: bytes.map(|byte| LOW * u64::from(byte)),
        }
    }

    /// The place of the first from `from`, or the length if there is none.
    #[inline]
    pub(super) fn first(&self, text: &[u8], from: usize) -> usize {
        let mut at = from;
        while let Some(word) = text.get(at..).and_then(<[u8]>::first_chunk) {
            let found = self.marks(u64::from_le_bytes(*word));
            if found != 0 {
                return at + found.trailing_zeros() as usize / 8;
            }
            at += WORD;
        }
        let rest = &text[at.min(text.len())..];
        let found = rest.iter().position(|byte| self.bytes.contains(byte));
        found.map_or(text.len(), |length| at + length)
    }

    /// The high bit of each byte that is one of them; above the first such bit others may be set.
    #[inline]
    fn marks(&self, word: u64) -> u64 {
        let equal = |spread: u64| {
            let difference = word ^ spread;
            difference.wrapping_sub(LOW) & !difference
        };
        let [a, b, c, d] = self.spread;
        (equal(a) | equal(b) | equal(c) | equal(d)) & HIGH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_every_stop_is_found() {
        let stops = Stops::new([b',', b'"', b'\n', b'\r']);
        for length in 0..40 {
            for place in 0..=length {
                for stop in *b",\"\n\r" {
                    let mut text = vec![b'-'; length];
                    // What differs from a stop by one bit is none.
                    text.iter_mut()
                        .step_by(3)
                        .for_each(|byte| *byte = stop ^ 0x80);
                    text.iter_mut()
                        .skip(1)
                        .step_by(3)
                        .for_each(|byte| *byte = stop ^ 1);
                    let plain = |text: &[u8], from: usize| {
                        let found = text[from..].iter().position(|b| b",\"\n\r".contains(b));
                        found.map_or(text.len(), |length| from + length)
                    };
                    if let Some(byte) = text.get_mut(place) {
                        *byte = stop;
                    }
                    for from in 0..=length {
                        assert_eq!(
                            stops.first(&text, from),
                            plain(&text, from),
                            "{text:?} {from}"
                        );
                    }
                }
            }
        }
    }
}
