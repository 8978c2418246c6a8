//! What somebody who is nobody's contact learns, does and causes (AT-31, AT-33, AT-47, AT-61,
//! AT-62, AT-67).

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod answers;
mod binds;
mod enumeration;
mod errors;
mod leaks;
mod pushes;
mod stage;
