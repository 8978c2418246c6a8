//! The key sequence, by which a session that is overheard is not hijacked (XEP-0124 §15).

use sha1::{Digest, Sha1};
use std::fmt::Write;
use wire::Text;

/// What the next key must hash to; none: there are no keys in this session.
#[derive(Debug, Default)]
pub(super) struct Keys(Option<Text>);

impl Keys {
    /// Of a session whose first request said this.
    pub(super) fn begin(new: Option<Text>) -> Self {
        Self(new)
    }

    /// Whether the request that says these is the client's.
    pub(super) fn admit(&mut self, key: Option<&Text>, new: Option<&Text>) -> bool {
        let proven = match (&self.0, key) {
            (None, _) => true,
            (Some(awaited), Some(key)) => hash(key) == **awaited,
            (Some(_), None) => false,
        };
        if proven {
            self.0 = new.or(key).cloned();
        }
        proven
    }
}

fn hash(key: &str) -> String {
    let digest = Sha1::digest(key.as_bytes());
    digest.iter().fold(String::with_capacity(40), |mut word, byte| {
        write!(word, "{byte:02x}").expect("writing to a String cannot fail");
        word
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_xep_0124_15_are_a_sequence() {
        let key = |text: &'static str| Some(Text::from(text));
        let mut keys = Keys::begin(key("ca393b51b682f61f98e7877d61146407f3d0a770"));
        let next = key("bfb06a6f113cd6fd3838ab9d300fdb4fe3da2f7d");
        assert!(keys.admit(next.as_ref(), None));
        assert!(!keys.admit(next.as_ref(), None), "not a second time");
        assert!(!keys.admit(None, None), "nor without");
        assert!(!keys.admit(None, next.as_ref()), "nor a new one without the old one");
    }

    #[test]
    fn a_new_sequence_begins_with_the_last_key_of_the_old_one_15_5() {
        let chain = |seed: &str| {
            let first = hash(seed);
            (Text::from(first.clone()), Text::from(hash(&first)))
        };
        let ((one, two), (other_one, other_two)) = (chain("a"), chain("b"));
        let mut keys = Keys::begin(Some(two));
        assert!(keys.admit(Some(&one), Some(&other_two)));
        assert!(keys.admit(Some(&other_one), None));
    }

    #[test]
    fn a_session_without_keys_wants_none() {
        assert!(Keys::default().admit(None, None));
    }
}
