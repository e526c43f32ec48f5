//! The embedded files: documents, pages, and the scripts and styles that pages load, compressed by `build.rs`. Pages
//! load nothing from other hosts and contain no inline scripts. Their addresses are relative, so that they work below
//! any base path.

/// The compressed content of a file in this folder.
macro_rules! carried {
    ($path:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $path, ".gz"))
    };
}
pub(super) use carried;

/// A page with a content security policy that permits only these directives and images of the studio.
macro_rules! page {
    ($path:literal, $($may:literal),*) => {
        shared::http::Asset::new("text/html; charset=utf-8", $crate::site::carried::carried!($path)).with_policy(concat!(
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; img-src 'self' data:",
            $("; ", $may),*
        ))
    };
}
pub(super) use page;
