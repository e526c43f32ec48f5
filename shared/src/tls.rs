//! TLS trust anchors: Mozilla's root certificates, embedded in the binary. Reading those of the operating system would
//! take longer than the rest of a cold start.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

/// A TLS client configuration that trusts Mozilla's root certificates.
///
/// # Errors
/// When the cryptography library does not offer what TLS needs.
pub(crate) fn client_config() -> Result<ClientConfig, rustls::Error> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    /// `.cargo/config.toml` sets this variable. Without it, the first random number of a process takes 40 ms.
    #[test]
    fn random_numbers_come_from_the_operating_system() {
        assert_eq!(option_env!("AWS_LC_SYS_NO_JITTER_ENTROPY"), Some("1"));
    }
}
