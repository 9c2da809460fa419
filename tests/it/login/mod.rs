//! Who gets in: host rules, certificates, tokens, one-time codes, and what is asked of passwords.

mod certificates;
mod passwords;
mod rules;
mod second_factor;
mod tokens;

use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use crate::client::{Client, ServerError};
use crate::harness::{Server, Tessera};

/// A server with files of its own, and what signs certificates for it and its clients.
struct Bed {
    files: tempfile::TempDir,
    authority: Issuer<'static, KeyPair>,
    roots: RootCertStore,
}

/// A client's certificate and key, in PEM.
struct Identity {
    certificate: String,
    key: String,
}

impl Bed {
    fn new() -> Self {
        let files = tempfile::tempdir().expect("a folder");
        let (authority, certificate, pem) = authority("Tessera's test authority");
        let mut roots = RootCertStore::empty();
        roots.add(certificate).expect("a certificate");
        let bed = Self {
            files,
            authority,
            roots,
        };
        bed.write("ca.pem", &pem);
        let mut params = params("a server", &["localhost", "127.0.0.1"]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let server = sign(params, &bed.authority);
        bed.write("server.pem", &server.certificate);
        bed.write("server.key", &server.key);
        bed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).expect("the file can be written");
        path.display().to_string()
    }

    /// A certificate of the bed's authority for a client of this name, with alternative names.
    fn identity(&self, name: &str, others: &[&str]) -> Identity {
        let mut params = params(name, others);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        sign(params, &self.authority)
    }

    /// Starts a server with TLS, these host rules and further configuration, and two tenants.
    fn serve(&self, rules: &str, maps: &str, config: &str) -> Option<Tessera> {
        let (rules, maps) = (
            self.write("hba.conf", rules),
            self.write("ident.conf", maps),
        );
        let config = format!(
            "[listen]\ntls_certificate_file = {:?}\ntls_key_file = {:?}\ntls_client_ca_file = {:?}\n\
             tls_client_crl_file = {revoked:?}\n\
             [logins]\nhba_file = {rules:?}\nident_file = {maps:?}\nmax_refusal_wait_ms = 0\n{config}",
            self.path("server.pem"),
            self.path("server.key"),
            self.path("ca.pem"),
            revoked = self.path("revoked.pem"),
        );
        let config = match self.path("revoked.pem").exists() {
            true => config,
            false => config.replace("tls_client_crl_file", "# "),
        };
        let config = self.write("tessera.toml", &config);
        let server = Server::tessera_with(&["--config", &config])?;
        server.two_tenants();
        Some(server)
    }

    /// A connection by TLS, with a certificate or without.
    fn dial(&self, server: &Tessera, identity: Option<&Identity>) -> Client {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS 1.2 and 1.3")
            .with_root_certificates(self.roots.clone());
        let config = match identity {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes());
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes());
                config
                    .with_client_auth_cert(
                        vec![certificate.expect("a certificate")],
                        key.expect("a key"),
                    )
                    .expect("they fit")
            }
        };
        let mut client = Client::dial(server.address()).expect("connects");
        client.start_tls(
            |socket: TcpStream| {
                let name = ServerName::try_from("localhost").expect("a name");
                StreamOwned::new(
                    ClientConnection::new(Arc::new(config), name).expect("a connection"),
                    socket,
                )
            },
            None,
        );
        client
    }

    /// Tries to log in by TLS.
    fn login(
        &self,
        server: &Tessera,
        identity: Option<&Identity>,
        (tenant, role, password): (&str, &str, &str),
    ) -> Result<Client, ServerError> {
        let mut client = self.dial(server, identity);
        client.log_in(tenant, role, password, &[])?;
        Ok(client)
    }
}

fn authority(name: &str) -> (Issuer<'static, KeyPair>, CertificateDer<'static>, String) {
    let mut params = params(name, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    let (der, pem) = (certificate.der().clone(), certificate.pem());
    (Issuer::new(params, key), der, pem)
}

fn params(name: &str, others: &[&str]) -> CertificateParams {
    let others: Vec<String> = others.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(others).expect("names");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn sign(params: CertificateParams, authority: &Issuer<'static, KeyPair>) -> Identity {
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, authority).expect("a certificate");
    Identity {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    }
}

/// The code, the severity and the text of a refusal.
fn told(error: &ServerError) -> (&str, &str, &str) {
    (error.code(), error.field('S'), error.message())
}
