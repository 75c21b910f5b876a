//! Structures whose leaves are quantities: one definition serves the file, the check and every trial.
//!
//! A structure `T<Q>` declared with [`quantified!`](crate::quantified) is a document as `T<Estimate>` (each leaf
//! fixed or uncertain), one state of the world as `T<f64>` and eight of them as `T<Lanes>`. [`Quantified::each`] walks
//! the leaves in a stable order with their paths, [`Quantified::each_mut`] without; [`Instantiate`] turns the document into
//! numbers. The n-th leaf of both forms is the same quantity, so a trial overwrites the uncertain ones in place
//! and allocates nothing.
//!
//! Plain `f64` fields would be mistaken for leaves: use a wrapper ([`Table`]) for numbers that are never uncertain.

use serde::{Deserialize, Serialize};

use super::estimate::Estimate;
use super::num::{Lanes, Num};

/// Numbers that are data rather than quantities: never uncertain, never a leaf.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Table(pub Vec<f64>);

/// The path of a leaf: field names and the ids of list items, joined with dots.
#[derive(Debug, Clone, Default)]
pub struct Path {
    text: String,
}

impl Path {
    /// The path as text, `use_cases.chat.requests_per_day`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Runs `inside` with `segment` appended.
    pub fn within(&mut self, segment: &str, inside: impl FnOnce(&mut Self)) {
        let length = self.text.len();
        if length > 0 {
            self.text.push('.');
        }
        self.text.push_str(segment);
        inside(self);
        self.text.truncate(length);
    }
}

/// Something with quantities of type `Q` at its leaves.
pub trait Quantified<Q> {
    /// Calls `visit` for each leaf, in a stable order, with its path.
    fn each(&self, path: &mut Path, visit: &mut dyn FnMut(&Path, &Q));

    /// Calls `visit` for each leaf, in the order of [`Quantified::each`].
    fn each_mut(&mut self, visit: &mut dyn FnMut(&mut Q));

    /// What names this item within a list; the position if it has no name of its own.
    fn key(&self) -> Option<&str> {
        None
    }
}

/// A document that becomes one state of the world.
pub trait Instantiate {
    /// The same structure with numbers for leaves.
    type Out<N: Num>;
    /// Replaces each leaf by the number that `value` gives for it.
    fn instantiate<N: Num>(&self, value: &mut dyn FnMut(&Estimate) -> N) -> Self::Out<N>;
}

macro_rules! leaf {
    ($leaf:ty) => {
        impl Quantified<$leaf> for $leaf {
            fn each(&self, path: &mut Path, visit: &mut dyn FnMut(&Path, &$leaf)) {
                visit(path, self);
            }
            fn each_mut(&mut self, visit: &mut dyn FnMut(&mut $leaf)) {
                visit(self);
            }
        }
    };
}
leaf!(f64);
leaf!(Lanes);
leaf!(Estimate);

impl Instantiate for Estimate {
    type Out<N: Num> = N;
    fn instantiate<N: Num>(&self, value: &mut dyn FnMut(&Estimate) -> N) -> N {
        value(self)
    }
}

/// Declares types that hold no quantity, so that they may be fields of a quantified structure.
#[macro_export]
macro_rules! plain {
    ($($plain:ty),+ $(,)?) => {$(
        impl<Q> $crate::stats::quantities::Quantified<Q> for $plain {
            fn each(
                &self,
                _path: &mut $crate::stats::quantities::Path,
                _visit: &mut dyn FnMut(&$crate::stats::quantities::Path, &Q),
            ) {
            }
            fn each_mut(&mut self, _visit: &mut dyn FnMut(&mut Q)) {}
        }
        impl $crate::stats::quantities::Instantiate for $plain {
            type Out<N: $crate::stats::Num> = $plain;
            fn instantiate<N: $crate::stats::Num>(
                &self,
                _value: &mut dyn FnMut(&$crate::stats::estimate::Estimate) -> N,
            ) -> $plain {
                self.clone()
            }
        }
    )+};
}
plain!(String, bool, i32, u32, u64, Table);

impl<Q, T: Quantified<Q>> Quantified<Q> for Option<T> {
    fn each(&self, path: &mut Path, visit: &mut dyn FnMut(&Path, &Q)) {
        if let Some(inner) = self {
            inner.each(path, visit);
        }
    }
    fn each_mut(&mut self, visit: &mut dyn FnMut(&mut Q)) {
        if let Some(inner) = self {
            inner.each_mut(visit);
        }
    }
}

impl<Q, T: Quantified<Q>> Quantified<Q> for Vec<T> {
    fn each(&self, path: &mut Path, visit: &mut dyn FnMut(&Path, &Q)) {
        for (position, item) in self.iter().enumerate() {
            match item.key() {
                Some(key) => path.within(key, |path| item.each(path, visit)),
                None => path.within(&position.to_string(), |path| item.each(path, visit)),
            }
        }
    }
    fn each_mut(&mut self, visit: &mut dyn FnMut(&mut Q)) {
        for item in self {
            item.each_mut(visit);
        }
    }
}

impl<T: Instantiate> Instantiate for Option<T> {
    type Out<N: Num> = Option<T::Out<N>>;
    fn instantiate<N: Num>(&self, value: &mut dyn FnMut(&Estimate) -> N) -> Self::Out<N> {
        self.as_ref().map(|inner| inner.instantiate(value))
    }
}

impl<T: Instantiate> Instantiate for Vec<T> {
    type Out<N: Num> = Vec<T::Out<N>>;
    fn instantiate<N: Num>(&self, value: &mut dyn FnMut(&Estimate) -> N) -> Self::Out<N> {
        self.iter().map(|item| item.instantiate(value)).collect()
    }
}

/// Declares a structure or a choice whose leaves are quantities of a type parameter `Q`.
///
/// `keyed struct` takes its name within a list from the field `id`. The variants of an `enum` are bare or hold one value.
#[macro_export]
macro_rules! quantified {
    () => {};
    (
        $(#[$meta:meta])*
        pub keyed struct $name:ident<Q> { $($body:tt)* }
        $($rest:tt)*
    ) => {
        $crate::quantified_struct! { { keyed } $(#[$meta])* $name { $($body)* } }
        $crate::quantified! { $($rest)* }
    };
    (
        $(#[$meta:meta])*
        pub struct $name:ident<Q> { $($body:tt)* }
        $($rest:tt)*
    ) => {
        $crate::quantified_struct! { { unnamed } $(#[$meta])* $name { $($body)* } }
        $crate::quantified! { $($rest)* }
    };
    (
        $(#[$meta:meta])*
        pub enum $name:ident<Q> {
            $($(#[$vmeta:meta])* $variant:ident $(($inner:ty))?),+ $(,)?
        }
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub enum $name<Q> {
            $($(#[$vmeta])* $variant $(($inner))?),+
        }
        impl<Q> $crate::stats::quantities::Quantified<Q> for $name<Q>
        where
            Q: $crate::stats::quantities::Quantified<Q>,
        {
            fn each(
                &self,
                path: &mut $crate::stats::quantities::Path,
                visit: &mut dyn FnMut(&$crate::stats::quantities::Path, &Q),
            ) {
                match self {
                    $($crate::quantified_pattern!(Self::$variant, inner $(, $inner)?) => {
                        $(
                            let _: &$inner = inner;
                            $crate::stats::quantities::Quantified::<Q>::each(inner, path, visit);
                        )?
                    })+
                }
                let _ = (path, visit);
            }
            fn each_mut(&mut self, visit: &mut dyn FnMut(&mut Q)) {
                match self {
                    $($crate::quantified_pattern!(Self::$variant, inner $(, $inner)?) => {
                        $(
                            let _: &$inner = inner;
                            $crate::stats::quantities::Quantified::<Q>::each_mut(inner, visit);
                        )?
                    })+
                }
                let _ = visit;
            }
        }
        impl $crate::stats::quantities::Instantiate for $name<$crate::stats::estimate::Estimate> {
            type Out<N: $crate::stats::Num> = $name<N>;
            fn instantiate<N: $crate::stats::Num>(
                &self,
                value: &mut dyn FnMut(&$crate::stats::estimate::Estimate) -> N,
            ) -> $name<N> {
                match self {
                    $($crate::quantified_pattern!(Self::$variant, inner $(, $inner)?) =>
                        $crate::quantified_build!($name::$variant, inner, value $(, $inner)?),)+
                }
            }
        }
        $crate::quantified! { $($rest)* }
    };
}

/// One structure of [`quantified!`](crate::quantified).
#[doc(hidden)]
#[macro_export]
macro_rules! quantified_struct {
    (
        { $key:ident }
        $(#[$meta:meta])*
        $name:ident { $($(#[$fmeta:meta])* pub $field:ident: $type:ty),+ $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name<Q> {
            $($(#[$fmeta])* pub $field: $type),+
        }
        $crate::quantified_struct_impl! { { $key } $name { $($field: $type),+ } }
    };
}

/// The walks of one structure of [`quantified!`](crate::quantified).
#[doc(hidden)]
#[macro_export]
macro_rules! quantified_struct_impl {
    ({ unnamed } $name:ident { $($field:ident: $type:ty),+ }) => {
        $crate::quantified_struct_impl! { @walk $name { $($field: $type),+ } {} }
    };
    ({ keyed } $name:ident { $($field:ident: $type:ty),+ }) => {
        $crate::quantified_struct_impl! { @walk $name { $($field: $type),+ } {
            fn key(&self) -> Option<&str> {
                Some(self.id.as_str())
            }
        } }
    };
    (@walk $name:ident { $($field:ident: $type:ty),+ } { $($key:tt)* }) => {
        impl<Q> $crate::stats::quantities::Quantified<Q> for $name<Q>
        where
            Q: $crate::stats::quantities::Quantified<Q>,
        {
            fn each(
                &self,
                path: &mut $crate::stats::quantities::Path,
                visit: &mut dyn FnMut(&$crate::stats::quantities::Path, &Q),
            ) {
                $(path.within(stringify!($field), |path| {
                    $crate::stats::quantities::Quantified::<Q>::each(&self.$field, path, visit);
                });)+
            }
            fn each_mut(&mut self, visit: &mut dyn FnMut(&mut Q)) {
                $($crate::stats::quantities::Quantified::<Q>::each_mut(&mut self.$field, visit);)+
            }
            $($key)*
        }
        impl $crate::stats::quantities::Instantiate for $name<$crate::stats::estimate::Estimate> {
            type Out<N: $crate::stats::Num> = $name<N>;
            fn instantiate<N: $crate::stats::Num>(
                &self,
                value: &mut dyn FnMut(&$crate::stats::estimate::Estimate) -> N,
            ) -> $name<N> {
                $name {
                    $($field: $crate::stats::quantities::Instantiate::instantiate(&self.$field, value)),+
                }
            }
        }
    };
}

/// A pattern for a bare variant or one that holds a value.
#[doc(hidden)]
#[macro_export]
macro_rules! quantified_pattern {
    ($variant:path, $binding:ident) => {
        $variant
    };
    ($variant:path, $binding:ident, $inner:ty) => {
        $variant($binding)
    };
}

/// The instantiated form of a variant.
#[doc(hidden)]
#[macro_export]
macro_rules! quantified_build {
    ($variant:path, $binding:ident, $value:ident) => {{
        let _ = $value;
        $variant
    }};
    ($variant:path, $binding:ident, $value:ident, $inner:ty) => {
        $variant($crate::stats::quantities::Instantiate::instantiate($binding, $value))
    };
}
