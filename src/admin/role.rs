//! Who may do what: roles by the groups of `[admin] roles`, and who may act on whom (rules F4).
//!
//! Pure. A role is looked up for each request, so that who leaves a group loses it at once. It never makes anybody staff by
//! itself: no group, no role.

use login::{GroupName, ResolvedUser};

use crate::config::Roles;

/// What a member of the staff is; a later one may do all that an earlier one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// Looks, and does nothing.
    Auditor,
    /// Helps users and colleagues, but not admins.
    HelpDesk,
    /// Helps everybody.
    Admin,
}

impl Role {
    /// Somebody in several has the highest; nobody without a group has any.
    pub(super) fn of(groups: &[GroupName], roles: &Roles) -> Option<Self> {
        let is_in = |listed: &[GroupName]| listed.iter().any(|group| groups.contains(group));
        [(Self::Admin, &roles.admin), (Self::HelpDesk, &roles.help_desk), (Self::Auditor, &roles.auditor)]
            .into_iter()
            .find_map(|(role, listed)| is_in(listed).then_some(role))
    }

    /// The word in the audit.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Auditor => "auditor",
            Self::HelpDesk => "help_desk",
            Self::Admin => "admin",
        }
    }
}

/// Who somebody is on these pages: a name and, for staff, a role.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person<'a> {
    pub(super) name: &'a ResolvedUser,
    pub(super) role: Option<Role>,
}

/// Why an act is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forbidden {
    /// Whoever acts has no role that acts.
    LooksOnly,
    /// Nobody acts on themselves: a stolen session must not free its own account.
    Oneself,
    /// The other has the higher role.
    AboveYou,
    /// Staff always need a factor: no bypass for them.
    NoBypassForStaff,
}

/// Rules F4: staff "never act on themselves or (help desk) on admins". Since an admin never acts on themselves and nobody
/// below acts on admins, the one who acts on an admin is an admin that stays.
pub(super) fn may_act(actor: Person<'_>, on: Person<'_>) -> Result<Role, Forbidden> {
    let role = actor.role.filter(|role| *role >= Role::HelpDesk).ok_or(Forbidden::LooksOnly)?;
    if actor.name == on.name {
        return Err(Forbidden::Oneself);
    }
    if on.role > Some(role) {
        return Err(Forbidden::AboveYou);
    }
    Ok(role)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles() -> Roles {
        let group = |name| vec![GroupName::folded(name)];
        Roles { admin: group("VPN Admins"), help_desk: group("Service Desk"), auditor: group("Audit") }
    }

    fn act(actor: (&str, Option<Role>), on: (&str, Option<Role>)) -> Result<Role, Forbidden> {
        let (actor_name, on_name) = (ResolvedUser::new(actor.0), ResolvedUser::new(on.0));
        may_act(Person { name: &actor_name, role: actor.1 }, Person { name: &on_name, role: on.1 })
    }

    #[test]
    fn somebody_in_several_groups_has_the_highest_role_and_nobody_without_one_has_any() {
        let of = |groups: &[&str]| {
            Role::of(&groups.iter().map(|name| GroupName::folded(name)).collect::<Vec<_>>(), &roles())
        };
        assert_eq!(of(&["Audit", "vpn admins", "Service Desk"]), Some(Role::Admin));
        assert_eq!(of(&["Audit", "Service Desk"]), Some(Role::HelpDesk));
        assert_eq!(of(&["AUDIT"]), Some(Role::Auditor));
        assert_eq!(of(&["Staff"]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn each_role_acts_on_its_like_and_below_and_an_auditor_on_nobody() {
        use Role::{Admin, Auditor, HelpDesk};
        let everybody = [None, Some(Auditor), Some(HelpDesk), Some(Admin)];
        for on in everybody {
            assert_eq!(act(("a", Some(Admin)), ("b", on)), Ok(Admin));
            assert_eq!(act(("a", Some(Auditor)), ("b", on)), Err(Forbidden::LooksOnly));
            assert_eq!(act(("a", None), ("b", on)), Err(Forbidden::LooksOnly));
        }
        for on in [None, Some(Auditor), Some(HelpDesk)] {
            assert_eq!(act(("h", Some(HelpDesk)), ("b", on)), Ok(HelpDesk));
        }
        assert_eq!(act(("h", Some(HelpDesk)), ("b", Some(Admin))), Err(Forbidden::AboveYou));
    }

    #[test]
    fn nobody_acts_on_themselves() {
        for role in [Role::HelpDesk, Role::Admin] {
            assert_eq!(act(("a", Some(role)), ("a", Some(role))), Err(Forbidden::Oneself));
        }
    }
}
