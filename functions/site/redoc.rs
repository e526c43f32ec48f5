//! `GET /redoc`: Redoc, to read the OpenAPI document.

use shared::Result;
use shared::http::{Answer, Asset, Request};

use super::carried::page;

/// Redoc creates two kinds of style sheets while it runs: empty ones and one with fixed content. Their hashes permit
/// them. Its search runs in a worker, which it creates from a `blob:` address.
const PAGE: Asset = page!(
    "pages/redoc.html",
    "script-src 'self'",
    "style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' \
     'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='",
    "connect-src 'self'",
    "worker-src blob:"
);

pub(super) fn handle(request: &Request) -> Result<Answer> {
    request.give(&PAGE)
}
