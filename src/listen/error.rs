//! Why a socket does not stand, and what the reader does about it.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use nix::errno::Errno;

/// A socket that could not be opened; its message names the address and the next step.
#[derive(Debug)]
pub enum BindError {
    /// Another socket has this address and port.
    InUse {
        /// What was asked for.
        address: SocketAddr,
        /// The process that has it, where we may see that: `freeradius (pid 812)`.
        holder: Option<String>,
    },
    /// The port is below 1024, and this user may not take it.
    Forbidden {
        /// What was asked for.
        address: SocketAddr,
    },
    /// This machine does not have the address.
    NoSuchAddress {
        /// What was asked for.
        address: SocketAddr,
    },
    /// The kernel has no IPv6, or lacks something else that the socket needs.
    Unsupported {
        /// What was asked for.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// Anything else the kernel said.
    Other {
        /// What was asked for.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
}

impl BindError {
    /// This host does not have such an address at all: IPv6 is switched off, say.
    #[must_use]
    pub fn is_of_the_host(&self) -> bool {
        match self {
            Self::NoSuchAddress { .. } | Self::Unsupported { .. } => true,
            Self::InUse { .. } | Self::Forbidden { .. } | Self::Other { .. } => false,
        }
    }

    /// Sorts what the kernel said; `holder` is asked only when the port is taken.
    pub(super) fn of(address: SocketAddr, source: io::Error, holder: impl FnOnce() -> Option<String>) -> Self {
        match source.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EADDRINUSE) => Self::InUse { address, holder: holder() },
            Some(Errno::EACCES | Errno::EPERM) => Self::Forbidden { address },
            Some(Errno::EADDRNOTAVAIL) => Self::NoSuchAddress { address },
            Some(Errno::EAFNOSUPPORT | Errno::EPROTONOSUPPORT | Errno::ENOPROTOOPT) => {
                Self::Unsupported { address, source }
            }
            Some(_) | None => Self::Other { address, source },
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { address, holder } => {
                let holder = holder.as_deref().unwrap_or("another process (`ss -ulpn` run as root names it)");
                write!(
                    f,
                    "cannot listen on {address}: UDP port {} is in use by {holder}; stop that, or write another `listen` under [radius]",
                    address.port()
                )
            }
            Self::Forbidden { address } => write!(
                f,
                "cannot listen on {address}: this user may not take UDP port {}; ports below 1024 need CAP_NET_BIND_SERVICE \
                 (AmbientCapabilities= in the systemd unit), RADIUS's own port 1812 needs nothing",
                address.port()
            ),
            Self::NoSuchAddress { address } => write!(
                f,
                "cannot listen on {address}: this machine has no address {}; `ip address` lists those that it has, 0.0.0.0 and [::] stand for all",
                address.ip()
            ),
            Self::Unsupported { address, source } => write!(
                f,
                "cannot listen on {address}: the kernel does not support it ({source}); if IPv6 is switched off here, remove this address from `listen` under [radius]"
            ),
            Self::Other { address, source } => write!(f, "cannot listen on {address}: {source}"),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::InUse { .. } | Self::Forbidden { .. } | Self::NoSuchAddress { .. } => None,
            Self::Unsupported { source, .. } | Self::Other { source, .. } => Some(source),
        }
    }
}
