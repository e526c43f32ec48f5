//! Whom connections trust: Mozilla's roots, which come with the binary. To read those of the operating system, as clients do
//! otherwise, takes longer than all else of a cold start.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

/// A configuration of TLS that trusts Mozilla's roots.
///
/// # Errors
/// When the cryptography lacks what TLS needs.
pub(crate) fn client_config() -> Result<ClientConfig, rustls::Error> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    /// What `.cargo/config.toml` says. Without it, the first random number of a process, as a handshake needs one, takes 40 ms.
    #[test]
    fn randomness_is_the_operating_systems() {
        assert_eq!(option_env!("AWS_LC_SYS_NO_JITTER_ENTROPY"), Some("1"));
    }
}
