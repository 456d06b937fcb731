// Where requests go.

// Path and query of an absolute URL, which workerd has normalized; parsing it again costs more.
export function targetOf(url) {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  return start < 0 ? "/" : url.slice(start);
}
