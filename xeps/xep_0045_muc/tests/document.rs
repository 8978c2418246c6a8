//! What XEP-0045 says who may do to whom, written from its text and not from the code.

pub const AFFILIATIONS: [&str; 5] = ["outcast", "none", "member", "admin", "owner"];
pub const ROLES: [&str; 4] = ["none", "visitor", "participant", "moderator"];

/// An affiliation, and a role; `none`: not in the room.
pub type Rank = (&'static str, &'static str);

pub fn level(affiliation: &str) -> usize {
    AFFILIATIONS.iter().position(|one| *one == affiliation).expect("an affiliation")
}

fn is_admin(affiliation: &str) -> bool {
    ["admin", "owner"].contains(&affiliation)
}

/// Every rank that somebody can have. An admin is always a moderator (§5.1.3), an outcast never in
/// the room (§5.2).
pub fn ranks() -> Vec<Rank> {
    let mut all = vec![("outcast", "none")];
    for affiliation in ["none", "member"] {
        all.extend(ROLES.map(|role| (affiliation, role)));
    }
    for affiliation in ["admin", "owner"] {
        all.extend(["none", "moderator"].map(|role| (affiliation, role)));
    }
    all
}

/// §5.1.2: the role with which somebody enters.
pub fn role_at_first(affiliation: &str, is_moderated: bool) -> &'static str {
    match affiliation {
        "admin" | "owner" => "moderator",
        "none" if is_moderated => "visitor",
        _ => "participant",
    }
}

/// Somebody asks that an occupant shall have this role.
pub fn role(by: Rank, of: Rank, to: &str) -> Result<(), &'static str> {
    // §8: whoever is no moderator is refused so.
    if by.1 != "moderator" && !is_admin(by.0) {
        return Err("forbidden");
    }
    if of.1 == "none" {
        return Err("item-not-found");
    }
    match to {
        // §9: moderators are made, and unmade, by admins.
        "moderator" if !is_admin(by.0) => Err("forbidden"),
        "moderator" => Ok(()),
        // §9.7: not of an owner or admin
        "participant" if of.1 == "moderator" && is_admin(of.0) => Err("not-allowed"),
        "participant" if of.1 == "moderator" && !is_admin(by.0) => Err("forbidden"),
        // §8.3
        "participant" => Ok(()),
        // §8.4: the voice of an admin or owner nobody takes.
        "visitor" if is_admin(of.0) => Err("not-allowed"),
        // §8.4: at or above the moderator's level; "none" is the absence of an affiliation (§5.2)
        "visitor" if of.0 != "none" && level(of.0) >= level(by.0) => Err("not-allowed"),
        // §5.1.3: from moderator to visitor, by an admin or owner
        "visitor" if of.1 == "moderator" && !is_admin(by.0) => Err("not-allowed"),
        "visitor" => Ok(()),
        // §8.2: not by a moderator with a lower affiliation; §5.1.3: moderators by admins and
        // owners
        "none" if level(of.0) > level(by.0) => Err("not-allowed"),
        "none" if of.1 == "moderator" && !is_admin(by.0) => Err("not-allowed"),
        "none" => Ok(()),
        _ => Err("bad-request"),
    }
}

/// Somebody asks that another, who is not the last owner, shall have this affiliation.
pub fn affiliation(by: &str, of: &str, to: &str) -> Result<(), &'static str> {
    match by {
        "owner" => Ok(()),
        // §9.1: an admin does not ban whom he could not have let in (§5.2.2).
        "admin" if is_admin(of) && to == "outcast" => Err("not-allowed"),
        // §10.3 to §10.8: the lists of owners and admins are the owners'.
        "admin" if is_admin(of) || is_admin(to) => Err("forbidden"),
        "admin" => Ok(()),
        _ => Err("forbidden"),
    }
}

/// §5.1.3: the role of who is in the room when its affiliation changes.
pub fn role_after(
    before: &str,
    now: &'static str,
    role: &'static str,
    is_moderated: bool,
) -> &'static str {
    let first = role_at_first(now, is_moderated);
    let place = |role: &str| ROLES.iter().position(|one| *one == role);
    // What comes with being an admin goes with it; else nothing is lost.
    if is_admin(before) && !is_admin(now) || place(first) > place(role) { first } else { role }
}
