//! Takes Swagger UI's files out of the archive of the crate that carries them.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "docs")]
    swagger_ui::unpack()?;
    Ok(())
}

#[cfg(feature = "docs")]
mod swagger_ui {
    use std::error::Error;
    use std::io::{Cursor, Read};
    use std::path::Path;
    use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
    use zip::{CompressionMethod, ZipArchive};

    /// Those that the page asks for.
    const FILES: [&str; 2] = ["swagger-ui-bundle.js", "swagger-ui.css"];

    /// How a gzip member begins (RFC 1952): deflated, no name, no time, an unknown system.
    const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

    /// Writes each as `NAME.gz`: the archive has it deflated, which gzip is but for head and tail.
    pub fn unpack() -> Result<(), Box<dyn Error>> {
        let folder = std::env::var_os("OUT_DIR").ok_or("there is no OUT_DIR")?;
        let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
        for name in FILES {
            let end = format!("/dist/{name}");
            let index =
                archive.file_names().position(|path| path.is_ok_and(|path| path.ends_with(&end)));
            let mut file = archive.by_index_raw(index.ok_or(end)?)?;
            if file.compression() != CompressionMethod::DEFLATE {
                return Err(format!("{name} is not deflated").into());
            }
            let bytes = u32::try_from(file.size())?;
            let mut packed = GZIP_HEAD.to_vec();
            file.read_to_end(&mut packed)?;
            packed.extend(file.crc32().to_le_bytes());
            packed.extend(bytes.to_le_bytes());
            std::fs::write(Path::new(&folder).join(format!("{name}.gz")), packed)?;
        }
        Ok(())
    }
}
