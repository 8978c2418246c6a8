//! Channel bindings (RFC 5056): what ties a login to the TLS connection that it came by.

use crate::stream::machine::Tls;

/// A type of channel binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Binding {
    /// Of this very connection (RFC 9266).
    Exporter,
    /// Of the server's certificate (RFC 5929 §4).
    EndPoint,
}

impl Binding {
    /// All of them, the strongest first. `tls-unique` and its like are not among them: TLS 1.3
    /// leaves them undefined (RFC 8446 §C.5).
    pub const ALL: [Self; 2] = [Self::Exporter, Self::EndPoint];

    /// Its registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exporter => "tls-exporter",
            Self::EndPoint => "tls-server-end-point",
        }
    }

    /// What a connection has of it.
    pub fn data(self, tls: &Tls) -> Option<&[u8]> {
        match self {
            Self::Exporter => tls.exporter.as_ref().map(<[u8; 32]>::as_slice),
            Self::EndPoint => tls.end_point.as_deref(),
        }
    }
}
