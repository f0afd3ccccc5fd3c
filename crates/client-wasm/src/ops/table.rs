//! The macros that make constants, readers and descriptions of one table.

/// An operation, as TypeScript has it.
#[derive(Clone, Debug)]
pub struct Op {
    /// Its constant.
    pub name: &'static str,
    /// Its number.
    pub number: u8,
    /// Its documentation, a line each.
    pub docs: &'static [&'static str],
    /// Its fields, names and types, in order.
    pub fields: Vec<(&'static str, String)>,
    /// The text that answers it.
    pub answer: Option<String>,
}

/// Operations of the page: their numbers, a function that reads them and says what they mean, and
/// their descriptions.
macro_rules! read_ops {
    (
        $(#[$table_docs:meta])*
        $table:ident: $class:expr;
        $(#[$reader_docs:meta])*
        fn $reader:ident($($given:ident: $given_type:ty),*) -> $result:ty;
        $($(#[doc = $docs:literal])* $name:ident = $number:literal ($($field:ident: $kind:ty),*) $(-> $answer:ty)? { $meaning:expr })*
    ) => {
        $($(#[doc = $docs])* pub const $name: u8 = $class | $number;)*

        $(#[$table_docs])*
        pub fn $table() -> Vec<Op> {
            vec![$(Op {
                name: stringify!($name),
                number: $name,
                docs: &[$($docs),*],
                fields: vec![$((stringify!($field), <$kind as Field>::TYPESCRIPT.into())),*],
                answer: None$(.or(Some(<$answer as Crossing>::typescript())))?,
            }),*]
        }

        $(#[$reader_docs])*
        #[inline(always)]
        pub(crate) fn $reader(op: u8, mut fields: Fields<'_>, $($given: $given_type),*) -> Option<$result> {
            Some(match op {
                $($name => {
                    $(let $field = <$kind as Field>::read(&mut fields)?;)*
                    let meaning $(: $answer)? = $meaning;
                    read_ops!(@result meaning $($answer)?)
                })*
                _ => return None,
            })
        }
    };
    (@result $meaning:ident) => { $meaning };
    (@result $meaning:ident $answer:ty) => { Crossing::into_text($meaning) };
}

/// Operations for the host: a number and a text, each used or not.
macro_rules! said_ops {
    (
        $(#[$table_docs:meta])*
        $table:ident: $class:expr;
        $($(#[doc = $docs:literal])* $name:ident = $code:literal ($($number:ident)?; $($text:ident: $kind:ty)?))*
    ) => {
        $($(#[doc = $docs])* pub const $name: Said<said_ops!(@text $($kind)?)> = Said::new($class | $code);)*

        $(#[$table_docs])*
        pub fn $table() -> Vec<Op> {
            vec![$(Op {
                name: stringify!($name),
                number: $name.op,
                docs: &[$($docs),*],
                fields: vec![
                    (said_ops!(@name number $($number)?), String::from("number")),
                    (said_ops!(@name text $($text)?), <said_ops!(@text $($kind)?) as Crossing>::typescript()),
                ],
                answer: None,
            }),*]
        }
    };
    (@text) => { () };
    (@text $kind:ty) => { $kind };
    (@name $otherwise:ident) => { stringify!($otherwise) };
    (@name $otherwise:ident $name:ident) => { stringify!($name) };
}

pub(super) use {read_ops, said_ops};
