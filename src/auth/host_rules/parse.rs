//! The text of rules: PostgreSQL's words, commas, quotes, comments and continued lines.

use std::net::IpAddr;

use super::{
    Addresses, ClientCertificate, ClientName, HostRule, RuleMethod, RuleOptions, Transport, masked,
};

/// A word of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    /// A word in quotes is a name, whatever it says.
    pub(super) quoted: bool,
}

impl Word {
    /// The word, if it may mean something else than a name.
    pub(super) fn keyword(&self) -> Option<&str> {
        (!self.quoted).then_some(self.text.as_str())
    }
}

/// A line's fields, each a list of words between commas.
pub(super) type Fields = Vec<Vec<Word>>;

/// The lines with anything in them, each with the number of its first; a backslash at the end joins the
/// next one.
pub(super) fn lines(text: &str) -> Vec<(usize, Fields)> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let mut whole = line.to_owned();
        while let Some(begun) = whole.strip_suffix('\\') {
            let next = lines.next().map_or("", |(_, line)| line);
            whole = format!("{begun}{next}");
        }
        let fields = fields(&whole);
        if !fields.is_empty() {
            found.push((index + 1, fields));
        }
    }
    found
}

fn fields(line: &str) -> Fields {
    let mut fields = Vec::new();
    let mut field = Vec::new();
    let mut letters = line.chars().peekable();
    loop {
        while letters
            .next_if(|letter| letter.is_ascii_whitespace() || *letter == ',')
            .is_some()
        {}
        if matches!(letters.peek(), None | Some('#')) {
            break;
        }
        let (word, comma) = word(&mut letters);
        field.push(word);
        if !comma {
            fields.push(std::mem::take(&mut field));
        }
    }
    if !field.is_empty() {
        fields.push(field);
    }
    fields
}

/// Reads a word, and whether a comma follows it.
fn word(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> (Word, bool) {
    let quoted = letters.peek() == Some(&'"');
    let mut text = String::new();
    let (mut within, mut closed) = (false, false);
    while let Some(letter) = letters.peek().copied() {
        match letter {
            ' ' | '\t' | '\r' | '\x0b' | '\x0c' if !within => break,
            '#' if !within => break,
            ',' if !within => {
                letters.next();
                return (Word { text, quoted }, true);
            }
            '"' => {
                // Two quotes within quotes are one of the text.
                if closed && !within {
                    text.push('"');
                }
                closed = within;
                within = !within;
            }
            other => {
                closed = false;
                text.push(other);
            }
        }
        letters.next();
    }
    (Word { text, quoted }, false)
}

/// Reads a rule.
///
/// # Errors
///
/// What is wrong with it, in PostgreSQL's words.
pub(super) fn rule(line: usize, fields: Fields) -> Result<HostRule, String> {
    let mut fields = fields.into_iter();
    let kind = single(fields.next(), "connection type")?;
    let transport = transport(&kind.text)?;
    let databases = fields
        .next()
        .ok_or("end-of-line before database specification")?;
    let users = fields
        .next()
        .ok_or("end-of-line before role specification")?;
    for word in databases.iter().chain(&users) {
        if word.keyword().is_some_and(|word| word.starts_with('@')) {
            return Err(format!(
                "names from a file are not supported: {}",
                word.text
            ));
        }
    }
    let address = fields
        .next()
        .ok_or("end-of-line before IP address specification")?;
    let address = single(Some(address), "host address")?;
    let (addresses, wants_mask) = addresses(&address)?;
    let addresses = match addresses {
        Some(addresses) => addresses,
        None if wants_mask => {
            let mask = fields
                .next()
                .ok_or_else(|| "end-of-line before netmask specification".to_owned())?;
            network(&address.text, &single(Some(mask), "netmask")?.text)?
        }
        None => return Err(format!("invalid IP address \"{}\"", address.text)),
    };
    let method = fields
        .next()
        .ok_or("end-of-line before authentication method")?;
    let method = method_of(&single(Some(method), "authentication type")?.text)?;
    let mut options = RuleOptions::default();
    if method == RuleMethod::Cert {
        options.certificate = ClientCertificate::Named;
    }
    for word in fields.flatten() {
        option(&word.text, transport, method, &mut options)?;
    }
    let rule = HostRule {
        line,
        transport,
        databases,
        users,
        addresses,
        method,
        options,
    };
    check(&rule)?;
    Ok(rule)
}

fn single(field: Option<Vec<Word>>, what: &str) -> Result<Word, String> {
    let mut words = field.unwrap_or_default().into_iter();
    match (words.next(), words.next()) {
        (Some(word), None) => Ok(word),
        _ => Err(format!("multiple values specified for {what}")),
    }
}

fn transport(word: &str) -> Result<Transport, String> {
    match word {
        "host" => Ok(Transport::Any),
        "hostssl" => Ok(Transport::Tls),
        "hostnossl" => Ok(Transport::Plain),
        "hostgssenc" => Ok(Transport::Gss),
        "hostnogssenc" => Ok(Transport::NotGss),
        "local" => Err("local connections are not supported".to_owned()),
        "include" | "include_if_exists" | "include_dir" => {
            Err(format!("\"{word}\" is not supported"))
        }
        other => Err(format!("invalid connection type \"{other}\"")),
    }
}

/// The addresses of a word; none, and whether a mask follows, if the word is an address alone.
fn addresses(word: &Word) -> Result<(Option<Addresses>, bool), String> {
    match word.keyword() {
        Some("all") => return Ok((Some(Addresses::All), false)),
        Some("samehost") => return Ok((Some(Addresses::SameHost), false)),
        Some("samenet") => return Err("\"samenet\" is not supported".to_owned()),
        _ => {}
    }
    let Some((address, bits)) = word.text.split_once('/') else {
        if word.text.parse::<IpAddr>().is_ok() {
            return Ok((None, true));
        }
        return Err(format!("host names are not supported: \"{}\"", word.text));
    };
    let invalid = || format!("invalid CIDR mask in address \"{}\"", word.text);
    let address: IpAddr = address
        .parse()
        .map_err(|_| format!("invalid IP address \"{address}\""))?;
    let bits: u32 = bits.parse().map_err(|_| invalid())?;
    let mask = match address {
        IpAddr::V4(_) if bits <= 32 => {
            IpAddr::V4(u32::MAX.checked_shl(32 - bits).unwrap_or(0).into())
        }
        IpAddr::V6(_) if bits <= 128 => {
            IpAddr::V6(u128::MAX.checked_shl(128 - bits).unwrap_or(0).into())
        }
        _ => return Err(invalid()),
    };
    Ok((Some(Addresses::Network { address, mask }), false))
}

fn network(address: &str, mask: &str) -> Result<Addresses, String> {
    let address: IpAddr = address
        .parse()
        .map_err(|_| format!("invalid IP address \"{address}\""))?;
    let mask: IpAddr = mask
        .parse()
        .map_err(|_| format!("invalid IP mask \"{mask}\""))?;
    masked(address, mask).ok_or("IP address and mask do not match")?;
    Ok(Addresses::Network { address, mask })
}

fn method_of(word: &str) -> Result<RuleMethod, String> {
    let found = RuleMethod::NAMES.iter().find(|(name, _)| *name == word);
    if let Some((_, method)) = found {
        return Ok(*method);
    }
    Err(match word {
        "md5" | "ident" | "peer" | "gss" | "sspi" | "pam" | "bsd" | "ldap" | "radius" => {
            format!("invalid authentication method \"{word}\": not supported by this build")
        }
        _ => format!("invalid authentication method \"{word}\""),
    })
}

fn option(
    word: &str,
    transport: Transport,
    method: RuleMethod,
    options: &mut RuleOptions,
) -> Result<(), String> {
    let (name, value) = word
        .split_once('=')
        .ok_or_else(|| format!("authentication option not in name=value format: {word}"))?;
    let only_for = |methods: &[RuleMethod], text: &str| match methods.contains(&method) {
        true => Ok(()),
        false => Err(format!(
            "authentication option \"{name}\" is only valid for authentication methods {text}"
        )),
    };
    match name {
        "map" => {
            use RuleMethod::{Cert, Jwt, OAuth};
            only_for(&[Cert, OAuth, Jwt], "cert, oauth, jwt")?;
            options.map = Some(value.to_owned());
        }
        "issuer" => {
            only_for(&[RuleMethod::OAuth, RuleMethod::Jwt], "oauth, jwt")?;
            options.issuer = Some(value.to_owned());
        }
        "scope" => {
            only_for(&[RuleMethod::OAuth], "oauth")?;
            options.scope = Some(value.to_owned());
        }
        "clientcert" => {
            if transport != Transport::Tls {
                return Err("clientcert can only be configured for \"hostssl\" rows".to_owned());
            }
            options.certificate = match value {
                "verify-full" => ClientCertificate::Named,
                "verify-ca" if method == RuleMethod::Cert => {
                    return Err(
                        "clientcert can only be set to \"verify-full\" when using \"cert\" \
                                authentication"
                            .to_owned(),
                    );
                }
                "verify-ca" => ClientCertificate::Valid,
                _ => return Err(format!("invalid value for clientcert: \"{value}\"")),
            };
        }
        "clientname" => {
            if transport != Transport::Tls {
                return Err("clientname can only be configured for \"hostssl\" rows".to_owned());
            }
            options.client_name = match value {
                "CN" => ClientName::CommonName,
                "DN" => ClientName::Subject,
                "SAN" => ClientName::Alternative,
                _ => return Err(format!("invalid value for clientname: \"{value}\"")),
            };
        }
        _ => {
            return Err(format!(
                "unrecognized authentication option name: \"{name}\""
            ));
        }
    }
    Ok(())
}

fn check(rule: &HostRule) -> Result<(), String> {
    match rule.method {
        RuleMethod::Cert if rule.transport != Transport::Tls => {
            Err("cert authentication is only supported on hostssl connections".to_owned())
        }
        RuleMethod::OAuth | RuleMethod::Jwt if rule.options.issuer.is_none() => Err(format!(
            "authentication method \"{}\" requires argument \"issuer\" to be set",
            rule.method.name()
        )),
        RuleMethod::Trust if !rule.addresses.are_loopback() => Err(
            "trust authentication is only supported for loopback addresses, such as 127.0.0.1/32"
                .to_owned(),
        ),
        _ => Ok(()),
    }
}
