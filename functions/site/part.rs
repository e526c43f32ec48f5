//! `GET /docs/{folder}/{file}`: the files that pages load. Vendored programs are served unchanged and with their
//! licences, from folders that name their version.

use shared::Result;
use shared::error::{Code, Error};
use shared::http::{Answer, Asset, Request};

use super::carried::carried;

const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// The files, each with its folder and name.
const PARTS: [(&str, &str, Asset); 12] = [
    ("pages", "pages.css", Asset::new(CSS, carried!("pages/pages.css"))),
    ("pages", "asyncapi.js", Asset::new(JAVASCRIPT, carried!("pages/asyncapi.js"))),
    ("pages", "docs.js", Asset::new(JAVASCRIPT, carried!("pages/docs.js"))),
    ("pages", "redoc.js", Asset::new(JAVASCRIPT, carried!("pages/redoc.js"))),
    (SWAGGER_UI, "swagger-ui.css", vendored(CSS, carried!("vendor/swagger-ui-dist/swagger-ui.css"))),
    (
        SWAGGER_UI,
        "swagger-ui-bundle.js",
        vendored(JAVASCRIPT, carried!("vendor/swagger-ui-dist/swagger-ui-bundle.js")),
    ),
    (
        SWAGGER_UI,
        "swagger-ui-bundle.js.LICENSE.txt",
        vendored(TEXT, carried!("vendor/swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt")),
    ),
    (SWAGGER_UI, "LICENSE", vendored(TEXT, carried!("vendor/swagger-ui-dist/LICENSE"))),
    (SWAGGER_UI, "NOTICE", vendored(TEXT, carried!("vendor/swagger-ui-dist/NOTICE"))),
    (REDOC, "redoc.standalone.js", vendored(JAVASCRIPT, carried!("vendor/redoc/redoc.standalone.js"))),
    (
        REDOC,
        "redoc.standalone.js.LICENSE.txt",
        vendored(TEXT, carried!("vendor/redoc/redoc.standalone.js.LICENSE.txt")),
    ),
    (REDOC, "LICENSE", vendored(TEXT, carried!("vendor/redoc/LICENSE"))),
];

const SWAGGER_UI: &str = "swagger-ui-dist-5.35.0";
const REDOC: &str = "redoc-2.5.4";

const fn vendored(content_type: &'static str, gzip: &'static [u8]) -> Asset {
    Asset::new(content_type, gzip).for_ever()
}

pub(super) fn handle(request: &Request) -> Result<Answer> {
    let absent = || Error::new(Code::NotFound, "There is no such file");
    let (folder, file) = (request.path::<String>("folder", absent)?, request.path::<String>("file", absent)?);
    let part = PARTS.iter().find(|part| part.0 == folder && part.1 == file);
    request.give(&part.ok_or_else(absent)?.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_names_contain_the_versions_in_the_checksum_files() {
        let sums =
            [include_str!("vendor/swagger-ui-dist/SHA256SUMS"), include_str!("vendor/redoc/SHA256SUMS")];
        let named = sums.map(|sums| sums.lines().next().unwrap().trim_start_matches("# ").replace('@', "-"));
        assert_eq!(named, [SWAGGER_UI, REDOC]);
    }

    #[test]
    fn pages_load_only_files_that_are_served_and_have_no_inline_code() {
        for page in [
            include_str!("pages/docs.html"),
            include_str!("pages/redoc.html"),
            include_str!("pages/asyncapi.html"),
        ] {
            let loaded = page.split(['"', '\'']).filter_map(|text| text.strip_prefix("docs/"));
            let loaded: Vec<_> = loaded.map(|path| path.split_once('/').unwrap()).collect();
            assert!(!loaded.is_empty());
            for (folder, file) in loaded {
                assert!(PARTS.iter().any(|part| part.0 == folder && part.1 == file), "{folder}/{file}");
            }
            assert!(!page.contains("<script>") && !page.contains("style=") && !page.contains("<style"));
        }
    }
}
