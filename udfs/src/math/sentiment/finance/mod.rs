//! Sentiment of finance news: what happens to what. "Costs fell" is good and "sales fell" is bad, so movements are
//! read together with what moves.
//!
//! The lexicon and the rules are our own, and so are the sentences with which a small model learnt how far to trust them, and
//! what other words tell. Words are compared by their stems, clause by clause:
//! - a movement (up, down) takes the sign of what it moves: the nearest good or bad thing of its clause, or its own;
//! - words that are good or bad by themselves count as they are;
//! - a negation shortly before turns the sign, and what follows "despite" hardly counts.

mod feelings;
mod lexicon;
mod model;
mod subjects;
mod tokens;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod training;

use super::vader::Vader;
use lexicon::{
    ADJECTIVES, AGAINST, BREAKS, CONCESSIONS, DETERMINERS, Entry, LEXICON, MARKS, Meaning,
    NEGATIONS, PAIRED, PREPOSITIONS, SENSES,
};
use tokens::{figure, is_end, joined_figures, plain, stem, tokens};

pub use feelings::{Feelings, Label};
pub use subjects::{mentions, parts};

/// A movement reaches this many words to what it moves.
const REACH: usize = 7;
/// A negation reaches this many words forward.
const NEGATED: usize = 4;
/// Judges texts, with the buffers that takes.
#[derive(Debug, Default)]
pub struct Finance {
    vader: Vader,
}

impl Finance {
    /// The feelings of a text: the sums are the rules', the score is the model's.
    pub fn feelings(&mut self, text: &str) -> Feelings {
        let (features, rules) = self.examine(text);
        Feelings {
            score: if rules.words == 0 {
                0.0
            } else {
                model::score(&model::WEIGHTS, &features)
            },
            ..rules
        }
    }

    /// The feelings of the sentences that speak of a subject, by any of its words; none if none does.
    pub fn about(&mut self, text: &str, subject: &str) -> Option<Feelings> {
        let of_it: Vec<&str> = parts(text).filter(|part| mentions(part, subject)).collect();
        (!of_it.is_empty()).then(|| self.feelings(&of_it.join(". ")))
    }

    fn examine(&mut self, text: &str) -> (model::Features, Feelings) {
        let lower = joined_figures(&text.to_lowercase());
        let words: Vec<&str> = tokens(&lower).collect();
        let stems: Vec<String> = words.iter().map(|word| stem(plain(word))).collect();
        let rules = by_rules(&words, &stems);
        let features = model::features(&words, &rules, &self.vader.scores(text));
        (features, rules)
    }
}

/// What the rules find.
fn by_rules(words: &[&str], stems: &[String]) -> Feelings {
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

fn clause(words: &[&str], stems: &[String], weight: f64, feelings: &mut Feelings) {
    let mut meanings: Vec<(Entry, bool)> = stems
        .iter()
        .map(|stem| (LEXICON.get(stem).copied().unwrap_or_default(), false))
        .collect();
    let mut first = 0;
    while first < stems.len() {
        // A pair may have some words between: "close 120 stores".
        let reach = &stems[first + 1..stems.len().min(first + 5)];
        let pair = PAIRED.get(&stems[first]).and_then(|pairs| {
            pairs.iter().find_map(|(two, meaning)| {
                let second = reach.iter().position(|found| found == two)?;
                Some((first + 1 + second, *meaning))
            })
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
    let has = |list: &[String]| list.iter().any(|word| stems.contains(word));
    match (has(&SENSES.0), has(&SENSES.1)) {
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
    let found = if looks_ahead {
        behind(false)
            .or_else(|| behind(true))
            .or_else(|| before(false))
            .or_else(|| before(true))
    } else {
        before(false)
            .or_else(|| behind(false))
            .or_else(|| before(true))
            .or_else(|| behind(true))
    };
    // Of "production costs" it is the costs that fall.
    let head = |first: usize| {
        let next = first + 1..stems.len();
        next.take_while(|place| is_thing(*place))
            .last()
            .unwrap_or(first)
    };
    found.map(head)
}

fn add(value: f64, weight: f64, feelings: &mut Feelings) {
    if value > 0.0 {
        feelings.positive += weight * value;
    } else {
        feelings.negative -= weight * value;
    }
}
