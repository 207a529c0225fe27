//! Which app from the stores it is, by its User-Agent, and what that one can do. The one place where that is read: what the store
//! takes for a fact of a user, what a push goes to and what a poll is shown must never differ.
//!
//! The header is the phone's own word, so it only ever takes away what an app could not show: a prompt that would never be seen.

/// The version of a privacyIDEA Authenticator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppVersion(pub u16, pub u16, pub u16);

impl AppVersion {
    /// Reads a User-Agent: `privacyIDEA-App/4.8.0 android/14` with a POST, `privacyIDEA-App / android 4.8.0` with a GET. `None`
    /// for any other program, which is then shown the plainest prompt.
    #[must_use]
    pub fn of_user_agent(header: &str) -> Option<Self> {
        let rest = header.strip_prefix("privacyIDEA-App")?;
        // Each form has it in its own place: the system's version, which a POST adds, is none of the app's.
        let version = match rest.strip_prefix('/') {
            Some(post) => post.split(' ').next(),
            None => rest.strip_prefix(" / ")?.split(' ').nth(1),
        };
        version.and_then(Self::parse)
    }

    /// Reads `4.8.0`, also as `4.8`, and what builds append after it (`4.8.0+401`).
    fn parse(text: &str) -> Option<Self> {
        let text = text.split(['+', '-']).next()?;
        let mut parts = text.split('.').map(|part| part.parse::<u16>().ok());
        let version = Self(parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
        parts.next().is_none().then_some(version)
    }

    /// It offers numbers to choose from. An older one computes another signed text and never shows the prompt.
    #[must_use]
    pub fn shows_presence(self) -> bool {
        self >= Self(4, 4, 0)
    }

    /// It shows a code after an accept. An older one takes it for a success and shows nothing.
    #[must_use]
    pub fn shows_code(self) -> bool {
        self >= Self(4, 7, 0)
    }

    /// It says why it declines.
    #[must_use]
    pub fn says_why(self) -> bool {
        self >= Self(4, 8, 0)
    }
}

impl std::fmt::Display for AppVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_both_forms_of_the_header() {
        let of = AppVersion::of_user_agent;
        assert_eq!(of("privacyIDEA-App/4.8.0 android/14.0.1"), Some(AppVersion(4, 8, 0)));
        assert_eq!(of("privacyIDEA-App / android 4.7.2"), Some(AppVersion(4, 7, 2)));
        assert_eq!(of("privacyIDEA-App/4.8.1+408101 ios/18.1"), Some(AppVersion(4, 8, 1)));
        assert_eq!(of("privacyIDEA-App/4.8 android/14"), Some(AppVersion(4, 8, 0)));
        assert_eq!(of("privacyIDEA-App / ios 4.8"), Some(AppVersion(4, 8, 0)));
        for other in [
            "",
            "Mozilla/5.0",
            "Mozilla/5.0 privacyIDEA-App/4.8.0",
            "privacyIDEA-App",
            "privacyIDEA-App/4",
            "privacyIDEA-App/4.8.0.1",
            "privacyIDEA-App/4.8.x android/14.0.1",
            "privacyIDEA-App/x.y.z android/14.0.1",
            "privacyIDEA-App/ android/14.0.1",
            "privacyIDEA-App / 4.8.0",
            "privacyIDEA-Apple/4.8.0",
            "privacyIDEA-App/4.99999.0",
            "4.8.0",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn each_version_gets_what_it_can_show() {
        let can = |version: AppVersion| (version.shows_presence(), version.shows_code(), version.says_why());
        assert_eq!(can(AppVersion(4, 3, 9)), (false, false, false));
        assert_eq!(can(AppVersion(4, 4, 0)), (true, false, false));
        assert_eq!(can(AppVersion(4, 7, 0)), (true, true, false));
        assert_eq!(can(AppVersion(4, 10, 0)), (true, true, true));
    }
}
