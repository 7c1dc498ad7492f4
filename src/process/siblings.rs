//! The runs of one server that live at the same time, and what that means for orphans.
//!
//! A process that made itself a daemon and cleared its environment carries nothing of its run. It
//! can be attributed only while one run alone could have started it.

use super::mark::{Mark, Marks};
use super::procfs::{ProcessInfo, Procfs};
use super::tree::{Tree, TreeState};
use parking_lot::Mutex;
use std::sync::{Arc, Weak};

/// The trees of one server's runs, in the order of their starts.
#[derive(Debug, Default)]
pub struct Siblings(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The marks of the runs that are being launched.
    launching: Vec<Mark>,
    trees: Vec<Weak<TreeState>>,
}

/// The place of a run that is being launched, from before its process exists until its tree is
/// known.
#[derive(Debug)]
pub struct Launching {
    siblings: Arc<Siblings>,
    mark: Mark,
}

/// What a tree has to know of the others.
pub(super) struct Others {
    /// Whether an orphan without any sign of its run belongs to the tree.
    leave_strays: bool,
    /// The marks of those that are being launched.
    launching: Vec<Mark>,
    trees: Vec<Tree>,
}

impl Siblings {
    /// Announces a run with this id that is about to be launched.
    #[must_use]
    pub fn launching(self: &Arc<Self>, id: &str) -> Launching {
        let mark = Mark::of(id);
        self.0.lock().launching.push(mark.clone());
        Launching { siblings: Arc::clone(self), mark }
    }

    pub(super) fn add(&self, tree: &Arc<TreeState>) {
        let mut inner = self.0.lock();
        inner.trees.retain(|tree| tree.strong_count() > 0);
        inner.trees.push(Arc::downgrade(tree));
    }

    /// Returns the trees beside this one that may have orphans. Those without a sign of their run
    /// belong to the only run that lives; if none does, to the newest.
    pub(super) fn others(&self, tree: &Tree) -> Others {
        let inner = self.0.lock();
        let known: Vec<Tree> = inner.trees.iter().filter_map(Weak::upgrade).map(Tree::of).collect();
        let launching: Vec<Mark> =
            inner.launching.iter().filter(|mark| *mark != tree.mark()).cloned().collect();
        drop(inner);
        let may_have_orphans = |it: &Tree| it.is(tree) || !it.is_sealed() && !it.was_gone();
        let known: Vec<Tree> = known.into_iter().filter(may_have_orphans).collect();
        let is_newest = known.last().is_none_or(|last| last.is(tree));
        let trees: Vec<Tree> = known.into_iter().filter(|it| !it.is(tree)).collect();
        let others_live = !launching.is_empty() || trees.iter().any(Tree::is_running);
        let leave_strays = !others_live && (is_newest || tree.is_running());
        Others { leave_strays, launching, trees }
    }
}

impl Others {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.launching.is_empty() && self.trees.is_empty()
    }

    /// Whether they leave an orphan to the tree: none of them could have started it.
    pub fn leave(&self, orphan: ProcessInfo, procfs: Procfs) -> bool {
        if !self.leave_strays {
            return false;
        }
        let marks = Marks::read(orphan.number);
        let is_launched = self.launching.iter().any(|mark| marks.has(mark));
        !is_launched && !self.trees.iter().any(|tree| tree.owns(orphan, &marks, procfs))
    }
}

impl Drop for Launching {
    fn drop(&mut self) {
        let launching = &mut self.siblings.0.lock().launching;
        if let Some(index) = launching.iter().position(|mark| *mark == self.mark) {
            launching.swap_remove(index);
        }
    }
}
