//! How many connections the doors may take together: all that this process may open, less what RADIUS, the store and pushes
//! need, and no more than fit into a quarter of its memory (rules G1, A5).
//!
//! Without that bound idle connections to the portal would take the last descriptor, and then no notifier, push service or
//! name server could be reached. Phones that wait have as many as all other peers of the portal together, so that neither takes
//! from the other.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::web::DoorLimits;

/// What stays for everything but pages: sockets of RADIUS and of primaries, the store's and the audit's files, 256 pushes under
/// way, mail, look-ups of names.
const RESERVE: u64 = 512;

/// Portal, staff's pages, metrics.
const DOORS: usize = 3;

/// What this process may open, and the memory that it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptors {
    /// The limit in force.
    pub(crate) most: u64,
    /// Of memory.
    pub(crate) memory: Memory,
}

/// The bounds of the doors, which add up to no more than there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shares {
    /// Connections to the portal and the phones' service.
    pub(crate) pages: usize,
    /// Of phones that wait there, besides.
    pub(crate) phones: usize,
    /// Connections to the staff's pages, and as many to metrics and health.
    pub(crate) inside: usize,
    /// Of staff who look at the board, besides.
    pub(crate) boards: usize,
    /// What stays for everything else.
    pub(crate) reserve: u64,
}

/// What one connection takes at most: its headers and its body with the room to read them, TLS, and its task.
const CONNECTION_OCTETS: u64 = 64 << 10;

/// The memory that this process may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// In octets: what the machine has, or the control group lets it have.
    pub(crate) most: u64,
}

impl Memory {
    /// Where nothing is said.
    const LITTLE: u64 = 512 << 20;

    /// As the system says now.
    #[must_use]
    pub(crate) fn now() -> Self {
        // A container's control group sees itself as the root; a unit's is named (version 2). In version 1 no limit is a huge one.
        let group = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let group = group.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/").to_owned();
        let group = std::fs::read_to_string(format!("/sys/fs/cgroup{}/memory.max", group.trim_end_matches('/')));
        let group = group.or_else(|_| std::fs::read_to_string("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
        let machine = std::fs::read_to_string("/proc/meminfo");
        Self { most: Self::least([group.ok().as_deref(), machine.ok().as_deref()]) }
    }

    /// The least of a group's limit and of a machine's memory.
    fn least([group, machine]: [Option<&str>; 2]) -> u64 {
        let group = group.and_then(|text| text.trim().parse().ok());
        let total = machine.and_then(|text| text.lines().find_map(|line| line.strip_prefix("MemTotal:")));
        let total = total.and_then(|text| text.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
        group.into_iter().chain(total.map(|kib| kib << 10)).min().unwrap_or(Self::LITTLE)
    }

    /// As many connections as fit into a quarter of it: the rest is for held logins, hashing, and the store.
    fn connections(self) -> usize {
        usize::try_from(self.most / 4 / CONNECTION_OCTETS).unwrap_or(usize::MAX).max(2)
    }
}

impl Descriptors {
    /// As the system says now. Where it does not say, little is assumed.
    #[must_use]
    pub(crate) fn now() -> Self {
        const LITTLE: u64 = 1024;
        let most = getrlimit(Resource::RLIMIT_NOFILE).map_or(LITTLE, |(soft, _)| soft);
        Self { most, memory: Memory::now() }
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
        let now = Self::now();
        getrlimit(Resource::RLIMIT_NOFILE).map_or(now, |(_, hard)| Self { most: hard, ..now })
    }

    /// The doors' bounds.
    #[must_use]
    pub(crate) fn shares(self) -> Shares {
        let reserve = RESERVE.min(self.most / 4 * 3);
        let doors = usize::try_from(self.most - reserve).unwrap_or(usize::MAX);
        let inside = DoorLimits::INSIDE.connections_max.min(doors / 8).max(1);
        let boards = DoorLimits::INSIDE.held_max.min(inside);
        // One newcomer of each door waits beside those that are in.
        let portal = doors.saturating_sub(2 * inside + boards + DOORS).min(self.memory.connections());
        let pages = DoorLimits::OUTSIDE.connections_max.min(portal.div_ceil(2)).max(1);
        let phones = DoorLimits::OUTSIDE.held_max.min(portal / 2);
        Shares { pages, phones, inside, boards, reserve }
    }

    /// What an administrator should know, where the portal gets less than it could use.
    #[must_use]
    pub(crate) fn shortage(self) -> Option<String> {
        let Shares { pages, phones, reserve, .. } = self.shares();
        let (portal, could) = (pages + phones, DoorLimits::OUTSIDE.connections_max + DoorLimits::OUTSIDE.held_max);
        if portal >= could {
            return None;
        }
        if self.memory.connections() <= portal + 1 {
            let Memory { most } = self.memory;
            return Some(format!(
                "this process may take {} MiB of memory, so the portal takes {portal} connections at once; give it more (MemoryMax= in the \
                 systemd unit, the container's limit)",
                most >> 20
            ));
        }
        Some(format!(
            "this process may open {} files and sockets, so the portal takes {portal} connections at once and {reserve} stay for RADIUS, \
             the store and pushes; raise the hard limit (LimitNOFILE= in the systemd unit, `ulimit -Hn` in a shell)",
            self.most
        ))
    }
}

impl Shares {
    /// The portal's limits.
    #[must_use]
    pub(crate) fn outside(self) -> DoorLimits {
        // One address never has them all.
        let per_address = DoorLimits::OUTSIDE.connections_per_address_max.min((self.pages / 2).max(1));
        DoorLimits {
            connections_max: self.pages,
            connections_per_address_max: per_address,
            held_max: self.phones,
            ..DoorLimits::OUTSIDE
        }
    }

    /// The limits of metrics and health, and of the staff's pages.
    #[must_use]
    pub(crate) fn inside(self) -> DoorLimits {
        let per_address = DoorLimits::INSIDE.connections_per_address_max.min((self.inside / 2).max(1));
        DoorLimits {
            connections_max: self.inside,
            connections_per_address_max: per_address,
            held_max: self.boards,
            ..DoorLimits::INSIDE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLENTY: Memory = Memory { most: 16 << 30 };

    #[test]
    fn the_doors_and_the_reserve_never_add_up_to_more_than_there_is() {
        for most in [32, 64, 256, 1000, 1024, 4096, 9000, 20_000, 524_288] {
            let Shares { pages, phones, inside, boards, reserve } = Descriptors { most, memory: PLENTY }.shares();
            let all = u64::try_from(pages + phones + 2 * inside + boards + DOORS).unwrap() + reserve;
            assert!(all <= most, "{most}: {pages} + {phones} + 2 × {inside} + {boards} + {reserve}");
            assert!(pages > 0 && inside > 0 && reserve >= most / 2 || most > 1024, "{most}");
            assert!(phones + 1 >= pages, "{most}: phones have as much as strangers");
        }
    }

    #[test]
    fn the_doors_take_no_more_than_a_quarter_of_the_memory() {
        for mib in [64_u64, 256, 512, 1024, 16_384] {
            let memory = Memory { most: mib << 20 };
            let Shares { pages, phones, .. } = Descriptors { most: 524_288, memory }.shares();
            assert!(u64::try_from(pages + phones).unwrap() * CONNECTION_OCTETS <= memory.most / 4, "{mib} MiB");
        }
        let said = Descriptors { most: 524_288, memory: Memory { most: 512 << 20 } }.shortage().unwrap();
        assert!(said.contains("512 MiB of memory") && said.contains("MemoryMax"), "{said}");
    }

    #[test]
    fn where_there_is_enough_the_portal_has_all_that_it_can_use_and_nothing_is_said() {
        let enough = Descriptors { most: 524_288, memory: PLENTY };
        assert_eq!(enough.shares().outside(), DoorLimits::OUTSIDE);
        assert_eq!(enough.shares().inside(), DoorLimits::INSIDE);
        assert_eq!(enough.shortage(), None);
        let said = Descriptors { most: 1024, memory: PLENTY }.shortage().unwrap();
        assert!(said.contains("1024 files") && said.contains("349 connections") && said.contains("512 stay"), "{said}");
    }

    #[test]
    fn a_groups_limit_counts_and_max_is_none() {
        assert_eq!(Memory::least([Some("max\n"), Some("MemTotal:       2048 kB\nMemFree: 1 kB\n")]), 2048 << 10);
        assert_eq!(Memory::least([Some("1048576\n"), Some("MemTotal:       2048 kB\n")]), 1 << 20);
        assert_eq!(Memory::least([None, None]), Memory::LITTLE);
    }
}
