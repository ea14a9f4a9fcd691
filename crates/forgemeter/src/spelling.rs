//! The known word that is nearest to a mistyped one, for messages that refuse a word.
//!
//! A word is never taken for another one: what is refused stays refused.

/// The known word with the fewest slips (a wrong, missing, added letter, or two swapped ones) from `word`, case aside. Of equally near
/// ones the first.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    known.into_iter().min_by_key(|candidate| slips(&word.to_lowercase(), &candidate.to_lowercase()))
}

/// What to add to a message that refuses a word; nothing when nothing is known in its place.
pub(crate) fn advice<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    nearest(word, known).map_or_else(String::new, |nearest| format!("; the nearest known is `{nearest}`"))
}

/// The optimal string alignment distance: it holds three rows of the usual table, enough to see a swap.
fn slips(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for row in 0..one.len() {
        let mut current = vec![row + 1];
        for column in 0..other.len() {
            let replaced = last[column] + usize::from(one[row] != other[column]);
            let mut best = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            let swapped = row > 0 && column > 0 && one[row] == other[column - 1] && one[row - 1] == other[column];
            if swapped {
                best = best.min(before_last[column - 1] + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_word() {
        let keys = ["login", "name", "enterprise", "plan", "owners", "billing_managers", "members", "previous_logins", "since"];
        let table = [
            ("onwers", "owners"),
            ("Owner", "owners"),
            ("plna", "plan"),
            ("enterprize", "enterprise"),
            ("billing-managers", "billing_managers"),
            ("logins", "login"),
            ("sinse", "since"),
        ];
        for (word, expected) in table {
            assert_eq!(nearest(word, keys), Some(expected), "{word}");
        }
        assert_eq!(nearest("anything", []), None);
        assert_eq!(advice("teem", ["pro", "team"]), "; the nearest known is `team`");
    }

    #[test]
    fn slips_are_counted_once_each() {
        for (one, other, count) in
            [("", "", 0), ("", "abc", 3), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "ab", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!((slips(one, other), slips(other, one)), (count, count), "{one} {other}");
        }
    }
}
