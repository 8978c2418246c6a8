//! What a device has said about where its notifications go: one cell of its account.

use crate::xep_0004_forms::{FIELD, FORM_TYPE, VALUE, X};
use engine::{cells::Cells, session::Session, unit::Table, wire::*};

/// By address of the push service, and node; see [`key`].
pub const REGISTRATIONS: Table = Table::named("push");
/// The longest form of options, in bytes.
pub const OPTIONS_BYTES_MAX: usize = 4096;
const OPTIONS: &str = "http://jabber.org/protocol/pubsub#publish-options";

/// Where the notifications of a device go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Its cell.
    pub key: String,
    /// The push service.
    pub service: Jid,
    /// What it knows the device by.
    pub node: Option<String>,
    /// Who has asked for it: the device, if it said which it is,
    device: String,
    /// and its resource.
    resource: String,
    /// How many notifications in a row came to nothing.
    pub failures: u64,
    /// What the service wants to see with each (section 5).
    options: String,
}

/// Of the cell: the service, and behind a line end, which no address can have, the node.
pub fn key(service: &Jid, node: Option<&str>) -> String {
    node.map_or_else(|| service.to_string(), |node| format!("{service}\n{node}"))
}

/// Whether a cell is of this service, and of this node if one is named (section 6).
pub fn concerns(key: &str, service: &Jid, node: Option<&str>) -> bool {
    let (of, at) = split(key);
    of == service.as_str() && (node.is_none() || at == node)
}

fn split(key: &str) -> (&str, Option<&str>) {
    key.split_once('\n').map_or((key, None), |(service, node)| (service, Some(node)))
}

/// Section 5: the form of options, if there is one.
///
/// # Errors
/// `bad-request` when it is another form, `not-acceptable` when it is too long.
pub fn options(enable: Element<'_>) -> Result<String, StanzaError> {
    let Some(form) = enable.child(X) else { return Ok(String::new()) };
    let is_type = |field: &Element<'_>| field.attribute("var").as_deref() == Some(FORM_TYPE);
    let mut fields = form.children().filter(|child| child.is(FIELD));
    let kind = fields.find(is_type).and_then(|field| Some(field.child(VALUE)?.text().into_owned()));
    if kind.as_deref() != Some(OPTIONS) {
        return Err(StanzaCondition::BadRequest.into());
    }
    let options = form.to_payload().as_str().to_owned();
    if options.len() > OPTIONS_BYTES_MAX {
        return Err(StanzaCondition::NotAcceptable.into());
    }
    Ok(options)
}

/// What the cell of the device of this session has, which begins without failures.
pub fn cell(session: &Session, options: &str) -> Vec<u8> {
    let device = session.device.as_deref().unwrap_or_default();
    let resource = session.jid.resource().unwrap_or_default();
    format!("0\n{device}\n{resource}\n{options}").into_bytes()
}

/// Whether a cell is of the device of this id.
pub fn is_of(cell: &[u8], device: &str) -> bool {
    cell.split(|byte| *byte == b'\n').nth(1) == Some(device.as_bytes())
}

/// All of an account.
pub fn all(cells: &Cells) -> Vec<Registration> {
    cells.of(REGISTRATIONS).filter_map(|(key, cell)| Registration::read(key, cell)).collect()
}

impl Registration {
    fn read(key: &str, cell: &[u8]) -> Option<Self> {
        let (service, node) = split(key);
        let mut lines = std::str::from_utf8(cell).ok()?.splitn(4, '\n');
        let mut line = || lines.next().map(str::to_owned);
        Some(Self {
            key: key.to_owned(),
            service: Jid::parse(service).ok()?,
            node: node.map(str::to_owned),
            failures: line()?.parse().ok()?,
            device: line()?,
            resource: line()?,
            options: line()?,
        })
    }

    /// The cell with so many failures.
    pub fn failed(&self, failures: u64) -> Vec<u8> {
        let Self { device, resource, options, .. } = self;
        format!("{failures}\n{device}\n{resource}\n{options}").into_bytes()
    }

    /// Whether that is a session of this device.
    pub fn is_of(&self, session: &Session) -> bool {
        let device = session.device.as_deref().unwrap_or_default();
        let same = !self.device.is_empty() && self.device == device;
        same || session.jid.resource() == Some(&self.resource)
    }

    /// For the operator: where it goes, and of which resource it is.
    pub fn shown(&self) -> String {
        format!("{} for {}", self.service, self.resource)
    }

    /// The form of options.
    pub fn options(&self) -> Option<Payload> {
        let wrapped = format!("<message>{}</message>", self.options);
        let options = Stanza::parse_one(&wrapped).ok()?;
        options.children().next().map(Element::to_payload)
    }
}
