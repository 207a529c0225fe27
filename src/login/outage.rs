//! What counts as an outage of a service: a closed list (rules A5), because an outage may open a door.
//!
//! Everything that is not on it is none: a failed look-up (without a descriptor the system says "no such name"), our own
//! shortage of descriptors, memory, ports or time, a limit of ours, a 4xx, an answer that can't be read, and whatever the
//! system may say that nobody here has thought of.

use std::fmt;
use std::io;

/// How a service was found to be away. There is no "other".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outage {
    /// Its host says that nobody listens there.
    Refused,
    /// The network says that no way leads there.
    Unreachable,
    /// It broke the connection off before anything was asked.
    Reset,
    /// It took the question, or never answered the connection, and its time is over; ours was not spent by ourselves.
    Silent,
    /// The TLS handshake failed at its end.
    Tls,
    /// It answers 5xx.
    ServerError,
}

impl Outage {
    /// What the system's error says of the peer; `None`: nothing.
    #[must_use]
    #[expect(clippy::wildcard_enum_match_arm, reason = "a closed list: what stands on it, and nothing else (rules A5)")]
    pub fn of(error: &io::Error) -> Option<Self> {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Some(Self::Refused),
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Some(Self::Unreachable),
            io::ErrorKind::ConnectionReset => Some(Self::Reset),
            io::ErrorKind::TimedOut => Some(Self::Silent),
            _ => None,
        }
    }

    /// What happened, for a log: goes on with "the service ".
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "can't be reached: nobody listens there",
            Self::Unreachable => "can't be reached: no way leads there",
            Self::Reset => "broke the connection off",
            Self::Silent => "did not answer in time",
            Self::Tls => "can't be reached: TLS failed",
            Self::ServerError => "answers that it is broken",
        }
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Linux's numbers, by their names in errno(3).
    fn errno(number: i32) -> Option<Outage> {
        Outage::of(&io::Error::from_raw_os_error(number))
    }

    #[test]
    fn the_peers_refusal_its_reset_its_silence_and_a_missing_way_are_outages() {
        let [econnrefused, ehostunreach, enetunreach, econnreset, etimedout] = [111, 113, 101, 104, 110].map(errno);
        assert_eq!(econnrefused, Some(Outage::Refused));
        assert_eq!((ehostunreach, enetunreach), (Some(Outage::Unreachable), Some(Outage::Unreachable)));
        assert_eq!((econnreset, etimedout), (Some(Outage::Reset), Some(Outage::Silent)));
    }

    #[test]
    fn our_own_shortage_is_none_and_neither_is_any_other_error_that_there_is() {
        // EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL.
        for shortage in [24, 23, 105, 12, 99] {
            assert_eq!(errno(shortage), None, "{shortage}");
        }
        let outages = (1..200).filter(|number| errno(*number).is_some()).count();
        assert_eq!(outages, 5, "a closed list");
        // As getaddrinfo tells a failed look-up.
        assert_eq!(Outage::of(&io::Error::other("failed to lookup address information")), None);
    }
}
