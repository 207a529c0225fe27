//! Who else may change what decides who gets in: the policy's files, the secrets' directory, the store and where it lies.
//!
//! Secrets that others may read are refused ([`super::files`]). What others may *write* is named: it may be so for a while, as in a
//! test, but whoever writes there writes the law. Nothing is changed here.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Config, Origin};

/// Write permission of the group and of all others.
const OTHERS_WRITE: u32 = 0o022;

/// What others may change, each with what mends it. `main`: the policy's main file.
#[must_use]
pub fn changeable_by_others(config: &Config, main: &Path) -> Vec<String> {
    let store = &config.store.file;
    let trusted = trusted(nix::unistd::geteuid().as_raw(), parent(store));
    let mut looked_at: Vec<(String, PathBuf)> = vec![("the policy file".to_owned(), main.to_owned())];
    looked_at.push(("the policy's directory".to_owned(), parent(main).to_owned()));
    looked_at.extend(included(config, main).into_iter().map(|file| ("the policy file".to_owned(), file)));
    looked_at.push(("the directory of the secrets".to_owned(), parent(main).join("secrets")));
    looked_at.push(("the store".to_owned(), store.clone()));
    if parent(store) != parent(main) {
        looked_at.push(("the store's directory".to_owned(), parent(store).to_owned()));
    }
    let of_path = |(what, path): (String, PathBuf)| {
        // What is not there yet nobody has opened to others.
        let metadata = std::fs::metadata(&path).ok()?;
        let (why, mend) = others(&metadata, &trusted, &path)?;
        Some(format!("{what} {}: {why}, and with it who gets in; {mend}", path.display()))
    };
    looked_at.into_iter().filter_map(of_path).collect()
}

/// Root, who runs this, and, where root looks, whoever the store's directory belongs to: the server's own user.
fn trusted(own: u32, store_directory: &Path) -> BTreeSet<u32> {
    let server = std::fs::metadata(store_directory).ok().filter(|_| own == 0).map(|directory| directory.uid());
    [Some(0), Some(own), server].into_iter().flatten().collect()
}

fn others(metadata: &Metadata, trusted: &BTreeSet<u32>, path: &Path) -> Option<(String, String)> {
    let (mode, uid, shown) = (metadata.mode() & 0o7777, metadata.uid(), path.display());
    if mode & OTHERS_WRITE != 0 {
        return Some((format!("others may change it (its mode is {mode:04o})"), format!("chmod go-w {shown}")));
    }
    if !trusted.contains(&uid) {
        let why = format!("it belongs to another user (uid {uid}), who may change it");
        return Some((why, format!("chown root {shown}, or the user that runs vestibule")));
    }
    None
}

/// The files of `include`, as far as a key of theirs is in force.
fn included(config: &Config, main: &Path) -> BTreeSet<PathBuf> {
    let files = config.settings.iter().filter_map(|(_, setting)| match &setting.origin {
        Origin::File { file, .. } => Some(PathBuf::from(&**file)),
        Origin::Environment(_) | Origin::Default => None,
    });
    files
        .map(|file| if file.is_absolute() { file } else { resolved(&file, main) })
        .filter(|file| file != main)
        .collect()
}

/// Findings name an included file below the main one's directory by the rest of its way.
fn resolved(file: &Path, main: &Path) -> PathBuf {
    if file.exists() || main.file_name() == file.file_name() { file.to_owned() } else { parent(main).join(file) }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    /// A site with an included file, secrets and a store, all closed to others.
    fn site() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for (name, of) in [("conf.d", 0o755), ("secrets", 0o700), ("data", 0o700)] {
            fs::create_dir(at(name)).unwrap();
            mode(&at(name), of);
        }
        let rule = "[[rule]]\nname = \"all\"\nsecond_factor = [\"totp\"]\n";
        let store = format!("[store]\nurl = \"sqlite:{}\"\n", at("data/vestibule.db").display());
        let files = [
            ("vestibule.toml", format!("include = [\"conf.d/*.toml\"]\n{store}{rule}"), 0o644),
            ("conf.d/vpn.toml", "[client.vpn]\naddress = \"192.0.2.1\"\n".to_owned(), 0o644),
            ("secrets/client.vpn", "a secret that is long enough".to_owned(), 0o600),
            ("data/vestibule.db", String::new(), 0o600),
        ];
        for (name, text, of) in files {
            fs::write(at(name), text).unwrap();
            mode(&at(name), of);
        }
        let main = at("vestibule.toml");
        (directory, main)
    }

    fn told(main: &Path) -> Vec<String> {
        let loaded = Config::load(main).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
        changeable_by_others(&loaded.config, main)
    }

    #[test]
    fn what_others_may_write_is_named_each_with_its_mend_and_nothing_else_is() {
        let (directory, main) = site();
        assert_eq!(told(&main), Vec::<String>::new());
        for (name, open, closed, what) in [
            ("vestibule.toml", 0o664, 0o644, "the policy file"),
            ("vestibule.toml", 0o646, 0o644, "the policy file"),
            ("conf.d/vpn.toml", 0o666, 0o644, "the policy file"),
            ("secrets", 0o770, 0o700, "the directory of the secrets"),
            ("data", 0o777, 0o700, "the store's directory"),
            ("data/vestibule.db", 0o660, 0o600, "the store"),
            ("", 0o777, 0o700, "the policy's directory"),
        ] {
            let path = directory.path().join(name);
            mode(&path, open);
            let told = told(&main);
            assert_eq!(told.len(), 1, "{name}: {told:?}");
            assert!(told[0].starts_with(what) && told[0].contains(&format!("{open:04o}")), "{told:?}");
            assert!(told[0].contains("chmod go-w"), "{told:?}");
            mode(&path, closed);
        }
    }

    #[test]
    fn another_users_file_is_named_and_the_servers_own_is_not() {
        let (directory, main) = site();
        let metadata = fs::metadata(&main).unwrap();
        let mine: BTreeSet<u32> = [0, metadata.uid()].into();
        assert_eq!(others(&metadata, &mine, &main), None);
        let stranger: BTreeSet<u32> = [metadata.uid() + 1].into();
        assert!(others(&metadata, &stranger, &main).is_some_and(|(why, _)| why.contains("another user")));
        let server = fs::metadata(directory.path()).unwrap().uid();
        assert!(trusted(0, directory.path()).contains(&server), "root looks after the server's files");
    }
}
