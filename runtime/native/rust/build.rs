//! Links `libsegedge`: from `$SEGEDGE_LIB_DIR`, else where the linker finds it.

fn main() {
    println!("cargo:rerun-if-env-changed=SEGEDGE_LIB_DIR");
    if let Ok(dir) = std::env::var("SEGEDGE_LIB_DIR") {
        println!("cargo:rustc-link-search=native={dir}");
        println!("cargo:rustc-link-arg=-Wl,-rpath,{dir}");
    }
}
