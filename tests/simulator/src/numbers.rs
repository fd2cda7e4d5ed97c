//! Row numbers in ascending order, kept as ranges: the rows of 200 organizations of a large fleet are a few numbers.

use std::ops::Range;

/// Numbers in ascending order, none of them twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    ranges: Vec<Range<u32>>,
    len: usize,
}

impl Numbers {
    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds the numbers of a range that begins after every number so far. What is there already is not added again.
    pub(crate) fn push(&mut self, range: Range<u32>) {
        let last = self.ranges.last_mut();
        let begin = last
            .as_ref()
            .map_or(range.start, |last| range.start.max(last.end));
        if begin >= range.end {
            return;
        }
        self.len += length(&(begin..range.end));
        match last {
            Some(last) if last.end == begin => last.end = range.end,
            _ => self.ranges.push(begin..range.end),
        }
    }

    /// Each range of consecutive numbers.
    pub(crate) fn ranges(&self) -> &[Range<u32>] {
        &self.ranges
    }

    /// Every number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges.iter().cloned().flatten()
    }

    /// The numbers behind the first ones.
    pub(crate) fn skip(&self, count: usize) -> impl Iterator<Item = u32> + '_ {
        let mut left = count;
        let mut passed = 0;
        for range in &self.ranges {
            if length(range) > left {
                break;
            }
            left -= length(range);
            passed += 1;
        }
        let rest = self.ranges.get(passed..).unwrap_or_default();
        rest.iter().cloned().flatten().skip(left)
    }

    /// The numbers from this one on.
    pub(crate) fn from(&self, first: u32) -> impl Iterator<Item = u32> + '_ {
        let passed = self.ranges.partition_point(|range| range.end <= first);
        let rest = self.ranges.get(passed..).unwrap_or_default();
        rest.iter()
            .flat_map(move |range| range.start.max(first)..range.end)
    }
}

impl FromIterator<u32> for Numbers {
    /// Of numbers in ascending order.
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut all = Self::default();
        for number in numbers {
            all.push(number..number.saturating_add(1));
        }
        all
    }
}

fn length(range: &Range<u32>) -> usize {
    usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::Numbers;

    #[test]
    fn numbers_are_ranges_and_each_is_there_once() {
        let numbers: Numbers = [2, 3, 3, 4, 9, 10, 12].into_iter().collect();
        assert_eq!(numbers.ranges(), [2..5, 9..11, 12..13]);
        assert_eq!(numbers.len(), 6);
        let all: Vec<u32> = numbers.iter().collect();
        assert_eq!(all, [2, 3, 4, 9, 10, 12]);
        for count in 0..8 {
            let behind: Vec<u32> = numbers.skip(count).collect();
            assert_eq!(behind, all.iter().copied().skip(count).collect::<Vec<_>>());
        }
        for first in 0..14 {
            let from: Vec<u32> = numbers.from(first).collect();
            let expected: Vec<u32> = all
                .iter()
                .copied()
                .filter(|number| *number >= first)
                .collect();
            assert_eq!(from, expected);
        }
        let mut twice = numbers;
        twice.push(4..14);
        assert_eq!(
            (twice.ranges(), twice.len()),
            (&[2..5, 9..11, 12..14][..], 7)
        );
    }
}
