//! How much one stream may ask of the decoder.

/// Limits the decoder keeps while it reads, so that nothing grows before it is refused
/// (RFC 6120 §13.12). A breach is `policy-violation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one first-level element or of the stream header, as received, and again bytes of
    /// its canonical form. At most `u32::MAX`. RFC 6120 §13.12 allows no less than 10,000 after
    /// authentication.
    pub stanza_bytes_max: usize,
    /// Levels of elements below the stream root; the stanza itself is the first.
    pub depth_max: usize,
    /// Elements in one first-level element, itself included.
    pub elements_max: usize,
    /// Attributes of one element, namespace declarations not counted.
    pub attributes_max: usize,
    /// Namespace declarations of one element; all that are in scope together may be
    /// `depth_max` more.
    pub namespaces_max: usize,
    /// Bytes of one qualified name, prefix and colon included.
    pub name_bytes_max: usize,
}

impl Limits {
    /// Before the peer has authenticated.
    pub const BEFORE_AUTH: Self = Self {
        stanza_bytes_max: 8 * 1024,
        depth_max: 8,
        elements_max: 32,
        attributes_max: 32,
        namespaces_max: 16,
        name_bytes_max: 256,
    };
    /// An authenticated client.
    pub const CLIENT: Self = Self {
        stanza_bytes_max: 256 * 1024,
        depth_max: 64,
        elements_max: 4096,
        attributes_max: 128,
        namespaces_max: 32,
        name_bytes_max: 512,
    };
    /// An authenticated server or component.
    pub const SERVER: Self = Self { stanza_bytes_max: 512 * 1024, ..Self::CLIENT };
    /// What this process wrote itself: bounded only so that offsets fit.
    pub(crate) const OWN: Self = Self {
        stanza_bytes_max: 1 << 30,
        depth_max: 1024,
        elements_max: 1 << 24,
        attributes_max: 1024,
        namespaces_max: 256,
        name_bytes_max: 4096,
    };
}
