//! What the server's messages say.

use std::collections::BTreeMap;

/// One message of the server: its tag and its body without the length.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) tag: char,
    pub(crate) body: Vec<u8>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.tag, String::from_utf8_lossy(&self.body))
    }
}

/// A column of a RowDescription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) table_oid: u32,
    pub(crate) number: i16,
    pub(crate) type_oid: u32,
    pub(crate) type_len: i16,
    pub(crate) typmod: i32,
    pub(crate) format: i16,
}

/// The fields of an ErrorResponse or NoticeResponse by their letter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerError(pub(crate) BTreeMap<char, String>);

impl ServerError {
    pub(crate) fn field(&self, letter: char) -> &str {
        self.0.get(&letter).map_or("", String::as_str)
    }
    pub(crate) fn code(&self) -> &str {
        self.field('C')
    }
    pub(crate) fn message(&self) -> &str {
        self.field('M')
    }
}

impl std::fmt::Display for ServerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code(), self.message())
    }
}

impl std::error::Error for ServerError {}

/// A value as text or bytes, or NULL.
pub(crate) type Value = Option<Vec<u8>>;

/// What one statement answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Value>>,
    pub(crate) tag: Option<String>,
}

impl Answer {
    /// The rows as psql would show them, NULL as `NULL`.
    pub(crate) fn text(&self) -> Vec<Vec<String>> {
        self.rows
            .iter()
            .map(|row| row.iter().map(text).collect())
            .collect()
    }
}

fn text(value: &Value) -> String {
    value.as_ref().map_or_else(
        || "NULL".to_owned(),
        |bytes| String::from_utf8_lossy(bytes).into_owned(),
    )
}

/// Everything up to ReadyForQuery.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) answers: Vec<Answer>,
    pub(crate) error: Option<ServerError>,
    pub(crate) notices: Vec<ServerError>,
    /// `I`, `T` or `E`, as the last ReadyForQuery said.
    pub(crate) status: char,
    /// The tags of all messages in order.
    pub(crate) trace: String,
}

impl Reply {
    /// The rows of the last answer as text.
    #[track_caller]
    pub(crate) fn rows(&self) -> Vec<Vec<String>> {
        assert!(self.error.is_none(), "unexpected error: {:?}", self.error);
        self.answers.last().map(Answer::text).unwrap_or_default()
    }

    /// The command tags in order.
    pub(crate) fn tags(&self) -> Vec<&str> {
        self.answers
            .iter()
            .filter_map(|answer| answer.tag.as_deref())
            .collect()
    }

    /// The error's SQLSTATE, or nothing.
    pub(crate) fn code(&self) -> &str {
        self.error.as_ref().map_or("", ServerError::code)
    }
}

/// Takes an ErrorResponse or NoticeResponse apart.
pub(crate) fn error_fields(body: &[u8]) -> ServerError {
    let fields = body
        .split(|&byte| byte == 0)
        .filter(|field| !field.is_empty());
    ServerError(
        fields
            .map(|field| {
                (
                    field[0] as char,
                    String::from_utf8_lossy(&field[1..]).into_owned(),
                )
            })
            .collect(),
    )
}

/// Reads big-endian numbers off the front of a body.
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (head, rest) = self.0.split_at(N);
        self.0 = rest;
        head.try_into().expect("the length is N")
    }
    pub(crate) fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take())
    }
    pub(crate) fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take())
    }
    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take())
    }
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let (head, rest) = self.0.split_at(length);
        self.0 = rest;
        head.to_vec()
    }
    pub(crate) fn string(&mut self) -> String {
        let end = self
            .0
            .iter()
            .position(|&byte| byte == 0)
            .expect("a terminated string");
        let text = String::from_utf8_lossy(&self.0[..end]).into_owned();
        self.0 = &self.0[end + 1..];
        text
    }
}

/// Takes a RowDescription apart.
pub(crate) fn columns(body: &[u8]) -> Vec<Column> {
    let mut cursor = Cursor(body);
    let count = cursor.i16();
    (0..count)
        .map(|_| Column {
            name: cursor.string(),
            table_oid: cursor.u32(),
            number: cursor.i16(),
            type_oid: cursor.u32(),
            type_len: cursor.i16(),
            typmod: cursor.i32(),
            format: cursor.i16(),
        })
        .collect()
}

/// Takes a DataRow apart.
pub(crate) fn values(body: &[u8]) -> Vec<Value> {
    let mut cursor = Cursor(body);
    let count = cursor.i16();
    (0..count)
        .map(|_| {
            let length = cursor.i32();
            usize::try_from(length)
                .ok()
                .map(|length| cursor.bytes(length))
        })
        .collect()
}
