//! Functions on numbers.

pub(crate) mod angles;
pub(crate) mod arithmetic;
pub(crate) mod exact;
pub(crate) mod integer;
pub(crate) mod picture;
pub(crate) mod power;
pub(crate) mod round;
pub(crate) mod to_char;
pub(crate) mod to_number;

use super::function::Spec;

/// The functions on numbers.
pub(crate) fn specs() -> Vec<Spec> {
    let mut specs = vec![to_number::TO_NUMBER];
    specs.extend_from_slice(round::SPECS);
    specs.extend_from_slice(power::SPECS);
    specs.extend_from_slice(angles::SPECS);
    specs.extend_from_slice(integer::SPECS);
    specs.extend_from_slice(arithmetic::SPECS);
    specs.extend(exact::specs());
    specs
}
