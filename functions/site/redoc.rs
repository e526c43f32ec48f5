//! `GET /redoc`: the document of the HTTP API to read.

use shared::Result;
use shared::http::{Answer, Asset, Request};

use super::carried::page;

/// Redoc makes style sheets as it runs, which begin empty, and one that never changes: both are known by their hashes. Its
/// search works in a worker, which it makes of its own program.
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
