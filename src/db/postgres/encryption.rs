//! First floor, `db`: whom a connection to PostgreSQL trusts. Imports its neighbours in `db`,
//! [`tls`], rustls and tokio-postgres-rustls.

use std::error::Error;
use std::fmt;
use std::io;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, SslNegotiation};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::{SqlError, SqlState};
use super::error::{causes, said};
use super::url::Split;
use crate::tls;

/// What PostgreSQL calls itself in a handshake that nothing comes before.
const ALPN: &[u8] = b"postgresql";

/// A connection that is encrypted, to a server that has proved to be the one that was meant.
#[derive(Clone)]
pub(super) struct Encryption {
    pub(super) connector: MakeRustlsConnect,
    /// The roots, in words.
    roots: String,
}

/// What `sslmode` comes to, and `sslrootcert`.
fn is_encrypted(split: &Split) -> Result<bool, SqlError> {
    match (split.mode.as_deref(), split.roots.as_deref()) {
        (None, roots) => Ok(roots.is_some()),
        (Some("require" | "verify-ca" | "verify-full"), _) => Ok(true),
        (Some("disable" | "allow" | "prefer"), None) => Ok(false),
        (Some(mode @ ("disable" | "allow" | "prefer")), Some(_)) => Err(refused(&format!(
            "sslmode={mode} encrypts nothing, so there is nothing that sslrootcert could verify: \
             write sslmode=verify-full, or leave sslrootcert out"
        ))),
        (Some(mode), _) => Err(refused(&format!(
            "sslmode={mode} is none of disable, prefer (not encrypted), require, verify-ca and \
             verify-full (encrypted and verified)"
        ))),
    }
}

impl Encryption {
    /// What a URL asks for, noted in what is made of the rest of it; `None` where that is nothing.
    pub(super) fn of(split: &Split, config: &mut Config) -> Result<Option<Self>, SqlError> {
        config.ssl_mode(SslMode::Disable);
        let is_direct = config.get_ssl_negotiation() == SslNegotiation::Direct;
        let is_socket = |host: &Host| matches!(host, Host::Unix(_));
        let sockets = config.get_hosts().iter().filter(|host| is_socket(host)).count();
        if !is_encrypted(split)? {
            return match is_direct {
                true => Err(refused("sslnegotiation=direct needs sslmode=verify-full beside it")),
                false => Ok(None),
            };
        }
        let roots = Roots::named(split.roots.as_deref())?;
        // As libpq has it: nobody is between the two ends of a Unix socket.
        if sockets > 0 && sockets == config.get_hosts().len() {
            return Ok(None);
        }
        if sockets > 0 {
            return Err(refused(
                "a Unix socket is not encrypted, and the other hosts are to be: connect to one \
                 kind of them",
            ));
        }
        if config.get_hosts().len() < config.get_hostaddrs().len() {
            return Err(refused(
                "hostaddr says where the server is, and not who: name the host that its \
                 certificate is for as well, by host",
            ));
        }
        config.ssl_mode(SslMode::Require);
        let mut client = tls::client(roots.store);
        if is_direct {
            client.alpn_protocols = vec![ALPN.to_vec()];
        }
        Ok(Some(Encryption { connector: MakeRustlsConnect::new(client), roots: roots.named }))
    }

    /// What went wrong in a handshake, and what to do.
    pub(super) fn failed(&self, error: &tokio_postgres::Error) -> Option<SqlError> {
        let wrong = causes(error).find_map(|cause| {
            let inner = cause.downcast_ref::<io::Error>()?.get_ref()?;
            let inner: &(dyn Error + 'static) = inner;
            match inner.downcast_ref::<rustls::Error>()? {
                rustls::Error::InvalidCertificate(wrong) => Some(wrong),
                _ => None,
            }
        });
        let told = match wrong {
            None if said(error).contains("server does not support TLS") => {
                "the server does not encrypt (its `ssl` is off): turn that on, or write \
                 sslmode=disable where nobody can listen on the way to it"
                    .to_owned()
            }
            None => return None,
            Some(CertificateError::UnknownIssuer | CertificateError::BadSignature) => format!(
                "the server's certificate is signed by nobody in {}: name the file (PEM) with its \
                 authority's certificate by sslrootcert",
                self.roots
            ),
            Some(
                wrong @ (CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. }),
            ) => format!("{wrong}: connect by a name that the server's certificate is for"),
            Some(
                wrong @ (CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }),
            ) => format!("{wrong}: the server needs another certificate, or a clock is wrong"),
            Some(wrong) => format!("the server's certificate cannot be trusted: {wrong}"),
        };
        Some(refused(&told))
    }
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryption").field("roots", &self.roots).finish_non_exhaustive()
    }
}

struct Roots {
    store: RootCertStore,
    named: String,
}

impl Roots {
    /// Mozilla's, or those of the file that `sslrootcert` names.
    fn named(file: Option<&str>) -> Result<Self, SqlError> {
        let path = match file {
            None | Some("system") => {
                return Ok(Roots { store: tls::mozillas(), named: "Mozilla's list".to_owned() });
            }
            Some(path) => path,
        };
        let wrong = |what: &dyn fmt::Display| {
            refused(&format!(
                "sslrootcert={path}: {what}; it has to be a file of certificates (PEM), or the \
                 word `system` for Mozilla's list"
            ))
        };
        let text = std::fs::read(path).map_err(|error| wrong(&error))?;
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&text) {
            let certificate = certificate.map_err(|error| wrong(&error))?;
            store.add(certificate).map_err(|error| wrong(&error))?;
        }
        if store.is_empty() {
            return Err(wrong(&"there is no certificate in it"));
        }
        Ok(Roots { store, named: path.to_owned() })
    }
}

fn refused(said: &str) -> SqlError {
    SqlError::new(SqlState::CONNECTION_REFUSED, said)
}
