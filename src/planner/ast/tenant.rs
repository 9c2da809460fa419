//! Tenants and their plans.

/// CREATE, ALTER and DROP TENANT, and the same of DATABASE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tenant {
    Create {
        name: String,
        options: Vec<(String, String)>,
        encrypted: bool,
        database: bool,
    },
    Set {
        name: String,
        options: Vec<(String, Option<String>)>,
        database: bool,
    },
    Rename {
        name: String,
        to: String,
        database: bool,
    },
    /// `None` for a quota is its RESET.
    SetQuota {
        name: String,
        quotas: Vec<(String, Option<String>)>,
    },
    /// RESET QUOTA of all.
    ResetQuota {
        name: String,
    },
    /// `None` for RESET PLAN.
    SetPlan {
        name: String,
        plan: Option<String>,
    },
    Suspend {
        name: String,
        suspended: bool,
    },
    SetEncryption {
        name: String,
        on: bool,
    },
    /// ROTATE KEY.
    RotateKey {
        name: String,
    },
    /// ALTER SYSTEM ROTATE MASTER KEY.
    RotateMasterKey,
    Drop {
        names: Vec<String>,
        if_exists: bool,
        cascade: bool,
        force: bool,
        database: bool,
    },
}

/// CREATE, ALTER and DROP PLAN.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    Create {
        name: String,
        options: Vec<(String, String)>,
    },
    /// `None` for an option is its RESET.
    Alter {
        name: String,
        options: Vec<(String, Option<String>)>,
    },
    Rename {
        name: String,
        to: String,
    },
    Drop {
        name: String,
        if_exists: bool,
    },
}
