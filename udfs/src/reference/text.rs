//! Pages of sentiment and text.

use super::{Chapter, Page, page};

pub(super) static CHAPTER: Chapter = Chapter {
    title: "Sentiment and text",
    introduction: "English, deterministic and offline: no text leaves the server. NULL gives NULL. Texts may be empty or huge, with any letters and emoji.",
    pages: PAGES,
};

const PAGES: &[Page] = &[
    page(
        "sentiment",
        "VADER's compound score from −1 to 1, to four digits: rules for negation, degree, capitals, punctuation and emoji over a lexicon of feelings. At 0.05 and \
beyond a text counts as positive, at −0.05 and below as negative. Made for short and informal texts; for news of companies see `sentiment_analyze`. Source: Hutto \
and Gilbert (2014). Reference values: vaderSentiment 3.3.2.",
        "SELECT sentiment('What an absolutely fantastic meal :)') AS good, sentiment('The service was NOT good at all!') AS bad, sentiment('We ate.') AS none",
    ),
    page(
        "sentiment_analyze",
        "A struct: `label` (positive, negative, neutral, mixed, unknown for a text without words), `score` from −1 to 1, the shares `positive`, `negative` and \
`neutral`, and for each of `categories` its `name`, `sentiment` and `score`, judged by the sentences and sides of a \"but\" that speak of it (unknown where none does).\n\n\
`model => 'lexicon'` is VADER. `'finance'` reads movements with what moves: costs that fall are good, sales that fall are bad, losses that narrow are good; and \
figures against those of the year before. Its lexicon, its rules and the sentences from which a small model learnt how far to trust them are our own; \
`udfs/src/sentiment/README.md` says how often it is right, and how that was measured.",
        "SELECT headline, (sentiment_analyze(headline, model => 'finance')).label, round((sentiment_analyze(headline, model => 'finance')).score::numeric, 2) AS score
  FROM news ORDER BY at",
    ),
    page(
        "sentiment_index",
        "Sentiment over time, a row a `bucket` with texts: the `mean` score, `weighted` by `weight_col` (or by the scores' own sizes), the `volume` of texts, and \
`momentum`, the change of the mean since the bucket before. Buckets start at whole units of UTC, weeks on Mondays.",
        "SELECT ticker, bucket, round(mean::numeric, 3) AS mean, volume, round(momentum::numeric, 3) AS momentum
  FROM sentiment_index(news, timestamp_col => at, text_col => headline, id_cols => ticker, bucket => '1 day', model => 'finance') ORDER BY 1, 2",
    ),
    page(
        "tokenize",
        "The words of a text in small letters: runs of letters, digits, apostrophes and what belongs to letters.",
        "SELECT tokenize('It''s 5 o''clock -- GO!') AS words",
    ),
    page(
        "ngrams",
        "Runs of `n` words, up to 10.",
        "SELECT ngrams('net profit rose sharply', 2) AS pairs",
    ),
    page(
        "top_terms",
        "An aggregate: the `k` words that stand most often in a group's texts, with their counts, as a list of struct(term, n). Numbers, single letters and English \
function words are left out; equal counts go by the alphabet.",
        "SELECT ticker, t.term, t.n FROM (SELECT ticker, unnest(top_terms(headline, k => 2)) AS t FROM news GROUP BY ticker) AS x ORDER BY 1, 3 DESC, 2",
    ),
];
