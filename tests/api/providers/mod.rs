//! Providers of models: what they are sent, and what becomes of their answers.

pub(crate) mod answers;
pub(crate) mod case_variants;
pub(crate) mod cases;
pub(crate) mod other_implementations;
