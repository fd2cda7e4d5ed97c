//! A map that joins the values of a repeated key.

/// What two values of one key say together. Order and repetition change nothing.
pub(crate) trait Join {
    /// Takes the other one in.
    fn join(&mut self, other: Self);
}

/// Values by key. Rows come by the hundred thousand, and most keys come once or in a row: so they are kept in a list, which is sorted and
/// joined whenever it has no room left. A tree takes twice the memory and several times as long.
#[derive(Clone, Debug)]
pub(crate) struct Joined<K, V> {
    /// In any order, a key more than once.
    rows: Vec<(K, V)>,
}

impl<K, V> Joined<K, V> {
    /// No value.
    pub(crate) const fn new() -> Self {
        Self { rows: Vec::new() }
    }
}

impl<K: Ord, V: Join + Default> Joined<K, V> {
    /// Takes one value in.
    pub(crate) fn join(&mut self, key: K, value: V) {
        if let Some((last, known)) = self.rows.last_mut()
            && *last == key
        {
            known.join(value);
            return;
        }
        if self.rows.len() == self.rows.capacity() {
            self.settle();
            // It is not sorted again for a few rows, and no more than a third of it lies idle.
            let room = self.rows.capacity().saturating_sub(self.rows.len());
            if room <= self.rows.len() / 4 {
                self.rows.reserve_exact((self.rows.len() / 2).max(16));
            }
        }
        self.rows.push((key, value));
    }

    /// Takes in what another one holds.
    pub(crate) fn merge(&mut self, other: Self) {
        for (key, value) in other.rows {
            self.join(key, value);
        }
    }

    /// Each key that is to be kept once, in order.
    pub(crate) fn finish(mut self, keep: impl Fn(&K) -> bool) -> Vec<(K, V)> {
        self.rows.retain(|(key, _)| keep(key));
        self.settle();
        self.rows
    }

    fn settle(&mut self) {
        // The stable sort knows what is sorted already.
        self.rows.sort_by(|(left, _), (right, _)| left.cmp(right));
        self.rows.dedup_by(|(key, value), (known, joined)| {
            let is_same = key == known;
            if is_same {
                joined.join(std::mem::take(value));
            }
            is_same
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug, Default, PartialEq)]
    struct Most(u64);

    impl Join for Most {
        fn join(&mut self, other: Self) {
            self.0 = self.0.max(other.0);
        }
    }

    proptest! {
        #[test]
        fn it_holds_what_a_tree_would(
            rows in proptest::collection::vec((0_u8..60, 0_u64..100), 0..400),
            split in 0_usize..400,
            kept in 0_u8..60,
        ) {
            let mut tree: BTreeMap<u8, u64> = BTreeMap::new();
            for (key, value) in &rows {
                let known = tree.entry(*key).or_default();
                *known = (*known).max(*value);
            }
            tree.retain(|key, _| *key >= kept);
            let joined = |rows: &[(u8, u64)]| {
                let mut joined = Joined::new();
                for (key, value) in rows {
                    joined.join(*key, Most(*value));
                }
                joined
            };
            let split = split.min(rows.len());
            let mut parts = joined(&rows[split..]);
            parts.merge(joined(&rows[..split]));
            for all in [joined(&rows), parts] {
                let all = all.finish(|key| *key >= kept);
                let all: Vec<_> = all.into_iter().map(|(key, value)| (key, value.0)).collect();
                prop_assert_eq!(&all, &tree.clone().into_iter().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn rows_that_come_again_take_no_room() {
        let mut joined = Joined::new();
        for round in 0..1_000 {
            for key in 0..100_u8 {
                joined.join(key, Most(round));
            }
        }
        assert!(joined.rows.capacity() <= 200, "{}", joined.rows.capacity());
        let all = joined.finish(|_| true);
        assert_eq!(all.len(), 100);
        assert!(all.iter().all(|(_, value)| *value == Most(999)));
    }
}
