//! What rooms have of an account goes with it, but that it is banned. The statements are the same
//! for both databases; the tables' names stand in them, for indices are of their cells alone.

use engine::{unit::OWN_KEYS, wire::Bare};

/// Up to where it has read, in those that it is anything to; before that goes. $1 is its address.
pub(crate) const MARKS_GONE: &str = "
    DELETE FROM cell
    WHERE name = 'mark' AND key = $1 AND log IN (
        SELECT log FROM cell WHERE name = 'affiliation' AND key = $1
    )";
/// What it is to them. $2 is how it begins for who is banned, in seven bytes.
pub(crate) const AFFILIATIONS_GONE: &str = "
    DELETE FROM cell
    WHERE name = 'affiliation' AND key = $1 AND SUBSTR(value, 1, 7) <> $2";
/// What it has there under these keys.
pub(crate) const OWN_GONE: &str = "
    DELETE FROM cell WHERE name = 'room' AND key IN ($1, $2, $3)";

/// Those of an account.
pub(crate) fn own_keys(account: &Bare) -> [String; OWN_KEYS.len()] {
    OWN_KEYS.map(|of| format!("{of}{account}"))
}
