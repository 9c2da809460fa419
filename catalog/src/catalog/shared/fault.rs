//! Where a test stops the server, as a crash would.

use super::Shared;
use crate::catalog::group::FaultPoint;
#[cfg(test)]
use crate::error::Error;
use crate::error::Result;

/// What a test wants to go wrong.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::catalog) enum Fault {
    At(FaultPoint),
    /// Nothing is written any more.
    Halted,
}

impl Shared {
    /// Whether a test stopped the server, as a crash would.
    #[cfg(test)]
    pub(in crate::catalog) fn is_halted(&self) -> bool {
        matches!(*self.fault.lock(), Some(Fault::Halted))
    }

    #[cfg(not(test))]
    pub(in crate::catalog) fn is_halted(&self) -> bool {
        false
    }

    /// Stops here when a test asked for it.
    #[cfg(test)]
    pub(in crate::catalog) fn fault_point(&self, point: FaultPoint) -> Result<()> {
        let mut fault = self.fault.lock();
        if *fault == Some(Fault::At(point)) {
            *fault = Some(Fault::Halted);
            return Err(Error::Unusable("halted by a test".to_owned()));
        }
        Ok(())
    }

    #[cfg(not(test))]
    pub(in crate::catalog) fn fault_point(&self, _point: FaultPoint) -> Result<()> {
        Ok(())
    }
}
