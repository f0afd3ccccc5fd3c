//! Writes objects and arrays as text.

use tidings_protocol::{Encode, json::push_str_escaped};

use crate::ops::JsonText;

/// An object under construction.
pub(super) struct Object(String);

impl Object {
    pub(super) fn new() -> Self {
        Self(String::new())
    }

    /// The text to which the value of this key is appended.
    pub(super) fn slot(&mut self, key: &str) -> &mut String {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        push_str_escaped(&mut self.0, key);
        self.0.push(':');
        &mut self.0
    }

    pub(super) fn key(&mut self, key: &str, value: &impl Encode) {
        value.encode(self.slot(key));
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        push_str_escaped(self.slot(key), value);
    }

    pub(super) fn raw(&mut self, key: &str, json: Option<&str>) {
        self.slot(key).push_str(json.unwrap_or("null"));
    }

    pub(super) fn end<T>(mut self) -> JsonText<T> {
        self.0.push('}');
        JsonText::new(self.0)
    }
}

/// An array.
pub(super) fn list<T>(out: &mut String, values: &[T], mut write: impl FnMut(&mut String, &T)) {
    out.push('[');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(out, value);
    }
    out.push(']');
}
