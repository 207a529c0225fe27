//! The policy file: TOML in, a whole [`Config`] out, or every mistake in it at once.
//!
//! Defaults, the main file with what it includes, and the environment are merged by figment, which remembers where
//! each value is from; then the merged values are read key by key into types that need no second look (parse, don't
//! validate). A file is taken whole or refused whole (rules G2). Each mistake has file, line and column, what was
//! found, what is allowed and the nearest right spelling. This room opens config and secret files and nothing else; it
//! reads no clock, and no secret ever stands in a message.

mod finding;
mod settings;
mod types;

pub use finding::{Finding, FlatFinding, Mistakes, Place, Severity, Source, render};
pub use settings::{Change, Origin, Setting, Settings};
pub use types::{
    ClientConfig, Config, Host, PrimaryConfig, PushConfig, ServerAddress, Stance, StoreConfig, WebhookConfig,
};

use std::path::Path;

/// A configuration that is in order, and what its author should know nevertheless.
#[derive(Debug)]
pub struct Loaded {
    /// The whole of it.
    pub config: Config,
    /// Doubtful, but taken.
    pub warnings: Vec<Finding>,
}

impl Config {
    /// Reads a file, what it includes, its secrets and the environment.
    ///
    /// # Errors
    /// Every mistake in it, in the order of the files.
    pub fn load(path: &Path) -> Result<Loaded, Mistakes> {
        unimplemented!("{}", path.display())
    }
}
