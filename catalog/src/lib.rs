//! Who exists in Tessera, what they own, and where it is stored.
