//! Providers of models: what they are sent, and what becomes of their answers.

mod answers;
mod case_variants;
mod cases;
mod other_implementations;
mod variant_streams;
