//! The words of finance news: our own lists.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::tokens::stem;

/// Things of which more is good.
const GOOD: &str = "profit earnings revenue sales income margin cash dividend guidance outlook forecast order backlog demand \
    growth output production share stock rating booking delivery traffic subscriber customer client return liquidity \
    capacity employment job hiring confidence volume export productivity efficiency turnover gdp economy wage surplus \
    reserve capital asset index equity payment payout ebitda ebit eps deposit loan inflow target valuation value price \
    result performance activity spending investment savings user passenger shipment sentiment optimism coverage buyback \
    headcount staff worker workforce credit currency market bond portfolio fund profitability occupancy rent \
    receipts fee premium underwriting throughput yield ratio solvency reputation hope recovery satisfaction occupancy \
    momentum appetite visitor guest footfall subscription competitiveness utilisation utilization purchase consumption \
    attendance viewer audience download installation registration permit creditworthiness resilience tourist commission";

/// Things of which more is bad.
const BAD: &str = "loss debt cost expense inflation unemployment default delinquency charge writedown impairment deficit leverage \
    provision claim complaint tax tariff risk exposure volatility shortage delay redundancy layoff injury accident churn \
    inventory liability penalty fraud vacancy arrears bankruptcy insolvency jobless borrowing pressure doubt concern fear \
    uncertainty fuel short overcapacity competition outflow redemption withdrawal spread deductible overrun recall defect \
    outage downtime emission litigation lawsuit fine breach dispute shortfall headwind glut jobless turmoil burden \
    foreclosure writeoff attrition cancellation backlash disruption dilution congestion strike case lawsuit \
    levy bottleneck shutdown poverty drought interruption stress strain obstacle hurdle infection theft imbalance overhead \
    expenditure outlay stockpile unrest bill";

const UP: &str = "rise rose risen climb gain jump surge soar increase grow grew grown double triple quadruple advance raise \
    lift boost expand strengthen widen accelerate higher create balloon swell rebound recover rally exceed beat ahead above strong stronger \
    robust swell mount escalate deepen lengthen extend add record top outpace high highest upward build pick spike \
    hike elevate resume return best better upside strength wide wider larger bigger \
    broaden ramp multiply skyrocket rocket leap uptick upturn uplift \
    accumulate heighten intensify inflate enlarge outstrip treble mushroom";

const DOWN: &str = "fall fell fallen drop decline decrease slip slide slid slump plunge tumble sink sank shrink shrank narrow \
    weaken lower cut reduce trim slow ease halve lose lost miss lag trail below dip plummet collapse crash soften erode \
    squeeze wipe fade dismiss release low lowest leaving shed slash curb scrap suspend \
    withdraw withdrew evaporate dwindle shorten weak weaker weakness soft retreat repay repaid refinance contain tighten \
    stall stagnate diminish wane dent drain deplete sluggish shut subdue subside decelerate worst smaller narrower slower pare nosedive downturn slowdown recede slacken taper cutback \
    eliminate abolish avert avoid prevent cease stop quell alleviate relieve calm cool deflate wither crumble discontinue \
    skip omit fewer";

/// Good by themselves.
const POSITIVE: &str = "upgrade outperform win won award approve approval clear favour favor success successful profitable breakthrough \
    ample healthy solid improve support help aid underpin resilient upbeat bullish optimistic exceptional outstanding accretive milestone settle \
    resolve secure innovate lucrative attractive oversubscribe reward thrive flourish comfortable comfortably \
    buoyant favourable favorable attract exonerate acquit confident delight impress impressive stable exceed beat surpass \
    smooth smoothly praise welcome reinstate boom windfall effective offset clearance overtake regain restore reopen hire rosy brisk buoy cheer synergy refund affordable \
    undervalue rehire inflow growth innovate \
    advantage applaud attain benefit celebrate efficient enhance enjoy excel excellent flawless fortify gratify great \
    honour honor inspire invigorate popular pleased prestigious prosper prosperity rejuvenate relief remarkable solve \
    splendid stellar stimulate superb superior triumph unlock uphold upheld vindicate vibrant vigorous rich discover \
    discovery renew renewal exempt waive reimburse successfully promising positive constructive encourage reassure reliable";

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
    evasion abuse cartel collusion weak weakness suspend cut expose dry exodus lose lost shutdown unrest boycott \
    abysmal aggravate alarm ailing anxious appalling ban breakdown brutal catastrophe catastrophic caution cautious censure \
    chaos cheat condemn confiscate conflict costly cripple danger dangerous debacle deceive defraud delinquent deprive \
    desert desperate destroy destruction detrimental devastate disaster disastrous dishonest dismay disrupt distort \
    downfall embarrass erroneous expel fake falsify fatal flaw flee fallout harm harmful hardship hostile impede improper \
    inability inadequate infringe infringement instability interrupt invalid invalidate irregularity jail kickback limbo \
    malfunction manipulate mishandle mismanage negligence nervous obsolete obstruct outrage overcharge overstate painful \
    paralyse paralyze penalise penalize peril plague postpone problem prosecute protest punish rebuke reckless reluctant \
    renege reprimand revoke rift risky ruin sabotage sceptical severe sham shaky slam steal stole stolen suspicious tarnish \
    terminate theft tragedy turbulence turbulent unfavourable unfavorable unfair unlawful unpopular unsafe unsold unstable \
    unsustainable unwilling unwanted useless victim violent vulnerable withhold worthless wreck wrong dilute deter defer \
    bleed choke clash outcry pessimism plight defeat disappear forfeit gloom insufficient laggard liquidate liquidation \
    loom malaise misconduct mistake misuse overhang outbid embezzlement unimpressed";

pub(super) const NEGATIONS: &[&str] = &[
    "not", "no", "never", "without", "nor", "neither", "cannot", "hardly", "didn't", "doesn't",
    "don't", "isn't", "wasn't", "won't", "couldn't", "aren't", "weren't", "hasn't", "haven't",
    "fails", "failed", "refused", "refuses", "unlikely",
];

/// What follows hardly counts.
pub(super) const CONCESSIONS: &[&str] = &["despite", "notwithstanding", "although", "though"];

/// Forms that their stems do not tell.
pub(super) const FORMS: &[(&str, &str)] = &[
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
    ("ended", "cease"),
    ("fell", "fall"),
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
pub(super) const BREAKS: &[&str] = &[
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
    ("walk", "out", Meaning::Feeling(-1.0)),
    ("fall", "through", Meaning::Feeling(-1.0)),
    ("pull", "out", Meaning::Feeling(-1.0)),
    ("trade", "down", Meaning::Feeling(-1.0)),
    ("class", "action", Meaning::Thing(-1.0)),
    ("cash", "burn", Meaning::Thing(-1.0)),
    ("short", "seller", Meaning::Nothing),
    ("emerge", "bankruptcy", Meaning::Feeling(1.0)),
    ("impose", "tariff", Meaning::Feeling(-1.0)),
    ("impose", "sanction", Meaning::Feeling(-1.0)),
    ("order", "pay", Meaning::Feeling(-1.0)),
    ("profit", "warning", Meaning::Feeling(-1.0)),
    ("consumer", "price", Meaning::Thing(-1.0)),
    ("producer", "price", Meaning::Thing(-1.0)),
    ("loss", "share", Meaning::Thing(-1.0)),
    ("all", "time", Meaning::Nothing),
];

pub(super) const PREPOSITIONS: &[&str] = &[
    "on", "of", "in", "at", "for", "from", "with", "by", "to", "against",
];
pub(super) const DETERMINERS: &[&str] = &[
    "its", "the", "their", "his", "her", "our", "a", "an", "this",
];
/// Movements that stand before what they speak of.
pub(super) const ADJECTIVES: &[&str] = &[
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
    "fewer",
];

/// Between a figure and the one of the year before.
pub(super) const AGAINST: &[&str] = &["compared", "against", "versus", "vs", "from"];
/// What these do, they do to the end of the clause: what moves beside them counts only in their sense.
const HARMS: &[&str] = &["weigh", "hurt", "dent", "squeeze", "drag", "hamper"];
const HELPS: &[&str] = &["support", "help", "underpin", "buoy"];
/// What may be hit without harm.
pub(super) const MARKS: &[&str] = &[
    "high",
    "highest",
    "record",
    "peak",
    "target",
    "milestone",
    "low",
    "lowest",
];

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Meaning {
    Nothing,
    /// Something of which more is good (1) or bad (-1).
    Thing(f64),
    Move(f64),
    Feeling(f64),
}

/// What is known of a stem as a mover and as a feeling; many are both.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entry {
    pub(super) thing: f64,
    pub(super) movement: f64,
    pub(super) feeling: f64,
}

type Set = fn(&mut Entry);

pub(super) static LEXICON: LazyLock<HashMap<String, Entry>> = LazyLock::new(|| {
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

/// The pairs by the stem of their first word.
pub(super) static PAIRED: LazyLock<HashMap<String, Vec<(String, Meaning)>>> = LazyLock::new(|| {
    let mut paired: HashMap<String, Vec<(String, Meaning)>> = HashMap::new();
    for (one, two, meaning) in PAIRS {
        let pairs = paired.entry(stem(one)).or_default();
        pairs.push((stem(two), *meaning));
    }
    paired
});

/// The stems of what helps and of what harms.
pub(super) static SENSES: LazyLock<(Vec<String>, Vec<String>)> = LazyLock::new(|| {
    let stems = |words: &[&str]| words.iter().map(|word| stem(word)).collect();
    (stems(HELPS), stems(HARMS))
});
