//! Adapters of the cluster port.

mod alone;

pub use alone::Alone;
