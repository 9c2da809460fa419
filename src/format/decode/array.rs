//! Arrays as text: `{1,NULL,"a b"}`.

use crate::error::{Error, Result};

/// The most elements an array may have.
const MAX_ELEMENTS: usize = 1 << 27;

/// The most dimensions an array may have.
const MAX_DIMENSIONS: usize = 6;

/// The sizes of an array's dimensions, none if it is empty, and its elements; `None` is NULL.
pub fn elements(text: &str) -> Result<(Vec<usize>, Vec<Option<String>>)> {
    let bounds = Bounds::read(text)?;
    let mut reader = Reader {
        text,
        letters: text[bounds.end..].chars().peekable(),
        sizes: Vec::new(),
        leaves: None,
        elements: Vec::new(),
    };
    reader.space();
    if reader.letters.next() != Some('{') {
        return Err(reader.malformed("Array value must start with \"{\" or dimension information."));
    }
    reader.list(0)?;
    reader.space();
    if reader.letters.next().is_some() {
        return Err(reader.malformed("Junk after closing right brace."));
    }
    let Reader {
        mut sizes,
        elements,
        ..
    } = reader;
    if elements.is_empty() {
        sizes.clear();
    }
    if let Some(told) = bounds.sizes
        && told != sizes
    {
        return Err(malformed(
            text,
            "Specified array dimensions do not match array contents.",
        ));
    }
    Ok((sizes, elements))
}

fn malformed(text: &str, detail: &str) -> Error {
    Error::Function {
        sqlstate: "22P02",
        message: format!("malformed array literal: \"{text}\""),
        detail: Some(detail.to_owned()),
        hint: None,
    }
}

/// What may stand before the elements: `[1:2][1:3]=`.
struct Bounds {
    sizes: Option<Vec<usize>>,
    /// Where the elements begin.
    end: usize,
}

impl Bounds {
    fn read(text: &str) -> Result<Self> {
        let start = text.len() - text.trim_start().len();
        if !text[start..].starts_with('[') {
            let (sizes, end) = (None, start);
            return Ok(Self { sizes, end });
        }
        let bad = || malformed(text, "Missing \"]\" after array dimensions.");
        let (written, _) = text[start..].split_once('=').ok_or_else(bad)?;
        let end = start + written.len() + 1;
        let mut sizes = Vec::new();
        for bounds in written.trim_end().split_inclusive(']') {
            let bounds = bounds.trim().strip_prefix('[').ok_or_else(bad)?;
            let bounds = bounds.strip_suffix(']').ok_or_else(bad)?;
            let (first, last) = bounds.split_once(':').unwrap_or(("1", bounds));
            let number = |text: &str| text.trim().parse::<i32>().map_err(|_| bad());
            let (first, last) = (number(first)?, number(last)?);
            if first != 1 {
                return Err(Error::Unsupported(
                    "an array whose first subscript is not 1".to_owned(),
                ));
            }
            sizes.push(usize::try_from(last).map_err(|_| {
                let message = "upper bound cannot be less than lower bound".to_owned();
                Error::Function {
                    sqlstate: "2202E",
                    message,
                    detail: None,
                    hint: None,
                }
            })?);
        }
        let sizes = Some(sizes);
        Ok(Self { sizes, end })
    }
}

struct Reader<'a> {
    text: &'a str,
    letters: std::iter::Peekable<std::str::Chars<'a>>,
    sizes: Vec<usize>,
    /// How deep the first element stands.
    leaves: Option<usize>,
    elements: Vec<Option<String>>,
}

impl Reader<'_> {
    fn malformed(&self, detail: &str) -> Error {
        malformed(self.text, detail)
    }

    fn space(&mut self) {
        while self.letters.next_if(char::is_ascii_whitespace).is_some() {}
    }

    /// Reads what follows an opening brace, up to the closing one.
    fn list(&mut self, depth: usize) -> Result<()> {
        if depth >= MAX_DIMENSIONS {
            let message = format!(
                "number of array dimensions ({}) exceeds the maximum allowed ({MAX_DIMENSIONS})",
                depth + 1
            );
            return Err(Error::ProgramLimit(message));
        }
        let ragged = "Multidimensional arrays must have sub-arrays with matching dimensions.";
        let mut size = 0;
        loop {
            self.space();
            match self.letters.peek() {
                None => return Err(self.malformed("Unexpected end of input.")),
                Some('}') if size == 0 => {
                    self.letters.next();
                    break;
                }
                Some('{') => {
                    self.letters.next();
                    self.list(depth + 1)?;
                }
                Some(_) => {
                    // All elements stand equally deep.
                    if *self.leaves.get_or_insert(depth) != depth {
                        return Err(self.malformed(ragged));
                    }
                    let element = self.element()?;
                    self.elements.push(element);
                    if self.elements.len() > MAX_ELEMENTS {
                        let message =
                            format!("array size exceeds the maximum allowed ({MAX_ELEMENTS})");
                        return Err(Error::ProgramLimit(message));
                    }
                }
            }
            size += 1;
            self.space();
            match self.letters.next() {
                Some(',') => {
                    self.space();
                    if self.letters.peek() == Some(&'}') {
                        return Err(self.malformed("Unexpected \"}\" character."));
                    }
                }
                Some('}') => break,
                None => return Err(self.malformed("Unexpected end of input.")),
                Some(_) => return Err(self.malformed("Unexpected array element.")),
            }
        }
        self.sized(depth, size)
    }

    /// Takes note of how many items a list of some depth has; all of one depth have as many.
    fn sized(&mut self, depth: usize, size: usize) -> Result<()> {
        match self.sizes.get(depth) {
            Some(known) if *known != usize::MAX && *known != size => Err(self.malformed(
                "Multidimensional arrays must have sub-arrays with matching dimensions.",
            )),
            Some(_) => {
                self.sizes[depth] = size;
                Ok(())
            }
            None => {
                // The lists above are not read to their ends yet.
                self.sizes.resize(depth, usize::MAX);
                self.sizes.push(size);
                Ok(())
            }
        }
    }

    /// One element, up to the comma or brace behind it.
    fn element(&mut self) -> Result<Option<String>> {
        let mut element = String::new();
        if self.letters.next_if_eq(&'"').is_some() {
            loop {
                match self.letters.next() {
                    Some('"') => return Ok(Some(element)),
                    Some('\\') => element.extend(self.letters.next()),
                    Some(letter) => element.push(letter),
                    None => return Err(self.malformed("Unexpected end of input.")),
                }
            }
        }
        // Up to here the element is more than white space that is cut off.
        let mut solid = 0;
        let mut escaped = false;
        while let Some(letter) = self.letters.next_if(|letter| !matches!(letter, ',' | '}')) {
            match letter {
                '"' => return Err(self.malformed("Unexpected array element.")),
                '{' => return Err(self.malformed("Unexpected \"{\" character.")),
                '\\' => {
                    element.extend(self.letters.next());
                    escaped = true;
                    solid = element.len();
                }
                space if space.is_ascii_whitespace() => element.push(space),
                letter => {
                    element.push(letter);
                    solid = element.len();
                }
            }
        }
        element.truncate(solid);
        if element.is_empty() {
            return Err(self.malformed("Unexpected array element."));
        }
        let null = !escaped && element.eq_ignore_ascii_case("null");
        Ok((!null).then_some(element))
    }
}

/// The elements of an `int2vector` or `oidvector`, which stand between spaces.
pub fn vector(text: &str) -> impl Iterator<Item = &str> {
    text.split_ascii_whitespace()
}
