//! XEP-0486: MUC Avatars. <https://xmpp.org/extensions/xep-0486.html>
//!
//! A room has a vCard (XEP-0054) that its owners write. What its pictures are is told by hashes
//! (XEP-0153) to who asks what the room is; and to who is here of the first, by presence of the
//! room itself. The document does not have that, but other servers do, and some clients do not ask.

use super::{
    line::{Asker, Step},
    names::status,
    rank::Affiliation,
    room::{ROOM, Room, Turn},
    show::addressed,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use engine::{
    hook::*,
    port::Pending,
    unit::{Change, Table},
    wire::*,
};
use sha1::{Digest, Sha1};

/// How a room looks.
pub const XEP: Xep = Xep {
    number: 486,
    name: "MUC Avatars",
    version: "0.1.0",
    status: Status::Complete,
    hooks: &[
        Hook::Feature(Of::Service, VCARD.ns),
        Hook::Feature(Of::Room, VCARD.ns),
        Hook::get(Of::Room, VCARD, Answer::World(get)),
    ],
};

/// What is asked for and set.
pub const VCARD: Name = Name::new("vcard-temp", "vCard");
const PHOTO: Name = Name::new(VCARD.ns, "PHOTO");
const BINVAL: Name = Name::new(VCARD.ns, "BINVAL");
/// Of presence: which picture there is (XEP-0153).
pub const UPDATE: Name = Name::new("vcard-temp:x:update", "x");
const UPDATED_PHOTO: Name = Name::new(UPDATE.ns, "photo");

/// With a room: its vCard.
const CARD: Table = Table::named("room-vcard");
const KEY: &str = "";
/// With a room, at hand: the hashes of its pictures, between spaces.
pub const HASHES: &str = "avatar";

/// The vCard of a room, with its pictures, in bytes.
const VCARD_BYTES_MAX: usize = 192 << 10;
/// Pictures of which a hash is told (section 6.1).
const PHOTOS_MAX: usize = 8;

/// Section 4.4. Whoever may ask what a room is may see it. Of a room without one the vCard is empty
/// (XEP-0054 §3.1), as it is after that has been set.
fn get<'a>(_: &'a Stanza, world: &'a World<'a>) -> Pending<'a, Replied> {
    Box::pin(async move {
        let card = world.store.cell(CARD, world.account, KEY).await?;
        let Some(card) = card else { return Ok(Reply::Payload(Draft::new(VCARD).finish())) };
        let iq = format!("<iq>{}</iq>", String::from_utf8_lossy(&card));
        let iq = Stanza::parse_one(&iq).map_err(|_| StanzaCondition::InternalServerError)?;
        let card = iq.child(VCARD).ok_or(StanzaCondition::InternalServerError)?;
        Ok(Reply::Payload(card.to_payload()))
    })
}

/// Of each picture its SHA-1, in hexadecimal digits (XEP-0153 §3.1). One that cannot be read has
/// none.
fn hashes(card: Element<'_>) -> Vec<String> {
    let photos = card.children().filter(|child| child.is(PHOTO)).take(PHOTOS_MAX);
    let photos = photos.filter_map(|photo| {
        let text = photo.child(BINVAL)?.text();
        let digits: String = text.split_ascii_whitespace().collect();
        STANDARD.decode(digits).ok().filter(|photo| !photo.is_empty())
    });
    photos
        .map(|photo| Sha1::digest(photo).iter().map(|byte| format!("{byte:02x}")).collect())
        .collect()
}

impl Room {
    /// Section 4.2; an empty one takes it away.
    ///
    /// # Errors
    /// `forbidden` for who is no owner; `not-acceptable` for one that is too big.
    pub fn set_vcard(
        &mut self,
        iq: &Stanza,
        from: &Jid,
        card: Element<'_>,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), StanzaError> {
        if self.members.of(&from.bare()) != Affiliation::Owner {
            let error = StanzaError::from(StanzaCondition::Forbidden);
            return Err(error.with_text("only owners say how a room looks"));
        }
        let text = card.to_payload();
        if text.as_str().len() > VCARD_BYTES_MAX {
            let why = format!("no vCard of more than {VCARD_BYTES_MAX} bytes is kept");
            return Err(StanzaError::from(StanzaCondition::NotAcceptable).with_text(why));
        }
        let mut step = self.step(Asker::Sender(iq.clone()));
        let room = self.jid.clone();
        let old = std::mem::replace(&mut self.avatar, hashes(card));
        let is_empty = card.children().next().is_none();
        step.write(match is_empty {
            true => Change::Cut(CARD, room.clone(), KEY.into()),
            false => Change::Put(CARD, room.clone(), KEY.into(), text.as_str().into()),
        });
        step.write(match self.avatar.is_empty() {
            true => Change::Cut(ROOM, room, HASHES.into()),
            false => Change::Put(ROOM, room, HASHES.into(), self.avatar.join(" ").into_bytes()),
        });
        self.tell_statuses(&[status::CONFIGURED], &mut step);
        if old.first() != self.avatar.first() {
            let seats = self.occupants.iter().flat_map(|(_, occupant)| &occupant.seats);
            seats.for_each(|seat| step.send(addressed(&self.pictured(), &seat.jid)));
        }
        step.send(iq.result());
        self.take(step, turn);
        Ok(())
    }

    /// Who enters a room with a picture is told which it is.
    pub fn tell_picture(&self, to: &Jid, step: &mut Step) {
        if !self.avatar.is_empty() {
            step.send(addressed(&self.pictured(), to));
        }
    }

    /// XEP-0153 §3.1; of a room without a picture that it has none.
    fn pictured(&self) -> Stanza {
        let hash = self.avatar.first().map(String::as_str).unwrap_or_default();
        let photo = Draft::new(UPDATED_PHOTO).text(hash);
        let head = Head::new(Kind::Presence).with_from(self.jid.clone());
        Stanza::new(head).with(Draft::new(UPDATE).child(photo).finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_picture_has_its_hash_section_6_1() {
        let svg = "PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHdpZHRoPSIzMiIgaGVpZ2h0\n\
            PSIzMiI+CiA8cmVjdCB4PSIwIiB5PSIwIiB3aWR0aD0iMzIiIGhlaWdodD0iMzIiIGZpbGw9InJlZCIv\n\
            Pgo8L3N2Zz4K";
        let photo =
            |binval: &str| format!("<PHOTO><TYPE>x/y</TYPE><BINVAL>{binval}</BINVAL></PHOTO>");
        let hashes_of = |photos: &str| {
            let iq = format!("<iq><vCard xmlns='vcard-temp'>{photos}</vCard></iq>");
            hashes(Stanza::parse_one(&iq).unwrap().child(VCARD).unwrap())
        };
        let known = "a31c4bd04de69663cfd7f424a8453f4674da37ff";
        assert_eq!(hashes_of(&photo(svg)), [known]);
        let abc = "a9993e364706816aba3e25717850c26c9cd0d89d";
        assert_eq!(hashes_of(&(photo(svg) + &photo("YWJj"))), [known, abc]);
        for none in ["", "<PHOTO/>", &photo("?"), &photo(""), "<FN>x</FN>"] {
            assert_eq!(hashes_of(none), [""; 0], "{none}");
        }
        assert_eq!(hashes_of(&photo("YWJj").repeat(99)).len(), PHOTOS_MAX);
    }
}
