//! The certificates and the key that listeners use.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use axum_server::tls_rustls::RustlsConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{Error, ServerConfig};

use crate::error::ServiceError;
use crate::options::TlsFiles;

/// Reads `files`; an error names the file that is at fault.
pub(crate) async fn configuration(files: &TlsFiles) -> Result<RustlsConfig, ServiceError> {
    // A program may have chosen another provider before; that one stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let TlsFiles { certificates, key } = files;
    let chain: Vec<CertificateDer<'_>> = sections(certificates).await?;
    if chain.is_empty() {
        return Err(at(certificates, "no certificate, expected a chain in PEM"));
    }
    let mut keys: Vec<PrivateKeyDer<'_>> = sections(key).await?;
    let (Some(private), true) = (keys.pop(), keys.is_empty()) else {
        return Err(at(key, "none or several private keys, expected one in PEM"));
    };
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| {
            if matches!(error, Error::InvalidCertificate(_)) {
                at(certificates, error)
            } else if matches!(error, Error::InconsistentKeys(_)) {
                let certificates = certificates.display();
                at(
                    key,
                    format_args!("another certificate's key, expected that of {certificates}"),
                )
            } else {
                at(key, error)
            }
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(RustlsConfig::from_config(Arc::new(config)))
}

/// What of one kind is in a PEM file.
async fn sections<T: PemObject>(file: &Path) -> Result<Vec<T>, ServiceError> {
    let text = tokio::fs::read(file).await;
    let text = text.map_err(|error| at(file, error))?;
    let sections: Result<_, _> = T::pem_slice_iter(&text).collect();
    sections.map_err(|error: rustls::pki_types::pem::Error| at(file, error))
}

fn at(file: &Path, reason: impl Display) -> ServiceError {
    ServiceError::new(file.display(), reason)
}
