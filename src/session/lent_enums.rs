//! A tenant's tables with the newest words of enums that the operator made.
//!
//! A tenant's catalog keeps the words of the moment at which a column got its type. What the operator
//! has done to the enum since is put in here, once for each state of the two databases.

use std::sync::Arc;

use tessera_catalog::model::Database;

/// The last database that words were put into.
#[derive(Debug, Default)]
pub(super) struct LentEnums(Option<Renewed>);

#[derive(Debug)]
struct Renewed {
    own: Arc<Database>,
    system: Arc<Database>,
    renewed: Arc<Database>,
}

impl LentEnums {
    /// The database with the words that the system's has now.
    pub(super) fn in_database(
        &mut self,
        own: Arc<Database>,
        system: &Arc<Database>,
    ) -> Arc<Database> {
        if let Some(last) = &self.0
            && Arc::ptr_eq(&last.own, &own)
            && Arc::ptr_eq(&last.system, system)
        {
            return Arc::clone(&last.renewed);
        }
        let Some(renewed) = own.with_lent_enums(system) else {
            return own;
        };
        let renewed = Arc::new(renewed);
        self.0 = Some(Renewed {
            own,
            system: Arc::clone(system),
            renewed: Arc::clone(&renewed),
        });
        renewed
    }
}
