//! Judges: what other parsers make of a document, in a form that can be compared.

pub mod expat;
pub mod libxml2;
pub mod ours;
pub mod tree;

pub use tree::Item;
