//! Chance that a seed decides.

use std::time::Duration;

/// A sequence that looks like chance (splitmix64).
pub struct Chance(u64);

impl Chance {
    /// It begins here.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below this.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// One of two.
    pub fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    /// A time around this mean, as if it were decided at every moment whether to wait on.
    pub fn pause(&mut self, mean: Duration) -> Duration {
        let share = (self.below(1 << 20) + 1) as f64 / (1 << 20) as f64;
        mean.mul_f64(-share.ln())
    }
}
