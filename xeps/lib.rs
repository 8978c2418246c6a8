//! xeps
