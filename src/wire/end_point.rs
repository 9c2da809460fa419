//! The channel binding `tls-server-end-point` (RFC 5929): a hash of the server's certificate, by the
//! hash of the certificate's own signature.

use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::auth::der::element;

/// Object identifiers, as DER writes them, of signatures by a hash other than SHA-256.
const BY_SHA384: [&[u8]; 2] = [
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c",
    b"\x2a\x86\x48\xce\x3d\x04\x03\x03",
];
const BY_SHA512: [&[u8]; 2] = [
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d",
    b"\x2a\x86\x48\xce\x3d\x04\x03\x04",
];
/// Signatures by SHA-256, and by MD5 and SHA-1, for which the binding takes SHA-256 as well.
const BY_SHA256: [&[u8]; 6] = [
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b",
    b"\x2a\x86\x48\xce\x3d\x04\x03\x02",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05",
    b"\x2a\x86\x48\xce\x3d\x04\x01",
    b"\x2a\x86\x48\xce\x3d\x04\x03\x01",
];
/// Where the hash is among the signature's parameters.
const PSS: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
const SHA384: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x02";
const SHA512: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x03";

/// The binding of a certificate; `None` if its signature has no hash, as Ed25519.
pub fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (body, _) = element(certificate, 0x30)?;
    let (_, rest) = element(body, 0x30)?;
    let (algorithm, _) = element(rest, 0x30)?;
    let (oid, parameters) = element(algorithm, 0x06)?;
    let names = |hash: &[u8]| parameters.windows(hash.len()).any(|window| window == hash);
    if BY_SHA384.contains(&oid) || (oid == PSS && names(SHA384)) {
        Some(Sha384::digest(certificate).to_vec())
    } else if BY_SHA512.contains(&oid) || (oid == PSS && names(SHA512)) {
        Some(Sha512::digest(certificate).to_vec())
    } else if BY_SHA256.contains(&oid) || oid == PSS {
        Some(Sha256::digest(certificate).to_vec())
    } else {
        None
    }
}
