//! Where the demo lives: a directory of its own, readable by its owner only, gone when the demo ends.
//!
//! It holds what a real site has (policy, secrets, store key, store) and the small files that the printed command lines
//! name, so that no secret stands on a command line (rules F1).

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;

/// The directory; dropping it removes it.
pub(super) struct Home(PathBuf);

impl Home {
    /// Makes it, with a random name.
    pub(super) fn make() -> io::Result<Self> {
        let name = format!("vestibule-demo-{}", HEXLOWER.encode(&rand::random::<[u8; 6]>()));
        let path = std::env::temp_dir().join(name);
        // Not recursive: a directory that somebody else put there first is an error.
        DirBuilder::new().mode(0o700).create(&path)?;
        let home = Self(path);
        DirBuilder::new().mode(0o700).create(home.at("secrets"))?;
        Ok(home)
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file for its owner only; readers see the old text or the new one, never half of it.
    pub(super) fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let (path, fresh) = (self.at(name), self.at(&format!("{name}.new")));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        std::fs::rename(&fresh, &path)?;
        Ok(path)
    }
}

impl AsRef<Path> for Home {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // What can't be removed lies in the system's temporary directory, for its owner only.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn the_home_is_its_owners_only_and_leaves_nothing_behind() {
        let home = Home::make().unwrap();
        let file = home.write("secrets/client.vpn", "secret\n").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(home.as_ref()), mode(&file)), (0o700, 0o600));
        let path = home.as_ref().to_owned();
        drop(home);
        assert!(!path.exists());
    }
}
