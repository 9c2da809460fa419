//! The layers of the protocol that read a client's bytes, each with nothing behind it; see `crate::fuzz`.

use bytes::Bytes;

use super::copy;
use super::frontend::{self, Reader};
use super::startup;
use crate::session::{CopyFormat, CopyOptions};

/// The tags that a client may send, for bytes that name one of them.
const TAGS: [u8; 14] = *b"QPBDECHSXcfdpF";

/// A first packet, without its length.
pub fn start_up(data: &[u8]) {
    let mut reader = Reader::new(Bytes::copy_from_slice(data));
    if let Ok(version) = reader.u32() {
        let _ = startup::read_startup(version, reader);
    }
}

/// A message after the login: the first byte chooses its tag, the rest is its body.
pub fn message(data: &[u8]) {
    let Some((first, body)) = data.split_first() else {
        return;
    };
    let tag = TAGS.get(usize::from(*first)).copied().unwrap_or(*first);
    let _ = frontend::decode(tag, Bytes::copy_from_slice(body));
}

/// Data of a COPY: the first byte chooses format and options, the rest is data.
pub fn copy_data(data: &[u8]) {
    let Some((first, data)) = data.split_first() else {
        return;
    };
    let format = match first & 3 {
        0 => CopyFormat::Csv,
        1 => CopyFormat::Binary,
        _ => CopyFormat::Text,
    };
    let options = CopyOptions {
        on_error_ignore: first & 4 != 0,
        escape: if first & 8 != 0 { b'\\' } else { b'"' },
        delimiter: if first & 16 != 0 { b';' } else { b',' },
        ..CopyOptions::new(format)
    };
    let _ = copy::read_whole(options, data);
}
