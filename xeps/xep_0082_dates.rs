//! XEP-0082: XMPP Date and Time Profiles. <https://xmpp.org/extensions/xep-0082.html>
//!
//! A vocabulary: other XEPs write and read their dates with it.

use engine::hook::{Status, Xep};
use xmpp_parsers::date::DateTime;

pub use engine::ctx::date_time;

/// How dates are written.
pub const XEP: Xep = Xep {
    number: 82,
    name: "XMPP Date and Time Profiles",
    version: "1.1.1",
    status: Status::Complete,
    hooks: &[],
};

/// The date to the millisecond, so that what is asked for by it is found by it.
pub fn date_time_ms(unix_ms: u64) -> String {
    let seconds = date_time(unix_ms);
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), unix_ms % 1000)
}

/// The millisecond since 1970 that a DateTime (section 3.2) lies in, and whether it is its
/// beginning; `None`: it is none. A leap second is the last of its minute.
pub fn read(text: &str) -> Option<(i64, bool)> {
    if text.as_bytes().get(10) != Some(&b'T') || text.ends_with('z') {
        return None;
    }
    let DateTime(at) = text.parse().ok()?;
    Some((at.timestamp_millis(), at.timestamp_subsec_nanos() % 1_000_000 == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_in_the_examples() {
        assert_eq!(date_time(0), "1970-01-01T00:00:00Z");
        assert_eq!(date_time(1_166_551_115_999), "2006-12-19T17:58:35Z");
        assert_eq!(date_time(u64::MAX), "1970-01-01T00:00:00Z");
        assert_eq!(date_time_ms(1_166_551_115_009), "2006-12-19T17:58:35.009Z");
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        for ms in [0, 1, 999, 1_166_551_115_009, 253_402_300_799_999] {
            assert_eq!(read(&date_time_ms(ms)), Some((ms as i64, true)));
        }
    }

    #[test]
    fn offsets_and_fractions_are_read_section_3_2() {
        let first = Some((-14_182_940_000, true));
        assert_eq!(read("1969-07-21T02:56:20Z"), Some((-14_159_020_000, true)));
        assert_eq!(read("1969-07-20T21:56:15-05:00"), Some((-14_159_025_000, true)));
        assert_eq!(read("1969-07-20T20:17:40Z"), first);
        assert_eq!(read("1970-01-01T00:00:00.5Z"), Some((500, true)));
        assert_eq!(read("1970-01-01T00:00:00.1234Z"), Some((123, false)));
        assert_eq!(read("0000-01-01T00:00:00Z").map(|(ms, _)| ms < 0), Some(true));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "yesterday",
            "2006-12-19",
            "17:58:35",
            "2006-12-19 17:58:35Z",
            "2006-12-19t17:58:35Z",
            "2006-12-19T17:58:35z",
            "2006-12-19T17:58:35",
            "2006-13-19T17:58:35Z",
            "2006-02-30T17:58:35Z",
            "2006-12-19T24:00:00Z",
            "20061219T17:58:35",
            "99999-12-19T17:58:35Z",
            "-2006-12-19T17:58:35Z",
            "2006-12-19T17:58:35Z' OR 1",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
