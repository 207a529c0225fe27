//! What is asked of a client's packets, and how `auto` learns (rules E2): upward only, from verified packets only.
//!
//! A pure state machine with time as a parameter. FreeRADIUS decides by the first packet, which a stranger can forge;
//! here a stranger can only delay the learning, by sending bare packets, and never bring it about or undo it.

use std::time::Duration;

use login::Tick;
use wire::Demand;

use crate::config::Stance;

/// Verified packets that it takes (rules E2).
const VERIFIED_PACKETS_MIN: u32 = 20;

/// Over how long they must have come (rules E2).
const LEARNING_TIME_MIN: Duration = Duration::from_secs(600);

/// What `auto` knows of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Learning {
    /// Nothing since the last bare packet.
    #[default]
    Fresh,
    /// Only verified packets came since then.
    Watching {
        /// When the first of them came.
        since: Tick,
        /// How many of them.
        verified: u32,
    },
    /// It always sends Message-Authenticator: from now on it must.
    Learned {
        /// The store knows it, so a store that no longer does was told to forget.
        stored: bool,
    },
}

impl Learning {
    /// After a new Access-Request whose Message-Authenticator was verified.
    #[must_use]
    pub fn after_verified(self, at: Tick) -> Self {
        match self {
            Self::Fresh => Self::Watching { since: at, verified: 1 },
            Self::Watching { since, verified } => {
                let verified = verified.saturating_add(1);
                let enough = verified >= VERIFIED_PACKETS_MIN && at.since(since) >= LEARNING_TIME_MIN;
                if enough { Self::Learned { stored: false } } else { Self::Watching { since, verified } }
            }
            Self::Learned { .. } => self,
        }
    }

    /// After an Access-Request without Message-Authenticator: the watch begins anew; what was learned stays.
    #[must_use]
    pub fn after_bare(self) -> Self {
        match self {
            Self::Fresh | Self::Watching { .. } => Self::Fresh,
            Self::Learned { .. } => self,
        }
    }

    /// After a look into the store: `known` says whether it holds this client's name. What the store has not yet taken
    /// stays.
    #[must_use]
    pub fn after_store(self, known: bool) -> Self {
        match (self, known) {
            (_, true) => Self::Learned { stored: true },
            // `vestibule client forget NAME` took it out.
            (Self::Learned { stored: true }, false) => Self::Fresh,
            (Self::Fresh | Self::Watching { .. } | Self::Learned { stored: false }, false) => self,
        }
    }

    /// Whether it has learned.
    #[must_use]
    pub fn is_learned(self) -> bool {
        matches!(self, Self::Learned { .. })
    }
}

/// What the wire is asked to demand of a packet. It demands more by itself: of EAP, of Status-Server, and no
/// Proxy-State where Message-Authenticator is missing (checklist B6, B8, D12).
#[must_use]
pub(super) fn demand(stance: Stance, learning: Learning) -> Demand {
    match (stance, learning) {
        (Stance::Yes, _) | (Stance::Auto, Learning::Learned { .. }) => Demand::Required,
        (Stance::Auto, Learning::Fresh | Learning::Watching { .. }) | (Stance::No, _) => Demand::IfPresent,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: u64 = 60_000;

    /// `verified` packets evenly spread over `minutes`.
    fn watched(verified: u64, minutes: u64) -> Learning {
        (0..verified).fold(Learning::Fresh, |learning, n| {
            learning.after_verified(Tick(n * minutes * MINUTE / (verified - 1).max(1)))
        })
    }

    #[test]
    fn twenty_verified_packets_over_ten_minutes_are_enough_and_fewer_or_faster_are_not() {
        for (verified, minutes, learned) in
            [(20, 10, true), (19, 10, false), (20, 9, false), (1000, 9, false), (19, 600, false), (1000, 10, true)]
        {
            assert_eq!(watched(verified, minutes).is_learned(), learned, "{verified} in {minutes} minutes");
        }
    }

    #[test]
    fn a_bare_packet_begins_the_watch_anew() {
        let nearly = watched(19, 10).after_bare();
        assert_eq!(nearly, Learning::Fresh);
        let later = nearly.after_verified(Tick(11 * MINUTE));
        assert_eq!(later, Learning::Watching { since: Tick(11 * MINUTE), verified: 1 });
    }

    #[test]
    fn what_was_learned_is_not_unlearned_by_any_packet() {
        let learned = watched(20, 10);
        assert!(learned.after_bare().is_learned());
        assert!(learned.after_verified(Tick(0)).is_learned());
    }

    #[test]
    fn only_the_store_that_knew_it_can_make_it_forget() {
        let learned = watched(20, 10);
        assert!(learned.after_store(false).is_learned(), "the store has not taken it yet");
        assert_eq!(learned.after_store(true).after_store(false), Learning::Fresh, "`client forget`");
        assert!(Learning::Fresh.after_store(true).is_learned(), "another node, or an earlier run, learned it");
    }

    #[test]
    fn the_stance_decides_what_is_demanded() {
        let learned = Learning::Learned { stored: true };
        let watching = Learning::Watching { since: Tick(0), verified: 19 };
        for (stance, learning, expected) in [
            (Stance::Yes, Learning::Fresh, Demand::Required),
            (Stance::Yes, learned, Demand::Required),
            (Stance::Auto, Learning::Fresh, Demand::IfPresent),
            (Stance::Auto, watching, Demand::IfPresent),
            (Stance::Auto, learned, Demand::Required),
            (Stance::No, Learning::Fresh, Demand::IfPresent),
            (Stance::No, learned, Demand::IfPresent),
        ] {
            assert_eq!(demand(stance, learning), expected, "{stance:?} {learning:?}");
        }
    }

    proptest! {
        #[test]
        fn it_learns_exactly_when_twenty_over_ten_minutes_came_with_none_bare(packets in prop::collection::vec((any::<bool>(), 0_u64..2 * MINUTE), 0..200)) {
            let (mut learning, mut now, mut since_bare, mut expected) = (Learning::Fresh, 0, Vec::new(), false);
            for (bare, later) in packets {
                now += later;
                learning = if bare { learning.after_bare() } else { learning.after_verified(Tick(now)) };
                if bare { since_bare.clear() } else { since_bare.push(now) }
                expected |= since_bare.len() >= 20 && now - since_bare[0] >= 10 * MINUTE;
                prop_assert_eq!(learning.is_learned(), expected);
            }
        }
    }
}
