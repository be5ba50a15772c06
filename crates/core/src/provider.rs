//! Which providers are there? One folder each: what it sends, how that is proven, what it means.

pub mod google;
pub mod microsoft;
