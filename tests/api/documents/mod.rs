//! The documents of the API, and the pages that show them.

mod asyncapi;
mod browser;
mod openapi;
mod site;
