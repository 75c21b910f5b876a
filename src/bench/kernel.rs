//! What is measured: the kernels, their names, and what their numbers mean.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What the number of a kernel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    /// Bytes per second, as the kernel's definition counts them; more is better.
    Bandwidth,
    /// Floating-point operations per second, a multiply-add counted as two; more is better.
    Compute,
    /// Seconds per step; less is better.
    Latency,
}

macro_rules! kernels {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $label:literal, $quantity:ident;)*) => {
        /// One kernel.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Kernel {
            $($(#[$doc])* #[serde(rename = $id)] $name,)*
        }

        impl Kernel {
            /// All of them, in order of display.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Stable name, as files and the command line have it.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// Name for people.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// What its number is.
            #[must_use]
            pub const fn quantity(self) -> Quantity {
                match self { $(Self::$name => Quantity::$quantity,)* }
            }
        }
    };
}

kernels! {
    /// Sum of an array: 1 read per element.
    Read = "read", "Read", Bandwidth;
    /// `a[i] = s`: 1 write per element.
    Write = "write", "Write", Bandwidth;
    /// `a[i] = b[i]`: STREAM copy, 1 read and 1 write.
    Copy = "copy", "Copy", Bandwidth;
    /// `a[i] = s b[i]`: STREAM scale, 1 read and 1 write.
    Scale = "scale", "Scale", Bandwidth;
    /// `a[i] = b[i] + c[i]`: STREAM add, 2 reads and 1 write.
    Add = "add", "Add", Bandwidth;
    /// `a[i] = b[i] + s c[i]`: STREAM triad, 2 reads and 1 write.
    Triad = "triad", "Triad", Bandwidth;
    /// Matrix-vector product, weights in 32 bit: what decoding does with every matrix.
    GemvF32 = "gemv-f32", "Matrix-vector, f32", Bandwidth;
    /// The same, weights in 16 bit, sums in 32 bit.
    GemvF16 = "gemv-f16", "Matrix-vector, f16", Bandwidth;
    /// The same, weights in 8 bit integers with a scale per 128, widened on the way.
    GemvInt8 = "gemv-int8", "Matrix-vector, int8", Bandwidth;
    /// The same, weights in 4 bit integers with a scale per 128, widened on the way.
    GemvInt4 = "gemv-int4", "Matrix-vector, int4", Bandwidth;
    /// Eight vectors against the same 16 bit matrix: a small batch.
    GemvBatch = "gemv-batch", "Matrix by 8 vectors, f16", Bandwidth;
    /// Matrix-matrix product in 32 bit.
    GemmF32 = "gemm-f32", "Matrix-matrix, f32", Compute;
    /// Matrix-matrix product, operands in 16 bit, sums in 32 bit.
    GemmF16 = "gemm-f16", "Matrix-matrix, f16", Compute;
    /// Independent chains of multiply-adds in 32 bit.
    FmaF32 = "fma-f32", "Multiply-add, f32", Compute;
    /// The same in 16 bit, where the adapter has such arithmetic.
    FmaF16 = "fma-f16", "Multiply-add, f16", Compute;
    /// One load that waits for the one before it.
    Latency = "latency", "Dependent load", Latency;
    /// One dispatch of next to no work.
    Dispatch = "dispatch", "Dispatch", Latency;
    /// Host to device.
    Upload = "upload", "Host to device", Bandwidth;
    /// Device to host.
    Download = "download", "Device to host", Bandwidth;
}

/// A kernel that is not known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("\"{text}\" is no kernel; write one of {}", ids().join(", "))]
pub struct UnknownKernel {
    /// What was found.
    pub text: String,
}

fn ids() -> Vec<&'static str> {
    Kernel::ALL.iter().map(|kernel| kernel.id()).collect()
}

impl Kernel {
    /// Reads a name as [`Kernel::id`] writes it.
    ///
    /// # Errors
    /// [`UnknownKernel`] with the names that are known.
    pub fn parse(text: &str) -> Result<Self, UnknownKernel> {
        let wanted = text.trim().to_lowercase();
        let found = Self::ALL.iter().find(|kernel| kernel.id() == wanted);
        found.copied().ok_or_else(|| UnknownKernel { text: text.trim().to_owned() })
    }

    /// Arrays that one of the six memory kernels touches; `None` for the others.
    #[must_use]
    pub const fn arrays(self) -> Option<u64> {
        match self {
            Self::Read | Self::Write => Some(1),
            Self::Copy | Self::Scale => Some(2),
            Self::Add | Self::Triad => Some(3),
            _ => None,
        }
    }

    /// Arrays that one of the six memory kernels reads.
    #[must_use]
    pub const fn inputs(self) -> usize {
        match self {
            Self::Read | Self::Copy | Self::Scale => 1,
            Self::Add | Self::Triad => 2,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_is_read_back_from_its_name() {
        for kernel in Kernel::ALL {
            assert_eq!(Kernel::parse(kernel.id()), Ok(*kernel));
            let json = serde_json::to_string(kernel).unwrap();
            assert_eq!(json, format!("\"{}\"", kernel.id()));
        }
        assert!(Kernel::parse("stride").unwrap_err().to_string().contains("triad"));
    }
}
