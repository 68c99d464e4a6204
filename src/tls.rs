//! Ground floor: whom TLS trusts, and how it is spoken. Imports nothing of this crate, but rustls.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// The authorities that Mozilla trusts.
pub(crate) fn mozillas() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

/// A client that verifies the server's certificate and its name, each time anew: no session is
/// resumed.
pub(crate) fn client(roots: RootCertStore) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks the default versions of TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config
}
