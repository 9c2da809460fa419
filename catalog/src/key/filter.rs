//! Which keys a file may hold: a split-block Bloom filter.
//!
//! The filter of Putze, Sanders and Singler ("Cache-, Hash- and Space-Efficient Bloom Filters", 2007)
//! in the form that Parquet uses: a key sets one bit in each of the eight words of one block. With 16
//! bits a key about one key in a thousand that a file does not hold seems to be there.

/// Bits that a key takes.
const BITS_PER_KEY: usize = 16;
/// Bits of a block.
const BLOCK_BITS: usize = 256;
/// Parquet's odd multipliers, one for each word of a block.
const SALT: [u32; 8] = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

/// The keys of one file, approximately.
#[derive(Debug)]
pub(crate) struct KeyFilter {
    blocks: Box<[[u32; 8]]>,
}

impl KeyFilter {
    /// The filter of these keys.
    pub(crate) fn of(keys: &[u64]) -> Self {
        let count = (keys.len() * BITS_PER_KEY).div_ceil(BLOCK_BITS).max(1);
        let mut blocks = vec![[0_u32; 8]; count].into_boxed_slice();
        for key in keys {
            let bits = bits(*key);
            let block = &mut blocks[place(*key, count)];
            for (word, bit) in block.iter_mut().zip(bits) {
                *word |= bit;
            }
        }
        Self { blocks }
    }

    /// Whether a key may be among them; `false` is certain.
    pub(crate) fn may_hold(&self, key: u64) -> bool {
        let block = &self.blocks[place(key, self.blocks.len())];
        block
            .iter()
            .zip(bits(key))
            .all(|(word, bit)| word & bit != 0)
    }

    /// Its size in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.blocks.len() * BLOCK_BITS / 8
    }
}

/// The block of a key among so many.
fn place(key: u64, count: usize) -> usize {
    let scaled = (u128::from(key) * count as u128) >> 64;
    scaled as usize
}

fn bits(key: u64) -> [u32; 8] {
    let low = key as u32;
    SALT.map(|salt| 1 << (low.wrapping_mul(salt) >> 27))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers without a pattern: SplitMix64 of Steele, Lea and Flood (2014).
    fn numbers(seed: u64) -> impl Iterator<Item = u64> {
        (1_u64..).map(move |n| {
            let mut z = seed.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        })
    }

    #[test]
    fn every_key_is_found_and_few_others() {
        for count in [0, 1, 15, 17, 100_000] {
            let keys: Vec<u64> = numbers(1).take(count).collect();
            let filter = KeyFilter::of(&keys);
            assert!(keys.iter().all(|key| filter.may_hold(*key)));
            if count > 100 {
                let strangers = numbers(1 << 40).take(100_000);
                let wrong = strangers.filter(|key| filter.may_hold(*key)).count();
                assert!(wrong < 400, "{wrong} of 100000 strangers seem to be there");
            }
        }
    }
}
