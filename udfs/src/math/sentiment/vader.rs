//! VADER: a lexicon of rated words and a few rules for what stands around them.
//!
//! Hutto, Gilbert (2014), "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text". The
//! rules are those of vaderSentiment 3.3.2, oddities included, so that the scores are the same. The reference values
//! in the tests are that program's. Lexicon: `data/README.md`.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use super::words::{is_space, is_upper, lower, words};

const LEXICON: &str = include_str!("data/vader_lexicon.tsv");
const EMOJI: &str = include_str!("data/vader_emoji.tsv");

/// What an intensifying or dampening word before a rated word changes its rating by.
const BOOST: f64 = 0.293;
/// What capitals add to the rating of a word among others.
const CAPITALS: f64 = 0.733;
/// What a negation multiplies a rating with.
const NEGATION: f64 = -0.74;
/// About the largest sum of ratings that is expected; scores approach 1 beyond it.
const NORMAL: f64 = 15.0;
/// Sums with fewer rated words than this are looked through.
const FEW: usize = 64;

/// The scores of a text: the parts that are negative, neutral and positive, to three digits, and the whole from -1 to
/// 1, to four.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Scores {
    pub negative: f64,
    pub neutral: f64,
    pub positive: f64,
    pub compound: f64,
}

/// Scores texts. It keeps its buffers, so that no text but the largest so far asks for memory.
#[derive(Debug, Default)]
pub struct Vader {
    words: Vec<Word>,
    ratings: Vec<f64>,
    lower: String,
    described: String,
}

/// What the rules know of a word.
#[derive(Debug, Clone, Copy)]
struct Word {
    known: Known,
    is_upper: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// The rating of a word in the lexicon.
    rating: Option<f64>,
    /// Of an intensifier or dampener.
    boost: f64,
    negates: bool,
    name: Name,
}

/// Words that rules name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Name {
    #[default]
    Other,
    Ass,
    At,
    Bad,
    Beating,
    Bomb,
    Bus,
    But,
    Death,
    Die,
    Doubt,
    Enough,
    For,
    Heart,
    Just,
    Kind,
    Kiss,
    Least,
    Never,
    No,
    Nor,
    Of,
    Or,
    Right,
    Shit,
    So,
    Sort,
    Stop,
    The,
    This,
    To,
    Very,
    Without,
    Yeah,
}

use Name::{
    Ass, At, Bad, Beating, Bomb, Bus, But, Death, Die, Doubt, Enough, For, Heart, Just, Kind, Kiss,
    Least, Never, No, Nor, Of, Or, Right, Shit, So, Sort, Stop, The, This, To, Very, Without, Yeah,
};

const NAMES: &[(&str, Name)] = &[
    ("ass", Ass),
    ("at", At),
    ("bad", Bad),
    ("beating", Beating),
    ("bomb", Bomb),
    ("bus", Bus),
    ("but", But),
    ("death", Death),
    ("die", Die),
    ("doubt", Doubt),
    ("enough", Enough),
    ("for", For),
    ("heart", Heart),
    ("just", Just),
    ("kind", Kind),
    ("kiss", Kiss),
    ("least", Least),
    ("never", Never),
    ("no", No),
    ("nor", Nor),
    ("of", Of),
    ("or", Or),
    ("right", Right),
    ("shit", Shit),
    ("so", So),
    ("sort", Sort),
    ("stop", Stop),
    ("the", The),
    ("this", This),
    ("to", To),
    ("very", Very),
    ("without", Without),
    ("yeah", Yeah),
];

const NEGATIONS: &str = "aint arent cannot cant couldnt darent didnt doesnt ain't aren't can't couldn't daren't didn't \
    doesn't dont hadnt hasnt havent isnt mightnt mustnt neither don't hadn't hasn't haven't isn't mightn't mustn't \
    neednt needn't never none nope nor not nothing nowhere oughtnt shant shouldnt uhuh wasnt werent oughtn't shan't \
    shouldn't uh-uh wasn't weren't without wont wouldnt won't wouldn't rarely seldom despite";

const INTENSIFIERS: &str = "absolutely amazingly awfully completely considerable considerably decidedly deeply effing \
    enormous enormously entirely especially exceptional exceptionally extreme extremely fabulously flipping flippin \
    frackin fracking fricking frickin frigging friggin fully fuckin fucking fuggin fugging greatly hella highly hugely \
    incredible incredibly intensely major majorly more most particularly purely quite really remarkably so substantially \
    thoroughly total totally tremendous tremendously uber unbelievably unusually utter utterly very";

const DAMPENERS: &str = "almost barely hardly kinda kindof kind-of less little marginal marginally occasional \
    occasionally partly scarce scarcely slight slightly somewhat sorta sortof sort-of";

/// Phrases with a rating of their own.
const PHRASES: &[(&[Name], f64)] = &[
    (&[The, Shit], 3.0),
    (&[The, Bomb], 3.0),
    (&[Bad, Ass], 1.5),
    (&[Bus, Stop], 0.0),
    (&[Yeah, Right], -2.0),
    (&[Kiss, Of, Death], -1.5),
    (&[To, Die, For], 3.0),
    (&[Beating, Heart], 3.5),
];

/// Phrases that dampen.
const DAMPENING: &[[Name; 2]] = &[[Just, Enough], [Kind, Of], [Sort, Of]];

type Table<K, V> = HashMap<K, V, BuildHasherDefault<WordHasher>>;

static KNOWN: LazyLock<Table<&'static str, Known>> = LazyLock::new(|| {
    let mut known: Table<&'static str, Known> = Table::default();
    for (word, rating) in LEXICON.lines().filter_map(|line| line.split_once('\t')) {
        known.entry(word).or_default().rating = rating.parse().ok();
    }
    for word in NEGATIONS.split_whitespace() {
        known.entry(word).or_default().negates = true;
    }
    for word in INTENSIFIERS.split_whitespace() {
        known.entry(word).or_default().boost = BOOST;
    }
    for word in DAMPENERS.split_whitespace() {
        known.entry(word).or_default().boost = -BOOST;
    }
    for (word, name) in NAMES {
        known.entry(word).or_default().name = *name;
    }
    for (word, known) in &mut known {
        known.negates |= word.contains("n't");
    }
    known
});

static DESCRIPTIONS: LazyLock<HashMap<char, &'static str>> = LazyLock::new(|| {
    let lines = EMOJI.lines().filter_map(|line| line.split_once('\t'));
    lines
        .filter_map(|(emoji, text)| Some((emoji.chars().next()?, text)))
        .collect()
});

/// FxHash: words are short, and come from us or only into a table that does not grow.
#[derive(Default)]
struct WordHasher(u64);

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let mixed = self.0.rotate_left(5) ^ u64::from_le_bytes(word);
            self.0 = mixed.wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.write(&[byte]);
    }

    fn finish(&self) -> u64 {
        // The table takes its tags from the upper bits and its places from the lower ones.
        self.0 ^ (self.0 >> 32)
    }
}

impl Vader {
    /// A scorer.
    pub fn new() -> Self {
        Self::default()
    }

    /// The scores of a text; all 0 without words.
    pub fn scores(&mut self, text: &str) -> Scores {
        let mut described = std::mem::take(&mut self.described);
        let scores = if text.is_ascii() {
            self.plain_scores(text.trim_matches(is_space))
        } else {
            describe(text, &mut described);
            self.plain_scores(described.trim_matches(is_space))
        };
        self.described = described;
        scores
    }

    fn plain_scores(&mut self, text: &str) -> Scores {
        self.words.clear();
        for word in words(text) {
            let is_upper = is_upper(word);
            let lower = lower(word, &mut self.lower);
            let known = KNOWN.get(lower).copied().unwrap_or_else(|| Known {
                negates: lower.contains("n't"),
                ..Known::default()
            });
            self.words.push(Word { known, is_upper });
        }
        if self.words.is_empty() {
            return Scores::default();
        }
        let capitals = self.words.iter().filter(|word| word.is_upper).count();
        let sentence = Sentence {
            words: &self.words,
            // Capitals mean something only where others are small.
            emphatic: 0 < capitals && capitals < self.words.len(),
        };
        self.ratings.clear();
        self.ratings
            .extend((0..self.words.len()).map(|at| sentence.rating(at)));
        if let Some(but) = self.words.iter().position(|word| word.known.name == But) {
            weigh_around_but(&mut self.ratings, but);
        }
        summary(&self.ratings, emphasis(text))
    }
}

/// Replaces emoji by what they show.
fn describe(text: &str, described: &mut String) {
    described.clear();
    let mut after_space = true;
    for c in text.chars() {
        let description = if c.is_ascii() {
            None
        } else {
            DESCRIPTIONS.get(&c)
        };
        match description {
            Some(description) => {
                if !after_space {
                    described.push(' ');
                }
                described.push_str(description);
                after_space = false;
            }
            None => {
                described.push(c);
                after_space = c == ' ';
            }
        }
    }
}

/// What exclamation and question marks add.
fn emphasis(text: &str) -> f64 {
    let (mut exclamations, mut questions) = (0u32, 0u32);
    for byte in text.bytes() {
        exclamations += u32::from(byte == b'!');
        questions += u32::from(byte == b'?');
    }
    let questions = match questions {
        0 | 1 => 0.0,
        2 | 3 => f64::from(questions) * 0.18,
        _ => 0.96,
    };
    f64::from(exclamations.min(4)) * 0.292 + questions
}

#[derive(Clone, Copy)]
struct Sentence<'a> {
    words: &'a [Word],
    emphatic: bool,
}

impl Sentence<'_> {
    /// The word so many places before another; nothing known before the first.
    fn before(&self, at: usize, places: usize) -> Known {
        at.checked_sub(places)
            .map(|at| self.words[at].known)
            .unwrap_or_default()
    }

    fn name_before(&self, at: usize, places: usize) -> Name {
        self.before(at, places).name
    }

    fn rating(&self, at: usize) -> f64 {
        let word = self.words[at];
        let next = self.words.get(at + 1).map(|word| word.known);
        let kind_of = word.known.name == Kind && next.is_some_and(|next| next.name == Of);
        let Some(own) = word.known.rating else {
            return 0.0;
        };
        if word.known.boost != 0.0 || kind_of {
            return 0.0;
        }
        let mut rating = own;
        // "no" before a rated word negates it and says nothing itself.
        if word.known.name == No && next.is_some_and(|next| next.rating.is_some()) {
            rating = 0.0;
        }
        let far_no = self.name_before(at, 3) == No && matches!(self.name_before(at, 1), Or | Nor);
        if self.name_before(at, 1) == No || self.name_before(at, 2) == No || far_no {
            rating = own * NEGATION;
        }
        if word.is_upper && self.emphatic {
            rating += if rating > 0.0 { CAPITALS } else { -CAPITALS };
        }
        for distance in 1..=3.min(at) {
            if self.before(at, distance).rating.is_some() {
                continue;
            }
            rating += self.boost(at - distance, rating) * [1.0, 0.95, 0.9][distance - 1];
            rating = self.negated(at, distance, rating);
            if distance == 3 {
                rating = self.with_phrases(at, rating);
            }
        }
        self.after_least(at, rating)
    }

    fn boost(&self, at: usize, rating: f64) -> f64 {
        let word = self.words[at];
        if word.known.boost == 0.0 {
            return 0.0;
        }
        let boost = if rating < 0.0 {
            -word.known.boost
        } else {
            word.known.boost
        };
        match word.is_upper && self.emphatic {
            true if rating > 0.0 => boost + CAPITALS,
            true => boost - CAPITALS,
            false => boost,
        }
    }

    fn negated(&self, at: usize, distance: usize, rating: f64) -> f64 {
        let [one, two, three] = [1, 2, 3].map(|places| self.name_before(at, places));
        let so = |name| matches!(name, So | This);
        let (raised, kept) = match distance {
            1 => (false, false),
            2 => (two == Never && so(one), two == Without && one == Doubt),
            _ => (
                three == Never && so(two) || so(one),
                three == Without && (two == Doubt || one == Doubt),
            ),
        };
        if raised {
            rating * 1.25
        } else if !kept && self.before(at, distance).negates {
            rating * NEGATION
        } else {
            rating
        }
    }

    /// The rating of a phrase that the word belongs to or follows. There are three words before it.
    fn with_phrases(&self, at: usize, rating: f64) -> f64 {
        let names =
            |from: usize, to: usize| self.words[from..to].iter().map(|word| word.known.name);
        let phrase = |from: usize, to: usize| {
            let found = PHRASES
                .iter()
                .find(|(phrase, _)| phrase.iter().copied().eq(names(from, to)));
            found.map(|(_, rating)| *rating)
        };
        let ends = [
            (at - 1, at + 1),
            (at - 2, at + 1),
            (at - 2, at),
            (at - 3, at),
            (at - 3, at - 1),
        ];
        let mut rating = ends
            .iter()
            .find_map(|(from, to)| phrase(*from, *to))
            .unwrap_or(rating);
        for length in [2, 3] {
            if at + length <= self.words.len() {
                rating = phrase(at, at + length).unwrap_or(rating);
            }
        }
        for from in [at - 3, at - 2] {
            if DAMPENING
                .iter()
                .any(|phrase| phrase.iter().copied().eq(names(from, from + 2)))
            {
                rating -= BOOST;
            }
        }
        rating
    }

    fn after_least(&self, at: usize, rating: f64) -> f64 {
        let least = self.before(at, 1);
        if least.name != Least
            || least.rating.is_some()
            || matches!(self.name_before(at, 2), At | Very)
        {
            rating
        } else {
            rating * NEGATION
        }
    }
}

/// What comes before "but" counts half, what comes after it half as much again.
///
/// As in the original, each step changes the first rating that equals the one it stands at.
fn weigh_around_but(ratings: &mut [f64], but: usize) {
    let weighed = |rating: f64, at: usize| match at.cmp(&but) {
        std::cmp::Ordering::Less => rating * 0.5,
        std::cmp::Ordering::Equal => rating,
        std::cmp::Ordering::Greater => rating * 1.5,
    };
    // Zeros stay what they are.
    if ratings.iter().filter(|rating| **rating != 0.0).count() < FEW {
        for step in 0..ratings.len() {
            let rating = ratings[step];
            if rating != 0.0
                && let Some(at) = ratings.iter().position(|other| *other == rating)
            {
                ratings[at] = weighed(rating, at);
            }
        }
        return;
    }
    let mut places: HashMap<u64, BinaryHeap<Reverse<usize>>> = HashMap::new();
    for (at, rating) in ratings
        .iter()
        .enumerate()
        .filter(|(_, rating)| **rating != 0.0)
    {
        places
            .entry(rating.to_bits())
            .or_default()
            .push(Reverse(at));
    }
    for step in 0..ratings.len() {
        let rating = ratings[step];
        let first = places.get_mut(&rating.to_bits()).and_then(BinaryHeap::pop);
        if let Some(Reverse(at)) = first {
            ratings[at] = weighed(rating, at);
            places
                .entry(ratings[at].to_bits())
                .or_default()
                .push(Reverse(at));
        }
    }
}

fn summary(ratings: &[f64], emphasis: f64) -> Scores {
    let mut sum: f64 = ratings.iter().sum();
    if sum > 0.0 {
        sum += emphasis;
    } else if sum < 0.0 {
        sum -= emphasis;
    }
    let (mut positive, mut negative, mut neutral) = (0.0, 0.0, 0.0);
    for rating in ratings {
        if *rating > 0.0 {
            positive += rating + 1.0;
        } else if *rating < 0.0 {
            negative += 1.0 - rating;
        } else {
            neutral += 1.0;
        }
    }
    if positive > negative {
        positive += emphasis;
    } else if positive < negative {
        negative += emphasis;
    }
    let total = positive + negative + neutral;
    Scores {
        negative: rounded(negative / total, 3),
        neutral: rounded(neutral / total, 3),
        positive: rounded(positive / total, 3),
        compound: rounded(sum / (sum * sum + NORMAL).sqrt(), 4),
    }
}

/// Rounded to so many digits after the point, as the decimal that the number is.
fn rounded(x: f64, digits: usize) -> f64 {
    let scale = [1.0, 10.0, 100.0, 1e3, 1e4][digits];
    let scaled = x * scale;
    let near_tie = (scaled - scaled.floor() - 0.5).abs() < 1e-6;
    match near_tie.then(|| format!("{x:.digits$}").parse()) {
        Some(Ok(exact)) => exact,
        _ => scaled.round() / scale,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: &str = include_str!("../../../../tests/data/sentiment/vader_expected.csv");

    /// The fields of the lines of a CSV text.
    fn csv(text: &str) -> Vec<Vec<String>> {
        let mut rows = vec![vec![String::new()]];
        let mut quoted = false;
        let mut characters = text.chars().peekable();
        while let Some(c) = characters.next() {
            let row = rows.last_mut().unwrap();
            match c {
                '"' if quoted && characters.peek() == Some(&'"') => {
                    characters.next();
                    row.last_mut().unwrap().push('"');
                }
                '"' => quoted = !quoted,
                ',' if !quoted => row.push(String::new()),
                '\r' if !quoted => {}
                '\n' if !quoted => rows.push(vec![String::new()]),
                other => row.last_mut().unwrap().push(other),
            }
        }
        rows.retain(|row| row.len() > 1);
        rows
    }

    /// vaderSentiment 3.3.2.
    #[test]
    fn equals_the_original_on_every_text() {
        let mut vader = Vader::new();
        let rows = csv(EXPECTED);
        assert!(rows.len() > 400);
        for row in &rows[1..] {
            let found = vader.scores(&row[1]);
            let expected: Vec<f64> = row[2..]
                .iter()
                .map(|field| field.parse().unwrap())
                .collect();
            let all = [
                found.negative,
                found.neutral,
                found.positive,
                found.compound,
            ];
            for (found, expected) in all.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-9, "{row:?}: {all:?}");
            }
        }
    }

    #[test]
    fn no_words_have_no_sentiment() {
        for text in ["", "  ", "\u{1f}\u{a0}"] {
            assert_eq!(Vader::new().scores(text), Scores::default());
        }
    }

    #[test]
    fn both_ways_around_but_are_one() {
        let ratings: Vec<f64> = (0..3 * FEW)
            .map(|i| [0.0, 1.9, -2.0, 0.95, 3.8][i % 5])
            .collect();
        let mut slow = ratings.clone();
        for step in 0..slow.len() {
            let at = slow.iter().position(|x| *x == slow[step]).unwrap();
            slow[at] *= [0.5, 1.0, 1.5][(at > 90) as usize + (at >= 90) as usize];
        }
        let mut fast = ratings;
        weigh_around_but(&mut fast, 90);
        assert_eq!(fast, slow);
    }
}
