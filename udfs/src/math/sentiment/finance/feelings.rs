//! What a text feels, in numbers and in a word.

/// What a text with this much feeling scores: half of the way to 1.
const HALF: f64 = 1.0;
/// Scores nearer to zero are neutral.
pub(super) const NEUTRAL: f64 = 0.2;

/// The feelings that a text names.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Feelings {
    /// From -1 to 1.
    pub score: f64,
    /// Sums of what is good and of what is bad, the latter positive too.
    pub positive: f64,
    pub negative: f64,
    /// How many words there are.
    pub words: usize,
}

/// A text's feeling in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    Positive,
    Negative,
    Neutral,
    /// Good and bad in about equal parts.
    Mixed,
    /// There is nothing to judge.
    Unknown,
}

impl Label {
    /// The label in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Label::Positive => "positive",
            Label::Negative => "negative",
            Label::Neutral => "neutral",
            Label::Mixed => "mixed",
            Label::Unknown => "unknown",
        }
    }
}

impl Feelings {
    pub(super) fn scored(self) -> Self {
        let net = self.positive - self.negative;
        Self {
            score: net / (net * net + HALF).sqrt(),
            ..self
        }
    }

    /// The label of the score.
    pub fn label(&self) -> Label {
        if self.words == 0 {
            Label::Unknown
        } else if self.score > NEUTRAL {
            Label::Positive
        } else if self.score < -NEUTRAL {
            Label::Negative
        } else if self.positive > 0.0 && self.negative > 0.0 {
            Label::Mixed
        } else {
            Label::Neutral
        }
    }
}
