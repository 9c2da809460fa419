//! Words that the SQL parser takes where PostgreSQL does not.

use datafusion::sql::sqlparser::tokenizer::TokenWithSpan;

use crate::planner::keyword::is;

/// Words that the SQL parser would take for a table's name after FROM.
const NO_TABLE_NAMES: [&str; 9] = [
    "WHERE",
    "GROUP",
    "ORDER",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "UNION",
    "INTERSECT",
    "EXCEPT",
];

/// A word that the SQL parser reads and PostgreSQL does not.
pub(super) fn misplaced_word(tokens: &[TokenWithSpan]) -> Option<&TokenWithSpan> {
    if let [insert, next, ..] = tokens
        && is(insert, "INSERT")
        && !is(next, "INTO")
    {
        return Some(next);
    }
    let mut pairs = tokens.windows(2);
    let named_so = |pair: &&[TokenWithSpan]| {
        is(&pair[0], "FROM") && NO_TABLE_NAMES.iter().any(|name| is(&pair[1], name))
    };
    pairs.find(named_so).map(|pair| &pair[1])
}
