//! The power cut: what of the unsynced changes survives, by the dice.
//!
//! What was synced survives always. The cases are those that journals, caches and torn sectors make of real disks, and some that only
//! POSIX allows. Start at [`Disk::cut`].

use super::{Disk, FileChange, NameChange, Node, ROOT, Side, Unsynced, apply_names, write_at};
use crate::dice::Dice;
use std::collections::BTreeMap;

/// What is written at once, and what a disk writes at once.
const PAGE_BYTES: usize = 4096;
const SECTOR_BYTES: usize = 512;

/// How much of what was not synced survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    Nothing,
    Everything,
    /// All changes up to one, which may be torn.
    Until(u64),
    /// Each name, and each page of each write, so many times out of a hundred; some pages torn.
    Scattered(u64),
}

impl Disk {
    /// Cuts the power: this disk fails from now on, and the one that is returned holds what survives.
    pub fn cut(&mut self, dice: &mut Dice) -> (Disk, Survival) {
        let survival = self.survival(dice);
        let survivor = self.survivor(survival, dice);
        self.is_cut = true;
        (survivor, survival)
    }

    /// The same for a disk that nobody uses any more: everything was written out in time.
    #[must_use]
    pub fn kept(&self) -> Disk {
        self.survivor(Survival::Everything, &mut Dice::new(0))
    }

    fn survival(&self, dice: &mut Dice) -> Survival {
        let first = self.first_unsynced();
        match dice.below(10) {
            0..3 => Survival::Nothing,
            3 => Survival::Everything,
            4..6 => Survival::Until(first + dice.below(self.next_order.saturating_sub(first) + 1)),
            _ => Survival::Scattered(*dice.pick(&[10, 50, 90])),
        }
    }

    fn first_unsynced(&self) -> u64 {
        let of_node = |node: &Node| match node {
            Node::File { unsynced, .. } => unsynced.first().map(|unsynced| unsynced.order),
            Node::Folder { .. } => None,
        };
        let names = self.names.first().map(|unsynced| unsynced.order);
        self.nodes.values().filter_map(of_node).chain(names).min().unwrap_or(self.next_order)
    }

    pub(super) fn survivor(&self, survival: Survival, dice: &mut Dice) -> Disk {
        let mut nodes = self.nodes.clone();
        for node in nodes.values_mut() {
            match node {
                Node::Folder { now, synced } => now.clone_from(synced),
                Node::File { now, synced, unsynced } => {
                    for unsynced in std::mem::take(unsynced) {
                        survive(synced, &unsynced, survival, dice);
                    }
                    now.clone_from(synced);
                }
            }
        }
        for unsynced in &self.names {
            if name_survives(unsynced, survival, dice) {
                apply_names(&mut nodes, &unsynced.change, Side::Synced);
                apply_names(&mut nodes, &unsynced.change, Side::Now);
            }
        }
        let mut survivor = Disk::new(self.entries);
        survivor.nodes = reachable(nodes);
        survivor.next_ino = self.next_ino;
        survivor.room = self.room;
        survivor
    }
}

fn name_survives(unsynced: &Unsynced<NameChange>, survival: Survival, dice: &mut Dice) -> bool {
    match survival {
        Survival::Nothing => false,
        Survival::Everything => true,
        Survival::Until(last) => unsynced.order <= last,
        Survival::Scattered(percent) => dice.percent(percent),
    }
}

fn survive(file: &mut Vec<u8>, unsynced: &Unsynced<FileChange>, survival: Survival, dice: &mut Dice) {
    match survival {
        Survival::Nothing => {}
        Survival::Everything => unsynced.change.apply(file),
        Survival::Until(last) if unsynced.order < last => unsynced.change.apply(file),
        Survival::Until(last) if unsynced.order == last => tear(file, &unsynced.change, 50, dice),
        Survival::Until(_) => {}
        Survival::Scattered(percent) => tear(file, &unsynced.change, percent, dice),
    }
}

/// Lets some pages of a write survive, and of some of those only the first sectors.
fn tear(file: &mut Vec<u8>, change: &FileChange, percent: u64, dice: &mut Dice) {
    let FileChange::Write { at, bytes } = change else {
        if dice.percent(percent) {
            change.apply(file);
        }
        return;
    };
    let mut from = 0;
    while from < bytes.len() {
        // Pages lie where the disk has them, not where the write began.
        let room = PAGE_BYTES - (at + from) % PAGE_BYTES;
        let to = (from + room).min(bytes.len());
        if dice.percent(percent) {
            let sectors = usize::try_from(dice.below(8)).expect("a small number fits") + 1;
            let end = if dice.percent(20) { to.min(from + sectors * SECTOR_BYTES) } else { to };
            write_at(file, at + from, &bytes[from..end]);
        }
        from = to;
    }
}

/// The nodes that have a name.
fn reachable(mut nodes: BTreeMap<u64, Node>) -> BTreeMap<u64, Node> {
    let mut found = BTreeMap::new();
    let mut wanted = vec![ROOT];
    while let Some(ino) = wanted.pop() {
        let Some(node) = nodes.remove(&ino) else { continue };
        if let Node::Folder { now, .. } = &node {
            wanted.extend(now.values());
        }
        found.insert(ino, node);
    }
    found
}
