"""The files of the local page, as a browser gets them: `page.html`, `page.css`, `page.js`."""
