//! The documents of the API, and the pages that show them.

pub(crate) mod asyncapi;
pub(crate) mod browser;
pub(crate) mod openapi;
pub(crate) mod site;
