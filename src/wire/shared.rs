//! A value that its clones share until one of them changes it.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

/// A pointer to a value: cheap to move, and to clone. What one of its holders changes, the others
/// do not see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shared<T>(Arc<T>);

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    /// The value as its own: copied first, when it is shared.
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_holder_changes_the_others_do_not_see() {
        let first = Shared::from(vec![1]);
        let mut second = first.clone();
        assert!(Arc::ptr_eq(&first.0, &second.0));
        second.push(2);
        assert_eq!((&*first, &*second), (&vec![1], &vec![1, 2]));
    }

    #[test]
    fn who_holds_it_alone_changes_it_in_its_place() {
        let mut alone = Shared::from(7);
        let place = Arc::as_ptr(&alone.0);
        *alone += 1;
        assert_eq!((*alone, Arc::as_ptr(&alone.0)), (8, place));
    }
}
