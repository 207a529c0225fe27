//! Who has the port already: a look into /proc for the one message that an admin reads when a start fails.
//!
//! Best effort: without the right to see another user's process there is no name, and the message says how to get it.

use std::fs;

/// The process that has a UDP socket on `port`, as `name (pid N)`.
pub(super) fn holder_of(port: u16) -> Option<String> {
    let inode = ["/proc/net/udp", "/proc/net/udp6"]
        .iter()
        .find_map(|table| inode_of(&fs::read_to_string(table).ok()?, port))?;
    let wanted = format!("socket:[{inode}]");
    let pids =
        fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let pid = pids.into_iter().find(|pid| has_open(*pid, &wanted))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(format!("{} (pid {pid})", name.trim()))
}

/// The inode of the socket on `port` in a table of proc(5): `sl local_address rem_address st … inode …`, the port in
/// hex.
fn inode_of(table: &str, port: u16) -> Option<u64> {
    let ends = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_whitespace();
        columns.nth(1)?.ends_with(&ends).then(|| columns.nth(7)?.parse().ok()).flatten()
    })
}

fn has_open(pid: u32, wanted: &str) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    open.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inode_is_read_from_the_table_of_proc() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
                     67: 0100007F:0714 00000000:0000 07 00000000:00000000 00:00000000 00000000   101        0 31337 2 0 0\n";
        assert_eq!(inode_of(table, 1812), Some(31337));
        assert_eq!(inode_of(table, 1813), None);
    }
}
