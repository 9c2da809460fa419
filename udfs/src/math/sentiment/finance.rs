//! Sentiment of finance news: what happens to what. "Costs fell" is good and "sales fell" is bad, so movements are
//! read together with what moves.
//!
//! The lexicon and the rules are our own. Words are compared by their stems, clause by clause:
//! - a movement (up, down) takes the sign of what it moves: the nearest good or bad thing of its clause, or its own;
//! - words that are good or bad by themselves count as they are;
//! - a negation shortly before turns the sign, and what follows "despite" hardly counts.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Things of which more is good.
const GOOD: &str = "profit earnings revenue sales income margin cash dividend guidance outlook forecast order backlog demand \
    growth output production share stock rating booking delivery traffic subscriber customer client return liquidity \
    capacity employment job hiring confidence volume export productivity efficiency turnover gdp economy wage surplus \
    reserve capital asset index equity payment payout ebitda ebit eps deposit loan inflow target valuation value price \
    result performance activity spending investment savings user passenger shipment sentiment optimism coverage buyback \
    headcount staff worker workforce credit currency market bond portfolio fund profitability occupancy rent \
    receipts fee premium underwriting throughput yield ratio solvency reputation hope recovery satisfaction occupancy";

/// Things of which more is bad.
const BAD: &str = "loss debt cost expense inflation unemployment default delinquency charge writedown impairment deficit leverage \
    provision claim complaint tax tariff risk exposure volatility shortage delay redundancy layoff injury accident churn \
    inventory liability penalty fraud vacancy arrears bankruptcy insolvency jobless borrowing pressure doubt concern fear \
    uncertainty fuel short overcapacity competition outflow redemption withdrawal spread deductible overrun recall defect \
    outage downtime emission litigation lawsuit fine breach dispute shortfall headwind glut jobless turmoil burden \
    foreclosure writeoff attrition cancellation backlash disruption dilution congestion strike case lawsuit";

const UP: &str = "rise rose risen climb gain jump surge soar increase grow grew grown double triple quadruple advance raise \
    lift boost expand strengthen widen accelerate higher create balloon swell rebound recover rally exceed beat ahead above strong stronger \
    robust swell mount escalate deepen lengthen extend add record top outpace high highest upward build pick spike \
    hike elevate resume return best better upside strength wide wider larger bigger \
    broaden ramp multiply skyrocket rocket leap uptick upturn uplift";

const DOWN: &str = "fall fell fallen drop decline decrease slip slide slid slump plunge tumble sink sank shrink shrank narrow \
    weaken lower cut reduce trim slow ease halve lose lost miss lag trail below dip plummet collapse crash soften erode \
    squeeze wipe fade dismiss release low lowest leaving shed slash curb scrap suspend \
    withdraw withdrew evaporate dwindle shorten weak weaker weakness soft retreat repay repaid refinance contain tighten \
    stall stagnate diminish wane dent drain deplete sluggish shut subdue subside decelerate worst smaller narrower slower pare nosedive downturn slowdown recede slacken taper cutback";

/// Good by themselves.
const POSITIVE: &str = "upgrade outperform win won award approve approval clear favour favor success successful profitable breakthrough \
    ample healthy solid improve support help aid underpin resilient upbeat bullish optimistic exceptional outstanding accretive milestone settle \
    resolve secure innovate lucrative attractive oversubscribe reward thrive flourish comfortable comfortably \
    buoyant favourable favorable attract exonerate acquit confident delight impress impressive stable exceed beat surpass \
    smooth smoothly praise welcome reinstate boom windfall effective offset clearance overtake regain restore reopen hire rosy brisk buoy cheer synergy refund affordable \
    undervalue rehire inflow growth innovate";

/// Bad by themselves.
const NEGATIVE: &str = "loss downgrade warn warning fail failure junk fine probe investigation resign fraud breach strike cancel \
    mislead misled default bankrupt bankruptcy insolvent insolvency lawsuit sue sued scandal recall impairment doubt \
    underperform disappoint disappointing plunge slump crash collapse crisis recession layoff penalty sanction illegal \
    violate violation accuse allege allegation delist bearish pessimistic worry worries fear trouble troubled distress \
    distressed halt close-down closure outage hack cyberattack bribery corruption overvalue unprofitable loss-making \
    writedown shortage delay dispute suffer hurt hit hamper jeopardize threaten threat refuse reject deny oppose strike pull deficit shortfall adverse poor bleak grim gloomy \
    dismal abandon abort fire fired dismissal evict foreclose stall stuck miss squeeze erode burn volatile toxic \
    worsen damage overrun complain misstate restate restatement embezzle launder laundering raid indict convict guilty plead blow setback bad worse worst \
    deteriorate unable attack flop criticise criticize negative empty block weigh drag unpaid overdue blame shock panic freeze frozen seize bailout glut stagnant \
    lacklustre lackluster muted tepid charged faulty contaminate leak spill accident explosion derail grounded strand idle furlough \
    sack axe quit oust restructure downbeat sour stumble struggle dump selloff rout contagion deadlock stalemate embargo evade \
    evasion abuse cartel collusion weak weakness suspend cut expose dry exodus lose lost shutdown unrest boycott";

const NEGATIONS: &[&str] = &[
    "not", "no", "never", "without", "nor", "neither", "cannot", "hardly", "didn't", "doesn't",
    "don't", "isn't", "wasn't", "won't", "couldn't", "aren't", "weren't", "hasn't", "haven't",
    "fails", "failed", "refused", "refuses", "unlikely",
];

/// What follows hardly counts.
const CONCESSIONS: &[&str] = &["despite", "notwithstanding", "although", "though"];

/// Forms that their stems do not tell.
const FORMS: &[(&str, &str)] = &[
    ("cancelled", "cancel"),
    ("cancelling", "cancel"),
    ("exceeded", "exceed"),
    ("exceeds", "exceed"),
    ("exceeding", "exceed"),
    // Not of "rating".
    ("rate", "rate-of"),
    ("rates", "rate-of"),
    ("contracted", "shrink"),
    ("contracting", "shrink"),
    ("suing", "sue"),
    ("sank", "sink"),
    ("shrank", "shrink"),
    ("paid", "pay"),
    ("met", "meet"),
    ("swung", "swing"),
    ("ran", "run"),
    ("sold", "sell"),
    ("laid", "lay"),
    ("wrote", "write"),
    ("written", "write"),
    ("froze", "freeze"),
    ("sent", "send"),
    ("stuck", "stall"),
    ("threw", "throw"),
];

/// Clauses end where these stand.
const BREAKS: &[&str] = &[
    "but", "while", "whereas", "although", "though", "despite", "as", "after", "amid", "because",
];

/// Words whose movement is in the pair alone.
const PAIRS: &[(&str, &str, Meaning)] = &[
    ("dry", "up", Meaning::Move(-1.0)),
    ("wind", "down", Meaning::Feeling(-1.0)),
    ("shut", "down", Meaning::Feeling(-1.0)),
    ("write", "down", Meaning::Feeling(-1.0)),
    ("write", "off", Meaning::Feeling(-1.0)),
    ("lay", "off", Meaning::Feeling(-1.0)),
    ("step", "down", Meaning::Feeling(-0.7)),
    ("pay", "down", Meaning::Move(-1.0)),
    ("pick", "up", Meaning::Move(1.0)),
    ("close", "store", Meaning::Feeling(-1.0)),
    ("close", "plant", Meaning::Feeling(-1.0)),
    ("close", "branch", Meaning::Feeling(-1.0)),
    ("close", "factory", Meaning::Feeling(-1.0)),
    ("in", "line", Meaning::Nothing),
    ("call", "off", Meaning::Move(-1.0)),
    ("pay", "off", Meaning::Move(-1.0)),
    ("scale", "back", Meaning::Move(-1.0)),
    ("cut", "back", Meaning::Move(-1.0)),
    ("swing", "loss", Meaning::Feeling(-1.0)),
    ("swing", "profit", Meaning::Feeling(1.0)),
    ("meet", "goal", Meaning::Feeling(1.0)),
    ("meet", "target", Meaning::Feeling(1.0)),
    ("fall", "short", Meaning::Feeling(-1.0)),
    ("run", "out", Meaning::Feeling(-1.0)),
    ("sell", "off", Meaning::Feeling(-1.0)),
    ("cut", "off", Meaning::Feeling(-1.0)),
    ("rule", "against", Meaning::Feeling(-1.0)),
    ("into", "red", Meaning::Feeling(-1.0)),
    ("into", "black", Meaning::Feeling(1.0)),
    ("pre", "crisis", Meaning::Nothing),
    ("decline", "to", Meaning::Nothing),
    ("interest", "rate-of", Meaning::Nothing),
    ("performing", "loan", Meaning::Thing(-1.0)),
    ("bad", "loan", Meaning::Thing(-1.0)),
    ("bad", "debt", Meaning::Thing(-1.0)),
    ("fuel", "price", Meaning::Thing(-1.0)),
    ("energy", "price", Meaning::Thing(-1.0)),
    ("material", "price", Meaning::Thing(-1.0)),
    ("input", "price", Meaning::Thing(-1.0)),
    ("freight", "rate-of", Meaning::Thing(-1.0)),
    ("ahead", "schedule", Meaning::Feeling(1.0)),
    ("behind", "schedule", Meaning::Feeling(-1.0)),
    ("side", "effect", Meaning::Feeling(-1.0)),
    ("turn", "profit", Meaning::Feeling(1.0)),
    ("turn", "loss", Meaning::Feeling(-1.0)),
    ("turn", "negative", Meaning::Feeling(-1.0)),
    ("turn", "positive", Meaning::Feeling(1.0)),
    ("first", "profit", Meaning::Feeling(1.0)),
    ("return", "profit", Meaning::Feeling(1.0)),
    ("release", "cash", Meaning::Feeling(1.0)),
    ("compare", "profit", Meaning::Feeling(-1.0)),
    ("compare", "loss", Meaning::Feeling(1.0)),
    ("throw", "out", Meaning::Move(-1.0)),
    ("going", "concern", Meaning::Nothing),
    ("market", "share", Meaning::Thing(1.0)),
    ("no", "longer", Meaning::Nothing),
];

const PREPOSITIONS: &[&str] = &[
    "on", "of", "in", "at", "for", "from", "with", "by", "to", "against",
];
const DETERMINERS: &[&str] = &[
    "its", "the", "their", "his", "her", "our", "a", "an", "this",
];
/// Movements that stand before what they speak of.
const ADJECTIVES: &[&str] = &[
    "higher",
    "lower",
    "strong",
    "stronger",
    "weak",
    "weaker",
    "low",
    "high",
    "record",
    "highest",
    "lowest",
    "wider",
    "soft",
    "robust",
    "best",
    "better",
    "worst",
    "top",
    "rising",
    "falling",
    "growing",
    "declining",
    "smaller",
    "larger",
    "bigger",
    "slower",
    "faster",
    "narrower",
];

/// Between a figure and the one of the year before.
const AGAINST: &[&str] = &["compared", "against", "versus", "vs", "from"];
/// What stands for the point in a figure.
const POINT: char = '_';
/// What these do, they do to the end of the clause: what moves beside them counts only in their sense.
const HARMS: &[&str] = &["weigh", "hurt", "dent", "squeeze", "drag", "hamper"];
const HELPS: &[&str] = &["support", "help", "underpin", "buoy"];
/// What may be hit without harm.
const MARKS: &[&str] = &[
    "high",
    "highest",
    "record",
    "peak",
    "target",
    "milestone",
    "low",
    "lowest",
];

/// A movement reaches this many words to what it moves.
const REACH: usize = 7;
/// A negation reaches this many words forward.
const NEGATED: usize = 4;
/// What a text with this much feeling scores: half of the way to 1.
const HALF: f64 = 1.0;
/// Scores nearer to zero are neutral.
const NEUTRAL: f64 = 0.1;

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Meaning {
    Nothing,
    /// Something of which more is good (1) or bad (-1).
    Thing(f64),
    Move(f64),
    Feeling(f64),
}

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
    fn scored(self) -> Self {
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

/// What is known of a stem as a mover and as a feeling; many are both.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    thing: f64,
    movement: f64,
    feeling: f64,
}

type Set = fn(&mut Entry);

static LEXICON: LazyLock<HashMap<String, Entry>> = LazyLock::new(|| {
    let mut lexicon: HashMap<String, Entry> = HashMap::new();
    let lists: [(&str, Set); 6] = [
        (GOOD, |entry| entry.thing = 1.0),
        (BAD, |entry| entry.thing = -1.0),
        (UP, |entry| entry.movement = 1.0),
        (DOWN, |entry| entry.movement = -1.0),
        (POSITIVE, |entry| entry.feeling = 1.0),
        (NEGATIVE, |entry| entry.feeling = -1.0),
    ];
    for (words, set) in lists {
        for word in words.split_whitespace() {
            set(lexicon.entry(stem(word)).or_default());
        }
    }
    lexicon
});

/// The feelings of a text.
pub fn finance(text: &str) -> Feelings {
    let lower = joined_figures(&text.to_lowercase());
    let words: Vec<&str> = tokens(&lower).collect();
    let stems: Vec<String> = words.iter().map(|word| stem(plain(word))).collect();
    let mut feelings = Feelings {
        words: words
            .iter()
            .filter(|word| word.chars().any(char::is_alphabetic))
            .count(),
        ..Feelings::default()
    };
    let mut start = 0;
    let mut weight = 1.0;
    for end in 0..=words.len() {
        let is_break = words
            .get(end)
            .is_none_or(|word| is_end(word) || BREAKS.contains(word));
        if !is_break {
            continue;
        }
        clause(
            &words[start..end],
            &stems[start..end],
            weight,
            &mut feelings,
        );
        weight = match words.get(end) {
            Some(word) if CONCESSIONS.contains(word) => 0.2,
            Some(word) if *word == "but" => 1.5,
            _ => 1.0,
        };
        start = end + 1;
    }
    feelings.scored()
}

fn plain(word: &str) -> &str {
    let form = FORMS.iter().find(|(form, _)| *form == word);
    form.map_or(word, |(_, plain)| plain)
}

/// The feelings of the sentences that speak of a subject, by any of its words; none if none does.
pub fn about(text: &str, subject: &str) -> Option<Feelings> {
    let mut found: Option<Feelings> = None;
    for part in parts(text).filter(|part| mentions(part, subject)) {
        let part = finance(part);
        let all = found.get_or_insert_default();
        all.positive += part.positive;
        all.negative += part.negative;
        all.words += part.words;
    }
    found.map(Feelings::scored)
}

/// Whether a text holds any of a subject's words, in any form.
pub fn mentions(text: &str, subject: &str) -> bool {
    let (text, subject) = (text.to_lowercase(), subject.to_lowercase());
    let wanted: Vec<String> = tokens(&subject).map(stem).collect();
    tokens(&text).map(stem).any(|word| wanted.contains(&word))
}

/// Sentences, and what stands on the two sides of a "but".
pub fn parts(text: &str) -> impl Iterator<Item = &str> {
    let sentences = text.split(['.', '!', '?', ';', '\n']);
    let sides = sentences.flat_map(|sentence| sentence.split(" but "));
    sides.map(str::trim).filter(|part| !part.is_empty())
}

/// Words, and the marks that end clauses.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let pieces = text.split_inclusive(|c: char| !in_word(c));
    let parts = pieces.flat_map(|piece| {
        let word = piece.trim_end_matches(|c| !in_word(c));
        [word, &piece[word.len()..]]
    });
    parts.filter(|part| is_end(part) || part.starts_with(in_word))
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '\'' || c == '’' || c == POINT
}

/// The text with its figures in one word each: the point within "5.2" ends no sentence.
fn joined_figures(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = letters.next() {
        let within = before.is_ascii_digit() && letters.peek().is_some_and(char::is_ascii_digit);
        match c {
            '.' if within => joined.push(POINT),
            ',' if within => {}
            c => joined.push(c),
        }
        before = c;
    }
    joined
}

/// The figure that a word is.
fn figure(word: &str) -> Option<f64> {
    let first = word.chars().next()?;
    if !first.is_ascii_digit() {
        return None;
    }
    word.replace(POINT, ".").parse().ok()
}

fn is_end(word: &str) -> bool {
    matches!(word, "." | ";" | ":" | "!" | "?")
}

fn clause(words: &[&str], stems: &[String], weight: f64, feelings: &mut Feelings) {
    let mut meanings: Vec<(Entry, bool)> = stems
        .iter()
        .map(|stem| (LEXICON.get(stem).copied().unwrap_or_default(), false))
        .collect();
    let mut first = 0;
    while first < stems.len() {
        // A pair may have some words between: "close 120 stores".
        let reach = &stems[first + 1..stems.len().min(first + 5)];
        let pair = PAIRS.iter().find_map(|(one, two, meaning)| {
            let second = reach.iter().position(|stem| *stem == self::stem(two))?;
            (stems[first] == self::stem(one)).then_some((first + 1 + second, *meaning))
        });
        if let Some((second, meaning)) = pair {
            meanings[second] = (Entry::default(), true);
            meanings[first] = (
                match meaning {
                    Meaning::Nothing => Entry::default(),
                    Meaning::Thing(thing) => Entry {
                        thing,
                        ..Entry::default()
                    },
                    Meaning::Move(movement) => Entry {
                        movement,
                        ..Entry::default()
                    },
                    Meaning::Feeling(feeling) => Entry {
                        feeling,
                        ..Entry::default()
                    },
                },
                true,
            );
        }
        first += 1;
    }
    settle(words, stems, &mut meanings);
    let sense = sense(stems);
    let negated = |at: usize| {
        words[at.saturating_sub(NEGATED)..at]
            .iter()
            .filter(|word| NEGATIONS.contains(word))
            .count()
            % 2
            == 1
    };
    // A thing in the reach of a movement is good or bad through it alone.
    let mut moved = vec![false; stems.len()];
    for at in 0..stems.len() {
        let movement = meanings[at].0.movement;
        if movement == 0.0 {
            continue;
        }
        let nearest = moved_thing(words, stems, &meanings, at);
        let value = match nearest {
            Some(thing) => {
                moved[thing] = true;
                movement * meanings[thing].0.thing
            }
            None if meanings[at].0.feeling != 0.0 => continue,
            None => 0.6 * movement,
        };
        moved[at] = true;
        let value = if negated(at) { -value } else { value };
        if sense * value >= 0.0 {
            add(value, weight, feelings);
        }
    }
    for at in 0..stems.len() {
        let feeling = meanings[at].0.feeling;
        if feeling != 0.0 && !moved[at] {
            add(
                if negated(at) { -0.8 * feeling } else { feeling },
                weight,
                feelings,
            );
        }
    }
}

/// Meanings that hang on the words around: "up" and "down" before figures, what is hit, and figures against those of before.
fn settle(words: &[&str], stems: &[String], meanings: &mut [(Entry, bool)]) {
    let is = |at: usize, list: &[&str]| list.iter().any(|word| stem(word) == stems[at]);
    for at in 0..words.len() {
        let next = words.get(at + 1).copied().unwrap_or_default();
        if matches!(words[at], "up" | "down") && !meanings[at].1 {
            let moves =
                figure(next).is_some() || matches!(next, "from" | "by" | "sharply" | "slightly");
            if moves {
                meanings[at].0.movement = if words[at] == "up" { 1.0 } else { -1.0 };
            }
        }
        let ahead = at + 1..words.len().min(at + 4);
        if stems[at] == "hit" && ahead.into_iter().any(|place| is(place, MARKS)) {
            meanings[at].0.feeling = 0.0;
        }
    }
    if meanings.iter().any(|(entry, _)| entry.movement != 0.0) {
        return;
    }
    // "Profit was 5.2 million, compared with 3.1 million".
    let against = words.iter().position(|word| AGAINST.contains(word));
    let Some(against) = against.filter(|at| !meanings[*at].1) else {
        return;
    };
    let last = words[..against].iter().rev().find_map(|word| figure(word));
    let before = words[against..].iter().find_map(|word| figure(word));
    if let (Some(last), Some(before)) = (last, before)
        && last != before
    {
        meanings[against].0.movement = (last - before).signum();
    }
}

/// 1 where a clause says what helps, −1 where it says what harms.
fn sense(stems: &[String]) -> f64 {
    let has = |list: &[&str]| list.iter().any(|word| stems.contains(&stem(word)));
    match (has(HELPS), has(HARMS)) {
        (true, false) => 1.0,
        (false, true) => -1.0,
        _ => 0.0,
    }
}

/// The thing that a movement moves: the nearest of its clause. Adjectives and verbs with an object look ahead, other
/// verbs back; what a preposition ties to another word is moved only if nothing else is there.
fn moved_thing(
    words: &[&str],
    stems: &[String],
    meanings: &[(Entry, bool)],
    at: usize,
) -> Option<usize> {
    let is_thing =
        |place: usize| meanings[place].0.thing != 0.0 && meanings[place].0.movement == 0.0;
    let is_tied = |place: usize| {
        words[place.saturating_sub(3)..place]
            .iter()
            .any(|word| PREPOSITIONS.contains(word))
    };
    let near = &words[at + 1..words.len().min(at + 3)];
    let looks_ahead =
        ADJECTIVES.contains(&words[at]) || near.iter().any(|word| DETERMINERS.contains(word));
    let before = |tied: bool| {
        (at.saturating_sub(REACH)..at)
            .rev()
            .find(|place| is_thing(*place) && (tied || !is_tied(*place)))
    };
    let behind = |tied: bool| {
        (at + 1..stems.len().min(at + 1 + REACH))
            .find(|place| is_thing(*place) && (tied || !is_tied(*place)))
    };
    if looks_ahead {
        behind(false)
            .or_else(|| behind(true))
            .or_else(|| before(false))
            .or_else(|| before(true))
    } else {
        before(false)
            .or_else(|| behind(false))
            .or_else(|| before(true))
            .or_else(|| behind(true))
    }
}

fn add(value: f64, weight: f64, feelings: &mut Feelings) {
    if value > 0.0 {
        feelings.positive += weight * value;
    } else {
        feelings.negative -= weight * value;
    }
}

/// A word without its common endings: enough to meet its other forms.
fn stem(word: &str) -> String {
    let word = word
        .trim_end_matches("'s")
        .trim_end_matches("’s")
        .trim_matches(['\'', '’']);
    let cut = |ending: &str, least: usize| {
        word.strip_suffix(ending)
            .filter(|rest| rest.chars().count() >= least)
    };
    let base = if let Some(rest) = cut("ies", 2) {
        return format!("{rest}y");
    } else if let Some(rest) = cut("ied", 2) {
        return format!("{rest}y");
    } else if let Some(rest) = cut("ing", 3).or_else(|| cut("ed", 3)) {
        // "stopped" is "stop", but "fall" keeps both.
        let mut letters = rest.chars().rev();
        match (letters.next(), letters.next()) {
            (Some(a), Some(b)) if a == b && !"lsz".contains(a) => {
                &rest[..rest.len() - a.len_utf8()]
            }
            _ => rest,
        }
    } else if let Some(rest) = cut("sses", 2)
        .or_else(|| cut("shes", 2))
        .or_else(|| cut("ches", 2))
    {
        &word[..rest.len() + 2]
    } else if word.ends_with("ss") || word.ends_with("us") {
        word
    } else {
        cut("s", 3).unwrap_or(word)
    };
    base.strip_suffix('e')
        .filter(|rest| rest.len() >= 3)
        .unwrap_or(base)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELLED: &str = include_str!("../../../../tests/data/sentiment/finance_labelled.csv");
    const OWN: &str = include_str!("../../../../tests/data/sentiment/finance_own.csv");

    /// The share of the sentences of a file, of one set if it is named, that get their label.
    fn agreement(file: &str, set: &str) -> f64 {
        let (mut right, mut all) = (0.0, 0.0);
        for line in file.lines().skip(1).filter(|line| line.starts_with(set)) {
            let (_, rest) = line.split_once(',').unwrap();
            let (text, label) = rest.rsplit_once(',').unwrap();
            let found = match finance(text.trim_matches('"')).label() {
                Label::Positive => "1",
                Label::Negative => "-1",
                Label::Neutral | Label::Mixed | Label::Unknown => "0",
            };
            all += 1.0;
            right += f64::from(u8::from(found == label));
        }
        right / all
    }

    #[test]
    fn agrees_with_the_labels() {
        for (file, set) in [(LABELLED, ""), (OWN, "a"), (OWN, "b")] {
            let found = agreement(file, set);
            assert!(found >= 0.8, "{set}: {found}");
        }
    }

    /// By hand.
    #[test]
    fn figures_are_read_against_those_of_before() {
        for (text, label) in [
            (
                "Profit was EUR 5.2 mn, compared with EUR 3.1 mn a year earlier.",
                Label::Positive,
            ),
            (
                "Profit was EUR 3.1 mn, against EUR 5.2 mn a year earlier.",
                Label::Negative,
            ),
            (
                "The loss was EUR 1.5 mn, compared with EUR 1,200 mn.",
                Label::Positive,
            ),
            ("Sales were down 4.5 percent.", Label::Negative),
            ("Costs were up 4.5 percent.", Label::Negative),
        ] {
            assert_eq!(finance(text).label(), label, "{text}");
        }
    }

    #[test]
    fn movements_are_read_with_what_moves() {
        for (text, label) in [
            ("Costs fell.", Label::Positive),
            ("Sales fell.", Label::Negative),
            ("Sales did not fall.", Label::Positive),
            ("The firm is in Oslo.", Label::Neutral),
            ("", Label::Unknown),
        ] {
            assert_eq!(finance(text).label(), label, "{text}");
        }
    }
}
