//! How many connections the doors may take together: all that this process may open, less what RADIUS, the store and pushes
//! need (rules G1, A5).
//!
//! Without that bound idle connections to the portal would take the last descriptor, and then no notifier, push service or
//! name server could be reached.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::web::DoorLimits;

/// What stays for everything but pages: sockets of RADIUS and of primaries, the store's and the audit's files, 256 pushes under
/// way, mail, look-ups of names.
const RESERVE: u64 = 512;

/// What this process may open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptors {
    /// The limit in force.
    pub(crate) most: u64,
}

/// The bounds of the doors, which add up to no more than there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shares {
    /// Connections to the portal and the phones' service.
    pub(crate) portal: usize,
    /// Connections to the staff's pages, and as many to metrics and health.
    pub(crate) inside: usize,
    /// What stays for everything else.
    pub(crate) reserve: u64,
}

impl Descriptors {
    /// As the system says now. Where it does not say, little is assumed.
    #[must_use]
    pub(crate) fn now() -> Self {
        const LITTLE: u64 = 1024;
        Self { most: getrlimit(Resource::RLIMIT_NOFILE).map_or(LITTLE, |(soft, _)| soft) }
    }

    /// Raises the soft limit to the hard one: it is kept low for programs that use select(2), and none is here.
    pub(crate) fn raise() {
        if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
            && soft < hard
        {
            // What can't be raised stays as it is, and the doors are bounded by that.
            let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
        }
    }

    /// As it will be once [`raised`](Self::raise): for `check`.
    #[must_use]
    pub(crate) fn raised() -> Self {
        getrlimit(Resource::RLIMIT_NOFILE).map_or_else(|_| Self::now(), |(_, hard)| Self { most: hard })
    }

    /// The doors' bounds.
    #[must_use]
    pub(crate) fn shares(self) -> Shares {
        let reserve = RESERVE.min(self.most / 4 * 3);
        let doors = usize::try_from(self.most - reserve).unwrap_or(usize::MAX);
        let inside = DoorLimits::INSIDE.connections_max.min(doors / 8).max(1);
        let portal = DoorLimits::OUTSIDE.connections_max.min(doors.saturating_sub(2 * inside)).max(1);
        Shares { portal, inside, reserve }
    }

    /// What an administrator should know, where the portal gets less than it could use.
    #[must_use]
    pub(crate) fn shortage(self) -> Option<String> {
        let Shares { portal, reserve, .. } = self.shares();
        (portal < DoorLimits::OUTSIDE.connections_max).then(|| {
            format!(
                "this process may open {} files and sockets, so the portal takes {portal} connections at once and {reserve} stay for RADIUS, \
                 the store and pushes; raise the hard limit (LimitNOFILE= in the systemd unit, `ulimit -Hn` in a shell)",
                self.most
            )
        })
    }
}

impl Shares {
    /// The portal's limits.
    #[must_use]
    pub(crate) fn outside(self) -> DoorLimits {
        // One address never has them all.
        let per_address = DoorLimits::OUTSIDE.connections_per_address_max.min((self.portal / 2).max(1));
        DoorLimits { connections_max: self.portal, connections_per_address_max: per_address, ..DoorLimits::OUTSIDE }
    }

    /// The limits of metrics and health, and of the staff's pages.
    #[must_use]
    pub(crate) fn inside(self) -> DoorLimits {
        DoorLimits { connections_max: self.inside, connections_per_address_max: self.inside, ..DoorLimits::INSIDE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_doors_and_the_reserve_never_add_up_to_more_than_there_is() {
        for most in [16, 64, 256, 1000, 1024, 4096, 9000, 20_000, 524_288] {
            let Shares { portal, inside, reserve } = Descriptors { most }.shares();
            let all = u64::try_from(portal + 2 * inside).unwrap() + reserve;
            assert!(all <= most, "{most}: {portal} + 2 × {inside} + {reserve}");
            assert!(portal > 0 && inside > 0 && reserve >= most / 2 || most > 1024, "{most}");
        }
    }

    #[test]
    fn where_there_is_enough_the_portal_has_all_that_it_can_use_and_nothing_is_said() {
        assert_eq!(Descriptors { most: 524_288 }.shares().outside(), DoorLimits::OUTSIDE);
        assert_eq!(Descriptors { most: 524_288 }.shortage(), None);
        let said = Descriptors { most: 1024 }.shortage().unwrap();
        assert!(said.contains("1024 files") && said.contains("384 connections") && said.contains("512 stay"), "{said}");
    }
}
