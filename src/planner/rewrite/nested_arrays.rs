//! Array types as deep as the text that is cast to them: PostgreSQL has one type for arrays of all dimensions,
//! the engine has one for each.

use datafusion::sql::sqlparser::ast::{ArrayElemTypeDef, DataType, Expr, Value};

/// Gives the array type of a cast the depth of the literal that is cast, and of anything else one dimension.
pub(super) fn deepen(value: &Expr, data_type: &mut DataType) {
    let DataType::Array(element) = data_type else {
        return;
    };
    let Some(mut innermost) = inner(element) else {
        return;
    };
    while let DataType::Array(element) = innermost {
        let Some(next) = inner(element) else { return };
        innermost = next;
    }
    let mut deep = innermost.clone();
    for _ in 0..depth_of(value) {
        deep = DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(deep), None));
    }
    *data_type = deep;
}

fn inner(element: &ArrayElemTypeDef) -> Option<&DataType> {
    match element {
        ArrayElemTypeDef::SquareBracket(inner, _)
        | ArrayElemTypeDef::AngleBracket(inner)
        | ArrayElemTypeDef::Parenthesis(inner) => Some(inner),
        ArrayElemTypeDef::None => None,
    }
}

/// How many dimensions a literal is written with.
fn depth_of(value: &Expr) -> usize {
    let Expr::Value(literal) = value else {
        return 1;
    };
    let (Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text)) = &literal.value
    else {
        return 1;
    };
    // Bounds come before the elements.
    let text = text.split_once("={").map_or(text.as_str(), |_| {
        text.find('{').map_or("", |begin| &text[begin..])
    });
    let letters = text.chars().filter(|letter| !letter.is_ascii_whitespace());
    letters
        .take_while(|letter| *letter == '{')
        .count()
        .clamp(1, MOST_DIMENSIONS)
}

/// The most dimensions that an array has.
const MOST_DIMENSIONS: usize = 6;
