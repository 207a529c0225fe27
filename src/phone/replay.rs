//! What was signed once is not taken twice: a bounded memory of the polls of the last minutes.
//!
//! Polls run in parallel, so times need not grow; only a repeat is refused. An entry is a hash, and is forgotten once its
//! own time left the window, when the time itself refuses it. Full, it forgets nothing and refuses new ones (rules G1).

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use login::Wall;
use sha2::{Digest as _, Sha256};

/// The polls that were seen.
#[derive(Debug)]
pub struct Replay {
    window: Duration,
    max: usize,
    known: HashSet<[u8; 16]>,
    by_time: BTreeSet<(u64, [u8; 16])>,
}

/// Why a poll is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It was taken before.
    Repeated,
    /// More are under way than there is room for.
    Full,
}

impl Replay {
    /// Remembers each for as long as its time is within the window; `max` of them at once, some 100 octets each.
    #[must_use]
    pub fn new(window: Duration, max: usize) -> Self {
        Self { window, max, known: HashSet::new(), by_time: BTreeSet::new() }
    }

    /// Takes this text of this device, once. Call it after the signature was verified, so that only the device fills it.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub fn take(&mut self, device: &str, signed: &str, stamped: Wall, now: Wall) -> Result<(), Refused> {
        self.forget_before(now);
        let print = print(device, signed);
        if self.known.contains(&print) {
            return Err(Refused::Repeated);
        }
        if self.known.len() >= self.max {
            return Err(Refused::Full);
        }
        self.known.insert(print);
        self.by_time.insert((stamped.0, print));
        Ok(())
    }

    fn forget_before(&mut self, now: Wall) {
        while let Some((stamped, print)) = self.by_time.first().copied() {
            if Wall(stamped).plus(self.window) >= now {
                return;
            }
            self.by_time.pop_first();
            self.known.remove(&print);
        }
    }
}

fn print(device: &str, signed: &str) -> [u8; 16] {
    let length = u64::try_from(device.len()).unwrap_or(u64::MAX).to_be_bytes();
    let digest = Sha256::new().chain_update(length).chain_update(device).chain_update(signed).finalize();
    let mut print = [0; 16];
    print.copy_from_slice(&digest[..16]);
    print
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_is_taken_once_and_forgotten_when_its_time_is_over() {
        let mut seen = Replay::new(Duration::from_secs(120), 2);
        let at = |seconds: u64| Wall(seconds * 1000);
        assert_eq!(seen.take("a", "x", at(100), at(100)), Ok(()));
        assert_eq!(seen.take("a", "x", at(100), at(220)), Err(Refused::Repeated));
        assert_eq!(seen.take("b", "x", at(90), at(100)), Ok(()));
        assert_eq!(seen.take("c", "x", at(100), at(100)), Err(Refused::Full));
        // 90 + 120 is over, 100 + 120 is not.
        assert_eq!(seen.take("c", "x", at(200), at(211)), Ok(()));
        assert_eq!(seen.take("a", "x", at(100), at(211)), Err(Refused::Repeated));
        assert_eq!(seen.known.len(), seen.by_time.len());
    }
}
