//! How fast a client is read (RFC 6120 §13.12, item 6): as much as comes in one second at once,
//! and no faster than that on average.

use engine::ctx::Moment;

/// What has come lately of what may.
#[derive(Debug, Default)]
pub(crate) struct Bandwidth {
    bytes: u64,
    since: Moment,
}

impl Bandwidth {
    /// So many bytes have come, of `max` in a second; 0: it has no limit.
    pub(crate) fn take(&mut self, bytes: usize, now: Moment, max: u64) {
        if max > 0 {
            self.rest(now, max);
            self.bytes = self.bytes.saturating_add(bytes as u64);
        }
    }

    /// What came before is forgotten as time goes by.
    pub(crate) fn rest(&mut self, now: Moment, max: u64) {
        let ms = now.0.saturating_sub(self.since.0);
        self.bytes = self.bytes.saturating_sub(ms.saturating_mul(max) / 1000);
        self.since = now;
    }

    /// Until when nothing more is read; `rest` ends it.
    pub(crate) fn until(&self, max: u64) -> Option<Moment> {
        let beyond = self.bytes.saturating_sub(max);
        if max == 0 || beyond == 0 {
            return None;
        }
        Some(self.since.after(beyond.saturating_mul(1000).div_ceil(max)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_second_may_come_at_once_and_then_no_more_than_that_on_average_rfc6120_13_12() {
        let mut bandwidth = Bandwidth::default();
        let (mut now, mut read) = (Moment(5_000), 0);
        while now.0 < 65_000 {
            match bandwidth.until(1_000) {
                Some(until) => {
                    assert!(until > now);
                    now = until;
                    bandwidth.rest(now, 1_000);
                    assert_eq!(bandwidth.until(1_000), None);
                }
                None => {
                    bandwidth.take(333, now, 1_000);
                    read += 333;
                }
            }
        }
        assert!((60_000..=62_000).contains(&read), "{read}");
    }

    #[test]
    fn without_a_limit_it_never_waits() {
        let mut bandwidth = Bandwidth::default();
        bandwidth.take(usize::MAX, Moment(1), 0);
        assert_eq!(bandwidth.until(0), None);
    }
}
