//! Access control lists flattened into one line a privilege, as the views of privileges show them.

use crate::id::Oid;
use crate::model::{Acl, AclItem, Privilege, Privileges};
use crate::system::scene::Scene;

/// One privilege that one role was given by another.
pub(super) struct Grant {
    pub(super) item: AclItem,
    pub(super) privilege: Privilege,
}

/// What of a list the role may know: what it gave or was given and, if `public`, what everyone has.
/// An object without a list has its owner's default.
pub(super) fn grants(
    scene: &Scene,
    acl: Option<&Acl>,
    owner: Oid,
    all: Privileges,
    public: bool,
) -> Vec<Grant> {
    let default;
    let acl = match acl {
        Some(acl) => acl,
        None => {
            default = Acl::of_owner(owner, all);
            &default
        }
    };
    let me = scene.me();
    let mut found = Vec::new();
    for item in &acl.0 {
        let to_all = item.grantee == Oid::PUBLIC;
        let known = me.is(item.grantor) || (!to_all && me.is(item.grantee));
        if (to_all && !public) || !(known || to_all) {
            continue;
        }
        let grantable = if item.grantee == owner {
            all
        } else {
            item.grantable
        };
        let privileges = item.privileges.intersection(all);
        let item = AclItem { grantable, ..*item };
        found.extend(privileges.iter().map(|privilege| Grant { item, privilege }));
    }
    found
}

/// The name in a column `grantee`.
pub(super) fn grantee(scene: &Scene, role: Oid) -> String {
    match role {
        Oid::PUBLIC => "PUBLIC".to_owned(),
        role => scene.role_label(scene.shown(role)).into_owned(),
    }
}
