//! The timers of a stream as a table. The shell is told of the nearest deadline only when it
//! changes.

use crate::ctx::Moment;

/// What a stream waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// The resource must be bound.
    Auth,
    /// The peer must be heard.
    Idle,
    /// The peer must answer.
    Answer,
}

const ALL: [Timer; 3] = [Timer::Auth, Timer::Idle, Timer::Answer];

/// A deadline per timer.
#[derive(Clone, Debug, Default)]
pub struct Timers {
    at: [Option<Moment>; ALL.len()],
    told: Option<Moment>,
}

impl Timers {
    /// Sets a timer, or sets it anew.
    pub fn set(&mut self, timer: Timer, at: Moment) {
        self.at[timer as usize] = Some(at);
    }

    /// Whether a timer is set.
    pub fn is_set(&self, timer: Timer) -> bool {
        self.at[timer as usize].is_some()
    }

    /// Stops a timer.
    pub fn stop(&mut self, timer: Timer) {
        self.at[timer as usize] = None;
    }

    /// The shell came back: what it was told is spent.
    pub fn ticked(&mut self) {
        self.told = None;
    }

    /// Takes a timer whose moment has come.
    pub fn expired(&mut self, now: Moment) -> Option<Timer> {
        let due = |timer: &Timer| self.at[*timer as usize].is_some_and(|at| at <= now);
        let timer = ALL.into_iter().find(due)?;
        self.stop(timer);
        Some(timer)
    }

    /// The nearest deadline, if the shell does not know it yet.
    pub fn wake(&mut self) -> Option<Moment> {
        let nearest = self.at.iter().flatten().min().copied();
        if nearest == self.told {
            return None;
        }
        self.told = nearest;
        nearest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_is_told_only_of_changes() {
        let mut timers = Timers::default();
        assert_eq!(timers.wake(), None);
        timers.set(Timer::Auth, Moment(30));
        timers.set(Timer::Idle, Moment(50));
        assert_eq!(timers.wake(), Some(Moment(30)));
        timers.set(Timer::Idle, Moment(60));
        assert_eq!(timers.wake(), None);
        timers.stop(Timer::Auth);
        assert_eq!(timers.wake(), Some(Moment(60)));
    }

    #[test]
    fn a_timer_expires_once() {
        let mut timers = Timers::default();
        timers.set(Timer::Idle, Moment(50));
        assert_eq!(timers.expired(Moment(49)), None);
        assert_eq!(timers.expired(Moment(50)), Some(Timer::Idle));
        assert_eq!(timers.expired(Moment(99)), None);
    }

    #[test]
    fn after_a_tick_the_same_deadline_is_told_again() {
        let mut timers = Timers::default();
        timers.set(Timer::Idle, Moment(50));
        assert_eq!(timers.wake(), Some(Moment(50)));
        timers.ticked();
        assert_eq!(timers.wake(), Some(Moment(50)));
    }
}
