//! Patterns of SIMILAR TO as regular expressions.

/// The regular expression that matches what a pattern matches, as a whole.
pub(super) fn regex_of(pattern: &str, escape: Option<char>) -> String {
    let mut regex = String::with_capacity(pattern.len() + 8);
    regex.push_str("^(?:");
    let mut chars = pattern.chars();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        if Some(c) == escape {
            if let Some(literal) = chars.next() {
                quote(literal, &mut regex);
            }
            continue;
        }
        match c {
            ']' if in_class => {
                in_class = false;
                regex.push(c);
            }
            '\\' => regex.push_str("\\\\"),
            _ if in_class => regex.push(c),
            '[' => {
                in_class = true;
                regex.push(c);
            }
            '%' => regex.push_str(".*"),
            '_' => regex.push('.'),
            '(' => regex.push_str("(?:"),
            '.' | '^' | '$' => quote(c, &mut regex),
            other => regex.push(other),
        }
    }
    regex.push_str(")$");
    regex
}

fn quote(c: char, regex: &mut String) {
    if !c.is_alphanumeric() {
        regex.push('\\');
    }
    regex.push(c);
}
