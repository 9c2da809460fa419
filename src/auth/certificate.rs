//! A client's certificate as rules look at it: whose it is. TLS has checked its chain, its dates and
//! whether it was revoked before anything here is asked.

use super::der::{any, element, elements};

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const OCTETS: u8 = 0x04;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// The attribute of the common name, and the extension of alternative names.
const COMMON_NAME: &[u8] = b"\x55\x04\x03";
const ALTERNATIVE_NAMES: &[u8] = b"\x55\x1d\x11";

/// Short names of the attributes of names, as OpenSSL writes them.
const ATTRIBUTES: [(&[u8], &str); 13] = [
    (COMMON_NAME, "CN"),
    (b"\x55\x04\x04", "SN"),
    (b"\x55\x04\x05", "serialNumber"),
    (b"\x55\x04\x06", "C"),
    (b"\x55\x04\x07", "L"),
    (b"\x55\x04\x08", "ST"),
    (b"\x55\x04\x09", "street"),
    (b"\x55\x04\x0a", "O"),
    (b"\x55\x04\x0b", "OU"),
    (b"\x55\x04\x0c", "title"),
    (b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", "DC"),
    (b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", "UID"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", "emailAddress"),
];

/// Whose a certificate is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificate {
    /// The subject's only common name; `None` if it has none, several, or one with a zero in it.
    pub common_name: Option<String>,
    /// Alternative names: host names, mail addresses and URIs.
    pub alternative_names: Vec<String>,
    /// The subject as `/CN=alice/O=acme`, as `pg_stat_ssl` shows it.
    pub subject: String,
    /// The subject as `O=acme,CN=alice`, by RFC 2253, as rules with `clientname=DN` compare it.
    pub subject_rfc2253: String,
    pub issuer: String,
    /// The serial number in decimal.
    pub serial: String,
}

/// One attribute of a name.
struct Attribute {
    label: String,
    value: String,
    common_name: bool,
    /// It belongs to the same part of the name as the one before it.
    joined: bool,
}

impl Certificate {
    /// Reads a certificate in DER; `None` if it is none.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (certificate, _) = element(der, SEQUENCE)?;
        let (body, _) = element(certificate, SEQUENCE)?;
        let rest = match element(body, VERSION) {
            Some((_, rest)) => rest,
            None => body,
        };
        let (serial, rest) = element(rest, INTEGER)?;
        let (_algorithm, rest) = element(rest, SEQUENCE)?;
        let (issuer, rest) = element(rest, SEQUENCE)?;
        let (_validity, rest) = element(rest, SEQUENCE)?;
        let (subject, rest) = element(rest, SEQUENCE)?;
        let (_key, rest) = element(rest, SEQUENCE)?;
        let subject = attributes(subject)?;
        let mut common = subject.iter().filter(|attribute| attribute.common_name);
        let common_name = match (common.next(), common.next()) {
            // Which of several names is meant would be a guess.
            (Some(only), None) => Some(only.value.clone()).filter(|name| !name.contains('\0')),
            _ => None,
        };
        Some(Self {
            common_name,
            alternative_names: alternative_names(rest).unwrap_or_default(),
            subject: slashed(&subject),
            subject_rfc2253: rfc2253(&subject),
            issuer: slashed(&attributes(issuer)?),
            serial: decimal(serial),
        })
    }
}

fn attributes(name: &[u8]) -> Option<Vec<Attribute>> {
    let mut found = Vec::new();
    for (tag, part) in elements(name) {
        if tag != SET {
            return None;
        }
        for (index, (tag, attribute)) in elements(part).enumerate() {
            if tag != SEQUENCE {
                return None;
            }
            let (oid, rest) = element(attribute, OID)?;
            let (kind, value, _) = any(rest)?;
            let known = ATTRIBUTES.iter().find(|(known, _)| *known == oid);
            found.push(Attribute {
                label: known.map_or_else(|| dotted(oid), |(_, label)| (*label).to_owned()),
                value: text(kind, value)?,
                common_name: oid == COMMON_NAME,
                joined: index > 0,
            });
        }
    }
    Some(found)
}

/// The text of a string of one of DER's kinds.
fn text(kind: u8, bytes: &[u8]) -> Option<String> {
    match kind {
        // UTF8String, and the kinds that are ASCII.
        0x0c | 0x12 | 0x13 | 0x16 | 0x1a => std::str::from_utf8(bytes).ok().map(str::to_owned),
        // T61String, taken as Latin-1, as OpenSSL does.
        0x14 => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        // BMPString.
        0x1e => {
            let units = bytes.chunks(2).map(|pair| match pair {
                [high, low] => Some(u16::from_be_bytes([*high, *low])),
                _ => None,
            });
            String::from_utf16(&units.collect::<Option<Vec<u16>>>()?).ok()
        }
        _ => None,
    }
}

fn alternative_names(after_key: &[u8]) -> Option<Vec<String>> {
    let (_, extensions) = elements(after_key).find(|(tag, _)| *tag == EXTENSIONS)?;
    let (extensions, _) = element(extensions, SEQUENCE)?;
    for (_, extension) in elements(extensions) {
        let (oid, rest) = element(extension, OID)?;
        if oid != ALTERNATIVE_NAMES {
            continue;
        }
        // Whether it is critical may stand before the names.
        let (_, names) = elements(rest).find(|(tag, _)| *tag == OCTETS)?;
        let (names, _) = element(names, SEQUENCE)?;
        let named = elements(names).filter(|(tag, _)| matches!(tag, 0x81 | 0x82 | 0x86));
        let named = named.filter_map(|(_, name)| std::str::from_utf8(name).ok());
        return Some(
            named
                .filter(|name| !name.contains('\0'))
                .map(str::to_owned)
                .collect(),
        );
    }
    None
}

fn slashed(name: &[Attribute]) -> String {
    name.iter()
        .map(|attribute| format!("/{}={}", attribute.label, attribute.value))
        .collect()
}

/// A name by RFC 2253: the last part first, commas between parts, what is special escaped.
fn rfc2253(name: &[Attribute]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for attribute in name {
        let written = format!("{}={}", attribute.label, escaped(&attribute.value));
        match parts.last_mut().filter(|_| attribute.joined) {
            Some(part) => *part = format!("{part}+{written}"),
            None => parts.push(written),
        }
    }
    parts.reverse();
    parts.join(",")
}

fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut written = String::with_capacity(value.len());
    for (index, letter) in value.chars().enumerate() {
        let special = matches!(letter, ',' | '+' | '"' | '\\' | '<' | '>' | ';')
            || (letter == '#' && index == 0)
            || (letter == ' ' && (index == 0 || index == last));
        if special {
            written.push('\\');
        }
        written.push(letter);
    }
    written
}

/// An object identifier as numbers with dots.
fn dotted(oid: &[u8]) -> String {
    let mut numbers: Vec<u64> = Vec::new();
    let mut number: u64 = 0;
    for byte in oid {
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            numbers.push(number);
            number = 0;
        }
    }
    let mut written = String::new();
    if let Some((first, rest)) = numbers.split_first() {
        let top = (*first / 40).min(2);
        written = format!("{top}.{}", first - top * 40);
        rest.iter()
            .for_each(|number| written.push_str(&format!(".{number}")));
    }
    written
}

/// A big-endian number in decimal.
fn decimal(bytes: &[u8]) -> String {
    let mut digits: Vec<u8> = vec![0];
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            let value = u32::from(*digit) * 256 + carry;
            *digit = (value % 10) as u8;
            carry = value / 10;
        }
        while carry > 0 {
            digits.push((carry % 10) as u8);
            carry /= 10;
        }
    }
    digits
        .iter()
        .rev()
        .map(|digit| char::from(b'0' + digit))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl req -x509 -newkey ec -subj "/C=DE/O=Acme, Inc./OU=Sales/CN=alice"
    /// -addext "subjectAltName=email:alice@acme.example,DNS:alice.acme.example,IP:127.0.0.1"
    /// -set_serial 1234567890123456789012`, and what `openssl x509 -noout -subject -nameopt RFC2253`
    /// says of it.
    #[test]
    fn a_certificate_of_openssl_is_read() {
        let certificate = Certificate::read(include_bytes!("certificate.der")).unwrap();
        assert_eq!(
            certificate,
            Certificate {
                common_name: Some("alice".to_owned()),
                alternative_names: vec![
                    "alice@acme.example".to_owned(),
                    "alice.acme.example".to_owned()
                ],
                subject: "/C=DE/O=Acme, Inc./OU=Sales/CN=alice".to_owned(),
                subject_rfc2253: "CN=alice,OU=Sales,O=Acme\\, Inc.,C=DE".to_owned(),
                issuer: "/C=DE/O=Acme, Inc./OU=Sales/CN=alice".to_owned(),
                serial: "1234567890123456789012".to_owned(),
            }
        );
    }

    #[test]
    fn no_prefix_of_a_certificate_makes_the_reader_panic() {
        let whole = include_bytes!("certificate.der");
        for end in 0..whole.len() {
            assert_eq!(Certificate::read(&whole[..end]), None);
        }
        for at in 0..whole.len() {
            let mut bent = whole.to_vec();
            bent[at] ^= 0xff;
            let _ = Certificate::read(&bent);
        }
    }
}
