//! What this function carries: documents, their pages and what those load, as `build.rs` compressed them. No page loads
//! anything from elsewhere, or runs what is written into it; all addresses in pages are relative, so that they work
//! wherever the API is mounted.

/// The compressed form of a file below this folder.
macro_rules! carried {
    ($path:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $path, ".gz"))
    };
}
pub(super) use carried;

/// A page that may do nothing but what is said here, with its own images.
macro_rules! page {
    ($path:literal, $($may:literal),*) => {
        shared::http::Asset::new("text/html; charset=utf-8", $crate::site::carried::carried!($path)).with_policy(concat!(
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; img-src 'self' data:",
            $("; ", $may),*
        ))
    };
}
pub(super) use page;
