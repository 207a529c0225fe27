//! Whether the disk under the store has room: an alarm before it is full, and not when (rules F2).

use std::path::Path;

/// Where less than a tenth is free there is little; on a great disk, less than this.
const PLENTY: u64 = 10 << 30;

/// A disk, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RoomLeft {
    pub(super) free: u64,
    pub(super) all: u64,
}

impl RoomLeft {
    /// Of the disk that this file lies on; `None`: the system does not say.
    pub(super) fn beside(file: &Path) -> Option<Self> {
        let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let told = nix::sys::statvfs::statvfs(directory).ok()?;
        let octets = |blocks: u64| blocks.saturating_mul(told.fragment_size());
        Some(Self { free: octets(told.blocks_available()), all: octets(told.blocks()) })
    }

    /// Whether somebody should make room.
    pub(super) fn is_little(self) -> bool {
        self.free < (self.all / 10).min(PLENTY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_is_little_and_on_a_great_disk_ten_gibibytes_are() {
        const GIB: u64 = 1 << 30;
        for (free, all, little) in [
            (GIB, 20 * GIB, true),
            (3 * GIB, 20 * GIB, false),
            (9 * GIB, 4000 * GIB, true),
            (11 * GIB, 4000 * GIB, false),
        ] {
            assert_eq!(RoomLeft { free, all }.is_little(), little, "{free} of {all}");
        }
    }

    #[test]
    fn the_system_says_how_much_there_is() {
        let here = RoomLeft::beside(Path::new("store.db")).unwrap();
        assert!(here.all > 0 && here.free <= here.all, "{here:?}");
    }
}
