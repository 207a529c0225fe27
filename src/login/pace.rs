//! How long a primary takes to say no (rules D6): what is refused after its yes, or without asking it, takes as long.
//!
//! Pure and bounded: the last rejections of each primary, of which one is drawn. A right password of a blocked user, a name that is
//! held back and a wrong password then leave after the same times, on a slow primary as on a quick one.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::name::PrimaryName;

/// So many rejections of a primary are remembered.
const REMEMBERED: usize = 32;

/// What the last rejections took. Primaries are configured, so there are few.
#[derive(Debug, Default)]
pub struct Rejections(BTreeMap<PrimaryName, VecDeque<Duration>>);

impl Rejections {
    /// A rejection of this primary took so long.
    pub fn note(&mut self, primary: &PrimaryName, took: Duration) {
        let lately = self.0.entry(primary.clone()).or_default();
        if lately.len() >= REMEMBERED {
            lately.pop_front();
        }
        lately.push_back(took);
    }

    /// How long one of its last rejections took; `roll` is random. Nothing, where there was none yet.
    #[must_use]
    pub fn draw(&self, primary: &PrimaryName, roll: u64) -> Duration {
        let Some(lately) = self.0.get(primary) else { return Duration::ZERO };
        let at = roll % u64::try_from(lately.len().max(1)).unwrap_or(1);
        usize::try_from(at).ok().and_then(|at| lately.get(at)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_the_last_thirty_two_of_that_primary_is_drawn() {
        let (mut lately, nps, other) = (Rejections::default(), PrimaryName::new("nps"), PrimaryName::new("other"));
        assert_eq!(lately.draw(&nps, 7), Duration::ZERO);
        (0..40).for_each(|ms| lately.note(&nps, Duration::from_millis(ms)));
        let mut drawn: Vec<u128> = (0..32).map(|roll| lately.draw(&nps, roll).as_millis()).collect();
        drawn.sort_unstable();
        assert_eq!(drawn, (8..40).collect::<Vec<_>>());
        assert_eq!(lately.draw(&other, 3), Duration::ZERO);
    }
}
