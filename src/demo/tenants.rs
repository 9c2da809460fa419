//! The demo's tenants, and who works there.

/// A tenant with the two roles that log in to it; each role's password is its name.
pub(super) struct DemoTenant {
    pub(super) name: &'static str,
    /// Member of `tenant_admin`.
    pub(super) admin: &'static str,
    /// Reads what the admin grants.
    pub(super) analyst: &'static str,
}

pub(super) const TENANTS: [DemoTenant; 3] = [
    DemoTenant {
        name: "acme",
        admin: "alice",
        analyst: "adam",
    },
    DemoTenant {
        name: "globex",
        admin: "gina",
        analyst: "gus",
    },
    DemoTenant {
        name: "initech",
        admin: "ivy",
        analyst: "ian",
    },
];
