//! A value that only the deferred part of a client makes.

use core::{fmt, ops::Deref};

/// A value in an event or a command. Only the code that makes it knows how to drop it; code that
/// passes it on does not need that. So the first part of a browser's module has no code for values
/// of the deferred part.
pub struct DeferredValue<T>(Box<dyn Whole<T>>);

trait Whole<T>: Send + Sync {
    fn look(&self) -> &T;
    fn copy(&self) -> DeferredValue<T>;
}

struct Value<T>(T);

impl<T: Clone + Send + Sync + 'static> Whole<T> for Value<T> {
    fn look(&self) -> &T {
        &self.0
    }

    fn copy(&self) -> DeferredValue<T> {
        DeferredValue::from(self.0.clone())
    }
}

impl<T: Clone + Send + Sync + 'static> From<T> for DeferredValue<T> {
    fn from(value: T) -> Self {
        Self(Box::new(Value(value)))
    }
}

impl<T> Deref for DeferredValue<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.look()
    }
}

impl<T> Clone for DeferredValue<T> {
    fn clone(&self) -> Self {
        self.0.copy()
    }
}

impl<T: fmt::Debug> fmt::Debug for DeferredValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: PartialEq> PartialEq for DeferredValue<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}
