//! Addresses (RFC 7622), prepared once when they are read and compared as bytes ever after.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

mod prepare;

/// An address: a host, an account, or one of their resources. Cheap to clone.
#[derive(Clone)]
pub struct Jid {
    text: Arc<str>,
    /// Where `@` stands; 0 when there is none, for no localpart is empty.
    at: u16,
    /// Where `/` stands; 0 when there is none.
    slash: u16,
}

impl Jid {
    /// Reads and prepares an address.
    ///
    /// # Errors
    /// Names the part that is not allowed, and why.
    pub fn parse(text: &str) -> Result<Self, JidError> {
        if let Some((at, slash)) = prepare::already(text) {
            return Ok(Self { text: text.into(), at, slash });
        }
        let (rest, resource) = match text.split_once('/') {
            Some((rest, resource)) => (rest, Some(resource)),
            None => (text, None),
        };
        match rest.split_once('@') {
            Some((local, domain)) => Self::new(Some(local), domain, resource),
            None => Self::new(None, rest, resource),
        }
    }

    /// Prepares the parts and puts them together.
    ///
    /// # Errors
    /// Names the part that is not allowed, and why.
    pub fn new(
        local: Option<&str>,
        domain: &str,
        resource: Option<&str>,
    ) -> Result<Self, JidError> {
        let local = local.map(prepare::local).transpose()?;
        let domain = prepare::domain(domain)?;
        let resource = resource.map(prepare::resource).transpose()?;
        Ok(Self::join(local.as_deref(), &domain, resource.as_deref()))
    }

    /// Puts prepared parts together.
    fn join(local: Option<&str>, domain: &str, resource: Option<&str>) -> Self {
        let at = local.map_or(0, str::len);
        let bare = domain.len() + if at == 0 { 0 } else { at + 1 };
        let slash = if resource.is_some() { bare } else { 0 };
        let mut text = String::with_capacity(bare + resource.map_or(0, |part| part.len() + 1));
        if let Some(local) = local {
            text.push_str(local);
            text.push('@');
        }
        text.push_str(domain);
        if let Some(resource) = resource {
            text.push('/');
            text.push_str(resource);
        }
        Self { text: text.into(), at: at as u16, slash: slash as u16 }
    }

    /// The localpart.
    pub fn local(&self) -> Option<&str> {
        (self.at > 0).then(|| &self.text[..usize::from(self.at)])
    }

    /// The domainpart.
    pub fn domain(&self) -> &str {
        let start = if self.at > 0 { usize::from(self.at) + 1 } else { 0 };
        &self.text[start..self.bare_len()]
    }

    /// The resourcepart.
    pub fn resource(&self) -> Option<&str> {
        (self.slash > 0).then(|| &self.text[usize::from(self.slash) + 1..])
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The address without resource.
    pub fn bare(&self) -> Bare {
        if self.is_bare() {
            return Bare(self.clone());
        }
        Bare(Self { text: self.bare_str().into(), at: self.at, slash: 0 })
    }

    /// The same as a text that others share.
    pub fn bare_str(&self) -> &str {
        &self.text[..self.bare_len()]
    }

    /// Whether it has no resource.
    pub fn is_bare(&self) -> bool {
        self.slash == 0
    }

    /// Whether it is this address, or one of its resources.
    pub fn is_of(&self, account: &Bare) -> bool {
        self.bare_str() == account.as_str()
    }

    fn bare_len(&self) -> usize {
        if self.slash > 0 { usize::from(self.slash) } else { self.text.len() }
    }
}

/// An address without resource: an account or a host.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bare(Jid);

impl Bare {
    /// Reads and prepares an address that must not have a resource.
    ///
    /// # Errors
    /// Names the part that is not allowed, and why.
    pub fn parse(text: &str) -> Result<Self, JidError> {
        let jid = Jid::parse(text)?;
        if jid.is_bare() { Ok(Self(jid)) } else { Err(JidError::HasResource) }
    }

    /// Prepares a domain.
    ///
    /// # Errors
    /// When it is not one.
    pub fn host(domain: &str) -> Result<Self, JidError> {
        Jid::new(None, domain, None).map(Self)
    }

    /// Whether this text, prepared, is this address, or one of its resources.
    pub fn owns(&self, text: &str) -> bool {
        match prepare::already(text) {
            Some((_, 0)) => *text == *self.text,
            Some((_, slash)) => text[..usize::from(slash)] == *self.text,
            None => Jid::parse(text).is_ok_and(|jid| jid.is_of(self)),
        }
    }

    /// The full address with this resource, which is prepared.
    ///
    /// # Errors
    /// When the resource is not allowed.
    pub fn with_resource(&self, resource: &str) -> Result<Jid, JidError> {
        let resource = prepare::resource(resource)?;
        Ok(Jid::join(self.local(), self.domain(), Some(&resource)))
    }
}

impl Deref for Bare {
    type Target = Jid;

    fn deref(&self) -> &Jid {
        &self.0
    }
}

impl From<Bare> for Jid {
    fn from(bare: Bare) -> Self {
        bare.0
    }
}

impl PartialEq for Jid {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Jid {}

impl PartialOrd for Jid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Jid {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

/// As that of the text, so that maps can be asked with a `&str` that is known to be prepared.
impl Hash for Jid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Borrow<str> for Jid {
    fn borrow(&self) -> &str {
        &self.text
    }
}

impl Borrow<str> for Bare {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl FromStr for Jid {
    type Err = JidError;

    fn from_str(text: &str) -> Result<Self, JidError> {
        Self::parse(text)
    }
}

impl FromStr for Bare {
    type Err = JidError;

    fn from_str(text: &str) -> Result<Self, JidError> {
        Self::parse(text)
    }
}

impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}

impl fmt::Display for Bare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Bare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Why a text is no address. Names the part and the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JidError {
    /// Nothing before the `@`.
    LocalEmpty,
    /// More than 1023 octets before the `@`.
    LocalTooLong,
    /// A character that PRECIS UsernameCaseMapped or RFC 7622 §3.3.1 forbids.
    LocalForbidden,
    /// No domain.
    DomainEmpty,
    /// A domain of more than 1023 octets, or a label of more than 63.
    DomainTooLong,
    /// Neither a domain name (RFC 5890) nor an IP address.
    DomainForbidden,
    /// Nothing after the `/`.
    ResourceEmpty,
    /// More than 1023 octets after the `/`.
    ResourceTooLong,
    /// A character that PRECIS OpaqueString forbids.
    ResourceForbidden,
    /// A resource where none may be.
    HasResource,
}

impl fmt::Display for JidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LocalEmpty => "localpart is empty",
            Self::LocalTooLong => "localpart is longer than 1023 octets",
            Self::LocalForbidden => "localpart has a forbidden character",
            Self::DomainEmpty => "domain is empty",
            Self::DomainTooLong => "domain or one of its labels is too long",
            Self::DomainForbidden => "domain is not a domain name or IP address",
            Self::ResourceEmpty => "resource is empty",
            Self::ResourceTooLong => "resource is longer than 1023 octets",
            Self::ResourceForbidden => "resource has a forbidden character",
            Self::HasResource => "a resource is not allowed here",
        })
    }
}

impl std::error::Error for JidError {}

#[cfg(test)]
mod tests;
