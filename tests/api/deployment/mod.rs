//! The template, the sample events, and the release binaries.

mod emulator;
mod events;
mod template;
