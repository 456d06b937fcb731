"""The content types of files, by the ending of their names. A kept table: no file of the system.

Source: https://github.com/jshttp/mime-db/blob/master/db.json.
"""

from __future__ import annotations

_TYPES = {
    "text/css": "css",
    "text/csv": "csv",
    "text/html": "html htm shtml",
    "text/calendar": "ics ifb",
    "text/javascript": "js mjs",
    "text/markdown": "md markdown",
    "text/jsx": "jsx",
    "text/plain": "txt text conf def list log in ini",
    "text/tab-separated-values": "tsv",
    "text/vtt": "vtt",
    "text/xml": "",
    "text/yaml": "yaml yml",
    "application/atom+xml": "atom",
    "application/epub+zip": "epub",
    "application/gzip": "gz",
    "application/java-archive": "jar",
    "application/json": "json map",
    "application/json5": "json5",
    "application/ld+json": "jsonld",
    "application/manifest+json": "webmanifest",
    "application/msword": "doc",
    "application/node": "cjs",
    "application/octet-stream": "bin dll exe dmg iso img msi",
    "application/pdf": "pdf",
    "application/rss+xml": "rss",
    "application/rtf": "rtf",
    "application/toml": "toml",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-fontobject": "eot",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/wasm": "wasm",
    "application/x-7z-compressed": "7z",
    "application/x-bzip2": "bz2",
    "application/x-sh": "sh",
    "application/x-tar": "tar",
    "application/xhtml+xml": "xhtml xht",
    "application/xml": "xml xsl xsd rng",
    "application/zip": "zip",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/mp4": "m4a mp4a",
    "audio/mpeg": "mp3 mpga mp2",
    "audio/ogg": "oga ogg opus spx",
    "audio/wav": "wav",
    "audio/midi": "mid midi kar",
    "audio/webm": "weba",
    "font/collection": "ttc",
    "font/otf": "otf",
    "font/ttf": "ttf",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "image/apng": "apng",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/jpeg": "jpg jpeg jpe",
    "image/jxl": "jxl",
    "image/png": "png",
    "image/svg+xml": "svg svgz",
    "image/tiff": "tif tiff",
    "image/vnd.microsoft.icon": "ico",
    "image/webp": "webp",
    "model/gltf+json": "gltf",
    "model/gltf-binary": "glb",
    "video/mp4": "mp4 mp4v mpg4",
    "video/mp2t": "ts m2t m2ts mts",
    "video/mpeg": "mpeg mpg mpe",
    "video/ogg": "ogv",
    "video/quicktime": "mov qt",
    "video/webm": "webm",
    "video/x-msvideo": "avi",
}
_BY_ENDING = {ending: kind for kind, endings in _TYPES.items() for ending in endings.split()}


def content_type(name: str) -> str | None:
    """Return the content type of a file; None when its ending is not known."""
    _, dot, ending = name.rpartition("/")[2].rpartition(".")
    found = _BY_ENDING.get(ending.lower()) if dot else None
    if found is not None and found.startswith("text/"):
        return f"{found}; charset=utf-8"
    return found
