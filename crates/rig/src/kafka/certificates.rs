//! Which certificates do the TLS brokers and their clients hold? Fresh ones, made for each broker.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

/// PEM files below one folder.
pub struct Certificates {
    /// Who signed the broker and the client.
    pub ca: PathBuf,
    /// The broker's private key and certificate in one file, as Kafka's PEM key store wants them.
    pub broker: PathBuf,
    /// A client that `ca` signed.
    pub client: Identity,
    /// A client that somebody else signed.
    pub stranger: Identity,
}

/// A certificate and its private key.
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Certificates {
    /// Makes all of them and writes them to `folder`.
    pub fn make(folder: &Path) -> Self {
        let authority = authority("postern test authority");
        let elsewhere = authority_file(folder, "ca.pem", &authority);
        let (certificate, key) = leaf(&authority, "broker", ExtendedKeyUsagePurpose::ServerAuth);
        let broker = folder.join("broker.pem");
        fs::write(&broker, format!("{key}{certificate}")).expect("the folder is writable");
        Self {
            ca: elsewhere,
            broker,
            client: identity(folder, "client", &authority),
            stranger: identity(folder, "stranger", &self::authority("somebody else")),
        }
    }
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().expect("P-256 keys can be made");
    CertifiedIssuer::self_signed(params, key).expect("the parameters are sound")
}

fn authority_file(folder: &Path, name: &str, authority: &Authority) -> PathBuf {
    let file = folder.join(name);
    fs::write(&file, authority.pem()).expect("the folder is writable");
    file
}

fn identity(folder: &Path, name: &str, authority: &Authority) -> Identity {
    let (certificate, key) = leaf(authority, name, ExtendedKeyUsagePurpose::ClientAuth);
    let identity = Identity {
        certificate: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}.key")),
    };
    fs::write(&identity.certificate, certificate).expect("the folder is writable");
    fs::write(&identity.key, key).expect("the folder is writable");
    identity
}

/// Certificate and private key as PEM.
fn leaf(authority: &Authority, name: &str, purpose: ExtendedKeyUsagePurpose) -> (String, String) {
    let mut params = named(name);
    params.extended_key_usages = vec![purpose];
    let key = KeyPair::generate().expect("P-256 keys can be made");
    let certificate = params.signed_by(&key, authority).expect("the parameters are sound");
    (certificate.pem(), key.serialize_pem())
}

fn named(name: &str) -> CertificateParams {
    let hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut params = CertificateParams::new(hosts).expect("both are valid names");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
