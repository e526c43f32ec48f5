//! The template, the sample events, and the release binaries.

pub(crate) mod emulator;
pub(crate) mod events;
pub(crate) mod template;
